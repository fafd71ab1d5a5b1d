package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.protocol.EventWriter;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands new events to the live subscriptions, on one thread of its own, in the order they were stored. It calls no client
 * and no store, so it waits for nobody.
 */
final class LiveFeed {
    private static final Logger LOG = LoggerFactory.getLogger(LiveFeed.class);
    private static final int CAPACITY = 1_024;
    private static final Runnable END = () -> {};

    private final LiveIndex index;
    private final BlockingQueue<Runnable> tasks = new ArrayBlockingQueue<>(CAPACITY);
    private final Consumer<Subscription> tooMuch;
    private final Thread thread;
    private volatile boolean ended;

    /** @param tooMuch told of a subscription that cannot keep what is new while its stored events are sent */
    LiveFeed(LiveIndex index, Consumer<Subscription> tooMuch) {
        this.index = index;
        this.tooMuch = tooMuch;
        thread = new Thread(this::run, "parley-relay-live");
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Runs a task after everything posted before it. Waits while the feed is {@value #CAPACITY} tasks behind. */
    void post(Runnable task) {
        boolean interrupted = false;
        while (!ended) {
            try {
                tasks.put(task);
                break;
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
            } catch (RuntimeException e) {
                LOG.error("Live delivery failed for one event; subscribers find it when they ask again", e);
            }
        }
    }

    /** Delivers; only on this feed's thread. Returns how many subscriptions took it. */
    int deliver(Event event) {
        String json = null;
        int taken = 0;
        for (Subscription subscription : index.candidates(event)) {
            if (!subscription.wants(event)) {
                continue;
            }
            if (json == null) {
                json = EventWriter.write(event);
            }
            switch (subscription.deliverNew(event, json)) {
                case TAKEN -> taken++;
                case TOO_MUCH -> tooMuch.accept(subscription);
                case NOT_WANTED -> {}
            }
        }
        return taken;
    }

    /** Finishes what was posted and ends the thread; waits at most that long. */
    void stop(long millis) throws InterruptedException {
        post(END);
        ended = true;
        thread.join(millis);
    }

    private void run() {
        while (true) {
            Runnable task;
            try {
                task = tasks.take();
            } catch (InterruptedException e) {
                continue;
            }
            if (task == END) {
                ended = true;
                tasks.clear();
                return;
            }
            try {
                task.run();
            } catch (RuntimeException e) {
                LOG.error("Live delivery failed for one event", e);
            }
        }
    }
}
