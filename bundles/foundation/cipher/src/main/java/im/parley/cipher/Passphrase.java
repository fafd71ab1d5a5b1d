package im.parley.cipher;

import java.nio.CharBuffer;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/** A passphrase of something that leaves the node: whoever has that can try as long as they like. Thread-safe. */
public final class Passphrase {
    private static final int LEAST_CHARACTERS = 12;
    private static final int MOST_CHARACTERS = 1_024;
    private static final int LEAST_UNFORESEEN = 6;

    private Passphrase() {}

    /**
     * Refuses what a few guesses find: less than 12 characters, sequences, repetitions.
     *
     * @throws CipherException {@code key.weak-passphrase}
     */
    public static void check(char[] passphrase) throws CipherException {
        int[] characters = CharBuffer.wrap(passphrase).codePoints().toArray();
        try {
            boolean noText = Arrays.stream(characters).anyMatch(Passphrase::isNoText);
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

    /**
     * Its UTF-8 after NFKC, the same however a keyboard composes its characters; the caller overwrites it.
     *
     * @throws CipherException {@code crypto.bad-unicode}
     */
    public static byte[] bytes(char[] passphrase) throws CipherException {
        // The normal form is a string that cannot be overwritten; it is short-lived.
        char[] normal = Normalizer.normalize(CharBuffer.wrap(passphrase), Normalizer.Form.NFKC)
                .toCharArray();
        try {
            return Utf8.encode(normal);
        } finally {
            Arrays.fill(normal, '\0');
        }
    }

    private static CipherException weak(String rule) {
        return new CipherException(
                "key.weak-passphrase",
                "A passphrase for what leaves the node " + rule + ". Choose a sentence that nobody else would write.");
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
}
