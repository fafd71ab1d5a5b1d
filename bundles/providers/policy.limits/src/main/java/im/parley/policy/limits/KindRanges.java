package im.parley.policy.limits;

import java.util.ArrayList;
import java.util.List;

/** A set of event kinds, as ranges. Immutable. */
record KindRanges(List<Range> ranges) {
    private static final int MAX_KIND = 65_535;

    record Range(int first, int last) {}

    KindRanges {
        ranges = List.copyOf(ranges);
    }

    /**
     * @param texts single kinds or ranges {@code FIRST-LAST}, 0 to 65535
     * @throws IllegalArgumentException with the text that is neither
     */
    static KindRanges of(String... texts) {
        List<Range> ranges = new ArrayList<>();
        for (String text : texts) {
            int dash = text.indexOf('-');
            int first = kind(text, dash < 0 ? text : text.substring(0, dash));
            int last = dash < 0 ? first : kind(text, text.substring(dash + 1));
            if (first > last) {
                throw new IllegalArgumentException(text);
            }
            ranges.add(new Range(first, last));
        }
        return new KindRanges(ranges);
    }

    private static int kind(String text, String number) {
        try {
            int kind = Integer.parseInt(number.strip());
            if (kind >= 0 && kind <= MAX_KIND) {
                return kind;
            }
        } catch (NumberFormatException e) {
            // As any other text that is no kind.
        }
        throw new IllegalArgumentException(text);
    }

    boolean contains(int kind) {
        return ranges.stream().anyMatch(range -> range.first() <= kind && kind <= range.last());
    }
}
