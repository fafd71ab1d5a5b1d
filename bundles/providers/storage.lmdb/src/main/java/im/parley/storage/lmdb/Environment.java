package im.parley.storage.lmdb;

import static org.lwjgl.system.MemoryUtil.NULL;
import static org.lwjgl.system.MemoryUtil.memAddress;
import static org.lwjgl.system.MemoryUtil.memByteBuffer;
import static org.lwjgl.system.MemoryUtil.memFree;
import static org.lwjgl.system.MemoryUtil.memGetAddress;
import static org.lwjgl.system.MemoryUtil.memGetInt;
import static org.lwjgl.system.MemoryUtil.memPutAddress;
import static org.lwjgl.system.MemoryUtil.memUTF8;
import static org.lwjgl.system.MemoryUtil.nmemAllocChecked;
import static org.lwjgl.system.MemoryUtil.nmemFree;

import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.lwjgl.util.lmdb.LMDB;
import org.lwjgl.util.lmdb.MDBEnvInfo;
import org.lwjgl.util.lmdb.MDBStat;

/**
 * One open LMDB environment, its transactions and cursors. Thread-safe; a transaction is for one thread at a time.
 *
 * <p>This class alone knows raw addresses. LMDB would crash the JVM on one that is not valid any more, so every native call
 * runs with {@link #life} held for reading, closing takes it for writing, and what was closed has the address 0, which is
 * looked at before each call: use after closing is an exception. Nothing is read beyond a call; keys and values are copied.
 *
 * <p>Commits are synced (no {@code MDB_NOSYNC}), and pages are written, not mapped for writing ({@code MDB_WRITEMAP}): a full
 * disk is then an error of a write and not a {@code SIGBUS}. LWJGL's {@code MemoryStack} is not used, because it would leave
 * thread locals on the host's threads.
 */
final class Environment implements AutoCloseable {
    /** Longest key that LMDB takes as it is built. */
    static final int MOST_KEY_BYTES = 511;

    /** LMDB's smallest page. Two of them are in every file. */
    static final int SMALLEST_PAGE = 4_096;

    /** The file in the directory of an environment; the other one there, {@code lock.mdb}, matters only while it is open. */
    static final String FILE = "data.mdb";

    static final int MOST_READERS = 1_024;
    private static final int OWNER_ONLY = 0600;
    private static final int EIO = 5;

    /** A {@code MDB_val}: size, address. */
    private static final int VALUE = 2 * Long.BYTES;

    /** What a transaction has to itself: a key, a value, and room for the bytes of the key. */
    private static final int SCRATCH = 2 * VALUE + MOST_KEY_BYTES + 1;

    private final ReentrantReadWriteLock life = new ReentrantReadWriteLock();
    private final Semaphore readers = new Semaphore(MOST_READERS, true);
    private final int[] handles;
    private final PageSums sums = new PageSums();

    /** Transactions with something native; guarded by itself. */
    private final Set<Txn> open = new HashSet<>();

    /** What snapshots left behind to be renewed; guarded by {@link #open}. */
    private final ArrayDeque<Resting> idle = new ArrayDeque<>();

    /** Written under the write lock of {@link #life}. */
    private long address;

    private Environment(long address, int tables) {
        this.address = address;
        handles = new int[tables];
    }

    /** How an environment is opened. */
    enum Mode {
        /** Makes file and tables. */
        CREATE,
        /** All must be there and whole: each page is read. */
        EXISTING,
        /** All must be there; whoever opens it does the {@link #pageCheck}. */
        UNCHECKED
    }

    /**
     * Opens the file in a directory that nobody else uses.
     *
     * @param mapBytes address space reserved for it, and so the most that the file can grow to
     */
    static Environment open(Path directory, long mapBytes, Table[] tables, Mode mode) throws LmdbException {
        long holder = nmemAllocChecked(Long.BYTES);
        long env;
        try {
            check(LMDB.nmdb_env_create(holder));
            env = memGetAddress(holder);
        } finally {
            nmemFree(holder);
        }
        Environment environment = new Environment(env, tables.length);
        try {
            environment.open(directory, mapBytes);
            if (mode == Mode.EXISTING) {
                environment.checkNow(directory.resolve(FILE));
            }
            environment.openTables(tables, mode);
            return environment;
        } catch (LmdbException | RuntimeException | Error e) {
            environment.close();
            throw e;
        }
    }

    private void open(Path directory, long mapBytes) throws LmdbException {
        check(LMDB.nmdb_env_set_mapsize(address, mapBytes));
        check(LMDB.nmdb_env_set_maxdbs(address, handles.length));
        check(LMDB.nmdb_env_set_maxreaders(address, MOST_READERS));
        check(sums.writtenBy(address));
        ByteBuffer path = memUTF8(directory.toString());
        try {
            check(LMDB.nmdb_env_open(address, memAddress(path), LMDB.MDB_NOTLS, OWNER_ONLY));
        } finally {
            memFree(path);
        }
        checkLength(directory.resolve(FILE));
    }

    /** A page that the file lost its end with would be read beyond the file, which ends the process. */
    private void checkLength(Path file) throws LmdbException {
        long facts = nmemAllocChecked(MDBEnvInfo.SIZEOF);
        try {
            check(LMDB.nmdb_env_info(address, facts));
            long pages = MDBEnvInfo.nme_last_pgno(facts) + 1;
            if (pages < 2 || Files.size(file) / pageBytes() < pages) {
                throw failure(LMDB.MDB_CORRUPTED);
            }
        } catch (IOException e) {
            throw failure(LMDB.MDB_CORRUPTED);
        } finally {
            nmemFree(facts);
        }
    }

    private void checkNow(Path file) throws LmdbException {
        try (PageCheck check = pageCheck(file, () -> true)) {
            check.readAhead();
            check.check();
        } catch (IOException e) {
            throw new LmdbException(EIO, "the file could not be read");
        }
    }

    /**
     * A check of the pages of the newest commit, to be done and closed by the caller, who keeps a snapshot of that commit
     * meanwhile.
     *
     * @param file of this environment
     * @param wanted false ends it
     */
    PageCheck pageCheck(Path file, BooleanSupplier wanted) throws IOException, LmdbException {
        return new PageCheck(file, pageBytes(), wanted);
    }

    private int pageBytes() throws LmdbException {
        long facts = nmemAllocChecked(MDBStat.SIZEOF);
        try {
            check(LMDB.nmdb_env_stat(address, facts));
            return MDBStat.nms_psize(facts);
        } finally {
            nmemFree(facts);
        }
    }

    private void openTables(Table[] tables, Mode mode) throws LmdbException {
        long memory = nmemAllocChecked(Long.BYTES);
        try {
            check(LMDB.nmdb_txn_begin(address, NULL, mode == Mode.CREATE ? 0 : LMDB.MDB_RDONLY, memory));
            long txn = memGetAddress(memory);
            try {
                for (Table table : tables) {
                    ByteBuffer name = memUTF8(table.name());
                    try {
                        check(LMDB.nmdb_dbi_open(
                                txn, memAddress(name), mode == Mode.CREATE ? LMDB.MDB_CREATE : 0, memory));
                    } finally {
                        memFree(name);
                    }
                    handles[table.ordinal()] = memGetInt(memory);
                }
            } catch (LmdbException e) {
                LMDB.nmdb_txn_abort(txn);
                throw e;
            }
            check(LMDB.nmdb_txn_commit(txn));
        } finally {
            nmemFree(memory);
        }
    }

    /** Ends every transaction that is still open, then the environment. Waits for native calls under way. */
    @Override
    public void close() {
        if (life.getReadHoldCount() > 0) {
            throw new IllegalStateException("an environment is not closed from inside a transaction");
        }
        life.writeLock().lock();
        try {
            if (address == NULL) {
                return;
            }
            synchronized (open) {
                open.forEach(Txn::release);
                open.clear();
                idle.forEach(Resting::release);
                idle.clear();
            }
            LMDB.nmdb_env_close(address);
            sums.close();
            address = NULL;
        } finally {
            life.writeLock().unlock();
        }
    }

    private void enter() throws LmdbException {
        life.readLock().lock();
        if (address == NULL) {
            leave();
            throw closed();
        }
    }

    private void leave() {
        life.readLock().unlock();
    }

    static LmdbException closed() {
        return new LmdbException(0, "the environment is closed");
    }

    private static void check(int code) throws LmdbException {
        if (code != LMDB.MDB_SUCCESS) {
            throw failure(code);
        }
    }

    private static LmdbException failure(int code) {
        return new LmdbException(code, LMDB.mdb_strerror(code));
    }

    /** Work inside a transaction. */
    @FunctionalInterface
    interface Use<R extends @Nullable Object> {
        R apply(Txn txn) throws LmdbException, ProviderException;
    }

    /** Reads what is committed now. The visit is short: while it lasts the environment cannot be closed. */
    <R extends @Nullable Object> R read(Use<R> use) throws LmdbException, ProviderException {
        try (Txn txn = snapshot()) {
            return txn.use(use);
        }
    }

    /**
     * A view of what is committed now, until it is closed. As long as it is open, pages that are freed meanwhile cannot be
     * used again and the file grows.
     */
    Txn snapshot() throws LmdbException {
        readers.acquireUninterruptibly();
        boolean done = false;
        try {
            enter();
            try {
                Txn txn = renewed();
                if (txn == null) {
                    txn = begin(null, LMDB.MDB_RDONLY);
                }
                done = true;
                return txn;
            } finally {
                leave();
            }
        } finally {
            if (!done) {
                readers.release();
            }
        }
    }

    private @Nullable Txn renewed() throws LmdbException {
        Resting rested;
        synchronized (open) {
            rested = idle.poll();
        }
        if (rested == null) {
            return null;
        }
        int code = LMDB.nmdb_txn_renew(rested.txn());
        if (code != LMDB.MDB_SUCCESS) {
            rested.release();
            throw failure(code);
        }
        return opened(new Txn(rested.txn(), rested.scratch(), null, true));
    }

    /** The one transaction that writes; waits for another. Committed or closed by the thread that began it. */
    Txn write() throws LmdbException {
        enter();
        try {
            return begin(null, 0);
        } finally {
            leave();
        }
    }

    private Txn begin(@Nullable Txn parent, int flags) throws LmdbException {
        long scratch = nmemAllocChecked(SCRATCH);
        int code = LMDB.nmdb_txn_begin(address, parent == null ? NULL : parent.txn, flags, scratch);
        if (code != LMDB.MDB_SUCCESS) {
            nmemFree(scratch);
            throw failure(code);
        }
        return opened(new Txn(memGetAddress(scratch), scratch, parent, flags == LMDB.MDB_RDONLY));
    }

    private Txn opened(Txn txn) {
        synchronized (open) {
            open.add(txn);
        }
        return txn;
    }

    /** A read transaction that was reset, and its memory. */
    private record Resting(long txn, long scratch) {
        void release() {
            LMDB.nmdb_txn_abort(txn);
            nmemFree(scratch);
        }
    }

    /** One key and its value; the arrays are the caller's. */
    record Pair(byte[] key, byte[] value) {}

    /** A transaction. Its methods but {@link #use}, {@link #commit} and {@link #close} are for use inside {@link #use}. */
    final class Txn implements AutoCloseable {
        private final @Nullable Txn parent;
        private final boolean snapshot;
        private final Thread beganBy = Thread.currentThread();
        private final long scratch;
        private final ByteBuffer keyBytes;
        private final List<Cursor> cursors = new ArrayList<>();
        private final Map<Table, Cursor> shared = new HashMap<>();
        private final AtomicReference<@Nullable Thread> user = new AtomicReference<>();
        private final AtomicBoolean ended = new AtomicBoolean();
        private @Nullable Txn child;
        private long txn;

        private Txn(long txn, long scratch, @Nullable Txn parent, boolean snapshot) {
            this.txn = txn;
            this.scratch = scratch;
            this.parent = parent;
            this.snapshot = snapshot;
            keyBytes = memByteBuffer(scratch + 2 * VALUE, MOST_KEY_BYTES);
        }

        /** Does some reading or writing; returns soon and does not wait for others. */
        <R extends @Nullable Object> R use(Use<R> use) throws LmdbException, ProviderException {
            enter();
            try {
                if (txn == NULL) {
                    throw closed();
                }
                if (!user.compareAndSet(null, Thread.currentThread())) {
                    throw new IllegalStateException("a transaction is used by one thread at a time");
                }
                try {
                    return use.apply(this);
                } finally {
                    user.set(null);
                }
            } finally {
                leave();
            }
        }

        private void checkUsed() {
            if (txn == NULL || user.get() != Thread.currentThread()) {
                throw new IllegalStateException("a transaction is used only inside of use()");
            }
        }

        /** A copy of the value, or null. */
        byte @Nullable [] get(Table table, byte[] key) throws LmdbException {
            return has(table, key) ? copy(scratch + VALUE) : null;
        }

        boolean has(Table table, byte[] key) throws LmdbException {
            checkUsed();
            setKey(key);
            int code = LMDB.nmdb_get(txn, handles[table.ordinal()], scratch, scratch + VALUE);
            if (code == LMDB.MDB_NOTFOUND) {
                return false;
            }
            check(code);
            return true;
        }

        void put(Table table, byte[] key, byte[] value) throws LmdbException {
            checkUsed();
            setKey(key);
            memPutAddress(scratch + VALUE, value.length);
            memPutAddress(scratch + VALUE + Long.BYTES, scratch);
            int reserve = value.length == 0 ? 0 : LMDB.MDB_RESERVE;
            check(LMDB.nmdb_put(txn, handles[table.ordinal()], scratch, scratch + VALUE, reserve));
            if (value.length > 0) {
                memByteBuffer(memGetAddress(scratch + VALUE + Long.BYTES), value.length)
                        .put(0, value);
            }
        }

        /** False if it was not there. */
        boolean delete(Table table, byte[] key) throws LmdbException {
            checkUsed();
            setKey(key);
            int code = LMDB.nmdb_del(txn, handles[table.ordinal()], scratch, NULL);
            if (code == LMDB.MDB_NOTFOUND) {
                return false;
            }
            check(code);
            return true;
        }

        /** A cursor to be closed by the caller. */
        Cursor cursor(Table table) throws LmdbException {
            checkUsed();
            check(LMDB.nmdb_cursor_open(txn, handles[table.ordinal()], scratch));
            Cursor cursor = new Cursor(this, memGetAddress(scratch));
            cursors.add(cursor);
            return cursor;
        }

        /** The one cursor of a snapshot that everybody shares who seeks before reading; not to be closed. */
        Cursor sharedCursor(Table table) throws LmdbException {
            Cursor known = shared.get(table);
            if (known == null) {
                known = cursor(table);
                shared.put(table, known);
            }
            return known;
        }

        /** A transaction inside this one, which must rest until that one ends. */
        Txn child() throws LmdbException {
            checkUsed();
            Txn inner = begin(this, 0);
            child = inner;
            return inner;
        }

        private void setKey(byte[] key) {
            if (key.length == 0 || key.length > MOST_KEY_BYTES) {
                throw new IllegalArgumentException("a key has 1 to " + MOST_KEY_BYTES + " bytes, not " + key.length);
            }
            keyBytes.put(0, key);
            memPutAddress(scratch, key.length);
            memPutAddress(scratch + Long.BYTES, scratch + 2 * VALUE);
        }

        private byte[] copy(long value) throws LmdbException {
            long size = memGetAddress(value);
            if (size < 0 || size > Integer.MAX_VALUE - 8) {
                throw failure(LMDB.MDB_CORRUPTED);
            }
            byte[] bytes = new byte[(int) size];
            if (size > 0) {
                memByteBuffer(memGetAddress(value + Long.BYTES), (int) size).get(0, bytes);
            }
            return bytes;
        }

        /** Keeps the changes: on disk, or in the outer transaction. The transaction has ended, also when this throws. */
        void commit() throws LmdbException {
            if (ended.get()) {
                throw closed();
            }
            checkEnding();
            ended.set(true);
            enter();
            try {
                if (txn == NULL) {
                    throw closed();
                }
                long ending = txn;
                detach();
                nmemFree(scratch);
                check(LMDB.nmdb_txn_commit(ending));
            } finally {
                leave();
            }
        }

        /** Ends it without changes if it was not committed. */
        @Override
        public void close() {
            if (ended.get()) {
                return;
            }
            checkEnding();
            ended.set(true);
            life.readLock().lock();
            try {
                if (txn != NULL) {
                    long ending = txn;
                    detach();
                    if (snapshot) {
                        LMDB.nmdb_txn_reset(ending);
                        synchronized (open) {
                            idle.push(new Resting(ending, scratch));
                        }
                    } else {
                        LMDB.nmdb_txn_abort(ending);
                        nmemFree(scratch);
                    }
                }
            } finally {
                life.readLock().unlock();
                if (snapshot) {
                    readers.release();
                }
            }
        }

        /** The lock of LMDB's writer belongs to a thread. */
        private void checkEnding() {
            if (!snapshot && parent == null && Thread.currentThread() != beganBy) {
                throw new IllegalStateException("a transaction is ended by the thread that began it");
            }
            if (child != null) {
                throw new IllegalStateException("the inner transaction is not ended yet");
            }
            // Never given back, so nobody comes in while it ends.
            if (!user.compareAndSet(null, Thread.currentThread())) {
                throw new IllegalStateException("a transaction is not ended while it is used");
            }
        }

        private void detach() {
            cursors.forEach(Cursor::release);
            cursors.clear();
            shared.clear();
            txn = NULL;
            if (parent != null) {
                parent.child = null;
            }
            synchronized (open) {
                open.remove(this);
            }
        }

        /** With the environment, of which nothing native is in use. An inner transaction ends before the outer one. */
        private void release() {
            Txn inner = child;
            if (inner != null) {
                inner.release();
                child = null;
            }
            cursors.forEach(Cursor::release);
            if (txn != NULL) {
                LMDB.nmdb_txn_abort(txn);
                txn = NULL;
                nmemFree(scratch);
            }
        }
    }

    /** A place in a table. What it shows is a copy, so it does not matter what is changed meanwhile. */
    static final class Cursor implements AutoCloseable {
        private final Txn txn;
        private long cursor;

        private Cursor(Txn txn, long cursor) {
            this.txn = txn;
            this.cursor = cursor;
        }

        /** The first pair with that key or a greater one; null if there is none. */
        @Nullable
        Pair seek(byte[] key) throws LmdbException {
            txn.checkUsed();
            txn.setKey(key);
            return get(LMDB.MDB_SET_RANGE);
        }

        @Nullable
        Pair next() throws LmdbException {
            return get(LMDB.MDB_NEXT);
        }

        @Nullable
        Pair previous() throws LmdbException {
            return get(LMDB.MDB_PREV);
        }

        @Nullable
        Pair last() throws LmdbException {
            return get(LMDB.MDB_LAST);
        }

        /** As {@link #seek}, without the value. */
        byte @Nullable [] seekKey(byte[] key) throws LmdbException {
            txn.checkUsed();
            txn.setKey(key);
            return move(LMDB.MDB_SET_RANGE) ? txn.copy(txn.scratch) : null;
        }

        /** As {@link #next}, without the value. */
        byte @Nullable [] nextKey() throws LmdbException {
            return move(LMDB.MDB_NEXT) ? txn.copy(txn.scratch) : null;
        }

        private @Nullable Pair get(int operation) throws LmdbException {
            return move(operation) ? new Pair(txn.copy(txn.scratch), txn.copy(txn.scratch + VALUE)) : null;
        }

        private boolean move(int operation) throws LmdbException {
            txn.checkUsed();
            if (cursor == NULL) {
                throw new IllegalStateException("the cursor is closed");
            }
            int code = LMDB.nmdb_cursor_get(cursor, txn.scratch, txn.scratch + VALUE, operation);
            if (code == LMDB.MDB_NOTFOUND) {
                return false;
            }
            check(code);
            return true;
        }

        @Override
        public void close() {
            txn.checkUsed();
            txn.cursors.remove(this);
            release();
        }

        private void release() {
            if (cursor != NULL) {
                LMDB.nmdb_cursor_close(cursor);
                cursor = NULL;
            }
        }
    }
}
