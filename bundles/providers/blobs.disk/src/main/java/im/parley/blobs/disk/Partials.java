package im.parley.blobs.disk;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore.Blob;
import im.parley.api.storage.PartialBlobs.Partial;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Uploads that are not complete: one file each in a folder of their own, as long as what has come. Thread-safe; one name is
 * written by one thread at a time.
 */
final class Partials {
    private static final Logger LOG = LoggerFactory.getLogger(Partials.class);
    private static final int BUFFER_BYTES = 64 * 1024;
    private static final long LOOK_EVERY_BYTES = 1 << 20;
    private static final int MAX_DIGESTS = 64;

    /** Asked now and then while bytes come. */
    @FunctionalInterface
    interface Room {
        void check() throws ProviderException;
    }

    private record Running(long sizeBytes, MessageDigest sha256) {}

    private final Path folder;
    private final Room room;
    private final AtomicLong bytes = new AtomicLong();
    private final Set<Sha256> busy = new HashSet<>();

    /** Hashes of what has come, so that the last piece does not make everything be read again. */
    private final Map<Sha256, Running> digests = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Sha256, Running> eldest) {
            return size() > MAX_DIGESTS;
        }
    };

    /** @param folder is made if it is absent */
    Partials(Path folder, Room room) throws IOException {
        this.folder = folder;
        this.room = room;
        Files.createDirectories(folder);
        for (Partial partial : all()) {
            bytes.addAndGet(partial.sizeBytes());
        }
    }

    private Path place(Sha256 name) {
        return folder.resolve(name.hex());
    }

    private void enter(Sha256 name) throws ProviderException {
        synchronized (busy) {
            if (!busy.add(name)) {
                throw new ProviderException(
                        Kind.UNAVAILABLE, "partial.busy", "This upload is being written by another call. Try again.");
            }
        }
    }

    private void leave(Sha256 name) {
        synchronized (busy) {
            busy.remove(name);
        }
    }

    private @Nullable Running running(Sha256 name, long size) {
        synchronized (digests) {
            Running running = digests.remove(name);
            if (running != null && running.sizeBytes() == size) {
                return running;
            }
            return size == 0 ? new Running(0, DiskBlobStore.sha256()) : null;
        }
    }

    private void keep(Sha256 name, Running running) {
        synchronized (digests) {
            digests.put(name, running);
        }
    }

    long append(Sha256 name, long offset, InputStream content, long maxBytes) throws ProviderException, IOException {
        enter(name);
        try {
            long size = size(name);
            if (offset != Math.max(0, size)) {
                throw new ProviderException(
                        Kind.REJECTED, "partial.offset", "What has come ends at another place than this piece begins.");
            }
            return write(name, offset, content, maxBytes);
        } finally {
            leave(name);
        }
    }

    private long write(Sha256 name, long offset, InputStream content, long maxBytes)
            throws ProviderException, IOException {
        Running running = running(name, offset);
        MessageDigest sha256 = running == null ? null : running.sha256();
        long size = offset;
        boolean kept = false;
        try (Piece file = new Piece(place(name), offset)) {
            try {
                long lookAt = size;
                byte[] buffer = new byte[BUFFER_BYTES];
                while (true) {
                    if (size >= lookAt) {
                        lookAt = size + LOOK_EVERY_BYTES;
                        room.check();
                    }
                    int n = content.read(buffer, 0, buffer.length);
                    if (n < 0) {
                        break;
                    }
                    if (n > maxBytes - size) {
                        file.cut(offset);
                        bytes.addAndGet(offset - size);
                        size = offset;
                        sha256 = null;
                        throw Failures.tooLarge(maxBytes);
                    }
                    file.write(buffer, n);
                    size += n;
                    bytes.addAndGet(n);
                    if (sha256 != null) {
                        sha256.update(buffer, 0, n);
                    }
                }
                kept = true;
            } finally {
                // What came is kept whatever ended it, and so has to be there after a power loss.
                if (sha256 != null) {
                    keep(name, new Running(size, sha256));
                }
                file.sync(kept);
            }
        }
        if (offset == 0) {
            syncFolder();
        }
        return size;
    }

    private void syncFolder() throws ProviderException {
        try {
            DiskBlobStore.sync(folder);
        } catch (IOException e) {
            throw Failures.writing(e);
        }
    }

    /** -1 if there is nothing. */
    private long size(Sha256 name) throws ProviderException {
        return partial(name).map(Partial::sizeBytes).orElse(-1L);
    }

    Optional<Partial> partial(Sha256 name) throws ProviderException {
        try {
            return Optional.ofNullable(at(place(name)));
        } catch (IOException e) {
            throw Failures.reading(e);
        }
    }

    private static @Nullable Partial at(Path place) throws IOException {
        try {
            BasicFileAttributes attributes = Files.readAttributes(place, BasicFileAttributes.class, NOFOLLOW_LINKS);
            return attributes.isRegularFile()
                    ? new Partial(
                            Sha256.ofHex(place.getFileName().toString()),
                            attributes.size(),
                            attributes.lastModifiedTime().toInstant())
                    : null;
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** What to do with a file that is whole. True if it moved it away. */
    @FunctionalInterface
    interface Settlement {
        boolean settle(Path file, Blob blob) throws ProviderException;
    }

    boolean complete(Sha256 name, Settlement settlement) throws ProviderException {
        enter(name);
        try {
            long size = size(name);
            if (size < 0) {
                throw new ProviderException(Kind.REJECTED, "partial.absent", "No upload of that name was begun.");
            }
            Running running = running(name, size);
            MessageDigest sha256 = running == null ? read(name) : running.sha256();
            Blob blob = new Blob(Sha256.of(sha256.digest()), size);
            boolean created = settlement.settle(place(name), blob);
            bytes.addAndGet(-size);
            if (!created) {
                DiskBlobStore.remove(place(name));
            }
            return created;
        } finally {
            leave(name);
        }
    }

    private MessageDigest read(Sha256 name) throws ProviderException {
        MessageDigest sha256 = DiskBlobStore.sha256();
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
        try (FileChannel file = FileChannel.open(place(name), Set.of(StandardOpenOption.READ, NOFOLLOW_LINKS))) {
            while (file.read(buffer) >= 0) {
                sha256.update(buffer.flip());
                buffer.clear();
            }
            return sha256;
        } catch (IOException e) {
            throw Failures.reading(e);
        }
    }

    boolean discard(Sha256 name) throws ProviderException {
        enter(name);
        try {
            long size = size(name);
            synchronized (digests) {
                digests.remove(name);
            }
            if (size < 0) {
                return false;
            }
            Files.deleteIfExists(place(name));
            bytes.addAndGet(-size);
            return true;
        } catch (IOException e) {
            throw Failures.writing(e);
        } finally {
            leave(name);
        }
    }

    List<Partial> list(@Nullable Sha256 after, int limit) throws ProviderException {
        try {
            return all().stream()
                    .filter(each -> after == null || each.name().compareTo(after) > 0)
                    .sorted((a, b) -> a.name().compareTo(b.name()))
                    .limit(limit)
                    .toList();
        } catch (IOException e) {
            throw Failures.reading(e);
        }
    }

    private List<Partial> all() throws IOException {
        List<Partial> found = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Partial partial = DiskBlobStore.isHash(file.getFileName().toString()) ? at(file) : null;
                if (partial != null) {
                    found.add(partial);
                }
            }
        } catch (java.nio.file.DirectoryIteratorException e) {
            throw e.getCause();
        }
        return found;
    }

    long bytes() {
        return bytes.get();
    }

    /** The file of one upload, open at its end. Its failures are told apart from those of the caller's stream. */
    private static final class Piece implements AutoCloseable {
        private final FileChannel file;

        Piece(Path path, long offset) throws ProviderException {
            try {
                file = FileChannel.open(
                        path, Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, NOFOLLOW_LINKS));
                file.position(offset);
            } catch (ReadOnlyFileSystemException e) {
                throw Failures.writing(e);
            } catch (IOException e) {
                throw Failures.writing(e);
            }
        }

        void write(byte[] buffer, int length) throws ProviderException {
            long before = -1;
            try {
                before = file.position();
                ByteBuffer left = ByteBuffer.wrap(buffer, 0, length);
                while (left.hasRemaining()) {
                    file.write(left);
                }
            } catch (IOException e) {
                if (before >= 0) {
                    cut(before);
                }
                throw Failures.writing(e);
            }
        }

        void cut(long size) throws ProviderException {
            try {
                file.truncate(size);
            } catch (IOException e) {
                throw Failures.writing(e);
            }
        }

        /** @param strict whether a failure is the caller's to know */
        void sync(boolean strict) throws ProviderException {
            try {
                file.force(true);
            } catch (IOException e) {
                if (strict) {
                    throw Failures.writing(e);
                }
                LOG.debug("a piece that broke off was not synced: {}", e.toString());
            }
        }

        @Override
        public void close() throws ProviderException {
            try {
                file.close();
            } catch (IOException e) {
                throw Failures.writing(e);
            }
        }
    }
}
