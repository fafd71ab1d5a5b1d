package im.parley.cipher;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import javax.crypto.Mac;

/** HMAC-SHA256 (RFC 2104). Thread-safe; keys and parts of any length, none is modified. */
public final class HmacSha256 {
    /** Length of a full tag in bytes. */
    public static final int LENGTH = 32;

    private static final String ALGORITHM = "HmacSHA256";

    private HmacSha256() {}

    /**
     * The tag over the parts, one after the other without separators: give parts a fixed length or a prefix.
     *
     * @return {@value #LENGTH} bytes
     */
    public static byte[] mac(byte[] key, byte[]... parts) {
        Mac mac = keyed(key, 0, key.length);
        for (byte[] part : parts) {
            mac.update(part);
        }
        return mac.doFinal();
    }

    /** Whether the tag is right, in a time that does not depend on where it differs. */
    public static boolean verify(byte[] expected, byte[] key, byte[]... parts) {
        return MessageDigest.isEqual(expected, mac(key, parts));
    }

    /** A MAC under those bytes of an array, ready to update. */
    static Mac keyed(byte[] source, int from, int to) {
        try (RawKey key = new RawKey(ALGORITHM, source, from, to)) {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return mac;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has HMAC-SHA256", e);
        }
    }
}
