package im.parley.storage.lmdb;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.storage.EventStore;
import im.parley.protocol.FilterMatch;
import im.parley.storage.lmdb.Environment.Txn;
import im.parley.storage.lmdb.EventKeys.Found;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One query on its way: the sources that together hold every match, merged in order. All its pages are read from one
 * snapshot. For one thread at a time.
 */
final class EventQuery {
    /** More sources than this are not merged; a broader source is walked and filtered instead. */
    private static final int MOST_SOURCES = 1_024;

    /** Entries looked at in one page, so that a filter that matches little does not hold up closing. */
    private static final int ENTRIES_PER_PAGE = 4_096;

    private static final int EVENTS_PER_PAGE = 512;
    private static final long CHARS_PER_PAGE = 4 << 20;

    /** Tags that name one thing come first as a way in, then authors, then tags that many events share. */
    private static final String NARROW_LETTERS = "aAdDeEiI";

    private static final Comparator<Found> ORDER =
            Comparator.comparingLong(Found::createdAt).reversed().thenComparing(Found::id);

    private record Head(Found found, EventSource source) {}

    /** Reads the event that an index entry stands for; null if it cannot be shown. */
    interface Reading {
        @Nullable
        Event read(Txn txn, Found found) throws LmdbException;
    }

    private final Filter filter;
    private final EventStore.Glance glance;
    private final Reading reading;
    private final List<EventSource> sources = new ArrayList<>();
    private @Nullable PriorityQueue<Head> heads;
    private @Nullable EventId last;
    private long left;

    EventQuery(
            Filter filter,
            EventStore.@Nullable Place after,
            EventStore.Glance glance,
            EventKeys keys,
            Reading reading) {
        this.filter = filter;
        this.glance = glance;
        this.reading = reading;
        left = filter.limit().isPresent() ? filter.limit().getAsInt() : Long.MAX_VALUE;
        plan(keys, after);
    }

    private static boolean isEmpty(@Nullable Set<?> set) {
        return set != null && set.isEmpty();
    }

    private void plan(EventKeys keys, EventStore.@Nullable Place after) {
        long since = Math.max(0, filter.since().orElse(0));
        long until = filter.until().orElse(Long.MAX_VALUE);
        if (left == 0
                || until < since
                || isEmpty(filter.ids())
                || isEmpty(filter.authors())
                || isEmpty(filter.kinds())
                || filter.tags().values().stream().anyMatch(Set::isEmpty)) {
            return;
        }
        byte[] from = EventKeys.firstAt(until);
        if (after != null) {
            byte[] behind = EventKeys.after(EventKeys.order(after.createdAt(), after.id()));
            from = Arrays.compareUnsigned(behind, from) > 0 ? behind : from;
        }
        byte[] to = EventKeys.lastAt(since);
        Set<EventId> ids = filter.ids();
        Set<PublicKey> authors = filter.authors();
        Set<Integer> kinds = filter.kinds();
        Map.Entry<Character, Set<String>> tag = narrowestTag();
        if (ids != null) {
            sources.add(EventSource.ids(ids, from, to));
        } else if (tag != null
                && tag.getValue().size() <= MOST_SOURCES
                && (authors == null || NARROW_LETTERS.indexOf(tag.getKey()) >= 0)) {
            int portion = portion(tag.getValue().size());
            for (String value : tag.getValue()) {
                sources.add(EventSource.range(EventTable.TAG, keys.tag(tag.getKey(), value), from, to, portion));
            }
        } else if (authors != null && kinds != null && (long) authors.size() * kinds.size() <= MOST_SOURCES) {
            int portion = portion(authors.size() * kinds.size());
            for (PublicKey author : authors) {
                for (int kind : kinds) {
                    sources.add(EventSource.range(
                            EventTable.AUTHOR_KIND, keys.authorAndKind(author, kind), from, to, portion));
                }
            }
        } else if (authors != null && authors.size() <= MOST_SOURCES) {
            int portion = portion(authors.size());
            for (PublicKey author : authors) {
                sources.add(EventSource.range(EventTable.AUTHOR, keys.author(author), from, to, portion));
            }
        } else if (kinds != null && kinds.size() <= MOST_SOURCES) {
            int portion = portion(kinds.size());
            for (int kind : kinds) {
                sources.add(EventSource.range(EventTable.KIND, EventKeys.kind(kind), from, to, portion));
            }
        } else {
            sources.add(EventSource.range(EventTable.TIME, EventKeys.all(), from, to, portion(1)));
        }
    }

    private Map.@Nullable Entry<Character, Set<String>> narrowestTag() {
        Map.Entry<Character, Set<String>> best = null;
        for (Map.Entry<Character, Set<String>> tag : filter.tags().entrySet()) {
            if (best == null || rank(tag) < rank(best)) {
                best = tag;
            }
        }
        return best;
    }

    private static long rank(Map.Entry<Character, Set<String>> tag) {
        long shared = NARROW_LETTERS.indexOf(tag.getKey()) >= 0 ? 0 : 1L << 32;
        return shared + tag.getValue().size();
    }

    /** Of many sources only a few entries each are needed; of a single one as many as the limit says. */
    private int portion(int sourceCount) {
        return (int) Math.min(sourceCount > 1 ? 4 : 64, left);
    }

    boolean isFinished() {
        return left == 0 || sources.isEmpty();
    }

    /** The next matches; none does not mean the end, {@link #isFinished} does. */
    List<Event> page(Txn txn) throws LmdbException {
        PriorityQueue<Head> merged = heads;
        if (merged == null) {
            merged = new PriorityQueue<>((a, b) -> ORDER.compare(a.found(), b.found()));
            heads = merged;
            for (EventSource source : sources) {
                push(merged, source, txn);
            }
        }
        Set<Integer> kinds = filter.kinds();
        List<Event> page = new ArrayList<>();
        long chars = 0;
        for (int looked = 0; looked < ENTRIES_PER_PAGE && page.size() < EVENTS_PER_PAGE && chars < CHARS_PER_PAGE; ) {
            Found found = next(merged, txn);
            if (found == null) {
                sources.clear();
                break;
            }
            looked++;
            // One event comes from several sources next to each other. What cannot match by its kind is not even
            // glanced at.
            if (Objects.equals(last, found.id()) || kinds != null && !kinds.contains(found.kind())) {
                continue;
            }
            last = found.id();
            if (!glance.wants(new EventStore.Place(found.createdAt(), found.id()), found.kind())) {
                if (--left == 0) {
                    break;
                }
                continue;
            }
            Event event = reading.read(txn, found);
            if (event != null && FilterMatch.matches(filter, event)) {
                page.add(event);
                chars += event.content().length() + 100L * event.tags().size();
                if (--left == 0) {
                    break;
                }
            }
        }
        return page;
    }

    private static @Nullable Found next(PriorityQueue<Head> merged, Txn txn) throws LmdbException {
        Head head = merged.poll();
        if (head == null) {
            return null;
        }
        head.source().take();
        push(merged, head.source(), txn);
        return head.found();
    }

    private static void push(PriorityQueue<Head> merged, EventSource source, Txn txn) throws LmdbException {
        Found found = source.peek(txn);
        if (found != null) {
            merged.add(new Head(found, source));
        }
    }
}
