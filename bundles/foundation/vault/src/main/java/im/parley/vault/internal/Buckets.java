package im.parley.vault.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Space;
import im.parley.vault.RecordKey;
import im.parley.vault.internal.KeyFile.Found;
import im.parley.vault.internal.KeyFile.Ref;
import im.parley.vault.internal.KeyFile.Standing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The buckets of one space: which secret is whose, as records of the space itself, so that a transaction decides it; and
 * the file of the secrets. Thread-safe.
 *
 * <pre>
 * table 15   name               order          value, sealed like any other
 *            "bucket." number   -              slot u64, serial u64 of each of its secrets; the last is used for what is put
 *            "secret"           serial         id[16] of the file, slot u64: this secret is needed
 *            "shred"            slot, serial   empty: this secret must be destroyed, or it was
 * </pre>
 *
 * A secret is on disk before a transaction that uses it commits. It is destroyed after the transaction that shreds it has
 * committed, which leaves a row of {@code shred}; whoever opens the space next goes on where that was cut off. The row is
 * removed by a later transaction that changes something anyway, once the secret is overwritten on disk.
 *
 * <p>The newest row of {@code secret} shows whether the file is the one that belongs to these records and no older copy of
 * it, so that a file that was lost is never taken for buckets that were shredded.
 */
final class Buckets {
    private static final Logger log = LoggerFactory.getLogger(Buckets.class);
    private static final int TABLE = RecordKey.VAULT_TABLE;
    private static final String SECRET = "secret";
    private static final String SHRED = "shred";
    private static final int PORTION = 1_000;
    private static final int CLEARED_AT_ONCE = 64;
    private static final int MOST_SPARE = 4_096;
    private static final int REF = 2 * Long.BYTES;

    private final SpaceKeys keys;
    private final KeyFile file;

    // All guarded by this.
    /** Why nothing in a bucket can be used; null if it can. */
    private @Nullable ProviderException problem;

    private long lastSerial;
    private boolean told;
    /** Destroyed on disk; their rows can go. */
    private final Set<Ref> over = new LinkedHashSet<>();
    /** Secrets of transactions that failed, as far as one can know that: for the next time, by bucket. */
    private final Map<Long, Ref> spare = new HashMap<>();

    /** Held while one catches up, for which the others wait. */
    private final Object catchingUp = new Object();
    /** Transactions that shred and may or may not have been committed, and how many of them were looked into. */
    private final AtomicLong doubtful = new AtomicLong();

    private final AtomicLong settled = new AtomicLong();

    private Buckets(SpaceKeys keys, KeyFile file) {
        this.keys = keys;
        this.file = file;
    }

    /** What the vault must look at in a transaction before the space is used. */
    private record Rows(Space.@Nullable Entry newest, List<Ref> doomed) {}

    /** Runs work in one transaction of the space. */
    interface Store {
        <R extends @Nullable Object> R transact(Space.Work<R> work) throws ProviderException;
    }

    /** Compares the file with the records, and destroys what should have been by now. */
    static Buckets open(SpaceKeys keys, KeyFile file, Store store) throws ProviderException {
        Buckets buckets = new Buckets(keys, file);
        buckets.compare(store);
        return buckets;
    }

    private synchronized void compare(Store store) throws ProviderException {
        Rows rows = store.transact(tx -> {
            byte[] first = keys.key(TABLE, SECRET, new byte[0]);
            List<Space.Entry> newest = tx.range(first, SpaceKeys.after(first), true, 1);
            return new Rows(newest.isEmpty() ? null : newest.get(0), doomed(tx));
        });
        if (rows.newest == null && rows.doomed.isEmpty()) {
            return;
        }
        try {
            if (rows.newest != null) {
                problem = problem(rows.newest);
            } else if (file.state() == KeyFile.State.DAMAGED) {
                // Nothing needs it, and which of its slots was to be destroyed it cannot tell.
                file.discard();
            }
        } catch (IOException e) {
            throw failed("read", e);
        }
        if (problem != null) {
            log.error("{}: {}", problem.code(), problem.getMessage());
            return;
        }
        destroy(rows.doomed);
    }

    private List<Ref> doomed(Space.Transaction tx) throws ProviderException {
        List<Ref> doomed = new ArrayList<>();
        byte[] from = keys.key(TABLE, SHRED, new byte[0]);
        byte[] to = SpaceKeys.after(from);
        while (true) {
            List<Space.Entry> rows = tx.range(from, to, false, PORTION);
            for (Space.Entry row : rows) {
                // One that does not open was put there by somebody else.
                if (keys.open(row.key(), row.value()) != null) {
                    doomed.add(ref(ByteBuffer.wrap(row.key(), SpaceKeys.PREFIX, REF)));
                }
            }
            if (rows.size() < PORTION) {
                return doomed;
            }
            byte[] last = rows.get(rows.size() - 1).key();
            from = Arrays.copyOf(last, last.length + 1);
        }
    }

    private static Ref ref(ByteBuffer in) {
        return new Ref(in.getLong(), in.getLong());
    }

    private @Nullable ProviderException problem(Space.Entry newest) throws IOException {
        byte[] row = keys.open(newest.key(), newest.value());
        if (row == null || row.length != KeyFile.ID + Long.BYTES) {
            return tampered();
        }
        lastSerial = ByteBuffer.wrap(newest.key()).getLong(SpaceKeys.PREFIX);
        return switch (file.state()) {
            case ABSENT, UNREAD -> missing("is gone");
            case DAMAGED -> missing("is damaged");
            case GOOD -> {
                if (!MessageDigest.isEqual(file.id(), Arrays.copyOf(row, KeyFile.ID))) {
                    yield missing("is another one");
                }
                Found found = file.find(new Ref(ByteBuffer.wrap(row).getLong(KeyFile.ID), lastSerial));
                Arrays.fill(found.secret(), (byte) 0);
                yield found.standing() == Standing.MISSING ? missing("is older than the records") : null;
            }
        };
    }

    private static ProviderException missing(String what) {
        return new ProviderException(
                Kind.CORRUPT,
                "store.key-missing",
                "The record store holds records in buckets, but the vault's file of their secrets " + what
                        + ". Restore the vault that belongs to this store; nothing was changed.");
    }

    private static ProviderException tampered() {
        return new ProviderException(
                Kind.CORRUPT,
                "store.tampered",
                "A record of the vault itself is not what was written: the disk is damaged or somebody changed it. Records in"
                        + " buckets cannot be written.");
    }

    private static ProviderException failed(String what, IOException e) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "vault.io-error",
                "The vault could not " + what + " the secret of a bucket: " + e
                        + ". Check the disk, its free space and who owns the directory.");
    }

    private synchronized void check() throws ProviderException {
        if (problem != null) {
            throw new ProviderException(problem.kind(), problem.code(), problem.getMessage());
        }
    }

    private synchronized boolean broken() {
        return problem != null;
    }

    /** Before a transaction: goes on with what could not be destroyed, or may have been committed by a failing store. */
    void catchUp(Store store) throws ProviderException {
        if (doubtful.get() == settled.get() && !file.unfinished()) {
            return;
        }
        synchronized (catchingUp) {
            long until = doubtful.get();
            destroy(until == settled.get() ? List.of() : store.transact(this::doomed));
            settled.set(until);
        }
    }

    private void destroy(Collection<Ref> refs) {
        synchronized (this) {
            if (problem != null) {
                return;
            }
            spare.values().removeAll(refs);
        }
        try {
            file.destroy(refs);
            synchronized (this) {
                told = false;
                over.addAll(refs);
            }
        } catch (IOException e) {
            synchronized (this) {
                // Its rows stay, and the next start finds them.
                if (!told) {
                    log.warn(
                            "Secrets of shredded buckets are not overwritten yet, which is tried again: {}",
                            e.toString());
                }
                told = true;
            }
        }
    }

    /** Nobody uses it any more. */
    void close() {
        file.close();
    }

    /** One call of a transaction, whose work may run more than once. */
    final class Call {
        /** Secrets made for this call, by bucket; a run that is repeated takes the same ones. */
        private final Map<Long, List<Ref>> made = new HashMap<>();

        private @Nullable Run last;
        private boolean shreds;

        Run run(Space.Transaction tx) {
            Run run = new Run(this, tx);
            last = run;
            return run;
        }

        /** After the store's answer. */
        void over(boolean committed) {
            Run run = last;
            Set<Ref> used = new LinkedHashSet<>();
            if (committed && run != null) {
                used.addAll(run.taken);
                synchronized (Buckets.this) {
                    over.removeAll(run.cleared);
                }
            }
            made.forEach((bucket, refs) -> {
                for (Ref ref : file.abandon(
                        refs.stream().filter(ref -> !used.contains(ref)).toList())) {
                    keep(bucket, ref);
                }
            });
            if (!committed && shreds) {
                doubtful.incrementAndGet();
            } else if (run != null && !run.shredded.isEmpty()) {
                destroy(run.shredded);
            }
        }

        private void keep(long bucket, Ref ref) {
            synchronized (Buckets.this) {
                if (spare.size() < MOST_SPARE) {
                    spare.put(bucket, ref);
                }
            }
        }
    }

    /** A secret in use by one run of a transaction; its key is overwritten at the end of the run. */
    record Opened(Ref ref, long bucket, byte[] key) {}

    /** What one run of a transaction does with buckets. Not thread-safe. */
    final class Run {
        private final Call call;
        private final Space.Transaction tx;
        private final Map<Long, Opened> current = new HashMap<>();
        private final Map<Ref, Opened> opened = new HashMap<>();
        private final Set<Ref> taken = new LinkedHashSet<>();
        private final Set<Ref> shredded = new LinkedHashSet<>();
        private List<Ref> cleared = List.of();

        Run(Call call, Space.Transaction tx) {
            this.call = call;
            this.tx = tx;
        }

        private byte[] row(long bucket) {
            return keys.key(TABLE, "bucket." + Long.toUnsignedString(bucket), new byte[0]);
        }

        private static byte[] order(long... fields) {
            return RecordKey.order(fields);
        }

        private void put(byte[] key, byte[] value) throws ProviderException {
            tx.put(key, keys.seal(key, value));
        }

        private List<Ref> refs(byte[] row) throws ProviderException {
            byte[] sealed = tx.get(row);
            if (sealed == null) {
                return List.of();
            }
            byte[] value = keys.open(row, sealed);
            if (value == null || value.length % REF != 0) {
                throw tampered();
            }
            List<Ref> refs = new ArrayList<>();
            for (ByteBuffer in = ByteBuffer.wrap(value); in.hasRemaining(); ) {
                refs.add(ref(in));
            }
            return refs;
        }

        /** Whether none of them can be used. */
        boolean broken() {
            return Buckets.this.broken();
        }

        /** What seals a value that is put under that bucket now. */
        Opened sealing(long bucket) throws ProviderException {
            Opened known = current.get(bucket);
            if (known != null) {
                return known;
            }
            check();
            byte[] row = row(bucket);
            List<Ref> refs = new ArrayList<>(refs(row));
            Opened using = null;
            if (!refs.isEmpty()) {
                Ref newest = refs.get(refs.size() - 1);
                Sought sought = seek(newest);
                if (sought.standing == Standing.MISSING) {
                    throw missing("does not have all of them");
                }
                using = sought.opened;
            }
            if (using == null) {
                // The first one; or the last is gone, with an older store, or its slot is damaged, and is shredded with
                // the new.
                using = take(bucket);
                refs.add(using.ref);
                ByteBuffer value = ByteBuffer.allocate(REF * refs.size());
                refs.forEach(ref -> value.putLong(ref.slot()).putLong(ref.serial()));
                put(row, value.array());
                put(
                        keys.key(TABLE, SECRET, order(using.ref.serial())),
                        ByteBuffer.allocate(KeyFile.ID + Long.BYTES)
                                .put(file.id())
                                .putLong(using.ref.slot())
                                .array());
            }
            current.put(bucket, using);
            return using;
        }

        private Opened take(long bucket) throws ProviderException {
            List<Ref> mine = call.made.computeIfAbsent(bucket, any -> new ArrayList<>());
            for (Ref ref : mine) {
                if (!taken.contains(ref)) {
                    return taken(ref);
                }
            }
            Ref ref = spare(bucket);
            if (ref == null) {
                try {
                    ref = file.allocate(bucket, serials());
                } catch (IOException e) {
                    throw failed("keep", e);
                }
            }
            mine.add(ref);
            return taken(ref);
        }

        private Opened taken(Ref ref) throws ProviderException {
            Opened using = seek(ref).opened;
            if (using == null) {
                throw failed("keep", new IOException("what was written is not there"));
            }
            taken.add(ref);
            return using;
        }

        private @Nullable Ref spare(long bucket) throws ProviderException {
            Ref ref;
            synchronized (Buckets.this) {
                ref = spare.remove(bucket);
            }
            // Its transaction may have been committed after all, and the bucket shredded since.
            return ref == null || tx.get(shred(ref)) != null || seek(ref).standing != Standing.LIVE ? null : ref;
        }

        private long serials() {
            synchronized (Buckets.this) {
                return lastSerial;
            }
        }

        private byte[] shred(Ref ref) {
            return keys.key(TABLE, SHRED, order(ref.slot(), ref.serial()));
        }

        /** @param opened null unless it is live */
        private record Sought(Standing standing, @Nullable Opened opened) {}

        private Sought seek(Ref ref) throws ProviderException {
            if (shredded.contains(ref)) {
                return new Sought(Standing.GONE, null);
            }
            Opened known = opened.get(ref);
            if (known != null) {
                return new Sought(Standing.LIVE, known);
            }
            Found found;
            try {
                found = file.find(ref);
            } catch (IOException e) {
                throw failed("read", e);
            }
            if (found.standing() != Standing.LIVE) {
                return new Sought(found.standing(), null);
            }
            Opened now = new Opened(ref, found.bucket(), keys.bucketKey(found.secret()));
            Arrays.fill(found.secret(), (byte) 0);
            opened.put(ref, now);
            return new Sought(Standing.LIVE, now);
        }

        /**
         * What opens a value that names this secret; null if it was shredded.
         *
         * @throws ProviderException {@code CORRUPT store.key-missing}
         */
        @Nullable
        Opened opening(Ref ref) throws ProviderException {
            if (broken()) {
                check();
            }
            Sought sought = seek(ref);
            return switch (sought.standing) {
                case LIVE -> sought.opened;
                case GONE -> null;
                case MISSING -> throw missing("does not have this one");
                case DAMAGED -> throw missing("is damaged at this one");
            };
        }

        void shred(long bucket) throws ProviderException {
            check();
            byte[] row = row(bucket);
            List<Ref> refs = refs(row);
            if (refs.isEmpty()) {
                return;
            }
            for (Ref ref : refs) {
                put(shred(ref), new byte[0]);
                tx.delete(keys.key(TABLE, SECRET, order(ref.serial())));
                shredded.add(ref);
                Opened known = opened.remove(ref);
                if (known != null) {
                    Arrays.fill(known.key, (byte) 0);
                }
            }
            tx.delete(row);
            current.remove(bucket);
            call.shreds = true;
        }

        /**
         * Before the work returns to the store, which then commits.
         *
         * @param changes whether it changed something
         */
        void finish(boolean changes) throws ProviderException {
            try {
                if (!taken.isEmpty()) {
                    file.force(taken);
                }
            } catch (IOException e) {
                throw failed("keep", e);
            }
            if (changes) {
                synchronized (Buckets.this) {
                    cleared = over.stream().limit(CLEARED_AT_ONCE).toList();
                }
                for (Ref ref : cleared) {
                    tx.delete(shred(ref));
                }
            }
        }

        void wipe() {
            opened.values().forEach(each -> Arrays.fill(each.key, (byte) 0));
            opened.clear();
            current.clear();
        }
    }
}
