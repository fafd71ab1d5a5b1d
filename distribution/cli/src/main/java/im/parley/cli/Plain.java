package im.parley.cli;

import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;

/** Text for a terminal, safe against what other people wrote. */
final class Plain {
    private static final char REPLACEMENT = '\uFFFD';
    private static final char ISOLATE = '\u2068';
    private static final char END_ISOLATE = '\u2069';
    private static final String BAR = "  \u2502 ";
    /** In a terminal narrower than this nothing can be read anyway. */
    private static final int LEAST_ROOM = 8;
    /** Turns the character before it into a picture, which may be wider. */
    private static final int EMOJI_STYLE = 0xFE0F;

    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT);

    private Plain() {}

    /** One line: control characters, line breaks and direction overrides are taken out; right-to-left text is isolated. */
    static String line(String foreign) {
        StringBuilder safe = new StringBuilder(foreign.length());
        boolean rightToLeft = false;
        for (int i = 0; i < foreign.length(); ) {
            int c = foreign.codePointAt(i);
            i += Character.charCount(c);
            if (isLineBreak(c) || c == '\t') {
                safe.append(' ');
            } else if (isControl(c) || isDirectionControl(c)) {
                safe.append(REPLACEMENT);
            } else {
                rightToLeft |= isRightToLeft(c);
                safe.appendCodePoint(c);
            }
        }
        return rightToLeft ? ISOLATE + safe.toString() + END_ISOLATE : safe.toString();
    }

    /**
     * A message's text on lines of its own behind a bar, so that no line of it can pass for one of ours: every line break
     * and, in a terminal, every line that would not fit begins a new line behind the bar. Lines with right-to-left text
     * are isolated.
     *
     * @param width columns of the terminal; 0 if it goes elsewhere, where nothing is wrapped
     */
    static String message(String foreign, int width) {
        StringBuilder text = new StringBuilder(foreign.length() + BAR.length());
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < foreign.length(); ) {
            int c = foreign.codePointAt(i);
            i += Character.charCount(c);
            if (c == '\r' && i < foreign.length() && foreign.charAt(i) == '\n') {
                continue;
            }
            if (isLineBreak(c)) {
                putBehindBar(text, line.toString(), width);
                line.setLength(0);
            } else if (c == '\t') {
                line.append("    ");
            } else if (isControl(c) || isOverride(c)) {
                line.append(REPLACEMENT);
            } else if (!isDirectionControl(c)) {
                line.appendCodePoint(c);
            }
        }
        putBehindBar(text, line.toString(), width);
        return text.toString();
    }

    private static void putBehindBar(StringBuilder text, String line, int width) {
        String rest = line;
        do {
            int end = width == 0 ? rest.length() : fitting(rest, Math.max(LEAST_ROOM, width - BAR.length()));
            String part = rest.substring(0, end).stripTrailing();
            boolean rightToLeft = part.codePoints().anyMatch(c -> isRightToLeft(c) || isDirectionMark(c));
            text.append(BAR);
            text.append(rightToLeft ? ISOLATE + part + END_ISOLATE : part);
            text.append('\n');
            rest = rest.substring(end);
        } while (!rest.isEmpty());
    }

    /** How many chars of the line fit, up to a space if there is one far enough. */
    private static int fitting(String line, int room) {
        int columns = 0;
        int afterSpace = 0;
        for (int i = 0; i < line.length(); ) {
            int c = line.codePointAt(i);
            columns += mostColumns(c);
            if (columns > room) {
                return afterSpace > 0 ? afterSpace : i;
            }
            i += Character.charCount(c);
            // A line of one word is cut where it ends, not after two letters.
            if (c == ' ' && columns > room / 3) {
                afterSpace = i;
            }
        }
        return line.length();
    }

    private static boolean isLineBreak(int c) {
        return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
    }

    private static boolean isControl(int c) {
        return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0xD800 && c <= 0xDFFF);
    }

    private static boolean isDirectionControl(int c) {
        return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    }

    private static boolean isOverride(int c) {
        return c == 0x202D || c == 0x202E;
    }

    private static boolean isDirectionMark(int c) {
        return c == 0x200E || c == 0x200F || c == 0x61C;
    }

    private static boolean isRightToLeft(int c) {
        byte direction = Character.getDirectionality(c);
        return direction == Character.DIRECTIONALITY_RIGHT_TO_LEFT
                || direction == Character.DIRECTIONALITY_RIGHT_TO_LEFT_ARABIC;
    }

    /** Local date and minute. */
    static String time(long epochMillis) {
        return TIME.format(Instant.ofEpochMilli(epochMillis).atZone(ZoneId.systemDefault()));
    }

    /** Seconds since a moment of {@code System.nanoTime}, to a tenth. */
    static double secondsSince(long begun) {
        return Math.round((System.nanoTime() - begun) / 1e8) / 10.0;
    }

    /** How long something lasts, in its two largest units. */
    static String duration(long millis) {
        long seconds = Math.max(0, millis) / 1000;
        if (seconds < 60) {
            return seconds + " s";
        }
        if (seconds < 3600) {
            return seconds / 60 + " min " + seconds % 60 + " s";
        }
        if (seconds < 86400) {
            return seconds / 3600 + " h " + seconds % 3600 / 60 + " min";
        }
        return seconds / 86400 + " d " + seconds % 86400 / 3600 + " h";
    }

    /** A size as people read it: {@code 512 bytes}, {@code 20.6 MiB}. */
    static String bytes(long bytes) {
        if (bytes < 1_024) {
            return bytes + " bytes";
        }
        double size = bytes;
        int unit = -1;
        while (size >= 1_024 && unit < 3) {
            size /= 1_024;
            unit++;
        }
        return String.format(
                Locale.ROOT,
                "%.1f %s",
                size,
                List.of("KiB", "MiB", "GiB", "TiB").get(unit));
    }

    /** Rows with aligned columns, two spaces between and in front; the last column is not padded. */
    static String table(List<List<String>> rows) {
        int columns = rows.stream().mapToInt(List::size).max().orElse(0);
        int[] widths = new int[columns];
        for (List<String> row : rows) {
            for (int i = 0; i < row.size(); i++) {
                widths[i] = Math.max(widths[i], width(row.get(i)));
            }
        }
        StringBuilder text = new StringBuilder();
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.size(); i++) {
                line.append("  ").append(row.get(i));
                if (i + 1 < row.size()) {
                    line.append(" ".repeat(widths[i] - width(row.get(i))));
                }
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }

    /** Columns a terminal is likely to use. */
    private static int width(String text) {
        return text.codePoints().map(Plain::columns).sum();
    }

    private static int columns(int c) {
        return switch (Character.getType(c)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT -> 0;
            default -> isWide(c) ? 2 : 1;
        };
    }

    /** Columns that any terminal might use: some show what others do not, or wider. */
    private static int mostColumns(int c) {
        boolean picture = c >= 0x2190 && c <= 0x2BFF;
        boolean joiner = c == 0x200B || c == 0x200C || c == 0x200D || c == 0x2060 || isDirectionMark(c);
        boolean mark =
                Character.getType(c) == Character.NON_SPACING_MARK || Character.getType(c) == Character.ENCLOSING_MARK;
        return picture || isWide(c) ? 2 : joiner || (mark && c != EMOJI_STYLE) ? 0 : 1;
    }

    /** Letters of East Asia and emoji. */
    private static boolean isWide(int c) {
        return (c >= 0x1100 && c <= 0x11FF)
                || (c >= 0x2E80 && c <= 0xA4CF)
                || (c >= 0xA960 && c <= 0xA97F)
                || (c >= 0xAC00 && c <= 0xD7FF)
                || (c >= 0xF900 && c <= 0xFAFF)
                || (c >= 0xFE10 && c <= 0xFE1F)
                || (c >= 0xFE30 && c <= 0xFE6F)
                || (c >= 0xFF00 && c <= 0xFF60)
                || (c >= 0xFFE0 && c <= 0xFFE6)
                || (c >= 0x16FE0 && c <= 0x18FFF)
                || (c >= 0x1AFF0 && c <= 0x1B2FF)
                || (c >= 0x1F000 && c <= 0x1FAFF)
                || (c >= 0x20000 && c <= 0x3FFFD);
    }
}
