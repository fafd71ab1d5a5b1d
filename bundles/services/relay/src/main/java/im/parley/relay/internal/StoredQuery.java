package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import im.parley.protocol.EventWriter;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Objects;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * The stored part of one subscription: the union of its filters, newest first, ties by lowest id, each event once. Each
 * filter has its own limit, which counts only events the reader may have.
 *
 * <p>Works in turns that read a small page per filter and keep no store snapshot between them, so a slow reader or a wide
 * query holds neither a lease nor much memory. Used by one thread at a time.
 */
final class StoredQuery {
    static final String TOO_WIDE = "relay.too-wide";

    private static final Comparator<Event> NEWEST_FIRST =
            Comparator.comparingLong(Event::createdAt).reversed().thenComparing(Event::id);
    private static final int PAGE = 64;
    private static final int MAX_ASK = 2_048;
    private static final int EVENTS_PER_TURN = 64;
    private static final long CHARS_PER_TURN = 256 << 10;
    private static final long BUFFER_BYTES = 1 << 20;
    private static final long LEAST_BUFFER_BYTES = 32 << 10;

    /** Told how many events were passed over because the reader may not see them; false if they were too many. */
    interface Budget {
        boolean spend(long rows);
    }

    private final Subscription subscription;
    private final ProvenKeys reader;
    private final Expirations expirations;
    private final Budget budget;
    private final long bytesPerCursor;
    private final ArrayDeque<Cursor> toFill = new ArrayDeque<>();
    private final PriorityQueue<Cursor> filled = new PriorityQueue<>();
    private @Nullable EventId last;
    /** In all buffers, as counted by the session. */
    private long keptBytes;

    StoredQuery(Subscription subscription, ProvenKeys reader, Expirations expirations, int maxLimit, Budget budget) {
        this.subscription = subscription;
        this.reader = reader;
        this.expirations = expirations;
        this.budget = budget;
        for (Filter filter : subscription.filters()) {
            Cursor cursor = new Cursor(
                    ReadGuard.narrow(filter, reader), Math.min(filter.limit().orElse(maxLimit), maxLimit));
            if (cursor.remaining > 0 && !ReadGuard.matchesNothing(cursor.filter)) {
                toFill.add(cursor);
            }
        }
        bytesPerCursor = Math.max(LEAST_BUFFER_BYTES, BUFFER_BYTES / Math.max(1, toFill.size()));
    }

    Subscription subscription() {
        return subscription;
    }

    /** True if there is nothing to look up at all. */
    boolean isEmpty() {
        return toFill.isEmpty() && filled.isEmpty();
    }

    /**
     * Reads one page, or sends some events: whoever asks with many filters waits its turn for each of them.
     *
     * @return true when all were sent
     * @throws ProviderException {@code EXHAUSTED relay.too-wide} if too many guarded events were passed over, and what the
     *     store throws
     */
    boolean turn(EventStore store) throws ProviderException {
        Cursor next = toFill.poll();
        if (next == null) {
            send();
        } else {
            next.fill(store);
            if (!next.buffer.isEmpty()) {
                filled.add(next);
            } else if (!next.exhausted) {
                toFill.add(next);
            }
        }
        return isEmpty();
    }

    /** Gives back what was counted for the buffers; the query is over. */
    void letGo() {
        keep(-keptBytes);
    }

    private void keep(long bytes) {
        keptBytes += bytes;
        subscription.session().keep(bytes);
    }

    /** Merges while every filter that may still bring something has its next event at hand. */
    private void send() {
        long chars = 0;
        for (int i = 0; i < EVENTS_PER_TURN && chars < CHARS_PER_TURN && toFill.isEmpty(); i++) {
            Cursor cursor = filled.poll();
            if (cursor == null) {
                return;
            }
            Event event = cursor.buffer.remove();
            cursor.keep(-Weight.of(event));
            if (!cursor.buffer.isEmpty()) {
                filled.add(cursor);
            } else if (!cursor.exhausted && cursor.remaining > 0) {
                toFill.add(cursor);
            }
            // Equal events of several filters come out of the merge next to each other.
            if (!Objects.equals(last, event.id())) {
                last = event.id();
                String json = EventWriter.write(event);
                chars += json.length();
                subscription.deliverStored(event, json);
            }
        }
    }

    /** Of two places in the order of queries, of which either may not have been reached. */
    static EventStore.@Nullable Place later(EventStore.@Nullable Place a, EventStore.@Nullable Place b) {
        return a == null || b != null && a.compareTo(b) < 0 ? b : a;
    }

    /** Where one filter has got to. */
    private final class Cursor implements Comparable<Cursor> {
        private final Filter filter;
        private final ArrayDeque<Event> buffer = new ArrayDeque<>();
        /** Whether the filter names nothing that would keep it away from guarded events. */
        private final boolean wide;

        private long bufferedBytes;
        private int remaining;
        private boolean exhausted;
        private EventStore.@Nullable Place reached;
        private int ask = PAGE;

        Cursor(Filter filter, int limit) {
            this.filter = filter;
            this.remaining = limit;
            wide = filter.kinds() == null
                    && filter.ids() == null
                    && filter.authors() == null
                    && filter.tags().isEmpty();
        }

        @Override
        public int compareTo(Cursor other) {
            return NEWEST_FIRST.compare(buffer.getFirst(), other.buffer.getFirst());
        }

        private void keep(long bytes) {
            bufferedBytes += bytes;
            StoredQuery.this.keep(bytes);
        }

        /** One page; may find nothing although there is more. */
        void fill(EventStore store) throws ProviderException {
            if (wide && !budget.spend(0)) {
                throw tooWide();
            }
            Page page = new Page();
            store.query(filter.toBuilder().limit(ask).build(), reached, page::glance, page::visit);
            if (!page.stopped && page.visited + page.leftOut < ask || remaining == 0) {
                exhausted = true;
            }
            // A page may have held only rows that are not to be served: then look further next time.
            ask = page.stopped ? PAGE : Math.min(MAX_ASK, ask * 2);
            if (!page.stopped) {
                reached = later(reached, page.leftOutAt);
            }
            if (page.guarded + page.leftOut > 0 && !budget.spend(page.guarded + page.leftOut)) {
                throw tooWide();
            }
        }

        private static ProviderException tooWide() {
            return new ProviderException(
                    Kind.EXHAUSTED,
                    TOO_WIDE,
                    "Too many events you may not read are passed over; name kinds, authors or #p, or ask later.");
        }

        /** What one call to the store brings. */
        private final class Page {
            private final int wanted = Math.min(PAGE, remaining);
            private int visited;
            private int leftOut;
            private EventStore.@Nullable Place leftOutAt;
            private int guarded;
            private boolean stopped;

            boolean glance(EventStore.Place place, int kind) {
                if (ReadGuard.mayRead(kind, reader)) {
                    return true;
                }
                leftOut++;
                leftOutAt = place;
                return false;
            }

            boolean visit(Event event) {
                visited++;
                reached = EventStore.Place.of(event);
                if (expirations.isExpired(event)) {
                    // Gone for everybody; the next sweep removes it.
                    return true;
                }
                if (ReadGuard.mayRead(event, reader)) {
                    buffer.add(event);
                    keep(Weight.of(event));
                    remaining--;
                } else {
                    guarded++;
                }
                stopped = buffer.size() >= wanted || bufferedBytes >= bytesPerCursor;
                return !stopped;
            }
        }
    }
}
