package im.parley.storage.lmdb;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.storage.lmdb.Environment.Cursor;
import im.parley.storage.lmdb.Environment.Txn;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.lwjgl.util.lmdb.LMDB;

/** Whatever is done with an environment in a wrong order is an exception: a wrong address would end this JVM. */
@Timeout(60)
class EnvironmentTest {
    private enum OneTable implements Table {
        ONE
    }

    private static final byte[] KEY = {1};
    private static final byte[] VALUE = {2, 3};

    @TempDir
    Path folder;

    @BeforeEach
    void load() throws Exception {
        new LmdbEngine().load(folder);
    }

    private Environment open(long mapBytes) throws LmdbException {
        boolean there = Files.exists(folder.resolve(Environment.FILE));
        return Environment.open(
                folder, mapBytes, OneTable.values(), there ? Environment.Mode.EXISTING : Environment.Mode.CREATE);
    }

    private Environment open() throws LmdbException {
        return open(1 << 24);
    }

    private static void put(Environment environment, byte[] key, byte[] value) throws Exception {
        try (Txn txn = environment.write()) {
            txn.use(writing -> {
                writing.put(OneTable.ONE, key, value);
                return true;
            });
            txn.commit();
        }
    }

    private static void assertClosed(org.junit.jupiter.api.function.Executable call) {
        assertEquals(0, assertThrows(LmdbException.class, call).code());
    }

    @Test
    void whatIsUsedAfterTheEnvironmentClosedSaysSo() throws Exception {
        Environment environment = open();
        put(environment, KEY, VALUE);
        Txn snapshot = environment.snapshot();
        Txn rested = environment.snapshot();
        rested.close();
        AtomicReference<@Nullable Cursor> kept = new AtomicReference<>();
        snapshot.use(txn -> {
            kept.set(txn.cursor(OneTable.ONE));
            return true;
        });
        Txn writing = environment.write();
        Txn inner = writing.use(Txn::child);
        inner.use(txn -> {
            txn.put(OneTable.ONE, new byte[] {9}, VALUE);
            return true;
        });
        environment.close();
        environment.close();
        for (Txn txn : List.of(snapshot, rested, writing, inner)) {
            assertClosed(() -> txn.use(t -> t.get(OneTable.ONE, KEY) != null));
        }
        assertClosed(environment::snapshot);
        assertClosed(environment::write);
        assertClosed(inner::commit);
        assertClosed(writing::commit);
        Cursor cursor = kept.get();
        assertNotNull(cursor);
        assertThrows(IllegalStateException.class, cursor::next);
        snapshot.close();
        snapshot.close();
        inner.close();
        writing.close();
        try (Environment again = open()) {
            again.read(txn -> {
                assertArrayEquals(VALUE, txn.get(OneTable.ONE, KEY));
                assertNull(txn.get(OneTable.ONE, new byte[] {9}));
                return true;
            });
        }
    }

    @Test
    void aTransactionIsUsedInsideUseAndByOneThread() throws Exception {
        try (Environment environment = open();
                Txn txn = environment.write()) {
            AtomicReference<@Nullable Cursor> kept = new AtomicReference<>();
            txn.use(used -> {
                used.put(OneTable.ONE, KEY, VALUE);
                kept.set(used.cursor(OneTable.ONE));
                assertThrows(IllegalStateException.class, () -> used.use(again -> true));
                assertThrows(IllegalStateException.class, used::commit);
                assertThrows(IllegalStateException.class, used::close);
                return true;
            });
            assertThrows(IllegalStateException.class, () -> txn.get(OneTable.ONE, KEY));
            assertThrows(IllegalStateException.class, () -> txn.put(OneTable.ONE, KEY, VALUE));
            Cursor cursor = kept.get();
            assertNotNull(cursor);
            assertThrows(IllegalStateException.class, () -> cursor.seek(KEY));
            ExecutorService other = Executors.newSingleThreadExecutor();
            try {
                Future<?> foreign = other.submit(() -> assertThrows(IllegalStateException.class, txn::commit));
                foreign.get();
                other.submit(() -> assertThrows(IllegalStateException.class, txn::close))
                        .get();
            } finally {
                other.shutdownNow();
            }
            Txn inner = txn.use(Txn::child);
            assertThrows(IllegalStateException.class, txn::commit);
            inner.close();
            assertClosed(inner::commit);
            txn.commit();
            assertClosed(txn::commit);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> environment.read(
                            reading -> reading.get(OneTable.ONE, new byte[Environment.MOST_KEY_BYTES + 1]) != null));
        }
    }

    @Test
    void aSnapshotShowsOneMomentAndAStaleOneNotTheNextOnes() throws Exception {
        try (Environment environment = open()) {
            Txn before = environment.snapshot();
            put(environment, KEY, VALUE);
            assertEquals(false, before.use(txn -> txn.has(OneTable.ONE, KEY)));
            before.close();
            try (Txn after = environment.snapshot()) {
                assertEquals(true, after.use(txn -> txn.has(OneTable.ONE, KEY)));
                // What it was made from is in use again, by somebody else.
                assertClosed(() -> before.use(txn -> txn.has(OneTable.ONE, KEY)));
                before.close();
                assertEquals(true, after.use(txn -> txn.has(OneTable.ONE, KEY)));
            }
        }
    }

    @Test
    void closingWaitsForReadersAndTheyEndWell() throws Exception {
        for (int round = 0; round < 20; round++) {
            Environment environment = open();
            put(environment, KEY, VALUE);
            int threads = 4;
            CountDownLatch started = new CountDownLatch(threads);
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            List<Future<Long>> readers = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                readers.add(pool.submit(() -> {
                    long reads = 0;
                    try (Txn txn = environment.snapshot()) {
                        started.countDown();
                        while (true) {
                            txn.use(reading -> {
                                try (Cursor cursor = reading.cursor(OneTable.ONE)) {
                                    assertNotNull(cursor.seek(KEY));
                                }
                                return true;
                            });
                            reads++;
                        }
                    } catch (LmdbException e) {
                        assertEquals(0, e.code());
                        return reads;
                    }
                }));
            }
            assertTrue(started.await(10, TimeUnit.SECONDS));
            environment.close();
            for (Future<Long> reader : readers) {
                assertTrue(reader.get() >= 0);
            }
            pool.shutdown();
        }
    }

    @Test
    void closingFromInsideATransactionIsRefused() throws Exception {
        try (Environment environment = open()) {
            environment.read(txn -> {
                assertThrows(IllegalStateException.class, environment::close);
                return true;
            });
            put(environment, KEY, VALUE);
        }
    }

    @Test
    void anInnerTransactionThatFailsLeavesTheOuterOne() throws Exception {
        try (Environment environment = open(1 << 20)) {
            try (Txn outer = environment.write()) {
                outer.use(txn -> {
                    txn.put(OneTable.ONE, KEY, VALUE);
                    return true;
                });
                try (Txn inner = outer.use(Txn::child)) {
                    LmdbException full = assertThrows(
                            LmdbException.class,
                            () -> inner.use(txn -> {
                                txn.put(OneTable.ONE, new byte[] {2}, new byte[2 << 20]);
                                return true;
                            }));
                    assertEquals(LMDB.MDB_MAP_FULL, full.code());
                }
                try (Txn inner = outer.use(Txn::child)) {
                    inner.use(txn -> {
                        txn.put(OneTable.ONE, new byte[] {3}, new byte[10_000]);
                        return true;
                    });
                    inner.commit();
                }
                outer.commit();
            }
            environment.read(txn -> {
                assertTrue(txn.has(OneTable.ONE, KEY));
                assertFalse(txn.has(OneTable.ONE, new byte[] {2}));
                assertTrue(txn.has(OneTable.ONE, new byte[] {3}));
                return true;
            });
        }
    }

    @Test
    void moreReadersThanSlotsWaitForTheirTurn() throws Exception {
        try (Environment environment = open()) {
            put(environment, KEY, VALUE);
            List<Txn> all = new ArrayList<>();
            for (int i = 0; i < Environment.MOST_READERS; i++) {
                all.add(environment.snapshot());
            }
            ExecutorService other = Executors.newSingleThreadExecutor();
            try {
                Future<Boolean> late = other.submit(() -> environment.read(txn -> txn.has(OneTable.ONE, KEY)));
                assertThrows(java.util.concurrent.TimeoutException.class, () -> late.get(200, TimeUnit.MILLISECONDS));
                all.remove(0).close();
                assertTrue(late.get(10, TimeUnit.SECONDS));
            } finally {
                other.shutdownNow();
                all.forEach(Txn::close);
            }
        }
    }
}
