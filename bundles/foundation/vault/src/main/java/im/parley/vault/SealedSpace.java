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
 */
@ProviderType
public interface SealedSpace {
    /**
     * One serialisable, durable transaction; see {@code im.parley.api.storage.Space#transact}. The work may be run again.
     *
     * @throws ProviderException also {@code CORRUPT store.tampered} if a record read does not open
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

        void delete(RecordKey key) throws ProviderException;

        /**
         * Records of one table and name whose order fields are {@code >= from} and {@code < to} (either may be empty for
         * no bound), in order or in reverse.
         *
         * <p>A record that does not open is left out and reported through {@link SealedSpace#tampered}.
         */
        List<Item> scan(RecordKey.Range range, boolean reverse, int limit) throws ProviderException;
    }

    /** A record as read: its order fields and its plaintext. */
    record Item(byte[] order, byte[] value) {}

    /** Records of this space that did not open since the node started. */
    long tampered();
}
