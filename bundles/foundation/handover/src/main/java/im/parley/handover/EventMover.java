package im.parley.handover;

import im.parley.api.storage.EventStore;
import im.parley.slot.Mover;
import im.parley.slot.Slot;
import org.osgi.service.component.annotations.Component;

/** Moves events: the slot {@code storage.events}. */
@Component(name = "im.parley.handover.events", service = Mover.class, property = Slot.NAME + "=storage.events")
public final class EventMover implements Mover {
    @Override
    public Tap tap(Object opened) {
        return new EventTap((EventStore) opened);
    }
}
