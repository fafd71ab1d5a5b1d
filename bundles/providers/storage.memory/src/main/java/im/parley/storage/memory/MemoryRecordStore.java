package im.parley.storage.memory;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Records in sorted maps. Thread-safe: one lock, so one transaction of all spaces at a time. Nothing survives the
 * object. After {@code destroy} a space opened before is a view of the new, empty space of that id.
 */
public final class MemoryRecordStore implements RecordStore {
    private final Map<SpaceId, Committed> spaces = new HashMap<>();
    private boolean working;

    public MemoryRecordStore() {}

    @Override
    public Space open(SpaceId id) {
        return new MemorySpace(id);
    }

    @Override
    public synchronized void destroy(SpaceId id) {
        refuseInsideTransaction();
        spaces.remove(id);
    }

    @Override
    public synchronized List<SpaceId> spaces() {
        refuseInsideTransaction();
        return spaces.keySet().stream()
                .sorted(Comparator.comparing(SpaceId::value))
                .toList();
    }

    private void refuseInsideTransaction() {
        if (working) {
            throw new IllegalStateException("called from inside a transaction of this store");
        }
    }

    private static byte[] checkedKey(byte[] key) {
        if (key.length < 1 || key.length > Space.MAX_KEY_BYTES) {
            throw new IllegalArgumentException("a key has 1 to " + Space.MAX_KEY_BYTES + " bytes, not " + key.length);
        }
        return key.clone();
    }

    /** What one commit left behind; never changed afterwards. */
    private record Committed(long seq, NavigableMap<byte[], byte[]> records) {
        static Committed empty() {
            return new Committed(0, new TreeMap<>(Arrays::compareUnsigned));
        }
    }

    private final class MemorySpace implements Space {
        private final SpaceId id;

        MemorySpace(SpaceId id) {
            this.id = id;
        }

        @Override
        public <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException {
            synchronized (MemoryRecordStore.this) {
                refuseInsideTransaction();
                Committed before = spaces.getOrDefault(id, Committed.empty());
                CopyingTransaction transaction = new CopyingTransaction(before.records());
                working = true;
                R result;
                try {
                    result = work.run(transaction);
                } finally {
                    working = false;
                    transaction.end();
                }
                if (transaction.changed) {
                    spaces.put(id, new Committed(before.seq() + 1, transaction.records));
                }
                return result;
            }
        }

        @Override
        public long commitSeq() {
            synchronized (MemoryRecordStore.this) {
                return spaces.getOrDefault(id, Committed.empty()).seq();
            }
        }
    }

    /** Copies the whole space at the first change, so that a failing transaction leaves nothing. */
    private static final class CopyingTransaction implements Space.Transaction {
        private final Thread owner = Thread.currentThread();
        private NavigableMap<byte[], byte[]> records;
        private boolean changed;
        private boolean ended;

        CopyingTransaction(NavigableMap<byte[], byte[]> committed) {
            records = committed;
        }

        void end() {
            ended = true;
        }

        @Override
        public byte @Nullable [] get(byte[] key) {
            checkUsable();
            byte[] value = records.get(checkedKey(key));
            return value == null ? null : value.clone();
        }

        @Override
        public void put(byte[] key, byte[] value) {
            checkUsable();
            byte[] ownKey = checkedKey(key);
            if (value.length > Space.MAX_VALUE_BYTES) {
                throw new IllegalArgumentException(
                        "a value has at most " + Space.MAX_VALUE_BYTES + " bytes, not " + value.length);
            }
            own().put(ownKey, value.clone());
        }

        @Override
        public void delete(byte[] key) {
            checkUsable();
            byte[] ownKey = checkedKey(key);
            if (records.containsKey(ownKey)) {
                own().remove(ownKey);
            }
        }

        @Override
        public List<Space.Entry> range(byte[] from, byte @Nullable [] to, boolean reverse, int limit) {
            checkUsable();
            if (limit < 1) {
                throw new IllegalArgumentException("a range takes 1 record or more");
            }
            if (to != null && Arrays.compareUnsigned(from, to) >= 0) {
                return List.of();
            }
            NavigableMap<byte[], byte[]> part =
                    to == null ? records.tailMap(from, true) : records.subMap(from, true, to, false);
            List<Space.Entry> entries = new ArrayList<>();
            for (Map.Entry<byte[], byte[]> record : (reverse ? part.descendingMap() : part).entrySet()) {
                if (entries.size() == limit) {
                    break;
                }
                entries.add(new Space.Entry(
                        record.getKey().clone(), record.getValue().clone()));
            }
            return List.copyOf(entries);
        }

        private NavigableMap<byte[], byte[]> own() {
            if (!changed) {
                records = new TreeMap<>(records);
                changed = true;
            }
            return records;
        }

        private void checkUsable() {
            if (ended || Thread.currentThread() != owner) {
                throw new IllegalStateException("a transaction is used only by its own work, on its own thread");
            }
        }
    }
}
