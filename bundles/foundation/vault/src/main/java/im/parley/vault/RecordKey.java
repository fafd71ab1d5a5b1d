package im.parley.vault;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Where a record lies: a table (1 byte, in the clear), a name (kept only as HMAC-SHA256(space key, table, name)[0..16])
 * and order fields (in the clear, at most 64 bytes; times and counters, never anything that names a person).
 */
public final class RecordKey {
    /** The table in which the vault keeps what it must know of buckets in each space. No record of others lies there. */
    public static final int VAULT_TABLE = 15;

    private final int table;
    private final String name;
    private final byte[] order;

    private RecordKey(int table, String name, byte[] order) {
        check(table);
        if (order.length > 64) {
            throw new IllegalArgumentException("order fields have at most 64 bytes");
        }
        this.table = table;
        this.name = name;
        this.order = order;
    }

    private static void check(int table) {
        if (table < 0 || table > 255) {
            throw new IllegalArgumentException("a table is one byte");
        }
        if (table == VAULT_TABLE) {
            throw new IllegalArgumentException("table " + VAULT_TABLE + " is the vault's own");
        }
    }

    /** A record found by its name alone. */
    public static RecordKey of(int table, String name) {
        return new RecordKey(table, name, new byte[0]);
    }

    /** One record of many under a name, ordered by these bytes (unsigned). */
    public static RecordKey of(int table, String name, byte[] order) {
        return new RecordKey(table, name, order.clone());
    }

    /** Ordered by these numbers; each is 8 bytes, big-endian, and must not be negative. */
    public static RecordKey of(int table, String name, long... order) {
        return new RecordKey(table, name, order(order));
    }

    /** The bytes of order fields made of numbers. */
    public static byte[] order(long... fields) {
        ByteBuffer buffer = ByteBuffer.allocate(8 * fields.length);
        for (long field : fields) {
            if (field < 0) {
                throw new IllegalArgumentException("order fields must not be negative");
            }
            buffer.putLong(field);
        }
        return buffer.array();
    }

    public int table() {
        return table;
    }

    public String name() {
        return name;
    }

    public byte[] order() {
        return order.clone();
    }

    /** All records of a table and name. */
    public static Range all(int table, String name) {
        return new Range(table, name, new byte[0], new byte[0]);
    }

    /**
     * @param from inclusive; empty for the start
     * @param to exclusive; empty for no end
     */
    public record Range(int table, String name, byte[] from, byte[] to) {
        public Range {
            check(table);
            from = from.clone();
            to = to.clone();
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RecordKey k && k.table == table && k.name.equals(name) && Arrays.equals(k.order, order);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * table + name.hashCode()) + Arrays.hashCode(order);
    }

    /** Table only: names may tell who talks to whom. */
    @Override
    public String toString() {
        return "RecordKey[table " + table + "]";
    }
}
