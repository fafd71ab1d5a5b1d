package im.parley.storage.lmdb;

import im.parley.api.event.EventId;
import im.parley.storage.lmdb.Environment.Cursor;
import im.parley.storage.lmdb.Environment.Pair;
import im.parley.storage.lmdb.Environment.Txn;
import im.parley.storage.lmdb.EventKeys.Found;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Index entries in the order of a query, fetched in growing portions: of many sources most give only their first few. Between
 * two portions it keeps only where to go on, so thousands share one cursor of their table. For one thread at a time.
 */
abstract class EventSource {
    private static final int LARGEST_PORTION = 256;

    private final ArrayDeque<Found> buffer = new ArrayDeque<>();
    private int portion;
    private boolean exhausted;

    EventSource(int firstPortion) {
        portion = Math.max(1, Math.min(firstPortion, LARGEST_PORTION));
    }

    /** The next entry, left in place; null at the end. */
    @Nullable
    Found peek(Txn txn) throws LmdbException {
        while (buffer.isEmpty() && !exhausted) {
            exhausted = !fetch(txn, portion, buffer);
            portion = Math.min(2 * portion, LARGEST_PORTION);
        }
        return buffer.peek();
    }

    /** Takes the entry that {@link #peek} showed. */
    void take() {
        buffer.remove();
    }

    /** Adds up to that many entries; false if there are no more. */
    abstract boolean fetch(Txn txn, int count, ArrayDeque<Found> into) throws LmdbException;

    /**
     * A stretch of one index.
     *
     * @param from first place in the order
     * @param to last place
     */
    static EventSource range(EventTable table, byte[] prefix, byte[] from, byte[] to, int firstPortion) {
        return new Range(table, prefix, from, to, firstPortion);
    }

    /** Single events, looked up all at once. */
    static EventSource ids(Iterable<EventId> ids, byte[] from, byte[] to) {
        return new Ids(ids, from, to);
    }

    private static final class Range extends EventSource {
        private final EventTable table;
        private final byte[] prefix;
        private final byte[] to;
        private byte[] next;

        Range(EventTable table, byte[] prefix, byte[] from, byte[] to, int firstPortion) {
            super(firstPortion);
            this.table = table;
            this.prefix = prefix;
            this.to = EventKeys.join(prefix, to);
            next = EventKeys.join(prefix, from);
        }

        @Override
        boolean fetch(Txn txn, int count, ArrayDeque<Found> into) throws LmdbException {
            Cursor cursor = txn.sharedCursor(table);
            int fetched = 0;
            Found last = null;
            for (Pair pair = cursor.seek(next);
                    pair != null && Arrays.compareUnsigned(pair.key(), to) <= 0;
                    pair = cursor.next()) {
                last = Found.ofEntry(prefix.length, pair.key(), pair.value());
                into.add(last);
                if (++fetched == count) {
                    break;
                }
            }
            if (last == null || fetched < count) {
                return false;
            }
            next = EventKeys.join(prefix, EventKeys.after(last.order()));
            return true;
        }
    }

    private static final class Ids extends EventSource {
        private final Iterable<EventId> ids;
        private final byte[] from;
        private final byte[] to;
        private @Nullable Iterator<Found> found;

        Ids(Iterable<EventId> ids, byte[] from, byte[] to) {
            super(LARGEST_PORTION);
            this.ids = ids;
            this.from = from;
            this.to = to;
        }

        @Override
        boolean fetch(Txn txn, int count, ArrayDeque<Found> into) throws LmdbException {
            Iterator<Found> left = found == null ? lookUp(txn) : found;
            found = left;
            for (int i = 0; i < count && left.hasNext(); i++) {
                into.add(left.next());
            }
            return left.hasNext();
        }

        private Iterator<Found> lookUp(Txn txn) throws LmdbException {
            List<Found> all = new ArrayList<>();
            for (EventId id : ids) {
                byte[] value = txn.get(EventTable.ID, id.bytes());
                if (value != null) {
                    Found one = Found.ofId(id, value);
                    byte[] order = one.order();
                    if (Arrays.compareUnsigned(order, from) >= 0 && Arrays.compareUnsigned(order, to) <= 0) {
                        all.add(one);
                    }
                }
            }
            all.sort(Comparator.comparing(Found::order, Arrays::compareUnsigned));
            return all.iterator();
        }
    }
}
