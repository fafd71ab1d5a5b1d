package im.parley.cipher;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;

/**
 * XChaCha20-Poly1305: authenticated encryption whose 24-byte nonce may be drawn at random for ever. Thread-safe;
 * arguments are not modified.
 *
 * <p>HChaCha20 is done here, the cipher beneath it is the JDK's, which checks the tag before it decrypts.
 *
 * <p>Source: draft-irtf-cfrg-xchacha-03.
 */
public final class XChaCha20Poly1305 {
    /** Length of a key in bytes. */
    public static final int KEY = 32;
    /** Length of a nonce in bytes. */
    public static final int NONCE = 24;
    /** What sealing adds to the plaintext, in bytes. */
    public static final int TAG = 16;

    private static final String ALGORITHM = "ChaCha20-Poly1305";
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    private XChaCha20Poly1305() {}

    /**
     * Encrypts.
     *
     * @param key {@value #KEY} bytes
     * @param nonce {@value #NONCE} bytes, never twice with one key
     * @param associatedData authenticated with it, not part of the result; may be empty
     * @return ciphertext and tag, {@value #TAG} bytes longer than the plaintext
     */
    public static byte[] seal(byte[] key, byte[] nonce, byte[] associatedData, byte[] plaintext) {
        checkLengths(key, nonce);
        try {
            return run(Cipher.ENCRYPT_MODE, key, nonce, associatedData, plaintext);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("the platform's " + ALGORITHM + " did not encrypt", e);
        }
    }

    /**
     * Decrypts what {@link #seal} made with the same key, nonce and associated data.
     *
     * @return the plaintext; the caller overwrites it where that matters
     * @throws CipherException {@code crypto.bad-payload} if it is shorter than a tag; {@code crypto.bad-mac} if anything
     *     differs
     */
    public static byte[] open(byte[] key, byte[] nonce, byte[] associatedData, byte[] sealed) throws CipherException {
        checkLengths(key, nonce);
        if (sealed.length < TAG) {
            throw new CipherException("crypto.bad-payload", "The sealed value is shorter than its tag.");
        }
        try {
            return run(Cipher.DECRYPT_MODE, key, nonce, associatedData, sealed);
        } catch (AEADBadTagException e) {
            throw new CipherException(
                    "crypto.bad-mac", "The sealed value was changed, or belongs to another key or place.");
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("the platform's " + ALGORITHM + " did not decrypt", e);
        }
    }

    private static void checkLengths(byte[] key, byte[] nonce) {
        if (key.length != KEY || nonce.length != NONCE) {
            throw new IllegalArgumentException("a key has " + KEY + " bytes and a nonce " + NONCE);
        }
    }

    private static byte[] run(int mode, byte[] key, byte[] nonce, byte[] associatedData, byte[] input)
            throws GeneralSecurityException {
        byte[] subkey = hChaCha20(key, nonce);
        byte[] rest = new byte[12];
        System.arraycopy(nonce, 16, rest, 4, 8);
        try (RawKey raw = new RawKey("ChaCha20", subkey)) {
            Cipher cipher = Cipher.getInstance(ALGORITHM);
            cipher.init(mode, raw, new IvParameterSpec(rest));
            cipher.updateAAD(associatedData);
            return cipher.doFinal(input);
        } finally {
            Arrays.fill(subkey, (byte) 0);
        }
    }

    /** The first and last row of the ChaCha20 permutation of key and the first 16 bytes of the nonce. */
    static byte[] hChaCha20(byte[] key, byte[] nonce) {
        int[] x = new int[16];
        x[0] = 0x61707865;
        x[1] = 0x3320646e;
        x[2] = 0x79622d32;
        x[3] = 0x6b206574;
        for (int i = 0; i < 8; i++) {
            x[4 + i] = (int) INT.get(key, 4 * i);
        }
        for (int i = 0; i < 4; i++) {
            x[12 + i] = (int) INT.get(nonce, 4 * i);
        }
        for (int round = 0; round < 10; round++) {
            quarterRound(x, 0, 4, 8, 12);
            quarterRound(x, 1, 5, 9, 13);
            quarterRound(x, 2, 6, 10, 14);
            quarterRound(x, 3, 7, 11, 15);
            quarterRound(x, 0, 5, 10, 15);
            quarterRound(x, 1, 6, 11, 12);
            quarterRound(x, 2, 7, 8, 13);
            quarterRound(x, 3, 4, 9, 14);
        }
        byte[] subkey = new byte[KEY];
        for (int i = 0; i < 4; i++) {
            INT.set(subkey, 4 * i, x[i]);
            INT.set(subkey, 16 + 4 * i, x[12 + i]);
        }
        Arrays.fill(x, 0);
        return subkey;
    }

    private static void quarterRound(int[] x, int a, int b, int c, int d) {
        x[a] += x[b];
        x[d] = Integer.rotateLeft(x[d] ^ x[a], 16);
        x[c] += x[d];
        x[b] = Integer.rotateLeft(x[b] ^ x[c], 12);
        x[a] += x[b];
        x[d] = Integer.rotateLeft(x[d] ^ x[a], 8);
        x[c] += x[d];
        x[b] = Integer.rotateLeft(x[b] ^ x[c], 7);
    }
}
