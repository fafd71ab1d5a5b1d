package im.parley.api.event;

/**
 * The SHA-256 of some bytes, by which a blob is addressed (BUD-00). Ordered as unsigned bytes. That it is the hash of
 * anything at hand is for whoever hashed it to say.
 *
 * <p>Immutable and thread-safe.
 */
public final class Sha256 extends Bytes implements Comparable<Sha256> {
    /** Length in bytes. */
    public static final int LENGTH = 32;

    private Sha256(byte[] value) {
        super(value, LENGTH, "SHA-256");
    }

    /**
     * Copies the given bytes.
     *
     * @throws IllegalArgumentException if there are not exactly {@value #LENGTH} bytes
     */
    public static Sha256 of(byte[] bytes) {
        return new Sha256(bytes);
    }

    /**
     * Reads lower-case hex.
     *
     * @throws IllegalArgumentException on any other length, an upper-case digit or a digit outside ASCII
     */
    public static Sha256 ofHex(String hex) {
        return new Sha256(parse(hex, LENGTH, "SHA-256"));
    }

    @Override
    public int compareTo(Sha256 other) {
        return compare(this, other);
    }
}
