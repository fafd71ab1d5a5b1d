package im.parley.storage.memory;

import im.parley.api.storage.RecordStore;
import im.parley.tck.storage.RecordStoreContract;

class MemoryRecordStoreTckTest extends RecordStoreContract {
    @Override
    protected RecordStore open() {
        return new MemoryRecordStore();
    }

    @Override
    protected RecordStore reopen(RecordStore store) {
        return store;
    }

    @Override
    protected void close(RecordStore store) {}
}
