package im.parley.storage.derby;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.api.storage.Tombstone;
import im.parley.tck.storage.SampleEvents;
import im.parley.testkit.Await;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** What is special about the stores on Derby: keys, locks, damage, and coming back after a loss. */
class DerbyStoresTest {
    private static final SpaceId SPACE = new SpaceId("test");

    @TempDir
    Path folder;

    private DerbyEngine engine = new DerbyEngine();
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

    private DerbyEventStore events(TestContext context) throws ProviderException {
        return DerbyEventStore.open(engine, context, Homes.SMALL, 256, 4);
    }

    private DerbyRecordStore records(TestContext context) throws ProviderException {
        return DerbyRecordStore.open(engine, context, Homes.SMALL, 64);
    }

    private TestContext home(String name) {
        return Homes.context(folder.resolve(name));
    }

    private static List<Outcome> put(DerbyEventStore store, Event... events) throws ProviderException {
        return store.commit(new Batch(Stream.of(events)
                .map(event -> (Batch.Item) new Batch.Item.Put(event, 5))
                .toList()));
    }

    private static List<Event> all(DerbyEventStore store) throws ProviderException {
        List<Event> found = new ArrayList<>();
        store.query(Filter.builder().build(), found::add);
        return found;
    }

    @Test
    void aTableThatIsGoneIsDamageAndNoTroubleOfTheDisk() {
        // Seen when a log was cut off in the middle of the transaction that makes the tables.
        assertEquals(
                "store.corrupt",
                Failures.of(new java.sql.SQLException("Table/View 'EVENT' does not exist.", "42X05"))
                        .code());
    }

    private ProviderException refusal(TestContext context) {
        return assertThrows(ProviderException.class, () -> events(context).close());
    }

    // Damage

    private interface Change {
        void apply(Connection connection) throws SQLException;
    }

    private void tamper(TestContext context, Change change) throws Exception {
        try (DerbyDatabase database = DerbyDatabase.open(engine, context, Homes.SMALL, EventTables.SCHEMA)) {
            Connection connection = database.connect().connection();
            change.apply(connection);
            connection.commit();
            connection.close();
        }
    }

    private static byte[] body(Connection connection, long position) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT body FROM event WHERE position = " + position)) {
            assertTrue(rows.next());
            return rows.getBytes(1);
        }
    }

    private static void setBody(Connection connection, long position, byte[] body) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("UPDATE event SET body = ? WHERE position = ?")) {
            statement.setBytes(1, body);
            statement.setLong(2, position);
            assertEquals(1, statement.executeUpdate());
        }
    }

    private static void flip(Connection connection, long position, String at) throws SQLException {
        byte[] body = body(connection, position);
        int index = new String(body, StandardCharsets.UTF_8).indexOf(at) + at.length();
        body[index] ^= 1;
        setBody(connection, position, body);
    }

    @Test
    void CR_20_aTamperedRowIsSkippedCountedAndRepairedByFetchingItAgain() throws Exception {
        TestContext context = home("tampered");
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            events.add(
                    SampleEvents.event(SampleEvents.author(1), 1_000 - i, 1, List.of(List.of("t", "x")), "text " + i));
        }
        try (DerbyEventStore store = events(context)) {
            put(store, events.toArray(Event[]::new));
        }
        tamper(context, connection -> {
            flip(connection, 1, "\"content\":\"");
            flip(connection, 2, "\"sig\":\"");
            flip(connection, 3, "\"id\":\"");
            byte[] fourth = body(connection, 4);
            setBody(connection, 4, body(connection, 5));
            setBody(connection, 5, fourth);
            try (Statement statement = connection.createStatement()) {
                assertEquals(1, statement.executeUpdate("UPDATE event SET received_at = 6 WHERE position = 6"));
                assertEquals(1, statement.executeUpdate("UPDATE event SET body = NULL WHERE position = 7"));
            }
        });
        try (DerbyEventStore store = events(context)) {
            assertEquals(0, store.tampered());
            List<Event> intact = events.subList(7, 9);
            assertEquals(intact, all(store));
            assertEquals(7, store.tampered());
            assertEquals(intact, all(store));
            List<Event> tagged = new ArrayList<>();
            store.query(Filter.builder().tag('t', List.of("x")).build(), tagged::add);
            assertEquals(intact, tagged);
            assertEquals(2, store.scan(0, 100).size());
            assertEquals(7, store.tampered(), "a damaged row is counted once");
            assertFalse(store.contains(events.get(0).id()));
            assertTrue(store.contains(events.get(8).id()));

            for (Event event : events.subList(0, 7)) {
                assertEquals(List.of(Outcome.STORED), put(store, event));
            }
            assertEquals(events, all(store));
            tagged.clear();
            store.query(Filter.builder().tag('t', List.of("x")).build(), tagged::add);
            assertEquals(events, tagged);
            assertEquals(9, store.scan(0, 100).size());
        }
        assertTrue(log.list.stream()
                .anyMatch(line -> line.getLevel() == Level.WARN
                        && line.getFormattedMessage().contains("is not what was written")));
        assertTrue(
                log.list.stream().noneMatch(line -> line.getFormattedMessage().contains("text ")));
    }

    @Test
    void whatWouldNotReadBackIsRefusedAndNothingOfItsBatchIsStored() throws Exception {
        Event good = SampleEvents.note(5, "good");
        Event wrongId = new Event(
                good.id(), good.pubkey(), good.createdAt(), good.kind(), good.tags(), "other text", good.sig());
        Event loneSurrogate =
                new Event(good.id(), good.pubkey(), good.createdAt(), good.kind(), good.tags(), "\ud800", good.sig());
        try (DerbyEventStore store = events(home("unreadable"))) {
            for (Event bad : List.of(wrongId, loneSurrogate)) {
                ProviderException refused = assertThrows(ProviderException.class, () -> put(store, good, bad));
                assertEquals(Kind.REJECTED, refused.kind());
                assertEquals("event.unreadable", refused.code());
            }
            assertEquals(List.of(), all(store));
        }
    }

    /** What a store keeps is put back as it was before the step; that must be told, again and again. */
    private void assertPutBackIsTold(TestContext context, Step step, Step open) throws Exception {
        Path database = context.dataDir().resolve("db");
        Path copy = folder.resolve("copy-" + context.instance());
        Homes.copy(database, copy);
        step.run();
        Files.move(database, folder.resolve("newer-" + context.instance()));
        Files.move(copy, database);
        for (int i = 0; i < 2; i++) {
            ProviderException refused = assertThrows(ProviderException.class, open::run);
            assertEquals(Kind.CORRUPT, refused.kind());
            assertEquals("store.corrupt", refused.code());
            assertTrue(refused.getMessage().contains("backup")
                    && refused.getMessage().contains("db.seen"));
        }
        // As the refusal says: whoever wants to go on with what is left can.
        Files.delete(context.dataDir().resolve("db.seen"));
        open.run();
    }

    @Test
    void DB_05_acknowledgedChangesThatAreGoneAreTold() throws Exception {
        TestContext events = home("behind-events");
        Event kept = SampleEvents.note(1, "kept");
        try (DerbyEventStore store = events(events)) {
            put(store, kept);
        }
        Step write = () -> {
            try (DerbyEventStore store = events(events)) {
                put(store, SampleEvents.note(2, "gone"));
            }
        };
        assertPutBackIsTold(events, write, () -> {
            try (DerbyEventStore store = events(events)) {
                assertEquals(List.of(kept), all(store));
            }
        });
        TestContext records = home("behind-records");
        Step open = () -> records(records).close();
        Step change = () -> {
            try (DerbyRecordStore store = records(records)) {
                store.open(SPACE).transact(transaction -> {
                    transaction.put(new byte[] {1}, new byte[] {1});
                    return true;
                });
            }
        };
        open.run();
        assertPutBackIsTold(records, change, open);
    }

    @Test
    void DB_05_aDestroyedSpaceThatIsBackIsTold() throws Exception {
        TestContext records = home("undestroyed");
        Step open = () -> records(records).close();
        try (DerbyRecordStore store = records(records)) {
            for (SpaceId id : List.of(SPACE, new SpaceId("other"))) {
                store.open(id).transact(transaction -> {
                    transaction.put(new byte[] {1}, new byte[] {1});
                    return true;
                });
            }
        }
        assertPutBackIsTold(
                records,
                () -> {
                    try (DerbyRecordStore store = records(records)) {
                        store.destroy(SPACE);
                    }
                },
                open);
        try (DerbyRecordStore store = records(records)) {
            // The last space that was seen to change may be destroyed: nothing is lost then.
            store.destroy(new SpaceId("other"));
        }
        Path witness = records.dataDir().resolve("db.seen");
        byte[] bytes = Files.readAllBytes(witness);
        bytes[20] ^= 1;
        bytes[4_096 + 20] ^= 1;
        Files.write(witness, bytes);
        open.run();
        assertTrue(log.list.stream()
                .anyMatch(line -> line.getFormattedMessage().contains("db.seen is damaged and begun anew")));
    }

    @Test
    void DB_05_aWitnessThatIsBehindHidesNothing() throws Exception {
        TestContext records = home("behind-witness");
        Path witness = records.dataDir().resolve("db.seen");
        SpaceId other = new SpaceId("other");
        Space.Work<Boolean> write = transaction -> {
            transaction.put(new byte[] {1}, new byte[] {1});
            return true;
        };
        try (DerbyRecordStore store = records(records)) {
            store.open(SPACE).transact(write);
        }
        byte[] old = Files.readAllBytes(witness);
        try (DerbyRecordStore store = records(records)) {
            store.open(SPACE).transact(write);
            store.destroy(SPACE);
            store.open(other).transact(write);
        }
        // As after a power cut: the database is synced, the witness was not.
        Files.write(witness, old);
        try (DerbyRecordStore store = records(records)) {
            assertEquals(0, store.open(SPACE).commitSeq());
            assertEquals(1, store.open(other).commitSeq());
        }
    }

    // Keys and plaintext

    @Test
    void DB_06_noPlaintextAndNoKeyInTheDataDirectoryNorInTheLog() throws Exception {
        String canary = "canary-7f3a-کناری-कनारी";
        TestContext events = home("plain-events");
        TestContext records = home("plain-records");
        Event event = SampleEvents.event(
                SampleEvents.author(3), 1_234, 1, List.of(List.of("t", "tag-" + canary)), "text-" + canary);
        Event large =
                SampleEvents.event(SampleEvents.author(3), 1_235, 1, List.of(), ("large-" + canary).repeat(5_000));
        byte[] value = ("value-" + canary).repeat(4_000).getBytes(StandardCharsets.UTF_8);
        byte[] key = "key-canary-7f3a".getBytes(StandardCharsets.UTF_8);
        try (DerbyEventStore store = events(events);
                DerbyRecordStore recordStore = records(records)) {
            put(store, event, large);
            store.commit(new Batch(List.of(new Batch.Item.Bury(new Tombstone(large.id(), large.pubkey()), 9))));
            recordStore.open(SPACE).transact(transaction -> {
                transaction.put(key, value);
                transaction.put(Arrays.copyOf(key, 10), Arrays.copyOf(value, 40));
                return true;
            });
            // The control: it is there, and found by whoever may.
            assertEquals(List.of(event), all(store));
            recordStore.open(SPACE).transact(transaction -> {
                assertEquals(value.length, Objects.requireNonNull(transaction.get(key)).length);
                return true;
            });
            for (TestContext context : List.of(events, records)) {
                assertNothingPlain(context);
            }
        }
        for (TestContext context : List.of(events, records)) {
            assertNothingPlain(context);
        }
        Path planted = events.dataDir().resolve("planted");
        Files.writeString(planted, "noise text-" + canary + " noise");
        assertThrows(AssertionError.class, () -> assertNothingPlain(events));
    }

    private void assertNothingPlain(TestContext context) throws Exception {
        byte[] raw = Files.readAllBytes(context.vault().resolve("db-key"));
        String hex = HexFormat.of().formatHex(raw);
        List<byte[]> secrets = new ArrayList<>(List.of(raw));
        for (String text : List.of("canary-7f3a", hex, hex.toUpperCase(java.util.Locale.ROOT), "کناری", "कनारी")) {
            secrets.add(text.getBytes(StandardCharsets.UTF_8));
            secrets.add(text.getBytes(StandardCharsets.UTF_16BE));
        }
        int read = 0;
        try (Stream<Path> files = Files.walk(context.dataDir())) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                byte[] bytes = Files.readAllBytes(file);
                read++;
                for (byte[] secret : secrets) {
                    assertFalse(contains(bytes, secret), () -> "plaintext in " + file);
                }
            }
        }
        assertTrue(read > 20, "only " + read + " files looked at");
        for (ILoggingEvent line : log.list) {
            assertFalse(line.getFormattedMessage().contains(hex), "the key is in the log");
            assertFalse(line.getFormattedMessage().contains("canary"), "plaintext is in the log");
        }
    }

    private static boolean contains(byte[] bytes, byte[] wanted) {
        String all = new String(bytes, StandardCharsets.ISO_8859_1);
        return all.contains(new String(wanted, StandardCharsets.ISO_8859_1));
    }

    @Test
    void aWrongOrMissingKeyIsToldAndHarmsNothing() throws Exception {
        TestContext context = home("keys");
        Event event = SampleEvents.note(5, "kept");
        try (DerbyEventStore store = events(context)) {
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
            assertNoKey(refused, wrong);
        }
        Files.write(keyFile, Arrays.copyOf(right, 16));
        assertEquals("store.wrong-key", refusal(context).code());
        Files.delete(keyFile);
        assertEquals("store.wrong-key", refusal(context).code());
        assertFalse(Files.exists(keyFile), "a new key would hide that the old one is gone");
        Files.write(keyFile, right);
        try (DerbyEventStore store = events(context)) {
            assertEquals(List.of(event), all(store));
        }
        for (ILoggingEvent line : log.list) {
            for (byte[] key : List.of(right, wrong)) {
                assertFalse(line.getFormattedMessage().contains(HexFormat.of().formatHex(key)));
            }
        }
        assertTrue(
                log.list.stream().anyMatch(line -> line.getFormattedMessage().contains("Booting Derby")),
                "Derby's own log was not listened to");
    }

    private static void assertNoKey(Throwable thrown, byte[] key) {
        for (Throwable part = thrown; part != null; part = part.getCause()) {
            assertFalse(
                    String.valueOf(part.getMessage()).contains(HexFormat.of().formatHex(key)));
        }
    }

    // Unsafe settings

    @Test
    void aPathThatDerbyWouldMisreadIsRefused() {
        for (String name : List.of("with:colon", "with;semicolon")) {
            assertEquals("store.bad-path", refusal(home(name)).code(), name);
        }
    }

    @Test
    void DB_08_unsafeSystemPropertiesAreRefused() throws Exception {
        for (String setting : List.of(
                "derby.system.durability=test",
                "derby.language.logStatementText=true",
                "derby.language.logQueryPlan=TRUE",
                "derby.drda.startNetworkServer=true",
                "derby.authentication.provider=LDAP")) {
            String name = setting.substring(0, setting.indexOf('='));
            TestContext context = home("unsafe");
            System.setProperty(name, setting.substring(name.length() + 1));
            try {
                ProviderException refused = refusal(context);
                assertEquals(Kind.REJECTED, refused.kind());
                assertEquals("config.unsafe", refused.code());
                assertTrue(refused.getMessage().contains(setting), refused.getMessage());
                ProviderException records = assertThrows(ProviderException.class, () -> records(context));
                assertEquals("config.unsafe", records.code());
            } finally {
                System.clearProperty(name);
            }
            events(context).close();
        }
    }

    @Test
    void DB_08_unsafeDerbyPropertiesAreRefused() throws Exception {
        TestContext context = home("file");
        Path file = context.dataDir().resolve("derby.properties");
        Files.writeString(file, "# harmless so far\nderby.system.durability = test\n");
        assertEquals("config.unsafe", refusal(context).code());
        Files.writeString(file, "derby.language.logStatementText:true\n");
        assertEquals("config.unsafe", refusal(context).code());
        Files.writeString(file, "derby.language.logStatementText=false\n");
        events(context).close();
    }

    @Test
    void DB_08_unsafePropertiesInsideTheDatabaseAreRefused() throws Exception {
        TestContext context = home("inside");
        events(context).close();
        tamper(context, connection -> {
            try (Statement statement = connection.createStatement()) {
                statement.execute(
                        "CALL SYSCS_UTIL.SYSCS_SET_DATABASE_PROPERTY('derby.language.logStatementText', 'true')");
            }
        });
        assertEquals("config.unsafe", refusal(context).code());
    }

    // Life

    @Test
    void DB_09_aSecondStoreOnTheDirectoryIsRefused() throws Exception {
        TestContext context = home("twice");
        try (DerbyEventStore store = events(context)) {
            ProviderException refused = refusal(context);
            assertEquals(Kind.UNAVAILABLE, refused.kind());
            assertEquals("store.locked", refused.code());
            put(store, SampleEvents.note(1, "still alive"));
        }
        events(context).close();
    }

    @Test
    void aHalfMadeDatabaseIsMadeAgain() throws Exception {
        TestContext context = home("half");
        Path half = context.dataDir().resolve("db.new/seg0");
        Files.createDirectories(half);
        Files.writeString(half.resolve("c10.dat"), "torn");
        try (DerbyEventStore store = events(context)) {
            assertEquals(List.of(Outcome.STORED), put(store, SampleEvents.note(1, "whole")));
        }
        assertFalse(Files.exists(context.dataDir().resolve("db.new")));
    }

    @Test
    void theStoresComeBackAfterDerbyGaveUp() throws Exception {
        TestContext events = home("lost-events");
        TestContext records = home("lost-records");
        Event before = SampleEvents.note(1, "before");
        Event after = SampleEvents.note(2, "after");
        try (DerbyEventStore store = events(events);
                DerbyRecordStore recordStore = records(records)) {
            put(store, before);
            Space space = recordStore.open(SPACE);
            space.transact(transaction -> {
                transaction.put(new byte[] {1}, new byte[] {1});
                return true;
            });
            for (int i = 0; i < 2; i++) {
                // What Derby does by itself when its disk fails it.
                engine.shutdown(DerbyEngine.real(events.dataDir()).resolve("db"));
                engine.shutdown(DerbyEngine.real(records.dataDir()).resolve("db"));
                Await.until("the event store is back", () -> succeeds(() -> put(store, after)));
                Await.until(
                        "the record store is back",
                        () -> succeeds(() -> space.transact(transaction -> {
                            assertEquals(1, Objects.requireNonNull(transaction.get(new byte[] {1})).length);
                            transaction.put(new byte[] {2}, new byte[] {2});
                            return true;
                        })));
                assertEquals(List.of(after, before), all(store));
            }
            engine.shutdown(DerbyEngine.real(events.dataDir()).resolve("db"));
            Await.until(
                    "a reader finds it",
                    () -> succeeds(() -> assertEquals(2, all(store).size())));
            assertEquals(List.of(Outcome.DUPLICATE), put(store, after));
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
    void commitsDoNotWaitForASlowVisitor() throws Exception {
        ExecutorService other = Executors.newSingleThreadExecutor();
        try (DerbyEventStore store = events(home("slow"))) {
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < 700; i++) {
                events.add(0, SampleEvents.note(i, "n" + i));
            }
            put(store, events.toArray(Event[]::new));
            List<Event> seen = new ArrayList<>();
            store.query(Filter.builder().build(), event -> {
                if (seen.size() % 300 == 0) {
                    try {
                        Event late = SampleEvents.note(seen.size(), "late " + seen.size());
                        Event gone = events.get(699 - seen.size() / 2);
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
            assertEquals(700, all(store).size());
        } finally {
            other.shutdownNow();
        }
    }

    @Test
    void aClosedStoreIsUnavailable() throws Exception {
        DerbyEventStore store = events(home("closed-events"));
        DerbyRecordStore recordStore = records(home("closed-records"));
        Space space = recordStore.open(SPACE);
        store.close();
        store.close();
        recordStore.close();
        recordStore.close();
        assertEquals(
                "store.closed",
                assertThrows(ProviderException.class, () -> put(store, SampleEvents.note(1, "late")))
                        .code());
        assertEquals(
                "store.closed",
                assertThrows(ProviderException.class, () -> all(store)).code());
        assertEquals(
                "store.closed",
                assertThrows(ProviderException.class, space::commitSeq).code());
    }

    @Test
    void theEngineTakesEverythingWithIt() throws Exception {
        TestContext context = home("engine");
        DerbyEventStore store = events(context);
        engine.close();
        assertThrows(ProviderException.class, () -> put(store, SampleEvents.note(1, "late")));
        store.close();
        assertFalse(System.getProperties().stringPropertyNames().stream().anyMatch(name -> name.startsWith("derby.")));
        engine = new DerbyEngine();
        events(context).close();
    }

    @Test
    void tuningIsChecked() {
        assertEquals(
                "pid: pageCacheSize is 39 but must be between 40 and 200000",
                assertThrows(IllegalArgumentException.class, () -> Tuning.checked("pid", 39, 2 << 20))
                        .getMessage());
        assertThrows(IllegalArgumentException.class, () -> Tuning.checked("pid", 40, 1000));
    }
}
