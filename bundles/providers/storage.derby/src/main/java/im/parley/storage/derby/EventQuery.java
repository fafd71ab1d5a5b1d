package im.parley.storage.derby;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.storage.EventStore;
import im.parley.protocol.FilterMatch;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One query on its way: the sources that together hold every match, merged in order, and the moment that is shown.
 *
 * <p>Rows written after that moment have higher positions and are passed over. Rows removed after it are handed in by the
 * writer through {@link #removed}. So a query reads page by page, holds nothing between pages, and still shows one moment.
 *
 * <p>Pages are read under the store's read lock and removals come under its write lock; nothing else guards the state.
 */
final class EventQuery {
    /** More sources than this are not merged; a broader source is walked and filtered instead. */
    private static final int MOST_SOURCES = 1_024;

    /** Rows looked at in one page, so that a filter that matches little does not hold up the writer. */
    private static final int ROWS_PER_PAGE = 2_048;

    private static final int EVENTS_PER_PAGE = 256;
    private static final long BYTES_PER_PAGE = 4 << 20;

    /** Tags that name one thing come first as a way in, then authors, then tags that many events share. */
    private static final String NARROW_LETTERS = "aAdDeEiI";

    private record Head(EventCodec.Row row, EventSource source) {}

    private final Filter filter;
    private final EventStore.@Nullable Place after;
    private final EventStore.Glance glance;
    private final Function<EventCodec.Row, Optional<Event>> decoder;
    private final List<EventSource> sources = new ArrayList<>();
    private final TreeMap<byte[], EventCodec.Row> removals = new TreeMap<>(Arrays::compareUnsigned);
    private @Nullable PriorityQueue<Head> heads;
    private long moment = Long.MIN_VALUE;
    private byte[] reached = new byte[OrderKey.BYTES];
    private long lastPosition;
    private long left;

    /** @param decoder the event of a row; empty for a damaged one, which it counts */
    EventQuery(
            Filter filter,
            EventStore.@Nullable Place after,
            EventStore.Glance glance,
            EventCodec codec,
            Function<EventCodec.Row, Optional<Event>> decoder) {
        this.filter = filter;
        this.after = after;
        this.glance = glance;
        this.decoder = decoder;
        left = filter.limit().isPresent() ? filter.limit().getAsInt() : Long.MAX_VALUE;
        plan(codec);
    }

    private static boolean isEmpty(@Nullable Set<?> set) {
        return set != null && set.isEmpty();
    }

    private void plan(EventCodec codec) {
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
        byte[] from = OrderKey.firstAt(until);
        if (after != null) {
            // What is removed before that place was shown, or not, by an earlier query.
            reached = OrderKey.of(after.createdAt(), after.id());
            byte[] behind = OrderKey.after(reached);
            from = Arrays.compareUnsigned(behind, from) > 0 ? behind : from;
        }
        byte[] to = OrderKey.lastAt(since);
        Set<EventId> ids = filter.ids();
        Set<PublicKey> authors = filter.authors();
        Set<Integer> kinds = filter.kinds();
        Map.Entry<Character, Set<String>> tag = narrowestTag();
        if (ids != null) {
            sources.add(EventSource.ids(ids, from, to, portion(1)));
        } else if (tag != null
                && tag.getValue().size() <= MOST_SOURCES
                && (authors == null || NARROW_LETTERS.indexOf(tag.getKey()) >= 0)) {
            for (String value : tag.getValue()) {
                sources.add(EventSource.range(
                        EventTables.BY_TAG, from, to, portion(tag.getValue().size()), codec.key(tag.getKey(), value)));
            }
        } else if (authors != null && kinds != null && (long) authors.size() * kinds.size() <= MOST_SOURCES) {
            int portion = portion(authors.size() * kinds.size());
            for (PublicKey author : authors) {
                for (int kind : kinds) {
                    sources.add(EventSource.range(
                            EventTables.BY_AUTHOR_AND_KIND, from, to, portion, EventCodec.prefix(author), kind));
                }
            }
        } else if (authors != null && authors.size() <= MOST_SOURCES) {
            for (PublicKey author : authors) {
                sources.add(EventSource.range(
                        EventTables.BY_AUTHOR, from, to, portion(authors.size()), EventCodec.prefix(author)));
            }
        } else if (kinds != null && kinds.size() <= MOST_SOURCES) {
            for (int kind : kinds) {
                sources.add(EventSource.range(EventTables.BY_KIND, from, to, portion(kinds.size()), kind));
            }
        } else {
            sources.add(EventSource.range(EventTables.ALL, from, to, portion(1)));
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

    /** Of many sources only a few rows each are needed; of a single one as many as the limit says. */
    private int portion(int sourceCount) {
        return sourceCount > 1 ? (int) Math.min(4, left) : (int) Math.min(64, left);
    }

    boolean isFinished() {
        return left == 0 || sources.isEmpty();
    }

    /** Fixes the moment that is shown; called once, before the first page. */
    void showMoment(long lastCommittedPosition) {
        moment = lastCommittedPosition;
    }

    /** A row that the writer is about to remove. It may still be there if the writer's commit fails. */
    void removed(EventCodec.Row row) {
        if (row.position() <= moment && Arrays.compareUnsigned(row.order(), reached) > 0) {
            removals.put(row.order(), row);
        }
    }

    /** The next matches; none does not mean the end, {@link #isFinished} does. */
    List<Event> page(Statements statements) throws SQLException {
        PriorityQueue<Head> merged = heads;
        if (merged == null) {
            merged = new PriorityQueue<>(
                    (a, b) -> Arrays.compareUnsigned(a.row().order(), b.row().order()));
            heads = merged;
            for (EventSource source : sources) {
                push(merged, source, statements);
            }
        }
        List<Event> page = new ArrayList<>();
        long bytes = 0;
        for (int looked = 0; looked < ROWS_PER_PAGE && page.size() < EVENTS_PER_PAGE && bytes < BYTES_PER_PAGE; ) {
            EventCodec.Row row = next(merged, statements);
            if (row == null) {
                sources.clear();
                break;
            }
            looked++;
            reached = row.order();
            if (row.position() > moment || row.position() == lastPosition) {
                continue;
            }
            lastPosition = row.position();
            EventCodec.Content content = row.content();
            if (!glance.wants(new EventStore.Place(OrderKey.createdAt(row.order()), content.id()), content.kind())) {
                if (--left == 0) {
                    break;
                }
                continue;
            }
            Optional<Event> event = decoder.apply(row);
            if (event.isPresent() && FilterMatch.matches(filter, event.get())) {
                page.add(event.get());
                bytes += row.content().body().length;
                if (--left == 0) {
                    break;
                }
            }
        }
        return page;
    }

    private EventCodec.@Nullable Row next(PriorityQueue<Head> merged, Statements statements) throws SQLException {
        Head head = merged.peek();
        Map.Entry<byte[], EventCodec.Row> removal = removals.firstEntry();
        if (removal != null
                && (head == null
                        || Arrays.compareUnsigned(removal.getKey(), head.row().order()) <= 0)) {
            removals.pollFirstEntry();
            return removal.getValue();
        }
        if (head == null) {
            return null;
        }
        merged.remove();
        head.source().take();
        push(merged, head.source(), statements);
        return head.row();
    }

    private static void push(PriorityQueue<Head> merged, EventSource source, Statements statements)
            throws SQLException {
        EventCodec.Row row = source.peek(statements);
        if (row != null) {
            merged.add(new Head(row, source));
        }
    }
}
