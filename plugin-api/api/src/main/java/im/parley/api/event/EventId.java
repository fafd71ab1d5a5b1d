package im.parley.api.event;

/**
 * The id of an event: SHA-256 over its canonical form (NIP-01). Ordered as unsigned bytes, which is the tie-break of NIP-01.
 *
 * <p>Immutable and thread-safe.
 */
public final class EventId extends Bytes implements Comparable<EventId> {
    /** Length in bytes. */
    public static final int LENGTH = 32;

    private EventId(byte[] value) {
        super(value, LENGTH, "event id");
    }

    /**
     * Copies the given bytes.
     *
     * @throws IllegalArgumentException if there are not exactly {@value #LENGTH} bytes
     */
    public static EventId of(byte[] bytes) {
        return new EventId(bytes);
    }

    /**
     * Reads lower-case hex.
     *
     * @throws IllegalArgumentException on any other length, an upper-case digit or a digit outside ASCII
     */
    public static EventId ofHex(String hex) {
        return new EventId(parse(hex, LENGTH, "event id"));
    }

    @Override
    public int compareTo(EventId other) {
        return compare(this, other);
    }
}
