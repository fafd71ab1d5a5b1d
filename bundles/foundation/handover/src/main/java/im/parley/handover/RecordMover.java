package im.parley.handover;

import im.parley.api.storage.RecordStore;
import im.parley.slot.Mover;
import im.parley.slot.Slot;
import org.osgi.service.component.annotations.Component;

/** Moves records: the slot {@code storage.records}. */
@Component(name = "im.parley.handover.records", service = Mover.class, property = Slot.NAME + "=storage.records")
public final class RecordMover implements Mover {
    @Override
    public Tap tap(Object opened) {
        return new RecordTap((RecordStore) opened);
    }
}
