package im.parley.vault.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Space;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SpaceArchive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** One run of a transaction: hashes keys, seals and opens values. Not thread-safe. */
final class SealedTx implements SealedSpace.Tx {
    /** Values have up to 1 MiB, and most have a few hundred bytes. */
    private static final int PAGE = 64;

    private static final int MAX_PLAINTEXT = Space.MAX_VALUE_BYTES - 64;

    private final SpaceKeys keys;
    private final Buckets.@Nullable Run buckets;
    private final AtomicLong tampered;
    private final Space.Transaction tx;
    private boolean changes;

    /** @param buckets null if this node keeps none */
    SealedTx(SpaceKeys keys, Buckets.@Nullable Run buckets, AtomicLong tampered, Space.Transaction tx) {
        this.keys = keys;
        this.buckets = buckets;
        this.tampered = tampered;
        this.tx = tx;
    }

    /** After the work, before the store commits. */
    void finish() throws ProviderException {
        if (buckets != null) {
            buckets.finish(changes);
        }
    }

    void wipe() {
        if (buckets != null) {
            buckets.wipe();
        }
    }

    private Buckets.Run buckets() throws ProviderException {
        if (buckets == null) {
            throw new ProviderException(
                    Kind.UNAVAILABLE, "vault.no-buckets", "There is no place for the secrets of buckets here.");
        }
        return buckets;
    }

    /** A value in the clear, with its bucket. */
    private record Plain(byte[] value, long bucket) {}

    /** Null if its bucket was shredded. */
    private @Nullable Plain open(byte[] stored, byte[] sealed) throws ProviderException {
        KeyFile.Ref ref = SpaceKeys.bucketOf(sealed);
        byte[] value = null;
        long bucket = 0;
        if (ref == null) {
            value = keys.open(stored, sealed);
        } else {
            Buckets.Opened under = buckets().opening(ref);
            if (under != null) {
                value = keys.open(stored, sealed, under.key());
                bucket = under.bucket();
            } else if (keys.wasInBucket(stored, sealed)) {
                return null;
            }
        }
        if (value == null) {
            throw new ProviderException(
                    Kind.CORRUPT,
                    "store.tampered",
                    "A record is not what was written: the disk is damaged or somebody changed it. It is not shown; what"
                            + " came over the network can be fetched again.");
        }
        return new Plain(value, bucket);
    }

    /** Every record in the order of keys, so that who has the space's key alone can open it. */
    void readTo(SpaceArchive.Reader reader) throws ProviderException {
        byte[] from = {0};
        List<Space.Entry> entries;
        do {
            entries = tx.range(from, null, false, PAGE);
            for (Space.Entry entry : entries) {
                byte[] last = entry.key();
                from = Arrays.copyOf(last, last.length + 1);
                if (last[0] == RecordKey.VAULT_TABLE) {
                    continue;
                }
                if (SpaceKeys.bucketOf(entry.value()) == null) {
                    reader.record(entry.key(), entry.value());
                    continue;
                }
                Plain plain = open(entry.key(), entry.value());
                if (plain != null) {
                    reader.record(entry.key(), keys.portable(last, entry.value(), plain.value, plain.bucket));
                }
            }
        } while (entries.size() == PAGE);
    }

    /** Puts a record that {@link #readTo} showed. */
    void put(byte[] stored, byte[] portable) throws ProviderException {
        long bucket = SpaceKeys.portableBucket(portable);
        if (bucket == 0) {
            tx.put(stored, portable);
        } else {
            byte[] value = keys.openPortable(stored, portable);
            if (value == null) {
                throw new ProviderException(
                        Kind.CORRUPT, "store.tampered", "A record of the backup is not what was written.");
            }
            Buckets.Opened under = buckets().sealing(bucket);
            tx.put(stored, keys.seal(stored, value, under.ref(), under.key()));
        }
        changes = true;
    }

    private @Nullable Plain read(byte[] stored) throws ProviderException {
        byte[] sealed = tx.get(stored);
        try {
            return sealed == null ? null : open(stored, sealed);
        } catch (ProviderException e) {
            if (e.kind() == Kind.CORRUPT) {
                tampered.incrementAndGet();
            }
            throw e;
        }
    }

    private byte[] stored(RecordKey key) {
        return keys.key(key.table(), key.name(), key.order());
    }

    @Override
    public byte @Nullable [] get(RecordKey key) throws ProviderException {
        Plain plain = read(stored(key));
        return plain == null ? null : plain.value;
    }

    @Override
    public SealedSpace.@Nullable Item item(RecordKey key) throws ProviderException {
        Plain plain = read(stored(key));
        return plain == null ? null : new SealedSpace.Item(key.order(), plain.value, plain.bucket);
    }

    @Override
    public void put(RecordKey key, byte[] value) throws ProviderException {
        put(key, value, 0);
    }

    @Override
    public void put(RecordKey key, byte[] value, long bucket) throws ProviderException {
        if (value.length > MAX_PLAINTEXT) {
            throw new ProviderException(
                    Kind.REJECTED, "store.too-large", "A record has at most " + MAX_PLAINTEXT + " bytes.");
        }
        byte[] stored = stored(key);
        byte[] sealed;
        if (bucket == 0) {
            sealed = keys.seal(stored, value);
        } else {
            Buckets.Opened under = buckets().sealing(bucket);
            sealed = keys.seal(stored, value, under.ref(), under.key());
        }
        tx.put(stored, sealed);
        changes = true;
    }

    @Override
    public void delete(RecordKey key) throws ProviderException {
        tx.delete(stored(key));
        changes = true;
    }

    @Override
    public void shred(long bucket) throws ProviderException {
        if (bucket == 0) {
            throw new IllegalArgumentException("0 is no bucket");
        }
        buckets().shred(bucket);
        changes = true;
    }

    @Override
    public List<SealedSpace.Item> scan(RecordKey.Range range, boolean reverse, int limit) throws ProviderException {
        if (limit < 1) {
            throw new IllegalArgumentException("a scan has a limit of 1 or more");
        }
        byte[] from = keys.key(range.table(), range.name(), range.from());
        byte[] to = range.to().length == 0
                ? SpaceKeys.after(Arrays.copyOf(from, SpaceKeys.PREFIX))
                : keys.key(range.table(), range.name(), range.to());
        List<SealedSpace.Item> items = new ArrayList<>();
        // Again where damaged and shredded records were left out, so that they do not hide the ones behind them.
        while (items.size() < limit) {
            int asked = limit - items.size();
            List<Space.Entry> entries = tx.range(from, to, reverse, asked);
            for (Space.Entry entry : entries) {
                SealedSpace.Item item = item(entry);
                if (item != null) {
                    items.add(item);
                }
            }
            if (entries.size() < asked) {
                break;
            }
            byte[] last = entries.get(entries.size() - 1).key();
            if (reverse) {
                to = last;
            } else {
                // The smallest key behind it.
                from = Arrays.copyOf(last, last.length + 1);
            }
        }
        return items;
    }

    private SealedSpace.@Nullable Item item(Space.Entry entry) throws ProviderException {
        try {
            Plain plain = open(entry.key(), entry.value());
            return plain == null
                    ? null
                    : new SealedSpace.Item(
                            Arrays.copyOfRange(entry.key(), SpaceKeys.PREFIX, entry.key().length),
                            plain.value,
                            plain.bucket);
        } catch (ProviderException e) {
            if (e.kind() != Kind.CORRUPT) {
                throw e;
            }
            tampered.incrementAndGet();
            if (buckets != null && buckets.broken() && SpaceKeys.bucketOf(entry.value()) != null) {
                throw e;
            }
            return null;
        }
    }
}
