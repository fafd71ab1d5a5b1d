package im.parley.storage.lmdb;

import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.lwjgl.util.lmdb.LMDB;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One environment on disk: created whole or not at all, locked against a second opener, checked for its format and key, and
 * opened again after a fault of the disk cost it. Thread-safe.
 *
 * <p>The lock is the system's, on a file of our own: LMDB itself lets several processes share an environment, and opening one
 * twice in a process would break it. It also holds between class loaders.
 */
final class Database implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Database.class);
    private static final String KEY_NAME = "db-key";
    private static final int KEY_BYTES = 32;
    private static final byte[] FORMAT = ascii("format");
    private static final byte[] CHECK = ascii("key-check");

    /** So that a dead disk is not asked without pause. */
    private static final long RETRY_NANOS = 1_000_000_000L;

    /** A larger file is checked while it is in use: 1 GiB takes a second, or what the disk needs to read it. */
    private static final long MOST_BYTES_AT_OPENING = 1L << 30;

    private final String instance;
    private final Path home;
    private final Path directory;
    private final long mapBytes;
    private final Table[] tables;
    private final int format;
    private final FileChannel lock;
    private final Seal seal;
    private final byte[] indexKey;
    private final long mostBytesAtOpening;

    private @Nullable Environment environment;
    private @Nullable LateCheck lateCheck;
    private @Nullable ProviderException damage;
    private @Nullable ProviderException lastFailure;
    private long lastFailureNanos;
    private boolean closed;

    private Database(
            String instance,
            Path home,
            FileChannel lock,
            long mapBytes,
            Table[] tables,
            int format,
            Seal seal,
            byte[] indexKey,
            long mostBytesAtOpening) {
        this.instance = instance;
        this.home = home;
        this.lock = lock;
        this.mapBytes = mapBytes;
        this.tables = tables;
        this.format = format;
        this.seal = seal;
        this.indexKey = indexKey;
        this.mostBytesAtOpening = mostBytesAtOpening;
        directory = home.resolve("db");
    }

    /**
     * Opens the environment under the data directory of the instance, creating it at the first time.
     *
     * @param tables the first of them is for facts about the others
     * @param format of what is in the tables; a store with a higher one is refused
     */
    static Database open(LmdbEngine engine, ProviderContext context, long mapBytes, Table[] tables, int format)
            throws ProviderException {
        return open(engine, context, mapBytes, tables, format, MOST_BYTES_AT_OPENING);
    }

    /** As above, with the length up to which a file is checked before it is used. */
    static Database open(
            LmdbEngine engine,
            ProviderContext context,
            long mapBytes,
            Table[] tables,
            int format,
            long mostBytesAtOpening)
            throws ProviderException {
        Path home;
        try {
            home = context.dataDir().toRealPath();
        } catch (IOException e) {
            throw Failures.atOpening(e);
        }
        FileChannel lock = lock(home);
        Database database = null;
        try {
            engine.load(home);
            boolean create = !Files.isDirectory(home.resolve("db"));
            byte[] key = create ? createKey(context) : key(context);
            try {
                database = new Database(
                        context.instance(),
                        home,
                        lock,
                        mapBytes,
                        tables,
                        format,
                        new Seal(key, context.random()),
                        Seal.derive(key, "parley-lmdb-index-v1", 64),
                        mostBytesAtOpening);
            } finally {
                Arrays.fill(key, (byte) 0);
            }
            if (create) {
                database.create();
            }
            database.environment();
            return database;
        } catch (ProviderException | RuntimeException | Error e) {
            if (database == null) {
                release(lock);
            } else {
                database.close();
            }
            throw e;
        }
    }

    private static FileChannel lock(Path home) throws ProviderException {
        try {
            FileChannel channel = FileChannel.open(
                    home.resolve("lock"),
                    Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            boolean locked = false;
            try {
                locked = channel.tryLock() != null;
            } catch (OverlappingFileLockException e) {
                LOG.debug("{} is open in this process", home);
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
            throw Failures.atOpening(e);
        }
    }

    private static void release(FileChannel lock) {
        try {
            lock.close();
        } catch (IOException e) {
            LOG.debug("a lock was released with {}", e.toString());
        }
    }

    private static byte[] createKey(ProviderContext context) throws ProviderException {
        Secrets secrets = context.secrets();
        if (secrets.names().contains(KEY_NAME)) {
            return key(context);
        }
        byte[] key = new byte[KEY_BYTES];
        context.random().nextBytes(key);
        secrets.write(KEY_NAME, key, null);
        return key;
    }

    private static byte[] key(ProviderContext context) throws ProviderException {
        Secrets secrets = context.secrets();
        if (!secrets.names().contains(KEY_NAME)) {
            throw Failures.wrongKey("The vault has no key for this store");
        }
        byte[] key = secrets.read(KEY_NAME);
        if (key.length != KEY_BYTES) {
            throw Failures.wrongKey("The vault's key for this store has a wrong length");
        }
        return key;
    }

    /** Made beside and moved into place, so that a crash on the way leaves nothing half done. */
    private synchronized void create() throws ProviderException {
        Path making = home.resolve("db.new");
        try {
            deleteFolder(making);
            Files.createDirectory(
                    making, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            try (Environment created = Environment.open(making, mapBytes, tables, Environment.Mode.CREATE);
                    Environment.Txn txn = created.write()) {
                txn.use(writing -> {
                    writing.put(tables[0], FORMAT, number(format));
                    writing.put(tables[0], CHECK, seal.seal(CHECK, CHECK));
                    return true;
                });
                txn.commit();
            }
            Files.deleteIfExists(making.resolve("lock.mdb"));
            sync(making.resolve(Environment.FILE));
            sync(making);
            Files.move(making, directory, StandardCopyOption.ATOMIC_MOVE);
            sync(home);
        } catch (LmdbException e) {
            throw Failures.atOpening(e);
        } catch (IOException e) {
            throw Failures.atOpening(e);
        }
    }

    /** The open environment; after a loss a new one, a failed attempt is repeated after a second at the earliest. */
    synchronized Environment environment() throws ProviderException {
        if (closed) {
            throw Failures.closed();
        }
        Environment current = environment;
        if (current != null) {
            return current;
        }
        if (damage != null) {
            throw Failures.again(damage);
        }
        ProviderException failure = lastFailure;
        if (failure != null && System.nanoTime() - lastFailureNanos < RETRY_NANOS) {
            throw Failures.again(failure);
        }
        try {
            Environment opened = openExisting();
            environment = opened;
            lastFailure = null;
            return opened;
        } catch (ProviderException e) {
            lastFailure = e;
            lastFailureNanos = System.nanoTime();
            throw e;
        }
    }

    private Environment openExisting() throws ProviderException {
        Environment opened;
        Path file = directory.resolve(Environment.FILE);
        boolean late;
        try {
            // LMDB would make a new, empty file where there is none.
            if (!Files.isRegularFile(file) || Files.size(file) < 2 * Environment.SMALLEST_PAGE) {
                throw Failures.corrupt("no file, or the stump of one");
            }
            late = Files.size(file) > mostBytesAtOpening;
            opened = Environment.open(
                    directory, mapBytes, tables, late ? Environment.Mode.UNCHECKED : Environment.Mode.EXISTING);
        } catch (IOException e) {
            throw Failures.atOpening(e);
        } catch (LmdbException e) {
            throw Failures.atOpening(e);
        }
        try {
            opened.read(txn -> {
                checkFacts(txn.get(tables[0], FORMAT), txn.get(tables[0], CHECK));
                return true;
            });
            if (late) {
                // Nobody writes yet, so both see the same commit.
                lateCheck = new LateCheck(opened, opened.snapshot(), file);
                lateCheck.start();
            }
            return opened;
        } catch (LmdbException e) {
            opened.close();
            throw Failures.atOpening(e);
        } catch (IOException e) {
            opened.close();
            throw Failures.atOpening(e);
        } catch (ProviderException | RuntimeException | Error e) {
            opened.close();
            throw e;
        }
    }

    /** Reads a large file while it is in use; the snapshot keeps what it reads from being written over. */
    private final class LateCheck extends Thread {
        private final Environment checked;
        private final Environment.Txn snapshot;
        private final PageCheck check;
        private volatile boolean wanted = true;

        LateCheck(Environment checked, Environment.Txn snapshot, Path file) throws IOException, LmdbException {
            super("parley-lmdb-check " + instance);
            setDaemon(true);
            this.checked = checked;
            this.snapshot = snapshot;
            check = checked.pageCheck(file, () -> wanted);
        }

        @Override
        public void run() {
            try (snapshot;
                    check) {
                check.check();
                LOG.debug("{} is whole", instance);
            } catch (LmdbException e) {
                found(checked, Failures.of(e));
            } catch (IOException e) {
                if (wanted) {
                    LOG.warn("{} could not be checked for damage: {}", instance, e.toString());
                }
            }
        }
    }

    /** Nothing is read or written any more from a file that is damaged. */
    private void found(Environment damaged, ProviderException what) {
        synchronized (this) {
            if (environment != damaged) {
                return;
            }
            environment = null;
            damage = what;
        }
        LOG.error("{} is damaged and refuses its service: {}", instance, what.getMessage());
        damaged.close();
    }

    private void checkFacts(byte @Nullable [] written, byte @Nullable [] check) throws ProviderException {
        if (written == null || written.length != Integer.BYTES || check == null) {
            throw Failures.corrupt("no format");
        }
        int found = ByteBuffer.wrap(written).getInt();
        if (found > format) {
            throw Failures.tooNew(found);
        }
        if (found != format) {
            throw Failures.corrupt("format " + found);
        }
        if (!Arrays.equals(CHECK, seal.open(CHECK, check))) {
            throw Failures.wrongKey("The key of this store does not fit its data");
        }
    }

    /** What is told of an error of an environment; one that is lost is closed, and opened again at the next use. */
    ProviderException failure(Environment of, LmdbException e) {
        if (e.code() == LMDB.MDB_PANIC) {
            lose(of);
            return Failures.lost();
        }
        if (e.code() == LMDB.MDB_SHORT_WRITE && !takesWrites()) {
            return Failures.readOnly();
        }
        synchronized (this) {
            if (e.code() == 0 && damage != null) {
                return Failures.again(damage);
            }
            return e.code() == 0 && !closed ? Failures.lost() : Failures.of(e);
        }
    }

    /**
     * A write is cut short where a disk ends, and where the kernel gives the disk up in the middle of it. It still says then
     * that it can be written; only doing something to it tells.
     */
    private boolean takesWrites() {
        try {
            Files.setLastModifiedTime(directory, Files.getLastModifiedTime(directory));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Gives up an environment that takes no more writes. */
    void lose(Environment lost) {
        synchronized (this) {
            if (environment != lost) {
                return;
            }
            environment = null;
            if (lateCheck != null) {
                lateCheck.wanted = false;
            }
            lastFailure = Failures.lost();
            lastFailureNanos = System.nanoTime();
        }
        LOG.warn("{} lost its environment to a fault of the disk and will open it again", instance);
        lost.close();
    }

    /** Whether that one is still in use. */
    synchronized boolean isCurrent(Environment other) {
        return environment == other;
    }

    Seal seal() {
        return seal;
    }

    /** 64 bytes for the keyed hashes of the index; the caller overwrites them. */
    byte[] indexKey() {
        return indexKey.clone();
    }

    @Override
    public void close() {
        Environment last;
        LateCheck checking;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            last = environment;
            environment = null;
            checking = lateCheck;
        }
        if (checking != null) {
            stop(checking);
        }
        if (last != null) {
            last.close();
        }
        seal.close();
        Arrays.fill(indexKey, (byte) 0);
        release(lock);
    }

    /** Waits for the page that it reads. */
    private static void stop(LateCheck check) {
        check.wanted = false;
        boolean interrupted = false;
        while (true) {
            try {
                check.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    static byte[] number(int value) {
        return ByteBuffer.allocate(Integer.BYTES).putInt(value).array();
    }

    private static void deleteFolder(Path folder) throws IOException {
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
                for (Path file : files) {
                    Files.delete(file);
                }
            }
            Files.delete(folder);
        }
    }

    private static void sync(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
