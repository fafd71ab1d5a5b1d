package im.parley.cli;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * JSON on one line for programs, which a terminal can show all the same: whatever could command a terminal or turn the
 * direction of what stands beside it is escaped. A reader of JSON gets the same text back. Members keep their order.
 */
final class JsonText {
    private JsonText() {}

    static String of(@Nullable Object value) {
        StringBuilder text = new StringBuilder();
        write(text, value);
        return text.toString();
    }

    private static void write(StringBuilder text, @Nullable Object value) {
        if (value instanceof Map<?, ?> map) {
            char before = '{';
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                text.append(before);
                write(text, String.valueOf(entry.getKey()));
                text.append(':');
                write(text, entry.getValue());
                before = ',';
            }
            text.append(before == '{' ? "{}" : "}");
        } else if (value instanceof Iterable<?> list) {
            char before = '[';
            for (Object item : list) {
                text.append(before);
                write(text, item);
                before = ',';
            }
            text.append(before == '[' ? "[]" : "]");
        } else if (value instanceof String string) {
            write(text, string);
        } else if (value == null || value instanceof Number || value instanceof Boolean) {
            text.append(value);
        } else {
            throw new IllegalArgumentException("no JSON for " + value.getClass());
        }
    }

    private static void write(StringBuilder text, String string) {
        text.append('"');
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            boolean pair = Character.isHighSurrogate(c)
                    && i + 1 < string.length()
                    && Character.isLowSurrogate(string.charAt(i + 1));
            if (pair) {
                text.append(c).append(string.charAt(++i));
            } else if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c == '\n') {
                text.append("\\n");
            } else if (isEscaped(c)) {
                text.append("\\u");
                for (int shift = 12; shift >= 0; shift -= 4) {
                    text.append(Character.forDigit(c >> shift & 15, 16));
                }
            } else {
                text.append(c);
            }
        }
        text.append('"');
    }

    private static boolean isEscaped(char c) {
        return c < 0x20
                || (c >= 0x7F && c < 0xA0)
                || c == 0x61C
                || c == 0x200E
                || c == 0x200F
                || (c >= 0x2028 && c <= 0x202E)
                || (c >= 0x2066 && c <= 0x2069)
                || c == 0xFEFF
                || Character.isSurrogate(c);
    }
}
