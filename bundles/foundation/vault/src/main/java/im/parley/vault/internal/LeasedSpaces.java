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
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpaces;
import im.parley.vault.SpaceArchive;
import java.security.SecureRandom;
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
@Component(name = LeasedSpaces.NAME, service = SealedSpaces.class, immediate = true)
public final class LeasedSpaces implements SealedSpaces {
    static final String NAME = "im.parley.vault.spaces";

    /** Whose secrets the keys of the spaces are. */
    static final String INSTANCE = "im.parley.vault~spaces";

    private static final Logger log = LoggerFactory.getLogger(LeasedSpaces.class);

    private final Slot<RecordStore> slot;
    private final Secrets secrets;
    private final @Nullable BucketFiles files;
    private final Sealing sealing;
    private final Map<SpaceId, Held> spaces = new ConcurrentHashMap<>();

    /** What is remembered of a space while the node runs. Transactions hold {@code use} for reading. */
    private static final class Held {
        final ReadWriteLock use = new ReentrantReadWriteLock();
        final AtomicLong tampered = new AtomicLong();
        volatile @Nullable Keys keys;
        // Guarded by use.
        boolean destroyed;
    }

    /** @param buckets null if there is no place for their secrets */
    private record Keys(SpaceKeys space, @Nullable Buckets buckets) {
        void destroy() {
            space.destroy();
            if (buckets != null) {
                buckets.close();
            }
        }
    }

    @Activate
    public LeasedSpaces(
            @Reference(target = "(parley.slot=storage.records)") Slot<RecordStore> slot,
            @Reference SecretsSource secrets,
            @Reference BucketFiles files,
            @Reference SecureRandom random) {
        this(slot, secrets.secretsFor(INSTANCE), files, random);
    }

    /** Without buckets, unless the secrets are of a vault, which has a place for them. */
    public LeasedSpaces(Slot<RecordStore> slot, SecretsSource secrets, SecureRandom random) {
        this(slot, secrets.secretsFor(INSTANCE), secrets instanceof BucketFiles own ? own : null, random);
    }

    private LeasedSpaces(Slot<RecordStore> slot, Secrets secrets, @Nullable BucketFiles files, SecureRandom random) {
        this.slot = slot;
        this.secrets = secrets;
        this.files = files;
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
        Keys keys = held.keys;
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
            // Whoever still works on it must not begin it anew.
            held.destroyed = true;
            finishDestroy(id);
        } finally {
            if (held.destroyed) {
                spaces.remove(id, held);
            }
            held.use.writeLock().unlock();
        }
    }

    /** As {@link SpaceArchive#read}, for a space that has a key. */
    void readTo(SpaceId id, SpaceArchive.Reader reader) throws ProviderException {
        new Sealed(id, held(id)).raw(tx -> {
            reader.begin();
            tx.readTo(reader);
        });
    }

    /** Puts records that {@link #readTo} showed, in one transaction. */
    void fill(SpaceId id, SpaceArchive.Source records) throws ProviderException {
        new Sealed(id, held(id)).raw(tx -> records.readTo(tx::put));
    }

    @FunctionalInterface
    private interface Raw {
        void run(SealedTx tx) throws ProviderException;
    }

    private void finishDestroy(SpaceId id) throws ProviderException {
        BucketFiles kept = files;
        if (kept != null) {
            SlotFile secretsOfBuckets = kept.file(id);
            PrivateFiles.run("destroy the secrets of buckets", secretsOfBuckets::erase);
        }
        try (Lease<RecordStore> lease = slot.acquire()) {
            lease.get().destroy(id);
        } catch (ProviderException e) {
            throw atBorder(e);
        }
        secrets.delete(markName(id));
    }

    // A space id has no underscore, so two ids never share a secret.
    static String keyName(SpaceId id) {
        return "key." + id.value().replace(':', '_');
    }

    static String markName(SpaceId id) {
        return "destroyed." + id.value().replace(':', '_');
    }

    private Keys keys(SpaceId id, Held held) throws ProviderException {
        Keys known = held.keys;
        if (known != null) {
            return known;
        }
        synchronized (held) {
            known = held.keys;
            if (known == null) {
                byte[] spaceKey = spaceKey(id);
                SpaceKeys keys = new SpaceKeys(id, spaceKey, sealing);
                Arrays.fill(spaceKey, (byte) 0);
                known = new Keys(keys, buckets(id, keys));
                held.keys = known;
            }
            return known;
        }
    }

    private @Nullable Buckets buckets(SpaceId id, SpaceKeys keys) throws ProviderException {
        BucketFiles kept = files;
        if (kept == null) {
            return null;
        }
        KeyFile file = new KeyFile(kept.file(id), kept.key(id), sealing);
        Buckets buckets = null;
        try {
            buckets = Buckets.open(keys, file, store(id));
            return buckets;
        } finally {
            if (buckets == null) {
                file.close();
            }
        }
    }

    private Buckets.Store store(SpaceId id) {
        return new Buckets.Store() {
            @Override
            public <R extends @Nullable Object> R transact(Space.Work<R> work) throws ProviderException {
                try (Lease<RecordStore> lease = slot.acquire()) {
                    return lease.get().open(id).transact(work);
                } catch (ProviderException e) {
                    throw atBorder(e);
                } catch (RuntimeException e) {
                    throw atBorder(e);
                }
            }
        };
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
        return store(id).transact(tx -> tx.range(new byte[] {0}, null, false, 1).isEmpty());
    }

    /** Without the cause, which may be of the store's classes and must not outlive its lease. */
    static ProviderException atBorder(ProviderException e) {
        if (e.getCause() == null) {
            return e;
        }
        log.warn("The record store failed with {}: {}", e.code(), e.getCause().toString());
        return new ProviderException(e.kind(), e.code(), e.getMessage());
    }

    private static ProviderException atBorder(RuntimeException e) {
        log.warn("The record store failed: {}", e.toString());
        return new ProviderException(
                Kind.INTERNAL, "store.failed", "The record store failed inside; the log says where.");
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
                if (held.destroyed) {
                    throw new ProviderException(
                            Kind.REJECTED, "store.destroyed", "These records were destroyed. Open the space anew.");
                }
                Keys keys = keys(id, held);
                Buckets buckets = keys.buckets;
                if (buckets == null) {
                    return transact(work, keys, null);
                }
                buckets.catchUp(store(id));
                Buckets.Call call = buckets.new Call();
                boolean committed = false;
                try {
                    R result = transact(work, keys, call);
                    committed = true;
                    return result;
                } finally {
                    call.over(committed);
                }
            } finally {
                held.use.readLock().unlock();
            }
        }

        void raw(Raw work) throws ProviderException {
            transact(tx -> {
                work.run((SealedTx) tx);
                return Boolean.TRUE;
            });
        }

        private <R extends @Nullable Object> R transact(Work<R> work, Keys keys, Buckets.@Nullable Call call)
                throws ProviderException {
            Guarded<R> guarded = new Guarded<>(work);
            try (Lease<RecordStore> lease = slot.acquire()) {
                return lease.get().open(id).transact(tx -> {
                    Buckets.Run buckets = call == null ? null : call.run(tx);
                    return guarded.run(new SealedTx(keys.space, buckets, held.tampered, tx));
                });
            } catch (ProviderException e) {
                throw atBorder(e);
            } catch (RuntimeException e) {
                if (e == guarded.thrown) {
                    throw e;
                }
                throw atBorder(e);
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

        R run(SealedTx tx) throws ProviderException {
            try {
                R result = run(work, tx);
                tx.finish();
                return result;
            } finally {
                tx.wipe();
            }
        }

        private R run(SealedSpace.Work<R> work, SealedTx tx) throws ProviderException {
            try {
                return work.run(tx);
            } catch (RuntimeException e) {
                thrown = e;
                throw e;
            }
        }
    }
}
