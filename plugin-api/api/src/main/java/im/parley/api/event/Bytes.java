package im.parley.api.event;

import java.util.Arrays;
import java.util.HexFormat;

/** A fixed-length byte string that is compared by value and written as lower-case hex. */
abstract sealed class Bytes permits EventId, PublicKey, Sha256, Signature {
    private static final HexFormat HEX = HexFormat.of();

    private final byte[] value;

    Bytes(byte[] value, int length, String what) {
        if (value.length != length) {
            throw new IllegalArgumentException(what + " must have " + length + " bytes, not " + value.length);
        }
        this.value = value.clone();
    }

    /** Strict: exactly two lower-case ASCII hex digits per byte. {@link HexFormat} alone would take upper case. */
    static byte[] parse(String hex, int length, String what) {
        if (hex.length() != 2 * length) {
            throw new IllegalArgumentException(what + " must have " + 2 * length + " hex digits, not " + hex.length());
        }
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (digit(hex.charAt(2 * i), what) << 4 | digit(hex.charAt(2 * i + 1), what));
        }
        return bytes;
    }

    private static int digit(char c, String what) {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'a' && c <= 'f') {
            return c - 'a' + 10;
        }
        throw new IllegalArgumentException(what + " must be lower-case hex");
    }

    /** A fresh copy of the bytes, big-endian as on the wire. */
    public final byte[] bytes() {
        return value.clone();
    }

    /** Lower-case hex, two digits per byte. */
    public final String hex() {
        return HEX.formatHex(value);
    }

    @Override
    public final boolean equals(Object other) {
        return other != null && other.getClass() == getClass() && Arrays.equals(value, ((Bytes) other).value);
    }

    @Override
    public final int hashCode() {
        return Arrays.hashCode(value);
    }

    /** The hex form; these values are public by nature. */
    @Override
    public final String toString() {
        return hex();
    }

    static int compare(Bytes a, Bytes b) {
        return Arrays.compareUnsigned(a.value, b.value);
    }
}
