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
 * tells them apart. Not thread-safe.
 */
final class Paging {
    /** Newest first, ties by lowest id, as NIP-01 orders. */
    static final Comparator<Event> NEWEST_FIRST =
            Comparator.comparingLong(Event::createdAt).reversed().thenComparing(Event::id);

    static final int PAGE = 500;
    private static final int MAX_PAGE = 5_000;

    private final Filter base;
    private final int want;
    private final Map<EventId, Event> collected = new LinkedHashMap<>();
    private OptionalLong until;
    private Set<EventId> edge = new HashSet<>();
    private final List<Event> page = new ArrayList<>();
    private final Set<EventId> live = new HashSet<>();
    private Set<EventId> counted = new HashSet<>();
    private int asked;
    private int received;
    private int largest;
    private int total;
    private long bytes;

    Paging(Filter base) {
        this.base = base;
        this.want = Math.min(base.limit().orElse(Integer.MAX_VALUE), most(base));
        this.until = base.until();
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

    /** The filter of the next page. */
    Filter next() {
        Filter.Builder filter = base.toBuilder();
        until.ifPresent(filter::until);
        // What the edge brings again does not count against what is wanted.
        asked = (int) Math.min(PAGE, (long) want - total + edge.size());
        live.clear();
        return filter.limit(asked).build();
    }

    boolean asksForNothing() {
        return want <= 0;
    }

    /** False if the page is full, far beyond what was asked for. */
    boolean add(Event event) {
        if (received >= MAX_PAGE) {
            return false;
        }
        received++;
        page.add(event);
        return true;
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

    /** Ends a page; true if there may be another. */
    boolean endPage() {
        int size = received;
        List<Event> fresh = new ArrayList<>();
        long oldest = Long.MAX_VALUE;
        long oldestOfAll = Long.MAX_VALUE;
        Set<EventId> trusted = new HashSet<>();
        for (Event event : page) {
            oldestOfAll = Math.min(oldestOfAll, event.createdAt());
            if (!live.contains(event.id())) {
                oldest = Math.min(oldest, event.createdAt());
                trusted.add(event.id());
            }
            if (!edge.contains(event.id()) && collected.putIfAbsent(event.id(), event) == null) {
                fresh.add(event);
                bytes += weight(event);
            }
        }
        page.clear();
        received = 0;
        total += fresh.size();
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
        if (fresh.isEmpty()) {
            if (!cutPossible || oldest == 0) {
                return false;
            }
            edge.clear();
            return go(oldest - 1);
        }
        if (!until.equals(OptionalLong.of(oldest))) {
            edge = new HashSet<>();
        }
        for (Event event : fresh) {
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

    static long weight(Event event) {
        long weight = 512 + 2L * event.content().length();
        for (List<String> tag : event.tags()) {
            for (String item : tag) {
                weight += 64 + 2L * item.length();
            }
        }
        return weight;
    }
}
