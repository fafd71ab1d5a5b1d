package im.parley.tck.storage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.api.storage.BlobStore.Admission;
import im.parley.api.storage.BlobStore.Blob;
import im.parley.api.storage.BlobStore.Stored;
import im.parley.testkit.Seeds;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every {@link BlobStore} does. Extend it in the provider's tests and say how a store is opened and how a blob of it
 * is damaged. Beyond the words of the API it settles: a limit below 0 and a page of 0 are {@link
 * IllegalArgumentException}s; a blob that could not be admitted changes nothing that is counted.
 */
@Timeout(300)
public abstract class BlobStoreContract {
    private static final int ROUNDS = 20 * Integer.getInteger("parley.tck.rounds", 10);
    private static final int MOST_AT_ONCE = 1 << 20;

    private @Nullable BlobStore current;

    /** A new, empty store, independent of all others. */
    protected abstract BlobStore open() throws Exception;

    /** Closes the store and opens the same data again. A store that keeps nothing returns the same object. */
    protected abstract BlobStore reopen(BlobStore store) throws Exception;

    /** Closes the store for good. */
    protected abstract void close(BlobStore store) throws Exception;

    /** Changes one byte of a stored blob behind the store's back; false if that cannot be done. */
    protected abstract boolean damage(BlobStore store, Sha256 hash) throws Exception;

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

    /** The store of the test that runs. */
    protected final BlobStore store() {
        return Objects.requireNonNull(current);
    }

    /** Closes the store of the test and opens its data again. */
    protected final void reopen() throws Exception {
        current = reopen(store());
    }

    private static byte[] pattern(int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (i * 31 + size + (i >>> 8));
        }
        return bytes;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static Sha256 hash(byte[] bytes) {
        try {
            return Sha256.of(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private Stored put(byte[] bytes) throws Exception {
        return store().put(new Metered(bytes), Long.MAX_VALUE, Admission.ANY);
    }

    private byte[] get(Sha256 hash, long from, long count) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        store().get(hash, from, count, out);
        return out.toByteArray();
    }

    private void assertEmpty() throws Exception {
        assertEquals(List.of(), store().list(null, 10_000));
        assertEquals(0, store().usage().blobs());
        assertEquals(0, store().usage().bytes());
    }

    private static void fails(Kind kind, String code, org.junit.jupiter.api.function.Executable call) {
        ProviderException e = assertThrows(ProviderException.class, call);
        assertEquals(code, e.code());
        assertEquals(kind, e.kind());
    }

    // Bytes

    @Test
    void blobsOfEverySizeComeBack() throws Exception {
        int[] sizes = {0, 1, 4_095, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 3_000_000};
        long sum = 0;
        for (int size : sizes) {
            Stored stored = put(pattern(size));
            assertEquals(new Blob(hash(pattern(size)), size), stored.blob());
            assertTrue(stored.created());
            sum += size;
        }
        for (int i = 0; i < 2; i++) {
            for (int size : sizes) {
                byte[] bytes = pattern(size);
                assertEquals(Optional.of(new Blob(hash(bytes), size)), store().stat(hash(bytes)));
                assertArrayEquals(bytes, get(hash(bytes), 0, size));
            }
            assertEquals(sizes.length, store().usage().blobs());
            assertEquals(sum, store().usage().bytes());
            assertTrue(store().usage().freeBytes() >= 0);
            reopen();
        }
    }

    @Test
    void theSameBytesAreKeptOnce() throws Exception {
        assertTrue(put(bytes("same")).created());
        assertFalse(put(bytes("same")).created());
        assertEquals(1, store().usage().blobs());
        assertEquals(4, store().usage().bytes());
        reopen();
        assertFalse(put(bytes("same")).created());
        assertTrue(store().delete(hash(bytes("same"))));
        assertTrue(put(bytes("same")).created());
        assertArrayEquals(bytes("same"), get(hash(bytes("same")), 0, 4));
    }

    @ParameterizedTest
    @ValueSource(ints = {10, 65_536, 2_000_000})
    void rangesAreExact(int size) throws Exception {
        byte[] bytes = pattern(size);
        put(bytes);
        RandomGenerator random = Seeds.generator("BlobStoreContract ranges");
        for (int i = 0; i < 40; i++) {
            int from = random.nextInt(size + 1);
            int count = random.nextInt(size - from + 1);
            assertArrayEquals(Arrays.copyOfRange(bytes, from, from + count), get(hash(bytes), from, count));
        }
        assertArrayEquals(new byte[0], get(hash(bytes), size, 0));
        for (long[] outside : new long[][] {{-1, 1}, {0, -1}, {0, size + 1L}, {size + 1L, 0}, {1, Long.MAX_VALUE}}) {
            assertThrows(IllegalArgumentException.class, () -> get(hash(bytes), outside[0], outside[1]));
        }
    }

    @Test
    void whatIsAbsentIsSaidToBe() throws Exception {
        Sha256 absent = hash(bytes("never put"));
        assertEquals(Optional.empty(), store().stat(absent));
        assertFalse(store().delete(absent));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        fails(Kind.REJECTED, "blob.absent", () -> store().get(absent, 0, 0, out));
        put(bytes("deleted"));
        assertTrue(store().delete(hash(bytes("deleted"))));
        fails(Kind.REJECTED, "blob.absent", () -> store().get(hash(bytes("deleted")), 0, 7, out));
        assertEquals(0, out.size());
        assertEmpty();
        reopen();
        assertEmpty();
    }

    // Refusals keep nothing

    @Test
    void whatIsTooLargeIsRefused() throws Exception {
        byte[] bytes = pattern(70_000);
        fails(Kind.REJECTED, "blob.too-large", () -> store().put(new Metered(bytes), bytes.length - 1, Admission.ANY));
        fails(Kind.REJECTED, "blob.too-large", () -> store().put(new Metered(bytes), 0, Admission.ANY));
        assertThrows(IllegalArgumentException.class, () -> store().put(new Metered(bytes), -1, Admission.ANY));
        assertEmpty();
        assertTrue(store().put(new Metered(bytes), bytes.length, Admission.ANY).created());
        assertTrue(store().put(new Metered(new byte[0]), 0, Admission.ANY).created());
    }

    @Test
    void anEndlessStreamEndsAtTheLimit() throws Exception {
        InputStream endless = new InputStream() {
            @Override
            public int read() {
                return 7;
            }

            @Override
            public int read(byte[] buffer, int from, int length) {
                Arrays.fill(buffer, from, from + length, (byte) 7);
                return length;
            }
        };
        fails(Kind.REJECTED, "blob.too-large", () -> store().put(endless, 5_000_000, Admission.ANY));
        assertEmpty();
        reopen();
        assertEmpty();
    }

    @Test
    void theAdmissionSeesWhatItDecidesOver() throws Exception {
        byte[] bytes = pattern(100_000);
        List<Blob> seen = new ArrayList<>();
        ProviderException refusal = new ProviderException(Kind.REJECTED, "test.own", "Not this one.");
        for (int i = 0; i < 2; i++) {
            ProviderException thrown = assertThrows(
                    ProviderException.class,
                    () -> store().put(new Metered(bytes), Long.MAX_VALUE, (hash, size) -> {
                        assertEquals(Optional.empty(), store().stat(hash), "it can be seen before it is admitted");
                        seen.add(new Blob(hash, size));
                        throw refusal;
                    }));
            assertEquals("test.own", thrown.code());
            assertEmpty();
            reopen();
            assertEmpty();
        }
        assertEquals(List.of(new Blob(hash(bytes), 100_000), new Blob(hash(bytes), 100_000)), seen);
        // Bytes that are there are decided over, too.
        put(bytes);
        assertThrows(
                ProviderException.class,
                () -> store().put(new Metered(bytes), Long.MAX_VALUE, (hash, size) -> {
                    throw refusal;
                }));
        assertEquals(1, store().usage().blobs());
    }

    @Test
    void BL_05_anotherHashThanTheExpectedOneIsRefused() throws Exception {
        byte[] bytes = pattern(5);
        fails(
                Kind.REJECTED,
                "blob.hash-mismatch",
                () -> store().put(new Metered(bytes), 10, Admission.only(hash(pattern(6)))));
        assertEmpty();
        assertTrue(
                store().put(new Metered(bytes), 10, Admission.only(hash(bytes))).created());
    }

    @Test
    void aStreamThatBreaksOffLeavesNothing() throws Exception {
        IOException broken = new IOException("the client went away");
        InputStream content = new InputStream() {
            private int left = 300_000;

            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] buffer, int from, int length) throws IOException {
                if (left == 0) {
                    throw broken;
                }
                int n = Math.min(left, length);
                left -= n;
                return n;
            }
        };
        assertSame(broken, assertThrows(IOException.class, () -> store().put(content, Long.MAX_VALUE, Admission.ANY)));
        assertEmpty();
        reopen();
        assertEmpty();
    }

    @Test
    void aReaderThatBreaksOffIsToldSo() throws Exception {
        put(pattern(3_000_000));
        IOException broken = new IOException("the client went away");
        OutputStream out = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw broken;
            }

            @Override
            public void write(byte[] buffer, int from, int length) throws IOException {
                throw broken;
            }
        };
        Sha256 hash = hash(pattern(3_000_000));
        assertSame(broken, assertThrows(IOException.class, () -> store().get(hash, 0, 3_000_000, out)));
        assertArrayEquals(pattern(3_000_000), get(hash, 0, 3_000_000));
    }

    // Lists

    @Test
    void pagesAreInTheOrderOfHashes() throws Exception {
        List<Blob> expected = new ArrayList<>();
        for (int i = 0; i < 25; i++) {
            expected.add(put(pattern(i)).blob());
        }
        expected.sort((a, b) -> a.hash().compareTo(b.hash()));
        assertEquals(expected, store().list(null, 10_000));
        for (int page : new int[] {1, 2, 7, 24, 25}) {
            List<Blob> all = new ArrayList<>();
            Sha256 after = null;
            List<Blob> next;
            do {
                next = store().list(after, page);
                all.addAll(next);
                after = next.isEmpty() ? after : next.get(next.size() - 1).hash();
            } while (next.size() == page);
            assertEquals(expected, all);
        }
        // A page goes on behind a blob that is gone.
        Sha256 gone = expected.get(4).hash();
        store().delete(gone);
        assertEquals(expected.subList(5, 8), store().list(gone, 3));
        assertThrows(IllegalArgumentException.class, () -> store().list(null, 0));
        assertThrows(IllegalArgumentException.class, () -> store().list(null, 10_001));
    }

    // Damage

    @ParameterizedTest
    @ValueSource(ints = {1, 50_000, 3_000_000})
    void BL_15_aDamagedBlobIsNeverHandedOutInFull(int size) throws Exception {
        byte[] bytes = pattern(size);
        Sha256 hash = hash(bytes);
        put(bytes);
        if (!damage(store(), hash)) {
            return;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        fails(Kind.CORRUPT, "blob.corrupt", () -> store().get(hash, 0, size, out));
        assertTrue(out.size() < size, "all " + size + " bytes were handed out");
        assertEquals(Optional.empty(), store().stat(hash));
        fails(Kind.REJECTED, "blob.absent", () -> store().get(hash, 0, size, out));
        assertEmpty();
        reopen();
        assertEmpty();
        assertTrue(put(bytes).created());
        assertArrayEquals(bytes, get(hash, 0, size));
    }

    // Many at once

    @Test
    void BL_14_manyPutsOfOneBlobMakeItOnce() throws Exception {
        byte[] bytes = pattern(200_000);
        for (int round = 0; round < 5; round++) {
            List<Stored> stored = together(32, thread -> put(bytes));
            assertEquals(1, stored.stream().filter(Stored::created).count());
            assertEquals(1, store().usage().blobs());
            assertEquals(200_000, store().usage().bytes());
            assertEquals(1, store().list(null, 10).size());
            assertTrue(store().delete(hash(bytes)));
        }
        assertEmpty();
    }

    @Test
    void BL_14_putsAndDeletesAtOnceLeaveWhatWasLast() throws Exception {
        byte[] bytes = pattern(2_000);
        List<Integer> balance = together(8, thread -> {
            int made = 0;
            for (int i = 0; i < 50; i++) {
                if (thread % 2 == 0) {
                    made += put(bytes).created() ? 1 : 0;
                } else {
                    made -= store().delete(hash(bytes)) ? 1 : 0;
                }
            }
            return made;
        });
        int left = balance.stream().mapToInt(Integer::intValue).sum();
        assertEquals(left, store().usage().blobs());
        assertEquals(left * 2_000L, store().usage().bytes());
        assertEquals(left == 1, store().stat(hash(bytes)).isPresent());
    }

    private <T> List<T> together(int threads, Job<T> job) throws Exception {
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
            List<T> results = new ArrayList<>();
            for (Future<T> future : pool.invokeAll(tasks)) {
                results.add(future.get());
            }
            return results;
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
        RandomGenerator random = Seeds.generator("BlobStoreContract twin");
        NavigableMap<Sha256, byte[]> twin = new TreeMap<>();
        for (int round = 0; round < ROUNDS; round++) {
            byte[] bytes = pattern(random.nextInt(30));
            Sha256 hash = hash(bytes);
            switch (random.nextInt(6)) {
                case 0, 1 ->
                    assertEquals(twin.put(hash, bytes) == null, put(bytes).created());
                case 2 -> assertEquals(twin.remove(hash) != null, store().delete(hash));
                case 3 -> {
                    if (twin.containsKey(hash)) {
                        assertArrayEquals(bytes, get(hash, 0, bytes.length));
                    } else {
                        assertEquals(Optional.empty(), store().stat(hash));
                    }
                }
                case 4 ->
                    assertEquals(
                            twin.tailMap(hash, false).entrySet().stream()
                                    .limit(5)
                                    .map(entry -> new Blob(entry.getKey(), entry.getValue().length))
                                    .toList(),
                            store().list(hash, 5));
                default -> {
                    assertEquals(twin.size(), store().usage().blobs());
                    assertEquals(
                            twin.values().stream()
                                    .mapToLong(each -> each.length)
                                    .sum(),
                            store().usage().bytes());
                }
            }
            if (round % 70 == 69) {
                reopen();
            }
        }
    }

    @Test
    void aClosedStoreSaysSo() throws Exception {
        BlobStore store = store();
        put(bytes("kept"));
        close(store);
        current = null;
        Sha256 hash = hash(bytes("kept"));
        OutputStream out = OutputStream.nullOutputStream();
        fails(Kind.UNAVAILABLE, "store.closed", () -> store.put(new Metered(new byte[1]), 1, Admission.ANY));
        fails(Kind.UNAVAILABLE, "store.closed", () -> store.get(hash, 0, 4, out));
        fails(Kind.UNAVAILABLE, "store.closed", () -> store.stat(hash));
        fails(Kind.UNAVAILABLE, "store.closed", () -> store.delete(hash));
        fails(Kind.UNAVAILABLE, "store.closed", () -> store.list(null, 1));
        fails(Kind.UNAVAILABLE, "store.closed", store::usage);
    }

    /** Refuses to be read in larger pieces than the contract allows, or to be closed. */
    private static final class Metered extends ByteArrayInputStream {
        Metered(byte[] bytes) {
            super(bytes);
        }

        @Override
        public int read(byte[] buffer, int from, int length) {
            assertTrue(length <= MOST_AT_ONCE, length + " bytes were asked for at once");
            return super.read(buffer, from, length);
        }

        @Override
        public byte[] readAllBytes() {
            throw new AssertionError("the stream was read whole");
        }

        @Override
        public void close() {
            throw new AssertionError("the stream is the caller's to close");
        }
    }
}
