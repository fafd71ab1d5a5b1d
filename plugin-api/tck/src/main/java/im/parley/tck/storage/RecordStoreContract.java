package im.parley.tck.storage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What every {@link RecordStore} does. Extend it in the provider's tests and say how a store is opened. Beyond the words
 * of the API it settles: keys, values and limits outside their sizes are {@link IllegalArgumentException}s; a transaction
 * used after its work or on another thread, and a transaction begun inside another, are {@link IllegalStateException}s;
 * deleting what is absent does not count as a change; a space opened before {@code destroy} is a view of the new, empty
 * space of that id.
 */
@Timeout(300)
public abstract class RecordStoreContract {
    private static final int ROUNDS = 30 * Integer.getInteger("parley.tck.rounds", 10);
    private static final SpaceId MAIN = new SpaceId("main:1");
    private static final SpaceId OTHER = new SpaceId("main:10");

    private @Nullable RecordStore current;

    /** A new, empty store, independent of all others. */
    protected abstract RecordStore open() throws Exception;

    /** Closes the store and opens the same data again. A store that keeps nothing returns the same object. */
    protected abstract RecordStore reopen(RecordStore store) throws Exception;

    /** Closes the store for good. */
    protected abstract void close(RecordStore store) throws Exception;

    @BeforeEach
    final void openStore() throws Exception {
        current = open();
    }

    @AfterEach
    final void closeStore() throws Exception {
        if (current != null) {
            close(current);
        }
    }

    private RecordStore store() {
        return Objects.requireNonNull(current);
    }

    private void reopen() throws Exception {
        current = reopen(store());
    }

    private Space main() throws ProviderException {
        return store().open(MAIN);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] hex(String hex) {
        return HexFormat.of().parseHex(hex.replace(" ", ""));
    }

    private static void put(Space space, String key, String value) throws ProviderException {
        space.transact(transaction -> {
            transaction.put(bytes(key), bytes(value));
            return true;
        });
    }

    private static String get(Space space, String key) throws ProviderException {
        return space.transact(transaction -> {
            byte[] value = transaction.get(bytes(key));
            return value == null ? "absent" : new String(value, StandardCharsets.UTF_8);
        });
    }

    private static List<String> keys(Space space, byte[] from, byte @Nullable [] to, boolean reverse, int limit)
            throws ProviderException {
        return space.transact(transaction -> transaction.range(from, to, reverse, limit).stream()
                .map(entry -> HexFormat.of().formatHex(entry.key()))
                .toList());
    }

    private static List<String> allKeys(Space space) throws ProviderException {
        return keys(space, new byte[0], null, false, Integer.MAX_VALUE);
    }

    // Values

    @Test
    void recordsAreCreatedReplacedAndDeleted() throws Exception {
        Space space = main();
        put(space, "a", "one");
        put(space, "b", "");
        assertEquals("one", get(space, "a"));
        assertEquals("", get(space, "b"));
        assertEquals("absent", get(space, "c"));
        put(space, "a", "two");
        space.transact(transaction -> {
            transaction.delete(bytes("b"));
            transaction.delete(bytes("never there"));
            return true;
        });
        reopen();
        assertEquals("two", get(main(), "a"));
        assertEquals("absent", get(main(), "b"));
    }

    @Test
    void valuesOfEverySizeComeBack() throws Exception {
        int[] sizes = {0, 1, 255, 4_096, 32_671, 32_672, 32_673, 40_000, 65_536, Space.MAX_VALUE_BYTES};
        for (int size : sizes) {
            main().transact(transaction -> {
                transaction.put(key(size), pattern(size));
                return true;
            });
        }
        for (int i = 0; i < 2; i++) {
            main().transact(transaction -> {
                for (int size : sizes) {
                    assertArrayEquals(pattern(size), transaction.get(key(size)));
                }
                List<Space.Entry> all = transaction.range(new byte[0], null, false, 100);
                assertEquals(sizes.length, all.size());
                for (int j = 0; j < sizes.length; j++) {
                    assertArrayEquals(pattern(sizes[j]), all.get(j).value());
                }
                return true;
            });
            reopen();
        }
        // A large value gives way to a small one and the other way round.
        main().transact(transaction -> {
            transaction.put(key(0), pattern(100_000));
            transaction.put(key(65_536), pattern(5));
            return true;
        });
        main().transact(transaction -> {
            assertArrayEquals(pattern(100_000), transaction.get(key(0)));
            assertArrayEquals(pattern(5), transaction.get(key(65_536)));
            return true;
        });
    }

    private static byte[] key(int number) {
        return new byte[] {(byte) (number >>> 24), (byte) (number >>> 16), (byte) (number >>> 8), (byte) number};
    }

    private static byte[] pattern(int size) {
        byte[] value = new byte[size];
        for (int i = 0; i < size; i++) {
            value[i] = (byte) (i * 31 + size + (i >>> 8));
        }
        return value;
    }

    @Test
    void sizesOutsideTheLimitsAreRefused() throws Exception {
        byte[] small = {1};
        byte[] longest = new byte[Space.MAX_KEY_BYTES];
        main().transact(transaction -> {
            transaction.put(longest, small);
            assertThrows(IllegalArgumentException.class, () -> transaction.put(new byte[0], small));
            assertThrows(IllegalArgumentException.class, () -> transaction.put(new byte[256], small));
            assertThrows(
                    IllegalArgumentException.class, () -> transaction.put(small, new byte[Space.MAX_VALUE_BYTES + 1]));
            assertThrows(IllegalArgumentException.class, () -> transaction.get(new byte[0]));
            assertThrows(IllegalArgumentException.class, () -> transaction.delete(new byte[256]));
            assertThrows(IllegalArgumentException.class, () -> transaction.range(small, null, false, 0));
            return true;
        });
        main().transact(transaction -> {
            assertArrayEquals(small, transaction.get(longest));
            assertNull(transaction.get(small));
            return true;
        });
    }

    @Test
    void arraysAreCopied() throws Exception {
        byte[] key = {1};
        byte[] value = {2};
        main().transact(transaction -> {
            transaction.put(key, value);
            key[0] = 9;
            value[0] = 9;
            byte[] read = Objects.requireNonNull(transaction.get(new byte[] {1}));
            assertArrayEquals(new byte[] {2}, read);
            read[0] = 8;
            transaction.range(new byte[0], null, false, 1).get(0).key()[0] = 7;
            return true;
        });
        main().transact(transaction -> {
            assertArrayEquals(new byte[] {2}, transaction.get(new byte[] {1}));
            return true;
        });
    }

    // Order

    @Test
    void keysAreOrderedUnsignedAndAPrefixComesFirst() throws Exception {
        List<String> ordered = new ArrayList<>(List.of(
                "00", "0000", "000020", "00ff", "01", "0120", "012000", "012020", "0121", "1f", "20", "2000", "20001f",
                "2020", "202020", "20ff", "61", "6100", "6120", "612020", "6162", "7f", "7fff", "80", "8000", "8020",
                "fe", "ff", "ff00", "ff20", "ffff", "ffffff"));
        ordered.add("ff".repeat(254));
        ordered.add("ff".repeat(254) + "20");
        ordered.add("ff".repeat(255));
        List<String> shuffled = new ArrayList<>(ordered);
        Collections.shuffle(shuffled, new java.util.Random(3));
        Space space = main();
        space.transact(transaction -> {
            for (String key : shuffled) {
                transaction.put(hex(key), hex(key));
            }
            transaction.put(new byte[255], new byte[0]);
            return true;
        });
        ordered.add(2, "00".repeat(255));
        assertEquals(ordered, allKeys(space));
        List<String> reversed = new ArrayList<>(ordered);
        Collections.reverse(reversed);
        assertEquals(reversed, keys(space, new byte[0], null, true, 1_000));
        for (String key : shuffled) {
            space.transact(transaction -> {
                assertArrayEquals(hex(key), transaction.get(hex(key)));
                return true;
            });
        }
    }

    @Test
    void aRangeHasAnInclusiveStartAndAnExclusiveEnd() throws Exception {
        Space space = main();
        for (String key : List.of("01", "02", "0220", "0230", "03", "04")) {
            space.transact(transaction -> {
                transaction.put(hex(key), hex("aa"));
                return true;
            });
        }
        assertEquals(List.of("02", "0220", "0230"), keys(space, hex("02"), hex("03"), false, 10));
        assertEquals(List.of("0230", "0220", "02"), keys(space, hex("02"), hex("03"), true, 10));
        assertEquals(List.of("02", "0220"), keys(space, hex("02"), hex("03"), false, 2));
        assertEquals(List.of("04", "03"), keys(space, hex("02"), null, true, 2));
        assertEquals(List.of("0220"), keys(space, hex("0220"), hex("022020"), false, 10));
        assertEquals(List.of("0230"), keys(space, hex("022000"), hex("03"), false, 10));
        assertEquals(List.of(), keys(space, hex("05"), null, false, 10));
        assertEquals(List.of(), keys(space, hex("03"), hex("03"), false, 10));
        assertEquals(List.of(), keys(space, hex("03"), hex("02"), true, 10));
        assertEquals(List.of(), keys(space, new byte[0], new byte[0], false, 10));
        assertEquals(List.of("03", "04"), keys(space, hex("02ff" + "ff".repeat(300)), null, false, 10));
    }

    @Test
    void aTransactionSeesItsOwnWritesInRanges() throws Exception {
        Space space = main();
        put(space, "a", "1");
        put(space, "b", "2");
        List<String> seen = space.transact(transaction -> {
            transaction.put(bytes("c"), bytes("3"));
            transaction.put(bytes("a"), bytes("4"));
            transaction.delete(bytes("b"));
            return transaction.range(new byte[0], null, true, 10).stream()
                    .map(e ->
                            new String(e.key(), StandardCharsets.UTF_8) + new String(e.value(), StandardCharsets.UTF_8))
                    .toList();
        });
        assertEquals(List.of("c3", "a4"), seen);
    }

    // Spaces

    @Test
    void spacesDoNotTouchEachOther() throws Exception {
        put(store().open(MAIN), "k", "main");
        put(store().open(OTHER), "k", "other");
        put(store().open(OTHER), "l", "other");
        assertEquals("main", get(store().open(MAIN), "k"));
        assertEquals(1, allKeys(store().open(MAIN)).size());
        assertEquals(2, allKeys(store().open(OTHER)).size());
        assertEquals(0, allKeys(store().open(new SpaceId("main"))).size());
        Space again = store().open(MAIN);
        put(again, "k", "through the second view");
        assertEquals("through the second view", get(store().open(MAIN), "k"));
    }

    @Test
    void aDestroyedSpaceIsGoneAndEmptyWhenOpenedAgain() throws Exception {
        Space main = main();
        put(main, "k", "v");
        main.transact(transaction -> {
            for (int i = 0; i < 2_500; i++) {
                transaction.put(key(i), new byte[20]);
            }
            return true;
        });
        put(store().open(OTHER), "k", "stays");
        store().destroy(MAIN);
        assertEquals(0, main.commitSeq());
        assertEquals(List.of(), allKeys(main));
        reopen();
        assertEquals(List.of(), allKeys(main()));
        assertEquals(0, main().commitSeq());
        assertEquals("stays", get(store().open(OTHER), "k"));
        put(main(), "k", "new");
        assertEquals("new", get(main(), "k"));
        assertTrue(main().commitSeq() > 0);
        store().destroy(new SpaceId("never-there"));
    }

    @Test
    void commitSeqGrowsWithEachChangeAndSurvives() throws Exception {
        assertEquals(0, main().commitSeq());
        long last = 0;
        for (int i = 0; i < 5; i++) {
            put(main(), "k", "v" + i);
            long seq = main().commitSeq();
            assertTrue(seq > last);
            last = seq;
        }
        assertEquals("v4", get(main(), "k"));
        main().transact(transaction -> {
            transaction.delete(bytes("absent"));
            return true;
        });
        assertEquals(last, main().commitSeq());
        assertEquals(0, store().open(OTHER).commitSeq());
        reopen();
        assertEquals(last, main().commitSeq());
        main().transact(transaction -> {
            transaction.delete(bytes("k"));
            return true;
        });
        assertTrue(main().commitSeq() > last);
    }

    @Test
    void theSpacesAreThoseThatWereChangedAndNotDestroyed() throws Exception {
        assertEquals(List.of(), store().spaces());
        put(store().open(OTHER), "k", "v");
        put(store().open(MAIN), "k", "v");
        store().open(MAIN).transact(transaction -> {
            transaction.delete(bytes("k"));
            return true;
        });
        SpaceId looked = new SpaceId("looked-at");
        store().open(looked);
        assertEquals("absent", get(store().open(looked), "k"));
        assertThrows(
                ProviderException.class,
                () -> store().open(looked).transact(transaction -> {
                    scribble(transaction);
                    throw new ProviderException(Kind.REJECTED, "test.own", "Given up on purpose.");
                }));
        SpaceId early = new SpaceId("a");
        put(store().open(early), "k", "v");
        for (int i = 0; i < 2; i++) {
            assertEquals(List.of(early, MAIN, OTHER), store().spaces());
            reopen();
        }
        store().destroy(MAIN);
        store().destroy(looked);
        for (int i = 0; i < 2; i++) {
            assertEquals(List.of(early, OTHER), store().spaces());
            reopen();
        }
        put(main(), "k", "again");
        assertEquals(List.of(early, MAIN, OTHER), store().spaces());
        List<SpaceId> copy = new ArrayList<>(store().spaces());
        for (SpaceId id : copy) {
            assertTrue(store().open(id).commitSeq() > 0, id.value());
        }
    }

    // Transactions

    @Test
    void aFailingTransactionChangesNothing() throws Exception {
        put(main(), "a", "before");
        long seq = main().commitSeq();
        ProviderException checked = new ProviderException(Kind.REJECTED, "test.own", "The work's own failure.");
        assertSame(
                checked,
                assertThrows(
                        ProviderException.class,
                        () -> main().transact(transaction -> {
                            scribble(transaction);
                            throw checked;
                        })));
        IllegalStateException unchecked = new IllegalStateException("the work's own bug");
        assertSame(
                unchecked,
                assertThrows(
                        IllegalStateException.class,
                        () -> main().transact(transaction -> {
                            scribble(transaction);
                            throw unchecked;
                        })));
        for (int i = 0; i < 2; i++) {
            assertEquals("before", get(main(), "a"));
            assertEquals(1, allKeys(main()).size());
            assertEquals(seq, main().commitSeq());
            reopen();
        }
    }

    private static void scribble(Space.Transaction transaction) throws ProviderException {
        transaction.put(bytes("b"), new byte[50_000]);
        transaction.put(bytes("a"), bytes("never"));
        transaction.delete(bytes("a"));
        assertNotNull(transaction.get(bytes("b")));
    }

    @Test
    void aTransactionIsUsedOnlyByItsWorkOnItsThread() throws Exception {
        AtomicReference<Space.@Nullable Transaction> kept = new AtomicReference<>();
        ExecutorService other = Executors.newSingleThreadExecutor();
        try {
            main().transact(transaction -> {
                kept.set(transaction);
                Future<Throwable> elsewhere = other.submit(
                        () -> assertThrows(IllegalStateException.class, () -> transaction.get(bytes("a"))));
                try {
                    return elsewhere.get();
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
        } finally {
            other.shutdownNow();
        }
        Space.Transaction ended = Objects.requireNonNull(kept.get());
        assertThrows(IllegalStateException.class, () -> ended.put(bytes("a"), bytes("late")));
        assertThrows(IllegalStateException.class, () -> ended.range(bytes("a"), null, false, 1));
        assertEquals("absent", get(main(), "a"));
    }

    @Test
    void aTransactionInsideATransactionIsRefused() throws Exception {
        main().transact(transaction -> {
            transaction.put(bytes("a"), bytes("outer"));
            assertThrows(IllegalStateException.class, () -> put(store().open(OTHER), "a", "inner"));
            return true;
        });
        assertEquals("outer", get(main(), "a"));
        assertEquals("absent", get(store().open(OTHER), "a"));
    }

    @Test
    void countersLoseNoIncrement() throws Exception {
        int threads = 8;
        int each = 40;
        inParallel(threads, thread -> {
            Space space = main();
            for (int i = 0; i < each; i++) {
                byte[] own = key(thread * 1_000 + i);
                space.transact(transaction -> {
                    byte[] value = transaction.get(bytes("counter"));
                    int count = value == null ? 0 : Integer.parseInt(new String(value, StandardCharsets.UTF_8));
                    transaction.put(bytes("counter"), bytes(Integer.toString(count + 1)));
                    transaction.put(own, bytes("x"));
                    return true;
                });
            }
            return true;
        });
        reopen();
        assertEquals(Integer.toString(threads * each), get(main(), "counter"));
        assertEquals(threads * each + 1, allKeys(main()).size());
        assertTrue(main().commitSeq() >= threads * each);
    }

    @Test
    void twoReadersCannotBothTakeTheLastPlace() throws Exception {
        for (int round = 0; round < 25; round++) {
            int current = round;
            inParallel(
                    4,
                    thread -> main().transact(transaction -> {
                        byte[] from = bytes("duty " + current + " ");
                        if (transaction
                                .range(from, bytes("duty " + current + "!"), false, 10)
                                .isEmpty()) {
                            transaction.put(bytes("duty " + current + " " + thread), bytes("on"));
                        }
                        return true;
                    }));
        }
        assertEquals(25, allKeys(main()).size());
    }

    @Test
    void aReaderNeverSeesHalfATransaction() throws Exception {
        List<String> problems = Collections.synchronizedList(new ArrayList<>());
        inParallel(4, thread -> {
            for (int i = 0; i < 50; i++) {
                int round = i;
                if (thread < 2) {
                    main().transact(transaction -> {
                        byte[] value = bytes(thread + " " + round);
                        transaction.put(bytes("left"), value);
                        transaction.put(bytes("right"), value);
                        return true;
                    });
                } else {
                    main().transact(transaction -> {
                        byte[] left = transaction.get(bytes("left"));
                        byte[] right = transaction.get(bytes("right"));
                        if (!Arrays.equals(left, right)) {
                            problems.add("torn in round " + round);
                        }
                        return true;
                    });
                }
            }
            return true;
        });
        assertEquals(List.of(), problems);
    }

    private static <T> void inParallel(int threads, Job<T> job) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            CyclicBarrier start = new CyclicBarrier(threads);
            List<Callable<T>> tasks = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int thread = i;
                tasks.add(() -> {
                    start.await(10, TimeUnit.SECONDS);
                    return job.run(thread);
                });
            }
            for (Future<T> future : pool.invokeAll(tasks)) {
                future.get();
            }
        } finally {
            pool.shutdownNow();
        }
    }

    private interface Job<T> {
        T run(int thread) throws Exception;
    }

    // The twin

    @Test
    void theStoreAgreesWithItsTwin() throws Exception {
        RandomGenerator random = Seeds.generator("RecordStoreContract twin");
        Map<SpaceId, NavigableMap<byte[], byte[]>> twins = new HashMap<>();
        int compared = 0;
        for (int round = 0; round < ROUNDS; round++) {
            SpaceId id = random.nextBoolean() ? MAIN : OTHER;
            NavigableMap<byte[], byte[]> twin = new TreeMap<>(Arrays::compareUnsigned);
            twin.putAll(twins.getOrDefault(id, Collections.emptyNavigableMap()));
            boolean fails = random.nextInt(6) == 0;
            try {
                int ranges = store().open(id).transact(transaction -> {
                    int done = 0;
                    int steps = 1 + random.nextInt(25);
                    for (int i = 0; i < steps; i++) {
                        done += step(random, transaction, twin);
                    }
                    if (fails) {
                        throw new ProviderException(Kind.REJECTED, "test.own", "Given up on purpose.");
                    }
                    return done;
                });
                compared += ranges;
                twins.put(id, twin);
            } catch (ProviderException e) {
                assertTrue(fails, e.toString());
            }
            if (random.nextInt(60) == 0) {
                store().destroy(id);
                twins.remove(id);
            }
            if (round % 70 == 69) {
                reopen();
            }
        }
        System.out.println("twin: " + ROUNDS + " transactions, " + compared + " ranges");
        assertTrue(compared > ROUNDS);
    }

    private static int step(RandomGenerator random, Space.Transaction transaction, NavigableMap<byte[], byte[]> twin)
            throws ProviderException {
        byte[] key = randomKey(random);
        switch (random.nextInt(8)) {
            case 0, 1, 2:
                byte[] value = new byte[random.nextInt(20) == 0 ? random.nextInt(70_000) : random.nextInt(60)];
                random.nextBytes(value);
                transaction.put(key, value);
                twin.put(key, value);
                return 0;
            case 3:
                transaction.delete(key);
                twin.remove(key);
                return 0;
            case 4:
                assertArrayEquals(twin.get(key), transaction.get(key));
                return 0;
            default:
                byte[] to = random.nextInt(3) == 0 ? null : randomKey(random);
                boolean reverse = random.nextBoolean();
                int limit = 1 + random.nextInt(random.nextBoolean() ? 5 : 1_000);
                NavigableMap<byte[], byte[]> part = to == null
                        ? twin.tailMap(key, true)
                        : Arrays.compareUnsigned(key, to) >= 0
                                ? Collections.emptyNavigableMap()
                                : twin.subMap(key, true, to, false);
                List<Map.Entry<byte[], byte[]>> expected =
                        new ArrayList<>((reverse ? part.descendingMap() : part).entrySet());
                List<Space.Entry> actual = transaction.range(key, to, reverse, limit);
                assertEquals(Math.min(limit, expected.size()), actual.size());
                for (int i = 0; i < actual.size(); i++) {
                    assertArrayEquals(expected.get(i).getKey(), actual.get(i).key());
                    assertArrayEquals(expected.get(i).getValue(), actual.get(i).value());
                }
                return 1;
        }
    }

    /** Short keys of few different bytes, among them those that a store might pad with or escape. */
    private static byte[] randomKey(RandomGenerator random) {
        byte[] alphabet = {0, 1, 0x1f, 0x20, 0x21, 0x7f, (byte) 0x80, (byte) 0xfe, (byte) 0xff};
        byte[] key = new byte[random.nextInt(40) == 0 ? 1 + random.nextInt(255) : 1 + random.nextInt(4)];
        for (int i = 0; i < key.length; i++) {
            key[i] = alphabet[random.nextInt(alphabet.length)];
        }
        return key;
    }
}
