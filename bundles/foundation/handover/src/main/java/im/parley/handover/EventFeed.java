package im.parley.handover;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.EventStore.Row;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Tombstone;
import im.parley.protocol.Address;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Mover;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Carries events and tombstones over in the order of their positions, so that the first pass and the changes behind it are
 * one walk. Removals are looked at by what the primary holds now.
 */
final class EventFeed implements Mover.Feed {
    private static final int PORTION = 500;
    /** So few changes left that events to be looked at again are looked at. */
    private static final int CAUGHT_UP = 100;

    private static final int BUCKETS = 1 << 16;
    /** More rows to look at again than this are not remembered. */
    private static final int MOST_SUSPECTS = 200_000;

    private static final String POSITION = "position";
    private static final String ADDRESS_MARK = "@";

    private final EventTap tap;
    private final EventStore primary;
    private final EventStore secondary;
    private final Path positionFile;

    private long applied;
    private final long total;
    private long done;
    private long changes;
    private boolean firstPassDone;

    private final Set<EventId> suspects = new LinkedHashSet<>();
    private boolean comparing;

    private EventFeed(EventTap tap, EventStore secondary, Path positionFile, long applied) throws ProviderException {
        this.tap = tap;
        this.primary = tap.primary();
        this.secondary = secondary;
        this.positionFile = positionFile;
        this.applied = applied;
        this.total = lastPosition(primary);
    }

    /** @param position empty to begin at the start, {@code kept} to go on where the directory says */
    static EventFeed open(EventTap tap, EventStore secondary, Path directory, String position)
            throws ProviderException {
        Path file = directory.resolve(POSITION);
        long applied = 0;
        try {
            if (position.equals("kept")) {
                applied = Files.exists(file)
                        ? Long.parseLong(Files.readString(file).strip())
                        : 0;
            } else if (!position.isEmpty()) {
                applied = Long.parseLong(position);
            }
        } catch (IOException | NumberFormatException e) {
            // From the start: what is there already is found to be there.
            applied = 0;
        }
        EventFeed feed = new EventFeed(tap, secondary, file, applied);
        feed.keepPosition();
        return feed;
    }

    /** The highest position in use; 0 if the store is empty. Asks some 60 times for one row. */
    static long lastPosition(EventStore store) throws ProviderException {
        long low = 0;
        long high = 1;
        while (high > 0 && !store.scan(high - 1, 1).isEmpty()) {
            low = high;
            high *= 2;
        }
        if (low == 0) {
            return 0;
        }
        // There is a row at low or behind it, none at high or behind it.
        while (high - low > 1) {
            long middle = low + (high - low) / 2;
            if (store.scan(middle - 1, 1).isEmpty()) {
                high = middle;
            } else {
                low = middle;
            }
        }
        return low;
    }

    /** An address in the journal: a mark, and Base64 because an identifier may hold line ends. */
    static String line(Address address) {
        return ADDRESS_MARK
                + Base64.getEncoder().encodeToString(address.coordinate().getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public Mover.Progress progress() {
        long all = Math.max(1, total);
        return new Mover.Progress(firstPassDone ? all : Math.min(applied, all - 1), all, changes);
    }

    /** Without a sync: after a power loss some is carried over again. */
    private void keepPosition() throws ProviderException {
        Path next = positionFile.resolveSibling(POSITION + ".new");
        try {
            Files.writeString(next, applied + "\n");
            Files.move(next, positionFile, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.io-error",
                    "The position of a handover cannot be kept: check the data directory's owner and space.",
                    e);
        }
    }

    @Override
    public void close() {
        // The position is kept with every portion.
    }

    // Carrying over

    @Override
    public long ship() throws ProviderException {
        long removed = repeatRemoved();
        List<Row> rows = primary.scan(applied, PORTION);
        if (!rows.isEmpty()) {
            put(rows);
            applied = rows.get(rows.size() - 1).position();
            if (applied > total) {
                changes += rows.size();
            }
            done += rows.size();
            if (comparing) {
                rows.forEach(row -> suspects.add(idOf(row)));
            }
            keepPosition();
        }
        firstPassDone |= rows.size() < PORTION || applied >= total;
        // Behind a full portion there may be another one.
        long left = removed + (rows.size() < PORTION ? rows.size() : Math.max(PORTION, total - applied));
        if (left <= CAUGHT_UP && !suspects.isEmpty()) {
            int looked = suspects.size();
            dropEqualSuspects();
            // That took its time, in which others wrote.
            left = Math.max(left, looked > CAUGHT_UP ? looked : 0);
        }
        return left;
    }

    private void put(List<Row> rows) throws ProviderException {
        List<Batch.Item> items = new ArrayList<>(rows.size());
        for (Row row : rows) {
            items.add(item(row));
        }
        List<Outcome> outcomes = secondary.commit(new Batch(items));
        for (int i = 0; i < rows.size(); i++) {
            if (rows.get(i) instanceof Row.Stored stored) {
                if (outcomes.get(i) == Outcome.DUPLICATE) {
                    // Stored again after a removal that was not carried over yet, or carried over twice.
                    secondary.commit(new Batch(
                            List.of(new Batch.Item.Remove(stored.event().id()), item(stored))));
                } else if (outcomes.get(i) == Outcome.SUPERSEDED) {
                    makeRoom(stored);
                }
            }
        }
    }

    private static Batch.Item item(Row row) {
        if (row instanceof Row.Stored stored) {
            return new Batch.Item.Put(stored.event(), stored.receivedAtMillis());
        }
        Row.Deleted deleted = (Row.Deleted) row;
        return new Batch.Item.Bury(deleted.tombstone(), deleted.receivedAtMillis());
    }

    private static EventId idOf(Row row) {
        return row instanceof Row.Stored stored
                ? stored.event().id()
                : ((Row.Deleted) row).tombstone().target();
    }

    /** A newer version stands there that was removed here: it goes first. */
    private void makeRoom(Row.Stored row) throws ProviderException {
        Address address = Kinds.address(row.event()).orElseThrow();
        List<Batch.Item> items = new ArrayList<>();
        for (Event event : at(secondary, address)) {
            if (!primary.contains(event.id())) {
                items.add(new Batch.Item.Remove(event.id()));
            }
        }
        if (!items.isEmpty()) {
            items.add(item(row));
            secondary.commit(new Batch(items));
        }
    }

    private static List<Event> at(EventStore store, Address address) throws ProviderException {
        Filter.Builder filter = Filter.builder().kinds(List.of(address.kind())).authors(List.of(address.pubkey()));
        if (!address.identifier().isEmpty()) {
            filter.tag('d', List.of(address.identifier()));
        }
        List<Event> found = new ArrayList<>();
        store.query(filter.build(), event -> {
            if (Kinds.address(event).filter(address::equals).isPresent()) {
                found.add(event);
            }
            return true;
        });
        return found;
    }

    /** What was removed here and is still there goes there too. */
    private long repeatRemoved() throws ProviderException {
        IntentLog log = tap.removed();
        List<IntentLog.Told> told = log == null ? List.of() : log.told();
        if (log == null || told.isEmpty()) {
            return 0;
        }
        Set<EventId> gone = new LinkedHashSet<>();
        for (IntentLog.Told each : told) {
            for (String line : each.lines()) {
                if (line.startsWith(ADDRESS_MARK)) {
                    for (Event event : at(secondary, address(line))) {
                        if (!primary.contains(event.id())) {
                            gone.add(event.id());
                        }
                    }
                } else {
                    EventId id = EventId.ofHex(line);
                    if (comparing) {
                        suspects.add(id);
                    }
                    if (!primary.contains(id) && secondary.contains(id)) {
                        gone.add(id);
                    }
                }
            }
        }
        List<Batch.Item> items = new ArrayList<>();
        for (EventId id : gone) {
            items.add(new Batch.Item.Remove(id));
            if (items.size() == PORTION) {
                secondary.commit(new Batch(items));
                items.clear();
            }
        }
        if (!items.isEmpty()) {
            secondary.commit(new Batch(items));
        }
        changes += gone.size();
        log.forget(told);
        return told.size();
    }

    private static Address address(String line) {
        String coordinate =
                new String(Base64.getDecoder().decode(line.substring(ADDRESS_MARK.length())), StandardCharsets.UTF_8);
        try {
            return Address.parse(coordinate);
        } catch (ProtocolException e) {
            throw new IllegalStateException(e);
        }
    }

    // Comparing

    /** Rows of one side, counted and hashed into buckets by their id. */
    private static final class Side {
        private final HashSum sum = new HashSum();
        private final long[] high = new long[BUCKETS];
        private final long[] low = new long[BUCKETS];
        private long rows;
        private long marks;

        void add(Row row, byte[] hash) {
            sum.add(hash);
            ByteBuffer words = ByteBuffer.wrap(hash);
            int bucket = bucket(row);
            high[bucket] += words.getLong(0);
            low[bucket] += words.getLong(8);
            if (row instanceof Row.Stored) {
                rows++;
            } else {
                marks++;
            }
        }
    }

    private static int bucket(Row row) {
        byte[] id = idOf(row).bytes();
        return (id[0] & 0xff) << 8 | id[1] & 0xff;
    }

    private static byte[] hash(MessageDigest digest, Row row) {
        if (row instanceof Row.Stored stored) {
            digest.update((byte) 1);
            digest.update(stored.event().id().bytes());
            digest.update(stored.event().sig().bytes());
            digest.update(ByteBuffer.allocate(Long.BYTES)
                    .putLong(stored.receivedAtMillis())
                    .array());
        } else if (row instanceof Row.Deleted deleted) {
            Tombstone tombstone = deleted.tombstone();
            digest.update((byte) 2);
            digest.update(tombstone.target().bytes());
            digest.update(tombstone.author().bytes());
            digest.update(ByteBuffer.allocate(Long.BYTES)
                    .putLong(deleted.receivedAtMillis())
                    .array());
        }
        return digest.digest();
    }

    /** What is done with each row and its hash. */
    private interface Taking {
        void take(Row row, byte[] hash);
    }

    private static void walk(EventStore store, long upTo, BooleanSupplier cancelled, Taking taking)
            throws ProviderException {
        MessageDigest digest = HashSum.sha256();
        long after = 0;
        while (true) {
            List<Row> rows = store.scan(after, PORTION);
            for (Row row : rows) {
                if (row.position() > upTo) {
                    return;
                }
                taking.take(row, hash(digest, row));
                after = row.position();
            }
            if (rows.isEmpty()) {
                return;
            }
            if (cancelled.getAsBoolean()) {
                throw new ProviderException(Kind.REJECTED, "handover.cancelled", "The comparison was called off.");
            }
        }
    }

    /**
     * The secondary stands still meanwhile, and of the primary only rows that were carried over are looked at. So a row that
     * only the secondary has must be one that was removed here since; a row that it lacks, or has otherwise, is an error.
     */
    @Override
    public Mover.Compared verify(BooleanSupplier cancelled) throws ProviderException {
        suspects.clear();
        comparing = true;
        Side there = new Side();
        walk(secondary, Long.MAX_VALUE, cancelled, there::add);
        Side here = new Side();
        walk(primary, applied, cancelled, here::add);
        BitSet unequal = new BitSet(BUCKETS);
        for (int i = 0; i < BUCKETS; i++) {
            unequal.set(i, here.high[i] != there.high[i] || here.low[i] != there.low[i]);
        }
        if (!unequal.isEmpty()) {
            explain(unequal, cancelled);
        }
        return new Mover.Compared(there.rows, there.marks, here.sum.hex(), there.sum.hex(), suspects.size());
    }

    private void explain(BitSet buckets, BooleanSupplier cancelled) throws ProviderException {
        Map<ByteBuffer, EventId> there = new HashMap<>();
        Taking remembered = (row, hash) -> {
            if (buckets.get(bucket(row))) {
                there.put(ByteBuffer.wrap(hash), idOf(row));
            }
        };
        walk(secondary, Long.MAX_VALUE, cancelled, remembered);
        Map<ByteBuffer, EventId> missing = new LinkedHashMap<>();
        walk(primary, applied, cancelled, (row, hash) -> {
            ByteBuffer key = ByteBuffer.wrap(hash);
            if (buckets.get(bucket(row)) && there.remove(key) == null) {
                missing.put(key, idOf(row));
            }
        });
        if (!missing.isEmpty()) {
            throw differs(missing.size(), missing.values().iterator().next());
        }
        suspects.addAll(there.values());
    }

    private static ProviderException differs(int count, EventId first) {
        return new ProviderException(
                Kind.CORRUPT,
                "handover.differs",
                count + " events or marks differ between the two stores, the first about " + first.hex()
                        + "; no change explains it. The old store serves on.");
    }

    /** Who is equal once is equal for good: later changes are carried over and looked at again. */
    private void dropEqualSuspects() throws ProviderException {
        if (suspects.size() > MOST_SUSPECTS) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "handover.too-busy",
                    "More than " + MOST_SUSPECTS + " events changed while both stores were compared; try again when"
                            + " less is written.");
        }
        List<EventId> all = List.copyOf(suspects);
        for (int from = 0; from < all.size(); from += PORTION) {
            List<EventId> part = all.subList(from, Math.min(all.size(), from + PORTION));
            Map<EventId, Event> here = byId(primary, part);
            Map<EventId, Event> there = byId(secondary, part);
            Set<EventId> equal = new HashSet<>();
            for (EventId id : part) {
                Event mine = here.get(id);
                Event other = there.get(id);
                if (mine == null ? other == null : mine.equals(other)) {
                    equal.add(id);
                }
            }
            suspects.removeAll(equal);
        }
    }

    private static Map<EventId, @Nullable Event> byId(EventStore store, List<EventId> ids) throws ProviderException {
        Map<EventId, @Nullable Event> found = new HashMap<>();
        store.query(Filter.builder().ids(ids).build(), event -> {
            found.put(event.id(), event);
            return true;
        });
        return found;
    }

    @Override
    public Mover.Settled settle() throws ProviderException {
        long before = done;
        while (ship() > 0) {
            // Writers wait, so this ends.
        }
        long compared = suspects.size();
        dropEqualSuspects();
        if (!suspects.isEmpty()) {
            throw differs(suspects.size(), suspects.iterator().next());
        }
        return new Mover.Settled(String.valueOf(lastPosition(secondary)), done - before, compared);
    }
}
