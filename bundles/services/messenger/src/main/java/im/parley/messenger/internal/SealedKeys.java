package im.parley.messenger.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.CipherException;
import im.parley.cipher.Nip49;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Keys on their way in, and the passwords that seal them on their way out (NIP-49). */
final class SealedKeys {
    private static final int LEAST_CHARACTERS = 12;
    private static final int MOST_CHARACTERS = 1_024;
    private static final int LEAST_UNFORESEEN = 6;
    /** What opening a key may take. */
    private static final int PART_OF_HEAP = 3;

    private SealedKeys() {}

    /**
     * Whoever has the file can try passwords as long as they like.
     *
     * @throws ProviderException {@code REJECTED key.weak-passphrase}
     */
    static void checkPassword(char[] password) throws ProviderException {
        int[] characters = new String(password).codePoints().toArray();
        try {
            boolean noText = Arrays.stream(characters).anyMatch(SealedKeys::isNoText);
            if (noText || characters.length < LEAST_CHARACTERS || characters.length > MOST_CHARACTERS) {
                throw weak("has " + LEAST_CHARACTERS + " to " + MOST_CHARACTERS
                        + " characters, none of them a control character or half of one");
            }
            int part = period(characters);
            if (part < LEAST_CHARACTERS || unforeseen(characters, part) < LEAST_UNFORESEEN) {
                throw weak("is no sequence, and nothing shorter repeated");
            }
        } finally {
            Arrays.fill(characters, 0);
        }
    }

    private static ProviderException weak(String rule) {
        return new ProviderException(
                Kind.REJECTED,
                "key.weak-passphrase",
                "A password for a key that leaves the node " + rule
                        + ". Choose a sentence that nobody else would write.");
    }

    /**
     * Different characters among the first {@code length}, without those that go on from the one before: the same, a
     * neighbour, or as far away as that was from its own.
     */
    private static int unforeseen(int[] characters, int length) {
        Set<Integer> unforeseen = new HashSet<>();
        int stepBefore = 0;
        for (int i = 0; i < length; i++) {
            int step = i == 0 ? Integer.MAX_VALUE : characters[i] - characters[i - 1];
            boolean digitsGoOn = i > 0 && isDigit(characters[i]) && isDigit(characters[i - 1]) && Math.abs(step) == 9;
            if (Math.abs(step) > 1 && step != stepBefore && !digitsGoOn) {
                unforeseen.add(characters[i]);
            }
            stepBefore = step;
        }
        return unforeseen.size();
    }

    private static boolean isNoText(int character) {
        return Character.isISOControl(character) || Character.getType(character) == Character.SURROGATE;
    }

    private static boolean isDigit(int character) {
        return character >= '0' && character <= '9';
    }

    /** Length of the shortest part that the whole repeats, the last time perhaps not to its end. */
    private static int period(int[] characters) {
        for (int period = 1; period <= characters.length / 2; period++) {
            if (Arrays.equals(characters, period, characters.length, characters, 0, characters.length - period)) {
                return period;
            }
        }
        return characters.length;
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
