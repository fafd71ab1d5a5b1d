package im.parley.storage.derby;

import im.parley.api.event.EventId;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The order of every query as one binary column: newest {@code created_at} first, ties by lowest id (NIP-01). Ascending
 * bytes: 2^63-1 minus {@code created_at}, then the first 16 bytes of the id. One column gives an index range a start and
 * an end that Derby can seek, which a condition over two columns does not.
 */
final class OrderKey {
    static final int BYTES = 24;

    private static final int ID_BYTES = BYTES - Long.BYTES;

    private OrderKey() {}

    static byte[] of(long createdAt, EventId id) {
        return ByteBuffer.allocate(BYTES)
                .putLong(Long.MAX_VALUE - createdAt)
                .put(id.bytes(), 0, ID_BYTES)
                .array();
    }

    static long createdAt(byte[] key) {
        return Long.MAX_VALUE - ByteBuffer.wrap(key).getLong();
    }

    /** The first key of that second or of an older one. */
    static byte[] firstAt(long createdAt) {
        return ByteBuffer.allocate(BYTES).putLong(Long.MAX_VALUE - createdAt).array();
    }

    /** The last key of that second. */
    static byte[] lastAt(long createdAt) {
        byte[] key = firstAt(createdAt);
        Arrays.fill(key, Long.BYTES, BYTES, (byte) 0xff);
        return key;
    }

    /** The next key of all; all 0xff cannot be a key. */
    static byte[] after(byte[] key) {
        byte[] next = key.clone();
        for (int i = BYTES - 1; i >= 0; i--) {
            if (++next[i] != 0) {
                break;
            }
        }
        return next;
    }
}
