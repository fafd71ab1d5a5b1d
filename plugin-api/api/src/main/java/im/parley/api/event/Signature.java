package im.parley.api.event;

/**
 * A BIP-340 Schnorr signature, 64 bytes. Holding one does not prove that it verifies.
 *
 * <p>Immutable and thread-safe.
 */
public final class Signature extends Bytes {
    /** Length in bytes. */
    public static final int LENGTH = 64;

    private Signature(byte[] value) {
        super(value, LENGTH, "signature");
    }

    /**
     * Copies the given bytes.
     *
     * @throws IllegalArgumentException if there are not exactly {@value #LENGTH} bytes
     */
    public static Signature of(byte[] bytes) {
        return new Signature(bytes);
    }

    /**
     * Reads lower-case hex.
     *
     * @throws IllegalArgumentException on any other length, an upper-case digit or a digit outside ASCII
     */
    public static Signature ofHex(String hex) {
        return new Signature(parse(hex, LENGTH, "signature"));
    }
}
