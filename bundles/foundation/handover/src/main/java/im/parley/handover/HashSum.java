package im.parley.handover;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Sum of SHA-256 values modulo 2^256: the same for the same rows in any order. It finds what a copy lost, doubled or
 * changed; it is no defence against somebody who may choose the rows. Used by one thread.
 */
final class HashSum {
    private final long[] sum = new long[4];

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    void add(byte[] hash) {
        ByteBuffer words = ByteBuffer.wrap(hash);
        long carry = 0;
        for (int i = 3; i >= 0; i--) {
            long word = words.getLong(8 * i);
            long added = sum[i] + word;
            long next = Long.compareUnsigned(added, word) < 0 ? 1 : 0;
            added += carry;
            next |= Long.compareUnsigned(added, carry) < 0 ? 1 : 0;
            sum[i] = added;
            carry = next;
        }
    }

    /** 64 digits. */
    String hex() {
        ByteBuffer words = ByteBuffer.allocate(32);
        for (long word : sum) {
            words.putLong(word);
        }
        return HexFormat.of().formatHex(words.array());
    }
}
