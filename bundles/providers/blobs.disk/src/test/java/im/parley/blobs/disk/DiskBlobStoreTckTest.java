package im.parley.blobs.disk;

import im.parley.api.event.Sha256;
import im.parley.api.storage.BlobStore;
import im.parley.tck.storage.PartialBlobsContract;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.Objects;
import org.junit.jupiter.api.io.TempDir;

class DiskBlobStoreTckTest extends PartialBlobsContract {
    private final Path folder;
    private final IdentityHashMap<BlobStore, Path> roots = new IdentityHashMap<>();

    DiskBlobStoreTckTest(@TempDir Path folder) {
        this.folder = folder;
    }

    @Override
    protected BlobStore open() throws Exception {
        return open(Files.createTempDirectory(folder, "store"));
    }

    private BlobStore open(Path root) throws Exception {
        BlobStore store = DiskBlobStore.open(root, 1);
        roots.put(store, root);
        return store;
    }

    @Override
    protected BlobStore reopen(BlobStore store) throws Exception {
        Path root = Objects.requireNonNull(roots.remove(store));
        close(store);
        return open(root);
    }

    @Override
    protected void close(BlobStore store) {
        ((DiskBlobStore) store).close();
    }

    @Override
    protected boolean damage(BlobStore store, Sha256 hash) throws Exception {
        Path file = Objects.requireNonNull(roots.get(store))
                .resolve("blobs")
                .resolve(hash.hex().substring(0, 2))
                .resolve(hash.hex());
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
            long at = open.length() / 2;
            open.seek(at);
            int before = open.read();
            open.seek(at);
            open.write(before ^ 1);
        }
        return true;
    }
}
