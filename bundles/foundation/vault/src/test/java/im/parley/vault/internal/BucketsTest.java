package im.parley.vault.internal;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.SpaceId;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.internal.CrashingFile.Crash;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class BucketsTest {
    private static final SpaceId ID = new SpaceId("circle:default");
    private static final RecordKey A = RecordKey.of(1, "n", 1L);
    private static final RecordKey B = RecordKey.of(1, "n", 2L);
    private static final RecordKey C = RecordKey.of(1, "n", 3L);
    private static final RecordKey.Range ALL = RecordKey.all(1, "n");

    @TempDir
    Path root = Path.of("unset");

    private final SecureRandom random = Seeds.secureRandom("buckets");
    private FakeRecordStore store = new FakeRecordStore();
    private LocalVault vault;
    private LeasedSpaces spaces;
    private SealedSpace space;

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
        space = spaces.open(ID);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static ProviderException fails(String code, Executable call) {
        ProviderException e = assertThrows(ProviderException.class, call);
        assertEquals(code, e.code(), e.getMessage());
        return e;
    }

    private static @Nullable String text(SealedSpace in, RecordKey key) throws ProviderException {
        byte[] value = in.get(key);
        return value == null ? null : new String(value, StandardCharsets.UTF_8);
    }

    private static List<String> texts(SealedSpace in) throws ProviderException {
        return in.transact(tx -> tx.scan(ALL, false, 100)).stream()
                .map(item -> new String(item.value(), StandardCharsets.UTF_8))
                .toList();
    }

    private Path keyFile() throws Exception {
        try (Stream<Path> files = Files.list(root.resolve("data/vault/buckets"))) {
            return files.findFirst().orElseThrow();
        }
    }

    // ---- Putting and shredding

    @Test
    void recordsComeBackWithTheirBucketsAlsoAfterARestart() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("one"), 7);
            tx.put(B, bytes("two"), -1);
            tx.put(C, bytes("three"), 0);
            assertArrayEquals(bytes("one"), tx.get(A));
        });
        for (int round = 0; round < 2; round++) {
            assertEquals(List.of("one", "two", "three"), texts(space));
            assertEquals(
                    List.of(7L, -1L, 0L),
                    space.transact(tx -> tx.scan(ALL, false, 9)).stream()
                            .map(SealedSpace.Item::bucket)
                            .toList());
            SealedSpace.Item item = space.transact(tx -> java.util.Objects.requireNonNull(tx.item(B)));
            assertArrayEquals(bytes("two"), item.value());
            assertArrayEquals(B.order(), item.order());
            assertEquals(-1, item.bucket());
            open();
        }
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(keyFile())));
        assertEquals(3 * KeyFile.SLOT, Files.size(keyFile()));
        assertEquals(0, space.tampered());
    }

    @Test
    void whoUsesNoBucketsHasNoFileForThem() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("one"));
            tx.shred(9);
            assertThrows(IllegalArgumentException.class, () -> tx.shred(0));
        });
        open();
        assertEquals("one", text(space, A));
        assertFalse(Files.exists(root.resolve("data/vault/buckets")));
        LeasedSpaces without = new LeasedSpaces(store, vault::secretsFor, random);
        assertEquals("one", text(without.open(ID), A));
        fails("vault.no-buckets", () -> without.open(ID).update(tx -> tx.put(A, bytes("x"), 1)));
        assertThrows(IllegalArgumentException.class, () -> RecordKey.of(RecordKey.VAULT_TABLE, "bucket.1"));
        assertThrows(IllegalArgumentException.class, () -> RecordKey.all(RecordKey.VAULT_TABLE, "shred"));
    }

    @Test
    void shreddedRecordsAreAbsentAtOnceAndForGood() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("one"), 7);
            tx.put(B, bytes("two"), 8);
            tx.put(C, bytes("three"), 7);
        });
        NavigableMap<byte[], byte[]> before = new TreeMap<>(store.rows(ID));
        space.update(tx -> {
            tx.shred(7);
            assertNull(tx.get(A));
            assertEquals(1, tx.scan(ALL, false, 1).size());
            tx.put(C, bytes("new"), 7);
            assertArrayEquals(bytes("new"), tx.get(C));
        });
        for (int round = 0; round < 2; round++) {
            assertNull(text(space, A));
            assertNull(space.transact(tx -> java.util.Optional.ofNullable(tx.item(A)))
                    .orElse(null));
            assertEquals(List.of("two", "new"), texts(space));
            assertEquals(2, space.transact(tx -> tx.scan(ALL, true, 2)).size());
            open();
        }
        // Whoever kept the sealed values brings them back.
        byte[] one = java.util.Objects.requireNonNull(before.get(before.firstKey()));
        before.forEach((key, value) -> {
            if (key[0] == 1) {
                store.rows(ID).put(key, value);
            }
        });
        assertEquals(List.of("two"), texts(space));
        assertNotEquals(0, one.length);
        assertEquals(0, space.tampered());
    }

    @Test
    void aTransactionThatFailsDestroysNothing() throws Exception {
        space.update(tx -> tx.put(A, bytes("one"), 7));
        assertThrows(
                IllegalStateException.class,
                () -> space.update(tx -> {
                    tx.shred(7);
                    tx.put(B, bytes("two"), 8);
                    throw new IllegalStateException("own");
                }));
        for (int round = 0; round < 2; round++) {
            assertEquals(List.of("one"), texts(space));
            open();
        }
        // A work that is run again shreds what its last run says.
        assertEquals(List.of("one"), texts(space));
        store.retries = 2;
        int[] runs = {0};
        space.update(tx -> {
            if (++runs[0] < 3) {
                tx.shred(7);
            }
            tx.put(B, bytes("two"), 8);
        });
        assertEquals(List.of("one", "two"), texts(space));
        // One slot of the failed transaction was forgotten by the restart.
        assertEquals(4 * KeyFile.SLOT, Files.size(keyFile()));
    }

    @Test
    void failingTransactionsDoNotLetTheFileGrowAndSlotsAreUsedAgain() throws Exception {
        for (int i = 0; i < 50; i++) {
            assertThrows(
                    IllegalStateException.class,
                    () -> space.update(tx -> {
                        tx.put(A, bytes("x"), 7);
                        throw new IllegalStateException("own");
                    }));
        }
        assertEquals(2 * KeyFile.SLOT, Files.size(keyFile()));
        for (int i = 0; i < 200; i++) {
            String value = "value " + i;
            long bucket = 7 + i;
            space.update(tx -> tx.put(A, bytes(value), bucket));
            assertEquals(value, text(space, A));
            space.update(tx -> tx.shred(bucket));
            if (i % 50 == 0) {
                open();
            }
        }
        assertTrue(Files.size(keyFile()) <= 4 * KeyFile.SLOT, Files.size(keyFile()) + " bytes");
        assertTrue(store.rows(ID).size() < 5, store.rows(ID).size() + " rows");
    }

    @Test
    void destroyTakesTheSecretsOfBucketsToo() throws Exception {
        space.update(tx -> tx.put(A, bytes("one"), 7));
        Path file = keyFile();
        // Kept open, it shows what became of its bytes.
        try (java.io.RandomAccessFile bytes = new java.io.RandomAccessFile(file.toFile(), "r")) {
            spaces.destroy(ID);
            assertFalse(Files.exists(file));
            byte[] left = new byte[2 * KeyFile.SLOT];
            bytes.readFully(left);
            assertArrayEquals(new byte[left.length], left);
        }
        SealedSpace anew = spaces.open(ID);
        anew.update(tx -> tx.put(A, bytes("new"), 7));
        assertEquals("new", text(anew, A));
    }

    @Test
    void whatStaysMovesToANewSecretInTheSameTransaction() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("goes"), 7);
            tx.put(B, bytes("stays"), 7);
        });
        NavigableMap<byte[], byte[]> before = store.fork().rows(ID);
        assertEquals(List.of("goes", "stays"), readable(before, spaces));
        space.update(tx -> {
            byte[] stays = requireNonNull(tx.get(B));
            tx.delete(A);
            tx.shred(7);
            tx.put(B, stays, 7);
            assertArrayEquals(stays, tx.get(B));
        });
        for (int round = 0; round < 2; round++) {
            assertEquals(List.of("stays"), texts(space));
            assertEquals(List.of(), readable(before, spaces));
            spaces = new LeasedSpaces(store, vault, random);
            space = spaces.open(ID);
        }
    }

    // ---- What is left

    /** Every text that can be had from these rows with the keys of now. */
    private List<String> readable(NavigableMap<byte[], byte[]> rows, LeasedSpaces live) throws Exception {
        FakeRecordStore copy = store.fork();
        copy.rows(ID).clear();
        copy.rows(ID).putAll(rows);
        assertNotNull(live);
        return texts(new LeasedSpaces(copy, vault, random).open(ID));
    }

    @Test
    void whatWasCopiedBeforeOpensWithTheKeysOfBeforeAndNotOfAfter() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("canary"), 7);
            tx.put(B, bytes("stays"), 8);
        });
        NavigableMap<byte[], byte[]> copied = new TreeMap<>(store.rows(ID));
        byte[] secrets = Files.readAllBytes(keyFile());
        byte[] slot = Arrays.copyOfRange(secrets, KeyFile.SLOT, 2 * KeyFile.SLOT);
        assertTrue(contains(secrets, Arrays.copyOfRange(slot, 33, 73)), "the sealed secret is in the file");
        assertEquals(List.of("canary", "stays"), readable(copied, spaces));
        space.update(tx -> tx.shred(7));
        byte[] after = Files.readAllBytes(keyFile());
        // The slot opens as destroyed, and no part of what was in it is there.
        for (int i = 33; i + 8 <= 89; i++) {
            assertFalse(contains(after, Arrays.copyOfRange(slot, i, i + 8)), "byte " + i + " of the slot is left");
        }
        assertArrayEquals(new byte[79], Arrays.copyOfRange(after, KeyFile.SLOT + 49, 2 * KeyFile.SLOT));
        assertEquals(List.of("stays"), readable(copied, spaces));
    }

    private static boolean contains(byte[] all, byte[] part) {
        for (int i = 0; i + part.length <= all.length; i++) {
            if (Arrays.equals(all, i, i + part.length, part, 0, part.length)) {
                return true;
            }
        }
        return false;
    }

    // ---- Crashes

    /** A vault whose files of buckets are on a disk that crashes. */
    private LeasedSpaces on(FakeRecordStore records, CrashingFile disk) {
        BucketFiles files = new BucketFiles() {
            @Override
            public SlotFile file(SpaceId id) {
                return disk;
            }

            @Override
            public byte[] key(SpaceId id) throws ProviderException {
                return vault.key(id);
            }
        };
        return new LeasedSpaces(records, vault, files, random);
    }

    @Test
    void aCrashAtAnyStepLosesNothingAndBringsNothingBack() throws Exception {
        space.update(tx -> tx.put(RecordKey.of(2, "makes the key"), new byte[1]));
        int crashes = 0;
        int shreds = 0;
        for (int torn : new int[] {0, 1, 40, 127, 128}) {
            for (boolean unforcedToo : new boolean[] {false, true}) {
                boolean crashed = true;
                for (int step = 1; crashed; step++) {
                    CrashingFile disk = new CrashingFile();
                    FakeRecordStore records = store.fork();
                    records.beforeCommit = () -> disk.step(() -> {});
                    records.afterCommit = () -> disk.step(() -> {});
                    disk.torn = torn;
                    disk.crashIn = step;
                    int[] done = {0};
                    crashed = crashes(on(records, disk).open(ID), done);
                    crashes += crashed ? 1 : 0;
                    CrashingFile left = CrashingFile.of(disk.left(unforcedToo));
                    FakeRecordStore kept = records.fork();
                    String where = "torn " + torn + ", unforced " + unforcedToo + ", step " + step;
                    SealedSpace again = on(kept, left).open(ID);
                    shreds += check(again, done[0], where) ? 1 : 0;
                    check(on(kept, left).open(ID), done[0], where + ", once more");
                    again.update(tx -> {
                        tx.put(A, bytes("again"), 7);
                        tx.put(B, bytes("again"), 9);
                    });
                    assertEquals("again", text(on(kept, left).open(ID), A), where);
                }
            }
        }
        assertTrue(crashes > 100 && shreds > 30, crashes + " crashes, " + shreds + " with a shred");
        System.out.println("crashed at " + crashes + " points, " + shreds + " of them after the shred had committed");
    }

    private static boolean crashes(SealedSpace life, int[] done) throws ProviderException {
        try {
            life.update(tx -> {
                tx.put(A, bytes("one"), 7);
                tx.put(B, bytes("two"), 8);
            });
            done[0] = 1;
            life.update(tx -> {
                tx.shred(7);
                tx.put(C, bytes("three"), 7);
            });
            done[0] = 2;
            life.update(tx -> tx.put(A, bytes("four"), 9));
            done[0] = 3;
            return false;
        } catch (Crash e) {
            return true;
        }
    }

    /** What returned is there; what had not may be there as a whole. Returns whether the shred was committed. */
    private static boolean check(SealedSpace again, int done, String where) throws ProviderException {
        Map<Integer, List<String>> states = Map.of(
                0, List.of(), 1, List.of("one", "two"), 2, List.of("two", "three"), 3, List.of("four", "two", "three"));
        List<String> found = texts(again);
        assertTrue(
                found.equals(states.get(done)) || done < 3 && found.equals(states.get(done + 1)),
                where + ", after " + done + ": " + found);
        assertEquals(0, again.tampered(), where);
        return found.contains("three");
    }

    @Test
    void aStoreThatDoesNotSayThatItCommittedIsAskedAgain() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("one"), 7);
            tx.put(B, bytes("two"), 8);
        });
        NavigableMap<byte[], byte[]> copied = new TreeMap<>(store.rows(ID));
        store.afterCommit = () -> {
            throw new IllegalStateException("the answer is lost");
        };
        fails("store.failed", () -> space.update(tx -> tx.shred(7)));
        fails("store.failed", () -> space.update(tx -> tx.put(C, bytes("three"), 7)));
        store.afterCommit = null;
        assertEquals(List.of("two", "three"), texts(space));
        assertEquals(List.of("two"), readable(copied, spaces));
        space.update(tx -> tx.put(A, bytes("four"), 7));
        space.update(tx -> tx.shred(8));
        open();
        assertEquals(List.of("four", "three"), texts(space));
    }

    @Test
    void aDiskThatRefusesIsAskedAgainAndNothingIsReadMeanwhile() throws Exception {
        space.update(tx -> tx.put(RecordKey.of(2, "makes the key"), new byte[1]));
        CrashingFile disk = new CrashingFile();
        SealedSpace on = on(store, disk).open(ID);
        disk.refuses = true;
        fails("vault.io-error", () -> on.update(tx -> tx.put(A, bytes("one"), 7)));
        disk.refuses = false;
        on.update(tx -> tx.put(A, bytes("one"), 7));
        byte[] before = disk.left(false);
        disk.refuses = true;
        on.update(tx -> tx.shred(7));
        assertNull(text(on, A));
        assertArrayEquals(before, disk.left(true));
        fails("vault.io-error", () -> on.update(tx -> tx.put(A, bytes("new"), 7)));
        // A start in this state does not read it either.
        CrashingFile same = CrashingFile.of(disk.left(true));
        same.refuses = true;
        assertNull(text(on(store.fork(), same).open(ID), A));
        disk.refuses = false;
        assertNull(text(on, A));
        assertEquals(2, disk.left(false)[KeyFile.SLOT]);
        on.update(tx -> tx.put(A, bytes("new"), 7));
        assertEquals("new", text(on, A));
    }

    // ---- Damage

    @Test
    void aFileOfSecretsThatIsLostIsNoticed() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("one"), 7);
            tx.put(B, bytes("plain"));
        });
        byte[] older = Files.readAllBytes(keyFile());
        space.update(tx -> tx.put(C, bytes("three"), 8));
        byte[] good = Files.readAllBytes(keyFile());
        Path file = keyFile();
        int rows = store.rows(ID).size();
        List<byte[]> states = new ArrayList<>(List.of(older, new byte[0]));
        for (int at = 0; at < 67; at++) {
            byte[] bad = good.clone();
            bad[at] ^= 1;
            states.add(bad);
        }
        for (int length : new int[] {1, 127, 128, 255, 256}) {
            states.add(Arrays.copyOf(good, length));
        }
        for (byte[] state : states) {
            Files.deleteIfExists(file);
            if (state.length > 0) {
                Files.write(file, state);
            }
            open();
            assertEquals("plain", text(space, B));
            assertEquals(
                    Kind.CORRUPT, fails("store.key-missing", () -> space.get(A)).kind());
            fails("store.key-missing", () -> texts(space));
            fails("store.key-missing", () -> space.update(tx -> tx.put(A, bytes("x"), 7)));
            fails("store.key-missing", () -> space.update(tx -> tx.put(A, bytes("x"), 99)));
            fails("store.key-missing", () -> space.update(tx -> tx.shred(7)));
            assertEquals(state.length > 0, Files.exists(file));
            assertEquals(rows, store.rows(ID).size());
        }
        Files.write(file, good);
        open();
        assertEquals(List.of("one", "plain", "three"), texts(space));
    }

    @Test
    void aDamagedSlotHarmsItsOwnBucketOnlyWhichCanBeUsedAndShreddedStill() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("one"), 7);
            tx.put(B, bytes("two"), 8);
        });
        byte[] good = Files.readAllBytes(keyFile());
        Path file = keyFile();
        for (int i = 0; i < 89; i++) {
            byte[] bad = good.clone();
            bad[KeyFile.SLOT + i] ^= 1;
            Files.write(file, bad);
            open();
            fails("store.key-missing", () -> space.get(A));
            assertEquals(List.of("two"), texts(space));
            assertEquals(2, space.tampered());
        }
        space.update(tx -> tx.put(C, bytes("three"), 7));
        fails("store.key-missing", () -> space.get(A));
        assertEquals(List.of("two", "three"), texts(space));
        space.update(tx -> tx.shred(7));
        assertNull(text(space, A));
        open();
        assertNull(text(space, A));
        assertEquals(List.of("two"), texts(space));
        assertEquals(0, space.tampered());
    }

    @Test
    void aDamagedFileThatNothingNeedsIsOverwritten() throws Exception {
        space.update(tx -> tx.put(RecordKey.of(2, "makes the key"), new byte[1]));
        CrashingFile disk = new CrashingFile();
        SealedSpace on = on(store, disk).open(ID);
        on.update(tx -> tx.put(A, bytes("one"), 7));
        disk.refuses = true;
        on.update(tx -> tx.shred(7));
        byte[] left = disk.left(true);
        left[20] ^= 1;
        CrashingFile damaged = CrashingFile.of(left);
        SealedSpace again = on(store, damaged).open(ID);
        fails("store.key-missing", () -> again.get(A));
        assertEquals(0, damaged.size());
        again.update(tx -> tx.put(A, bytes("new"), 7));
        assertEquals("new", text(on(store, damaged).open(ID), A));
    }

    @Test
    void slotsThatWereSwappedAndValuesThatWereAreNoticed() throws Exception {
        space.update(tx -> {
            tx.put(A, bytes("one"), 7);
            tx.put(B, bytes("two"), 8);
        });
        List<byte[]> keys =
                store.rows(ID).keySet().stream().filter(key -> key[0] == 1).toList();
        byte[] one = java.util.Objects.requireNonNull(store.rows(ID).get(keys.get(0)));
        byte[] two = java.util.Objects.requireNonNull(store.rows(ID).get(keys.get(1)));
        store.rows(ID).put(keys.get(0), two);
        fails("store.tampered", () -> space.get(A));
        for (int i = 0; i < one.length; i++) {
            byte[] bad = one.clone();
            bad[i] ^= 1;
            store.rows(ID).put(keys.get(0), bad);
            assertEquals(
                    Kind.CORRUPT,
                    assertThrows(ProviderException.class, () -> space.get(A)).kind(),
                    "byte " + i);
        }
        store.rows(ID).put(keys.get(0), one);
        byte[] file = Files.readAllBytes(keyFile());
        byte[] swapped = file.clone();
        System.arraycopy(file, KeyFile.SLOT, swapped, 2 * KeyFile.SLOT, KeyFile.SLOT);
        System.arraycopy(file, 2 * KeyFile.SLOT, swapped, KeyFile.SLOT, KeyFile.SLOT);
        Files.write(keyFile(), swapped);
        open();
        fails("store.key-missing", () -> space.get(A));
        fails("store.key-missing", () -> space.get(B));
    }

    // ---- Against a map

    private record Kept(String text, long bucket) {}

    @Test
    void seededOperationsMatchAMap() throws Exception {
        RandomGenerator choice = Seeds.generator("buckets.model");
        Map<Integer, Kept> model = new HashMap<>();
        for (int round = 0; round < 1_500; round++) {
            Map<Integer, Kept> next = new HashMap<>(model);
            List<int[]> plan = new ArrayList<>();
            for (int i = choice.nextInt(1, 6); i > 0; i--) {
                plan.add(new int[] {choice.nextInt(10), choice.nextInt(20), choice.nextInt(6), choice.nextInt()});
            }
            boolean fails = choice.nextInt(8) == 0;
            store.retries = choice.nextInt(6) == 0 ? choice.nextInt(3) : 0;
            SealedSpace.Update work = tx -> {
                next.clear();
                next.putAll(model);
                for (int[] step : plan) {
                    apply(tx, next, step);
                }
                if (fails) {
                    throw new IllegalStateException("own");
                }
            };
            if (fails) {
                assertThrows(IllegalStateException.class, () -> space.update(work));
            } else {
                space.update(work);
                model.clear();
                model.putAll(next);
            }
            if (choice.nextInt(20) == 0) {
                open();
            }
            if (choice.nextInt(4) == 0) {
                Map<Integer, Kept> found = new HashMap<>();
                for (SealedSpace.Item item : space.transact(tx -> tx.scan(ALL, false, 100))) {
                    found.put(
                            (int) java.nio.ByteBuffer.wrap(item.order()).getLong(),
                            new Kept(new String(item.value(), StandardCharsets.UTF_8), item.bucket()));
                }
                assertEquals(model, found, "round " + round);
            }
        }
        assertEquals(0, space.tampered());
        assertTrue(Files.size(keyFile()) < 60 * KeyFile.SLOT, Files.size(keyFile()) + " bytes");
    }

    private static void apply(SealedSpace.Tx tx, Map<Integer, Kept> model, int[] step) throws ProviderException {
        RecordKey key = RecordKey.of(1, "n", (long) step[1]);
        long bucket = step[2] == 5 ? -1L : step[2];
        if (step[0] < 6) {
            String value = "v" + step[3];
            tx.put(key, bytes(value), bucket);
            model.put(step[1], new Kept(value, bucket));
        } else if (step[0] < 7) {
            tx.delete(key);
            model.remove(step[1]);
        } else if (step[0] < 9 && bucket != 0) {
            tx.shred(bucket);
            model.values().removeIf(kept -> kept.bucket == bucket);
        }
        byte[] value = tx.get(key);
        Kept kept = model.get(step[1]);
        assertEquals(kept == null ? null : kept.text, value == null ? null : new String(value, StandardCharsets.UTF_8));
    }
}
