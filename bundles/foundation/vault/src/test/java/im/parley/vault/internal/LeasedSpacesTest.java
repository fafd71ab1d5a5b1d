package im.parley.vault.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.SpaceId;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class LeasedSpacesTest {
    private static final SpaceId ID = new SpaceId("circle:default");

    @TempDir
    Path root = Path.of("unset");

    private final FakeRecordStore store = new FakeRecordStore();
    private final SecureRandom random = Seeds.secureRandom("spaces");
    private LocalVault vault;
    private LeasedSpaces spaces;

    @BeforeEach
    void open() {
        vault = new LocalVault(
                SettableClock.atSecond(0),
                random,
                root.resolve("data"),
                root.resolve("state"),
                name -> null,
                new KdfCost(64, 1, 1));
        spaces = new LeasedSpaces(store, vault, random);
    }

    @AfterEach
    void leasesAreGivenBack() {
        assertEquals(0, store.leased);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static ProviderException fails(String code, Executable call) {
        ProviderException e = assertThrows(ProviderException.class, call);
        assertEquals(code, e.code());
        return e;
    }

    @Test
    void recordsComeBackAlsoAfterARestart() throws Exception {
        RecordKey key = RecordKey.of(1, "alice", 5L);
        SealedSpace space = spaces.open(ID);
        assertNull(space.get(key));
        space.update(tx -> {
            tx.put(key, bytes("hello"));
            assertArrayEquals(bytes("hello"), tx.get(key));
        });
        open();
        assertArrayEquals(bytes("hello"), spaces.open(ID).get(key));
        spaces.open(ID).update(tx -> tx.delete(key));
        assertNull(space.get(key));
    }

    @Test
    void theStoreSeesNeitherNamesNorText() throws Exception {
        SealedSpace space = spaces.open(ID);
        String name = "canary-name-of-bob";
        String text = "canary-text-to-bob";
        space.update(tx -> {
            tx.put(RecordKey.of(3, name, 7L), bytes(text));
            tx.get(RecordKey.of(3, name));
            tx.scan(RecordKey.all(3, name), false, 5);
            tx.delete(RecordKey.of(4, name));
        });
        String seen = store.seen.toString(StandardCharsets.ISO_8859_1);
        assertTrue(seen.length() > 60, "something was seen");
        assertFalse(seen.contains("canary"), "the store saw a canary");
        byte[] key = store.rows(ID).firstKey();
        assertEquals(1 + 16 + 8, key.length);
        assertEquals(3, key[0]);
        assertEquals("0000000000000007", HexFormat.of().formatHex(key, 17, 25));
        assertEquals(
                1 + 24 + 16 + text.length(), assertNotNullBytes(store.rows(ID).get(key)).length);
    }

    @Test
    void equalRecordsInTwoSpacesShareNothing() throws Exception {
        for (String id : List.of("a", "b")) {
            spaces.open(new SpaceId(id)).update(tx -> tx.put(RecordKey.of(1, "n"), bytes("v")));
        }
        byte[] a = store.rows(new SpaceId("a")).firstKey();
        byte[] b = store.rows(new SpaceId("b")).firstKey();
        assertTrue(FakeRecordStore.UNSIGNED.compare(a, b) != 0);
    }

    @Test
    void CR_20_everyFlippedByteOfARowIsTampering() throws Exception {
        RecordKey key = RecordKey.of(1, "n", 1L);
        SealedSpace space = spaces.open(ID);
        space.update(tx -> tx.put(key, bytes("value")));
        byte[] stored = store.rows(ID).firstKey();
        byte[] good = assertNotNullBytes(store.rows(ID).get(stored));
        long before = space.tampered();
        for (int i = 0; i < good.length; i++) {
            byte[] bad = good.clone();
            bad[i] ^= 1;
            store.rows(ID).put(stored, bad);
            assertEquals(
                    Kind.CORRUPT, fails("store.tampered", () -> space.get(key)).kind());
            assertEquals(List.of(), space.transact(tx -> tx.scan(RecordKey.all(1, "n"), false, 10)));
        }
        store.rows(ID).put(stored, new byte[0]);
        fails("store.tampered", () -> space.get(key));
        assertEquals(before + 2L * good.length + 1, spaces.open(ID).tampered());
        store.rows(ID).put(stored, good);
        assertArrayEquals(bytes("value"), space.get(key));
    }

    @Test
    void CR_20_swappedRowsAreTampering() throws Exception {
        SealedSpace space = spaces.open(ID);
        space.update(tx -> {
            for (long i = 0; i < 5; i++) {
                tx.put(RecordKey.of(1, "n", i), bytes("value " + i));
            }
        });
        List<byte[]> keys = new ArrayList<>(store.rows(ID).keySet());
        byte[] first = assertNotNullBytes(store.rows(ID).get(keys.get(1)));
        store.rows(ID).put(keys.get(1), store.rows(ID).get(keys.get(3)));
        store.rows(ID).put(keys.get(3), first);
        fails("store.tampered", () -> space.get(RecordKey.of(1, "n", 1L)));
        fails("store.tampered", () -> space.get(RecordKey.of(1, "n", 3L)));
        List<SealedSpace.Item> items = space.transact(tx -> tx.scan(RecordKey.all(1, "n"), false, 3));
        // The limit is filled from behind the damaged ones.
        assertEquals(List.of("value 0", "value 2", "value 4"), texts(items));
        assertEquals(
                List.of("value 4", "value 2", "value 0"),
                texts(space.transact(tx -> tx.scan(RecordKey.all(1, "n"), true, 3))));
        assertEquals(2 + 2 + 2, space.tampered());
    }

    private static List<String> texts(List<SealedSpace.Item> items) {
        return items.stream()
                .map(item -> new String(item.value(), StandardCharsets.UTF_8))
                .toList();
    }

    @Test
    void CR_20_aRowOfAnotherSpaceIsTampering() throws Exception {
        SpaceId other = new SpaceId("other");
        RecordKey key = RecordKey.of(1, "n");
        spaces.open(ID).update(tx -> tx.put(key, bytes("mine")));
        spaces.open(other).update(tx -> tx.put(key, bytes("theirs")));
        store.rows(ID)
                .put(store.rows(ID).firstKey(), store.rows(other).firstEntry().getValue());
        fails("store.tampered", () -> spaces.open(ID).get(key));
    }

    @Test
    void seededScansMatchAMap() throws Exception {
        RandomGenerator choice = Seeds.generator("spaces.model");
        SealedSpace space = spaces.open(ID);
        Map<String, NavigableMap<byte[], byte[]>> model = new TreeMap<>();
        for (int round = 0; round < 400; round++) {
            int table = choice.nextInt(3);
            String name = "n" + choice.nextInt(4);
            NavigableMap<byte[], byte[]> rows =
                    model.computeIfAbsent(table + name, any -> new TreeMap<>(FakeRecordStore.UNSIGNED));
            byte[] order = order(choice);
            RecordKey key = RecordKey.of(table, name, order);
            if (choice.nextInt(4) == 0) {
                space.update(tx -> tx.delete(key));
                rows.remove(order);
            } else {
                byte[] value = new byte[choice.nextInt(50)];
                choice.nextBytes(value);
                space.update(tx -> tx.put(key, value));
                rows.put(order, value);
            }
            byte[] from = choice.nextBoolean() ? new byte[0] : order(choice);
            byte[] to = choice.nextBoolean() ? new byte[0] : order(choice);
            boolean reverse = choice.nextBoolean();
            int limit = choice.nextInt(1, 20);
            List<String> expected = new ArrayList<>();
            NavigableMap<byte[], byte[]> view = reverse ? rows.descendingMap() : rows;
            for (byte[] at : view.keySet()) {
                boolean inside = FakeRecordStore.UNSIGNED.compare(at, from) >= 0
                        && (to.length == 0 || FakeRecordStore.UNSIGNED.compare(at, to) < 0);
                if (inside && expected.size() < limit) {
                    expected.add(
                            HexFormat.of().formatHex(at) + "=" + HexFormat.of().formatHex(rows.get(at)));
                }
            }
            List<String> found = new ArrayList<>();
            for (SealedSpace.Item item :
                    space.transact(tx -> tx.scan(new RecordKey.Range(table, name, from, to), reverse, limit))) {
                found.add(HexFormat.of().formatHex(item.order()) + "="
                        + HexFormat.of().formatHex(item.value()));
            }
            assertEquals(expected, found);
        }
        assertEquals(0, space.tampered());
    }

    private static byte[] order(RandomGenerator choice) {
        byte[] order = new byte[choice.nextInt(4)];
        for (int i = 0; i < order.length; i++) {
            order[i] = (byte) (choice.nextInt(4) == 0 ? 0xff : choice.nextInt(3));
        }
        return order;
    }

    @Test
    void thePrefixAfterAllOnesEndsTheStore() {
        assertNull(SpaceKeys.after(new byte[] {-1, -1}));
        assertArrayEquals(new byte[] {2}, SpaceKeys.after(new byte[] {1, -1}));
        assertArrayEquals(new byte[] {1, 1}, SpaceKeys.after(new byte[] {1, 0}));
        assertArrayEquals(new byte[] {-128}, SpaceKeys.after(new byte[] {127}));
    }

    @Test
    void aTransactionThatThrowsChangesNothingAndARetryDoesNoHarm() throws Exception {
        SealedSpace space = spaces.open(ID);
        RecordKey key = RecordKey.of(1, "n");
        IllegalStateException own = new IllegalStateException("own");
        assertSame(
                own,
                assertThrows(
                        IllegalStateException.class,
                        () -> space.update(tx -> {
                            tx.put(key, bytes("x"));
                            throw own;
                        })));
        assertNull(space.get(key));
        AtomicInteger runs = new AtomicInteger();
        store.retries = 2;
        space.update(tx -> {
            runs.incrementAndGet();
            assertNull(tx.get(key));
            tx.put(key, bytes("y"));
        });
        assertEquals(3, runs.get());
        assertArrayEquals(bytes("y"), space.get(key));
    }

    @Test
    void failuresOfTheStoreArriveWithoutItsObjects() throws Exception {
        SealedSpace space = spaces.open(ID);
        store.empty = true;
        fails("slot.empty", () -> space.get(RecordKey.of(1, "n")));
        fails("slot.empty", () -> space.update(tx -> {}));
        store.empty = false;
        space.update(tx -> {});
        store.bug = new IllegalStateException("of the store");
        ProviderException e = fails("store.failed", () -> space.update(tx -> {}));
        assertEquals(Kind.INTERNAL, e.kind());
        assertNull(e.getCause());
        ProviderException withCause = fails("x.y", () -> {
            store.bug = null;
            space.update(tx -> {
                throw new ProviderException(Kind.TIMEOUT, "x.y", "text", new IllegalStateException("of the store"));
            });
        });
        assertNull(withCause.getCause());
    }

    @Test
    void boundsValuesAndNames() throws Exception {
        SealedSpace space = spaces.open(ID);
        int max = (1 << 20) - 64;
        space.update(tx -> tx.put(RecordKey.of(1, "n"), new byte[max]));
        assertEquals(max, assertNotNullBytes(space.get(RecordKey.of(1, "n"))).length);
        fails("store.too-large", () -> space.update(tx -> tx.put(RecordKey.of(1, "n"), new byte[max + 1])));
        assertThrows(
                IllegalArgumentException.class,
                () -> space.update(tx -> tx.put(RecordKey.of(1, "\uD800"), new byte[1])));
        assertThrows(
                IllegalArgumentException.class,
                () -> space.transact(
                        tx -> tx.scan(RecordKey.all(1, "n"), false, 0).size()));
    }

    private static byte[] assertNotNullBytes(byte @org.jspecify.annotations.Nullable [] bytes) {
        assertNotNull(bytes);
        return java.util.Objects.requireNonNull(bytes);
    }

    @Test
    void destroyTakesTheKeyFirstAndTheSpaceCanBeUsedAnew() throws Exception {
        RecordKey key = RecordKey.of(1, "n");
        SealedSpace space = spaces.open(ID);
        space.update(tx -> tx.put(key, bytes("old")));
        NavigableMap<byte[], byte[]> copyElsewhere = new TreeMap<>(store.rows(ID));
        spaces.destroy(ID);
        assertEquals(List.of(), vault.secretsFor(LeasedSpaces.INSTANCE).names());
        assertFalse(store.spaces.containsKey(ID));
        fails("store.destroyed", () -> space.get(key));
        fails("store.destroyed", () -> space.update(tx -> tx.put(key, bytes("late"))));
        assertEquals(List.of(), vault.secretsFor(LeasedSpaces.INSTANCE).names(), "who is late makes no new key");
        SealedSpace anew = spaces.open(ID);
        assertNull(anew.get(key));
        anew.update(tx -> tx.put(key, bytes("new")));
        assertArrayEquals(bytes("new"), anew.get(key));
        store.rows(ID).putAll(copyElsewhere);
        assertArrayEquals(bytes("new"), anew.get(key));
    }

    @Test
    void destroyWithoutAStoreIsFinishedLater() throws Exception {
        RecordKey key = RecordKey.of(1, "n");
        spaces.open(ID).update(tx -> tx.put(key, bytes("old")));
        store.empty = true;
        fails("slot.empty", () -> spaces.destroy(ID));
        store.empty = false;
        assertEquals(1, store.rows(ID).size());
        open();
        assertNull(spaces.open(ID).get(key));
        assertEquals(0, store.rows(ID).size());
        assertEquals(
                List.of("key.circle_default"),
                vault.secretsFor(LeasedSpaces.INSTANCE).names());
    }

    @Test
    void recordsWithoutTheirKeyAreNotWrittenOver() throws Exception {
        spaces.open(ID).update(tx -> tx.put(RecordKey.of(1, "n"), bytes("old")));
        vault.secretsFor(LeasedSpaces.INSTANCE).delete("key.circle_default");
        open();
        fails("store.key-missing", () -> spaces.open(ID).update(tx -> tx.put(RecordKey.of(1, "n"), bytes("new"))));
        assertEquals(List.of(), vault.secretsFor(LeasedSpaces.INSTANCE).names());
        assertEquals(1, store.rows(ID).size());
    }
}
