package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import im.parley.protocol.EventWriter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
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
    private static final long BUFFER_CHARS = 1 << 20;
    private static final long LEAST_BUFFER_CHARS = 16 << 10;

    private final Subscription subscription;
    private final ProvenKeys reader;
    private final int maxGuardedRows;
    private final long charsPerCursor;
    private final List<Cursor> toFill = new ArrayList<>();
    private final PriorityQueue<Cursor> filled = new PriorityQueue<>();
    private @Nullable EventId last;

    StoredQuery(Subscription subscription, ProvenKeys reader, int maxLimit, int maxGuardedRows) {
        this.subscription = subscription;
        this.reader = reader;
        this.maxGuardedRows = maxGuardedRows;
        for (Filter filter : subscription.filters()) {
            Cursor cursor = new Cursor(
                    ReadGuard.narrow(filter, reader), Math.min(filter.limit().orElse(maxLimit), maxLimit));
            if (cursor.remaining > 0 && !ReadGuard.matchesNothing(cursor.filter)) {
                toFill.add(cursor);
            }
        }
        charsPerCursor = Math.max(LEAST_BUFFER_CHARS, BUFFER_CHARS / Math.max(1, toFill.size()));
    }

    Subscription subscription() {
        return subscription;
    }

    /** True if there is nothing to look up at all. */
    boolean isEmpty() {
        return toFill.isEmpty() && filled.isEmpty();
    }

    /**
     * Sends some events.
     *
     * @return true when all were sent
     * @throws ProviderException {@code EXHAUSTED relay.too-wide} if too many guarded events were passed over, and what the
     *     store throws
     */
    boolean turn(EventStore store) throws ProviderException {
        List<Cursor> still = new ArrayList<>();
        for (Cursor cursor : toFill) {
            cursor.fill(store);
            if (!cursor.buffer.isEmpty()) {
                filled.add(cursor);
            } else if (!cursor.exhausted) {
                still.add(cursor);
            }
        }
        toFill.clear();
        toFill.addAll(still);
        if (toFill.isEmpty()) {
            send();
        }
        return isEmpty();
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
            cursor.bufferedChars -= chars(event);
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

    private static long chars(Event event) {
        return 300L + event.content().length() + 100L * event.tags().size();
    }

    /** Where one filter has got to. */
    private final class Cursor implements Comparable<Cursor> {
        private final Filter filter;
        private final ArrayDeque<Event> buffer = new ArrayDeque<>();
        private long bufferedChars;
        private int remaining;
        private boolean exhausted;
        private @Nullable Event position;
        /** Rows at the second of {@link #position} up to and with it; the next page begins with them again. */
        private int rowsAtPosition;

        private int ask = PAGE;
        private long guardedRows;

        Cursor(Filter filter, int limit) {
            this.filter = filter;
            this.remaining = limit;
        }

        @Override
        public int compareTo(Cursor other) {
            return NEWEST_FIRST.compare(buffer.getFirst(), other.buffer.getFirst());
        }

        /** One page; may find nothing although there is more. */
        void fill(EventStore store) throws ProviderException {
            Event from = position;
            int limit = rowsAtPosition + ask;
            Filter.Builder page = filter.toBuilder().limit(limit);
            if (from != null) {
                page.until(from.createdAt());
            }
            int wanted = Math.min(PAGE, remaining);
            int[] rows = new int[1];
            boolean[] enough = new boolean[1];
            store.query(page.build(), event -> {
                rows[0]++;
                if (from != null && NEWEST_FIRST.compare(event, from) <= 0) {
                    return true;
                }
                take(event);
                enough[0] = buffer.size() >= wanted || bufferedChars >= charsPerCursor;
                return !enough[0];
            });
            if (!enough[0] && rows[0] < limit || remaining == 0) {
                exhausted = true;
            } else if (!enough[0]) {
                // The page held only rows already seen or not to be served: look further next time.
                ask = Math.min(MAX_ASK, ask * 2);
                if (position == from) {
                    rowsAtPosition = limit;
                }
            }
            if (guardedRows > maxGuardedRows) {
                throw new ProviderException(
                        Kind.EXHAUSTED,
                        TOO_WIDE,
                        "The filter passes over too many events you may not read; name kinds, authors or #p.");
            }
        }

        private void take(Event event) {
            rowsAtPosition = position != null && position.createdAt() == event.createdAt() ? rowsAtPosition + 1 : 1;
            position = event;
            if (ReadGuard.mayRead(event, reader)) {
                buffer.add(event);
                bufferedChars += chars(event);
                remaining--;
            } else {
                guardedRows++;
            }
        }
    }
}
