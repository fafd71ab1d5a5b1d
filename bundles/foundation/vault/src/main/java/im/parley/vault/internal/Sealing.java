package im.parley.vault.internal;

import im.parley.cipher.CipherException;
import im.parley.cipher.XChaCha20Poly1305;
import java.security.SecureRandom;
import java.util.Arrays;

/** XChaCha20-Poly1305 with the nonce in front. Thread-safe. */
final class Sealing {
    static final int OVERHEAD = XChaCha20Poly1305.NONCE + XChaCha20Poly1305.TAG;

    private final SecureRandom random;

    Sealing(SecureRandom random) {
        this.random = random;
    }

    byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    byte[] seal(byte[] key, byte[] associatedData, byte[] plaintext) {
        byte[] nonce = bytes(XChaCha20Poly1305.NONCE);
        byte[] sealed = XChaCha20Poly1305.seal(key, nonce, associatedData, plaintext);
        byte[] result = Arrays.copyOf(nonce, nonce.length + sealed.length);
        System.arraycopy(sealed, 0, result, nonce.length, sealed.length);
        return result;
    }

    static byte[] open(byte[] key, byte[] associatedData, byte[] sealed, int from) throws CipherException {
        if (sealed.length - from < OVERHEAD) {
            throw new CipherException("crypto.bad-payload", "The sealed value is shorter than its nonce and tag.");
        }
        int body = from + XChaCha20Poly1305.NONCE;
        return XChaCha20Poly1305.open(
                key,
                Arrays.copyOfRange(sealed, from, body),
                associatedData,
                Arrays.copyOfRange(sealed, body, sealed.length));
    }
}
