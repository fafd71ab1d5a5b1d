package im.parley.vault;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.SpaceId;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Whole spaces as they lie in the record store, sealed, with their keys: for backups. Thread-safe; blocks on disk.
 *
 * <p>Failures of the store are passed on, among them {@code UNAVAILABLE slot.empty}.
 */
@ProviderType
public interface SpaceArchive {
    /** Spaces that hold or held records and were not destroyed since. */
    List<SpaceId> spaces() throws ProviderException;

    /**
     * Shows every record of a space to the reader, in the order of their keys, as of one moment: writers wait meanwhile, so
     * the reader must be quick.
     *
     * @return the space's key, 32 bytes; the caller overwrites it. Empty if the space has none, because it was never used or
     *     is destroyed; the reader's records are void then
     */
    byte[] read(SpaceId id, Reader reader) throws ProviderException;

    /**
     * Takes {@link SealedSpaces} away from everybody, so that nobody remembers what was there before, runs the work and
     * brings them back; also if it fails.
     */
    void replace(Replacement work) throws ProviderException;

    /** Is shown the records of a space. */
    interface Reader {
        /** The first record follows; whatever came before is void, for the store had to begin again. */
        void begin() throws ProviderException;

        /** One record; the arrays are the reader's. */
        void record(byte[] key, byte[] sealed) throws ProviderException;
    }

    /** Work on spaces that nobody else uses. */
    @FunctionalInterface
    interface Replacement {
        void run(Target target) throws ProviderException;
    }

    /** Where spaces are put; valid only while the work runs, on its thread. */
    @ProviderType
    interface Target {
        /** True if the space has no record. */
        boolean isEmpty(SpaceId id) throws ProviderException;

        /** Removes the records of a space and its key. */
        void clear(SpaceId id) throws ProviderException;

        /**
         * Gives an empty space its key and all of its records, in one durable transaction.
         *
         * @param key 32 bytes; copied
         * @param records asked for all records, perhaps more than once
         */
        void fill(SpaceId id, byte[] key, Source records) throws ProviderException;
    }

    /** Shows records to whoever asks. */
    @FunctionalInterface
    interface Source {
        void readTo(Sink sink) throws ProviderException;
    }

    /** Takes records. */
    @FunctionalInterface
    interface Sink {
        void record(byte[] key, byte[] sealed) throws ProviderException;
    }
}
