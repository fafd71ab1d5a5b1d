package im.parley.testkit;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Waits for a condition with a deadline; the only place in the tests that parks a thread. Conditions are asked on the
 * calling thread, at once and then after pauses of 1 to 25 ms.
 */
public final class Await {
    /** Deadline where none is given. */
    public static final Duration DEFAULT = Duration.ofSeconds(10);

    private static final long MAX_PAUSE_NANOS = 25_000_000;

    /** A question that may fail. */
    @FunctionalInterface
    public interface Condition {
        boolean holds() throws Exception;
    }

    /** Assertions that may fail. */
    @FunctionalInterface
    public interface Assertions {
        void check() throws Exception;
    }

    private Await() {}

    /** As {@link #until(String, Duration, Condition)} with {@link #DEFAULT}. */
    public static void until(String what, Condition condition) {
        until(what, DEFAULT, condition);
    }

    /**
     * Returns when the condition holds.
     *
     * @param what completes the sentence "waited in vain until …"
     * @throws AssertionError at the deadline, or at once if the condition throws
     */
    public static void until(String what, Duration deadline, Condition condition) {
        value(what, deadline, () -> condition.holds() ? Optional.of(Boolean.TRUE) : Optional.empty());
    }

    /** As {@link #value(String, Duration, Callable)} with {@link #DEFAULT}. */
    public static <T> T value(String what, Callable<Optional<T>> source) {
        return value(what, DEFAULT, source);
    }

    /**
     * Returns the first value that the source has.
     *
     * @throws AssertionError at the deadline, or at once if the source throws
     */
    public static <T> T value(String what, Duration deadline, Callable<Optional<T>> source) {
        long start = System.nanoTime();
        long pause = 1_000_000;
        while (true) {
            Optional<T> value;
            try {
                value = source.call();
            } catch (Exception e) {
                throw new AssertionError("failed while waiting until " + what, e);
            }
            if (value.isPresent()) {
                return value.get();
            }
            if (System.nanoTime() - start >= deadline.toNanos()) {
                throw new AssertionError("waited in vain until " + what + " for " + deadline.toMillis() + " ms");
            }
            pause = park(what, pause);
        }
    }

    /** As {@link #passes(String, Duration, Assertions)} with {@link #DEFAULT}. */
    public static void passes(String what, Assertions assertions) {
        passes(what, DEFAULT, assertions);
    }

    /**
     * Repeats the assertions until they pass; at the deadline the last failure is the cause.
     *
     * @throws AssertionError at the deadline, or at once on an exception that is not an assertion
     */
    public static void passes(String what, Duration deadline, Assertions assertions) {
        long start = System.nanoTime();
        long pause = 1_000_000;
        while (true) {
            @Nullable AssertionError last;
            try {
                assertions.check();
                return;
            } catch (AssertionError e) {
                last = e;
            } catch (Exception e) {
                throw new AssertionError("failed while waiting until " + what, e);
            }
            if (System.nanoTime() - start >= deadline.toNanos()) {
                throw new AssertionError(
                        "waited in vain until " + what + " for " + deadline.toMillis() + " ms: " + last.getMessage(),
                        last);
            }
            pause = park(what, pause);
        }
    }

    private static long park(String what, long pause) {
        LockSupport.parkNanos(pause);
        if (Thread.currentThread().isInterrupted()) {
            throw new AssertionError("interrupted while waiting until " + what);
        }
        return Math.min(pause * 2, MAX_PAUSE_NANOS);
    }
}
