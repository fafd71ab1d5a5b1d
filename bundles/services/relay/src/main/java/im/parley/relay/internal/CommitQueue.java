package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.protocol.Kinds;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one writer: takes everything that is queued, commits it as one batch, and only then tells each publisher and the
 * live feed. The more arrives, the larger the batches and the cheaper the sync of each event.
 */
final class CommitQueue {
    /** Code of a failure that leaves open whether the event was stored. */
    static final String UNKNOWN = "relay.internal";

    private static final Logger LOG = LoggerFactory.getLogger(CommitQueue.class);
    private static final int CAPACITY = 8_192;
    private static final int MAX_BATCH = 512;
    private static final long RECHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /** Who waits for the answer; told once, on the writer's thread, and must not block. */
    interface Publisher {
        void committed(Event event, Outcome outcome);

        /** Nothing was stored; whether it was is open if the code is {@value #UNKNOWN}. */
        void failed(Event event, ProviderException failure);

        /** Nothing was stored, because a request of its author forbids it. */
        void forbidden(Event event, String reason);

        /** Whether clients whose subscriptions match hear of it as new. */
        default boolean wantsOthersTold() {
            return true;
        }

        /** One of the others threw, so nothing may have been said: silence must end. Called again if it throws itself. */
        void broken();
    }

    /** Only the writer's, once it is taken. */
    private enum Answer {
        OWED,
        /** Saying it failed. */
        BROKEN,
        GIVEN
    }

    private static final class Entry {
        private final Event event;
        private final long receivedAtMillis;
        private final long bytes;
        private final Publisher publisher;
        private Answer answer = Answer.OWED;

        Entry(Event event, long receivedAtMillis, long bytes, Publisher publisher) {
            this.event = event;
            this.receivedAtMillis = receivedAtMillis;
            this.bytes = bytes;
            this.publisher = publisher;
        }

        Event event() {
            return event;
        }

        long receivedAtMillis() {
            return receivedAtMillis;
        }

        long bytes() {
            return bytes;
        }
    }

    private final Slot<EventStore> store;
    private final LiveFeed live;
    private final Expirations expirations;
    private final Vanished vanished = new Vanished();
    private final long maxBytes;
    private final Failures failures;
    private final AtomicLong queuedBytes = new AtomicLong();
    private final LongAdder stored = new LongAdder();
    /** Empty marks the end. */
    private final BlockingQueue<Optional<Entry>> queue = new ArrayBlockingQueue<>(CAPACITY);

    private final Thread thread;
    private volatile boolean ended;

    // Only the writer's, and with room for a batch from the start.
    private final List<Optional<Entry>> taken = new ArrayList<>(MAX_BATCH);
    /** Taken and not all answered. */
    private final List<Entry> owed = new ArrayList<>(MAX_BATCH);

    private final ProviderException unknown = new ProviderException(
            Kind.INTERNAL, UNKNOWN, "it is not known whether this was stored, send it again later");
    /** The end was taken. */
    private boolean last;

    /** Only the writer's: one line per outage, however many events it costs. */
    private boolean failing;

    /** Only the writer's: false once a failure to erase was logged. */
    private boolean erasing = true;

    private final Object commitLock = new Object();
    private boolean committing;
    private List<Runnable> afterCommit = new ArrayList<>();

    /** @param maxBytes of heap that queued events may take together */
    CommitQueue(Slot<EventStore> store, LiveFeed live, Expirations expirations, Drops drops, long maxBytes) {
        this.store = store;
        this.live = live;
        this.expirations = expirations;
        this.maxBytes = maxBytes;
        failures =
                new Failures(LOG, drops, "internal.writer", "The writer failed; its publishers are told to try again");
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
        long bytes = Weight.of(event);
        if (ended || queuedBytes.get() + bytes > maxBytes && queuedBytes.get() > 0) {
            return false;
        }
        queuedBytes.addAndGet(bytes);
        boolean taken = queue.offer(Optional.of(new Entry(event, receivedAtMillis, bytes, publisher)));
        if (!taken) {
            queuedBytes.addAndGet(-bytes);
        }
        return taken;
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
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        ended = true;
        if (queue.offer(Optional.empty(), millis, TimeUnit.MILLISECONDS)) {
            TimeUnit.NANOSECONDS.timedJoin(thread, deadline - System.nanoTime());
        }
        if (thread.isAlive()) {
            LOG.warn("The relay's writer did not end in time; a commit that is under way may still succeed");
        }
    }

    private void run() {
        try {
            while (step()) {
                // One batch after the other.
            }
        } finally {
            ended = true;
        }
    }

    /**
     * False at the end. No failure ends the loop, and nothing that was taken is dropped without a word: who could not be
     * answered is told again until it works, and a batch of those stops the writer. What this needs is made before, since it
     * has to work when there is no memory left.
     */
    private boolean step() {
        int before = owed.size();
        try {
            if (before == MAX_BATCH) {
                LockSupport.parkNanos(RETRY_NANOS);
                return true;
            }
            Optional<Entry> first = queue.poll(before > 0 ? RETRY_NANOS : RECHECK_NANOS, TimeUnit.NANOSECONDS);
            if (first != null) {
                take(first);
                commitInParts(owed.subList(before, owed.size()));
            } else if (vanished.isBehind() && !ended) {
                eraseAgain();
            }
            return !last && (first != null || !ended);
        } catch (InterruptedException e) {
            return true;
        } catch (RuntimeException | Error e) {
            failures.add(e);
            return !last;
        } finally {
            answerTheRest();
        }
    }

    private void take(Optional<Entry> first) {
        taken.add(first);
        try {
            queue.drainTo(taken, MAX_BATCH - 1 - owed.size());
        } finally {
            for (int i = 0; i < taken.size(); i++) {
                Entry entry = taken.get(i).orElse(null);
                if (entry == null) {
                    last = true;
                } else {
                    owed.add(entry);
                }
            }
            taken.clear();
        }
    }

    /** Keeps those that could not be answered even so. */
    private void answerTheRest() {
        int kept = 0;
        for (int i = 0; i < owed.size(); i++) {
            Entry entry = owed.get(i);
            if (entry.answer != Answer.GIVEN) {
                tell(entry, null, unknown);
            }
            if (entry.answer == Answer.GIVEN) {
                queuedBytes.addAndGet(-entry.bytes());
            } else {
                owed.set(kept++, entry);
            }
        }
        while (owed.size() > kept) {
            owed.remove(owed.size() - 1);
        }
    }

    /** In order; a request to delete or to vanish is committed alone, since it decides about those behind it. */
    private void commitInParts(List<Entry> entries) {
        int from = 0;
        for (int i = 0; i < entries.size(); i++) {
            if (isRequest(entries.get(i))) {
                commitIfAny(entries.subList(from, i));
                commitIfAny(entries.subList(i, i + 1));
                from = i + 1;
            }
        }
        commitIfAny(entries.subList(from, entries.size()));
    }

    private static boolean isRequest(Entry entry) {
        return entry.event().kind() == Kinds.DELETION || entry.event().kind() == Kinds.VANISH;
    }

    private void commitIfAny(List<Entry> entries) {
        if (!entries.isEmpty()) {
            commit(List.copyOf(entries));
        }
    }

    private void commit(List<Entry> asked) {
        List<Entry> entries = new ArrayList<>(asked);
        List<Event> fresh = new ArrayList<>(entries.size());
        long freshBytes = 0;
        ProviderException failure = null;
        synchronized (commitLock) {
            committing = true;
        }
        try {
            List<Outcome> outcomes = apply(entries);
            failing = false;
            for (int i = 0; i < entries.size(); i++) {
                if (outcomes.get(i) == Outcome.STORED) {
                    stored.increment();
                    expirations.stored(entries.get(i).event());
                    if (entries.get(i).publisher.wantsOthersTold()) {
                        fresh.add(entries.get(i).event());
                        freshBytes += entries.get(i).bytes();
                    }
                }
            }
            for (int i = 0; i < entries.size(); i++) {
                tell(entries.get(i), outcomes.get(i), null);
            }
        } catch (ProviderException e) {
            failure = e;
        } finally {
            try {
                if (!fresh.isEmpty()) {
                    live.post(() -> live.deliverAll(fresh), freshBytes);
                }
            } finally {
                letWaitingGo();
            }
        }
        if (failure != null) {
            refuse(entries, failure);
        }
    }

    private void letWaitingGo() {
        List<Runnable> waiting;
        synchronized (commitLock) {
            committing = false;
            waiting = afterCommit;
            afterCommit = new ArrayList<>();
        }
        waiting.forEach(live::post);
    }

    /**
     * One publisher that fails does not keep the others from their answers.
     *
     * @param outcome or else a failure
     */
    private void tell(Entry entry, @Nullable Outcome outcome, @Nullable ProviderException failure) {
        if (entry.answer == Answer.OWED) {
            // Should saying it fail, it is not said again: half of it may have been.
            entry.answer = Answer.BROKEN;
            try {
                if (outcome != null) {
                    entry.publisher.committed(entry.event(), outcome);
                } else {
                    entry.publisher.failed(entry.event(), failure == null ? unknown : failure);
                }
                entry.answer = Answer.GIVEN;
                failures.over();
                return;
            } catch (RuntimeException | Error e) {
                failures.add(e);
            }
        }
        breakOff(entry);
    }

    private void breakOff(Entry entry) {
        if (entry.answer == Answer.BROKEN) {
            try {
                entry.publisher.broken();
                entry.answer = Answer.GIVEN;
            } catch (RuntimeException | Error e) {
                failures.add(e);
            }
        }
    }

    /** @param entries those that are forbidden are answered and taken out */
    private List<Outcome> apply(List<Entry> entries) throws ProviderException {
        try (Lease<EventStore> lease = store.acquire()) {
            EventStore events = lease.get();
            vanished.load(events);
            erase(events);
            for (Entry entry : List.copyOf(entries)) {
                String reason = forbidden(events, entry.event());
                if (reason != null) {
                    entries.remove(entry);
                    forbid(entry, reason);
                }
            }
            if (entries.isEmpty()) {
                return List.of();
            }
            List<Batch.Item> items = items(events, entries);
            List<Outcome> outcomes = events.commit(new Batch(items));
            if (outcomes.size() != items.size()) {
                throw new ProviderException(
                        Kind.INTERNAL, "storage.bad-answer", "The event store did not answer for every event.");
            }
            Event first = entries.get(0).event();
            if (first.kind() == Kinds.VANISH) {
                vanished.vanish(first);
                erase(events);
            }
            return outcomes.subList(0, entries.size());
        } catch (RuntimeException | Error e) {
            // An Error too: a provider whose bundle goes away throws LinkageError, and the writer must outlive it.
            throw new ProviderException(
                    Kind.INTERNAL, "storage.internal", "The event store failed; it is not known to have stored.", e);
        }
    }

    /** The requests are stored, so they hold whatever happens here: the writer tries again until all is erased. */
    private void erase(EventStore events) {
        try {
            vanished.erase(events);
            erasing = true;
        } catch (ProviderException | RuntimeException | Error e) {
            if (erasing) {
                erasing = false;
                LOG.warn("What somebody asked to be forgotten is not all erased; the relay tries again until it is", e);
            }
        }
    }

    private void eraseAgain() {
        try (Lease<EventStore> lease = store.acquire()) {
            vanished.load(lease.get());
            erase(lease.get());
        } catch (ProviderException | RuntimeException | Error e) {
            // No store for now; the next second may have one.
            return;
        }
    }

    private @Nullable String forbidden(EventStore events, Event event) throws ProviderException {
        if (vanished.forbids(event)) {
            return "blocked: vanished whom this belongs to has asked this relay to forget it (NIP-62)";
        }
        return Deletion.isDeleted(events, event) ? "blocked: deleted by its author" : null;
    }

    private void forbid(Entry entry, String reason) {
        entry.answer = Answer.BROKEN;
        try {
            entry.publisher.forbidden(entry.event(), reason);
            entry.answer = Answer.GIVEN;
        } catch (RuntimeException | Error e) {
            failures.add(e);
            breakOff(entry);
        }
    }

    private static List<Batch.Item> items(EventStore events, List<Entry> entries) throws ProviderException {
        Entry first = entries.get(0);
        if (first.event().kind() == Kinds.DELETION) {
            return Deletion.batch(events, first.event(), first.receivedAtMillis());
        }
        List<Batch.Item> items = new ArrayList<>(entries.size());
        for (Entry entry : entries) {
            items.add(new Batch.Item.Put(entry.event(), entry.receivedAtMillis()));
        }
        return items;
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
            tell(entry, null, failure);
        }
    }
}
