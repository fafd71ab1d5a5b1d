package im.parley.relay.internal;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The relay's threads. The queue has no bound of its own: a session puts a few tasks into it at most, so the number of
 * connections bounds it.
 */
final class Workers implements Executor {
    private final ThreadPoolExecutor pool;
    private final ScheduledThreadPoolExecutor timer;

    Workers(int threads) {
        pool = new ThreadPoolExecutor(
                threads, threads, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), named("parley-relay-worker-"));
        pool.allowCoreThreadTimeOut(true);
        timer = new ScheduledThreadPoolExecutor(1, named("parley-relay-timer-"));
    }

    private static ThreadFactory named(String prefix) {
        AtomicInteger count = new AtomicInteger();
        return task -> {
            Thread thread = new Thread(task, prefix + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    /** After {@link #stop} the task is dropped: every session has ended by then. */
    @Override
    public void execute(Runnable task) {
        try {
            pool.execute(task);
        } catch (RejectedExecutionException e) {
            if (!pool.isShutdown()) {
                throw e;
            }
        }
    }

    /** @param task must not throw: it would not be run again */
    void every(long seconds, Runnable task) {
        var unused = timer.scheduleWithFixedDelay(task, seconds, seconds, TimeUnit.SECONDS);
    }

    /** As {@link #execute}, ahead of what the pool has queued. */
    void urgently(Runnable task) {
        try {
            timer.execute(task);
        } catch (RejectedExecutionException e) {
            if (!timer.isShutdown()) {
                throw e;
            }
        }
    }

    /** Finishes what is queued; waits at most that long. */
    void stop(long millis) throws InterruptedException {
        timer.shutdownNow();
        pool.shutdown();
        if (!pool.awaitTermination(millis, TimeUnit.MILLISECONDS)) {
            pool.shutdownNow();
        }
    }
}
