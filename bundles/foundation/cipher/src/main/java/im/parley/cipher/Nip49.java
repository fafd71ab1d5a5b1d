package im.parley.cipher;

import java.nio.CharBuffer;
import java.text.Normalizer;
import java.util.Arrays;

/**
 * Secret keys sealed by a password (NIP-49): scrypt with r = 8 and p = 1, then XChaCha20-Poly1305. Thread-safe; calls take
 * their memory one after the other, so all together take what one of them may. A call that may take less than its cost
 * says, {@link #memoryBytes}, takes longer instead, up to half a minute.
 */
public final class Nip49 {
    /** Bytes of a sealed key. */
    public static final int SEALED = 91;
    /** Bytes of a secret key. */
    public static final int SECRET = 32;

    public static final int SALT = 16;
    public static final int NONCE = XChaCha20Poly1305.NONCE;
    /** What we seal with: 64 MiB, about a quarter of a second. */
    public static final int LOG_N = 16;

    private static final int VERSION = 2;
    private static final int MAX_LOG_N = 22;
    /** Where the byte of the handling is. */
    private static final int HANDLING_AT = 2 + SALT + NONCE;

    /** What its owner knows about how a key was handled; authenticated, not hidden. */
    public enum Handling {
        /** Known to have been handled insecurely. */
        INSECURE,
        /** Not known to have been handled insecurely. */
        SECURE,
        /** Nobody kept track. */
        UNTRACKED
    }

    private Nip49() {}

    /** Memory that sealing or opening takes at that cost if it may, in bytes. */
    public static long memoryBytes(int logN) {
        return Scrypt.memoryBytes(logN);
    }

    /**
     * Seals a key.
     *
     * @param password 1 character or more; not modified, the caller overwrites it
     * @param secret {@value #SECRET} bytes; not modified
     * @param logN 1 to 22
     * @param salt {@value #SALT} random bytes
     * @param nonce {@value #NONCE} random bytes
     * @param mostMemoryBytes what it may take
     * @throws CipherException {@code crypto.bad-unicode} if the password has lone surrogates, {@code key.too-costly}
     */
    public static byte[] seal(
            char[] password,
            byte[] secret,
            int logN,
            byte[] salt,
            byte[] nonce,
            Handling handling,
            long mostMemoryBytes)
            throws CipherException {
        if (secret.length != SECRET || salt.length != SALT || nonce.length != NONCE || logN < 1 || logN > MAX_LOG_N) {
            throw new IllegalArgumentException("a key of 32 bytes, a salt of 16, a nonce of 24 and a cost of 1 to 22");
        }
        byte[] key = key(password, salt, logN, mostMemoryBytes);
        try {
            byte[] associated = {(byte) handling.ordinal()};
            byte[] cipherText = XChaCha20Poly1305.seal(key, nonce, associated, secret);
            byte[] sealed = new byte[SEALED];
            sealed[0] = VERSION;
            sealed[1] = (byte) logN;
            System.arraycopy(salt, 0, sealed, 2, SALT);
            System.arraycopy(nonce, 0, sealed, 2 + SALT, NONCE);
            sealed[HANDLING_AT] = associated[0];
            System.arraycopy(cipherText, 0, sealed, HANDLING_AT + 1, cipherText.length);
            return sealed;
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    /**
     * Opens a sealed key.
     *
     * @param mostMemoryBytes what it may take; a file must not be able to take the node down
     * @return the secret key; the caller overwrites it
     * @throws CipherException {@code crypto.bad-payload}, {@code crypto.unsupported-version}, {@code key.too-costly} if it
     *     would take more than half a minute in so much memory, {@code crypto.bad-mac} for another password or a changed byte
     */
    public static byte[] open(char[] password, byte[] sealed, long mostMemoryBytes) throws CipherException {
        if (sealed.length != SEALED) {
            throw new CipherException("crypto.bad-payload", "A sealed key has " + SEALED + " bytes.");
        }
        if (sealed[0] != VERSION) {
            throw new CipherException("crypto.unsupported-version", "Only version 2 of sealed keys is known.");
        }
        int logN = sealed[1];
        if (logN < 1 || sealed[HANDLING_AT] < 0 || sealed[HANDLING_AT] >= Handling.values().length) {
            throw new CipherException("crypto.bad-payload", "The sealed key is not one of NIP-49.");
        }
        byte[] key = key(password, Arrays.copyOfRange(sealed, 2, 2 + SALT), logN, mostMemoryBytes);
        try {
            return XChaCha20Poly1305.open(
                    key,
                    Arrays.copyOfRange(sealed, 2 + SALT, HANDLING_AT),
                    new byte[] {sealed[HANDLING_AT]},
                    Arrays.copyOfRange(sealed, HANDLING_AT + 1, SEALED));
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    private static byte[] key(char[] password, byte[] salt, int logN, long mostMemoryBytes) throws CipherException {
        if (logN > MAX_LOG_N || !Scrypt.affordable(logN, mostMemoryBytes)) {
            throw new CipherException(
                    "key.too-costly",
                    "This key takes 2^" + logN + " rounds of scrypt, and there is not enough memory here to do them in"
                            + " half a minute.");
        }
        // The normal form is a string that cannot be overwritten; it is short-lived.
        char[] normal = Normalizer.normalize(CharBuffer.wrap(password), Normalizer.Form.NFKC)
                .toCharArray();
        byte[] utf8 = Utf8.encode(normal);
        try {
            return Scrypt.derive(utf8, salt, logN, mostMemoryBytes, XChaCha20Poly1305.KEY);
        } finally {
            Arrays.fill(normal, '\0');
            Arrays.fill(utf8, (byte) 0);
        }
    }
}
