package im.parley.files.http.internal;

import im.parley.api.event.Sha256;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Hashes as they stand in requests, and a lock for each (some share one): what happens to the owners of a blob and to its
 * bytes happens as one. Thread-safe.
 */
final class Hashes {
    private static final int LOCKS = 64;

    private final ReentrantLock[] locks = new ReentrantLock[LOCKS];

    Hashes() {
        for (int i = 0; i < LOCKS; i++) {
            locks[i] = new ReentrantLock();
        }
    }

    ReentrantLock lockOf(Sha256 hash) {
        return locks[Math.floorMod(hash.hashCode(), LOCKS)];
    }

    /** Null unless it is 64 lower-case hex digits. */
    static @Nullable Sha256 parse(String text) {
        if (text.length() != 2 * Sha256.LENGTH) {
            return null;
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!(c >= '0' && c <= '9' || c >= 'a' && c <= 'f')) {
                return null;
            }
        }
        return Sha256.ofHex(text);
    }

    static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
