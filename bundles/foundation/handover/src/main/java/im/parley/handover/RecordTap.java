package im.parley.handover;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.slot.Mover;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A tap on a store of records. While it journals, each transaction also puts the keys it changed into a range of the same
 * space that users do not see: keys that begin with {@link #RESERVED}. Values are not written twice; who carries a key over
 * takes the value of that moment, so the order of the journal does not matter.
 */
final class RecordTap implements Mover.Tap, RecordStore {
    /** 17 bytes 0xff: a table that is not used, of a name that hashes to nothing but ones. */
    static final byte[] RESERVED = new byte[17];

    private static final int ENTRY_KEY_BYTES = RESERVED.length + Long.BYTES;
    private static final int CLEARED_AT_ONCE = 500;
    private static final String DESTROYED = "destroyed";

    static {
        Arrays.fill(RESERVED, (byte) 0xff);
    }

    private final RecordStore primary;
    private final Gate<RecordStore> gate = new Gate<>();
    private final AtomicLong lastEntry = new AtomicLong();
    private final Set<SpaceId> touched = ConcurrentHashMap.newKeySet();

    /** Of spaces destroyed; null while nothing is journalled. */
    private volatile @Nullable IntentLog journal;

    RecordTap(RecordStore primary) {
        this.primary = primary;
    }

    RecordStore primary() {
        return primary;
    }

    /** Spaces that may have entries in their journals. */
    Set<SpaceId> touched() {
        return touched;
    }

    @Nullable
    IntentLog destroyed() {
        return journal;
    }

    @Override
    public Object object() {
        return this;
    }

    @Override
    public void journal(Path directory) throws ProviderException {
        if (journal != null) {
            return;
        }
        IntentLog opened = IntentLog.open(Directories.made(directory).resolve(DESTROYED));
        try {
            for (SpaceId id : primary.spaces()) {
                List<Space.Entry> newest = primary.open(id).transact(tx -> tx.range(RESERVED, null, true, 1));
                if (!newest.isEmpty()) {
                    touched.add(id);
                    byte[] key = newest.get(0).key();
                    lastEntry.accumulateAndGet(numberOf(key), Math::max);
                }
            }
        } catch (ProviderException | RuntimeException e) {
            opened.close();
            throw e;
        }
        gate.alone(() -> journal = opened);
    }

    @Override
    public void quiet() throws ProviderException {
        IntentLog log = journal;
        gate.alone(() -> journal = null);
        if (log != null) {
            log.close();
        }
        touched.clear();
        for (SpaceId id : primary.spaces()) {
            Space space = primary.open(id);
            boolean more = true;
            while (more) {
                more = space.transact(tx -> {
                    List<Space.Entry> entries = tx.range(RESERVED, null, false, CLEARED_AT_ONCE);
                    for (Space.Entry entry : entries) {
                        tx.delete(entry.key());
                    }
                    return entries.size() == CLEARED_AT_ONCE;
                });
            }
        }
    }

    @Override
    public Mover.Feed feed(Object secondary, String position) throws ProviderException {
        return new RecordFeed(this, (RecordStore) secondary, position.isEmpty());
    }

    @Override
    public boolean hold(Duration limit) throws InterruptedException {
        return gate.hold(limit);
    }

    @Override
    public void redirect(Mover.Tap other) {
        gate.redirect((RecordStore) other.object());
    }

    @Override
    public void release() {
        gate.release();
    }

    // For users

    @Override
    public Space open(SpaceId id) {
        return new TappedSpace(id);
    }

    @Override
    public List<SpaceId> spaces() throws ProviderException {
        RecordStore other = gate.elsewhere();
        return other == null ? primary.spaces() : other.spaces();
    }

    @Override
    public void destroy(SpaceId id) throws ProviderException {
        RecordStore other = gate.enter();
        if (other != null) {
            other.destroy(id);
            return;
        }
        try {
            IntentLog log = journal;
            if (log == null) {
                primary.destroy(id);
                return;
            }
            long intent = log.append(List.of(id.value()));
            try {
                primary.destroy(id);
            } finally {
                log.done(intent);
            }
        } finally {
            gate.leave();
        }
    }

    private final class TappedSpace implements Space {
        private final SpaceId id;

        TappedSpace(SpaceId id) {
            this.id = id;
        }

        @Override
        public <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException {
            RecordStore other = gate.enter();
            if (other != null) {
                return other.open(id).transact(work);
            }
            try {
                Space space = primary.open(id);
                if (journal == null) {
                    return space.transact(tx -> work.run(new Hiding(tx)));
                }
                touched.add(id);
                return space.transact(tx -> {
                    Noting noting = new Noting(tx);
                    R result = work.run(noting);
                    noting.write();
                    return result;
                });
            } finally {
                // Again: the feed may have looked before the transaction was through.
                if (journal != null) {
                    touched.add(id);
                }
                gate.leave();
            }
        }

        @Override
        public long commitSeq() throws ProviderException {
            RecordStore other = gate.elsewhere();
            return (other == null ? primary : other).open(id).commitSeq();
        }
    }

    /** Hides the reserved range. */
    private static class Hiding implements Space.Transaction {
        final Space.Transaction tx;

        Hiding(Space.Transaction tx) {
            this.tx = tx;
        }

        private static byte[] own(byte[] key) {
            if (Arrays.compareUnsigned(key, RESERVED) >= 0) {
                throw new IllegalArgumentException("keys that begin with 17 bytes 0xff are reserved");
            }
            return key;
        }

        @Override
        public byte @Nullable [] get(byte[] key) throws ProviderException {
            return tx.get(own(key));
        }

        @Override
        public void put(byte[] key, byte[] value) throws ProviderException {
            tx.put(own(key), value);
        }

        @Override
        public void delete(byte[] key) throws ProviderException {
            tx.delete(own(key));
        }

        @Override
        public List<Space.Entry> range(byte[] from, byte @Nullable [] to, boolean reverse, int limit)
                throws ProviderException {
            byte[] end = to == null || Arrays.compareUnsigned(to, RESERVED) > 0 ? RESERVED : to;
            return tx.range(from, end, reverse, limit);
        }
    }

    /** Notes the keys that change. */
    private final class Noting extends Hiding {
        private final Set<ByteBuffer> changed = new LinkedHashSet<>();

        Noting(Space.Transaction tx) {
            super(tx);
        }

        @Override
        public void put(byte[] key, byte[] value) throws ProviderException {
            super.put(key, value);
            changed.add(ByteBuffer.wrap(key.clone()));
        }

        @Override
        public void delete(byte[] key) throws ProviderException {
            if (super.get(key) != null) {
                super.delete(key);
                changed.add(ByteBuffer.wrap(key.clone()));
            }
        }

        void write() throws ProviderException {
            List<byte[]> part = new ArrayList<>();
            int bytes = 0;
            for (ByteBuffer key : changed) {
                if (bytes + 1 + key.remaining() > Space.MAX_VALUE_BYTES) {
                    write(part, bytes);
                    part.clear();
                    bytes = 0;
                }
                part.add(key.array());
                bytes += 1 + key.remaining();
            }
            if (!part.isEmpty()) {
                write(part, bytes);
            }
        }

        private void write(List<byte[]> keys, int bytes) throws ProviderException {
            ByteBuffer value = ByteBuffer.allocate(bytes);
            keys.forEach(key -> value.put((byte) key.length).put(key));
            byte[] name = ByteBuffer.allocate(ENTRY_KEY_BYTES)
                    .put(RESERVED)
                    .putLong(lastEntry.incrementAndGet())
                    .array();
            tx.put(name, value.array());
        }
    }

    /** The number of an entry, by its key; 0 for a key that is none's. */
    static long numberOf(byte[] key) {
        return key.length == ENTRY_KEY_BYTES ? ByteBuffer.wrap(key).getLong(RESERVED.length) : 0;
    }

    /** The keys in an entry of the journal. */
    static List<byte[]> keysOf(byte[] entry) {
        ByteBuffer value = ByteBuffer.wrap(entry);
        List<byte[]> keys = new ArrayList<>();
        while (value.hasRemaining()) {
            byte[] key = new byte[value.get() & 0xff];
            value.get(key);
            keys.add(key);
        }
        return keys;
    }
}
