package im.parley.messenger.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.text.Normalizer;
import java.util.Locale;
import java.util.regex.Pattern;

/** What may be a name. Names are shown beside message text, so nothing in one may move, hide or reorder what stands there. */
final class Names {
    private static final int MAX_CHARACTERS = 64;
    private static final int ZERO_WIDTH_NON_JOINER = 0x200C;
    private static final int ZERO_WIDTH_JOINER = 0x200D;

    private static final Pattern KEY =
            Pattern.compile("(nostr:)?(npub1|nprofile1|nsec1|ncryptsec1).*|[0-9a-f]{64}", Pattern.DOTALL);

    private Names() {}

    /**
     * The name in Unicode's composed form (NFC).
     *
     * @param code of the refusal
     */
    static String checked(String name, String code) throws ProviderException {
        String composed = Normalizer.normalize(name, Normalizer.Form.NFC);
        int characters = composed.codePointCount(0, composed.length());
        if (characters == 0 || characters > MAX_CHARACTERS) {
            throw bad(code, "A name has 1 to " + MAX_CHARACTERS + " characters.");
        }
        if (!composed.equals(composed.strip())) {
            throw bad(code, "A name does not begin or end with a space.");
        }
        if (!composed.codePoints().allMatch(Names::isVisible)) {
            throw bad(code, "A name has no control characters, line breaks or direction marks.");
        }
        if (!composed.codePoints().anyMatch(c -> c != ZERO_WIDTH_JOINER && c != ZERO_WIDTH_NON_JOINER)) {
            throw bad(code, "A name has something that can be seen.");
        }
        if (KEY.matcher(composed.toLowerCase(Locale.ROOT)).matches()) {
            throw bad(code, "A name does not look like a key.");
        }
        return composed;
    }

    /** The joiners are letters' shapes in Persian, Hindi and emoji; every other format character stays out. */
    static boolean isVisible(int c) {
        if (c == ZERO_WIDTH_JOINER || c == ZERO_WIDTH_NON_JOINER) {
            return true;
        }
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }

    private static ProviderException bad(String code, String text) {
        return new ProviderException(Kind.REJECTED, code, text + " Choose another name.");
    }
}
