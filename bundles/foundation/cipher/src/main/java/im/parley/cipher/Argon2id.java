package im.parley.cipher;

import org.bouncycastle.crypto.generators.Argon2BytesGenerator;
import org.bouncycastle.crypto.params.Argon2Parameters;

/**
 * Argon2id version 1.3 (RFC 9106): a key from a passphrase, slow and memory-hard on purpose. Thread-safe; each call takes
 * its memory for its whole duration.
 */
public final class Argon2id {
    /** Shortest salt in bytes. */
    public static final int MIN_SALT = 8;
    /** Most memory a call may ask for, 1 GiB: a parameter read from a file must not be able to take the node down. */
    public static final int MAX_MEMORY_KIB = 1 << 20;
    /** Most passes a call may ask for. */
    public static final int MAX_ITERATIONS = 64;

    private Argon2id() {}

    /**
     * Derives a key.
     *
     * @param password any bytes, for text those of {@link Utf8#encode(char[])}; not modified, the caller overwrites it
     * @param salt at least {@value #MIN_SALT} random bytes
     * @param memoryKib memory in KiB, 8 per lane to {@value #MAX_MEMORY_KIB}
     * @param iterations passes, 1 to {@value #MAX_ITERATIONS}
     * @param lanes parallelism, 1 to 16; computed one after the other
     * @param length of the result, 4 to 1024 bytes
     * @return the key; the caller overwrites it
     * @throws IllegalArgumentException if a parameter is out of range; nothing was computed
     */
    public static byte[] derive(byte[] password, byte[] salt, int memoryKib, int iterations, int lanes, int length) {
        if (salt.length < MIN_SALT) {
            throw new IllegalArgumentException("an Argon2id salt has at least " + MIN_SALT + " bytes");
        }
        if (lanes < 1 || lanes > 16) {
            throw new IllegalArgumentException("Argon2id lanes must be 1 to 16, not " + lanes);
        }
        if (memoryKib < 8 * lanes || memoryKib > MAX_MEMORY_KIB) {
            throw new IllegalArgumentException(
                    "Argon2id memory must be " + 8 * lanes + " to " + MAX_MEMORY_KIB + " KiB, not " + memoryKib);
        }
        if (iterations < 1 || iterations > MAX_ITERATIONS) {
            throw new IllegalArgumentException(
                    "Argon2id iterations must be 1 to " + MAX_ITERATIONS + ", not " + iterations);
        }
        if (length < 4 || length > 1024) {
            throw new IllegalArgumentException("Argon2id gives 4 to 1024 bytes, not " + length);
        }
        Argon2BytesGenerator generator = new Argon2BytesGenerator();
        generator.init(new Argon2Parameters.Builder(Argon2Parameters.ARGON2_id)
                .withVersion(Argon2Parameters.ARGON2_VERSION_13)
                .withSalt(salt)
                .withMemoryAsKB(memoryKib)
                .withIterations(iterations)
                .withParallelism(lanes)
                .build());
        byte[] key = new byte[length];
        generator.generateBytes(password, key);
        return key;
    }
}
