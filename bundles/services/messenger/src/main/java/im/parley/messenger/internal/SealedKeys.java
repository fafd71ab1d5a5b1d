package im.parley.messenger.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.cipher.Nip49;
import im.parley.cipher.Passphrase;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import org.jspecify.annotations.Nullable;

/** Keys on their way in, and the passwords that seal them on their way out (NIP-49). */
final class SealedKeys {
    /** What opening a key may take. */
    private static final int PART_OF_HEAP = 3;

    private SealedKeys() {}

    /**
     * Whoever has the file can try passwords as long as they like.
     *
     * @throws ProviderException {@code REJECTED key.weak-passphrase}
     */
    static void checkPassword(char[] password) throws ProviderException {
        try {
            Passphrase.check(password);
        } catch (CipherException e) {
            throw new ProviderException(Kind.REJECTED, e.code(), e.getMessage());
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
}
