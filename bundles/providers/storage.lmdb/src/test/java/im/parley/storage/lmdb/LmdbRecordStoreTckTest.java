package im.parley.storage.lmdb;

import im.parley.api.storage.RecordStore;
import im.parley.tck.storage.RecordStoreContract;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LmdbRecordStoreTckTest extends RecordStoreContract {
    private final LmdbEngine engine = new LmdbEngine();
    private final Homes homes;
    private final IdentityHashMap<RecordStore, TestContext> contexts = new IdentityHashMap<>();

    LmdbRecordStoreTckTest(@TempDir Path folder) {
        homes = new Homes(folder);
    }

    @AfterAll
    void shutDown() {
        engine.close();
    }

    @Override
    protected RecordStore open() throws Exception {
        return open(homes.next());
    }

    private RecordStore open(TestContext context) throws Exception {
        LmdbRecordStore store = LmdbRecordStore.open(engine, context, Homes.MAP_BYTES, 64);
        contexts.put(store, context);
        return store;
    }

    @Override
    protected RecordStore reopen(RecordStore store) throws Exception {
        TestContext context = Objects.requireNonNull(contexts.get(store));
        close(store);
        return open(context);
    }

    @Override
    protected void close(RecordStore store) {
        ((LmdbRecordStore) store).close();
        contexts.remove(store);
    }
}
