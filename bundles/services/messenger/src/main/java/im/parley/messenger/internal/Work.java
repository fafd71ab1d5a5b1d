package im.parley.messenger.internal;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one circle of the messenger runs on. After {@link #close} nothing begins any more. Thread-safe.
 */
public final class Work {
    private static final Logger LOG = LoggerFactory.getLogger(Work.class);

    private final ScheduledExecutorService loop;
    private final Executor pool;
    private volatile boolean closed;

    /**
     * @param loop runs one task at a time, in order
     * @param pool reads and computes; a few at once
     */
    public Work(ScheduledExecutorService loop, Executor pool) {
        this.loop = loop;
        this.pool = pool;
    }

    /** Makes one for a circle. */
    @FunctionalInterface
    public interface Source {
        Work forCircle(String circle);
    }

    void inOrder(Runnable task) {
        try {
            loop.execute(guarded(task));
        } catch (RejectedExecutionException e) {
            LOG.debug("closed");
        }
    }

    void later(Duration delay, Runnable task) {
        try {
            loop.schedule(guarded(task), Math.max(1, delay.toMillis()), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("closed");
        }
    }

    /** @return whether the task will run */
    boolean beside(Runnable task) {
        try {
            pool.execute(guarded(task));
            return !closed;
        } catch (RejectedExecutionException e) {
            return false;
        }
    }

    boolean closed() {
        return closed;
    }

    void close() {
        closed = true;
        loop.shutdown();
        if (pool instanceof ExecutorService service) {
            service.shutdown();
        }
        try {
            // A commit under way shall end before its store is closed.
            if (!loop.awaitTermination(2, TimeUnit.SECONDS)) {
                LOG.warn("The messenger was still writing when it was closed.");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Runnable guarded(Runnable task) {
        return () -> {
            if (closed) {
                return;
            }
            try {
                task.run();
            } catch (RuntimeException e) {
                LOG.error("The messenger met a bug and goes on.", e);
            }
        };
    }
}
