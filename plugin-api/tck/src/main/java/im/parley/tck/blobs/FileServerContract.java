package im.parley.tck.blobs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.blobs.FileServer;
import im.parley.api.blobs.FileServer.Access;
import im.parley.api.blobs.FileServer.Content;
import im.parley.api.blobs.FileServer.Source;
import im.parley.api.event.Sha256;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What every {@link FileServer} does with a server of its kind that works. Extend it in the provider's tests and say which
 * server that is; it takes blobs of 4 MiB from the signer's key.
 */
@Timeout(120)
public abstract class FileServerContract {
    private static final int MOST_AT_ONCE = 1 << 20;
    private static final int SIZE = 3_000_000;
    private static final String TYPE = "application/octet-stream";

    /** The provider's object. */
    protected abstract FileServer fileServer() throws Exception;

    /** A server that is empty when a test begins. */
    protected abstract URI server() throws Exception;

    /** A signer of a key that may upload there, opened for file servers. */
    protected abstract Signer signer() throws Exception;

    private static byte[] pattern(int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (i * 13 + size + (i >>> 10));
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

    private Access access() throws Exception {
        return new Access(Scope.DEFAULT, server(), signer());
    }

    private Access unsigned() throws Exception {
        return new Access(Scope.DEFAULT, server(), null);
    }

    private FileServer.Stored upload(byte[] bytes) throws Exception {
        return fileServer().upload(access(), new Content(hash(bytes), bytes.length, TYPE, new Bytes(bytes)));
    }

    private byte[] download(Access access, byte[] bytes, long from) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        long count = fileServer().download(access, hash(bytes), from, bytes.length, (buffer, at, length) -> {
            assertTrue(length <= MOST_AT_ONCE, length + " bytes at once");
            out.write(buffer, at, length);
        });
        assertEquals(out.size(), count);
        return out.toByteArray();
    }

    /** Bytes of a test, which may fail at a place. */
    protected static class Bytes implements Source {
        private final byte[] bytes;
        private int at;
        private long told = -1;

        protected Bytes(byte[] bytes) {
            this.bytes = bytes;
        }

        @Override
        public void seek(long offset) throws ProviderException {
            at = (int) offset;
        }

        @Override
        public int read(byte[] buffer, int from, int length) throws ProviderException {
            assertTrue(length <= MOST_AT_ONCE, length + " bytes were asked for at once");
            int n = Math.min(length, bytes.length - at);
            System.arraycopy(bytes, at, buffer, from, n);
            at += n;
            return n;
        }

        @Override
        public void progress(long sentBytes) throws ProviderException {
            told = sentBytes;
        }
    }

    @Test
    void blobsOfEverySizeGoThereAndComeBack() throws Exception {
        for (int size : new int[] {0, 1, 65_536, 1 << 20, SIZE}) {
            byte[] bytes = pattern(size);
            Bytes source = new Bytes(bytes);
            FileServer.Stored stored = fileServer().upload(access(), new Content(hash(bytes), size, TYPE, source));
            assertTrue(stored.url().toString().contains(hash(bytes).hex()), stored.url() + " names the blob");
            assertTrue(stored.created(), size + " bytes");
            assertEquals(size, source.told, "the last progress is the size");
            assertArrayEquals(bytes, download(unsigned(), bytes, 0));
            assertArrayEquals(bytes, download(new Access(Scope.DEFAULT, stored.url(), null), bytes, 0));
            assertEquals(
                    Optional.of((long) size),
                    fileServer().stat(unsigned(), hash(bytes)).map(FileServer.Found::sizeBytes));
        }
    }

    @Test
    void theSameBlobAgainIsNoFailure() throws Exception {
        byte[] bytes = pattern(SIZE);
        assertTrue(upload(bytes).created());
        assertFalse(upload(bytes).created());
        assertArrayEquals(bytes, download(unsigned(), bytes, 0));
    }

    @Test
    void aDownloadGoesOnAnywhere() throws Exception {
        byte[] bytes = pattern(SIZE);
        upload(bytes);
        for (int from : new int[] {1, 65_537, SIZE - 1, SIZE}) {
            assertArrayEquals(Arrays.copyOfRange(bytes, from, SIZE), download(unsigned(), bytes, from));
        }
    }

    @Test
    void whatIsDeletedIsGone() throws Exception {
        byte[] bytes = pattern(1_000);
        upload(bytes);
        assertTrue(fileServer().delete(access(), hash(bytes)));
        assertFalse(fileServer().delete(access(), hash(bytes)));
        assertEquals(Optional.empty(), fileServer().stat(unsigned(), hash(bytes)));
        ProviderException absent = assertThrows(ProviderException.class, () -> download(unsigned(), bytes, 0));
        assertEquals("blob.absent", absent.code());
        assertEquals(Kind.REJECTED, absent.kind());
    }

    @Test
    void whatASourceOrASinkThrowsComesOut() throws Exception {
        byte[] bytes = pattern(SIZE);
        ProviderException own = new ProviderException(Kind.UNAVAILABLE, "test.cancelled", "No more.");
        Bytes source = new Bytes(bytes) {
            private int reads;

            @Override
            public int read(byte[] buffer, int from, int length) throws ProviderException {
                if (reads++ > 20) {
                    throw own;
                }
                return super.read(buffer, from, length);
            }
        };
        assertSame(
                own,
                assertThrows(
                        ProviderException.class,
                        () -> fileServer().upload(access(), new Content(hash(bytes), SIZE, TYPE, source))));
        assertEquals(Optional.empty(), fileServer().stat(unsigned(), hash(bytes)), "half a blob is none");
        upload(bytes);
        assertSame(
                own,
                assertThrows(
                        ProviderException.class,
                        () -> fileServer().download(unsigned(), hash(bytes), 0, SIZE, (buffer, from, length) -> {
                            throw own;
                        })));
    }

    @Test
    void BL_05_otherBytesThanAnnouncedAreRefused() throws Exception {
        byte[] bytes = pattern(2_000_000);
        ProviderException refused = assertThrows(
                ProviderException.class,
                () -> fileServer()
                        .upload(access(), new Content(hash(pattern(5)), bytes.length, TYPE, new Bytes(bytes))));
        assertEquals("blob.hash-mismatch", refused.code());
        assertEquals(Optional.empty(), fileServer().stat(unsigned(), hash(pattern(5))));
    }

    @Test
    void withoutASignerNothingIsChanged() throws Exception {
        byte[] bytes = pattern(10);
        ProviderException refused = assertThrows(
                ProviderException.class,
                () -> fileServer().upload(unsigned(), new Content(hash(bytes), bytes.length, TYPE, new Bytes(bytes))));
        assertEquals(Kind.AUTHENTICATION, refused.kind());
        assertEquals("fileserver.unauthorized", refused.code());
    }

    @Test
    void aProbeStoresNothingAndSaysWhatIsKnown() throws Exception {
        FileServer.Probe probe = fileServer().probe(access());
        assertTrue(probe.takesCiphertext(), probe.refusal());
        assertEquals("", probe.refusal());
        assertTrue(probe.largestBytes() == -1 || probe.largestBytes() >= 4 << 20, probe.largestBytes() + " bytes");
    }
}
