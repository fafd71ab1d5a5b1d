package im.parley.api.event;

/**
 * An x-only secp256k1 public key (BIP-340). Holding one does not prove that the point is on the curve; {@code Secp256k1} refuses it when it is used.
 *
 * <p>Immutable and thread-safe.
 */
public final class PublicKey extends Bytes implements Comparable<PublicKey> {
    /** Length in bytes. */
    public static final int LENGTH = 32;

    private PublicKey(byte[] value) {
        super(value, LENGTH, "public key");
    }

    /**
     * Copies the given bytes.
     *
     * @throws IllegalArgumentException if there are not exactly {@value #LENGTH} bytes
     */
    public static PublicKey of(byte[] bytes) {
        return new PublicKey(bytes);
    }

    /**
     * Reads lower-case hex.
     *
     * @throws IllegalArgumentException on any other length, an upper-case digit or a digit outside ASCII
     */
    public static PublicKey ofHex(String hex) {
        return new PublicKey(parse(hex, LENGTH, "public key"));
    }

    @Override
    public int compareTo(PublicKey other) {
        return compare(this, other);
    }
}
