package im.parley.handover;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.slot.Mover;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Carries records over. What is copied in the first pass cannot overwrite anything newer, because the same thread copies
 * and carries changes over, one after the other, and a change is noted in the transaction that makes it.
 */
final class RecordFeed implements Mover.Feed {
    private static final byte[] START = {0};
    private static final int PORTION_BYTES = 4 << 20;
    private static final int LEAST = 16;
    private static final int MOST = 512;
    private static final int ENTRIES = 64;
    private static final int AT_ONCE = 64;
    /** So few entries left that keys to be looked at again are looked at. */
    private static final int CAUGHT_UP = 100;
    /** More keys to look at again than this are not remembered: compare wholly instead. */
    private static final int MOST_SUSPECTS = 200_000;

    private final RecordTap tap;
    private final RecordStore primary;
    private final RecordStore secondary;

    /** Spaces that are still to be copied wholly; the first is under way. */
    private final Deque<SpaceId> whole = new ArrayDeque<>();

    private byte[] next = START;
    private int portion = LEAST;
    private long done;
    private long total = 1;
    private long changes;

    private final Set<Named> suspects = new LinkedHashSet<>();
    private boolean comparing;

    /** A key in its space. */
    private record Named(SpaceId space, ByteBuffer key) {}

    RecordFeed(RecordTap tap, RecordStore secondary, boolean all) throws ProviderException {
        this.tap = tap;
        this.primary = tap.primary();
        this.secondary = secondary;
        if (all) {
            whole.addAll(primary.spaces());
            long counted = 0;
            for (SpaceId id : whole) {
                counted += count(id);
            }
            total = Math.max(1, counted);
        }
    }

    private long count(SpaceId id) throws ProviderException {
        long counted = 0;
        Reader reader = new Reader(primary, id);
        while (reader.peek() != null) {
            reader.advance();
            counted++;
        }
        return counted;
    }

    @Override
    public Mover.Progress progress() {
        // Records that went meanwhile are not copied, others that came are.
        return new Mover.Progress(whole.isEmpty() ? total : Math.min(done, total - 1), total, changes);
    }

    @Override
    public void close() {
        // The journal is in the primary and stays there.
    }

    // Carrying over

    @Override
    public long ship() throws ProviderException {
        SpaceId copying = whole.peek();
        if (copying != null) {
            copySome(copying);
            return Math.max(1, total - done);
        }
        long left = repeatDestroyed();
        for (Iterator<SpaceId> spaces = tap.touched().iterator(); spaces.hasNext(); ) {
            SpaceId id = spaces.next();
            spaces.remove();
            try {
                long more = shipSome(id);
                if (more > 0) {
                    tap.touched().add(id);
                    left += more;
                }
            } catch (ProviderException | RuntimeException e) {
                tap.touched().add(id);
                throw e;
            }
        }
        if (left <= CAUGHT_UP && !suspects.isEmpty()) {
            int looked = suspects.size();
            dropEqualSuspects();
            // That took its time, in which others wrote.
            left = Math.max(left, looked > CAUGHT_UP ? looked : 0);
        }
        return left;
    }

    private void copySome(SpaceId id) throws ProviderException {
        byte[] from = next;
        int wanted = portion;
        List<Space.Entry> entries = primary.open(id).transact(tx -> tx.range(from, RecordTap.RESERVED, false, wanted));
        if (!entries.isEmpty()) {
            secondary.open(id).transact(tx -> {
                for (Space.Entry entry : entries) {
                    tx.put(entry.key(), entry.value());
                }
                return true;
            });
            done += entries.size();
            portion = portionAfter(entries, wanted);
            next = behind(entries.get(entries.size() - 1).key());
        }
        if (entries.size() < wanted) {
            whole.remove();
            next = START;
        }
    }

    private static int portionAfter(List<Space.Entry> entries, int wanted) {
        long bytes = entries.stream().mapToLong(entry -> entry.value().length).sum();
        if (bytes > PORTION_BYTES) {
            return Math.max(LEAST, wanted / 2);
        }
        return bytes < PORTION_BYTES / 4 ? Math.min(MOST, wanted * 2) : wanted;
    }

    /** The smallest key behind that one. */
    private static byte[] behind(byte[] key) {
        if (key.length < Space.MAX_KEY_BYTES) {
            return Arrays.copyOf(key, key.length + 1);
        }
        int last = key.length - 1;
        while (key[last] == (byte) 0xff) {
            last--;
        }
        byte[] behind = Arrays.copyOf(key, last + 1);
        behind[last]++;
        return behind;
    }

    /** Spaces that were destroyed: empty them there too, and copy them again if they exist again. */
    private long repeatDestroyed() throws ProviderException {
        IntentLog log = tap.destroyed();
        if (log == null) {
            return 0;
        }
        List<IntentLog.Told> told = log.told();
        if (told.isEmpty()) {
            return 0;
        }
        Set<String> names = new LinkedHashSet<>();
        told.forEach(each -> names.addAll(each.lines()));
        for (String name : names) {
            SpaceId id = new SpaceId(name);
            secondary.destroy(id);
            whole.add(id);
            changes++;
        }
        log.forget(told);
        return names.size();
    }

    /** Carries over what one portion of a space's journal names; how many entries may be left at most. */
    private long shipSome(SpaceId id) throws ProviderException {
        Noted noted = primary.open(id).transact(RecordFeed::noted);
        if (noted.entries().isEmpty()) {
            return 0;
        }
        secondary.open(id).transact(tx -> {
            for (Now now : noted.records()) {
                byte[] value = now.value();
                if (value == null) {
                    tx.delete(now.key());
                } else {
                    tx.put(now.key(), value);
                }
            }
            return true;
        });
        primary.open(id).transact(tx -> {
            for (byte[] entry : noted.entries()) {
                tx.delete(entry);
            }
            return true;
        });
        changes += noted.records().size();
        if (comparing) {
            noted.records().forEach(now -> suspect(id, now.key()));
        }
        return noted.left();
    }

    /** A portion of a journal with what its keys hold, of one moment and bounded size. */
    private static Noted noted(Space.Transaction tx) throws ProviderException {
        List<byte[]> entries = new ArrayList<>();
        Map<ByteBuffer, Now> records = new LinkedHashMap<>();
        long bytes = 0;
        List<Space.Entry> journal = tx.range(RecordTap.RESERVED, null, false, ENTRIES);
        for (Space.Entry entry : journal) {
            if (bytes > PORTION_BYTES) {
                break;
            }
            entries.add(entry.key());
            for (byte[] key : RecordTap.keysOf(entry.value())) {
                if (!records.containsKey(ByteBuffer.wrap(key))) {
                    byte[] value = tx.get(key);
                    records.put(ByteBuffer.wrap(key), new Now(key, value));
                    bytes += key.length + (value == null ? 0 : value.length);
                }
            }
        }
        return new Noted(entries, List.copyOf(records.values()), entries.isEmpty() ? 0 : left(tx, entries));
    }

    /** By the numbers of entries, which all spaces share. */
    private static long left(Space.Transaction tx, List<byte[]> entries) throws ProviderException {
        byte[] last = entries.get(entries.size() - 1);
        byte[] newest = tx.range(RecordTap.RESERVED, null, true, 1).get(0).key();
        return Math.max(0, RecordTap.numberOf(newest) - RecordTap.numberOf(last));
    }

    /**
     * @param entries keys of the journal's entries
     * @param left how many others there may be at most
     */
    private record Noted(List<byte[]> entries, List<Now> records, long left) {}

    /** A key and what it holds now; null if nothing. */
    private record Now(byte[] key, byte @Nullable [] value) {}

    // Comparing

    @Override
    public Mover.Compared verify(BooleanSupplier cancelled) throws ProviderException {
        suspects.clear();
        comparing = true;
        HashSum here = new HashSum();
        HashSum there = new HashSum();
        Set<SpaceId> spaces = new LinkedHashSet<>(primary.spaces());
        spaces.addAll(secondary.spaces());
        long rows = 0;
        for (SpaceId id : spaces) {
            rows += compare(id, here, there, cancelled);
        }
        return new Mover.Compared(rows, 0, here.hex(), there.hex(), suspects.size());
    }

    private long compare(SpaceId id, HashSum here, HashSum there, BooleanSupplier cancelled) throws ProviderException {
        Reader first = new Reader(primary, id);
        Reader second = new Reader(secondary, id);
        MessageDigest digest = HashSum.sha256();
        long rows = 0;
        while (true) {
            Space.Entry mine = first.peek();
            Space.Entry other = second.peek();
            if (mine == null && other == null) {
                return rows;
            }
            if (cancelled.getAsBoolean()) {
                throw new ProviderException(Kind.REJECTED, "handover.cancelled", "The comparison was called off.");
            }
            int order = mine == null ? 1 : other == null ? -1 : Arrays.compareUnsigned(mine.key(), other.key());
            if (order <= 0 && mine != null) {
                here.add(hash(digest, id, mine));
                first.advance();
            }
            if (order >= 0 && other != null) {
                there.add(hash(digest, id, other));
                second.advance();
                rows++;
            }
            if (order < 0 && mine != null) {
                suspect(id, mine.key());
            } else if (order > 0 && other != null) {
                suspect(id, other.key());
            } else if (mine != null && other != null && !Arrays.equals(mine.value(), other.value())) {
                suspect(id, mine.key());
            }
        }
    }

    private void suspect(SpaceId id, byte[] key) {
        suspects.add(new Named(id, ByteBuffer.wrap(key)));
    }

    private static byte[] hash(MessageDigest digest, SpaceId id, Space.Entry entry) {
        byte[] space = id.value().getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        digest.update((byte) space.length);
        digest.update(space);
        digest.update((byte) entry.key().length);
        digest.update(entry.key());
        digest.update(entry.value());
        return digest.digest();
    }

    /** What these keys hold; absent ones are left out. */
    private static Map<ByteBuffer, ByteBuffer> values(RecordStore store, SpaceId id, List<ByteBuffer> keys)
            throws ProviderException {
        return store.open(id).transact(tx -> {
            Map<ByteBuffer, ByteBuffer> values = new HashMap<>();
            for (ByteBuffer key : keys) {
                byte[] value = tx.get(key.array());
                if (value != null) {
                    values.put(key, ByteBuffer.wrap(value));
                }
            }
            return values;
        });
    }

    /** Who is equal once is equal for good: later changes are carried over and looked at again. */
    private void dropEqualSuspects() throws ProviderException {
        if (suspects.size() > MOST_SUSPECTS) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "handover.too-busy",
                    "More than " + MOST_SUSPECTS + " records changed while both stores were compared; try again when"
                            + " less is written.");
        }
        Map<SpaceId, List<ByteBuffer>> bySpace = new LinkedHashMap<>();
        for (Named named : suspects) {
            bySpace.computeIfAbsent(named.space(), any -> new ArrayList<>()).add(named.key());
        }
        for (Map.Entry<SpaceId, List<ByteBuffer>> space : bySpace.entrySet()) {
            List<ByteBuffer> keys = space.getValue();
            for (int from = 0; from < keys.size(); from += AT_ONCE) {
                List<ByteBuffer> part = keys.subList(from, Math.min(keys.size(), from + AT_ONCE));
                Map<ByteBuffer, ByteBuffer> here = values(primary, space.getKey(), part);
                Map<ByteBuffer, ByteBuffer> there = values(secondary, space.getKey(), part);
                for (ByteBuffer key : part) {
                    if (Objects.equals(here.get(key), there.get(key))) {
                        suspects.remove(new Named(space.getKey(), key));
                    }
                }
            }
        }
    }

    @Override
    public Mover.Settled settle() throws ProviderException {
        long before = changes;
        while (ship() > 0) {
            // Writers wait, so this ends.
        }
        long compared = suspects.size();
        dropEqualSuspects();
        if (!suspects.isEmpty()) {
            Named first = suspects.iterator().next();
            throw new ProviderException(
                    Kind.CORRUPT,
                    "handover.differs",
                    suspects.size() + " records differ between the two stores, the first in the space "
                            + first.space().value() + "; no change explains it. The old store serves on.");
        }
        return new Mover.Settled("journal", changes - before, compared);
    }

    /** Reads a space in order, in portions of bounded size. */
    private static final class Reader {
        private final Space space;
        private final Deque<Space.Entry> read = new ArrayDeque<>();
        private byte[] from = START;
        private int portion = LEAST;
        private boolean ended;

        Reader(RecordStore store, SpaceId id) throws ProviderException {
            space = store.open(id);
        }

        Space.@Nullable Entry peek() throws ProviderException {
            if (read.isEmpty() && !ended) {
                byte[] start = from;
                int wanted = portion;
                List<Space.Entry> entries = space.transact(tx -> tx.range(start, RecordTap.RESERVED, false, wanted));
                ended = entries.size() < wanted;
                portion = portionAfter(entries, wanted);
                read.addAll(entries);
                if (!entries.isEmpty()) {
                    from = behind(entries.get(entries.size() - 1).key());
                }
            }
            return read.peek();
        }

        void advance() {
            read.remove();
        }
    }
}
