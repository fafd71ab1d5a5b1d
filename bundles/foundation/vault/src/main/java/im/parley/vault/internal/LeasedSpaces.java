package im.parley.vault.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.RecordStore;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.slot.Lease;
import im.parley.slot.SecretsSource;
import im.parley.slot.Slot;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpaces;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sealed spaces over whatever fills {@code storage.records}. The key of each space is a vault secret, made with its
 * first transaction and destroyed before its records, so that copies of them are lost too.
 */
@Component(name = "im.parley.vault.spaces", service = SealedSpaces.class, immediate = true)
public final class LeasedSpaces implements SealedSpaces {
    /** Whose secrets the keys of the spaces are. */
    static final String INSTANCE = "im.parley.vault~spaces";

    private static final Logger log = LoggerFactory.getLogger(LeasedSpaces.class);
    private static final int MAX_PLAINTEXT = Space.MAX_VALUE_BYTES - 64;

    private final Slot<RecordStore> slot;
    private final Secrets secrets;
    private final Sealing sealing;
    private final Map<SpaceId, Held> spaces = new ConcurrentHashMap<>();

    /** What is remembered of a space while the node runs. Transactions hold {@code use} for reading. */
    private static final class Held {
        final ReadWriteLock use = new ReentrantReadWriteLock();
        final AtomicLong tampered = new AtomicLong();
        volatile @Nullable SpaceKeys keys;
    }

    @Activate
    public LeasedSpaces(
            @Reference(target = "(parley.slot=storage.records)") Slot<RecordStore> slot,
            @Reference SecretsSource secrets,
            @Reference SecureRandom random) {
        this.slot = slot;
        this.secrets = secrets.secretsFor(INSTANCE);
        this.sealing = new Sealing(random);
    }

    @Deactivate
    void deactivate() {
        for (Held held : spaces.values()) {
            // Without waiting: a transaction that still runs keeps its keys, and they go with the bundle.
            if (held.use.writeLock().tryLock()) {
                try {
                    forget(held);
                } finally {
                    held.use.writeLock().unlock();
                }
            }
        }
    }

    private static void forget(Held held) {
        SpaceKeys keys = held.keys;
        held.keys = null;
        if (keys != null) {
            keys.destroy();
        }
    }

    private Held held(SpaceId id) {
        return spaces.computeIfAbsent(id, any -> new Held());
    }

    @Override
    public SealedSpace open(SpaceId id) {
        return new Sealed(id, held(id));
    }

    @Override
    public void destroy(SpaceId id) throws ProviderException {
        Held held = held(id);
        held.use.writeLock().lock();
        try {
            // The mark first: if the store is not there now, the records are removed before the space is used again.
            secrets.write(markName(id), new byte[0], null);
            secrets.delete(keyName(id));
            forget(held);
            finishDestroy(id);
        } finally {
            held.use.writeLock().unlock();
        }
    }

    private void finishDestroy(SpaceId id) throws ProviderException {
        try (Lease<RecordStore> lease = slot.acquire()) {
            lease.get().destroy(id);
        } catch (ProviderException e) {
            throw atBorder(e);
        }
        secrets.delete(markName(id));
    }

    // A space id has no underscore, so two ids never share a secret.
    private static String keyName(SpaceId id) {
        return "key." + id.value().replace(':', '_');
    }

    private static String markName(SpaceId id) {
        return "destroyed." + id.value().replace(':', '_');
    }

    private SpaceKeys keys(SpaceId id, Held held) throws ProviderException {
        SpaceKeys known = held.keys;
        if (known != null) {
            return known;
        }
        synchronized (held) {
            known = held.keys;
            if (known == null) {
                byte[] spaceKey = spaceKey(id);
                known = new SpaceKeys(id, spaceKey, sealing);
                Arrays.fill(spaceKey, (byte) 0);
                held.keys = known;
            }
            return known;
        }
    }

    private byte[] spaceKey(SpaceId id) throws ProviderException {
        List<String> names = secrets.names();
        if (names.contains(keyName(id))) {
            byte[] key = secrets.read(keyName(id));
            if (key.length != SpaceKeys.KEY) {
                throw VaultKeys.tampered("The key of a space has a wrong length; restore the vault from a backup.");
            }
            return key;
        }
        if (names.contains(markName(id))) {
            finishDestroy(id);
        }
        if (!empty(id)) {
            throw new ProviderException(
                    Kind.CORRUPT,
                    "store.key-missing",
                    "The record store holds the space " + id.value()
                            + ", but the vault has no key for it. Restore the vault that belongs to this store; nothing was"
                            + " changed.");
        }
        byte[] key = sealing.bytes(SpaceKeys.KEY);
        secrets.write(keyName(id), key, null);
        return key;
    }

    private boolean empty(SpaceId id) throws ProviderException {
        try (Lease<RecordStore> lease = slot.acquire()) {
            return lease.get()
                    .open(id)
                    .transact(tx -> tx.range(new byte[] {0}, null, false, 1).isEmpty());
        } catch (ProviderException e) {
            throw atBorder(e);
        }
    }

    /** Without the cause, which may be of the store's classes and must not outlive its lease. */
    private static ProviderException atBorder(ProviderException e) {
        if (e.getCause() == null) {
            return e;
        }
        log.warn("The record store failed with {}: {}", e.code(), e.getCause().toString());
        return new ProviderException(e.kind(), e.code(), e.getMessage());
    }

    private final class Sealed implements SealedSpace {
        private final SpaceId id;
        private final Held held;

        Sealed(SpaceId id, Held held) {
            this.id = id;
            this.held = held;
        }

        @Override
        public <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException {
            held.use.readLock().lock();
            try {
                SpaceKeys keys = keys(id, held);
                Guarded<R> guarded = new Guarded<>(work);
                try (Lease<RecordStore> lease = slot.acquire()) {
                    return lease.get().open(id).transact(tx -> guarded.run(new SealedTx(keys, held, tx)));
                } catch (ProviderException e) {
                    throw atBorder(e);
                } catch (RuntimeException e) {
                    if (e == guarded.thrown) {
                        throw e;
                    }
                    log.warn("The record store failed: {}", e.toString());
                    throw new ProviderException(
                            Kind.INTERNAL, "store.failed", "The record store failed inside; the log says where.");
                }
            } finally {
                held.use.readLock().unlock();
            }
        }

        @Override
        public long tampered() {
            return held.tampered.get();
        }
    }

    /** Tells the caller's own bugs from the store's. */
    private static final class Guarded<R extends @Nullable Object> {
        private final SealedSpace.Work<R> work;
        private volatile @Nullable RuntimeException thrown;

        Guarded(SealedSpace.Work<R> work) {
            this.work = work;
        }

        R run(SealedSpace.Tx tx) throws ProviderException {
            try {
                return work.run(tx);
            } catch (RuntimeException e) {
                thrown = e;
                throw e;
            }
        }
    }

    private record SealedTx(SpaceKeys keys, Held held, Space.Transaction tx) implements SealedSpace.Tx {
        @Override
        public byte @Nullable [] get(RecordKey key) throws ProviderException {
            byte[] stored = keys.key(key.table(), key.name(), key.order());
            byte[] sealed = tx.get(stored);
            if (sealed == null) {
                return null;
            }
            byte[] value = keys.open(stored, sealed);
            if (value == null) {
                held.tampered.incrementAndGet();
                throw new ProviderException(
                        Kind.CORRUPT,
                        "store.tampered",
                        "A record is not what was written: the disk is damaged or somebody changed it. It is not shown; what"
                                + " came over the network can be fetched again.");
            }
            return value;
        }

        @Override
        public void put(RecordKey key, byte[] value) throws ProviderException {
            if (value.length > MAX_PLAINTEXT) {
                throw new ProviderException(
                        Kind.REJECTED, "store.too-large", "A record has at most " + MAX_PLAINTEXT + " bytes.");
            }
            byte[] stored = keys.key(key.table(), key.name(), key.order());
            tx.put(stored, keys.seal(stored, value));
        }

        @Override
        public void delete(RecordKey key) throws ProviderException {
            tx.delete(keys.key(key.table(), key.name(), key.order()));
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
            // Again where damaged records were left out, so that they do not hide the ones behind them.
            while (items.size() < limit) {
                int asked = limit - items.size();
                List<Space.Entry> entries = tx.range(from, to, reverse, asked);
                for (Space.Entry entry : entries) {
                    byte[] value = keys.open(entry.key(), entry.value());
                    if (value == null) {
                        held.tampered.incrementAndGet();
                    } else {
                        items.add(new SealedSpace.Item(
                                Arrays.copyOfRange(entry.key(), SpaceKeys.PREFIX, entry.key().length), value));
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
    }
}
