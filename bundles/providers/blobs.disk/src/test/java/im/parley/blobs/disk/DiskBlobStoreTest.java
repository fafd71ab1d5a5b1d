package im.parley.blobs.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore.Admission;
import im.parley.testkit.Skipped;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskBlobStoreTest {
    private static final byte[] SOME = "some bytes".getBytes(StandardCharsets.UTF_8);

    private static InputStream some() {
        return new ByteArrayInputStream(SOME);
    }

    private static ProviderException fails(Kind kind, String code, org.junit.jupiter.api.function.Executable call) {
        ProviderException e = assertThrows(ProviderException.class, call);
        assertEquals(code, e.code());
        assertEquals(kind, e.kind());
        return e;
    }

    private static List<Path> parts(Path root) throws IOException {
        try (Stream<Path> files = Files.list(root.resolve("incoming"))) {
            return files.toList();
        }
    }

    @Test
    void BL_12_whatACrashLeftHalfWrittenIsSweptAndNeverListed(@TempDir Path root) throws Exception {
        try (DiskBlobStore store = DiskBlobStore.open(root, 1)) {
            store.put(some(), 100, Admission.ANY);
        }
        Files.write(root.resolve("incoming/7.part"), new byte[500]);
        // As a move that a crash cut would look if it were not atomic, and what does not belong there at all.
        Files.write(root.resolve("blobs/00/7.part"), new byte[500]);
        Files.writeString(root.resolve("blobs/01/" + "00".repeat(32)), "in the wrong folder");
        Files.createSymbolicLink(root.resolve("blobs/02/" + "02".repeat(32)), root.resolve("format"));
        try (DiskBlobStore store = DiskBlobStore.open(root, 1)) {
            assertEquals(List.of(), parts(root));
            assertEquals(1, store.list(null, 10).size());
            assertEquals(1, store.usage().blobs());
            assertEquals(SOME.length, store.usage().bytes());
            Sha256 link = Sha256.ofHex("02".repeat(32));
            assertEquals(Optional.empty(), store.stat(link));
            assertThrows(ProviderException.class, () -> store.get(link, 0, 1, OutputStream.nullOutputStream()));
        }
    }

    @Test
    void BL_12_nothingIsLeftOfARefusedOrBrokenUpload(@TempDir Path root) throws Exception {
        try (DiskBlobStore store = DiskBlobStore.open(root, 1)) {
            assertThrows(ProviderException.class, () -> store.put(some(), 3, Admission.ANY));
            assertThrows(
                    ProviderException.class,
                    () -> store.put(some(), 100, Admission.only(Sha256.ofHex("ab".repeat(32)))));
            InputStream broken = new InputStream() {
                @Override
                public int read() throws IOException {
                    throw new IOException("gone");
                }
            };
            assertThrows(IOException.class, () -> store.put(broken, 100, Admission.ANY));
            store.put(some(), 100, Admission.ANY);
            assertFalse(store.put(some(), 100, Admission.ANY).created());
            assertEquals(List.of(), parts(root));
        }
    }

    @Test
    void BL_13_aNearlyFullDiskTakesNothingMoreAndCanBeRead(@TempDir Path root) throws Exception {
        try (DiskBlobStore store = DiskBlobStore.open(root, 1)) {
            store.put(some(), 100, Admission.ANY);
        }
        try (DiskBlobStore store = DiskBlobStore.open(root, Long.MAX_VALUE)) {
            fails(Kind.EXHAUSTED, "storage.full", () -> store.put(some(), 100, Admission.ANY));
            assertEquals(0, store.usage().freeBytes());
            Sha256 hash = store.list(null, 1).get(0).hash();
            store.get(hash, 0, SOME.length, OutputStream.nullOutputStream());
            assertTrue(store.delete(hash));
        }
    }

    /** The disk is really full here, a file system in memory of 4 MiB. */
    @Test
    void BL_13_aDiskThatFillsUpUnderAnUploadIsFullAndGoesOnWhenThereIsRoom(@TempDir Path folder) throws Exception {
        Path root = folder.resolve("disk");
        Files.createDirectory(root);
        mount("mount", "-t", "tmpfs", "-o", "size=4m", "parley", root.toString());
        try {
            // Room is not looked for, so that the system itself says it.
            try (DiskBlobStore store = DiskBlobStore.open(root, 0)) {
                store.put(new ByteArrayInputStream(new byte[1_000_000]), Long.MAX_VALUE, Admission.ANY);
                for (int i = 0; i < 3; i++) {
                    fails(
                            Kind.EXHAUSTED,
                            "storage.full",
                            () -> store.put(new Zeros(5_000_000), Long.MAX_VALUE, Admission.ANY));
                    assertEquals(List.of(), parts(root));
                    assertEquals(1, store.usage().blobs());
                }
                Sha256 hash = store.list(null, 1).get(0).hash();
                store.get(hash, 0, 1_000_000, OutputStream.nullOutputStream());
                assertTrue(store.put(some(), 100, Admission.ANY).created());
                assertTrue(store.delete(hash));
                store.put(new Zeros(2_000_000), Long.MAX_VALUE, Admission.ANY);
            }
        } finally {
            mount("umount", root.toString());
        }
    }

    private static void mount(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw Skipped.becauseOfTheMachine("a small file system (root): " + said);
        }
    }

    @Test
    void twoStoresNeverShareAFolder(@TempDir Path root) throws Exception {
        try (DiskBlobStore store = DiskBlobStore.open(root, 1)) {
            fails(Kind.UNAVAILABLE, "store.locked", () -> DiskBlobStore.open(root, 1));
            store.put(some(), 100, Admission.ANY);
        }
        DiskBlobStore.open(root, 1).close();
    }

    @Test
    void aNewerFormatIsRefusedUnharmed(@TempDir Path root) throws Exception {
        DiskBlobStore.open(root, 1).close();
        Files.writeString(root.resolve("format"), "2");
        fails(Kind.UNSUPPORTED, "store.too-new", () -> DiskBlobStore.open(root, 1));
        Files.writeString(root.resolve("format"), "1");
        DiskBlobStore.open(root, 1).close();
    }

    @Test
    void aDamagedBlobIsPutAsideAndABlobOfAnotherSizeIsReplaced(@TempDir Path root) throws Exception {
        try (DiskBlobStore store = DiskBlobStore.open(root, 1)) {
            Sha256 hash = store.put(some(), 100, Admission.ANY).blob().hash();
            Path file =
                    root.resolve("blobs").resolve(hash.hex().substring(0, 2)).resolve(hash.hex());
            Files.write(file, new byte[3]);
            assertTrue(store.put(some(), 100, Admission.ANY).created());
            assertEquals(1, store.usage().blobs());
            store.get(hash, 0, SOME.length, OutputStream.nullOutputStream());
            Files.write(file, new byte[SOME.length]);
            fails(Kind.CORRUPT, "blob.corrupt", () -> store.get(hash, 0, SOME.length, OutputStream.nullOutputStream()));
            assertTrue(Files.exists(root.resolve("damaged").resolve(hash.hex())));
        }
    }

    /** A stream of that many zeros. */
    private static final class Zeros extends InputStream {
        private long left;

        Zeros(long size) {
            left = size;
        }

        @Override
        public int read() {
            return left-- > 0 ? 0 : -1;
        }

        @Override
        public int read(byte[] buffer, int from, int length) {
            if (left <= 0) {
                return -1;
            }
            int n = (int) Math.min(left, length);
            java.util.Arrays.fill(buffer, from, from + n, (byte) 0);
            left -= n;
            return n;
        }
    }
}
