package im.parley.storage.derby;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Tombstone;
import im.parley.protocol.Address;
import im.parley.protocol.Kinds;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Events in Derby.
 *
 * <p>One writer thread takes every batch that waits and writes them in one transaction with one sync of the log. Readers
 * have a few connections of their own; they read pages while the writer is not writing, and hold nothing while a visitor
 * runs. After an error that cost Derby its database the next call starts it again.
 */
final class DerbyEventStore implements EventStore, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DerbyEventStore.class);
    private static final int MOST_ITEMS = 10_000;
    private final DerbyDatabase database;
    private final Witness witness;
    private final String instance;
    private final EventCodec codec;
    private final int groupItems;

    /** Pages are read under the read lock, transactions are written under the write lock; fair, so that neither starves. */
    private final ReentrantReadWriteLock pages = new ReentrantReadWriteLock(true);

    /** Nothing is added after the request to stop: additions and closing are guarded by the queue itself. */
    private final LinkedBlockingQueue<Request> queue = new LinkedBlockingQueue<>();

    private final Thread writerThread;
    private final Semaphore readerPermits;
    private final ArrayDeque<Statements> idleReaders = new ArrayDeque<>();
    private final Set<EventQuery> running = ConcurrentHashMap.newKeySet();
    private final Set<Long> damaged = ConcurrentHashMap.newKeySet();

    // Guarded by the write lock; readers see them under the read lock.
    private @Nullable Statements writer;
    private long nextPosition;
    private long lastCommitted;
    private long commits;

    private volatile boolean closed;

    private DerbyEventStore(
            DerbyDatabase database, Witness witness, String instance, EventCodec codec, int groupItems, int readers) {
        this.database = database;
        this.witness = witness;
        this.instance = instance;
        this.codec = codec;
        this.groupItems = groupItems;
        readerPermits = new Semaphore(readers, true);
        writerThread = new Thread(this::writeUntilStopped, "parley-events-writer " + instance);
        writerThread.setDaemon(true);
    }

    static DerbyEventStore open(DerbyEngine engine, ProviderContext context, Tuning tuning, int groupItems, int readers)
            throws ProviderException {
        DerbyDatabase database = DerbyDatabase.open(engine, context, tuning, EventTables.SCHEMA);
        try {
            byte[] key = database.key();
            EventCodec codec = new EventCodec(key);
            Arrays.fill(key, (byte) 0);
            Witness witness = database.witness();
            DerbyEventStore store =
                    new DerbyEventStore(database, witness, context.instance(), codec, groupItems, readers);
            store.pages.writeLock().lock();
            try {
                store.writer();
                store.read(DerbyEventStore::openFiles);
            } catch (ProviderException | RuntimeException e) {
                witness.close();
                throw e;
            } finally {
                store.pages.writeLock().unlock();
            }
            store.writerThread.start();
            database.ownedBy(store);
            return store;
        } catch (ProviderException | RuntimeException e) {
            database.close();
            throw e;
        }
    }

    @Override
    public void close() {
        synchronized (queue) {
            if (closed) {
                return;
            }
            closed = true;
            queue.add(Request.stop());
        }
        boolean interrupted = false;
        while (true) {
            try {
                writerThread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        pages.writeLock().lock();
        try {
            forgetWriter();
            synchronized (idleReaders) {
                idleReaders.forEach(Statements::close);
                idleReaders.clear();
            }
            database.close();
        } finally {
            pages.writeLock().unlock();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // Writing

    /** An item that is ready to be written. */
    private sealed interface Ready {
        record Put(EventCodec.Prepared event) implements Ready {}

        record Remove(EventId id) implements Ready {}

        record Bury(Tombstone tombstone, long receivedAtMillis) implements Ready {}
    }

    private record Request(List<Ready> items, List<Outcome> outcomes, CompletableFuture<List<Outcome>> answer) {
        Request(List<Ready> items, List<Outcome> outcomes) {
            this(items, outcomes, new CompletableFuture<>());
        }

        /** Ends the writer thread; a batch is never empty. */
        static Request stop() {
            return new Request(List.of(), List.of());
        }

        boolean isStop() {
            return items.isEmpty();
        }
    }

    @Override
    public List<Outcome> commit(Batch batch) throws ProviderException {
        int size = batch.items().size();
        if (size < 1 || size > MOST_ITEMS) {
            throw new IllegalArgumentException("a batch has 1 to 10,000 items, not " + size);
        }
        List<Ready> items = new ArrayList<>(size);
        for (Batch.Item item : batch.items()) {
            if (item instanceof Batch.Item.Put put) {
                items.add(new Ready.Put(codec.prepare(put.event(), put.receivedAtMillis())));
            } else if (item instanceof Batch.Item.Remove remove) {
                items.add(new Ready.Remove(remove.id()));
            } else if (item instanceof Batch.Item.Bury bury) {
                items.add(new Ready.Bury(bury.tombstone(), bury.receivedAtMillis()));
            }
        }
        Request request = new Request(items, new ArrayList<>(size));
        synchronized (queue) {
            if (closed) {
                throw Failures.closed();
            }
            queue.add(request);
        }
        return await(request.answer());
    }

    private static List<Outcome> await(CompletableFuture<List<Outcome>> answer) throws ProviderException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return answer.get();
                } catch (InterruptedException e) {
                    // What became of the batch must be known; the caller sees the interrupt afterwards.
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

    private void writeUntilStopped() {
        List<Request> group = new ArrayList<>();
        boolean stopping = false;
        while (!stopping) {
            group.clear();
            try {
                stopping = collect(group);
            } catch (InterruptedException e) {
                // Nobody interrupts this thread on purpose; close() stops it.
                continue;
            }
            if (!group.isEmpty()) {
                write(group);
            }
        }
    }

    /** Waits for a batch and adds those that wait behind it; true if the store is closing. */
    private boolean collect(List<Request> group) throws InterruptedException {
        Request next = queue.take();
        int items = 0;
        while (next != null) {
            if (next.isStop()) {
                return true;
            }
            group.add(next);
            items += next.items().size();
            Request following = queue.peek();
            if (following == null || items + following.items().size() > groupItems) {
                return false;
            }
            next = queue.poll();
        }
        return false;
    }

    private void write(List<Request> group) {
        pages.writeLock().lock();
        try {
            database.checkRoom();
            writeTogether(group);
        } catch (ProviderException e) {
            group.forEach(request -> request.answer().completeExceptionally(e));
        } catch (RuntimeException | Error e) {
            LOG.error("{} met a fault of its own while writing", instance, e);
            forgetWriter();
            group.forEach(request -> request.answer().completeExceptionally(e));
        } finally {
            pages.writeLock().unlock();
        }
    }

    private void writeTogether(List<Request> group) throws ProviderException {
        Statements statements = writer();
        try {
            transact(statements, group);
        } catch (SQLException e) {
            if (Failures.isFatal(e)) {
                lose(statements, e);
                throw Failures.of(e);
            }
            undo(statements);
            if (Failures.isReadOnly(e)) {
                database.readOnly(statements.epoch(), e);
                throw Failures.of(e);
            }
            if (group.size() == 1) {
                throw Failures.of(e);
            }
            // One batch spoiled it for all; alone each gets its own answer.
            for (Request request : group) {
                try {
                    writeTogether(List.of(request));
                } catch (ProviderException own) {
                    request.answer().completeExceptionally(own);
                }
            }
        }
    }

    /** Applies the batches in one transaction and answers them. */
    private void transact(Statements statements, List<Request> group) throws SQLException, ProviderException {
        boolean changed = false;
        for (Request request : group) {
            request.outcomes().clear();
            for (Ready item : request.items()) {
                Outcome outcome = apply(statements, item);
                request.outcomes().add(outcome);
                changed |= outcome == Outcome.STORED || outcome == Outcome.REMOVED;
            }
        }
        if (changed) {
            PreparedStatement meta = statements.get(EventTables.SET_META);
            meta.setLong(1, nextPosition);
            meta.setLong(2, commits + 1);
            meta.executeUpdate();
            commit(statements);
        } else {
            statements.connection().rollback();
        }
        group.forEach(request -> request.answer().complete(List.copyOf(request.outcomes())));
    }

    private void commit(Statements statements) throws SQLException, ProviderException {
        try {
            statements.connection().commit();
        } catch (SQLException e) {
            if (!Failures.isFatal(e)) {
                throw e;
            }
            // Whether the log had it is known only after a restart, which reads the log.
            long expected = commits + 1;
            lose(statements, e);
            try {
                writer();
            } catch (ProviderException why) {
                throw Failures.unknown(why);
            }
            if (commits != expected) {
                throw Failures.of(e);
            }
            LOG.warn("{} kept its last batch although Derby failed: {}", instance, Failures.states(e));
            witness.saw(0, commits);
            return;
        }
        commits++;
        lastCommitted = nextPosition - 1;
        witness.saw(0, commits);
    }

    /** The writer's connection; after a loss a new one, with what is known about positions read again. */
    private Statements writer() throws ProviderException {
        Statements current = writer;
        if (current != null && database.isCurrent(current.epoch())) {
            return current;
        }
        forgetWriter();
        Statements statements = new Statements(database.connect());
        try (ResultSet meta = statements.get(EventTables.META).executeQuery()) {
            meta.next();
            Witness.Seen seen = witness.last();
            if (seen != null && meta.getLong(2) < seen.count()) {
                throw witness.lost();
            }
            nextPosition = meta.getLong(1);
            lastCommitted = nextPosition - 1;
            commits = meta.getLong(2);
        } catch (SQLException e) {
            statements.close();
            database.down(statements.epoch(), e);
            throw Failures.of(e);
        } catch (ProviderException e) {
            statements.close();
            throw e;
        }
        statements.rollbackQuietly();
        writer = statements;
        return statements;
    }

    /** Back to the last commit, on the same connection. */
    private void undo(Statements statements) throws ProviderException {
        try {
            statements.connection().rollback();
            nextPosition = lastCommitted + 1;
        } catch (SQLException e) {
            lose(statements, e);
            throw Failures.of(e);
        }
    }

    private void lose(Statements statements, SQLException why) {
        forgetWriter();
        database.down(statements.epoch(), why);
    }

    private void forgetWriter() {
        witness.close();
        Statements current = writer;
        if (current != null) {
            writer = null;
            current.close();
        }
    }

    private Outcome apply(Statements statements, Ready item) throws SQLException {
        if (item instanceof Ready.Put put) {
            return put(statements, put.event());
        }
        if (item instanceof Ready.Remove remove) {
            return remove(statements, remove.id(), null) ? Outcome.REMOVED : Outcome.ABSENT;
        }
        Ready.Bury bury = (Ready.Bury) item;
        return bury(statements, bury.tombstone(), bury.receivedAtMillis());
    }

    private Outcome put(Statements statements, EventCodec.Prepared event) throws SQLException {
        long known = find(statements, event.content().id());
        if (known > 0 && !damaged.contains(known)) {
            return Outcome.DUPLICATE;
        }
        if (known > 0) {
            // A damaged row gives way to the event it once was.
            remove(statements, event.content().id(), null);
        }
        for (Tombstone tombstone : tombstones(statements, event.content().id())) {
            if (tombstone.forbids(event.event())) {
                return Outcome.DELETED;
            }
        }
        if (event.address() != null && !makeRoom(statements, event, event.address())) {
            return Outcome.SUPERSEDED;
        }
        long position = nextPosition++;
        EventTables.insert(statements.get(EventTables.PUT_EVENT), position, event.content());
        for (long key : event.tagKeys()) {
            putTag(statements, key, event.content().order(), position);
        }
        if (event.address() != null) {
            putTag(statements, event.addressKey(), event.content().order(), position);
        }
        return Outcome.STORED;
    }

    private static void putTag(Statements statements, long key, byte[] order, long position) throws SQLException {
        PreparedStatement statement = statements.get(EventTables.PUT_TAG);
        statement.setLong(1, key);
        statement.setBytes(2, order);
        statement.setLong(3, position);
        statement.executeUpdate();
    }

    /** Removes older versions of a replaceable event; false if there is a newer one. */
    private boolean makeRoom(Statements statements, EventCodec.Prepared event, Address address) throws SQLException {
        List<EventCodec.Row> others = new ArrayList<>();
        PreparedStatement statement = statements.get(EventTables.BY_ADDRESS);
        statement.setLong(1, event.addressKey());
        try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                others.add(EventTables.row(rows));
            }
        }
        for (EventCodec.Row other : others) {
            Optional<Event> version = decode(other);
            if (version.isPresent()) {
                if (!Kinds.address(version.get()).equals(Optional.of(address))) {
                    continue;
                }
                if (isBetter(version.get(), event.event())) {
                    return false;
                }
            }
            drop(statements, other, version);
        }
        return true;
    }

    private static boolean isBetter(Event holder, Event candidate) {
        return holder.createdAt() > candidate.createdAt()
                || holder.createdAt() == candidate.createdAt() && holder.id().compareTo(candidate.id()) < 0;
    }

    private Outcome bury(Statements statements, Tombstone tombstone, long receivedAtMillis) throws SQLException {
        if (tombstones(statements, tombstone.target()).contains(tombstone)) {
            return Outcome.DUPLICATE;
        }
        remove(statements, tombstone.target(), tombstone);
        PreparedStatement statement = statements.get(EventTables.PUT_TOMBSTONE);
        statement.setLong(1, nextPosition++);
        statement.setLong(2, EventCodec.prefix(tombstone.target()));
        statement.setBytes(3, tombstone.target().bytes());
        statement.setBytes(4, tombstone.author().bytes());
        statement.setLong(5, receivedAtMillis);
        statement.executeUpdate();
        return Outcome.STORED;
    }

    private static List<Tombstone> tombstones(Statements statements, EventId target) throws SQLException {
        PreparedStatement statement = statements.get(EventTables.TOMBSTONE);
        statement.setLong(1, EventCodec.prefix(target));
        statement.setBytes(2, target.bytes());
        List<Tombstone> tombstones = new ArrayList<>();
        try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                tombstones.add(new Tombstone(target, PublicKey.of(rows.getBytes(1))));
            }
        }
        return tombstones;
    }

    /** Where that event is, or 0. */
    private static long find(Statements statements, EventId id) throws SQLException {
        PreparedStatement statement = statements.get(EventTables.FIND);
        statement.setLong(1, EventCodec.prefix(id));
        try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                if (Arrays.equals(rows.getBytes(2), id.bytes())) {
                    return rows.getLong(1);
                }
            }
            return 0;
        }
    }

    /** Removes an event, if a tombstone is given only one that it forbids; false if there was none. */
    private boolean remove(Statements statements, EventId id, @Nullable Tombstone tombstone) throws SQLException {
        EventCodec.Row found = null;
        PreparedStatement statement = statements.get(EventTables.BY_ID);
        statement.setLong(1, EventCodec.prefix(id));
        try (ResultSet rows = statement.executeQuery()) {
            while (found == null && rows.next()) {
                EventCodec.Row row = EventTables.row(rows);
                found = row.content().id().equals(id) ? row : null;
            }
        }
        if (found == null) {
            return false;
        }
        Optional<Event> event = decode(found);
        if (tombstone != null && event.isPresent() && !tombstone.forbids(event.get())) {
            return false;
        }
        drop(statements, found, event);
        return true;
    }

    private void drop(Statements statements, EventCodec.Row row, Optional<Event> event) throws SQLException {
        for (EventQuery query : running) {
            query.removed(row);
        }
        PreparedStatement statement = statements.get(EventTables.DROP_EVENT);
        statement.setLong(1, row.position());
        statement.executeUpdate();
        if (event.isEmpty()) {
            // Its tags cannot be trusted, so their rows are looked for by position, without an index.
            PreparedStatement all = statements.get(EventTables.DROP_TAGS_SLOWLY);
            all.setLong(1, row.position());
            all.executeUpdate();
            return;
        }
        for (long key : codec.tagKeys(event.get())) {
            dropTag(statements, key, row);
        }
        Optional<Address> address = Kinds.address(event.get());
        if (address.isPresent()) {
            dropTag(statements, codec.key(address.get()), row);
        }
    }

    private static void dropTag(Statements statements, long key, EventCodec.Row row) throws SQLException {
        PreparedStatement statement = statements.get(EventTables.DROP_TAG);
        statement.setLong(1, key);
        statement.setBytes(2, row.order());
        statement.setLong(3, row.position());
        statement.executeUpdate();
    }

    // Reading

    /** What is done with a reader's connection while no transaction is being written. */
    private interface Reading<R> {
        R read(Statements statements) throws SQLException;
    }

    private <R> R read(Reading<R> reading) throws ProviderException {
        readerPermits.acquireUninterruptibly();
        try {
            pages.readLock().lock();
            try {
                if (closed) {
                    throw Failures.closed();
                }
                Statements statements = reader();
                try {
                    R result = reading.read(statements);
                    statements.connection().commit();
                    synchronized (idleReaders) {
                        idleReaders.push(statements);
                    }
                    return result;
                } catch (SQLException e) {
                    statements.close();
                    if (Failures.isFatal(e)) {
                        database.down(statements.epoch(), e);
                    }
                    throw Failures.of(e);
                } catch (RuntimeException | Error e) {
                    statements.close();
                    throw e;
                }
            } finally {
                pages.readLock().unlock();
            }
        } finally {
            readerPermits.release();
        }
    }

    /**
     * Derby opens the file of a table or an index when it is used first, and for writing; a disk that became read-only
     * would then be one that cannot be read.
     */
    private static boolean openFiles(Statements statements) throws SQLException {
        for (String sql : EventTables.ONE_OF_EACH) {
            try (ResultSet rows = statements.get(sql).executeQuery()) {
                rows.next();
            }
        }
        return true;
    }

    private Statements reader() throws ProviderException {
        synchronized (idleReaders) {
            for (Statements idle = idleReaders.poll(); idle != null; idle = idleReaders.poll()) {
                if (database.isCurrent(idle.epoch())) {
                    return idle;
                }
                idle.close();
            }
        }
        DerbyDatabase.Connected connected = database.connect();
        try {
            // Nothing is being written while a page is read, so row locks would guard nothing.
            connected.connection().setTransactionIsolation(java.sql.Connection.TRANSACTION_READ_UNCOMMITTED);
            return new Statements(connected);
        } catch (SQLException e) {
            database.down(connected.epoch(), e);
            throw Failures.of(e);
        }
    }

    @Override
    public void query(Filter filter, Predicate<Event> visitor) throws ProviderException {
        query(filter, null, Glance.ALL, visitor);
    }

    @Override
    public void query(Filter filter, @Nullable Place after, Glance glance, Predicate<Event> visitor)
            throws ProviderException {
        EventQuery query = new EventQuery(filter, after, glance, codec, this::decode);
        try {
            boolean first = true;
            while (!query.isFinished()) {
                for (Event event : first ? firstPage(query) : read(query::page)) {
                    if (!visitor.test(event)) {
                        return;
                    }
                }
                first = false;
            }
        } finally {
            running.remove(query);
        }
    }

    private List<Event> firstPage(EventQuery query) throws ProviderException {
        return read(statements -> {
            query.showMoment(lastCommitted);
            List<Event> page = query.page(statements);
            if (!query.isFinished()) {
                running.add(query);
            }
            return page;
        });
    }

    @Override
    public boolean contains(EventId id) throws ProviderException {
        long position = read(statements -> find(statements, id));
        return position > 0 && !damaged.contains(position);
    }

    @Override
    public List<Row> scan(long after, int limit) throws ProviderException {
        if (after < 0 || limit < 1 || limit > MOST_ITEMS) {
            throw new IllegalArgumentException("a scan starts at 0 or more and takes 1 to 10,000 rows");
        }
        return read(statements -> {
            Iterator<Row.Deleted> tombstones =
                    tombstones(statements, after, limit).iterator();
            Row.Deleted tombstone = tombstones.hasNext() ? tombstones.next() : null;
            List<Row> rows = new ArrayList<>();
            long from = after;
            boolean more = true;
            while (more && rows.size() < limit) {
                int wanted = Math.min(limit - rows.size(), 500);
                List<Long> positions = positions(statements, from, wanted);
                more = positions.size() == wanted;
                Map<Long, EventCodec.Row> events =
                        positions.isEmpty() ? Map.of() : events(statements, from, positions.get(positions.size() - 1));
                for (long position : positions) {
                    from = position;
                    while (tombstone != null && tombstone.position() < from && rows.size() < limit) {
                        rows.add(tombstone);
                        tombstone = tombstones.hasNext() ? tombstones.next() : null;
                    }
                    EventCodec.Row event = events.get(position);
                    if (event == null) {
                        damaged(position);
                        continue;
                    }
                    Optional<Event> decoded = decode(event);
                    if (decoded.isPresent() && rows.size() < limit) {
                        rows.add(new Row.Stored(from, event.content().receivedAtMillis(), decoded.get()));
                    }
                }
            }
            while (tombstone != null && rows.size() < limit) {
                rows.add(tombstone);
                tombstone = tombstones.hasNext() ? tombstones.next() : null;
            }
            return List.copyOf(rows);
        });
    }

    private static List<Long> positions(Statements statements, long after, int limit) throws SQLException {
        List<Long> positions = new ArrayList<>();
        PreparedStatement statement = statements.get(EventTables.POSITIONS);
        statement.setLong(1, after);
        statement.setInt(2, limit);
        try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                positions.add(rows.getLong(1));
            }
        }
        return positions;
    }

    private static Map<Long, EventCodec.Row> events(Statements statements, long after, long upTo) throws SQLException {
        Map<Long, EventCodec.Row> events = new HashMap<>();
        PreparedStatement statement = statements.get(EventTables.BETWEEN_POSITIONS);
        statement.setLong(1, after);
        statement.setLong(2, upTo);
        try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                EventCodec.Row row = EventTables.row(rows);
                events.put(row.position(), row);
            }
        }
        return events;
    }

    private static List<Row.Deleted> tombstones(Statements statements, long after, int limit) throws SQLException {
        List<Row.Deleted> tombstones = new ArrayList<>();
        PreparedStatement statement = statements.get(EventTables.TOMBSTONES_FROM);
        statement.setLong(1, after);
        statement.setInt(2, limit);
        try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                Tombstone tombstone = new Tombstone(EventId.of(rows.getBytes(2)), PublicKey.of(rows.getBytes(3)));
                tombstones.add(new Row.Deleted(rows.getLong(1), rows.getLong(4), tombstone));
            }
        }
        return tombstones;
    }

    private Optional<Event> decode(EventCodec.Row row) {
        Optional<Event> event = codec.decode(row.content());
        if (event.isEmpty()) {
            damaged(row.position());
        }
        return event;
    }

    private void damaged(long position) {
        if (damaged.add(position)) {
            LOG.warn(
                    "{} skips row {}: it is not what was written. Fetching its event again repairs it.",
                    instance,
                    position);
        }
    }

    @Override
    public long tampered() {
        return damaged.size();
    }
}
