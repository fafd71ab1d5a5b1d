package im.parley.storage.lmdb;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.api.storage.Tombstone;
import im.parley.storage.lmdb.Environment.Cursor;
import im.parley.storage.lmdb.Environment.Pair;
import im.parley.storage.lmdb.Environment.Txn;
import im.parley.tck.storage.SampleEvents;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** What is special about the stores on LMDB: keys, locks, damage, limits, and closing under use. */
@Timeout(120)
class LmdbStoresTest {
    private static final SpaceId SPACE = new SpaceId("test");

    @TempDir
    Path folder;

    private LmdbEngine engine = new LmdbEngine();
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();

    @BeforeEach
    void listenToEverything() {
        log.start();
        Logger root = (Logger) LoggerFactory.getLogger("im.parley");
        root.setLevel(Level.TRACE);
        root.setAdditive(false);
        root.addAppender(log);
    }

    @AfterEach
    void shutDown() {
        engine.close();
        Logger root = (Logger) LoggerFactory.getLogger("im.parley");
        root.detachAppender(log);
        root.setAdditive(true);
        root.setLevel(null);
    }

    private LmdbEventStore events(TestContext context) throws ProviderException {
        return LmdbEventStore.open(engine, context, Homes.MAP_BYTES, 256);
    }

    private LmdbRecordStore records(TestContext context) throws ProviderException {
        return LmdbRecordStore.open(engine, context, Homes.MAP_BYTES, 64);
    }

    private TestContext home(String name) {
        return Homes.context(folder.resolve(name));
    }

    private static List<Outcome> put(EventStore store, Event... events) throws ProviderException {
        return store.commit(new Batch(Stream.of(events)
                .map(event -> (Batch.Item) new Batch.Item.Put(event, 5))
                .toList()));
    }

    private static List<Event> find(EventStore store, Filter filter) throws ProviderException {
        List<Event> found = new ArrayList<>();
        store.query(filter, found::add);
        return found;
    }

    private static List<Event> all(EventStore store) throws ProviderException {
        return find(store, Filter.builder().build());
    }

    private ProviderException refusal(TestContext context) {
        return assertThrows(ProviderException.class, () -> events(context).close());
    }

    private static Path file(TestContext context) {
        return context.dataDir().resolve("db").resolve(Environment.FILE);
    }

    // Damage

    private void tamper(TestContext context, Table[] tables, Environment.Use<Boolean> change) throws Exception {
        engine.load(context.dataDir());
        try (Environment environment = Environment.open(
                        context.dataDir().resolve("db"), Homes.MAP_BYTES, tables, Environment.Mode.EXISTING);
                Txn txn = environment.write()) {
            txn.use(change);
            txn.commit();
        }
    }

    private static byte[] row(Txn txn, long position) throws LmdbException {
        return Objects.requireNonNull(txn.get(EventTable.ROW, EventKeys.number(position)));
    }

    private static void setRow(Txn txn, long position, byte[] row) throws LmdbException {
        txn.put(EventTable.ROW, EventKeys.number(position), row);
    }

    private static void flip(Txn txn, long position, int at) throws LmdbException {
        byte[] row = row(txn, position);
        row[at < 0 ? row.length + at : at] ^= 1;
        setRow(txn, position, row);
    }

    @Test
    void CR_20_aTamperedRowIsSkippedCountedAndRepairedByFetchingItAgain() throws Exception {
        TestContext context = home("tampered");
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            events.add(
                    SampleEvents.event(SampleEvents.author(1), 1_000 - i, 1, List.of(List.of("t", "x")), "text " + i));
        }
        try (LmdbEventStore store = events(context)) {
            put(store, events.toArray(Event[]::new));
        }
        tamper(context, EventTable.values(), txn -> {
            flip(txn, 1, 0);
            flip(txn, 2, 40);
            flip(txn, 3, -1);
            byte[] fourth = row(txn, 4);
            setRow(txn, 4, row(txn, 5));
            setRow(txn, 5, fourth);
            setRow(txn, 6, new byte[3]);
            return txn.delete(EventTable.ROW, EventKeys.number(7));
        });
        try (LmdbEventStore store = events(context)) {
            assertEquals(0, store.tampered());
            List<Event> intact = events.subList(7, 9);
            assertEquals(intact, all(store));
            assertEquals(7, store.tampered());
            assertEquals(intact, all(store));
            Filter tagged = Filter.builder().tag('t', List.of("x")).build();
            assertEquals(intact, find(store, tagged));
            assertEquals(2, store.scan(0, 100).size());
            assertEquals(7, store.tampered(), "a damaged row is counted once");
            assertFalse(store.contains(events.get(0).id()));
            assertTrue(store.contains(events.get(8).id()));

            for (Event event : events.subList(0, 7)) {
                assertEquals(List.of(Outcome.STORED), put(store, event));
            }
            assertEquals(events, all(store));
            assertEquals(events, find(store, tagged));
            assertEquals(9, store.scan(0, 100).size());
        }
        assertTrue(log.list.stream()
                .anyMatch(line -> line.getLevel() == Level.WARN
                        && line.getFormattedMessage().contains("is not what was written")));
        assertTrue(
                log.list.stream().noneMatch(line -> line.getFormattedMessage().contains("text ")));
    }

    @Test
    void aDamagedRowLeavesNothingInTheIndexWhenItIsRemoved() throws Exception {
        TestContext context = home("remains");
        Event gone = SampleEvents.event(
                SampleEvents.author(1), 5, 30_000, List.of(List.of("d", "x"), List.of("t", "y")), "");
        Event stays = SampleEvents.note(6, "stays");
        try (LmdbEventStore store = events(context)) {
            put(store, gone, stays);
        }
        tamper(context, EventTable.values(), txn -> {
            flip(txn, 1, 30);
            return true;
        });
        try (LmdbEventStore store = events(context)) {
            assertEquals(List.of(Outcome.REMOVED), store.commit(new Batch(List.of(new Batch.Item.Remove(gone.id())))));
            assertEquals(List.of(stays), all(store));
        }
        tamper(context, EventTable.values(), txn -> {
            for (EventTable table : List.of(
                    EventTable.ROW,
                    EventTable.ID,
                    EventTable.TIME,
                    EventTable.KIND,
                    EventTable.AUTHOR,
                    EventTable.AUTHOR_KIND,
                    EventTable.TAG)) {
                int entries = 0;
                try (Cursor cursor = txn.cursor(table)) {
                    for (Pair pair = cursor.seek(new byte[1]); pair != null; pair = cursor.next()) {
                        entries++;
                    }
                }
                assertEquals(table == EventTable.TAG ? 0 : 1, entries, table.name());
            }
            return true;
        });
    }

    @Test
    void anIndexEntryThatLeadsElsewhereShowsNothingAndHarmsNothing() throws Exception {
        TestContext context = home("stray");
        Event one = SampleEvents.event(SampleEvents.author(1), 5, 30_000, List.of(List.of("d", "x")), "one");
        Event two = SampleEvents.event(SampleEvents.author(2), 6, 1, List.of(), "two");
        try (LmdbEventStore store = events(context)) {
            put(store, one, two);
        }
        EventKeys.Found wrong = new EventKeys.Found(5, one.id(), 2, 30_000);
        tamper(context, EventTable.values(), txn -> {
            txn.put(EventTable.TIME, wrong.order(), wrong.entry());
            txn.put(EventTable.ID, one.id().bytes(), wrong.found());
            return true;
        });
        try (LmdbEventStore store = events(context)) {
            assertEquals(List.of(two), all(store));
            assertEquals(1, store.tampered());
            assertEquals(
                    List.of(),
                    find(store, Filter.builder().ids(List.of(one.id())).build()));
            assertEquals(
                    List.of(one),
                    find(store, Filter.builder().kinds(List.of(30_000)).build()));
            assertEquals(List.of(Outcome.REMOVED), store.commit(new Batch(List.of(new Batch.Item.Remove(one.id())))));
            assertEquals(List.of(two), all(store));
            assertEquals(List.of(Outcome.DUPLICATE), put(store, two));
        }
    }

    @Test
    void aTamperedRecordIsToldAndTheOthersStay() throws Exception {
        TestContext context = home("tampered-records");
        try (LmdbRecordStore store = records(context)) {
            store.open(SPACE).transact(transaction -> {
                for (byte i = 1; i < 5; i++) {
                    transaction.put(new byte[] {i}, new byte[] {i});
                }
                return true;
            });
        }
        tamper(context, RecordTable.values(), txn -> {
            byte[] first = {0, 0, 0, 1, 1};
            byte[] second = {0, 0, 0, 1, 2};
            byte[] value = Objects.requireNonNull(txn.get(RecordTable.RECORD, first));
            txn.put(RecordTable.RECORD, second, value);
            byte[] third = {0, 0, 0, 1, 3};
            value = Objects.requireNonNull(txn.get(RecordTable.RECORD, third));
            value[value.length - 1] ^= 1;
            txn.put(RecordTable.RECORD, third, value);
            return true;
        });
        try (LmdbRecordStore store = records(context)) {
            Space space = store.open(SPACE);
            for (byte moved : new byte[] {2, 3}) {
                ProviderException damaged = assertThrows(
                        ProviderException.class,
                        () -> space.transact(transaction -> transaction.get(new byte[] {moved}) != null));
                assertEquals(Kind.CORRUPT, damaged.kind());
                assertEquals("store.corrupt", damaged.code());
            }
            assertArrayEquals(new byte[] {4}, space.transact(t -> Objects.requireNonNull(t.get(new byte[] {4}))));
            space.transact(transaction -> {
                transaction.put(new byte[] {2}, new byte[] {2});
                return true;
            });
            assertArrayEquals(new byte[] {2}, space.transact(t -> Objects.requireNonNull(t.get(new byte[] {2}))));
        }
    }

    @Test
    void DB_05_aFileThatIsNotWholeIsToldAndNotTouched() throws Exception {
        TestContext context = home("torn");
        List<Event> events = new ArrayList<>();
        try (LmdbEventStore store = events(context)) {
            for (int i = 0; i < 500; i++) {
                events.add(0, SampleEvents.note(i, "n" + i));
            }
            put(store, events.toArray(Event[]::new));
        }
        byte[] whole = Files.readAllBytes(file(context));
        byte[] noise = whole.clone();
        Arrays.fill(noise, 0, 2 * Environment.SMALLEST_PAGE, (byte) 0x5a);
        for (byte[] torn : List.of(
                new byte[0],
                Arrays.copyOf(whole, 100),
                Arrays.copyOf(whole, 2 * Environment.SMALLEST_PAGE),
                Arrays.copyOf(whole, whole.length / 2),
                Arrays.copyOf(whole, whole.length - 1),
                noise)) {
            Files.write(file(context), torn);
            ProviderException refused = refusal(context);
            assertEquals(Kind.CORRUPT, refused.kind(), refused.toString());
            assertEquals("store.corrupt", refused.code());
            assertArrayEquals(torn, Files.readAllBytes(file(context)));
        }
        Files.delete(file(context));
        assertEquals("store.corrupt", refusal(context).code());
        assertFalse(Files.exists(file(context)), "an empty store would hide that the old one is gone");
        Files.write(file(context), whole);
        try (LmdbEventStore store = events(context)) {
            assertEquals(events, all(store));
        }
    }

    @Test
    void DB_11_aStoreOfANewerVersionIsRefused() throws Exception {
        for (boolean ofEvents : new boolean[] {true, false}) {
            TestContext context = home("newer" + ofEvents);
            if (ofEvents) {
                events(context).close();
            } else {
                records(context).close();
            }
            Table[] tables = ofEvents ? EventTable.values() : RecordTable.values();
            tamper(context, tables, txn -> {
                txn.put(tables[0], Database.ascii("format"), Database.number(2));
                return true;
            });
            ProviderException refused =
                    ofEvents ? refusal(context) : assertThrows(ProviderException.class, () -> records(context));
            assertEquals(Kind.UNSUPPORTED, refused.kind());
            assertEquals("store.too-new", refused.code());
            assertTrue(refused.getMessage().contains("format 2"), refused.getMessage());
        }
    }

    @Test
    void whatWouldNotReadBackIsRefusedAndNothingOfItsBatchIsStored() throws Exception {
        Event good = SampleEvents.note(5, "good");
        Event wrongId = new Event(
                good.id(), good.pubkey(), good.createdAt(), good.kind(), good.tags(), "other text", good.sig());
        Event loneSurrogate =
                new Event(good.id(), good.pubkey(), good.createdAt(), good.kind(), good.tags(), "\ud800", good.sig());
        try (LmdbEventStore store = events(home("unreadable"))) {
            for (Event bad : List.of(wrongId, loneSurrogate)) {
                ProviderException refused = assertThrows(ProviderException.class, () -> put(store, good, bad));
                assertEquals(Kind.REJECTED, refused.kind());
                assertEquals("event.unreadable", refused.code());
            }
            assertEquals(List.of(), all(store));
        }
    }

    // Keys and plaintext

    @Test
    void DB_06_noPlaintextAndNoKeyInTheDataDirectoryNorInTheLog() throws Exception {
        String canary = "canary-7f3a-کناری-कनारी";
        TestContext events = home("plain-events");
        TestContext records = home("plain-records");
        Event event = SampleEvents.event(
                SampleEvents.author(3),
                1_234,
                1,
                List.of(
                        List.of("t", "tag-" + canary),
                        List.of("p", SampleEvents.author(4).hex())),
                "text-" + canary);
        Event large =
                SampleEvents.event(SampleEvents.author(3), 1_235, 1, List.of(), ("large-" + canary).repeat(5_000));
        EventId buried = SampleEvents.note(9, "never seen").id();
        byte[] value = ("value-" + canary).repeat(4_000).getBytes(StandardCharsets.UTF_8);
        // Keys come from the core as keyed hashes and numbers, and lie as they come.
        byte[] key = {1, 2, 3};
        SpaceId named = new SpaceId("canary-7f3a");
        try (LmdbEventStore store = events(events);
                LmdbRecordStore recordStore = records(records)) {
            put(store, event, large);
            store.commit(new Batch(List.of(
                    new Batch.Item.Bury(new Tombstone(large.id(), large.pubkey()), 9),
                    new Batch.Item.Bury(new Tombstone(buried, SampleEvents.author(5)), 9))));
            recordStore.open(named).transact(transaction -> {
                transaction.put(key, value);
                transaction.put(new byte[] {1}, Arrays.copyOf(value, 40));
                return true;
            });
            // The control: it is there, and found by whoever may.
            assertEquals(List.of(event), all(store));
            assertEquals(List.of(named), recordStore.spaces());
            recordStore.open(named).transact(transaction -> {
                assertEquals(value.length, Objects.requireNonNull(transaction.get(key)).length);
                return true;
            });
            for (TestContext context : List.of(events, records)) {
                assertNothingPlain(context, buried);
            }
        }
        for (TestContext context : List.of(events, records)) {
            assertNothingPlain(context, buried);
        }
        Path planted = events.dataDir().resolve("planted");
        Files.writeString(planted, "noise text-" + canary + " noise");
        assertThrows(AssertionError.class, () -> assertNothingPlain(events, buried));
        Files.write(planted, SampleEvents.author(4).bytes());
        assertThrows(AssertionError.class, () -> assertNothingPlain(events, buried));
    }

    private void assertNothingPlain(TestContext context, EventId buried) throws Exception {
        byte[] raw = Files.readAllBytes(context.vault().resolve("db-key"));
        String hex = HexFormat.of().formatHex(raw);
        List<byte[]> secrets = new ArrayList<>(List.of(raw, buried.bytes()));
        for (int author = 3; author <= 5; author++) {
            secrets.add(Arrays.copyOf(SampleEvents.author(author).bytes(), 8));
            secrets.add(SampleEvents.author(author).hex().getBytes(StandardCharsets.US_ASCII));
        }
        for (String text : List.of("canary-7f3a", hex, hex.toUpperCase(java.util.Locale.ROOT), "کناری", "कनारी")) {
            secrets.add(text.getBytes(StandardCharsets.UTF_8));
            secrets.add(text.getBytes(StandardCharsets.UTF_16BE));
        }
        int read = 0;
        try (Stream<Path> files = Files.walk(context.dataDir())) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String bytes = Files.readString(file, StandardCharsets.ISO_8859_1);
                read += bytes.length();
                for (byte[] secret : secrets) {
                    assertFalse(
                            bytes.contains(new String(secret, StandardCharsets.ISO_8859_1)),
                            () -> "plaintext in " + file);
                }
            }
        }
        assertTrue(read > 100_000, "only " + read + " bytes looked at");
        for (ILoggingEvent line : log.list) {
            assertFalse(line.getFormattedMessage().contains(hex), "the key is in the log");
            assertFalse(line.getFormattedMessage().contains("canary"), "plaintext is in the log");
        }
    }

    @Test
    void aWrongOrMissingKeyIsToldAndHarmsNothing() throws Exception {
        TestContext context = home("keys");
        Event event = SampleEvents.note(5, "kept");
        try (LmdbEventStore store = events(context)) {
            put(store, event);
        }
        Path keyFile = context.vault().resolve("db-key");
        byte[] right = Files.readAllBytes(keyFile);
        assertEquals(32, right.length);
        byte[] wrong = right.clone();
        wrong[31] ^= 1;
        Files.write(keyFile, wrong);
        for (int i = 0; i < 3; i++) {
            ProviderException refused = refusal(context);
            assertEquals(Kind.CORRUPT, refused.kind(), refused.toString());
            assertEquals("store.wrong-key", refused.code());
            for (Throwable part = refused; part != null; part = part.getCause()) {
                assertFalse(String.valueOf(part.getMessage())
                        .contains(HexFormat.of().formatHex(wrong)));
            }
        }
        Files.write(keyFile, Arrays.copyOf(right, 16));
        assertEquals("store.wrong-key", refusal(context).code());
        Files.delete(keyFile);
        assertEquals("store.wrong-key", refusal(context).code());
        assertFalse(Files.exists(keyFile), "a new key would hide that the old one is gone");
        Files.write(keyFile, right);
        try (LmdbEventStore store = events(context)) {
            assertEquals(List.of(event), all(store));
        }
    }

    @Test
    void theFilesAreForTheirOwnerOnly() throws Exception {
        TestContext context = home("rights");
        events(context).close();
        try (Stream<Path> files = Files.walk(context.dataDir())) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertEquals(
                        PosixFilePermissions.fromString("rw-------"),
                        Files.getPosixFilePermissions(file),
                        file.toString());
            }
        }
        assertEquals(
                PosixFilePermissions.fromString("rwx------"),
                Files.getPosixFilePermissions(context.dataDir().resolve("db")));
    }

    @Test
    void aLibraryThatAKilledProcessLeftIsRemovedAndAnotherPlatformIsTold() throws Exception {
        TestContext context = home("left");
        Path left = Files.createDirectory(context.dataDir().resolve("native-123"));
        Files.writeString(left.resolve("liblwjgl.so"), "torn");
        events(context).close();
        assertFalse(Files.exists(left));
        for (String[] platform : new String[][] {{"Windows 11", "amd64"}, {"Linux", "riscv64"}}) {
            ProviderException refused = assertThrows(
                    ProviderException.class, () -> LmdbLibrary.load(context.dataDir(), platform[0], platform[1]));
            assertEquals(Kind.UNAVAILABLE, refused.kind());
            assertEquals("storage.no-native", refused.code());
            assertTrue(refused.getMessage().contains(platform[1]), refused.getMessage());
        }
        for (String file : List.of("liblwjgl.so", "lmdb/liblwjgl_lmdb.so")) {
            assertNotNull(LmdbLibrary.class.getResource("/native/linux/arm64/org/lwjgl/" + file), file);
        }
    }

    // Limits

    @Test
    void DB_03_aFullStoreChangesNothingSaysSoAndGoesOnWhenThereIsRoom() throws Exception {
        TestContext context = home("full");
        List<Event> kept = new ArrayList<>();
        try (LmdbEventStore store = LmdbEventStore.open(engine, context, 1 << 20, 256)) {
            ProviderException full = assertThrows(ProviderException.class, () -> {
                for (int i = 0; i < 1_000; i++) {
                    Event event = SampleEvents.note(i, "x".repeat(5_000));
                    assertEquals(
                            List.of(Outcome.STORED, Outcome.STORED), put(store, event, SampleEvents.note(i, "small")));
                    kept.add(0, event);
                }
            });
            assertEquals(Kind.EXHAUSTED, full.kind());
            assertEquals("storage.full", full.code());
            assertTrue(full.getMessage().contains("mapSizeGiB"), full.getMessage());
            assertTrue(kept.size() > 20, kept.size() + " events");
            assertEquals(2 * kept.size(), all(store).size(), "half a batch is there");
            assertThrows(ProviderException.class, () -> put(store, SampleEvents.note(5_000, "y".repeat(900_000))));
            for (Event event : kept.subList(0, kept.size() / 2)) {
                store.commit(new Batch(List.of(new Batch.Item.Remove(event.id()))));
            }
            assertEquals(List.of(Outcome.STORED), put(store, SampleEvents.note(6_000, "z".repeat(5_000))));
        }
        try (LmdbEventStore store = events(context)) {
            assertEquals(List.of(Outcome.STORED), put(store, SampleEvents.note(5_000, "y".repeat(900_000))));
            assertEquals(0, store.tampered());
            assertEquals(2 * kept.size() - kept.size() / 2 + 2, all(store).size());
        }
    }

    @Test
    void DB_03_aFullRecordStoreRefusesTheOneThatIsTooLargeAndNotItsNeighbours() throws Exception {
        TestContext context = home("full-records");
        try (LmdbRecordStore store = LmdbRecordStore.open(engine, context, 2 << 20, 64)) {
            int threads = 6;
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            AtomicInteger refused = new AtomicInteger();
            CyclicBarrier start = new CyclicBarrier(threads);
            List<Future<?>> writers = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int number = i;
                writers.add(pool.submit(() -> {
                    start.await(10, TimeUnit.SECONDS);
                    for (int round = 0; round < 10; round++) {
                        int current = round;
                        try {
                            store.open(SPACE).transact(transaction -> {
                                transaction.put(new byte[] {(byte) number, (byte) current}, new byte[100]);
                                if (number == 0) {
                                    transaction.put(new byte[] {99, 1}, new byte[Space.MAX_VALUE_BYTES]);
                                    transaction.put(new byte[] {99, 2}, new byte[Space.MAX_VALUE_BYTES]);
                                }
                                return true;
                            });
                            assertTrue(number > 0, "two values of 1 MiB are in a store of 2 MiB");
                        } catch (ProviderException e) {
                            assertEquals("storage.full", e.code());
                            assertEquals(0, number, "a neighbour was refused");
                            refused.incrementAndGet();
                        }
                    }
                    return true;
                }));
            }
            for (Future<?> one : writers) {
                one.get();
            }
            pool.shutdown();
            assertEquals(10, refused.get());
            List<Space.Entry> kept =
                    store.open(SPACE).transact(transaction -> transaction.range(new byte[0], null, false, 1_000));
            assertEquals((threads - 1) * 10, kept.size());
        }
    }

    /** The limit on a file's size makes the same writes fail that a full disk makes fail. */
    @Test
    void DB_03_aFullDiskChangesNothingAndTheStoreGoesOnByItself() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/prlimit")), "no prlimit here");
        TestContext context = home("disk");
        TestContext recordContext = home("disk-records");
        try (LmdbEventStore store = events(context);
                LmdbRecordStore recordStore = records(recordContext)) {
            Event before = SampleEvents.note(1, "before");
            put(store, before);
            Space space = recordStore.open(SPACE);
            space.transact(transaction -> {
                transaction.put(new byte[] {1}, new byte[10]);
                return true;
            });
            limitFiles(Long.toString(Files.size(file(context)) + 200_000));
            try {
                for (int i = 0; i < 2; i++) {
                    ProviderException full = assertThrows(
                            ProviderException.class, () -> put(store, SampleEvents.note(2, "x".repeat(900_000))));
                    assertEquals(Kind.EXHAUSTED, full.kind(), full.toString());
                    assertEquals("storage.full", full.code());
                    ProviderException recordsFull = assertThrows(
                            ProviderException.class,
                            () -> space.transact(transaction -> {
                                transaction.put(new byte[] {2}, new byte[Space.MAX_VALUE_BYTES]);
                                return true;
                            }));
                    assertEquals("storage.full", recordsFull.code(), recordsFull.toString());
                    assertEquals(List.of(before), all(store));
                    assertEquals(1, space.commitSeq());
                    assertEquals(true, space.transact(transaction -> transaction.get(new byte[] {2}) == null));
                }
            } finally {
                limitFiles("unlimited");
            }
            Event after = SampleEvents.note(2, "x".repeat(900_000));
            assertEquals(List.of(Outcome.STORED), put(store, after));
            assertEquals(List.of(after, before), all(store));
            space.transact(transaction -> {
                transaction.put(new byte[] {2}, new byte[Space.MAX_VALUE_BYTES]);
                return true;
            });
            assertEquals(2, space.commitSeq());
        }
        try (LmdbEventStore store = events(context)) {
            assertEquals(2, all(store).size());
            assertEquals(0, store.tampered());
        }
    }

    private static void limitFiles(String bytes) throws Exception {
        Process process = new ProcessBuilder(
                        "/usr/bin/prlimit",
                        "--pid",
                        Long.toString(ProcessHandle.current().pid()),
                        "--fsize=" + bytes + ":")
                .inheritIO()
                .start();
        assertEquals(0, process.waitFor());
    }

    // Life

    @Test
    void DB_09_aSecondStoreOnTheDirectoryIsRefused() throws Exception {
        TestContext context = home("twice");
        try (LmdbEventStore store = events(context)) {
            LmdbEngine other = new LmdbEngine();
            for (LmdbEngine opener : List.of(engine, other)) {
                ProviderException refused = assertThrows(
                        ProviderException.class, () -> LmdbEventStore.open(opener, context, Homes.MAP_BYTES, 256));
                assertEquals(Kind.UNAVAILABLE, refused.kind());
                assertEquals("store.locked", refused.code());
            }
            put(store, SampleEvents.note(1, "still alive"));
        }
        events(context).close();
    }

    @Test
    void aHalfMadeStoreIsMadeAgain() throws Exception {
        TestContext context = home("half");
        Path half = Files.createDirectories(context.dataDir().resolve("db.new"));
        Files.writeString(half.resolve(Environment.FILE), "torn");
        try (LmdbEventStore store = events(context)) {
            assertEquals(List.of(Outcome.STORED), put(store, SampleEvents.note(1, "whole")));
        }
        assertFalse(Files.exists(half));
    }

    @Test
    void commitsDoNotWaitForASlowVisitorWhoSeesOneMoment() throws Exception {
        ExecutorService other = Executors.newSingleThreadExecutor();
        try (LmdbEventStore store = events(home("slow"))) {
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < 2_000; i++) {
                events.add(0, SampleEvents.note(i, "n" + i));
            }
            put(store, events.toArray(Event[]::new));
            List<Event> seen = new ArrayList<>();
            store.query(Filter.builder().build(), event -> {
                if (seen.size() % 300 == 0) {
                    try {
                        Event late = SampleEvents.note(seen.size(), "late " + seen.size());
                        Event gone = events.get(1_999 - seen.size() / 2);
                        other.submit(() -> store.commit(new Batch(
                                        List.of(new Batch.Item.Put(late, 1), new Batch.Item.Remove(gone.id())))))
                                .get(20, TimeUnit.SECONDS);
                    } catch (Exception e) {
                        throw new AssertionError("the commit waited for the visitor", e);
                    }
                }
                return seen.add(event);
            });
            assertEquals(events, seen);
            assertEquals(2_000, all(store).size());
        } finally {
            other.shutdownNow();
        }
    }

    @Test
    void closingDoesNotWaitForAVisitorWhoseQueryEndsThere() throws Exception {
        LmdbEventStore store = events(home("cut"));
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 2_000; i++) {
            events.add(0, SampleEvents.note(i, "n" + i));
        }
        put(store, events.toArray(Event[]::new));
        CountDownLatch visiting = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        List<Event> seen = new ArrayList<>();
        ExecutorService other = Executors.newSingleThreadExecutor();
        Future<ProviderException> cut = other.submit(() -> assertThrows(
                ProviderException.class,
                () -> store.query(Filter.builder().build(), event -> {
                    visiting.countDown();
                    try {
                        goOn.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    return seen.add(event);
                })));
        assertTrue(visiting.await(10, TimeUnit.SECONDS));
        store.close();
        goOn.countDown();
        assertEquals("store.closed", cut.get(10, TimeUnit.SECONDS).code());
        assertTrue(seen.size() < 2_000 && !seen.isEmpty(), seen.size() + " seen");
        other.shutdown();
    }

    @Test
    void theStoresComeBackAfterTheirEnvironmentIsLost() throws Exception {
        TestContext context = home("lost-events");
        TestContext recordContext = home("lost-records");
        Event before = SampleEvents.note(1, "before");
        Event after = SampleEvents.note(2, "after");
        try (LmdbEventStore store = events(context);
                LmdbRecordStore recordStore = records(recordContext)) {
            put(store, before);
            Space space = recordStore.open(SPACE);
            space.transact(transaction -> {
                transaction.put(new byte[] {1}, new byte[] {1});
                return true;
            });
            for (byte i = 0; i < 2; i++) {
                byte round = i;
                // What a root that could not be written leads to.
                store.database().lose(store.database().environment());
                recordStore.database().lose(recordStore.database().environment());
                ProviderException lost = assertThrows(ProviderException.class, () -> all(store));
                assertEquals(Kind.UNAVAILABLE, lost.kind());
                assertEquals("storage.io-error", lost.code());
                im.parley.testkit.Await.until("the event store is back", () -> succeeds(() -> put(store, after)));
                im.parley.testkit.Await.until(
                        "the record store is back",
                        () -> succeeds(() -> space.transact(transaction -> {
                            assertArrayEquals(new byte[] {1}, Objects.requireNonNull(transaction.get(new byte[] {1})));
                            transaction.put(new byte[] {2, round}, new byte[] {2});
                            return true;
                        })));
                assertEquals(List.of(after, before), all(store));
            }
            assertEquals(3, space.commitSeq());
            assertEquals(List.of(Outcome.DUPLICATE), put(store, after));
            assertEquals(2, store.scan(0, 10).get(1).position());
        }
    }

    private interface Step {
        void run() throws ProviderException;
    }

    /** A call that met the loss says so, and says that it may be tried again. */
    private static boolean succeeds(Step step) {
        try {
            step.run();
            return true;
        } catch (ProviderException e) {
            assertEquals(Kind.UNAVAILABLE, e.kind(), e.toString());
            assertEquals("storage.io-error", e.code());
            return false;
        }
    }

    @Test
    void aClosedStoreIsUnavailable() throws Exception {
        LmdbEventStore store = events(home("closed-events"));
        LmdbRecordStore recordStore = records(home("closed-records"));
        Space space = recordStore.open(SPACE);
        store.close();
        store.close();
        recordStore.close();
        recordStore.close();
        for (Step late : List.<Step>of(
                () -> put(store, SampleEvents.note(1, "late")),
                () -> all(store),
                () -> store.scan(0, 1),
                () -> store.contains(SampleEvents.note(1, "late").id()),
                space::commitSeq,
                recordStore::spaces,
                () -> recordStore.destroy(SPACE),
                () -> space.transact(transaction -> true))) {
            assertEquals(
                    "store.closed",
                    assertThrows(ProviderException.class, late::run).code());
        }
    }

    @Test
    void theEngineTakesEverythingWithIt() throws Exception {
        TestContext context = home("engine");
        LmdbEventStore store = events(context);
        LmdbRecordStore recordStore = records(home("engine-records"));
        engine.close();
        assertThrows(ProviderException.class, () -> put(store, SampleEvents.note(1, "late")));
        assertThrows(ProviderException.class, recordStore::spaces);
        assertEquals("store.closed", refusal(context).code());
        store.close();
        engine = new LmdbEngine();
        events(context).close();
    }

    @Test
    void transactionsThatFailLeaveTheirGroupWhole() throws Exception {
        try (LmdbRecordStore store = records(home("groups"))) {
            int threads = 8;
            int rounds = 60;
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            CyclicBarrier start = new CyclicBarrier(threads);
            List<Future<?>> writers = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int number = i;
                SpaceId id = new SpaceId("space-" + i % 3);
                writers.add(pool.submit(() -> {
                    start.await(10, TimeUnit.SECONDS);
                    for (int round = 0; round < rounds; round++) {
                        byte[] key = ByteBuffer.allocate(8)
                                .putInt(number)
                                .putInt(round)
                                .array();
                        boolean fails = round % 3 == 0;
                        try {
                            store.open(id).transact(transaction -> {
                                transaction.put(key, new byte[fails ? 20_000 : 20]);
                                transaction.put(new byte[] {(byte) 0xff}, key);
                                if (fails) {
                                    throw new ProviderException(Kind.REJECTED, "test.own", "Given up on purpose.");
                                }
                                return true;
                            });
                            assertFalse(fails);
                        } catch (ProviderException e) {
                            assertEquals("test.own", e.code());
                        }
                    }
                    return true;
                }));
            }
            for (Future<?> one : writers) {
                one.get();
            }
            pool.shutdown();
            int records = 0;
            long commits = 0;
            for (SpaceId id : store.spaces()) {
                commits += store.open(id).commitSeq();
                records += store.open(id).transact(transaction -> {
                    List<Space.Entry> entries = transaction.range(new byte[0], new byte[] {(byte) 0xff}, false, 10_000);
                    assertTrue(entries.stream().allMatch(entry -> entry.value().length == 20));
                    return entries.size();
                });
            }
            assertEquals(threads * rounds * 2 / 3, records);
            assertEquals(records, commits);
        }
    }

    @Test
    void aLargeDestroyedSpaceGivesItsRoomBack() throws Exception {
        TestContext context = home("room");
        try (LmdbRecordStore store = LmdbRecordStore.open(engine, context, 12 << 20, 64)) {
            for (int round = 0; round < 5; round++) {
                Space space = store.open(SPACE);
                for (int part = 0; part < 6; part++) {
                    int from = part * 500;
                    space.transact(transaction -> {
                        for (int i = from; i < from + 500; i++) {
                            transaction.put(ByteBuffer.allocate(4).putInt(i).array(), new byte[1_500]);
                        }
                        return true;
                    });
                }
                store.destroy(SPACE);
                assertEquals(List.of(), store.spaces());
                assertEquals(0, space.commitSeq());
            }
        }
        assertTrue(Files.size(file(context)) <= 12 << 20);
    }

    @Test
    void callsFromInsideATransactionAreRefused() throws Exception {
        try (LmdbRecordStore store = records(home("inside"))) {
            store.open(SPACE).transact(transaction -> {
                assertThrows(IllegalStateException.class, store::spaces);
                assertThrows(IllegalStateException.class, () -> store.destroy(SPACE));
                assertThrows(
                        IllegalStateException.class, () -> store.open(SPACE).commitSeq());
                assertThrows(IllegalStateException.class, store::close);
                transaction.put(new byte[] {1}, new byte[] {1});
                return true;
            });
            assertEquals(1, store.open(SPACE).commitSeq());
        }
    }

    @Test
    void tuningIsChecked() {
        assertEquals(
                "pid: mapSizeGiB is 0 but must be between 1 and 16384",
                assertThrows(IllegalArgumentException.class, () -> Tuning.mapBytes("pid", 0))
                        .getMessage());
        assertThrows(IllegalArgumentException.class, () -> Tuning.mapBytes("pid", 16_385));
        assertEquals(64L << 30, Tuning.mapBytes("pid", 64));
    }

    /** Reserving costs neither disk nor memory. */
    @Test
    void aSmallStoreIsASmallFile() throws Exception {
        TestContext context = home("small");
        try (LmdbEventStore store = LmdbEventStore.open(engine, context, Tuning.mapBytes("pid", 64), 256);
                FileChannel file = FileChannel.open(file(context), StandardOpenOption.READ)) {
            put(store, SampleEvents.note(1, "small"));
            assertTrue(file.size() < 1 << 20, file.size() + " bytes");
        }
    }
}
