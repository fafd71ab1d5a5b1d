package im.parley.messenger.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.cipher.Nip49;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;

/** Keys on their way out, sealed by a password (NIP-49). */
final class SealedKeys {
    private static final int LEAST_CHARACTERS = 10;
    private static final int MOST_CHARACTERS = 1_024;
    private static final int LEAST_DISTINCT = 5;
    /** What sealing or opening a key may take. */
    private static final int PART_OF_HEAP = 3;

    private SealedKeys() {}

    /**
     * Whoever has the file can try passwords as long as they like.
     *
     * @throws ProviderException {@code REJECTED key.weak-passphrase}
     */
    static void checkPassword(char[] password) throws ProviderException {
        long distinct = new String(password).codePoints().distinct().count();
        boolean control = new String(password).chars().anyMatch(Character::isISOControl);
        if (password.length < LEAST_CHARACTERS
                || password.length > MOST_CHARACTERS
                || distinct < LEAST_DISTINCT
                || control) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "key.weak-passphrase",
                    "A password for a key that leaves the node has " + LEAST_CHARACTERS + " to " + MOST_CHARACTERS
                            + " characters, at least " + LEAST_DISTINCT
                            + " different ones and no control characters. Choose a sentence that nobody else would"
                            + " write.");
        }
    }

    /**
     * The secret key in an {@code nsec1…} or {@code ncryptsec1…}; 32 bytes, the caller overwrites them.
     *
     * @throws ProviderException as {@code Messenger.importAccount}
     */
    static byte[] open(char[] key, char @Nullable [] password) throws ProviderException {
        // A string cannot be overwritten; the text of a key is one anyway for whoever gave it.
        String text = new String(key).strip();
        try {
            if (text.startsWith("nsec1")) {
                if (Nip19.decode(text) instanceof Nip19.Nsec nsec) {
                    byte[] secret = nsec.secret();
                    nsec.clear();
                    return secret;
                }
            } else if (text.startsWith("ncryptsec1")) {
                if (password == null) {
                    throw new ProviderException(
                            Kind.REJECTED,
                            "identity.bad-key",
                            "An ncryptsec needs the password that it was sealed with.");
                }
                return Nip49.open(password, Nip19.sealedKey(text), mostMemoryBytes());
            }
        } catch (ProtocolException e) {
            throw new ProviderException(
                    Kind.REJECTED, "identity.bad-key", "This is no complete nsec or ncryptsec. Check what was pasted.");
        } catch (CipherException e) {
            if (e.code().equals("crypto.bad-mac")) {
                throw new ProviderException(Kind.AUTHENTICATION, "key.wrong-password", "");
            }
            throw new ProviderException(
                    Kind.REJECTED,
                    e.code().equals("key.too-costly") ? e.code() : "identity.bad-key",
                    e.getMessage() + " Export it again with a lower cost, or import the nsec.");
        }
        throw new ProviderException(
                Kind.REJECTED, "identity.bad-key", "A key begins with nsec1 or ncryptsec1. Check what was pasted.");
    }

    private static long mostMemoryBytes() {
        return Runtime.getRuntime().maxMemory() / PART_OF_HEAP;
    }

    static String seal(byte[] secret, char[] password, SecureRandom random) throws ProviderException {
        byte[] salt = new byte[Nip49.SALT];
        byte[] nonce = new byte[Nip49.NONCE];
        random.nextBytes(salt);
        random.nextBytes(nonce);
        try {
            return Nip19.ncryptsec(Nip49.seal(
                    password, secret, Nip49.LOG_N, salt, nonce, Nip49.Handling.UNTRACKED, mostMemoryBytes()));
        } catch (CipherException e) {
            throw new ProviderException(
                    Kind.REJECTED, "key.weak-passphrase", "The password is no text: " + e.getMessage());
        }
    }
}
