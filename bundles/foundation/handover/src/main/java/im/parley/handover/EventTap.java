package im.parley.handover;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.protocol.Kinds;
import im.parley.slot.Mover;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A tap on a store of events. Events and tombstones have positions in the order of commit, so the store is its own journal
 * of them. What is removed leaves no position: while the tap journals, the ids that a batch removes, and the addresses they
 * hold, are on disk beside the store before the batch is.
 */
final class EventTap implements Mover.Tap, EventStore {
    private static final String REMOVED = "removed";
    private static final int IDS_AT_ONCE = 500;

    private final EventStore primary;
    private final Gate<EventStore> gate = new Gate<>();
    private volatile @Nullable IntentLog journal;
    private volatile @Nullable Path directory;

    EventTap(EventStore primary) {
        this.primary = primary;
    }

    EventStore primary() {
        return primary;
    }

    @Nullable
    IntentLog removed() {
        return journal;
    }

    @Override
    public Object object() {
        return this;
    }

    @Override
    public void journal(Path where) throws ProviderException {
        if (journal == null) {
            IntentLog opened = IntentLog.open(Directories.made(where).resolve(REMOVED));
            directory = where;
            gate.alone(() -> journal = opened);
        }
    }

    @Override
    public void quiet() throws ProviderException {
        IntentLog log = journal;
        gate.alone(() -> journal = null);
        if (log != null) {
            log.close();
        }
    }

    @Override
    public Mover.Feed feed(Object secondary, String position) throws ProviderException {
        Path where = directory;
        if (where == null) {
            throw new IllegalStateException("nothing is journalled");
        }
        return EventFeed.open(this, (EventStore) secondary, where, position);
    }

    @Override
    public boolean hold(Duration limit) throws InterruptedException {
        return gate.hold(limit);
    }

    @Override
    public void redirect(Mover.Tap other) {
        gate.redirect((EventStore) other.object());
    }

    @Override
    public void release() {
        gate.release();
    }

    // For users

    @Override
    public List<Outcome> commit(Batch batch) throws ProviderException {
        EventStore other = gate.enter();
        if (other != null) {
            return other.commit(batch);
        }
        try {
            IntentLog log = journal;
            List<EventId> removed = log == null ? List.of() : removed(batch);
            if (log == null || removed.isEmpty()) {
                return primary.commit(batch);
            }
            long intent = log.append(lines(removed));
            try {
                return primary.commit(batch);
            } finally {
                log.done(intent);
            }
        } finally {
            gate.leave();
        }
    }

    private static List<EventId> removed(Batch batch) {
        Set<EventId> removed = new LinkedHashSet<>();
        for (Batch.Item item : batch.items()) {
            if (item instanceof Batch.Item.Remove remove) {
                removed.add(remove.id());
            } else if (item instanceof Batch.Item.Bury bury) {
                removed.add(bury.tombstone().target());
            }
        }
        return List.copyOf(removed);
    }

    /** The ids, and the addresses of those that are there. */
    private List<String> lines(List<EventId> removed) throws ProviderException {
        Set<String> lines = new LinkedHashSet<>();
        for (int from = 0; from < removed.size(); from += IDS_AT_ONCE) {
            List<EventId> part = removed.subList(from, Math.min(removed.size(), from + IDS_AT_ONCE));
            part.forEach(id -> lines.add(id.hex()));
            primary.query(Filter.builder().ids(part).build(), event -> {
                Kinds.address(event).ifPresent(address -> lines.add(EventFeed.line(address)));
                return true;
            });
        }
        return List.copyOf(lines);
    }

    private EventStore there() {
        EventStore other = gate.elsewhere();
        return other == null ? primary : other;
    }

    @Override
    public void query(Filter filter, Predicate<Event> visitor) throws ProviderException {
        there().query(filter, visitor);
    }

    @Override
    public void query(Filter filter, @Nullable Place after, Glance glance, Predicate<Event> visitor)
            throws ProviderException {
        there().query(filter, after, glance, visitor);
    }

    @Override
    public boolean contains(EventId id) throws ProviderException {
        return there().contains(id);
    }

    @Override
    public List<Row> scan(long after, int limit) throws ProviderException {
        return there().scan(after, limit);
    }

    @Override
    public long tampered() {
        return there().tampered();
    }
}
