package im.parley.files.http.internal;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The one range of a request that is answered with 206 (RFC 9110 section 14). */
record ByteRange(long from, long count) {
    private static final Pattern RANGE = Pattern.compile("bytes=([0-9]{0,19})-([0-9]{0,19})");

    /**
     * @param header null if there is none
     * @return null for the whole blob: no header, or a unit that nobody here knows
     * @throws Refusal 416 {@code range.invalid}; several ranges are refused as well, since their answer may be larger than
     *     the blob
     */
    static @Nullable ByteRange of(@Nullable String header, long size) throws Refusal {
        if (header == null || !header.strip().startsWith("bytes=")) {
            return null;
        }
        Matcher matcher = RANGE.matcher(header.strip());
        if (!matcher.matches()) {
            throw refused(size);
        }
        long first = number(matcher.group(1));
        long last = number(matcher.group(2));
        if (first < 0 && last < 0 || first >= 0 && last >= 0 && last < first) {
            throw refused(size);
        }
        if (first < 0) {
            if (last == 0 || size == 0) {
                throw refused(size);
            }
            long count = Math.min(last, size);
            return new ByteRange(size - count, count);
        }
        if (first >= size) {
            throw refused(size);
        }
        long end = last < 0 ? size - 1 : Math.min(last, size - 1);
        return new ByteRange(first, end - first + 1);
    }

    /** -1 if nothing stands there; what does not fit is as good as endless. */
    private static long number(String digits) {
        if (digits.isEmpty()) {
            return -1;
        }
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }

    private static Refusal refused(long size) {
        return new Refusal(416, "range.invalid", "Ask for one range of bytes inside the " + size + " that there are.");
    }
}
