package im.parley.api.storage;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Bytes by their SHA-256, for the file server: it knows neither types nor owners. Fills the slot {@code blobs}.
 *
 * <p>Thread-safe; all calls block on disk and run on host threads, {@link #put} and {@link #get} for as long as the
 * stream of the other side takes. A call needs a small, fixed amount of memory whatever the blob's size, and reads or
 * writes at most 1 MiB of the stream at once. Blobs have 0 to 2^63-1 bytes.
 *
 * <p>Every call may fail with {@code UNAVAILABLE storage.io-error}, and with {@code UNAVAILABLE store.closed} once the
 * store is closed. A stream that is handed in is not closed; what it throws comes out unchanged.
 *
 * <p>Source: BUD-00, BUD-02.
 */
@ConsumerType
public interface BlobStore {
    /**
     * Reads the stream to its end and keeps it under its hash. When it returns, the blob survives a power loss; when it
     * throws, nothing of this call is kept or will ever be listed. Bytes that are there already are read all the same,
     * because only the end tells what they are.
     *
     * @param maxBytes the most that is taken, 0 or more; one byte beyond it ends the call
     * @param admission asked once, after the last byte and before the blob can be seen
     * @throws ProviderException what {@code admission} threw; {@code REJECTED blob.too-large}; {@code EXHAUSTED
     *     storage.full}, while everything can still be read; {@code UNAVAILABLE storage.readonly}
     * @throws IOException what {@code content} threw
     */
    Stored put(InputStream content, long maxBytes, Admission admission) throws ProviderException, IOException;

    /**
     * Writes some bytes of a blob, in order. A blob that is read whole is hashed on the way: the last bytes, up to 1 MiB,
     * are written only if it still has its hash, so a damaged one is never handed out in full. A damaged blob is absent
     * from then on and can be put again. Nothing is written before the blob is found and open; one that is deleted
     * meanwhile is still written to its end, or the call fails.
     *
     * @param from 0 to the blob's size
     * @param count 0 to size minus {@code from}
     * @throws ProviderException {@code REJECTED blob.absent}; {@code CORRUPT blob.corrupt}
     * @throws IOException what {@code to} threw
     * @throws IllegalArgumentException if the range is not inside the blob
     */
    void get(Sha256 hash, long from, long count, OutputStream to) throws ProviderException, IOException;

    /** What is kept under a hash, as its size on disk says; empty if nothing is. Does not look at the bytes. */
    Optional<Blob> stat(Sha256 hash) throws ProviderException;

    /** Removes a blob; durable when it returns. False if there was none. */
    boolean delete(Sha256 hash) throws ProviderException;

    /**
     * Blobs in the order of their hashes. For checks, backup and migration; costs about the length of the answer.
     *
     * @param after null for the start, else the last hash of the page before, which need not be there any more
     * @param limit 1 to 10,000
     * @return fewer than {@code limit} only at the end; a copy
     */
    List<Blob> list(@Nullable Sha256 after, int limit) throws ProviderException;

    /** How much is kept, counted and not looked for: cheap enough for every upload. */
    Usage usage() throws ProviderException;

    /** What is known of a blob. */
    record Blob(Sha256 hash, long sizeBytes) {}

    /**
     * What became of a put.
     *
     * @param created false if these bytes were there already
     */
    record Stored(Blob blob, boolean created) {}

    /**
     * @param blobs number of them
     * @param bytes of all of them
     * @param freeBytes that may still be put; an estimate, never negative
     */
    record Usage(long blobs, long bytes, long freeBytes) {}

    /** Decides over a blob when it is known what it is. Called on the thread of {@link #put}; may block. */
    @FunctionalInterface
    interface Admission {
        /** Takes everything. */
        Admission ANY = (hash, sizeBytes) -> {};

        /**
         * Returns if the blob shall be kept.
         *
         * @param hash of the bytes that were read
         * @throws ProviderException refuses it; comes out of {@code put} unchanged
         */
        void admit(Sha256 hash, long sizeBytes) throws ProviderException;

        /** Takes only that blob, else {@code REJECTED blob.hash-mismatch}. */
        static Admission only(Sha256 expected) {
            return (hash, sizeBytes) -> {
                if (!hash.equals(expected)) {
                    throw new ProviderException(
                            Kind.REJECTED,
                            "blob.hash-mismatch",
                            "The bytes that came have another SHA-256 than the one that was announced.");
                }
            };
        }
    }
}
