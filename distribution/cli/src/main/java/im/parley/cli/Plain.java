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

    /** Text on lines of its own, each indented; an override ends with its line, so it cannot reach anything else. */
    static String block(String foreign, String indent) {
        StringBuilder safe = new StringBuilder(foreign.length() + indent.length()).append(indent);
        for (int i = 0; i < foreign.length(); ) {
            int c = foreign.codePointAt(i);
            i += Character.charCount(c);
            if (c == '\r' && i < foreign.length() && foreign.charAt(i) == '\n') {
                continue;
            }
            if (isLineBreak(c)) {
                safe.append('\n').append(indent);
            } else if (c == '\t') {
                safe.append("    ");
            } else if (isControl(c)) {
                safe.append(REPLACEMENT);
            } else {
                safe.appendCodePoint(c);
            }
        }
        return safe.toString();
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

    /** Columns a terminal is likely to use: marks take none. */
    private static int width(String text) {
        return (int) text.codePoints()
                .filter(c -> switch (Character.getType(c)) {
                    case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT -> false;
                    default -> true;
                })
                .count();
    }
}
