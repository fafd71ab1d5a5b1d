package im.parley.cipher;

import java.util.Arrays;
import javax.crypto.Mac;

/** HKDF with SHA-256 (RFC 5869). Thread-safe; arguments are not modified. */
public final class Hkdf {
    /** Most bytes that one {@link #expand} gives. */
    public static final int MAX_LENGTH = 255 * HmacSha256.LENGTH;

    private Hkdf() {}

    /**
     * A pseudo-random key from input keying material.
     *
     * @param salt may be empty
     * @return 32 bytes; the caller overwrites them
     */
    public static byte[] extract(byte[] salt, byte[] inputKey) {
        return HmacSha256.mac(salt, inputKey);
    }

    /**
     * Output keying material from a pseudo-random key.
     *
     * @param pseudoRandomKey 32 bytes or more, uniformly random
     * @param length 1 to {@value #MAX_LENGTH}
     * @return {@code length} bytes; the caller overwrites them
     */
    public static byte[] expand(byte[] pseudoRandomKey, byte[] info, int length) {
        if (length < 1 || length > MAX_LENGTH) {
            throw new IllegalArgumentException("HKDF gives 1 to " + MAX_LENGTH + " bytes, not " + length);
        }
        Mac mac = HmacSha256.keyed(pseudoRandomKey, 0, pseudoRandomKey.length);
        byte[] output = new byte[length];
        byte[] block = new byte[0];
        int counter = 1;
        for (int at = 0; at < length; at += HmacSha256.LENGTH) {
            mac.update(block);
            mac.update(info);
            mac.update((byte) counter++);
            Arrays.fill(block, (byte) 0);
            block = mac.doFinal();
            System.arraycopy(block, 0, output, at, Math.min(block.length, length - at));
        }
        Arrays.fill(block, (byte) 0);
        return output;
    }

    /** {@link #extract}, then {@link #expand}. */
    public static byte[] derive(byte[] salt, byte[] inputKey, byte[] info, int length) {
        byte[] pseudoRandomKey = extract(salt, inputKey);
        try {
            return expand(pseudoRandomKey, info, length);
        } finally {
            Arrays.fill(pseudoRandomKey, (byte) 0);
        }
    }
}
