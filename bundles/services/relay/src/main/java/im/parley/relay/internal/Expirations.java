package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.EventStore.Row;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalLong;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * When events end (NIP-40). What has expired is never served, and removed soon after; a clock that is set back brings
 * nothing back, because time as seen here only moves forward. Thread-safe.
 *
 * <p>The next expirations are known in memory. After a start they are read from the store, a page at a time.
 */
final class Expirations {
    private static final Logger LOG = LoggerFactory.getLogger(Expirations.class);
    private static final String TAG = "expiration";
    /** Up to 2^53, what JSON parsers keep. */
    private static final int MOST_DIGITS = 15;

    private static final int MOST_KNOWN = 100_000;
    private static final int PAGE = 500;
    /** Rows of the largest size in memory at once. */
    private static final int READ_PAGE = 20;

    private record Due(long at, EventId id) {}

    private final InstantSource clock;
    private final AtomicLong latest = new AtomicLong();

    // With the lock on due.
    private final TreeSet<Due> due =
            new TreeSet<>(Comparator.comparingLong(Due::at).thenComparing(Due::id));
    /** Some were left out for room: when half of the rest has passed, the store is read again. */
    private boolean leftOut;

    private long readUpTo;
    private boolean read;

    Expirations(InstantSource clock) {
        this.clock = clock;
    }

    /**
     * When an event says that it ends, in seconds since the epoch.
     *
     * @throws ProtocolException {@code expiration} if it says so badly or twice
     */
    static OptionalLong of(Event event) throws ProtocolException {
        OptionalLong found = OptionalLong.empty();
        for (List<String> tag : event.tags()) {
            if (tag.get(0).equals(TAG)) {
                String value = tag.size() > 1 ? tag.get(1) : "";
                boolean digits = !value.isEmpty()
                        && value.length() <= MOST_DIGITS
                        && value.chars().allMatch(c -> c >= '0' && c <= '9');
                if (!digits || found.isPresent()) {
                    throw new ProtocolException(
                            TAG, "one expiration tag with whole seconds since the epoch is allowed");
                }
                found = OptionalLong.of(Long.parseLong(value));
            }
        }
        return found;
    }

    /** An event that says badly when it ends does not end; none is stored since they are refused. */
    private static OptionalLong leniently(Event event) {
        try {
            return Kinds.isEphemeral(event.kind()) ? OptionalLong.empty() : of(event);
        } catch (ProtocolException e) {
            return OptionalLong.empty();
        }
    }

    /** The latest second this relay has seen. */
    private long now() {
        return latest.accumulateAndGet(clock.instant().getEpochSecond(), Math::max);
    }

    boolean isExpired(Event event) {
        OptionalLong end = leniently(event);
        return end.isPresent() && end.getAsLong() <= now();
    }

    void stored(Event event) {
        OptionalLong end = leniently(event);
        if (end.isPresent()) {
            synchronized (due) {
                due.add(new Due(end.getAsLong(), event.id()));
                if (due.size() > MOST_KNOWN) {
                    due.pollLast();
                    leftOut = true;
                }
            }
        }
    }

    /** Reads one more page of the store if there is one, and removes what has expired. For one thread at a time. */
    void sweep(EventStore store) throws ProviderException {
        readOn(store);
        List<Due> passed = new ArrayList<>();
        synchronized (due) {
            long now = now();
            while (!due.isEmpty() && due.first().at() <= now && passed.size() < PAGE) {
                passed.add(due.pollFirst());
            }
            if (due.size() < MOST_KNOWN / 2 && leftOut) {
                leftOut = false;
                read = false;
                readUpTo = 0;
            }
        }
        if (passed.isEmpty()) {
            return;
        }
        boolean removed = false;
        try {
            List<Batch.Item> gone = new ArrayList<>();
            passed.forEach(each -> gone.add(new Batch.Item.Remove(each.id())));
            store.commit(new Batch(gone));
            removed = true;
        } finally {
            if (!removed) {
                // They are not served; the next sweep removes them.
                synchronized (due) {
                    due.addAll(passed);
                }
            }
        }
        LOG.debug("{} events have expired", passed.size());
    }

    private void readOn(EventStore store) throws ProviderException {
        long from;
        synchronized (due) {
            if (read) {
                return;
            }
            from = readUpTo;
        }
        List<Row> page = store.scan(from, READ_PAGE);
        for (Row row : page) {
            from = row.position();
            if (row instanceof Row.Stored stored) {
                stored(stored.event());
            }
        }
        synchronized (due) {
            readUpTo = from;
            read = page.size() < READ_PAGE;
        }
    }

    /** Whether there is more to read or to remove right now. */
    boolean isBehind() {
        synchronized (due) {
            return !read || !due.isEmpty() && due.first().at() <= now();
        }
    }
}
