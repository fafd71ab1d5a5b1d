package im.parley.outbox.simulation;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Callable;
import java.util.concurrent.Delayed;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;

/**
 * One queue of everything that will happen, on one thread. Which of several things due at about the same time comes
 * first is decided by the seed, so a seed is an interleaving and replays exactly.
 */
public final class VirtualTime {
    private static final Instant START = Instant.ofEpochSecond(1_790_000_000L);

    private final RandomGenerator random;
    private final PriorityQueue<Entry> queue = new PriorityQueue<>();
    private long now;
    private long order;

    private record Entry(long at, long order, Life life, Runnable task) implements Comparable<Entry> {
        @Override
        public int compareTo(Entry other) {
            int byTime = Long.compare(at, other.at);
            return byTime != 0 ? byTime : Long.compare(order, other.order);
        }
    }

    public VirtualTime(RandomGenerator random) {
        this.random = random;
    }

    public RandomGenerator random() {
        return random;
    }

    public long nanoTime() {
        return now;
    }

    public InstantSource clock() {
        return () -> START.plusNanos(now);
    }

    /** Runs a task of that life after a delay. */
    public void after(Duration delay, Life life, Runnable task) {
        queue.add(new Entry(now + delay.toNanos(), order++, life, task));
    }

    /** Lets time pass until the condition holds; false if it did not within the time given. */
    public boolean runUntil(BooleanSupplier condition, Duration atMost) {
        long end = now + atMost.toNanos();
        while (!condition.getAsBoolean()) {
            Entry next = queue.peek();
            if (next == null || next.at() > end) {
                now = end;
                return condition.getAsBoolean();
            }
            queue.remove();
            now = Math.max(now, next.at());
            if (next.life().alive()) {
                try {
                    next.task().run();
                } catch (SimulatedCrash e) {
                    next.life().end();
                }
            }
        }
        return true;
    }

    public void run(Duration time) {
        runUntil(() -> false, time);
    }

    /** An executor of that life: tasks without delay run in order, each a little later, at the seed's choice. */
    public ScheduledExecutorService executor(Life life) {
        return new Executor(life);
    }

    private final class Executor extends AbstractExecutorService implements ScheduledExecutorService {
        private final Life life;
        private long last;
        private boolean shutdown;

        Executor(Life life) {
            this.life = life;
        }

        @Override
        public void execute(Runnable task) {
            if (shutdown) {
                throw new RejectedExecutionException("shut down");
            }
            last = Math.max(last, now + random.nextLong(500_000));
            queue.add(new Entry(last, order++, life, () -> {
                if (!shutdown) {
                    task.run();
                }
            }));
        }

        @Override
        public ScheduledFuture<?> schedule(Runnable task, long delay, TimeUnit unit) {
            if (shutdown) {
                throw new RejectedExecutionException("shut down");
            }
            long at = now + unit.toNanos(delay) + random.nextLong(500_000);
            queue.add(new Entry(at, order++, life, () -> {
                if (!shutdown) {
                    task.run();
                }
            }));
            return new Scheduled();
        }

        @Override
        public <V> ScheduledFuture<V> schedule(Callable<V> task, long delay, TimeUnit unit) {
            throw new UnsupportedOperationException();
        }

        @Override
        public ScheduledFuture<?> scheduleAtFixedRate(Runnable task, long initial, long period, TimeUnit unit) {
            throw new UnsupportedOperationException();
        }

        @Override
        public ScheduledFuture<?> scheduleWithFixedDelay(Runnable task, long initial, long delay, TimeUnit unit) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void shutdown() {
            shutdown = true;
        }

        @Override
        public List<Runnable> shutdownNow() {
            shutdown = true;
            return List.of();
        }

        @Override
        public boolean isShutdown() {
            return shutdown;
        }

        @Override
        public boolean isTerminated() {
            return shutdown;
        }

        @Override
        public boolean awaitTermination(long timeout, TimeUnit unit) {
            return shutdown;
        }
    }

    /** Nobody asks it anything. */
    private static final class Scheduled extends java.util.concurrent.CompletableFuture<Void>
            implements ScheduledFuture<Void> {
        @Override
        public long getDelay(TimeUnit unit) {
            return 0;
        }

        @Override
        public int compareTo(Delayed other) {
            return 0;
        }
    }
}
