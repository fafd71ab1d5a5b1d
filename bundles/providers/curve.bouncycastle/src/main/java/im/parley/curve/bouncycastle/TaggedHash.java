package im.parley.curve.bouncycastle;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * The tagged SHA-256 of BIP-340. The 64 bytes of the doubled tag are exactly one block, so they are hashed once and each
 * hash starts from a copy of that state.
 */
final class TaggedHash {
    /** Never updated after construction: cloned by many threads at once. */
    private final MessageDigest prefix;

    TaggedHash(String tag) {
        try {
            // The JDK's digest is eight times faster than the lightweight one.
            MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
            byte[] hash = sha256.digest(tag.getBytes(StandardCharsets.US_ASCII));
            sha256.update(hash);
            sha256.update(hash);
            prefix = sha256;
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    byte[] hash(byte[] first, byte[] second, byte[] third) {
        MessageDigest digest = start();
        digest.update(first);
        digest.update(second);
        digest.update(third);
        return digest.digest();
    }

    byte[] hash(byte[] only) {
        MessageDigest digest = start();
        digest.update(only);
        return digest.digest();
    }

    private MessageDigest start() {
        try {
            return (MessageDigest) prefix.clone();
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException("the platform's SHA-256 cannot be cloned", e);
        }
    }
}
