package im.parley.storage.lmdb;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Tombstone;
import im.parley.protocol.Address;
import im.parley.protocol.Kinds;
import im.parley.storage.lmdb.Environment.Cursor;
import im.parley.storage.lmdb.Environment.Pair;
import im.parley.storage.lmdb.Environment.Txn;
import im.parley.storage.lmdb.EventKeys.Found;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Events in LMDB.
 *
 * <p>One writer thread takes every batch that waits and writes them in one transaction with one sync. Readers never wait for
 * it: each query reads its pages from one snapshot. A query that fits into one page, as nearly all do, has given its snapshot
 * back before the visitor sees the first event; during a longer one the file may grow, because pages freed meanwhile are not
 * used again. After a fault that cost it the environment the next call opens it again.
 */
final class LmdbEventStore implements EventStore, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LmdbEventStore.class);
    private static final int MOST_ITEMS = 10_000;
    private static final byte[] STATE = Database.ascii("state");

    private static final int STATE_BYTES = 2 * Long.BYTES;

    private final LmdbEngine engine;
    private final Database database;
    private final String instance;
    private final EventKeys keys;
    private final EventCodec codec;
    private final int groupItems;
    private final Runnable closing = this::close;

    /** Nothing is added after the request to stop: additions and closing are guarded by the queue itself. */
    private final LinkedBlockingQueue<Request> queue = new LinkedBlockingQueue<>();

    private final Thread writerThread;
    private final Set<Long> damaged = ConcurrentHashMap.newKeySet();
    private final Set<EventId> strays = ConcurrentHashMap.newKeySet();

    // Of the writer's thread alone, once it runs.
    private @Nullable Environment written;
    private long nextPosition;
    private long lastCommitted;
    private long commits;

    private boolean closed;

    private LmdbEventStore(LmdbEngine engine, Database database, String instance, int groupItems) {
        this.engine = engine;
        this.database = database;
        this.instance = instance;
        this.groupItems = groupItems;
        byte[] indexKey = database.indexKey();
        keys = new EventKeys(indexKey);
        Arrays.fill(indexKey, (byte) 0);
        codec = new EventCodec(database.seal());
        writerThread = new Thread(this::writeUntilStopped, "parley-events-writer " + instance);
        writerThread.setDaemon(true);
    }

    static LmdbEventStore open(LmdbEngine engine, ProviderContext context, long mapBytes, int groupItems)
            throws ProviderException {
        Database database = Database.open(engine, context, mapBytes, EventTable.values(), EventTable.FORMAT);
        try {
            LmdbEventStore store = new LmdbEventStore(engine, database, context.instance(), groupItems);
            store.current();
            engine.opened(store.closing);
            store.writerThread.start();
            return store;
        } catch (ProviderException | RuntimeException | Error e) {
            database.close();
            throw e;
        }
    }

    /** For tests that take its environment away. */
    Database database() {
        return database;
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
        database.close();
        engine.closed(closing);
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
                items.add(new Ready.Put(EventCodec.prepare(put.event(), put.receivedAtMillis())));
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
                        throw Failures.again(failure);
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
        try {
            writeTogether(group);
        } catch (ProviderException e) {
            group.forEach(request -> request.answer().completeExceptionally(e));
        } catch (RuntimeException | Error e) {
            LOG.error("{} met a fault of its own while writing", instance, e);
            written = null;
            group.forEach(request -> request.answer().completeExceptionally(e));
        }
    }

    private void writeTogether(List<Request> group) throws ProviderException {
        Environment environment = current();
        try {
            transact(environment, group);
        } catch (LmdbException e) {
            nextPosition = lastCommitted + 1;
            ProviderException failure = database.failure(environment, e);
            if (group.size() == 1) {
                throw failure;
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
    private void transact(Environment environment, List<Request> group) throws LmdbException, ProviderException {
        boolean changed;
        try (Txn txn = environment.write()) {
            changed = txn.use(writing -> apply(writing, group));
            if (changed) {
                commit(environment, txn);
            }
        }
        group.forEach(request -> request.answer().complete(List.copyOf(request.outcomes())));
    }

    private boolean apply(Txn txn, List<Request> group) throws LmdbException {
        boolean changed = false;
        for (Request request : group) {
            request.outcomes().clear();
            for (Ready item : request.items()) {
                Outcome outcome = apply(txn, item);
                request.outcomes().add(outcome);
                changed |= outcome == Outcome.STORED || outcome == Outcome.REMOVED;
            }
        }
        if (changed) {
            ByteBuffer state = ByteBuffer.allocate(STATE_BYTES);
            txn.put(
                    EventTable.META,
                    STATE,
                    state.putLong(nextPosition).putLong(commits + 1).array());
        }
        return changed;
    }

    private void commit(Environment environment, Txn txn) throws LmdbException, ProviderException {
        try {
            txn.commit();
        } catch (LmdbException e) {
            if (isAlive(environment)) {
                // What fails before the last page is written leaves the environment as it was.
                throw e;
            }
            long expected = commits + 1;
            database.lose(environment);
            try {
                current();
            } catch (ProviderException why) {
                throw Failures.unknown(why);
            }
            if (commits != expected) {
                throw Failures.lost();
            }
            LOG.warn("{} kept its last batch although LMDB failed: {}", instance, e.getMessage());
            return;
        }
        commits++;
        lastCommitted = nextPosition - 1;
    }

    /** After a commit that failed while the root was being written LMDB begins no transaction any more. */
    private static boolean isAlive(Environment environment) {
        try (Txn probe = environment.write()) {
            return true;
        } catch (LmdbException e) {
            return false;
        }
    }

    /** The environment; after a loss a new one, with what is known about positions read again. */
    private Environment current() throws ProviderException {
        Environment environment = database.environment();
        if (environment == written) {
            return environment;
        }
        try {
            ByteBuffer state = environment.read(txn -> {
                byte[] found = txn.get(EventTable.META, STATE);
                return found == null ? ByteBuffer.allocate(STATE_BYTES).putLong(0, 1) : ByteBuffer.wrap(found);
            });
            if (state.remaining() != STATE_BYTES) {
                throw Failures.corrupt("no position");
            }
            nextPosition = state.getLong();
            commits = state.getLong();
            lastCommitted = nextPosition - 1;
            written = environment;
            return environment;
        } catch (LmdbException e) {
            throw database.failure(environment, e);
        }
    }

    private Outcome apply(Txn txn, Ready item) throws LmdbException {
        if (item instanceof Ready.Put put) {
            return put(txn, put.event());
        }
        if (item instanceof Ready.Remove remove) {
            return remove(txn, remove.id(), null) ? Outcome.REMOVED : Outcome.ABSENT;
        }
        Ready.Bury bury = (Ready.Bury) item;
        return bury(txn, bury.tombstone(), bury.receivedAtMillis());
    }

    private Outcome put(Txn txn, EventCodec.Prepared prepared) throws LmdbException {
        Event event = prepared.event();
        Found known = find(txn, event.id());
        if (known != null && !damaged.contains(known.position())) {
            return Outcome.DUPLICATE;
        }
        if (known != null) {
            // A damaged row gives way to the event it once was.
            remove(txn, event.id(), null);
        }
        for (Tombstone tombstone : tombstones(txn, event.id())) {
            if (tombstone.forbids(event)) {
                return Outcome.DELETED;
            }
        }
        Optional<Address> address = Kinds.address(event);
        if (address.isPresent() && !makeRoom(txn, event, address.get())) {
            return Outcome.SUPERSEDED;
        }
        Found found = new Found(event.createdAt(), event.id(), nextPosition++, event.kind());
        txn.put(EventTable.ROW, EventKeys.number(found.position()), codec.row(found.position(), prepared));
        txn.put(EventTable.ID, event.id().bytes(), found.found());
        byte[] entry = found.entry();
        for (EventKeys.Key key : keys.entries(event)) {
            txn.put(key.table(), key.bytes(), entry);
        }
        return Outcome.STORED;
    }

    /** Removes older versions of a replaceable event; false if there is a newer one. */
    private boolean makeRoom(Txn txn, Event event, Address address) throws LmdbException {
        byte[] prefix = keys.address(address);
        List<Found> others = new ArrayList<>();
        try (Cursor cursor = txn.cursor(EventTable.TAG)) {
            for (Pair pair = cursor.seek(prefix);
                    pair != null && EventKeys.startsWith(pair.key(), prefix);
                    pair = cursor.next()) {
                others.add(Found.ofEntry(prefix.length, pair.key(), pair.value()));
            }
        }
        for (Found other : others) {
            Event version = read(txn, other);
            if (version != null) {
                if (!Kinds.address(version).equals(Optional.of(address))) {
                    continue;
                }
                if (isBetter(version, event)) {
                    return false;
                }
            }
            drop(txn, other, version);
        }
        return true;
    }

    private static boolean isBetter(Event holder, Event candidate) {
        return holder.createdAt() > candidate.createdAt()
                || holder.createdAt() == candidate.createdAt() && holder.id().compareTo(candidate.id()) < 0;
    }

    private Outcome bury(Txn txn, Tombstone tombstone, long receivedAtMillis) throws LmdbException {
        if (tombstones(txn, tombstone.target()).contains(tombstone)) {
            return Outcome.DUPLICATE;
        }
        remove(txn, tombstone.target(), tombstone);
        long position = nextPosition++;
        txn.put(EventTable.ROW, EventKeys.number(position), codec.row(position, tombstone, receivedAtMillis));
        byte[] grave = EventKeys.join(keys.grave(tombstone.target()), EventKeys.number(position));
        txn.put(EventTable.GRAVE, grave, new byte[0]);
        return Outcome.STORED;
    }

    private List<Tombstone> tombstones(Txn txn, EventId target) throws LmdbException {
        byte[] prefix = keys.grave(target);
        List<Long> positions = new ArrayList<>();
        try (Cursor cursor = txn.cursor(EventTable.GRAVE)) {
            for (Pair pair = cursor.seek(prefix);
                    pair != null && EventKeys.startsWith(pair.key(), prefix) && pair.key().length == 2 * Long.BYTES;
                    pair = cursor.next()) {
                positions.add(ByteBuffer.wrap(pair.key()).getLong(Long.BYTES));
            }
        }
        List<Tombstone> tombstones = new ArrayList<>();
        for (long position : positions) {
            if (open(txn, position) instanceof Row.Deleted row
                    && row.tombstone().target().equals(target)) {
                tombstones.add(row.tombstone());
            }
        }
        return tombstones;
    }

    /** Where that event is; null if it is not there. */
    private static @Nullable Found find(Txn txn, EventId id) throws LmdbException {
        byte[] found = txn.get(EventTable.ID, id.bytes());
        return found == null ? null : Found.ofId(id, found);
    }

    /** Removes an event, if a tombstone is given only one that it forbids; false if there was none. */
    private boolean remove(Txn txn, EventId id, @Nullable Tombstone tombstone) throws LmdbException {
        Found found = find(txn, id);
        if (found == null) {
            return false;
        }
        Event event = read(txn, found);
        if (tombstone != null && event != null && !tombstone.forbids(event)) {
            return false;
        }
        drop(txn, found, event);
        return true;
    }

    /** @param event what the row holds; null if that is damaged, or the row is another's */
    private void drop(Txn txn, Found found, @Nullable Event event) throws LmdbException {
        boolean anothers = event == null && open(txn, found.position()) != null;
        txn.delete(EventTable.ID, found.id().bytes());
        if (!anothers) {
            txn.delete(EventTable.ROW, EventKeys.number(found.position()));
        }
        if (event != null) {
            for (EventKeys.Key key : keys.entries(event)) {
                txn.delete(key.table(), key.bytes());
            }
            return;
        }
        byte[] order = found.order();
        txn.delete(EventTable.TIME, order);
        txn.delete(EventTable.KIND, EventKeys.join(EventKeys.kind(found.kind()), order));
        if (anothers) {
            return;
        }
        // Its author and tags cannot be read, so their entries are looked for by position.
        for (EventTable table : List.of(EventTable.AUTHOR, EventTable.AUTHOR_KIND, EventTable.TAG)) {
            List<byte[]> entries = new ArrayList<>();
            byte[] entry = found.entry();
            try (Cursor cursor = txn.cursor(table)) {
                for (Pair pair = cursor.seek(new byte[1]); pair != null; pair = cursor.next()) {
                    if (Arrays.equals(pair.value(), entry)) {
                        entries.add(pair.key());
                    }
                }
            }
            for (byte[] key : entries) {
                txn.delete(table, key);
            }
        }
    }

    // Reading

    private <R extends @Nullable Object> R read(Environment.Use<R> use) throws ProviderException {
        Environment environment = database.environment();
        try {
            return environment.read(use);
        } catch (LmdbException e) {
            throw database.failure(environment, e);
        }
    }

    @Override
    public void query(Filter filter, Predicate<Event> visitor) throws ProviderException {
        query(filter, null, Glance.ALL, visitor);
    }

    @Override
    public void query(Filter filter, @Nullable Place after, Glance glance, Predicate<Event> visitor)
            throws ProviderException {
        Environment environment = database.environment();
        EventQuery query = new EventQuery(filter, after, glance, keys, this::read);
        if (query.isFinished()) {
            return;
        }
        List<Event> page;
        try (Txn snapshot = environment.snapshot()) {
            page = snapshot.use(query::page);
            while (!query.isFinished()) {
                if (!visit(page, visitor)) {
                    return;
                }
                page = snapshot.use(query::page);
            }
        } catch (LmdbException e) {
            throw database.failure(environment, e);
        }
        visit(page, visitor);
    }

    private static boolean visit(List<Event> page, Predicate<Event> visitor) {
        for (Event event : page) {
            if (!visitor.test(event)) {
                return false;
            }
        }
        return true;
    }

    @Override
    public boolean contains(EventId id) throws ProviderException {
        return read(txn -> {
            Found found = find(txn, id);
            return found != null && !damaged.contains(found.position());
        });
    }

    @Override
    public List<Row> scan(long after, int limit) throws ProviderException {
        if (after < 0 || limit < 1 || limit > MOST_ITEMS) {
            throw new IllegalArgumentException("a scan starts at 0 or more and takes 1 to 10,000 rows");
        }
        if (after == Long.MAX_VALUE) {
            return List.of();
        }
        return read(txn -> {
            List<Row> rows = new ArrayList<>();
            Cursor cursor = txn.sharedCursor(EventTable.ROW);
            for (Pair pair = cursor.seek(EventKeys.number(after + 1));
                    pair != null && rows.size() < limit;
                    pair = cursor.next()) {
                if (pair.key().length == Long.BYTES) {
                    long position = ByteBuffer.wrap(pair.key()).getLong();
                    Row row = codec.open(position, pair.value());
                    if (row == null) {
                        isDamaged(position);
                    } else {
                        rows.add(row);
                    }
                }
            }
            return List.copyOf(rows);
        });
    }

    private @Nullable Row open(Txn txn, long position) throws LmdbException {
        Row row = codec.open(position, txn.get(EventTable.ROW, EventKeys.number(position)));
        if (row == null) {
            isDamaged(position);
        }
        return row;
    }

    /** The event that an index entry stands for; null if its row is not what was written, or another's. */
    private @Nullable Event read(Txn txn, Found found) throws LmdbException {
        Row row = open(txn, found.position());
        if (row == null) {
            return null;
        }
        if (row instanceof Row.Stored stored
                && stored.event().id().equals(found.id())
                && stored.event().createdAt() == found.createdAt()
                && stored.event().kind() == found.kind()) {
            return stored.event();
        }
        if (strays.add(found.id())) {
            LOG.warn("{} skips an index entry of {}: it leads to another row", instance, found.id());
        }
        return null;
    }

    private void isDamaged(long position) {
        if (damaged.add(position)) {
            LOG.warn(
                    "{} skips row {}: it is not what was written. Fetching its event again repairs it.",
                    instance,
                    position);
        }
    }

    @Override
    public long tampered() {
        return damaged.size() + strays.size();
    }
}
