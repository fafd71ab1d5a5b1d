package im.parley.storage.derby;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records in Derby. One transaction works at a time, on one connection, which makes any interleaving serial. Transactions
 * that wait for each other share one commit: who finds others waiting leaves its changes to be committed with theirs, and
 * nobody returns before what it wrote <em>or read</em> is on disk. A savepoint takes a failing transaction out of its
 * group.
 */
final class DerbyRecordStore implements RecordStore, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DerbyRecordStore.class);
    private static final int CLEARED_AT_ONCE = 1_000;

    /** What the witness counts for a space that is destroyed. */
    private static final long GONE = -1;

    private final DerbyDatabase database;
    private final Witness witness;
    private final String instance;
    private final int groupTransactions;

    private final ReentrantLock working = new ReentrantLock(true);
    /** Transactions that wait for {@link #working}: each of them will look after the commit of the group it finds. */
    private final AtomicInteger waiting = new AtomicInteger();

    // All guarded by working.
    private final Map<SpaceId, Known> spaces = new HashMap<>();
    private @Nullable Statements session;
    private @Nullable Group group;
    private boolean closed;

    private DerbyRecordStore(DerbyDatabase database, Witness witness, String instance, int groupTransactions) {
        this.database = database;
        this.witness = witness;
        this.instance = instance;
        this.groupTransactions = groupTransactions;
    }

    static DerbyRecordStore open(DerbyEngine engine, ProviderContext context, Tuning tuning, int groupTransactions)
            throws ProviderException {
        DerbyDatabase database = DerbyDatabase.open(engine, context, tuning, RecordTables.SCHEMA);
        Witness witness;
        try {
            witness = database.witness();
        } catch (ProviderException | RuntimeException e) {
            database.close();
            throw e;
        }
        DerbyRecordStore store = new DerbyRecordStore(database, witness, context.instance(), groupTransactions);
        try {
            store.clearDestroyed();
            database.ownedBy(store);
            return store;
        } catch (ProviderException | RuntimeException e) {
            store.close();
            throw e;
        }
    }

    @Override
    public void close() {
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
            forgetSession();
            database.close();
        } finally {
            working.unlock();
        }
    }

    @Override
    public Space open(SpaceId id) {
        return new DerbySpace(id);
    }

    // Groups

    /** Transactions that become durable together. */
    private static final class Group {
        private final CompletableFuture<Boolean> committed = new CompletableFuture<>();
        private int transactions;
        private @Nullable SpaceId lastChanged;
        private int lastDestroyed;

        /** Notes what a witness can see of it. */
        void changed(SpaceId space, int destroyed) {
            lastChanged = space;
            lastDestroyed = destroyed;
        }
    }

    /** A space as the session sees it, with what is not committed yet. */
    private record Known(int number, long commitSeq) {}

    private interface Job<R extends @Nullable Object> {
        R run(Statements statements) throws ProviderException, SQLException;
    }

    /** Runs a job when it is its turn, and returns when everything it saw and did is durable. */
    private <R extends @Nullable Object> R inTurn(Job<R> job) throws ProviderException {
        if (working.isHeldByCurrentThread()) {
            throw new IllegalStateException("called from inside a transaction of this store");
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
        Statements statements = session();
        try {
            return job.run(statements);
        } catch (SQLException e) {
            throw failed(statements, e);
        }
    }

    private static void await(Group group) throws ProviderException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    group.committed.get();
                    return;
                } catch (InterruptedException e) {
                    // Whether it is durable must be known; the caller sees the interrupt afterwards.
                    interrupted = true;
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof ProviderException failure) {
                        throw new ProviderException(failure.kind(), failure.code(), failure.getMessage());
                    }
                    throw new ProviderException(
                            Kind.INTERNAL,
                            "storage.internal",
                            "The store met a fault of its own and changed nothing; please report it.",
                            e);
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private Group dirty() {
        Group open = group;
        if (open == null) {
            open = new Group();
            group = open;
        }
        return open;
    }

    /** Commits and answers the group; never throws. */
    private void commit(Group open) {
        group = null;
        Statements statements = session;
        if (statements == null) {
            open.committed.completeExceptionally(Failures.closed());
            return;
        }
        SpaceId last = open.lastChanged;
        Known expected = last == null ? null : spaces.get(last);
        try {
            statements.connection().commit();
            if (expected != null) {
                witness.saw(expected.number(), expected.commitSeq());
            } else if (open.lastDestroyed > 0) {
                witness.saw(open.lastDestroyed, GONE);
            }
            open.committed.complete(true);
        } catch (SQLException e) {
            lose(statements, e);
            try {
                if (Failures.isFatal(e) && last != null && expected != null && isKept(last, expected)) {
                    LOG.warn("{} kept its last transactions although Derby failed: {}", instance, Failures.states(e));
                    open.committed.complete(true);
                } else {
                    open.committed.completeExceptionally(Failures.of(e));
                }
            } catch (ProviderException unknown) {
                open.committed.completeExceptionally(unknown);
            }
        }
    }

    /** Whether the log had a commit that failed is known only after a restart, which reads the log. */
    private boolean isKept(SpaceId id, Known expected) throws ProviderException {
        try {
            return expected.equals(known(session(), id));
        } catch (ProviderException e) {
            throw Failures.unknown(e);
        } catch (SQLException e) {
            throw Failures.unknown(Failures.of(e));
        }
    }

    // Sessions

    private Statements session() throws ProviderException {
        Statements current = session;
        if (current != null && database.isCurrent(current.epoch())) {
            return current;
        }
        forgetSession();
        Statements statements = new Statements(database.connect());
        try {
            // One connection at a time reads and writes, so row locks for reading would guard nothing.
            statements.connection().setTransactionIsolation(java.sql.Connection.TRANSACTION_READ_UNCOMMITTED);
            try (ResultSet meta = statements.get(RecordTables.META).executeQuery()) {
                meta.next();
                if (isBehind(statements, meta.getInt(1))) {
                    throw witness.lost();
                }
            }
        } catch (SQLException e) {
            statements.close();
            database.down(statements.epoch(), e);
            throw Failures.of(e);
        } catch (ProviderException e) {
            statements.close();
            throw e;
        }
        session = statements;
        return statements;
    }

    /** Whether the last space that was seen to change is not as far as it was then. */
    private boolean isBehind(Statements statements, int nextSpace) throws SQLException {
        Witness.Seen seen = witness.last();
        if (seen == null) {
            return false;
        }
        PreparedStatement statement = statements.get(RecordTables.SPACE_BY_NUMBER);
        statement.setInt(1, (int) seen.what());
        try (ResultSet rows = statement.executeQuery()) {
            if (rows.next()) {
                return seen.count() == GONE || rows.getLong(1) < seen.count();
            }
            // Numbers are not used again: it was destroyed later, or never made.
            return nextSpace <= seen.what();
        }
    }

    private void forgetSession() {
        witness.close();
        spaces.clear();
        Statements current = session;
        if (current != null) {
            session = null;
            current.close();
        }
    }

    private void lose(Statements statements, SQLException why) {
        forgetSession();
        if (Failures.isFatal(why)) {
            database.down(statements.epoch(), why);
        } else if (Failures.isReadOnly(why)) {
            database.readOnly(statements.epoch(), why);
        }
    }

    /** After an error of Derby: what is gone with it fails, what is not goes on. */
    private ProviderException failed(Statements statements, SQLException e) {
        ProviderException failure = Failures.of(e);
        if (Failures.endedTransaction(e) || Failures.isReadOnly(e)) {
            Group open = group;
            group = null;
            lose(statements, e);
            if (open != null) {
                open.committed.completeExceptionally(failure);
            }
        }
        return failure;
    }

    // Spaces

    private @Nullable Known known(Statements statements, SpaceId id) throws SQLException {
        Known known = spaces.get(id);
        if (known == null) {
            PreparedStatement statement = statements.get(RecordTables.SPACE);
            statement.setString(1, id.value());
            try (ResultSet rows = statement.executeQuery()) {
                if (rows.next()) {
                    known = new Known(rows.getInt(1), rows.getLong(2));
                    spaces.put(id, known);
                }
            }
        }
        return known;
    }

    private Known knownOrNew(Statements statements, SpaceId id) throws SQLException {
        Known known = known(statements, id);
        if (known != null) {
            return known;
        }
        int number;
        try (ResultSet meta = statements.get(RecordTables.META).executeQuery()) {
            meta.next();
            number = meta.getInt(1);
        }
        statements.get(RecordTables.NEXT_SPACE).executeUpdate();
        PreparedStatement add = statements.get(RecordTables.ADD_SPACE);
        add.setInt(1, number);
        add.setString(2, id.value());
        add.executeUpdate();
        Known added = new Known(number, 0);
        spaces.put(id, added);
        return added;
    }

    @Override
    public void destroy(SpaceId id) throws ProviderException {
        // Gone in one small transaction; its records, which nothing names any more, are cleared away afterwards.
        boolean found = inTurn(statements -> {
            Known known = known(statements, id);
            if (known == null) {
                return false;
            }
            dirty().changed(id, known.number());
            spaces.remove(id);
            execute(statements, RecordTables.ADD_DESTROYED, known.number());
            execute(statements, RecordTables.DROP_SPACE, known.number());
            return true;
        });
        if (found) {
            clearDestroyed();
        }
    }

    private void clearDestroyed() throws ProviderException {
        List<Integer> numbers = inTurn(statements -> {
            List<Integer> destroyed = new ArrayList<>();
            try (ResultSet rows = statements.get(RecordTables.DESTROYED).executeQuery()) {
                while (rows.next()) {
                    destroyed.add(rows.getInt(1));
                }
            }
            return destroyed;
        });
        for (int number : numbers) {
            boolean more = true;
            while (more) {
                more = inTurn(statements -> clearSome(statements, number));
            }
        }
    }

    /** In portions, so that a large space neither fills the log at once nor holds up the others. */
    private boolean clearSome(Statements statements, int number) throws SQLException {
        PreparedStatement keys = statements.get(RecordTables.KEYS);
        keys.setInt(1, number);
        keys.setInt(2, CLEARED_AT_ONCE);
        byte[] last = null;
        try (ResultSet rows = keys.executeQuery()) {
            while (rows.next()) {
                last = rows.getBytes(1);
            }
        }
        dirty();
        if (last == null) {
            execute(statements, RecordTables.DROP_DESTROYED, number);
            return false;
        }
        PreparedStatement delete = statements.get(RecordTables.DELETE_UP_TO);
        delete.setInt(1, number);
        delete.setBytes(2, last);
        delete.executeUpdate();
        return true;
    }

    private static void execute(Statements statements, String sql, int number) throws SQLException {
        PreparedStatement statement = statements.get(sql);
        statement.setInt(1, number);
        statement.executeUpdate();
    }

    @Override
    public List<SpaceId> spaces() throws ProviderException {
        return inTurn(statements -> {
            List<SpaceId> found = new ArrayList<>();
            try (ResultSet rows = statements.get(RecordTables.SPACES).executeQuery()) {
                while (rows.next()) {
                    found.add(new SpaceId(rows.getString(1)));
                }
            }
            found.sort(Comparator.comparing(SpaceId::value));
            return List.copyOf(found);
        });
    }

    private final class DerbySpace implements Space {
        private final SpaceId id;

        DerbySpace(SpaceId id) {
            this.id = id;
        }

        @Override
        public <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException {
            return inTurn(statements -> {
                DerbyTransaction transaction = new DerbyTransaction(statements, id);
                boolean done = false;
                try {
                    R result = work.run(transaction);
                    transaction.finish();
                    done = true;
                    return result;
                } finally {
                    transaction.end();
                    if (!done) {
                        transaction.undo();
                    }
                }
            });
        }

        @Override
        public long commitSeq() throws ProviderException {
            return inTurn(statements -> {
                Known known = known(statements, id);
                return known == null ? 0L : known.commitSeq();
            });
        }
    }

    private final class DerbyTransaction implements Space.Transaction {
        private final Thread owner = Thread.currentThread();
        private final Statements statements;
        private final SpaceId id;
        private @Nullable Savepoint start;
        private @Nullable ProviderException failure;
        private boolean ended;

        DerbyTransaction(Statements statements, SpaceId id) {
            this.statements = statements;
            this.id = id;
        }

        /** Counts the transaction if it changed something. */
        void finish() throws SQLException, ProviderException {
            if (failure != null) {
                // The work swallowed it; what it wrote before is not the whole.
                throw failure;
            }
            Savepoint savepoint = start;
            if (savepoint == null) {
                return;
            }
            Known known = knownOrNew(statements, id);
            Known next = new Known(known.number(), known.commitSeq() + 1);
            PreparedStatement statement = statements.get(RecordTables.SET_SEQ);
            statement.setLong(1, next.commitSeq());
            statement.setInt(2, next.number());
            statement.executeUpdate();
            statements.connection().releaseSavepoint(savepoint);
            start = null;
            spaces.put(id, next);
            dirty().changed(id, 0);
        }

        void end() {
            ended = true;
        }

        /** Takes back what it wrote, and nothing of the others in its group. */
        void undo() {
            Savepoint savepoint = start;
            if (savepoint == null || session != statements) {
                return;
            }
            start = null;
            spaces.remove(id);
            try {
                statements.connection().rollback(savepoint);
            } catch (SQLException e) {
                // Then nothing of this connection can be trusted.
                Group open = group;
                group = null;
                lose(statements, e);
                if (open != null) {
                    open.committed.completeExceptionally(Failures.of(e));
                }
            }
        }

        @Override
        public byte @Nullable [] get(byte[] key) throws ProviderException {
            checkUsable();
            byte[] name = RecordKeys.encode(key);
            try {
                Known known = known(statements, id);
                if (known == null) {
                    return null;
                }
                PreparedStatement statement = statements.get(RecordTables.GET);
                statement.setInt(1, known.number());
                statement.setBytes(2, name);
                try (ResultSet rows = statement.executeQuery()) {
                    return rows.next() ? content(rows, 1) : null;
                }
            } catch (SQLException e) {
                throw broken(e);
            }
        }

        @Override
        public void put(byte[] key, byte[] value) throws ProviderException {
            checkUsable();
            byte[] name = RecordKeys.encode(key);
            if (value.length > Space.MAX_VALUE_BYTES) {
                throw new IllegalArgumentException(
                        "a value has at most " + Space.MAX_VALUE_BYTES + " bytes, not " + value.length);
            }
            try {
                begin();
                Known known = knownOrNew(statements, id);
                if (write(RecordTables.UPDATE, known.number(), name, value) == 0) {
                    write(RecordTables.INSERT, known.number(), name, value);
                }
            } catch (SQLException e) {
                throw broken(e);
            }
        }

        private int write(String sql, int space, byte[] name, byte[] value) throws SQLException {
            PreparedStatement statement = statements.get(sql);
            if (value.length <= RecordTables.INLINE_BYTES) {
                statement.setBytes(1, value);
                statement.setNull(2, Types.BLOB);
            } else {
                statement.setNull(1, Types.VARBINARY);
                statement.setBytes(2, value);
            }
            statement.setInt(3, space);
            statement.setBytes(4, name);
            return statement.executeUpdate();
        }

        @Override
        public void delete(byte[] key) throws ProviderException {
            checkUsable();
            byte[] name = RecordKeys.encode(key);
            try {
                Known known = known(statements, id);
                if (known == null) {
                    return;
                }
                boolean first = start == null;
                begin();
                PreparedStatement statement = statements.get(RecordTables.DELETE);
                statement.setInt(1, known.number());
                statement.setBytes(2, name);
                if (statement.executeUpdate() == 0 && first) {
                    statements.connection().releaseSavepoint(savepoint());
                    start = null;
                }
            } catch (SQLException e) {
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
                Known known = known(statements, id);
                if (known == null) {
                    return List.of();
                }
                PreparedStatement statement = statements.get(RecordTables.range(reverse, to != null));
                int parameter = 1;
                statement.setInt(parameter++, known.number());
                statement.setBytes(parameter++, RecordKeys.bound(from));
                if (to != null) {
                    statement.setBytes(parameter++, RecordKeys.bound(to));
                }
                statement.setInt(parameter, limit);
                List<Space.Entry> entries = new ArrayList<>();
                try (ResultSet rows = statement.executeQuery()) {
                    while (rows.next()) {
                        entries.add(new Space.Entry(RecordKeys.decode(rows.getBytes(1)), content(rows, 2)));
                    }
                }
                return List.copyOf(entries);
            } catch (SQLException e) {
                throw broken(e);
            }
        }

        private static byte[] content(ResultSet rows, int column) throws SQLException {
            byte @Nullable [] small = rows.getBytes(column);
            return small != null ? small : rows.getBytes(column + 1);
        }

        private void begin() throws SQLException, ProviderException {
            if (start == null) {
                database.checkRoom();
                start = statements.connection().setSavepoint();
            }
        }

        private Savepoint savepoint() {
            return java.util.Objects.requireNonNull(start);
        }

        private ProviderException broken(SQLException e) {
            ProviderException mapped = failed(statements, e);
            failure = mapped;
            return mapped;
        }

        private void checkUsable() throws ProviderException {
            if (ended || Thread.currentThread() != owner) {
                throw new IllegalStateException("a transaction is used only by its own work, on its own thread");
            }
            if (failure != null) {
                throw new ProviderException(failure.kind(), failure.code(), failure.getMessage());
            }
        }
    }
}
