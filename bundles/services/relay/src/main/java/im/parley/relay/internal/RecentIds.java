package im.parley.relay.internal;

import im.parley.api.event.EventId;
import java.util.Iterator;
import java.util.LinkedHashSet;

/** The ids seen last, for events that are not stored. Not thread-safe. */
final class RecentIds {
    private final int capacity;
    private final LinkedHashSet<EventId> ids = new LinkedHashSet<>();

    RecentIds(int capacity) {
        this.capacity = capacity;
    }

    boolean contains(EventId id) {
        return ids.contains(id);
    }

    void add(EventId id) {
        if (ids.add(id) && ids.size() > capacity) {
            Iterator<EventId> oldest = ids.iterator();
            oldest.next();
            oldest.remove();
        }
    }
}
