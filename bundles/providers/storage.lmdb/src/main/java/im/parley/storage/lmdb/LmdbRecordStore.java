package im.parley.storage.lmdb;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.cipher.HmacSha256;
import im.parley.storage.lmdb.Environment.Cursor;
import im.parley.storage.lmdb.Environment.Pair;
import im.parley.storage.lmdb.Environment.Txn;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records in LMDB. One transaction works at a time, which makes any interleaving serial. Transactions that wait for each other
 * share one commit: who finds others waiting leaves its changes to be committed with theirs, and nobody returns before what
 * it wrote <em>or read</em> is on disk. A transaction inside LMDB's takes a failing one out of its group.
 *
 * <p>Work runs on its caller's thread, but LMDB's lock of the writer belongs to the thread that took it: so a group is begun
 * and committed by a thread of the store, and worked on by its callers one after the other. A transaction that only reads,
 * and finds no group open, reads a snapshot and needs neither.
 */
final class LmdbRecordStore implements RecordStore, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LmdbRecordStore.class);
    private static final int CLEARED_AT_ONCE = 1_000;
    private static final int NAME_HASH = 16;
    private static final byte[] NEXT = Database.ascii("next-space");

    private final LmdbEngine engine;
    private final Database database;
    private final Seal seal;
    private final byte[] nameKey;
    private final String instance;
    private final int groupTransactions;
    private final ExecutorService writer;
    private final Runnable closing = this::close;

    private final ReentrantLock working = new ReentrantLock(true);
    /** Transactions that wait for {@link #working}: each of them will look after the commit of the group it finds. */
    private final AtomicInteger waiting = new AtomicInteger();

    // All guarded by working.
    private final Map<SpaceId, Known> spaces = new HashMap<>();
    private @Nullable Environment current;
    private @Nullable Group group;
    private boolean closed;

    private LmdbRecordStore(LmdbEngine engine, Database database, String instance, int groupTransactions) {
        this.engine = engine;
        this.database = database;
        this.instance = instance;
        this.groupTransactions = groupTransactions;
        seal = database.seal();
        nameKey = database.indexKey();
        writer = Executors.newSingleThreadExecutor(task -> {
            Thread thread = new Thread(task, "parley-records-writer " + instance);
            thread.setDaemon(true);
            return thread;
        });
    }

    static LmdbRecordStore open(LmdbEngine engine, ProviderContext context, long mapBytes, int groupTransactions)
            throws ProviderException {
        Database database = Database.open(engine, context, mapBytes, RecordTable.values(), RecordTable.FORMAT);
        LmdbRecordStore store = new LmdbRecordStore(engine, database, context.instance(), groupTransactions);
        try {
            store.clearDestroyed();
            engine.opened(store.closing);
            return store;
        } catch (ProviderException | RuntimeException | Error e) {
            store.close();
            throw e;
        }
    }

    /** For tests that take its environment away. */
    Database database() {
        return database;
    }

    @Override
    public void close() {
        if (working.isHeldByCurrentThread()) {
            throw insideTransaction();
        }
        working.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            Group open = group;
            if (open != null) {
                commit(open);
            }
            writer.shutdown();
            database.close();
            Arrays.fill(nameKey, (byte) 0);
        } finally {
            working.unlock();
        }
        engine.closed(closing);
    }

    @Override
    public Space open(SpaceId id) {
        return new LmdbSpace(id);
    }

    @Override
    public List<SpaceId> spaces() throws ProviderException {
        return committed(txn -> {
            List<SpaceId> found = new ArrayList<>();
            Cursor cursor = txn.sharedCursor(RecordTable.SPACE);
            for (Pair pair = cursor.seek(new byte[1]); pair != null; pair = cursor.next()) {
                found.add(known(pair.key(), pair.value()).id());
            }
            found.sort(Comparator.comparing(SpaceId::value));
            return List.copyOf(found);
        });
    }

    private <R extends @Nullable Object> R committed(Environment.Use<R> use) throws ProviderException {
        if (working.isHeldByCurrentThread()) {
            throw insideTransaction();
        }
        return look(use);
    }

    private <R extends @Nullable Object> R look(Environment.Use<R> use) throws ProviderException {
        Environment environment = database.environment();
        try {
            return environment.read(use);
        } catch (LmdbException e) {
            throw database.failure(environment, e);
        }
    }

    private static IllegalStateException insideTransaction() {
        return new IllegalStateException("called from inside a transaction of this store");
    }

    // Groups

    /** Transactions that become durable together. */
    private static final class Group {
        private final Environment environment;
        private final Txn txn;
        private final CompletableFuture<Boolean> committed = new CompletableFuture<>();
        private int transactions;
        private @Nullable SpaceId lastChanged;

        Group(Environment environment, Txn txn) {
            this.environment = environment;
            this.txn = txn;
        }
    }

    /** A space as the group sees it, with what is not committed yet. */
    private record Known(SpaceId id, int number, long commitSeq) {}

    private interface Job<R extends @Nullable Object> {
        R run(Turn turn) throws LmdbException, ProviderException;
    }

    /** Runs a job when it is its turn, and returns when everything it saw and did is durable. */
    private <R extends @Nullable Object> R inTurn(Job<R> job) throws ProviderException {
        if (working.isHeldByCurrentThread()) {
            throw insideTransaction();
        }
        Group joined = null;
        R result;
        waiting.incrementAndGet();
        working.lock();
        try {
            waiting.decrementAndGet();
            try {
                result = run(job);
            } finally {
                Group open = group;
                if (open != null) {
                    joined = open;
                    open.transactions++;
                    if (waiting.get() == 0 || open.transactions >= groupTransactions || closed) {
                        commit(open);
                    }
                }
            }
        } finally {
            working.unlock();
        }
        if (joined != null) {
            await(joined);
        }
        return result;
    }

    private <R extends @Nullable Object> R run(Job<R> job) throws ProviderException {
        if (closed) {
            throw Failures.closed();
        }
        Environment environment = database.environment();
        if (environment != current) {
            forgetGroup(Failures.lost());
            current = environment;
        }
        try (Turn turn = new Turn(environment)) {
            return job.run(turn);
        } catch (LmdbException e) {
            throw failed(environment, e);
        }
    }

    private static void await(Group group) throws ProviderException {
        try {
            result(group.committed);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ProviderException failure) {
                throw Failures.again(failure);
            }
            throw new ProviderException(
                    Kind.INTERNAL,
                    "storage.internal",
                    "The store met a fault of its own and changed nothing; please report it.",
                    e);
        }
    }

    /** Waits, also when interrupted: what became of it must be known. The caller sees the interrupt afterwards. */
    private static <R extends @Nullable Object> R result(Future<R> future) throws ExecutionException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return future.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Runs on the thread that holds LMDB's lock of the writer. */
    private <R extends @Nullable Object> R onWriter(Callable<R> call) throws LmdbException {
        try {
            return result(writer.submit(call));
        } catch (ExecutionException e) {
            if (e.getCause() instanceof LmdbException failure) {
                throw failure;
            }
            throw new IllegalStateException("the writer met a fault of its own", e);
        }
    }

    /** The open group, a new one if there is none. */
    private Group group(Environment environment) throws LmdbException {
        Group open = group;
        if (open == null) {
            open = new Group(environment, onWriter(environment::write));
            group = open;
        }
        return open;
    }

    /** Commits and answers the group; never throws. */
    private void commit(Group open) {
        group = null;
        SpaceId last = open.lastChanged;
        Known expected = last == null ? null : spaces.get(last);
        try {
            onWriter(() -> {
                open.txn.commit();
                return true;
            });
            open.committed.complete(true);
        } catch (LmdbException e) {
            spaces.clear();
            try {
                if (last != null && expected != null && isKept(open.environment, last, expected)) {
                    LOG.warn("{} kept its last transactions although LMDB failed: {}", instance, e.getMessage());
                    open.committed.complete(true);
                } else {
                    open.committed.completeExceptionally(database.failure(open.environment, e));
                }
            } catch (ProviderException unknown) {
                open.committed.completeExceptionally(unknown);
            }
        } catch (RuntimeException | Error e) {
            spaces.clear();
            LOG.error("{} met a fault of its own while committing", instance, e);
            open.committed.completeExceptionally(e);
        }
    }

    /** After a commit that failed while the root was being written, what is on disk is known when it was opened again. */
    private boolean isKept(Environment environment, SpaceId id, Known expected) throws ProviderException {
        try {
            onWriter(() -> {
                environment.write().close();
                return true;
            });
            return false;
        } catch (LmdbException e) {
            database.lose(environment);
        }
        try {
            return look(txn -> expected.equals(known(txn, id)));
        } catch (ProviderException why) {
            throw Failures.unknown(why);
        }
    }

    private ProviderException failed(Environment environment, LmdbException e) {
        ProviderException failure = database.failure(environment, e);
        if (!database.isCurrent(environment)) {
            forgetGroup(failure);
        }
        return failure;
    }

    /** What was not committed is gone with the environment. */
    private void forgetGroup(ProviderException why) {
        spaces.clear();
        Group open = group;
        group = null;
        if (open != null) {
            open.committed.completeExceptionally(why);
        }
    }

    /** One transaction's part in a group, or a look at what is committed. */
    private final class Turn implements AutoCloseable {
        private final Environment environment;
        private @Nullable Txn snapshot;
        private @Nullable Txn inner;

        Turn(Environment environment) {
            this.environment = environment;
        }

        <R extends @Nullable Object> R read(Environment.Use<R> use) throws LmdbException, ProviderException {
            Txn txn = inner;
            if (txn == null && group != null) {
                txn = group.txn;
            }
            if (txn == null) {
                txn = snapshot;
            }
            if (txn == null) {
                txn = environment.snapshot();
                snapshot = txn;
            }
            return txn.use(use);
        }

        <R extends @Nullable Object> R write(Environment.Use<R> use) throws LmdbException, ProviderException {
            Txn txn = inner;
            if (txn == null) {
                // Nobody else writes meanwhile, so the group begins with what the snapshot showed.
                txn = group(environment).txn.use(Txn::child);
                inner = txn;
            }
            return txn.use(use);
        }

        /** @param changed the space whose count tells later whether this is on disk; null if none does */
        void keep(@Nullable SpaceId changed) throws LmdbException {
            Txn txn = inner;
            if (txn != null) {
                inner = null;
                txn.commit();
                group(environment).lastChanged = changed;
            }
        }

        @Override
        public void close() {
            Txn open = inner;
            if (open != null) {
                open.close();
            }
            open = snapshot;
            if (open != null) {
                open.close();
            }
        }
    }

    // Spaces

    private byte[] nameHash(SpaceId id) {
        return Arrays.copyOf(HmacSha256.mac(nameKey, id.value().getBytes(StandardCharsets.UTF_8)), NAME_HASH);
    }

    private @Nullable Known known(Txn txn, SpaceId id) throws LmdbException, ProviderException {
        byte[] hash = nameHash(id);
        byte[] row = txn.get(RecordTable.SPACE, hash);
        return row == null ? null : known(hash, row);
    }

    private Known known(byte[] hash, byte[] row) throws ProviderException {
        byte[] plain = seal.open(hash, row);
        if (plain == null || plain.length <= Integer.BYTES + Long.BYTES) {
            throw Failures.corrupt("a space that does not open");
        }
        ByteBuffer content = ByteBuffer.wrap(plain);
        int number = content.getInt();
        long commitSeq = content.getLong();
        try {
            return new Known(new SpaceId(StandardCharsets.UTF_8.decode(content).toString()), number, commitSeq);
        } catch (IllegalArgumentException e) {
            throw Failures.corrupt("a space without a name");
        }
    }

    private @Nullable Known known(Turn turn, SpaceId id) throws LmdbException, ProviderException {
        if (!spaces.containsKey(id)) {
            turn.read(txn -> {
                Known found = known(txn, id);
                if (found != null) {
                    spaces.put(id, found);
                }
                return true;
            });
        }
        return spaces.get(id);
    }

    private Known knownOrNew(Turn turn, SpaceId id) throws LmdbException, ProviderException {
        Known known = known(turn, id);
        if (known != null) {
            return known;
        }
        return turn.write(txn -> {
            byte[] next = txn.get(RecordTable.META, NEXT);
            int number = next == null ? 1 : ByteBuffer.wrap(next).getInt();
            txn.put(RecordTable.META, NEXT, Database.number(number + 1));
            Known added = new Known(id, number, 0);
            spaces.put(id, added);
            return added;
        });
    }

    private void write(Txn txn, Known known) throws LmdbException {
        byte[] hash = nameHash(known.id());
        byte[] name = known.id().value().getBytes(StandardCharsets.UTF_8);
        byte[] content = ByteBuffer.allocate(Integer.BYTES + Long.BYTES + name.length)
                .putInt(known.number())
                .putLong(known.commitSeq())
                .put(name)
                .array();
        txn.put(RecordTable.SPACE, hash, seal.seal(hash, content));
    }

    @Override
    public void destroy(SpaceId id) throws ProviderException {
        // Gone in one small transaction; its records, which nothing names any more, are cleared away afterwards.
        boolean found = inTurn(turn -> {
            Known known = known(turn, id);
            if (known == null) {
                return false;
            }
            spaces.remove(id);
            turn.write(txn -> {
                txn.put(RecordTable.DESTROYED, Database.number(known.number()), new byte[0]);
                return txn.delete(RecordTable.SPACE, nameHash(id));
            });
            turn.keep(null);
            return true;
        });
        if (found) {
            clearDestroyed();
        }
    }

    private void clearDestroyed() throws ProviderException {
        List<Integer> numbers = inTurn(turn -> turn.read(txn -> {
            List<Integer> destroyed = new ArrayList<>();
            try (Cursor cursor = txn.cursor(RecordTable.DESTROYED)) {
                for (byte[] key = cursor.seekKey(new byte[1]); key != null; key = cursor.nextKey()) {
                    destroyed.add(ByteBuffer.wrap(key).getInt());
                }
            }
            return destroyed;
        }));
        for (int number : numbers) {
            boolean more = true;
            while (more) {
                more = inTurn(turn -> clearSome(turn, Database.number(number)));
            }
        }
    }

    /** In portions, so that a large space does not hold up the others. */
    private static boolean clearSome(Turn turn, byte[] number) throws LmdbException, ProviderException {
        boolean more = turn.write(txn -> {
            List<byte[]> keys = new ArrayList<>();
            try (Cursor cursor = txn.cursor(RecordTable.RECORD)) {
                for (byte[] key = cursor.seekKey(number);
                        key != null && EventKeys.startsWith(key, number) && keys.size() < CLEARED_AT_ONCE;
                        key = cursor.nextKey()) {
                    keys.add(key);
                }
            }
            for (byte[] key : keys) {
                txn.delete(RecordTable.RECORD, key);
            }
            if (keys.isEmpty()) {
                txn.delete(RecordTable.DESTROYED, number);
            }
            return !keys.isEmpty();
        });
        turn.keep(null);
        return more;
    }

    private final class LmdbSpace implements Space {
        private final SpaceId id;

        LmdbSpace(SpaceId id) {
            this.id = id;
        }

        @Override
        public <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException {
            return inTurn(turn -> {
                LmdbTransaction transaction = new LmdbTransaction(turn, id);
                boolean done = false;
                try {
                    R result = work.run(transaction);
                    transaction.finish();
                    done = true;
                    return result;
                } finally {
                    transaction.end();
                    if (!done) {
                        // What it added or counted goes with its part of the group.
                        spaces.remove(id);
                    }
                }
            });
        }

        @Override
        public long commitSeq() throws ProviderException {
            return committed(txn -> {
                Known known = known(txn, id);
                return known == null ? 0L : known.commitSeq();
            });
        }
    }

    private final class LmdbTransaction implements Space.Transaction {
        private final Thread owner = Thread.currentThread();
        private final Turn turn;
        private final SpaceId id;
        private @Nullable ProviderException failure;
        private boolean changed;
        private boolean ended;

        LmdbTransaction(Turn turn, SpaceId id) {
            this.turn = turn;
            this.id = id;
        }

        void finish() throws LmdbException, ProviderException {
            ProviderException swallowed = failure;
            if (swallowed != null) {
                // The work swallowed it; what it wrote before is not the whole.
                throw Failures.again(swallowed);
            }
            if (changed) {
                Known known = knownOrNew(turn, id);
                Known next = new Known(id, known.number(), known.commitSeq() + 1);
                turn.write(txn -> {
                    write(txn, next);
                    return true;
                });
                turn.keep(id);
                spaces.put(id, next);
            }
        }

        void end() {
            ended = true;
        }

        private static byte[] checked(byte[] key) {
            if (key.length < 1 || key.length > Space.MAX_KEY_BYTES) {
                throw new IllegalArgumentException(
                        "a key has 1 to " + Space.MAX_KEY_BYTES + " bytes, not " + key.length);
            }
            return key;
        }

        private static byte[] place(Known known, byte[] key) {
            return EventKeys.join(Database.number(known.number()), key);
        }

        @Override
        public byte @Nullable [] get(byte[] key) throws ProviderException {
            checkUsable();
            checked(key);
            try {
                Known known = known(turn, id);
                if (known == null) {
                    return null;
                }
                byte[] place = place(known, key);
                Optional<byte[]> value = turn.read(txn -> Optional.ofNullable(txn.get(RecordTable.RECORD, place)));
                return value.isEmpty() ? null : open(place, value.get());
            } catch (LmdbException e) {
                throw broken(e);
            }
        }

        private byte[] open(byte[] place, byte[] value) throws ProviderException {
            byte[] plain = seal.open(place, value);
            if (plain == null) {
                throw Failures.corrupt("a record that does not open");
            }
            return plain;
        }

        @Override
        public void put(byte[] key, byte[] value) throws ProviderException {
            checkUsable();
            checked(key);
            if (value.length > Space.MAX_VALUE_BYTES) {
                throw new IllegalArgumentException(
                        "a value has at most " + Space.MAX_VALUE_BYTES + " bytes, not " + value.length);
            }
            try {
                byte[] place = place(knownOrNew(turn, id), key);
                byte[] sealed = seal.seal(place, value);
                turn.write(txn -> {
                    txn.put(RecordTable.RECORD, place, sealed);
                    return true;
                });
                changed = true;
            } catch (LmdbException e) {
                throw broken(e);
            }
        }

        @Override
        public void delete(byte[] key) throws ProviderException {
            checkUsable();
            checked(key);
            try {
                Known known = known(turn, id);
                if (known == null) {
                    return;
                }
                byte[] place = place(known, key);
                if (turn.read(txn -> txn.has(RecordTable.RECORD, place))) {
                    turn.write(txn -> txn.delete(RecordTable.RECORD, place));
                    changed = true;
                }
            } catch (LmdbException e) {
                throw broken(e);
            }
        }

        @Override
        public List<Space.Entry> range(byte[] from, byte @Nullable [] to, boolean reverse, int limit)
                throws ProviderException {
            checkUsable();
            if (limit < 1) {
                throw new IllegalArgumentException("a range takes 1 record or more");
            }
            if (to != null && Arrays.compareUnsigned(from, to) >= 0) {
                return List.of();
            }
            try {
                Known known = known(turn, id);
                if (known == null) {
                    return List.of();
                }
                byte[] first = bound(known, from);
                byte[] end = to == null ? Database.number(known.number() + 1) : bound(known, to);
                return turn.read(txn -> reverse ? backwards(txn, first, end, limit) : forwards(txn, first, end, limit));
            } catch (LmdbException e) {
                throw broken(e);
            }
        }

        /** A bound may be empty or longer than any key. */
        private static byte[] bound(Known known, byte[] bound) {
            // Beyond a key's length only one thing matters: the bound is greater than the key it begins with.
            return place(
                    known, bound.length <= Space.MAX_KEY_BYTES ? bound : Arrays.copyOf(bound, Space.MAX_KEY_BYTES + 1));
        }

        private List<Space.Entry> forwards(Txn txn, byte[] first, byte[] end, int limit)
                throws LmdbException, ProviderException {
            List<Space.Entry> entries = new ArrayList<>();
            try (Cursor cursor = txn.cursor(RecordTable.RECORD)) {
                for (Pair pair = cursor.seek(first);
                        pair != null && Arrays.compareUnsigned(pair.key(), end) < 0;
                        pair = entries.size() < limit ? cursor.next() : null) {
                    entries.add(entry(pair));
                }
            }
            return List.copyOf(entries);
        }

        private List<Space.Entry> backwards(Txn txn, byte[] first, byte[] end, int limit)
                throws LmdbException, ProviderException {
            List<Space.Entry> entries = new ArrayList<>();
            try (Cursor cursor = txn.cursor(RecordTable.RECORD)) {
                for (Pair pair = cursor.seekKey(end) == null ? cursor.last() : cursor.previous();
                        pair != null && Arrays.compareUnsigned(pair.key(), first) >= 0;
                        pair = entries.size() < limit ? cursor.previous() : null) {
                    entries.add(entry(pair));
                }
            }
            return List.copyOf(entries);
        }

        private Space.Entry entry(Pair pair) throws ProviderException {
            byte[] key = Arrays.copyOfRange(pair.key(), Integer.BYTES, pair.key().length);
            return new Space.Entry(key, open(pair.key(), pair.value()));
        }

        private ProviderException broken(LmdbException e) {
            ProviderException mapped = failed(turn.environment, e);
            failure = mapped;
            return mapped;
        }

        private void checkUsable() throws ProviderException {
            if (ended || Thread.currentThread() != owner) {
                throw new IllegalStateException("a transaction is used only by its own work, on its own thread");
            }
            if (failure != null) {
                throw Failures.again(failure);
            }
        }
    }
}
