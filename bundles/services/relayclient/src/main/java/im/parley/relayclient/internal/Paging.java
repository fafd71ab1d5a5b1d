package im.parley.relayclient.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Asks for stored events page by page, newest first, although nobody says how many a relay gives at a time.
 *
 * <p>The next page begins in the second in which the last one ended, because a page may be cut within a second; what came
 * before is left out by id. A page without news that is smaller than an earlier one was not cut, so it was the last.
 *
 * <p>While a page is under way the relay may put a new event among the stored ones. One with an old date, and gift wraps
 * have such dates, must not decide where the next page begins, or all between would be skipped: {@link #arrivedLive}
 * tells them apart, and {@link #stepBack} asks for a page again that was ended by one.
 *
 * <p>What a relay sends before it says that a page ends is bounded in number and in bytes as it arrives. A page of large
 * events is asked for again in smaller pages; a relay that sends far more than it was asked for is not listened to. Not
 * thread-safe.
 */
final class Paging {
    /** Newest first, ties by lowest id, as NIP-01 orders. */
    static final Comparator<Event> NEWEST_FIRST =
            Comparator.comparingLong(Event::createdAt).reversed().thenComparing(Event::id);

    static final int PAGE = 500;
    /** About how much memory one page may take. */
    static final long PAGE_BYTES = 8L << 20;

    /** What becomes of an event. */
    enum Taken {
        YES,
        /** The page is too large: end the request and ask for {@link #next}. */
        ASK_FOR_LESS,
        /** The relay does not keep to what it was asked. */
        TOO_MUCH
    }

    private record Entry(EventId id, long createdAt) {}

    private final Filter base;
    private final int tolerated;
    private final int want;
    private final Map<EventId, Event> collected = new LinkedHashMap<>();
    private OptionalLong until;
    private Set<EventId> edge = new HashSet<>();
    private final List<Entry> page = new ArrayList<>();
    private final Map<EventId, Event> fresh = new LinkedHashMap<>();
    private long freshBytes;
    private final Set<EventId> live = new HashSet<>();
    private Set<EventId> counted = new HashSet<>();
    private OptionalLong untilBefore;
    private Set<EventId> edgeBefore = new HashSet<>();
    private List<Event> newsBefore = List.of();
    private int largestBefore;
    private int pageSize;
    private int asked;
    private int largest;
    private int total;
    private long bytes;

    /** @param tolerated events of one page that are taken even if fewer were asked for: new ones come between */
    Paging(Filter base, int tolerated) {
        this(base, tolerated, PAGE);
    }

    /** @param pageSize how many to ask for at first; more later, while pages are small in bytes */
    Paging(Filter base, int tolerated, int pageSize) {
        this.base = base;
        this.pageSize = pageSize;
        this.tolerated = tolerated;
        this.want = Math.min(base.limit().orElse(Integer.MAX_VALUE), most(base));
        this.until = base.until();
        this.untilBefore = until;
    }

    /** Events by id, and replaceable ones by author and kind, cannot be more than these. */
    private static int most(Filter filter) {
        long most = Integer.MAX_VALUE;
        if (filter.ids() != null) {
            most = filter.ids().size();
        }
        if (filter.authors() != null
                && filter.kinds() != null
                && filter.kinds().stream().allMatch(im.parley.protocol.Kinds::isReplaceable)) {
            most = Math.min(
                    most, (long) filter.authors().size() * filter.kinds().size());
        }
        return (int) Math.min(most, Integer.MAX_VALUE);
    }

    /** The filter of the next page, or of the same one again after {@link Taken#ASK_FOR_LESS}. */
    Filter next() {
        Filter.Builder filter = base.toBuilder();
        until.ifPresent(filter::until);
        // What the edge brings again does not count against what is wanted.
        asked = (int) Math.min(PAGE, Math.min(pageSize, (long) want - total) + edge.size());
        live.clear();
        clearPage();
        return filter.limit(asked).build();
    }

    private void clearPage() {
        page.clear();
        fresh.clear();
        freshBytes = 0;
    }

    /** How many the page under way was asked to have at most, but for what it repeats. */
    int pageSize() {
        return pageSize;
    }

    boolean asksForNothing() {
        return want <= 0;
    }

    Taken add(Event event) {
        if (page.size() >= Math.max(tolerated, 2L * asked)) {
            return Taken.TOO_MUCH;
        }
        page.add(new Entry(event.id(), event.createdAt()));
        if (edge.contains(event.id())
                || collected.containsKey(event.id())
                || fresh.putIfAbsent(event.id(), event) != null) {
            return Taken.YES;
        }
        freshBytes += weight(event);
        if (freshBytes <= PAGE_BYTES) {
            return Taken.YES;
        }
        if (pageSize == 1) {
            return Taken.TOO_MUCH;
        }
        pageSize = Math.max(1, Math.min(pageSize, fresh.size()) / 2);
        return Taken.ASK_FOR_LESS;
    }

    /**
     * An event came over a live subscription while a page was under way.
     *
     * @return true if the page before took it for a stored one, so that its end is not to be trusted
     */
    boolean arrivedLive(EventId id) {
        live.add(id);
        return counted.contains(id);
    }

    /** Asks for the page before once more, as if it had never come: its events are news again. */
    void stepBack() {
        until = untilBefore;
        edge = new HashSet<>(edgeBefore);
        largest = largestBefore;
        for (Event event : newsBefore) {
            if (collected.remove(event.id()) != null) {
                bytes -= weight(event);
            }
        }
        total -= newsBefore.size();
        newsBefore = List.of();
        counted = new HashSet<>();
    }

    /** Ends a page; true if there may be another. */
    boolean endPage() {
        int size = page.size();
        long oldest = Long.MAX_VALUE;
        long oldestOfAll = Long.MAX_VALUE;
        Set<EventId> trusted = new HashSet<>();
        for (Entry entry : page) {
            oldestOfAll = Math.min(oldestOfAll, entry.createdAt());
            if (!live.contains(entry.id())) {
                oldest = Math.min(oldest, entry.createdAt());
                trusted.add(entry.id());
            }
        }
        List<Event> news = List.copyOf(fresh.values());
        for (Event event : news) {
            collected.put(event.id(), event);
        }
        bytes += freshBytes;
        total += news.size();
        if (freshBytes < PAGE_BYTES / 8) {
            pageSize = Math.min(PAGE, 2 * pageSize);
        }
        clearPage();
        newsBefore = news;
        largestBefore = largest;
        boolean cutPossible = size >= Math.min(largest, asked);
        largest = Math.max(largest, trusted.size());
        counted = trusted;
        if (size == 0 || total >= want) {
            return false;
        }
        if (trusted.isEmpty()) {
            // Nothing stored came, only new events: what is older than they are has not been asked for yet.
            oldest = oldestOfAll;
        }
        untilBefore = until;
        edgeBefore = new HashSet<>(edge);
        if (news.isEmpty()) {
            if (!cutPossible || oldest == 0) {
                return false;
            }
            edge.clear();
            return go(oldest - 1);
        }
        if (!until.equals(OptionalLong.of(oldest))) {
            edge = new HashSet<>();
        }
        for (Event event : news) {
            if (event.createdAt() <= oldest) {
                edge.add(event.id());
            }
        }
        return go(oldest);
    }

    private boolean go(long to) {
        until = OptionalLong.of(to);
        return base.since().isEmpty() || to >= base.since().getAsLong();
    }

    /**
     * All that is dated later was collected. It is where the last page began and not where it ended, which a live event
     * may yet prove wrong. Empty before the second page.
     */
    OptionalLong reached() {
        return untilBefore;
    }

    /** Events so far, over all pages. */
    int total() {
        return total;
    }

    /** Events held since the last {@link #take}. */
    int held() {
        return collected.size();
    }

    /** About how much memory they take. */
    long heldBytes() {
        return bytes;
    }

    /** Hands out what is held, newest first, at most as many as were wanted. */
    List<Event> take() {
        List<Event> events = new ArrayList<>(collected.values());
        collected.clear();
        bytes = 0;
        events.sort(NEWEST_FIRST);
        return events.size() > want ? new ArrayList<>(events.subList(0, want)) : events;
    }

    /** About how many characters it has on the wire. */
    static long size(Event event) {
        long size = 300 + event.content().length();
        for (List<String> tag : event.tags()) {
            size += 3;
            for (String item : tag) {
                size += 3 + item.length();
            }
        }
        return size;
    }

    /** About how much memory it takes. */
    static long weight(Event event) {
        long weight = 512 + 2L * event.content().length();
        for (List<String> tag : event.tags()) {
            weight += 64;
            for (String item : tag) {
                weight += 64 + 2L * item.length();
            }
        }
        return weight;
    }
}
