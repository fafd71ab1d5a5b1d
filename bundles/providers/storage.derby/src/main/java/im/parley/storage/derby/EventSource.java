package im.parley.storage.derby;

import im.parley.api.event.EventId;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Rows in the order of a query, fetched in growing portions. Between two portions it keeps only where to go on, so no
 * cursor stays open and no position is counted from the start. For one thread at a time.
 */
abstract class EventSource {
    /** A portion ends early when its bodies have this many bytes together. */
    private static final long PORTION_BYTES = 256 << 10;

    private static final int LARGEST_PORTION = 256;

    private final ArrayDeque<EventCodec.Row> buffer = new ArrayDeque<>();
    private int portion;
    private boolean exhausted;

    EventSource(int firstPortion) {
        portion = Math.max(1, Math.min(firstPortion, LARGEST_PORTION));
    }

    /** The next row, left in place; null at the end. */
    EventCodec.@Nullable Row peek(Statements statements) throws SQLException {
        while (buffer.isEmpty() && !exhausted) {
            exhausted = !fetch(statements, portion, buffer);
            portion = Math.min(2 * portion, LARGEST_PORTION);
        }
        return buffer.peek();
    }

    /** Takes the row that {@link #peek} showed. */
    void take() {
        buffer.remove();
    }

    /** Adds up to that many rows; false if there are no more. */
    abstract boolean fetch(Statements statements, int count, ArrayDeque<EventCodec.Row> into) throws SQLException;

    /** A stretch of one index. */
    static EventSource range(String sql, byte[] from, byte[] to, int firstPortion, long... keys) {
        return new Range(sql, from, to, firstPortion, keys);
    }

    /** Single events, looked up all at once and then loaded in order. */
    static EventSource ids(Iterable<EventId> ids, byte[] from, byte[] to, int firstPortion) {
        return new Ids(ids, from, to, firstPortion);
    }

    private static final class Range extends EventSource {
        private final String sql;
        private final byte[] to;
        private final long[] keys;
        private byte[] from;

        Range(String sql, byte[] from, byte[] to, int firstPortion, long[] keys) {
            super(firstPortion);
            this.sql = sql;
            this.from = from;
            this.to = to;
            this.keys = keys;
        }

        @Override
        boolean fetch(Statements statements, int count, ArrayDeque<EventCodec.Row> into) throws SQLException {
            PreparedStatement statement = statements.get(sql);
            int parameter = 1;
            for (long key : keys) {
                statement.setLong(parameter++, key);
            }
            statement.setBytes(parameter++, from);
            statement.setBytes(parameter++, to);
            statement.setInt(parameter, count);
            int fetched = 0;
            long bytes = 0;
            EventCodec.Row last = null;
            try (ResultSet rows = statement.executeQuery()) {
                while (bytes < PORTION_BYTES && rows.next()) {
                    last = EventTables.row(rows);
                    into.add(last);
                    fetched++;
                    bytes += last.content().body().length;
                }
            }
            if (last == null) {
                return false;
            }
            from = OrderKey.after(last.order());
            return fetched == count || bytes >= PORTION_BYTES;
        }
    }

    private static final class Ids extends EventSource {
        private record Found(long position, byte[] order) {}

        private final Iterable<EventId> ids;
        private final byte[] from;
        private final byte[] to;
        private @Nullable Iterator<Found> found;

        Ids(Iterable<EventId> ids, byte[] from, byte[] to, int firstPortion) {
            super(firstPortion);
            this.ids = ids;
            this.from = from;
            this.to = to;
        }

        @Override
        boolean fetch(Statements statements, int count, ArrayDeque<EventCodec.Row> into) throws SQLException {
            Iterator<Found> left = found == null ? lookUp(statements) : found;
            found = left;
            PreparedStatement statement = statements.get(EventTables.BY_POSITION);
            long bytes = 0;
            for (int i = 0; i < count && bytes < PORTION_BYTES && left.hasNext(); i++) {
                statement.setLong(1, left.next().position());
                try (ResultSet rows = statement.executeQuery()) {
                    // What was removed since comes from the removals that the query collects.
                    if (rows.next()) {
                        EventCodec.Row row = EventTables.row(rows);
                        into.add(row);
                        bytes += row.content().body().length;
                    }
                }
            }
            return left.hasNext();
        }

        private Iterator<Found> lookUp(Statements statements) throws SQLException {
            List<Found> all = new ArrayList<>();
            PreparedStatement statement = statements.get(EventTables.FIND);
            for (EventId id : ids) {
                byte[] wanted = id.bytes();
                statement.setLong(1, EventCodec.prefix(id));
                try (ResultSet rows = statement.executeQuery()) {
                    while (rows.next()) {
                        byte[] order = rows.getBytes(3);
                        if (Arrays.equals(rows.getBytes(2), wanted)
                                && Arrays.compareUnsigned(order, from) >= 0
                                && Arrays.compareUnsigned(order, to) <= 0) {
                            all.add(new Found(rows.getLong(1), order));
                        }
                    }
                }
            }
            all.sort(Comparator.comparing(Found::order, Arrays::compareUnsigned));
            return all.iterator();
        }
    }
}
