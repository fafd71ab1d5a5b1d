package im.parley.tck.storage;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore.Row;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Tombstone;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What a store must do, written as one list and loops over it: the twin of the random comparison. */
final class DumbEventStore {
    private final List<Row> rows = new ArrayList<>();
    private long lastPosition;

    List<Outcome> commit(Batch batch) {
        return batch.items().stream().map(this::apply).toList();
    }

    private Outcome apply(Batch.Item item) {
        if (item instanceof Batch.Item.Put put) {
            return put(put.event(), put.receivedAtMillis());
        }
        if (item instanceof Batch.Item.Remove remove) {
            Optional<Row.Stored> row = byId(remove.id());
            row.ifPresent(rows::remove);
            return row.isPresent() ? Outcome.REMOVED : Outcome.ABSENT;
        }
        Batch.Item.Bury bury = (Batch.Item.Bury) item;
        if (isBuried(bury.tombstone())) {
            return Outcome.DUPLICATE;
        }
        byId(bury.tombstone().target())
                .filter(row -> deletes(bury.tombstone(), row.event()))
                .ifPresent(rows::remove);
        rows.add(new Row.Deleted(++lastPosition, bury.receivedAtMillis(), bury.tombstone()));
        return Outcome.STORED;
    }

    private Outcome put(Event event, long receivedAtMillis) {
        if (byId(event.id()).isPresent()) {
            return Outcome.DUPLICATE;
        }
        if (rows.stream().anyMatch(row -> row instanceof Row.Deleted d && deletes(d.tombstone(), event))) {
            return Outcome.DELETED;
        }
        for (Row.Stored row : stored()) {
            Event other = row.event();
            if (sameAddress(other, event)) {
                boolean otherWins = other.createdAt() > event.createdAt()
                        || other.createdAt() == event.createdAt() && other.id().compareTo(event.id()) < 0;
                if (otherWins) {
                    return Outcome.SUPERSEDED;
                }
                rows.remove(row);
            }
        }
        rows.add(new Row.Stored(++lastPosition, receivedAtMillis, event));
        return Outcome.STORED;
    }

    private static boolean sameAddress(Event a, Event b) {
        int kind = a.kind();
        boolean replaceable = kind == 0 || kind == 3 || kind >= 10_000 && kind < 20_000;
        boolean addressable = kind >= 30_000 && kind < 40_000;
        return kind == b.kind()
                && a.pubkey().equals(b.pubkey())
                && (replaceable || addressable && identifier(a).equals(identifier(b)));
    }

    private static String identifier(Event event) {
        for (List<String> tag : event.tags()) {
            if (tag.get(0).equals("d")) {
                return tag.size() > 1 ? tag.get(1) : "";
            }
        }
        return "";
    }

    /** Who may delete what, written down a second time. */
    private static boolean deletes(Tombstone tombstone, Event event) {
        boolean own = tombstone.author().equals(event.pubkey());
        boolean addressed = event.kind() == 1059
                && event.tags().stream()
                        .anyMatch(tag -> tag.size() > 1
                                && tag.get(0).equals("p")
                                && tag.get(1).equals(tombstone.author().hex()));
        return tombstone.target().equals(event.id()) && event.kind() != 5 && event.kind() != 62 && (own || addressed);
    }

    private boolean isBuried(Tombstone tombstone) {
        return rows.stream()
                .anyMatch(row -> row instanceof Row.Deleted d && d.tombstone().equals(tombstone));
    }

    private Optional<Row.Stored> byId(EventId id) {
        return stored().stream().filter(row -> row.event().id().equals(id)).findFirst();
    }

    private List<Row.Stored> stored() {
        return rows.stream()
                .filter(Row.Stored.class::isInstance)
                .map(Row.Stored.class::cast)
                .toList();
    }

    List<Event> events() {
        return stored().stream().map(Row.Stored::event).toList();
    }

    List<Event> query(Filter filter) {
        return events().stream()
                .filter(event -> matches(filter, event))
                .sorted(Comparator.comparingLong(Event::createdAt).reversed().thenComparing(Event::id))
                .limit(filter.limit().orElse(Integer.MAX_VALUE))
                .toList();
    }

    List<Row> scan() {
        return List.copyOf(rows);
    }

    private static boolean matches(Filter filter, Event event) {
        Set<EventId> ids = filter.ids();
        if (ids != null && !ids.contains(event.id())) {
            return false;
        }
        if (filter.authors() != null && !filter.authors().contains(event.pubkey())) {
            return false;
        }
        if (filter.kinds() != null && !filter.kinds().contains(event.kind())) {
            return false;
        }
        if (event.createdAt() < filter.since().orElse(Long.MIN_VALUE)
                || event.createdAt() > filter.until().orElse(Long.MAX_VALUE)) {
            return false;
        }
        for (Map.Entry<Character, Set<String>> condition : filter.tags().entrySet()) {
            String name = condition.getKey().toString();
            if (event.tagValues(name).stream().noneMatch(condition.getValue()::contains)) {
                return false;
            }
        }
        return true;
    }
}
