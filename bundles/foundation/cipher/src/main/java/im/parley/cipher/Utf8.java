package im.parley.cipher;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * UTF-8 that refuses instead of replacing. {@code String.getBytes} turns a lone surrogate into {@code ?}, which gives two
 * different texts the same bytes. Intermediate buffers are overwritten. Thread-safe.
 */
public final class Utf8 {
    private static final int MAX_BYTES_PER_CHAR = 3;

    private Utf8() {}

    /**
     * The bytes of a text.
     *
     * @throws CipherException {@code crypto.bad-unicode} on a lone surrogate
     */
    public static byte[] encode(String text) throws CipherException {
        char[] chars = text.toCharArray();
        try {
            return encode(chars);
        } finally {
            Arrays.fill(chars, '\0');
        }
    }

    /**
     * The bytes of a text that is kept out of strings, such as a passphrase. The caller overwrites both arrays.
     *
     * @throws CipherException {@code crypto.bad-unicode} on a lone surrogate; {@code crypto.too-large} above 2^29 characters
     */
    public static byte[] encode(char[] chars) throws CipherException {
        if (chars.length > 1 << 29) {
            throw new CipherException("crypto.too-large", "The text is too large to be encoded.");
        }
        CharsetEncoder encoder = StandardCharsets.UTF_8
                .newEncoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        byte[] buffer = new byte[chars.length * MAX_BYTES_PER_CHAR];
        try {
            ByteBuffer target = ByteBuffer.wrap(buffer);
            CoderResult result = encoder.encode(CharBuffer.wrap(chars), target, true);
            if (result.isUnderflow()) {
                result = encoder.flush(target);
            }
            if (!result.isUnderflow()) {
                throw new CipherException("crypto.bad-unicode", "The text has half of a surrogate pair.");
            }
            return Arrays.copyOf(buffer, target.position());
        } finally {
            Arrays.fill(buffer, (byte) 0);
        }
    }

    /**
     * The text of some bytes.
     *
     * @throws CipherException {@code crypto.bad-unicode} on anything but well-formed UTF-8 (no overlong forms, no
     *     surrogates, nothing above U+10FFFF)
     */
    public static String decode(byte[] bytes) throws CipherException {
        return decode(bytes, 0, bytes.length);
    }

    /** As {@link #decode(byte[])} for a part of an array. */
    public static String decode(byte[] bytes, int offset, int length) throws CipherException {
        CharsetDecoder decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        // UTF-8 never has fewer bytes than UTF-16 has characters.
        char[] buffer = new char[length];
        try {
            CharBuffer target = CharBuffer.wrap(buffer);
            CoderResult result = decoder.decode(ByteBuffer.wrap(bytes, offset, length), target, true);
            if (result.isUnderflow()) {
                result = decoder.flush(target);
            }
            if (result.isError()) {
                result.throwException();
            }
            return new String(buffer, 0, target.position());
        } catch (CharacterCodingException e) {
            throw new CipherException("crypto.bad-unicode", "The bytes are not well-formed UTF-8.");
        } finally {
            Arrays.fill(buffer, '\0');
        }
    }
}
