package im.parley.storage.lmdb;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.lwjgl.system.MemoryUtil.memAddress;
import static org.lwjgl.system.MemoryUtil.memFree;
import static org.lwjgl.system.MemoryUtil.memGetAddress;
import static org.lwjgl.system.MemoryUtil.memUTF8;
import static org.lwjgl.system.MemoryUtil.nmemAllocChecked;
import static org.lwjgl.system.MemoryUtil.nmemFree;

import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.tck.storage.SampleEvents;
import im.parley.testkit.Await;
import im.parley.testkit.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.lwjgl.util.lmdb.LMDB;

/** A file of which the disk changed, lost or misplaced a part is refused, or serves everything. */
@Timeout(300)
class DamageTest {
    private static final SpaceId SPACE = new SpaceId("damage");
    private static final int PAGE = Environment.SMALLEST_PAGE;
    private static final int PAGE_KIND = 18;
    private static final int BRANCH = 1;
    private static final int EVENTS = 2_000;
    private static final int RECORDS = 6_000;

    @TempDir
    Path folder;

    private final LmdbEngine engine = new LmdbEngine();

    @AfterEach
    void shutDown() {
        engine.close();
    }

    private TestContext events() {
        return Homes.context(folder.resolve("events"));
    }

    private TestContext records() {
        return Homes.context(folder.resolve("records"));
    }

    private static Path file(TestContext context) {
        return context.dataDir().resolve("db").resolve(Environment.FILE);
    }

    private void writeEvents(int first, int end) throws ProviderException {
        try (LmdbEventStore store = LmdbEventStore.open(engine, events(), Homes.MAP_BYTES, 256)) {
            for (int i = first; i < end; i += 250) {
                List<Batch.Item> items = new ArrayList<>();
                for (int j = i; j < i + 250; j++) {
                    items.add(new Batch.Item.Put(
                            SampleEvents.event(
                                    SampleEvents.author(j % 7),
                                    1_700_000_000L + j,
                                    1,
                                    List.of(List.of("t", "damage")),
                                    "x".repeat(j % 1000 == 1 ? 9_000 : j % 100)),
                            j));
                }
                store.commit(new Batch(items));
            }
        }
    }

    private void writeRecords(int first, int end) throws ProviderException {
        try (LmdbRecordStore store = LmdbRecordStore.open(engine, records(), Homes.MAP_BYTES, 64)) {
            store.open(SPACE).transact(transaction -> {
                for (int i = first; i < end; i++) {
                    transaction.put(record(i), new byte[i % 500 == 1 ? 50_000 : i % 100]);
                }
                return true;
            });
        }
    }

    private static byte[] record(int number) {
        return ByteBuffer.allocate(4).putInt(number).array();
    }

    /** Reads everything; answers whether the store refused as it should. */
    private interface Look {
        boolean refuses() throws ProviderException;
    }

    private boolean eventsRefuse() throws ProviderException {
        try (LmdbEventStore store = LmdbEventStore.open(engine, events(), Homes.MAP_BYTES, 256)) {
            int rows = 0;
            long after = 0;
            for (List<EventStore.Row> page = store.scan(0, 1_000); !page.isEmpty(); page = store.scan(after, 1_000)) {
                rows += page.size();
                after = page.get(page.size() - 1).position();
            }
            assertEquals(EVENTS, rows, "rows");
            for (Filter filter : List.of(
                    Filter.builder().build(),
                    Filter.builder().kinds(List.of(1)).build(),
                    Filter.builder().tag('t', List.of("damage")).build())) {
                int[] found = {0};
                store.query(filter, event -> {
                    found[0]++;
                    return true;
                });
                assertEquals(EVENTS, found[0], filter.toString());
            }
            assertEquals(0, store.tampered());
            return false;
        } catch (ProviderException e) {
            return told(e);
        }
    }

    private boolean recordsRefuse() throws ProviderException {
        try (LmdbRecordStore store = LmdbRecordStore.open(engine, records(), Homes.MAP_BYTES, 64)) {
            Space space = store.open(SPACE);
            List<Space.Entry> all =
                    space.transact(transaction -> transaction.range(new byte[] {0}, null, false, Integer.MAX_VALUE));
            assertEquals(RECORDS, all.size(), "records");
            return false;
        } catch (ProviderException e) {
            return told(e);
        }
    }

    private static boolean told(ProviderException e) {
        assertEquals("store.corrupt", e.code(), e.toString());
        assertEquals(Kind.CORRUPT, e.kind());
        return true;
    }

    private static ByteBuffer page(byte[] file, int number) {
        return ByteBuffer.wrap(file, number * PAGE, PAGE).slice().order(ByteOrder.nativeOrder());
    }

    private static List<Integer> branches(byte[] file) {
        List<Integer> branches = new ArrayList<>();
        for (int i = 2; i < file.length / PAGE; i++) {
            if (page(file, i).getLong(0) == i && page(file, i).getShort(PAGE_KIND) == BRANCH) {
                branches.add(i);
            }
        }
        return branches;
    }

    /** What becomes of a page. */
    private interface Damage {
        void damage(byte[] page);
    }

    private final class Damages {
        private final Path path;
        private final byte[] good;
        private final Look look;
        private final Map<String, Integer> refused = new TreeMap<>();
        private int tried;

        Damages(Path path, byte[] good, Look look) {
            this.path = path;
            this.good = good;
            this.look = look;
        }

        void damage(String what, int number, Damage damage) throws IOException, ProviderException {
            byte[] page = Arrays.copyOfRange(good, number * PAGE, (number + 1) * PAGE);
            damage.damage(page);
            write(number, page);
            tried++;
            try {
                if (look.refuses()) {
                    refused.merge(what, 1, Integer::sum);
                }
            } catch (AssertionError e) {
                throw new AssertionError("not told: " + what + " in page " + number, e);
            }
            write(number, Arrays.copyOfRange(good, number * PAGE, (number + 1) * PAGE));
        }

        private void write(int number, byte[] page) throws IOException {
            try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
                file.write(ByteBuffer.wrap(page), (long) number * PAGE);
            }
        }
    }

    /** @param older the same file some commits ago */
    private void damageEverywhere(Path path, byte[] older, Look look) throws Exception {
        byte[] good = Files.readAllBytes(path);
        assertEquals(false, look.refuses(), "undamaged");
        List<Integer> branches = branches(good);
        assertTrue(branches.size() >= 2, branches.toString());
        RandomGenerator random = Seeds.generator("damages");
        List<Integer> numbers = new ArrayList<>(branches);
        numbers.addAll(List.of(0, 1));
        for (int i = 0; i < 12; i++) {
            numbers.add(2 + random.nextInt(good.length / PAGE - 2));
        }
        Damages damages = new Damages(path, good, look);
        for (int number : numbers) {
            for (int at = 0; at < PAGE; at += 512) {
                int from = at;
                damages.damage("zeros", number, page -> Arrays.fill(page, from, from + 512, (byte) 0));
            }
            int flipped = random.nextInt(PAGE);
            damages.damage("flip", number, page -> page[flipped] ^= (byte) (1 << random.nextInt(8)));
            int other = branches.get(random.nextInt(branches.size()));
            damages.damage("another page", number, page -> System.arraycopy(good, other * PAGE, page, 0, PAGE));
            // Without the meta page of the last commit the file is as if the power was cut before it.
            if (number >= 2 && (number + 1) * PAGE <= older.length) {
                damages.damage("old page", number, page -> System.arraycopy(older, number * PAGE, page, 0, PAGE));
            }
        }
        System.out.println("damages: " + damages.tried + " in " + branches.size() + " inner and "
                + (numbers.size() - branches.size()) + " other pages, refused " + damages.refused);
        assertArrayEquals(good, Files.readAllBytes(path), "looking wrote");
        assertEquals(false, look.refuses(), "undamaged");
    }

    @Test
    void damagedEventsAreRefusedOrWhole() throws Exception {
        writeEvents(0, EVENTS - 500);
        byte[] older = Files.readAllBytes(file(events()));
        writeEvents(EVENTS - 500, EVENTS);
        damageEverywhere(file(events()), older, this::eventsRefuse);
    }

    @Test
    void damagedRecordsAreRefusedOrWhole() throws Exception {
        writeRecords(0, RECORDS - 500);
        byte[] older = Files.readAllBytes(file(records()));
        writeRecords(RECORDS - 500, RECORDS);
        damageEverywhere(file(records()), older, this::recordsRefuse);
    }

    @Test
    void aLargeFileIsCheckedWhileItIsInUse() throws Exception {
        writeEvents(0, EVENTS);
        Path path = file(events());
        try (Database whole = large()) {
            assertEquals(true, whole.environment().read(txn -> txn.has(EventTable.ROW, EventKeys.number(1))));
        }
        byte[] file = Files.readAllBytes(path);
        // Opening does not come by inner pages, as the table of facts has none.
        for (int inner : branches(file)) {
            Arrays.fill(file, inner * PAGE + 1_024, inner * PAGE + 1_536, (byte) 0);
        }
        Files.write(path, file);
        try (Database damaged = large()) {
            Await.until("the damage is found", Duration.ofSeconds(20), () -> refused(damaged) != null);
            ProviderException refusal = refused(damaged);
            assertNotNull(refusal);
            assertEquals("store.corrupt", refusal.code());
        }
    }

    private Database large() throws ProviderException {
        return Database.open(engine, events(), Homes.MAP_BYTES, EventTable.values(), EventTable.FORMAT, 0);
    }

    private static @Nullable ProviderException refused(Database database) {
        try {
            database.environment();
            return null;
        } catch (ProviderException e) {
            return e;
        }
    }

    @Test
    void aFileWithoutSumsIsRefused() throws Exception {
        writeEvents(0, 250);
        Path directory = folder.resolve("plain");
        Files.createDirectory(directory);
        long holder = nmemAllocChecked(Long.BYTES);
        ByteBuffer name = memUTF8(directory.toString());
        try {
            assertEquals(0, LMDB.nmdb_env_create(holder));
            long environment = memGetAddress(holder);
            assertEquals(0, LMDB.nmdb_env_open(environment, memAddress(name), 0, 0600));
            LMDB.nmdb_env_close(environment);
        } finally {
            memFree(name);
            nmemFree(holder);
        }
        // Not because it lacks the tables, too.
        LmdbException refused = assertThrows(
                LmdbException.class,
                () -> Environment.open(directory, Homes.MAP_BYTES, EventTable.values(), Environment.Mode.CREATE));
        assertEquals(LMDB.MDB_BAD_CHECKSUM, refused.code());
        Files.copy(directory.resolve(Environment.FILE), file(events()), StandardCopyOption.REPLACE_EXISTING);
        assertTrue(eventsRefuse());
    }
}
