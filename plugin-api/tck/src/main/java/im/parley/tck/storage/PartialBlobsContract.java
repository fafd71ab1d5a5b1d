package im.parley.tck.storage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.api.storage.BlobStore.Admission;
import im.parley.api.storage.BlobStore.Blob;
import im.parley.api.storage.PartialBlobs;
import im.parley.api.storage.PartialBlobs.Partial;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What a {@link BlobStore} with the facet {@link PartialBlobs} does beside everything that every blob store does. */
public abstract class PartialBlobsContract extends BlobStoreContract {
    private static final int SIZE = 300_000;

    private PartialBlobs partials() {
        return assertInstanceOf(PartialBlobs.class, store());
    }

    private static byte[] pattern() {
        byte[] bytes = new byte[SIZE];
        for (int i = 0; i < SIZE; i++) {
            bytes[i] = (byte) (i * 7 + (i >>> 9));
        }
        return bytes;
    }

    private static Sha256 hash(byte[] bytes) {
        try {
            return Sha256.of(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static Sha256 name(int number) {
        return hash(new byte[] {(byte) number});
    }

    private long append(Sha256 name, byte[] bytes, int from, int to) throws Exception {
        return partials().append(name, from, new ByteArrayInputStream(bytes, from, to - from), SIZE);
    }

    private static void fails(Kind kind, String code, org.junit.jupiter.api.function.Executable call) {
        ProviderException e = assertThrows(ProviderException.class, call);
        assertEquals(code, e.code());
        assertEquals(kind, e.kind());
    }

    private byte[] get(Sha256 hash, long size) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        store().get(hash, 0, size, out);
        return out.toByteArray();
    }

    @Test
    void piecesBecomeABlobAndAreNoneBefore() throws Exception {
        byte[] bytes = pattern();
        Sha256 name = name(1);
        assertEquals(Optional.empty(), partials().partial(name));
        assertEquals(100_000, append(name, bytes, 0, 100_000));
        assertEquals(250_000, append(name, bytes, 100_000, 250_000));
        assertEquals(List.of(), store().list(null, 100));
        assertEquals(0, store().usage().blobs());
        assertEquals(Optional.empty(), store().stat(hash(Arrays.copyOf(bytes, 250_000))));
        assertEquals(250_000, partials().partialBytes());
        assertEquals(SIZE, append(name, bytes, 250_000, SIZE));
        BlobStore.Stored stored = partials().complete(name, Admission.only(hash(bytes)));
        assertEquals(new Blob(hash(bytes), SIZE), stored.blob());
        assertTrue(stored.created());
        assertArrayEquals(bytes, get(hash(bytes), SIZE));
        assertEquals(Optional.empty(), partials().partial(name));
        assertEquals(0, partials().partialBytes());
        assertEquals(1, store().usage().blobs());
        append(name, bytes, 0, SIZE);
        assertFalse(partials().complete(name, Admission.ANY).created());
        assertEquals(List.of(), partials().partials(null, 10));
    }

    @Test
    void BL_12_whatHasComeOutlivesTheStore() throws Exception {
        byte[] bytes = pattern();
        append(name(2), bytes, 0, 123_456);
        reopen();
        assertEquals(
                123_456L, partials().partial(name(2)).map(Partial::sizeBytes).orElse(-1L));
        assertEquals(123_456, partials().partialBytes());
        assertEquals(List.of(), store().list(null, 100));
        append(name(2), bytes, 123_456, SIZE);
        assertEquals(
                hash(bytes), partials().complete(name(2), Admission.ANY).blob().hash());
    }

    @Test
    void whatCameBeforeAStreamFailedIsKept() throws Exception {
        byte[] bytes = pattern();
        InputStream breaks = new InputStream() {
            private int at;

            @Override
            public int read() throws IOException {
                if (at == 70_000) {
                    throw new IOException("gone");
                }
                return bytes[at++] & 0xff;
            }
        };
        assertEquals(
                "gone",
                assertThrows(IOException.class, () -> partials().append(name(3), 0, breaks, SIZE))
                        .getMessage());
        long kept = partials().partial(name(3)).map(Partial::sizeBytes).orElse(0L);
        assertTrue(kept > 0 && kept <= 70_000, kept + " bytes");
        append(name(3), bytes, (int) kept, SIZE);
        assertEquals(
                hash(bytes), partials().complete(name(3), Admission.ANY).blob().hash());
    }

    @Test
    void aPieceBeginsWhereTheLastOneEnded() throws Exception {
        byte[] bytes = pattern();
        fails(Kind.REJECTED, "partial.offset", () -> append(name(4), bytes, 10, 20));
        append(name(4), bytes, 0, 1_000);
        fails(Kind.REJECTED, "partial.offset", () -> append(name(4), bytes, 0, 1_000));
        fails(Kind.REJECTED, "partial.offset", () -> append(name(4), bytes, 2_000, 3_000));
        assertEquals(1_000, partials().partialBytes());
        assertEquals(1_000, append(name(4), bytes, 1_000, 1_000));
    }

    @Test
    void tooMuchUndoesThePiece() throws Exception {
        byte[] bytes = pattern();
        append(name(5), bytes, 0, 1_000);
        fails(
                Kind.REJECTED,
                "blob.too-large",
                () -> partials().append(name(5), 1_000, new ByteArrayInputStream(bytes, 1_000, 200_000), 150_000));
        assertEquals(1_000L, partials().partial(name(5)).map(Partial::sizeBytes).orElse(-1L));
        assertEquals(1_000, partials().partialBytes());
        append(name(5), bytes, 1_000, SIZE);
        assertEquals(
                hash(bytes), partials().complete(name(5), Admission.ANY).blob().hash());
    }

    @Test
    void BL_05_whatTheAdmissionRefusesStaysUntilItIsDiscarded() throws Exception {
        byte[] bytes = pattern();
        append(name(6), bytes, 0, SIZE);
        fails(
                Kind.REJECTED,
                "blob.hash-mismatch",
                () -> partials().complete(name(6), Admission.only(hash(new byte[0]))));
        assertEquals(List.of(), store().list(null, 10));
        assertEquals(SIZE, partials().partialBytes());
        assertEquals(
                hash(bytes),
                partials().complete(name(6), Admission.only(hash(bytes))).blob().hash());
        append(name(6), bytes, 0, 5);
        assertTrue(partials().discard(name(6)));
        assertFalse(partials().discard(name(6)));
        assertEquals(0, partials().partialBytes());
        fails(Kind.REJECTED, "partial.absent", () -> partials().complete(name(6), Admission.ANY));
    }

    @Test
    void theyAreListedByName() throws Exception {
        byte[] bytes = pattern();
        for (int i = 0; i < 5; i++) {
            append(name(10 + i), bytes, 0, i);
        }
        List<Sha256> names =
                partials().partials(null, 10).stream().map(Partial::name).toList();
        assertEquals(names.stream().sorted().toList(), names);
        assertEquals(5, names.size());
        assertEquals(
                names.subList(2, 4),
                partials().partials(names.get(1), 2).stream().map(Partial::name).toList());
    }

    @Test
    void oneAtATimeWritesAName() throws Exception {
        byte[] bytes = pattern();
        CountDownLatch reading = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        InputStream waits = new InputStream() {
            @Override
            public int read() throws IOException {
                reading.countDown();
                try {
                    goOn.await(20, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                return -1;
            }
        };
        ExecutorService other = Executors.newSingleThreadExecutor();
        try {
            Future<Long> first = other.submit(() -> partials().append(name(20), 0, waits, SIZE));
            assertTrue(reading.await(10, TimeUnit.SECONDS));
            fails(Kind.UNAVAILABLE, "partial.busy", () -> append(name(20), bytes, 0, 10));
            fails(Kind.UNAVAILABLE, "partial.busy", () -> partials().discard(name(20)));
            assertEquals(10, append(name(21), bytes, 0, 10));
            goOn.countDown();
            assertEquals(0L, first.get(10, TimeUnit.SECONDS));
        } finally {
            goOn.countDown();
            other.shutdownNow();
        }
        assertEquals(10, append(name(20), bytes, 0, 10));
    }
}
