package im.parley.cipher;

import java.util.Arrays;
import javax.crypto.SecretKey;

/** A key for the JDK's ciphers that can be overwritten, which {@code SecretKeySpec} cannot. */
final class RawKey implements SecretKey, AutoCloseable {
    private static final long serialVersionUID = 1L;

    private final String algorithm;
    private final transient byte[] bytes;

    /** Copies the bytes. */
    RawKey(String algorithm, byte[] source, int from, int to) {
        this.algorithm = algorithm;
        this.bytes = Arrays.copyOfRange(source, from, to);
    }

    RawKey(String algorithm, byte[] source) {
        this(algorithm, source, 0, source.length);
    }

    @Override
    public String getAlgorithm() {
        return algorithm;
    }

    @Override
    public String getFormat() {
        return "RAW";
    }

    @Override
    public byte[] getEncoded() {
        return bytes.clone();
    }

    @Override
    public void close() {
        Arrays.fill(bytes, (byte) 0);
    }

    @Override
    public String toString() {
        return "[REDACTED]";
    }
}
