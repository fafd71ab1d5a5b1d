package im.parley.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Checks on strings and bytes that the readers share. */
final class Texts {
    private Texts() {}

    /** Strict UTF-8: {@code new String} would replace what is wrong, and two different inputs would become one. */
    static String utf8(byte[] bytes) throws ProtocolException {
        return utf8(ByteBuffer.wrap(bytes));
    }

    static String utf8(ByteBuffer bytes) throws ProtocolException {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(bytes)
                    .toString();
        } catch (CharacterCodingException e) {
            throw new ProtocolException("bad-unicode", "the bytes are not UTF-8");
        }
    }

    /** Refuses lone surrogates, which have no UTF-8, and U+0000, which stores and C programs cut at. */
    static String checked(String text) throws ProtocolException {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == 0) {
                throw new ProtocolException("control-char", "U+0000 is not accepted in text");
            }
            if (Character.isSurrogate(c)) {
                if (!pairAt(text, i)) {
                    throw loneSurrogate();
                }
                i++;
            }
        }
        return text;
    }

    static boolean pairAt(String text, int i) {
        return Character.isHighSurrogate(text.charAt(i))
                && i + 1 < text.length()
                && Character.isLowSurrogate(text.charAt(i + 1));
    }

    static ProtocolException loneSurrogate() {
        return new ProtocolException("bad-unicode", "half of a surrogate pair has no UTF-8 form");
    }

    /** Whether the text is at most that many bytes of UTF-8; surrogates count 2 bytes each, so a pair counts its 4. */
    static boolean fits(String text, int maxBytes) {
        int length = text.length();
        if (length > maxBytes) {
            return false;
        }
        if (length <= maxBytes / 3) {
            return true;
        }
        long bytes = 0;
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            bytes += c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate(c) ? 2 : 3;
        }
        return bytes <= maxBytes;
    }

    /** Whether the text is lower-case ASCII hex; the JDK's parsers also take upper case and foreign digits. */
    static boolean isHex(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!(c >= '0' && c <= '9' || c >= 'a' && c <= 'f')) {
                return false;
            }
        }
        return true;
    }

    static boolean isHex(String text, int digits) {
        return text.length() == digits && isHex(text);
    }
}
