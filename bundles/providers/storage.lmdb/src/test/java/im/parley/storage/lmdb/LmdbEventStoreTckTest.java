package im.parley.storage.lmdb;

import im.parley.api.storage.EventStore;
import im.parley.tck.storage.EventStoreContract;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LmdbEventStoreTckTest extends EventStoreContract {
    private final LmdbEngine engine = new LmdbEngine();
    private final Homes homes;
    private final IdentityHashMap<EventStore, TestContext> contexts = new IdentityHashMap<>();

    LmdbEventStoreTckTest(@TempDir Path folder) {
        homes = new Homes(folder);
    }

    @AfterAll
    void shutDown() {
        engine.close();
    }

    @Override
    protected EventStore open() throws Exception {
        return open(homes.next());
    }

    private EventStore open(TestContext context) throws Exception {
        LmdbEventStore store = LmdbEventStore.open(engine, context, Homes.MAP_BYTES, 256);
        contexts.put(store, context);
        return store;
    }

    @Override
    protected EventStore reopen(EventStore store) throws Exception {
        TestContext context = Objects.requireNonNull(contexts.get(store));
        close(store);
        return open(context);
    }

    @Override
    protected void close(EventStore store) {
        ((LmdbEventStore) store).close();
        contexts.remove(store);
    }
}
