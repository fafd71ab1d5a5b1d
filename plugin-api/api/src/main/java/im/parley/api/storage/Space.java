package im.parley.api.storage;

import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * One space of ordered records: byte keys (1 to 255 bytes, compared unsigned, a prefix before its extensions) to byte
 * values (0 to 1 MiB). Thread-safe; blocks on disk.
 */
@ConsumerType
public interface Space {
    /** Largest value in bytes, 1 MiB. */
    int MAX_VALUE_BYTES = 1 << 20;

    /** Largest key in bytes. */
    int MAX_KEY_BYTES = 255;

    /**
     * Runs work in one serialisable transaction. When it returns, the changes are durable; when {@code work} throws,
     * nothing was changed. The work may be run again if the store had to retry, so it has no other effects.
     *
     * @throws ProviderException what {@code work} threw, or {@code EXHAUSTED storage.full}, {@code UNAVAILABLE
     *     storage.io-error}
     */
    <R extends @Nullable Object> R transact(Work<R> work) throws ProviderException;

    /** Grows by at least one with each transaction that changed something; 0 for a new space. */
    long commitSeq() throws ProviderException;

    /** The body of a transaction. */
    @ConsumerType
    @FunctionalInterface
    interface Work<R extends @Nullable Object> {
        R run(Transaction transaction) throws ProviderException;
    }

    /** Reads and writes inside a transaction; sees its own writes. Valid only while the work runs, on its thread. */
    @ConsumerType
    interface Transaction {
        /** A copy of the value, or null if absent. */
        byte @Nullable [] get(byte[] key) throws ProviderException;

        /** Creates or replaces; the arrays are copied. */
        void put(byte[] key, byte[] value) throws ProviderException;

        /** Removes; absent is fine. */
        void delete(byte[] key) throws ProviderException;

        /**
         * Records with {@code from <= key < to}, in key order, or in reverse order from the end.
         *
         * @param to exclusive; null for no upper bound
         * @param limit 1 or more
         */
        List<Entry> range(byte[] from, byte @Nullable [] to, boolean reverse, int limit) throws ProviderException;
    }

    /** A record read by a range scan; the arrays are the caller's. */
    record Entry(byte[] key, byte[] value) {}
}
