package im.parley.protocol;

/**
 * How much a reader takes before it refuses. Nesting is limited apart from this, to 16 levels.
 *
 * @param maxBytes UTF-8 bytes of one text, frame or event ({@code too-large})
 * @param maxTags tags of an event ({@code tags})
 * @param maxTagValueBytes UTF-8 bytes of one string in a tag ({@code tags})
 * @param maxIndexedBytes UTF-8 bytes of the first value of a single-letter tag, which stores index, and of a filter value
 *     for one ({@code tags}, {@code filter})
 * @param maxFilters filters in one frame ({@code filter})
 * @param maxFilterValues values in all conditions of one filter together ({@code filter})
 * @param references whether the first value of {@code e} and {@code p} tags must be 64 lower-case hex digits, as NIP-01
 *     says ({@code tags})
 */
public record GrammarLimits(
        int maxBytes,
        int maxTags,
        int maxTagValueBytes,
        int maxIndexedBytes,
        int maxFilters,
        int maxFilterValues,
        boolean references) {
    /** What our relay takes from strangers, announced by NIP-11: frames of 128 KiB, 2,000 tags, 1,000 values in a filter. */
    public static final GrammarLimits RELAY = new GrammarLimits(131_072, 2_000, 65_536, 1_024, 200, 1_000, true);

    /** What a client takes from a relay or out of an envelope: 1 MiB, and sloppy references of other clients. */
    public static final GrammarLimits CLIENT =
            new GrammarLimits(1_048_576, 10_000, 1_048_576, 1_048_576, 200, 1_048_576, false);

    public GrammarLimits {
        if (maxBytes < 1
                || maxTags < 0
                || maxTagValueBytes < 0
                || maxIndexedBytes < 0
                || maxFilters < 1
                || maxFilterValues < 0) {
            throw new IllegalArgumentException(
                    "limits must not be negative, frames and filters must be allowed at all");
        }
    }
}
