package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.storage.memory.MemoryEventStore;
import java.util.AbstractList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A store in memory that can be made to wait or to fail. */
final class TestStore implements EventStore {
    final MemoryEventStore memory = new MemoryEventStore();
    final AtomicInteger commits = new AtomicInteger();
    final AtomicInteger largestBatch = new AtomicInteger();
    /** Of queries: calls, rows glanced at, and events read. */
    final AtomicInteger pages = new AtomicInteger();

    final AtomicInteger glanced = new AtomicInteger();
    final AtomicInteger read = new AtomicInteger();
    /** Events that queries without a place have handed to the relay itself. */
    final AtomicInteger walked = new AtomicInteger();

    final AtomicInteger largestScan = new AtomicInteger();
    /** Fails for batches that remove something. */
    volatile boolean removalsFail;

    volatile CountDownLatch gate = new CountDownLatch(0);
    volatile @Nullable ProviderException commitFailure;
    volatile @Nullable ProviderException queryFailure;
    volatile UnaryOperator<List<Outcome>> answer = outcomes -> outcomes;
    /** Throws an unchecked exception for batches that hold this event. */
    volatile @Nullable EventId poison;

    @Override
    public List<Outcome> commit(Batch batch) throws ProviderException {
        commits.incrementAndGet();
        largestBatch.accumulateAndGet(batch.items().size(), Math::max);
        try {
            if (!gate.await(20, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the test never opened the gate");
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        ProviderException failure = commitFailure;
        if (failure != null) {
            throw failure;
        }
        if (removalsFail && batch.items().stream().anyMatch(Batch.Item.Remove.class::isInstance)) {
            throw new ProviderException(Kind.INTERNAL, "test.removal", "The test lets removals fail.");
        }
        EventId bad = poison;
        if (bad != null
                && batch.items().stream()
                        .anyMatch(item -> item instanceof Batch.Item.Put put
                                && put.event().id().equals(bad))) {
            throw new IllegalStateException("poison");
        }
        return answer.apply(memory.commit(batch));
    }

    @Override
    public void query(Filter filter, Predicate<Event> visitor) throws ProviderException {
        ProviderException failure = queryFailure;
        if (failure != null) {
            throw failure;
        }
        memory.query(filter, event -> {
            walked.incrementAndGet();
            return visitor.test(event);
        });
    }

    @Override
    public void query(Filter filter, @Nullable Place after, Glance glance, Predicate<Event> visitor)
            throws ProviderException {
        ProviderException failure = queryFailure;
        if (failure != null) {
            throw failure;
        }
        pages.incrementAndGet();
        memory.query(
                filter,
                after,
                (place, kind) -> {
                    glanced.incrementAndGet();
                    return glance.wants(place, kind);
                },
                event -> {
                    read.incrementAndGet();
                    return visitor.test(event);
                });
    }

    @Override
    public boolean contains(EventId id) {
        return memory.contains(id);
    }

    @Override
    public List<Row> scan(long after, int limit) {
        largestScan.accumulateAndGet(limit, Math::max);
        return memory.scan(after, limit);
    }

    int size() {
        return memory.scan(0, 10_000).size();
    }

    /** An answer that cannot be read: what the writer does with it fails outside all that is prepared for a store's faults. */
    static List<Outcome> unreadable(List<Outcome> outcomes) {
        return new AbstractList<>() {
            @Override
            public Outcome get(int index) {
                throw new OutOfMemoryError("of the test");
            }

            @Override
            public int size() {
                return outcomes.size();
            }
        };
    }
}
