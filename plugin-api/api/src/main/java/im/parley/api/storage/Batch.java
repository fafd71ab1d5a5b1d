package im.parley.api.storage;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import java.util.List;

/**
 * What one commit does, in order.
 *
 * @param items 1 to 10,000
 */
public record Batch(List<Item> items) {
    public Batch {
        items = List.copyOf(items);
    }

    /** One change. */
    public sealed interface Item {
        /**
         * Store a verified event. Replaceable and addressable kinds replace an older one (lower {@code created_at}, or
         * equal and higher id) of the same address.
         */
        record Put(Event event, long receivedAtMillis) implements Item {}

        /** Remove an event without leaving a mark. */
        record Remove(EventId id) implements Item {}

        /** Remove an event and refuse it from now on, as far as {@link Tombstone#forbids}; also before it was ever seen. */
        record Bury(Tombstone tombstone, long receivedAtMillis) implements Item {}
    }
}
