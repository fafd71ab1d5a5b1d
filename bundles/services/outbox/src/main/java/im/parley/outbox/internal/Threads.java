package im.parley.outbox.internal;

import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.LongSupplier;

/**
 * What one circle runs on.
 *
 * @param loop runs one task at a time, in order
 * @param work computes and reads; a few at once
 * @param nanoTime a clock that never turns back
 */
public record Threads(ScheduledExecutorService loop, Executor work, LongSupplier nanoTime) {
    /** Makes them for a circle. */
    @FunctionalInterface
    public interface Source {
        Threads forCircle(String circle);
    }
}
