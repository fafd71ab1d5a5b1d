package im.parley.storage.derby;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Properties;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One encrypted database: created whole or not at all, opened with a key that is fetched from the vault for that moment
 * only, and started again after Derby gave it up. Thread-safe.
 */
final class DerbyDatabase implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DerbyDatabase.class);
    private static final String KEY_NAME = "db-key";
    private static final int KEY_BYTES = 32;
    /** So that a dead disk is not asked without pause. */
    private static final long RETRY_NANOS = 1_000_000_000L;
    /** A database that is lost sooner than this after its start is not well yet. */
    private static final long SETTLED_NANOS = 5_000_000_000L;
    /** Room that is left for Derby to come back after a crash: without it a full disk could not even be read. */
    private static final long LEAST_FREE_BYTES = 16 << 20;

    private final DerbyEngine engine;
    private final ProviderContext context;
    private final Tuning tuning;
    private final Path home;
    private final Path directory;

    private volatile @Nullable Runnable owner;
    private boolean up;
    private boolean closed;
    private long epoch;
    private long startedNanos;
    private long lastFailureNanos;
    private @Nullable ProviderException lastFailure;

    private DerbyDatabase(DerbyEngine engine, ProviderContext context, Tuning tuning, Path home) {
        this.engine = engine;
        this.context = context;
        this.tuning = tuning;
        this.home = home;
        directory = home.resolve("db");
    }

    /**
     * Opens the database under the data directory of the instance, creating it at the first time.
     *
     * @param schema makes a new database, and brings an older one up to date
     * @throws ProviderException {@code UNSUPPORTED store.too-new} if a newer version wrote it
     */
    static DerbyDatabase open(DerbyEngine engine, ProviderContext context, Tuning tuning, Schema schema)
            throws ProviderException {
        Path home = DerbyEngine.real(context.dataDir());
        // In Derby's URLs one ends the path, the other may begin a sub-protocol.
        if (home.toString().indexOf(';') >= 0 || home.toString().indexOf(':') >= 0) {
            throw new ProviderException(
                    Kind.UNSUPPORTED,
                    "store.bad-path",
                    "Derby cannot keep a database under a path with a colon or a semicolon; choose another data directory.");
        }
        DerbyDatabase database = new DerbyDatabase(engine, context, tuning, home);
        engine.claim(database, database.directory);
        try {
            if (!Files.isDirectory(database.directory)) {
                database.create(schema);
            }
            database.upgrade(schema);
            return database;
        } catch (ProviderException | RuntimeException e) {
            database.close();
            throw e;
        }
    }

    /** Made beside and moved into place, so that a crash on the way leaves nothing half done. */
    private synchronized void create(Schema schema) throws ProviderException {
        Path making = home.resolve("db.new");
        try {
            deleteTree(making);
            byte[] key = createKey();
            try (Connection connection = boot(making, key, true)) {
                connection.setAutoCommit(false);
                schema.create(connection);
            } catch (SQLException e) {
                throw Failures.atBoot(e);
            } finally {
                Arrays.fill(key, (byte) 0);
                engine.shutdown(making);
            }
            syncTree(making);
            Files.move(making, directory, StandardCopyOption.ATOMIC_MOVE);
            sync(home);
        } catch (IOException e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.io-error",
                    "The store could not be created in its data directory; check the disk and the rights.",
                    e);
        }
    }

    private void upgrade(Schema schema) throws ProviderException {
        Connected connected = connect();
        try (Connection connection = connected.connection()) {
            try {
                schema.upgrade(connection, context.instance());
            } finally {
                if (!connection.isClosed()) {
                    connection.rollback();
                }
            }
        } catch (SQLException e) {
            if (Failures.isFatal(e)) {
                down(connected.epoch(), e);
            }
            throw Failures.of(e);
        }
    }

    private byte[] createKey() throws ProviderException {
        Secrets secrets = context.secrets();
        if (secrets.names().contains(KEY_NAME)) {
            return key();
        }
        byte[] key = new byte[KEY_BYTES];
        context.random().nextBytes(key);
        secrets.write(KEY_NAME, key, null);
        return key;
    }

    /** The key of the database; the caller overwrites it. */
    byte[] key() throws ProviderException {
        Secrets secrets = context.secrets();
        if (!secrets.names().contains(KEY_NAME)) {
            throw new ProviderException(
                    Kind.CORRUPT,
                    "store.wrong-key",
                    "The vault has no key for this store; restore data and vault of the same backup.");
        }
        byte[] key = secrets.read(KEY_NAME);
        if (key.length != KEY_BYTES) {
            throw new ProviderException(
                    Kind.CORRUPT,
                    "store.wrong-key",
                    "The vault's key for this store has a wrong length; restore data and vault of the same backup.");
        }
        return key;
    }

    /** The file that says how far this database had come. */
    Witness witness() throws ProviderException {
        byte[] key = key();
        try {
            return Witness.open(home.resolve("db.seen"), key);
        } finally {
            Arrays.fill(key, (byte) 0);
        }
    }

    private Connection boot(Path where, byte[] key, boolean create) throws ProviderException, SQLException {
        Properties attributes = new Properties();
        if (create) {
            attributes.setProperty("create", "true");
            attributes.setProperty("dataEncryption", "true");
        }
        attributes.setProperty("encryptionAlgorithm", "AES/CBC/NoPadding");
        attributes.setProperty("encryptionKeyLength", "256");
        attributes.setProperty("encryptionKey", HexFormat.of().formatHex(key));
        return engine.boot(home, where, attributes, tuning);
    }

    /** Starts the database if it is down. A failed attempt is repeated after a second at the earliest. */
    private synchronized void ensureUp() throws ProviderException {
        if (closed) {
            throw Failures.closed();
        }
        if (up) {
            return;
        }
        ProviderException failure = lastFailure;
        if (failure != null && System.nanoTime() - lastFailureNanos < RETRY_NANOS) {
            throw new ProviderException(failure.kind(), failure.code(), failure.getMessage());
        }
        byte[] key = key();
        try (Connection connection = boot(directory, key, false)) {
            for (String name : UnsafeSettings.IN_DATABASE) {
                UnsafeSettings.check(name, property(connection, name), "the database");
            }
            up = true;
            epoch++;
            startedNanos = System.nanoTime();
            lastFailure = null;
        } catch (SQLException e) {
            throw remembered(Failures.atBoot(e));
        } catch (ProviderException e) {
            throw remembered(e);
        } finally {
            Arrays.fill(key, (byte) 0);
            if (!up) {
                engine.shutdown(directory);
            }
        }
    }

    private ProviderException remembered(ProviderException e) {
        lastFailure = e;
        lastFailureNanos = System.nanoTime();
        return e;
    }

    private static @Nullable String property(Connection connection, String name) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("VALUES SYSCS_UTIL.SYSCS_GET_DATABASE_PROPERTY(?)")) {
            statement.setString(1, name);
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next() ? rows.getString(1) : null;
            }
        }
    }

    /** A connection together with the start of the database it belongs to. */
    record Connected(Connection connection, long epoch) {}

    /** A new connection without auto-commit; starts the database if it is down. */
    synchronized Connected connect() throws ProviderException {
        ensureUp();
        try {
            Connection connection = engine.connect(directory, new Properties());
            connection.setAutoCommit(false);
            return new Connected(connection, epoch);
        } catch (SQLException e) {
            down(epoch, e);
            throw Failures.of(e);
        }
    }

    /**
     * To be asked before anything is written. Derby gives up a database whose log it cannot write, and then can only read it
     * again when it can write; a write that is refused here leaves it up.
     *
     * @throws ProviderException {@code EXHAUSTED storage.full}, {@code UNAVAILABLE storage.readonly}
     */
    void checkRoom() throws ProviderException {
        try {
            // Two system calls of some microseconds. Of a file system that Linux stopped writing to after an error it
            // still says that it is writable; only doing something to it tells.
            Files.setLastModifiedTime(directory, FileTime.from(context.clock().instant()));
        } catch (IOException e) {
            throw Failures.readOnly(e);
        }
        long free = directory.toFile().getUsableSpace();
        if (free < LEAST_FREE_BYTES) {
            throw Failures.full(free);
        }
    }

    /** Whether connections of that start of the database can still be alive. */
    synchronized boolean isCurrent(long of) {
        return up && of == epoch;
    }

    /** Gives up the database after an error that cost it, so that the next use starts it again. */
    synchronized void down(long failedEpoch, SQLException why) {
        if (up && failedEpoch == epoch) {
            LOG.warn(
                    "{} lost its database and will start it again at the next use: {}",
                    context.instance(),
                    Failures.states(why));
            up = false;
            if (!hasSettled()) {
                remembered(Failures.of(why));
            }
            engine.shutdown(directory);
        }
    }

    private boolean hasSettled() {
        return System.nanoTime() - startedNanos > SETTLED_NANOS;
    }

    /**
     * Derby decides only at the start whether it can write. So after a refused write it is started again now and then, and
     * in between it can be read.
     */
    synchronized void readOnly(long refusedEpoch, SQLException why) {
        if (hasSettled()) {
            down(refusedEpoch, why);
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            if (up) {
                up = false;
                engine.shutdown(directory);
            }
            engine.release(this, directory);
        }
    }

    /** Names the store that is closed with the engine, should nobody close it before. */
    void ownedBy(DerbyEventStore store) {
        owner = store::close;
    }

    /** As for events. */
    void ownedBy(DerbyRecordStore store) {
        owner = store::close;
    }

    void closeWithOwner() {
        Runnable closing = owner;
        if (closing != null) {
            closing.run();
        }
        close();
    }

    private static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root)) {
            return;
        }
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e) throws IOException {
                if (e != null) {
                    throw e;
                }
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private static void syncTree(Path root) throws IOException {
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                sync(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e) throws IOException {
                sync(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private static void sync(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
