package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.protocol.EventWriter;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands new events to the live subscriptions, on one thread of its own, in the order they were stored. It calls no client
 * and no store, so it waits for nobody, and no failure ends it: a relay whose live feed is dead looks alive.
 */
final class LiveFeed {
    private static final Logger LOG = LoggerFactory.getLogger(LiveFeed.class);
    private static final int CAPACITY = 1_024;
    private static final long RECHECK_MILLIS = 50;
    private static final Runnable END = () -> {};

    private final LiveIndex index;
    private final Expirations expirations;
    private final Backlog backlog;
    private final Consumer<Subscription> tooMuch;
    private final Failures failures;
    private final BlockingQueue<Runnable> tasks = new ArrayBlockingQueue<>(CAPACITY);
    private final Thread thread;
    private volatile boolean ended;

    /** @param tooMuch told of a subscription that cannot keep what is new while its stored events are sent */
    LiveFeed(LiveIndex index, Expirations expirations, Backlog backlog, Drops drops, Consumer<Subscription> tooMuch) {
        this.index = index;
        this.expirations = expirations;
        this.backlog = backlog;
        this.tooMuch = tooMuch;
        failures = new Failures(
                LOG,
                drops,
                "internal.live",
                "Live delivery failed; subscribers find what they missed when they ask again");
        thread = new Thread(this::run, "parley-relay-live");
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /**
     * Runs a task after everything posted before it. Waits while the feed is {@value #CAPACITY} tasks behind; once it has
     * ended the task is dropped.
     */
    void post(Runnable task) {
        boolean interrupted = false;
        boolean taken = false;
        while (!taken && !ended) {
            try {
                taken = tasks.offer(task, RECHECK_MILLIS, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** As {@link #post}, but false instead of waiting. */
    boolean offer(Runnable task) {
        return !ended && tasks.offer(task);
    }

    /** As {@link #deliver}, one after the other; one that fails does not keep the others. */
    void deliverAll(List<Event> events) {
        for (Event event : events) {
            try {
                deliver(event);
            } catch (RuntimeException | Error e) {
                failures.add(e);
            }
        }
    }

    /** Delivers; only on this feed's thread. Returns how many subscriptions took it. */
    int deliver(Event event) {
        SharedText json = null;
        int taken = 0;
        if (expirations.isExpired(event)) {
            return taken;
        }
        for (Subscription subscription : index.candidates(event)) {
            if (!subscription.wants(event)) {
                continue;
            }
            if (json == null) {
                json = new SharedText(EventWriter.write(event), backlog);
            }
            switch (subscription.deliverNew(event, json)) {
                case TAKEN -> taken++;
                case TOO_MUCH -> tooMuch.accept(subscription);
                case NOT_WANTED -> {}
            }
        }
        failures.over();
        return taken;
    }

    /** Finishes what was posted and ends the thread; waits at most that long and then ends it without. */
    void stop(long millis) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        boolean told = tasks.offer(END, millis, TimeUnit.MILLISECONDS);
        if (told) {
            TimeUnit.NANOSECONDS.timedJoin(thread, deadline - System.nanoTime());
        }
        ended = true;
        if (thread.isAlive()) {
            LOG.warn("The live feed did not end in time; what it still had to deliver is dropped");
            thread.interrupt();
        }
    }

    private void run() {
        try {
            while (step()) {
                // One task after the other.
            }
        } finally {
            ended = true;
            tasks.clear();
        }
    }

    /** False at the end. */
    private boolean step() {
        @Nullable Runnable task = null;
        try {
            task = tasks.take();
            if (task == END) {
                return false;
            }
            task.run();
        } catch (InterruptedException e) {
            return !ended;
        } catch (RuntimeException | Error e) {
            failures.add(e);
        }
        return !ended;
    }
}
