package im.parley.storage.memory;

import im.parley.api.storage.EventStore;
import im.parley.tck.storage.EventStoreContract;

class MemoryEventStoreTckTest extends EventStoreContract {
    @Override
    protected EventStore open() {
        return new MemoryEventStore();
    }

    @Override
    protected EventStore reopen(EventStore store) {
        return store;
    }

    @Override
    protected void close(EventStore store) {}
}
