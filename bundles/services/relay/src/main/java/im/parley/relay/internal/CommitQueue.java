package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one writer: takes everything that is queued, commits it as one batch, and only then tells each publisher and the
 * live feed. The more arrives, the larger the batches and the cheaper the sync of each event.
 */
final class CommitQueue {
    private static final Logger LOG = LoggerFactory.getLogger(CommitQueue.class);
    private static final int CAPACITY = 8_192;
    private static final int MAX_BATCH = 512;

    /** Who waits for the answer; told once, on the writer's thread, and must not block. */
    interface Publisher {
        void committed(Event event, Outcome outcome);

        /** Nothing was stored. */
        void failed(Event event, ProviderException failure);
    }

    private record Entry(Event event, long receivedAtMillis, Publisher publisher) {}

    private final Slot<EventStore> store;
    private final LiveFeed live;
    private final LongAdder stored = new LongAdder();
    /** Empty marks the end. */
    private final BlockingQueue<Optional<Entry>> queue = new ArrayBlockingQueue<>(CAPACITY);

    private final Thread thread;
    private volatile boolean ended;

    /** Only the writer's: one line per outage, however many events it costs. */
    private boolean failing;

    private final Object commitLock = new Object();
    private boolean committing;
    private List<Runnable> afterCommit = new ArrayList<>();

    CommitQueue(Slot<EventStore> store, LiveFeed live) {
        this.store = store;
        this.live = live;
        thread = new Thread(this::run, "parley-relay-writer");
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    long stored() {
        return stored.sum();
    }

    /** False if too much is queued or the relay stops; then nothing happened. */
    boolean offer(Event event, long receivedAtMillis, Publisher publisher) {
        return !ended && queue.offer(Optional.of(new Entry(event, receivedAtMillis, publisher)));
    }

    /**
     * Runs a task on the live feed after every event that is visible in the store by now has passed there. A commit
     * becomes visible a moment before the feed hears of it; a task posted in that moment would come too early.
     */
    void afterVisible(Runnable task) {
        synchronized (commitLock) {
            if (committing) {
                afterCommit.add(task);
                return;
            }
        }
        live.post(task);
    }

    /** Stores what is queued and ends the thread; waits at most that long. The thread is never interrupted mid-commit. */
    void stop(long millis) throws InterruptedException {
        ended = true;
        if (queue.offer(Optional.empty(), millis, TimeUnit.MILLISECONDS)) {
            thread.join(millis);
        }
    }

    private void run() {
        List<Optional<Entry>> taken = new ArrayList<>();
        boolean last = false;
        while (!last) {
            taken.clear();
            try {
                taken.add(queue.take());
            } catch (InterruptedException e) {
                continue;
            }
            queue.drainTo(taken, MAX_BATCH - 1);
            List<Entry> entries = taken.stream().flatMap(Optional::stream).toList();
            last = entries.size() < taken.size();
            if (!entries.isEmpty()) {
                commit(entries);
            }
        }
    }

    private void commit(List<Entry> entries) {
        List<Event> fresh = new ArrayList<>();
        ProviderException failure = null;
        synchronized (commitLock) {
            committing = true;
        }
        try {
            List<Batch.Item> items = new ArrayList<>(entries.size());
            for (Entry entry : entries) {
                items.add(new Batch.Item.Put(entry.event(), entry.receivedAtMillis()));
            }
            List<Outcome> outcomes = apply(new Batch(items));
            failing = false;
            for (int i = 0; i < entries.size(); i++) {
                if (outcomes.get(i) == Outcome.STORED) {
                    stored.increment();
                    fresh.add(entries.get(i).event());
                }
            }
            for (int i = 0; i < entries.size(); i++) {
                entries.get(i).publisher().committed(entries.get(i).event(), outcomes.get(i));
            }
        } catch (ProviderException e) {
            failure = e;
        } finally {
            if (!fresh.isEmpty()) {
                live.post(() -> live.deliverAll(fresh));
            }
            List<Runnable> waiting;
            synchronized (commitLock) {
                committing = false;
                waiting = afterCommit;
                afterCommit = new ArrayList<>();
            }
            waiting.forEach(live::post);
        }
        if (failure != null) {
            refuse(entries, failure);
        }
    }

    private List<Outcome> apply(Batch batch) throws ProviderException {
        try (Lease<EventStore> lease = store.acquire()) {
            List<Outcome> outcomes = lease.get().commit(batch);
            if (outcomes.size() != batch.items().size()) {
                throw new ProviderException(
                        Kind.INTERNAL, "storage.bad-answer", "The event store did not answer for every event.");
            }
            return outcomes;
        } catch (RuntimeException | Error e) {
            // An Error too: a provider whose bundle goes away throws LinkageError, and the writer must outlive it.
            throw new ProviderException(
                    Kind.INTERNAL, "storage.internal", "The event store failed; it is not known to have stored.", e);
        }
    }

    /** One event must not take the others of its batch down with it, unless the store as a whole is out of order. */
    private void refuse(List<Entry> entries, ProviderException failure) {
        boolean whole = failure.kind() == Kind.UNAVAILABLE || failure.kind() == Kind.EXHAUSTED;
        if (entries.size() > 1 && !whole) {
            for (Entry entry : entries) {
                commit(List.of(entry));
            }
            return;
        }
        if (!failing) {
            failing = true;
            LOG.warn(
                    "Events are refused because the store failed ({}): {} Publishers are told to try again",
                    failure.code(),
                    failure.getMessage(),
                    failure.getCause());
        }
        for (Entry entry : entries) {
            entry.publisher().failed(entry.event(), failure);
        }
    }
}
