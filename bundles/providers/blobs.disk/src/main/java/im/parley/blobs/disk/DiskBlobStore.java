package im.parley.blobs.disk;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.api.storage.PartialBlobs;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A blob is written into {@code incoming}, hashed on the way and synced, then moved to the place that its hash says and
 * the folder synced: whatever lies at such a place was complete once. Thread-safe: what changes the place of one hash
 * holds a lock of it, readers hold none and keep the file that they opened.
 */
final class DiskBlobStore implements BlobStore, PartialBlobs, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DiskBlobStore.class);
    private static final String FORMAT = "1";
    private static final int BUFFER_BYTES = 64 * 1024;
    private static final int SHARDS = 256;
    private static final int LOCKS = 64;
    private static final int MAX_PAGE = 10_000;
    /** How often a long upload looks whether there is still room. */
    private static final long LOOK_EVERY_BYTES = 1 << 20;

    private final Path root;
    private final Path blobs;
    private final Path incoming;
    private final Path damaged;
    private final FileChannel lock;
    private final long leastFreeBytes;
    private final Object[] locks = new Object[LOCKS];
    private final AtomicLong names = new AtomicLong();
    private final AtomicLong count = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();
    private final Partials partials;
    private volatile boolean closed;

    private DiskBlobStore(Path root, FileChannel lock, long leastFreeBytes) throws IOException {
        this.root = root;
        this.lock = lock;
        this.leastFreeBytes = leastFreeBytes;
        blobs = root.resolve("blobs");
        incoming = root.resolve("incoming");
        damaged = root.resolve("damaged");
        for (int i = 0; i < LOCKS; i++) {
            locks[i] = new Object();
        }
        partials = new Partials(root.resolve("partial"), this::checkRoom);
    }

    /**
     * @param root of this store alone; exists
     * @param leastFreeBytes that uploads leave free on its disk
     */
    static DiskBlobStore open(Path root, long leastFreeBytes) throws ProviderException {
        FileChannel lock = lock(root);
        boolean opened = false;
        try {
            DiskBlobStore store = new DiskBlobStore(root, lock, leastFreeBytes);
            store.checkFormat();
            store.makeFolders();
            store.sweepIncoming();
            store.countAll();
            opened = true;
            return store;
        } catch (IOException e) {
            throw Failures.writing(e);
        } finally {
            if (!opened) {
                release(lock);
            }
        }
    }

    private static FileChannel lock(Path root) throws ProviderException {
        try {
            FileChannel channel =
                    FileChannel.open(root.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            boolean locked = false;
            try {
                locked = channel.tryLock() != null;
            } catch (OverlappingFileLockException e) {
                LOG.debug("{} is open in this process", root);
            } finally {
                if (!locked) {
                    release(channel);
                }
            }
            if (!locked) {
                throw Failures.locked();
            }
            return channel;
        } catch (IOException e) {
            throw Failures.writing(e);
        }
    }

    private static void release(FileChannel lock) {
        try {
            lock.close();
        } catch (IOException e) {
            LOG.debug("a lock was released with {}", e.toString());
        }
    }

    private void checkFormat() throws IOException, ProviderException {
        Path file = root.resolve("format");
        if (Files.exists(file)) {
            String format = Files.readString(file, StandardCharsets.UTF_8).strip();
            if (!format.equals(FORMAT)) {
                throw Failures.tooNew(format);
            }
            return;
        }
        Files.writeString(file, FORMAT, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.SYNC);
    }

    /** All of them at once, so that an upload never has to sync more than the folder it moves into. */
    private void makeFolders() throws IOException {
        Files.createDirectories(incoming);
        Files.createDirectories(damaged);
        Files.createDirectories(blobs);
        boolean made = false;
        for (int i = 0; i < SHARDS; i++) {
            Path shard = shard(i);
            if (!Files.isDirectory(shard, NOFOLLOW_LINKS)) {
                Files.createDirectory(shard);
                made = true;
            }
        }
        if (made) {
            sync(blobs);
            sync(root);
        }
    }

    /** What a crash left half-written was never acknowledged. */
    private void sweepIncoming() throws IOException {
        try (DirectoryStream<Path> left = Files.newDirectoryStream(incoming)) {
            for (Path part : left) {
                Files.delete(part);
            }
        }
    }

    private void countAll() throws IOException {
        for (int i = 0; i < SHARDS; i++) {
            for (Blob blob : blobsOf(i)) {
                count.incrementAndGet();
                bytes.addAndGet(blob.sizeBytes());
            }
        }
    }

    private Path shard(int number) {
        return blobs.resolve(Integer.toHexString(SHARDS | number).substring(1));
    }

    private Path place(Sha256 hash) {
        return blobs.resolve(hash.hex().substring(0, 2)).resolve(hash.hex());
    }

    private Object lockOf(Sha256 hash) {
        return locks[Math.floorMod(hash.hashCode(), LOCKS)];
    }

    private void checkOpen() throws ProviderException {
        if (closed) {
            throw Failures.closed();
        }
    }

    @Override
    public Stored put(InputStream content, long maxBytes, Admission admission) throws ProviderException, IOException {
        if (maxBytes < 0) {
            throw new IllegalArgumentException("a blob has 0 bytes or more");
        }
        checkOpen();
        checkRoom();
        Path part = incoming.resolve(names.incrementAndGet() + ".part");
        boolean moved = false;
        try {
            Blob blob = write(content, maxBytes, part);
            admission.admit(blob.hash(), blob.sizeBytes());
            checkOpen();
            moved = settle(part, blob);
            return new Stored(blob, moved);
        } finally {
            if (!moved) {
                remove(part);
            }
        }
    }

    private void checkRoom() throws ProviderException {
        checkOpen();
        long free = root.toFile().getUsableSpace();
        // 0 is also what an unknown size looks like; then the disk itself says when it is full.
        if (free > 0 && free < leastFreeBytes) {
            throw Failures.full(free);
        }
    }

    /** Failures of the caller's stream and of the file are told apart by where they are caught. */
    private Blob write(InputStream content, long maxBytes, Path part) throws ProviderException, IOException {
        MessageDigest sha256 = sha256();
        byte[] buffer = new byte[BUFFER_BYTES];
        long size = 0;
        long lookAt = LOOK_EVERY_BYTES;
        try (Part file = new Part(part)) {
            while (true) {
                int n = content.read(buffer, 0, buffer.length);
                if (n < 0) {
                    break;
                }
                if (n > maxBytes - size) {
                    throw Failures.tooLarge(maxBytes);
                }
                size += n;
                sha256.update(buffer, 0, n);
                file.write(buffer, n);
                if (size >= lookAt) {
                    lookAt = size + LOOK_EVERY_BYTES;
                    checkOpen();
                    checkRoom();
                }
            }
            file.sync();
        }
        return new Blob(Sha256.of(sha256.digest()), size);
    }

    private boolean settle(Path part, Blob blob) throws ProviderException {
        Path place = place(blob.hash());
        synchronized (lockOf(blob.hash())) {
            try {
                Blob there = at(place);
                // One of another size is damaged, and these bytes are right.
                if (there != null && there.sizeBytes() == blob.sizeBytes()) {
                    return false;
                }
                Files.move(part, place, ATOMIC_MOVE);
                if (there == null) {
                    count.incrementAndGet();
                } else {
                    bytes.addAndGet(-there.sizeBytes());
                }
                bytes.addAndGet(blob.sizeBytes());
                sync(place.getParent());
                return true;
            } catch (IOException e) {
                throw Failures.writing(e);
            }
        }
    }

    @Override
    public long append(Sha256 name, long offset, InputStream content, long maxBytes)
            throws ProviderException, IOException {
        if (maxBytes < 0 || offset < 0) {
            throw new IllegalArgumentException("a blob has 0 bytes or more, and a piece begins inside it");
        }
        checkOpen();
        return partials.append(name, offset, content, maxBytes);
    }

    @Override
    public Optional<Partial> partial(Sha256 name) throws ProviderException {
        checkOpen();
        return partials.partial(name);
    }

    @Override
    public Stored complete(Sha256 name, Admission admission) throws ProviderException {
        checkOpen();
        Blob[] whole = new Blob[1];
        boolean created = partials.complete(name, (file, blob) -> {
            admission.admit(blob.hash(), blob.sizeBytes());
            checkOpen();
            whole[0] = blob;
            return settle(file, blob);
        });
        return new Stored(Objects.requireNonNull(whole[0]), created);
    }

    @Override
    public boolean discard(Sha256 name) throws ProviderException {
        checkOpen();
        return partials.discard(name);
    }

    @Override
    public List<Partial> partials(@Nullable Sha256 after, int limit) throws ProviderException {
        if (limit < 1 || limit > MAX_PAGE) {
            throw new IllegalArgumentException("a page has 1 to " + MAX_PAGE + " uploads");
        }
        checkOpen();
        return partials.list(after, limit);
    }

    @Override
    public long partialBytes() throws ProviderException {
        checkOpen();
        return partials.bytes();
    }

    @Override
    public void get(Sha256 hash, long from, long amount, OutputStream to) throws ProviderException, IOException {
        checkOpen();
        Path place = place(hash);
        try (FileChannel file = openForReading(place)) {
            long size = size(file);
            if (from < 0 || amount < 0 || from > size - amount) {
                throw new IllegalArgumentException(
                        "the blob has " + size + " bytes, and not those that were asked for");
            }
            MessageDigest sha256 = amount == size ? sha256() : null;
            copy(file, from, amount, to, sha256, hash);
        }
    }

    /** With a digest, the last piece is written only if the hash is right. */
    private void copy(
            FileChannel file, long from, long amount, OutputStream to, @Nullable MessageDigest sha256, Sha256 hash)
            throws ProviderException, IOException {
        byte[] buffer = new byte[(int) Math.min(BUFFER_BYTES, Math.max(1, amount))];
        long position = from;
        long left = amount;
        do {
            int wanted = (int) Math.min(buffer.length, left);
            int n = wanted == 0 ? 0 : read(file, ByteBuffer.wrap(buffer, 0, wanted), position);
            if (n < wanted) {
                // It has become shorter than it was a moment ago.
                throw damaged(hash);
            }
            position += n;
            left -= n;
            if (sha256 != null) {
                sha256.update(buffer, 0, n);
                if (left == 0 && !Sha256.of(sha256.digest()).equals(hash)) {
                    throw damaged(hash);
                }
            }
            to.write(buffer, 0, n);
        } while (left > 0);
    }

    /** Fills the buffer as far as the file goes. */
    private static int read(FileChannel file, ByteBuffer buffer, long position) throws ProviderException {
        int n = 0;
        try {
            while (buffer.hasRemaining()) {
                int more = file.read(buffer, position + n);
                if (more < 0) {
                    break;
                }
                n += more;
            }
            return n;
        } catch (IOException e) {
            throw Failures.reading(e);
        }
    }

    private static FileChannel openForReading(Path place) throws ProviderException {
        try {
            return FileChannel.open(place, Set.of(StandardOpenOption.READ, NOFOLLOW_LINKS));
        } catch (NoSuchFileException e) {
            throw Failures.absent();
        } catch (IOException e) {
            throw Failures.reading(e);
        }
    }

    private static long size(FileChannel file) throws ProviderException {
        try {
            return file.size();
        } catch (IOException e) {
            throw Failures.reading(e);
        }
    }

    /** Puts the file aside, unless somebody has put right bytes in its place meanwhile. */
    private ProviderException damaged(Sha256 hash) {
        Path place = place(hash);
        synchronized (lockOf(hash)) {
            try {
                Blob there = at(place);
                if (there != null && isDamaged(place, there)) {
                    Files.move(place, damaged.resolve(hash.hex()), StandardCopyOption.REPLACE_EXISTING);
                    count.decrementAndGet();
                    bytes.addAndGet(-there.sizeBytes());
                    sync(place.getParent());
                    LOG.error(
                            "blob.corrupt: {} no longer has its hash and was put aside in {}; see whether the disk is"
                                    + " well",
                            hash,
                            damaged);
                }
            } catch (IOException e) {
                LOG.error("blob.corrupt: {} no longer has its hash and could not be put aside", hash, e);
            }
        }
        return Failures.corrupt(hash);
    }

    private static boolean isDamaged(Path place, Blob there) throws IOException {
        MessageDigest sha256 = sha256();
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
        try (FileChannel file = FileChannel.open(place, Set.of(StandardOpenOption.READ, NOFOLLOW_LINKS))) {
            while (file.read(buffer) >= 0) {
                sha256.update(buffer.flip());
                buffer.clear();
            }
        }
        return !Sha256.of(sha256.digest()).equals(there.hash());
    }

    @Override
    public Optional<Blob> stat(Sha256 hash) throws ProviderException {
        checkOpen();
        try {
            return Optional.ofNullable(at(place(hash)));
        } catch (IOException e) {
            throw Failures.reading(e);
        }
    }

    /** Null if no blob is there. */
    private static @Nullable Blob at(Path place) throws IOException {
        try {
            BasicFileAttributes attributes = Files.readAttributes(place, BasicFileAttributes.class, NOFOLLOW_LINKS);
            String name = place.getFileName().toString();
            return attributes.isRegularFile() ? new Blob(Sha256.ofHex(name), attributes.size()) : null;
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    @Override
    public boolean delete(Sha256 hash) throws ProviderException {
        checkOpen();
        Path place = place(hash);
        synchronized (lockOf(hash)) {
            try {
                Blob there = at(place);
                if (there == null) {
                    return false;
                }
                Files.delete(place);
                count.decrementAndGet();
                bytes.addAndGet(-there.sizeBytes());
                sync(place.getParent());
                return true;
            } catch (IOException e) {
                throw Failures.writing(e);
            }
        }
    }

    @Override
    public List<Blob> list(@Nullable Sha256 after, int limit) throws ProviderException {
        if (limit < 1 || limit > MAX_PAGE) {
            throw new IllegalArgumentException("a page has 1 to " + MAX_PAGE + " blobs");
        }
        checkOpen();
        List<Blob> page = new ArrayList<>();
        try {
            for (int i = after == null ? 0 : after.bytes()[0] & 0xff; i < SHARDS && page.size() < limit; i++) {
                for (Blob blob : blobsOf(i)) {
                    if (page.size() < limit && (after == null || blob.hash().compareTo(after) > 0)) {
                        page.add(blob);
                    }
                }
            }
        } catch (IOException e) {
            throw Failures.reading(e);
        }
        return page;
    }

    /** In order; what is no blob is passed over. */
    private List<Blob> blobsOf(int number) throws IOException {
        List<Blob> found = new ArrayList<>();
        Path shard = shard(number);
        try (DirectoryStream<Path> files = Files.newDirectoryStream(shard)) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                if (isHash(name) && name.startsWith(shard.getFileName().toString())) {
                    Blob blob = at(file);
                    if (blob != null) {
                        found.add(blob);
                    }
                }
            }
        } catch (java.nio.file.DirectoryIteratorException e) {
            throw e.getCause();
        }
        found.sort((a, b) -> a.hash().compareTo(b.hash()));
        return found;
    }

    static boolean isHash(String name) {
        return name.length() == 2 * Sha256.LENGTH
                && name.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'f');
    }

    @Override
    public Usage usage() throws ProviderException {
        checkOpen();
        long free = root.toFile().getUsableSpace();
        return new Usage(count.get(), bytes.get(), Math.max(0, free - leastFreeBytes));
    }

    /** Without waiting: whoever is under way finds the store closed. */
    @Override
    public void close() {
        closed = true;
        release(lock);
    }

    static void remove(Path part) {
        try {
            Files.deleteIfExists(part);
        } catch (IOException e) {
            LOG.warn("{} was given up and could not be removed; the next start tries again", part, e);
        }
    }

    /** A folder has to be synced for a file in it to survive a power loss under its name. */
    static void sync(@Nullable Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(Objects.requireNonNull(folder), StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** The file of an upload. */
    private static final class Part implements AutoCloseable {
        private final FileChannel file;

        Part(Path path) throws ProviderException {
            try {
                file = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            } catch (ReadOnlyFileSystemException e) {
                throw Failures.writing(e);
            } catch (IOException e) {
                throw Failures.writing(e);
            }
        }

        void write(byte[] buffer, int length) throws ProviderException {
            try {
                ByteBuffer left = ByteBuffer.wrap(buffer, 0, length);
                while (left.hasRemaining()) {
                    file.write(left);
                }
            } catch (IOException e) {
                throw Failures.writing(e);
            }
        }

        void sync() throws ProviderException {
            try {
                file.force(true);
            } catch (IOException e) {
                throw Failures.writing(e);
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
