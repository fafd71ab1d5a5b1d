package im.parley.storage.derby;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.RecordStore;
import im.parley.tck.storage.fault.StoreUnderTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/** Both stores on Derby, for the tests of faults. */
public final class DerbyUnderTest implements StoreUnderTest {
    private static final List<String> STORES = List.of("events", "records");
    /** Log files are never renamed, only new ones begun. */
    private static final int LOG_FILES = 30;

    public DerbyUnderTest() {}

    @Override
    public Stores open(Path home) throws ProviderException {
        DerbyEngine engine = new DerbyEngine();
        try {
            DerbyEventStore events =
                    DerbyEventStore.open(engine, Homes.context(home.resolve("events")), Homes.SMALL, 256, 4);
            DerbyRecordStore records =
                    DerbyRecordStore.open(engine, Homes.context(home.resolve("records")), Homes.SMALL, 64);
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
            Path database = home.resolve(store).resolve("data/db");
            try (Stream<Path> all = Files.walk(database)) {
                // The log and its control files as often as all the others together, for they matter most.
                for (Path file : all.filter(Files::isRegularFile).sorted().toList()) {
                    String name = database.relativize(file).toString();
                    int times = name.startsWith("log/log") ? 20 : name.matches("seg0/.*|[a-zA-Z.]+") ? 1 : 0;
                    files.addAll(Collections.nCopies(times, file));
                }
            }
        }
        return files;
    }

    @Override
    public List<WriteFault> writeFaults(Path home) throws IOException {
        List<Path> logs = new ArrayList<>();
        List<Path> pages = new ArrayList<>();
        List<Path> controls = new ArrayList<>();
        for (String store : STORES) {
            Path database = home.resolve(store).resolve("data/db").toRealPath();
            for (int i = 1; i <= LOG_FILES; i++) {
                logs.add(database.resolve("log/log" + i + ".dat"));
            }
            controls.add(database.resolve("log/log.ctrl"));
            controls.add(database.resolve("log/logmirror.ctrl"));
            try (Stream<Path> all = Files.list(database.resolve("seg0"))) {
                pages.addAll(all.toList());
            }
        }
        return List.of(
                new WriteFault("the log", logs, List.of("write", "pwrite64"), true),
                new WriteFault("a data page", pages, List.of("write", "pwrite64", "fsync", "fdatasync"), false),
                new WriteFault("a checkpoint", controls, List.of("write", "pwrite64", "fsync", "fdatasync"), false));
    }
}
