package im.parley.storage.lmdb;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.RecordStore;
import im.parley.tck.storage.fault.StoreUnderTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Both stores on LMDB, for the tests of faults. */
public final class LmdbUnderTest implements StoreUnderTest {
    private static final List<String> STORES = List.of("events", "records");

    public LmdbUnderTest() {}

    @Override
    public Stores open(Path home) throws ProviderException {
        LmdbEngine engine = new LmdbEngine();
        try {
            LmdbEventStore events =
                    LmdbEventStore.open(engine, Homes.context(home.resolve("events")), Homes.MAP_BYTES, 256);
            LmdbRecordStore records;
            try {
                records = LmdbRecordStore.open(engine, Homes.context(home.resolve("records")), Homes.MAP_BYTES, 64);
            } catch (ProviderException | RuntimeException e) {
                events.close();
                throw e;
            }
            return new Stores() {
                @Override
                public EventStore events() {
                    return events;
                }

                @Override
                public RecordStore records() {
                    return records;
                }

                @Override
                public void close() {
                    events.close();
                    records.close();
                    engine.close();
                }
            };
        } catch (ProviderException | RuntimeException e) {
            engine.close();
            throw e;
        }
    }

    @Override
    public List<Path> files(Path home) throws IOException {
        List<Path> files = new ArrayList<>();
        for (String store : STORES) {
            try (Stream<Path> all = Files.walk(home.resolve(store).resolve("data"))) {
                all.filter(file -> file.endsWith("data.mdb")).forEach(files::add);
            }
        }
        return files;
    }

    @Override
    public List<WriteFault> writeFaults(Path home) throws IOException {
        return List.of(
                new WriteFault("a page", files(home), List.of("write", "pwrite64", "writev", "pwritev"), true),
                new WriteFault("a sync", files(home), List.of("fsync", "fdatasync"), true));
    }
}
