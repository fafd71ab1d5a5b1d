package im.parley.outbox.simulation;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.SpaceId;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpaces;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Records that outlive their node, with the vault's interface and without its sealing. A transaction is applied whole or
 * not at all; it may be run twice, fail, or be the last thing its node does, before or after the commit.
 */
public final class MemoryRecords {
    private final Map<SpaceId, TreeMap<Key, Value>> spaces = new ConcurrentHashMap<>();
    private long commits;

    /** What may go wrong, each with its probability per transaction. */
    public static final class Faults {
        public double crashBefore;
        public double crashAfter;
        public double unavailable;
        /** The store has a fault that it cannot name. */
        public double broken;
        /** What was committed is reported as failed. */
        public double unsure;

        public double twice;
    }

    private record Key(int table, String name, byte[] order) implements Comparable<Key> {
        @Override
        public int compareTo(Key other) {
            int byTable = Integer.compare(table, other.table);
            int byName = byTable != 0 ? byTable : name.compareTo(other.name);
            return byName != 0 ? byName : Arrays.compareUnsigned(order, other.order);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Key key && compareTo(key) == 0;
        }

        @Override
        public int hashCode() {
            return 31 * name.hashCode() + Arrays.hashCode(order);
        }
    }

    /** Buckets that some transaction shredded, as often as it did. */
    public final List<Long> shredded = new java.util.concurrent.CopyOnWriteArrayList<>();

    /** What is kept, and the bucket it was put under; 0 for none. */
    private record Value(byte[] bytes, long bucket) {
        SealedSpace.Item item(Key key) {
            return new SealedSpace.Item(key.order().clone(), bytes.clone(), bucket);
        }
    }

    public long commits() {
        return commits;
    }

    /** The records as one life of a node sees them. */
    public SealedSpaces seenBy(Life life, RandomGenerator random, Faults faults) {
        return new SealedSpaces() {
            @Override
            public SealedSpace open(SpaceId id) {
                return new View(spaces.computeIfAbsent(id, unused -> new TreeMap<>()), life, random, faults);
            }

            @Override
            public void destroy(SpaceId id) {
                spaces.remove(id);
            }
        };
    }

    /** The records as an onlooker sees them who never fails. */
    public SealedSpaces observed() {
        return seenBy(new Life(), RandomGenerator.of("SplittableRandom"), new Faults());
    }

    /** All that is kept, by space: names and values, as somebody reads them who has every key. */
    public Map<String, String> texts() {
        Map<String, String> texts = new TreeMap<>();
        spaces.forEach((id, records) -> {
            StringBuilder text = new StringBuilder();
            records.forEach((key, value) -> text.append(key.name())
                    .append('\n')
                    .append(new String(value.bytes(), StandardCharsets.UTF_8))
                    .append('\n')
                    .append(HexFormat.of().formatHex(value.bytes()))
                    .append('\n'));
            texts.put(id.value(), text.toString());
        });
        return texts;
    }

    private final class View implements SealedSpace {
        private final TreeMap<Key, Value> records;
        private final Life life;
        private final RandomGenerator random;
        private final Faults faults;

        View(TreeMap<Key, Value> records, Life life, RandomGenerator random, Faults faults) {
            this.records = records;
            this.life = life;
            this.random = random;
            this.faults = faults;
        }

        @Override
        public <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException {
            synchronized (records) {
                return run(work);
            }
        }

        private <R extends @Nullable Object> R run(Work<R> work) throws ProviderException {
            crash(!life.alive());
            if (random.nextDouble() < faults.unavailable) {
                throw new ProviderException(Kind.UNAVAILABLE, "storage.io-error", "The store does not answer.");
            }
            if (random.nextDouble() < faults.broken) {
                throw new ProviderException(Kind.INTERNAL, "store.failed", "The store failed.");
            }
            if (random.nextDouble() < faults.twice) {
                work.run(new Changes(records));
            }
            Changes changes = new Changes(records);
            R result = work.run(changes);
            boolean writes = !changes.changed.isEmpty();
            crash(writes && random.nextDouble() < faults.crashBefore);
            changes.changed.forEach((key, value) -> {
                if (value.length == 0) {
                    records.remove(key);
                } else {
                    records.put(key, value[0]);
                }
            });
            commits += writes ? 1 : 0;
            crash(writes && random.nextDouble() < faults.crashAfter);
            if (writes && random.nextDouble() < faults.unsure) {
                throw new ProviderException(Kind.UNAVAILABLE, "storage.io-error", "The answer was lost.");
            }
            return result;
        }

        private void crash(boolean now) {
            if (now) {
                life.end();
                throw new SimulatedCrash();
            }
        }

        @Override
        public long tampered() {
            return 0;
        }
    }

    /** What a transaction has done so far: a key to one value, or to none if it was deleted. */
    private final class Changes implements SealedSpace.Tx {
        private static final int MAX_VALUE = (1 << 20) - 64;

        private final TreeMap<Key, Value> records;
        private final TreeMap<Key, Value[]> changed = new TreeMap<>();

        Changes(TreeMap<Key, Value> records) {
            this.records = records;
        }

        private static Key at(RecordKey key) {
            return new Key(key.table(), key.name(), key.order());
        }

        @Override
        public byte @Nullable [] get(RecordKey key) {
            SealedSpace.Item item = item(key);
            return item == null ? null : item.value();
        }

        @Override
        public SealedSpace.@Nullable Item item(RecordKey key) {
            Key k = at(key);
            Value[] mine = changed.get(k);
            Value value = mine == null ? records.get(k) : mine.length == 0 ? null : mine[0];
            return value == null ? null : value.item(k);
        }

        @Override
        public void put(RecordKey key, byte[] value) {
            put(key, value, 0);
        }

        @Override
        public void put(RecordKey key, byte[] value, long bucket) {
            if (value.length > MAX_VALUE) {
                throw new IllegalArgumentException("a value has at most 1 MiB minus 64 bytes");
            }
            changed.put(at(key), new Value[] {new Value(value.clone(), bucket)});
        }

        @Override
        public void delete(RecordKey key) {
            changed.put(at(key), new Value[0]);
        }

        @Override
        public void shred(long bucket) {
            shredded.add(bucket);
            changed.replaceAll((key, value) -> value.length == 1 && value[0].bucket == bucket ? new Value[0] : value);
            records.forEach((key, value) -> {
                if (value.bucket == bucket) {
                    changed.putIfAbsent(key, new Value[0]);
                }
            });
        }

        @Override
        public List<SealedSpace.Item> scan(RecordKey.Range range, boolean reverse, int limit) {
            Key from = new Key(range.table(), range.name(), range.from());
            TreeMap<Key, Value> all = new TreeMap<>();
            records.tailMap(from, true).forEach((key, value) -> {
                if (inside(range, key)) {
                    all.put(key, value);
                }
            });
            changed.tailMap(from, true).forEach((key, value) -> {
                if (inside(range, key)) {
                    if (value.length == 0) {
                        all.remove(key);
                    } else {
                        all.put(key, value[0]);
                    }
                }
            });
            List<SealedSpace.Item> items = new ArrayList<>();
            for (Map.Entry<Key, Value> entry : (reverse ? all.descendingMap() : all).entrySet()) {
                if (items.size() == limit) {
                    break;
                }
                items.add(entry.getValue().item(entry.getKey()));
            }
            return items;
        }

        private static boolean inside(RecordKey.Range range, Key key) {
            return key.table() == range.table()
                    && key.name().equals(range.name())
                    && (range.to().length == 0 || Arrays.compareUnsigned(key.order(), range.to()) < 0);
        }
    }
}
