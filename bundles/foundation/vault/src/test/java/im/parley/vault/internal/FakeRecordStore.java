package im.parley.vault.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The contract of a record store in memory, with hands in its data and a record of all it was ever shown. */
final class FakeRecordStore implements RecordStore, Slot<RecordStore> {
    static final Comparator<byte[]> UNSIGNED = Arrays::compareUnsigned;

    final Map<SpaceId, NavigableMap<byte[], byte[]>> spaces = new HashMap<>();
    final ByteArrayOutputStream seen = new ByteArrayOutputStream();
    int leases;
    int leased;
    boolean empty;
    int retries;

    @Nullable
    RuntimeException bug;

    /** Runs before or after a commit that changes something, and may throw. */
    @Nullable
    Runnable beforeCommit;

    @Nullable
    Runnable afterCommit;

    @Override
    public String name() {
        return "storage.records";
    }

    @Override
    public Lease<RecordStore> acquire() throws ProviderException {
        if (empty) {
            throw new ProviderException(Kind.UNAVAILABLE, "slot.empty", "nothing is open");
        }
        leases++;
        leased++;
        return new Lease<>() {
            private boolean open = true;

            @Override
            public RecordStore get() {
                if (!open) {
                    throw new IllegalStateException("closed lease");
                }
                return FakeRecordStore.this;
            }

            @Override
            public String instance() {
                return "fake~1";
            }

            @Override
            public boolean retiring() {
                return false;
            }

            @Override
            public void close() {
                if (open) {
                    open = false;
                    leased--;
                }
            }
        };
    }

    @Override
    public Status status() {
        return new Status(name(), empty ? "" : "fake~1", "", leased);
    }

    @Override
    public Space open(SpaceId id) {
        return new Space() {
            @Override
            public <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException {
                if (bug != null) {
                    throw bug;
                }
                NavigableMap<byte[], byte[]> before = spaces.computeIfAbsent(id, any -> new TreeMap<>(UNSIGNED));
                while (retries > 0) {
                    retries--;
                    work.run(new Tx(copy(before)));
                }
                Tx tx = new Tx(copy(before));
                R result = work.run(tx);
                boolean changes = !tx.rows.equals(before);
                if (changes && beforeCommit != null) {
                    beforeCommit.run();
                }
                spaces.put(id, tx.rows);
                if (changes && afterCommit != null) {
                    afterCommit.run();
                }
                return result;
            }

            @Override
            public long commitSeq() {
                return 0;
            }
        };
    }

    private static NavigableMap<byte[], byte[]> copy(NavigableMap<byte[], byte[]> rows) {
        NavigableMap<byte[], byte[]> copy = new TreeMap<>(UNSIGNED);
        copy.putAll(rows);
        return copy;
    }

    @Override
    public void destroy(SpaceId id) {
        spaces.remove(id);
    }

    @Override
    public List<SpaceId> spaces() {
        return spaces.keySet().stream()
                .sorted(Comparator.comparing(SpaceId::value))
                .toList();
    }

    NavigableMap<byte[], byte[]> rows(SpaceId id) {
        return spaces.computeIfAbsent(id, any -> new TreeMap<>(UNSIGNED));
    }

    /** As it is now, for another life. */
    FakeRecordStore fork() {
        FakeRecordStore fork = new FakeRecordStore();
        spaces.forEach((id, rows) -> fork.spaces.put(id, copy(rows)));
        return fork;
    }

    private final class Tx implements Space.Transaction {
        private final NavigableMap<byte[], byte[]> rows;

        Tx(NavigableMap<byte[], byte[]> rows) {
            this.rows = rows;
        }

        @Override
        public byte @Nullable [] get(byte[] key) {
            seen.writeBytes(key);
            byte[] value = rows.get(key);
            return value == null ? null : value.clone();
        }

        @Override
        public void put(byte[] key, byte[] value) {
            if (key.length < 1 || key.length > Space.MAX_KEY_BYTES || value.length > Space.MAX_VALUE_BYTES) {
                throw new IllegalArgumentException("out of bounds");
            }
            seen.writeBytes(key);
            seen.writeBytes(value);
            rows.put(key.clone(), value.clone());
        }

        @Override
        public void delete(byte[] key) {
            seen.writeBytes(key);
            rows.remove(key);
        }

        @Override
        public List<Space.Entry> range(byte[] from, byte @Nullable [] to, boolean reverse, int limit) {
            NavigableMap<byte[], byte[]> part = to == null
                    ? rows.tailMap(from, true)
                    : UNSIGNED.compare(from, to) >= 0 ? new TreeMap<>(UNSIGNED) : rows.subMap(from, true, to, false);
            List<Space.Entry> result = new ArrayList<>();
            for (Map.Entry<byte[], byte[]> row : (reverse ? part.descendingMap() : part).entrySet()) {
                if (result.size() == limit) {
                    break;
                }
                result.add(new Space.Entry(row.getKey().clone(), row.getValue().clone()));
            }
            return result;
        }
    }
}
