package im.parley.storage.derby;

import im.parley.api.storage.RecordStore;
import im.parley.tck.storage.RecordStoreContract;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DerbyRecordStoreTckTest extends RecordStoreContract {
    private final DerbyEngine engine = new DerbyEngine();
    private final Homes homes;
    private final IdentityHashMap<RecordStore, TestContext> contexts = new IdentityHashMap<>();

    DerbyRecordStoreTckTest(@TempDir Path folder) {
        homes = new Homes(folder, engine, RecordTables.SCHEMA);
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
        DerbyRecordStore store = DerbyRecordStore.open(engine, context, Homes.SMALL, 64);
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
        ((DerbyRecordStore) store).close();
        contexts.remove(store);
    }
}
