package im.parley.testkit;

import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * Seeds for generated tests. Every generator comes from one seed per run, which is new each time unless the system
 * property {@code parley.seed} sets it, and which is printed: {@code -Dparley.seed=…} replays a failure. Each name has
 * its own stream, so a test sees the same values alone as in the whole suite.
 */
public final class Seeds {
    private static final long RUN = chosen();

    private Seeds() {}

    /** The seed of this run. */
    public static long run() {
        return RUN;
    }

    /** A fresh generator; prints its name and the seed. Not to be shared between threads. */
    public static RandomGenerator generator(String name) {
        return new SplittableRandom(announced(name));
    }

    /** The same as a {@link java.security.SecureRandom}, for code that has randomness handed in. Thread-safe. */
    public static SeededRandom secureRandom(String name) {
        return new SeededRandom(announced(name));
    }

    private static long announced(String name) {
        System.out.println("seed of " + name + ": -Dparley.seed=" + RUN);
        long seed = RUN;
        for (int i = 0; i < name.length(); i++) {
            seed = seed * 0x5851F42D4C957F2DL + name.charAt(i) + 0x14057B7EF767814FL;
        }
        return seed;
    }

    private static long chosen() {
        String given = System.getProperty("parley.seed");
        if (given == null || given.isBlank()) {
            return new SplittableRandom().nextLong() >>> 1;
        }
        return Long.parseLong(given.trim());
    }
}
