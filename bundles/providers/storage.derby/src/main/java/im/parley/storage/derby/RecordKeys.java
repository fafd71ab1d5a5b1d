package im.parley.storage.derby;

import im.parley.api.storage.Space;
import java.util.Arrays;

/**
 * Record keys as Derby can order them. Derby compares binary columns unsigned, but takes a shorter value as if it were
 * filled up with 0x20, so that {@code 01} and {@code 01 20} would be the same key. So 0x00 is written as {@code 00 ff}
 * and every key ends in {@code 00}: the order stays and no key is the beginning of another.
 */
final class RecordKeys {
    /** Of the longest key, all zeros. */
    static final int MOST_BYTES = 2 * Space.MAX_KEY_BYTES + 3;

    private RecordKeys() {}

    /** @throws IllegalArgumentException if it does not have 1 to 255 bytes */
    static byte[] encode(byte[] key) {
        if (key.length < 1 || key.length > Space.MAX_KEY_BYTES) {
            throw new IllegalArgumentException("a key has 1 to " + Space.MAX_KEY_BYTES + " bytes, not " + key.length);
        }
        return escape(key);
    }

    /** A bound of a range may be empty or longer than any key. */
    static byte[] bound(byte[] bound) {
        // Beyond a key's length only one thing matters: the bound is greater than the key it begins with.
        return escape(bound.length <= Space.MAX_KEY_BYTES ? bound : Arrays.copyOf(bound, Space.MAX_KEY_BYTES + 1));
    }

    private static byte[] escape(byte[] key) {
        int zeros = 0;
        for (byte b : key) {
            zeros += b == 0 ? 1 : 0;
        }
        byte[] escaped = new byte[key.length + zeros + 1];
        int at = 0;
        for (byte b : key) {
            escaped[at++] = b;
            if (b == 0) {
                escaped[at++] = (byte) 0xff;
            }
        }
        return escaped;
    }

    static byte[] decode(byte[] escaped) {
        byte[] key = new byte[escaped.length];
        int length = 0;
        for (int i = 0; i < escaped.length - 1; i++) {
            key[length++] = escaped[i];
            if (escaped[i] == 0) {
                i++;
            }
        }
        return Arrays.copyOf(key, length);
    }
}
