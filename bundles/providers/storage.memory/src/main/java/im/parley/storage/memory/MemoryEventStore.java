package im.parley.storage.memory;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Tombstone;
import im.parley.protocol.Address;
import im.parley.protocol.FilterMatch;
import im.parley.protocol.Kinds;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * Events in a map, every query a walk over all of them. Thread-safe: one lock for everything but the visitor. Nothing
 * survives the object.
 */
public final class MemoryEventStore implements EventStore {
    /** Newest first, ties by lowest id: the order of every query (NIP-01). */
    private static final Comparator<Event> ORDER =
            Comparator.comparingLong(Event::createdAt).reversed().thenComparing(Event::id);

    private final Map<EventId, Row.Stored> events = new HashMap<>();
    private final Set<Tombstone> tombstones = new HashSet<>();
    private final TreeMap<Long, Row> rows = new TreeMap<>();
    private long lastPosition;

    public MemoryEventStore() {}

    @Override
    public synchronized List<Outcome> commit(Batch batch) {
        List<Batch.Item> items = batch.items();
        if (items.isEmpty() || items.size() > 10_000) {
            throw new IllegalArgumentException("a batch has 1 to 10,000 items");
        }
        List<Outcome> outcomes = new ArrayList<>(items.size());
        for (Batch.Item item : items) {
            outcomes.add(apply(item));
        }
        return List.copyOf(outcomes);
    }

    private Outcome apply(Batch.Item item) {
        if (item instanceof Batch.Item.Put put) {
            return put(put.event(), put.receivedAtMillis());
        }
        if (item instanceof Batch.Item.Remove remove) {
            return remove(remove.id()) ? Outcome.REMOVED : Outcome.ABSENT;
        }
        Batch.Item.Bury bury = (Batch.Item.Bury) item;
        return bury(bury.tombstone(), bury.receivedAtMillis());
    }

    private Outcome put(Event event, long receivedAtMillis) {
        if (events.containsKey(event.id())) {
            return Outcome.DUPLICATE;
        }
        if (tombstones.stream().anyMatch(tombstone -> tombstone.forbids(event))) {
            return Outcome.DELETED;
        }
        Optional<Event> holder = holderOfAddress(event);
        if (holder.isPresent()) {
            if (ORDER.compare(holder.get(), event) < 0) {
                return Outcome.SUPERSEDED;
            }
            remove(holder.get().id());
        }
        Row.Stored row = new Row.Stored(++lastPosition, receivedAtMillis, event);
        events.put(event.id(), row);
        rows.put(row.position(), row);
        return Outcome.STORED;
    }

    private boolean remove(EventId id) {
        Row.Stored row = events.remove(id);
        if (row == null) {
            return false;
        }
        rows.remove(row.position());
        return true;
    }

    private Outcome bury(Tombstone tombstone, long receivedAtMillis) {
        if (!tombstones.add(tombstone)) {
            return Outcome.DUPLICATE;
        }
        Row.Stored target = events.get(tombstone.target());
        if (target != null && tombstone.forbids(target.event())) {
            remove(tombstone.target());
        }
        rows.put(++lastPosition, new Row.Deleted(lastPosition, receivedAtMillis, tombstone));
        return Outcome.STORED;
    }

    private Optional<Event> holderOfAddress(Event event) {
        Optional<Address> address = Kinds.address(event);
        if (address.isEmpty()) {
            return Optional.empty();
        }
        return events.values().stream()
                .map(Row.Stored::event)
                .filter(other -> Kinds.address(other).equals(address))
                .findFirst();
    }

    @Override
    public void query(Filter filter, Predicate<Event> visitor) {
        for (Event event : matching(filter)) {
            if (!visitor.test(event)) {
                return;
            }
        }
    }

    private synchronized List<Event> matching(Filter filter) {
        return events.values().stream()
                .map(Row.Stored::event)
                .filter(event -> FilterMatch.matches(filter, event))
                .sorted(ORDER)
                .limit(filter.limit().orElse(Integer.MAX_VALUE))
                .toList();
    }

    @Override
    public synchronized boolean contains(EventId id) {
        return events.containsKey(id);
    }

    @Override
    public synchronized List<Row> scan(long after, int limit) {
        if (after < 0 || limit < 1 || limit > 10_000) {
            throw new IllegalArgumentException("a scan starts at 0 or more and takes 1 to 10,000 rows");
        }
        return rows.tailMap(after, false).values().stream().limit(limit).toList();
    }
}
