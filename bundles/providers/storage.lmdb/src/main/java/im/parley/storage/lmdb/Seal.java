package im.parley.storage.lmdb;

import im.parley.cipher.CipherException;
import im.parley.cipher.Hkdf;
import im.parley.cipher.XChaCha20Poly1305;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Seals values under a key derived from the database key, bound to the place where they lie. Thread-safe until closed. */
final class Seal implements AutoCloseable {
    private static final int NONCE = XChaCha20Poly1305.NONCE;

    private final byte[] key;
    private final SecureRandom random;

    /** @param databaseKey not kept */
    Seal(byte[] databaseKey, SecureRandom random) {
        this.random = random;
        key = derive(databaseKey, "parley-lmdb-value-v1", XChaCha20Poly1305.KEY);
    }

    /** A key for one use only. */
    static byte[] derive(byte[] databaseKey, String use, int length) {
        return Hkdf.derive(new byte[0], databaseKey, use.getBytes(StandardCharsets.US_ASCII), length);
    }

    /** Nonce and sealed value. */
    byte[] seal(byte[] place, byte[] value) {
        // Positions of a transaction that failed are given again, so only a random nonce is never used twice.
        byte[] nonce = new byte[NONCE];
        random.nextBytes(nonce);
        byte[] sealed = XChaCha20Poly1305.seal(key, nonce, place, value);
        byte[] whole = Arrays.copyOf(nonce, NONCE + sealed.length);
        System.arraycopy(sealed, 0, whole, NONCE, sealed.length);
        return whole;
    }

    /** The value; null if this was not sealed here for that place. */
    byte @Nullable [] open(byte[] place, byte[] whole) {
        if (whole.length < NONCE) {
            return null;
        }
        try {
            return XChaCha20Poly1305.open(
                    key, Arrays.copyOf(whole, NONCE), place, Arrays.copyOfRange(whole, NONCE, whole.length));
        } catch (CipherException e) {
            return null;
        }
    }

    @Override
    public void close() {
        Arrays.fill(key, (byte) 0);
    }
}
