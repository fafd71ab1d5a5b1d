package im.parley.api.storage;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * The relay's store of verified events. Thread-safe; all calls block on disk and run on host threads.
 *
 * <p>The caller has verified ids and signatures. The store knows the replaceable rule of NIP-01 and tombstones, because
 * both must hold inside one atomic commit.
 */
@ConsumerType
public interface EventStore {
    /**
     * Applies the batch atomically: all of it or, on an exception, nothing. When it returns, everything reported {@link
     * Outcome#STORED} survives a power loss. Items are applied in order, so later ones see earlier ones.
     *
     * @return one outcome per item of the batch, in its order
     * @throws ProviderException {@code EXHAUSTED storage.full}, {@code UNAVAILABLE storage.io-error}; nothing was applied
     */
    List<Outcome> commit(Batch batch) throws ProviderException;

    /**
     * Visits stored events that match, newest {@code created_at} first, ties by lowest id first, until the visitor
     * returns false or the filter's limit is reached. An id condition, an author condition and so on are ANDed; the cost
     * does not depend on how deep {@code until} reaches. The visitor runs on the calling thread inside a read snapshot:
     * it must not call the store.
     *
     * <p>A row that cannot be read back as what was stored (its id no longer recomputes) is skipped and counted, never
     * shown.
     */
    void query(Filter filter, Predicate<Event> visitor) throws ProviderException;

    /**
     * As {@link #query(Filter, Predicate)}, but goes on behind a place that an earlier query has reached, and does not read
     * what the caller would throw away.
     *
     * <p>The filter's limit counts events visited and events left out together, so one call does bounded work; fewer of
     * both than the limit mean the end. A row is glanced at in the order of the query, before it is read and before it is
     * known to match, possibly some rows ahead of the visitor.
     *
     * @param after visits only what comes later in the order; null for the start
     * @param glance called under the store's locks: must return at once and must not call the store
     */
    default void query(Filter filter, @Nullable Place after, Glance glance, Predicate<Event> visitor)
            throws ProviderException {
        int limit = filter.limit().orElse(Integer.MAX_VALUE);
        if (limit == 0) {
            return;
        }
        Filter.Builder rest = filter.toBuilder().limit(Integer.MAX_VALUE);
        if (after != null && after.createdAt() < filter.until().orElse(Long.MAX_VALUE)) {
            rest.until(after.createdAt());
        }
        int[] counted = new int[1];
        query(rest.build(), event -> {
            Place place = Place.of(event);
            if (after != null && place.compareTo(after) <= 0) {
                return true;
            }
            boolean more = !glance.wants(place, event.kind()) || visitor.test(event);
            return more && ++counted[0] < limit;
        });
    }

    /** Whether an event with this id is stored. */
    boolean contains(EventId id) throws ProviderException;

    /**
     * Everything, in an order that never changes: by position of commit. For migration, backup and checks.
     *
     * @param after 0 for the start, else {@link Row#position} of the last row seen
     * @param limit 1 to 10,000
     */
    List<Row> scan(long after, int limit) throws ProviderException;

    /** Rows found damaged since this store was opened; grows only. */
    default long tampered() {
        return 0;
    }

    /** A place in the order of queries: newest first, ties by lowest id. */
    record Place(long createdAt, EventId id) implements Comparable<Place> {
        public static Place of(Event event) {
            return new Place(event.createdAt(), event.id());
        }

        @Override
        public int compareTo(Place other) {
            int byTime = Long.compare(other.createdAt, createdAt);
            return byTime != 0 ? byTime : id.compareTo(other.id);
        }
    }

    /** Tells from what an index knows whether an event is worth reading. */
    @FunctionalInterface
    interface Glance {
        /** Takes every event. */
        Glance ALL = (place, kind) -> true;

        /** False leaves the event out. */
        boolean wants(Place place, int kind);
    }

    /**
     * One row of a scan.
     *
     * @param position greater than 0, strictly growing with commit order, never reused
     * @param receivedAtMillis when the relay took it
     */
    sealed interface Row {
        long position();

        /** A stored event. */
        record Stored(long position, long receivedAtMillis, Event event) implements Row {}

        /** A tombstone. */
        record Deleted(long position, long receivedAtMillis, Tombstone tombstone) implements Row {}
    }
}
