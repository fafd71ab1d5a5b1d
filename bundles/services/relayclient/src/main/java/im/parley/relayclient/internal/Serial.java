package im.parley.relayclient.internal;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs tasks one after the other, in order, on threads of a shared pool. A task that fails, with whatever, is logged and
 * counted as {@code task.failed}, and the next one runs. Thread-safe; no lock is held in a task.
 */
final class Serial {
    private static final Logger LOG = LoggerFactory.getLogger(Serial.class);
    private static final int TURN = 64;

    private final Executor pool;
    private final Drops drops;
    private final Object lock = new Object();
    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();
    private boolean running;
    private boolean retired;

    Serial(Executor pool, Drops drops) {
        this.pool = pool;
        this.drops = drops;
    }

    /** False if it has retired; the task is not run then. */
    boolean execute(Runnable task) {
        synchronized (lock) {
            if (retired) {
                return false;
            }
            tasks.add(task);
            if (running) {
                return true;
            }
            running = true;
        }
        start();
        return true;
    }

    /** Tasks waiting now. */
    int backlog() {
        synchronized (lock) {
            return tasks.size();
        }
    }

    /** Takes no more tasks if none is waiting. Called by the running task as its last deed. */
    boolean retireIfIdle() {
        synchronized (lock) {
            retired = tasks.isEmpty();
            return retired;
        }
    }

    private void start() {
        try {
            pool.execute(this::turn);
        } catch (RejectedExecutionException e) {
            // The pool only refuses while the client shuts down.
            synchronized (lock) {
                tasks.clear();
                running = false;
                retired = true;
            }
        } catch (RuntimeException | Error e) {
            // No thread was to be had. What waits runs with the next task.
            synchronized (lock) {
                running = false;
            }
            throw e;
        }
    }

    private void turn() {
        for (int i = 0; i < TURN; i++) {
            Runnable task = next();
            if (task == null) {
                return;
            }
            try {
                task.run();
            } catch (Throwable e) {
                drops.count("task.failed");
                LOG.error("A relay client task failed and the next one runs; this is a bug.", e);
            }
        }
        // Others get their turn before this one goes on.
        start();
    }

    private @Nullable Runnable next() {
        synchronized (lock) {
            Runnable task = tasks.poll();
            if (task == null) {
                running = false;
            }
            return task;
        }
    }
}
