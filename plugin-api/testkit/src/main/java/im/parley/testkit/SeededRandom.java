package im.parley.testkit;

import java.security.SecureRandom;
import java.security.SecureRandomSpi;
import java.util.SplittableRandom;

/**
 * A {@link SecureRandom} that repeats: equal seeds give equal bytes, {@link #setSeed} changes nothing. For tests only.
 * Thread-safe; the order of calls decides who gets which bytes.
 */
public final class SeededRandom extends SecureRandom {
    private static final long serialVersionUID = 1L;

    public SeededRandom(long seed) {
        super(new Spi(seed), null);
    }

    @Override
    public String getAlgorithm() {
        return "seeded, for tests";
    }

    private static final class Spi extends SecureRandomSpi {
        private static final long serialVersionUID = 1L;

        private final transient SplittableRandom random;

        Spi(long seed) {
            random = new SplittableRandom(seed);
        }

        @Override
        protected void engineSetSeed(byte[] seed) {}

        @Override
        protected synchronized void engineNextBytes(byte[] bytes) {
            random.nextBytes(bytes);
        }

        @Override
        protected byte[] engineGenerateSeed(int numBytes) {
            byte[] bytes = new byte[numBytes];
            engineNextBytes(bytes);
            return bytes;
        }
    }
}
