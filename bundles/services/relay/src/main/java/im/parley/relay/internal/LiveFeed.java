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
    private static final Task END = new Task(() -> {}, 0);

    /** @param bytes of heap that it holds until it has run */
    private record Task(Runnable work, long bytes) {}

    private final LiveIndex index;
    private final Expirations expirations;
    private final Backlog backlog;
    private final Consumer<Subscription> tooMuch;
    private final Failures failures;
    private final long maxBytes;
    private final BlockingQueue<Task> tasks = new ArrayBlockingQueue<>(CAPACITY);
    private final Object room = new Object();
    /** With the lock on room: what waits and what runs. */
    private long heldBytes;
    /** With the lock on room: who waits for some. */
    private int waiting;

    private final Thread thread;
    private volatile boolean ended;

    /**
     * @param maxBytes of heap that events on their way to subscribers may take together
     * @param tooMuch told of a subscription that cannot keep what is new while its stored events are sent
     */
    LiveFeed(
            LiveIndex index,
            Expirations expirations,
            Backlog backlog,
            Drops drops,
            long maxBytes,
            Consumer<Subscription> tooMuch) {
        this.index = index;
        this.expirations = expirations;
        this.backlog = backlog;
        this.maxBytes = maxBytes;
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

    /** As {@link #post(Runnable, long)}, for a task that holds no event. */
    void post(Runnable task) {
        post(task, 0);
    }

    /**
     * Runs a task after everything posted before it. Waits while the feed is {@value #CAPACITY} tasks or its bytes behind,
     * and so does whoever waits for the caller, up to the clients; once the feed has ended the task is dropped.
     *
     * @param bytes of heap that the task holds
     */
    void post(Runnable task, long bytes) {
        Task posted = new Task(task, bytes);
        boolean interrupted = false;
        boolean hasRoom = false;
        boolean taken = false;
        while (!taken && !ended) {
            try {
                hasRoom = hasRoom || awaitRoom(bytes);
                taken = hasRoom && tasks.offer(posted, RECHECK_MILLIS, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (hasRoom && !taken) {
            returnRoom(bytes);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** As {@link #post(Runnable, long)}, but false instead of waiting, also while others wait for room. */
    boolean offer(Runnable task, long bytes) {
        synchronized (room) {
            // What is small would find room for ever, and what is large never.
            if (ended || bytes > 0 && waiting > 0 || !takeRoom(bytes)) {
                return false;
            }
        }
        boolean taken = tasks.offer(new Task(task, bytes));
        if (!taken) {
            returnRoom(bytes);
        }
        return taken;
    }

    private boolean awaitRoom(long bytes) throws InterruptedException {
        synchronized (room) {
            if (takeRoom(bytes)) {
                return true;
            }
            waiting++;
            try {
                room.wait(RECHECK_MILLIS);
                return takeRoom(bytes);
            } finally {
                waiting--;
            }
        }
    }

    /** With the lock on room. One task may be larger than all that is allowed, alone. */
    private boolean takeRoom(long bytes) {
        if (bytes > 0 && heldBytes > 0 && heldBytes + bytes > maxBytes) {
            return false;
        }
        heldBytes += bytes;
        return true;
    }

    private void returnRoom(long bytes) {
        if (bytes > 0) {
            synchronized (room) {
                heldBytes -= bytes;
                room.notifyAll();
            }
        }
    }

    /** For tests: what waits and what runs. */
    long heldBytes() {
        synchronized (room) {
            return heldBytes;
        }
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
        @Nullable Task task = null;
        try {
            task = tasks.take();
            if (task == END) {
                return false;
            }
            task.work().run();
        } catch (InterruptedException e) {
            return !ended;
        } catch (RuntimeException | Error e) {
            failures.add(e);
        } finally {
            if (task != null) {
                returnRoom(task.bytes());
            }
        }
        return !ended;
    }
}
