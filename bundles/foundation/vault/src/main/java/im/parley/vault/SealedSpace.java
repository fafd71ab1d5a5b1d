package im.parley.vault;

import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ProviderType;

/**
 * A space of sealed records, addressed by {@link RecordKey}. Thread-safe; blocks on disk.
 *
 * <p>Failures of the store are passed on, among them {@code UNAVAILABLE slot.empty}; {@code CORRUPT store.key-missing}
 * means that the store holds records which the vault has no key for.
 *
 * <h2>Buckets</h2>
 *
 * A record may be put under a bucket: a number that the caller chooses, from 1 to 2<sup>64</sup> - 1 (unsigned), per space.
 * Its value is then sealed under the key of the space and a random secret of that bucket. To shred the bucket destroys the
 * secret, and with it all that was ever sealed under it: also what a store keeps in free pages, logs and journals, and what
 * others copied. The records themselves stay where they are until they are deleted or replaced, and read as absent.
 *
 * <p>A record whose secret is not known to have been destroyed but is not there either, because the vault's file of secrets
 * is damaged, gone or an older one, is never absent: reading it is {@code CORRUPT store.key-missing}.
 */
@ProviderType
public interface SealedSpace {
    /**
     * One serialisable, durable transaction; see {@code im.parley.api.storage.Space#transact}. The work may be run again.
     *
     * @throws ProviderException also {@code CORRUPT store.tampered} if a record read does not open, {@code CORRUPT
     *     store.key-missing} if it is in a bucket whose secret is not there
     */
    <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException;

    /** A single read outside a transaction. */
    default byte @Nullable [] get(RecordKey key) throws ProviderException {
        return transact(tx -> Optional.ofNullable(tx.get(key))).orElse(null);
    }

    /** {@link #transact} for work without a result. */
    default void update(Update work) throws ProviderException {
        transact(tx -> {
            work.run(tx);
            return Boolean.TRUE;
        });
    }

    /** The body of a transaction. */
    @FunctionalInterface
    interface Work<R extends @Nullable Object> {
        R run(Tx tx) throws ProviderException;
    }

    /** The body of a transaction without a result. */
    @FunctionalInterface
    interface Update {
        void run(Tx tx) throws ProviderException;
    }

    /** Reads and writes inside a transaction; sees its own writes. */
    @ProviderType
    interface Tx {
        byte @Nullable [] get(RecordKey key) throws ProviderException;

        /** @param value at most 1 MiB minus 64 bytes, plaintext; sealed on the way */
        void put(RecordKey key, byte[] value) throws ProviderException;

        /**
         * The same, under a bucket too. The first record of a bucket costs a write to disk more, before the transaction
         * commits. A record that is put again is where it was put last: its former value is under its former bucket still.
         *
         * @param bucket unsigned; 0 for none
         * @throws ProviderException also {@code UNAVAILABLE vault.io-error} if its secret cannot be kept; {@code CORRUPT
         *     store.key-missing} if the space's secrets are not there
         */
        void put(RecordKey key, byte[] value, long bucket) throws ProviderException;

        void delete(RecordKey key) throws ProviderException;

        /**
         * Has all that was ever put under this bucket destroyed when the transaction commits, after which it can be used anew;
         * if the transaction fails nothing is destroyed. In this transaction what was put before is absent at once. When
         * {@link SealedSpace#transact} returns, the secret is overwritten in memory and on disk; if the disk refuses, or the
         * node stops between, that is done as soon as it can be, and before the space is read again.
         *
         * <p>Who reads in another transaction at that very moment may find some records of the bucket absent and others not.
         *
         * @param bucket unsigned, not 0; one that was never used is fine
         */
        void shred(long bucket) throws ProviderException;

        /** A record with its bucket, as a {@link #scan} would give it; null if absent. */
        @Nullable
        Item item(RecordKey key) throws ProviderException;

        /**
         * Records of one table and name whose order fields are {@code >= from} and {@code < to} (either may be empty for
         * no bound), in order or in reverse.
         *
         * <p>A record that does not open is left out and reported through {@link SealedSpace#tampered}; if all secrets of
         * buckets are gone, the scan is {@code CORRUPT store.key-missing}. Records of shredded buckets are left out.
         */
        List<Item> scan(RecordKey.Range range, boolean reverse, int limit) throws ProviderException;
    }

    /**
     * A record as read: its order fields and its plaintext.
     *
     * @param bucket the bucket it was put under, unsigned; 0 for none. Who copies records puts them under a bucket again
     */
    record Item(byte[] order, byte[] value, long bucket) {
        /** In no bucket. */
        public Item(byte[] order, byte[] value) {
            this(order, value, 0);
        }
    }

    /** Records of this space that did not open since the node started. */
    long tampered();
}
