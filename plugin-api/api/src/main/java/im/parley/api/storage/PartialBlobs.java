package im.parley.api.storage;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore.Admission;
import im.parley.api.storage.BlobStore.Stored;
import java.io.IOException;
import java.io.InputStream;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * A facet of a {@link BlobStore} that takes a blob in pieces, over several calls and several lives of the process. What is
 * not complete is no blob: it is never listed, read or counted as one.
 *
 * <p>Who uploads is the caller's business: a partial upload is known by a name of its choice, in the shape of a hash. One
 * name is written by one call at a time. Threads, blocking, streams and failures are as with {@link BlobStore}.
 */
@ConsumerType
public interface PartialBlobs {
    /**
     * Appends the stream to what is there, or begins with it. Bytes that came before the stream failed are kept, so that
     * an upload that broke off goes on from there; what was there when a call returned survives a power loss.
     *
     * @param offset where the stream begins; has to be the size of what is there, 0 if nothing is
     * @param maxBytes the most that all pieces may have together; one byte beyond it undoes the call
     * @return the size that is there now
     * @throws ProviderException {@code REJECTED partial.offset}, nothing was read; {@code UNAVAILABLE partial.busy} while
     *     another call writes it; {@code REJECTED blob.too-large}; {@code EXHAUSTED storage.full}; {@code UNAVAILABLE
     *     storage.readonly}
     * @throws IOException what {@code content} threw
     */
    long append(Sha256 name, long offset, InputStream content, long maxBytes) throws ProviderException, IOException;

    /** What is there under that name; empty if nothing was begun. */
    Optional<Partial> partial(Sha256 name) throws ProviderException;

    /**
     * Makes a blob of what is there, as {@link BlobStore#put} would of a stream. If the admission refuses it, it stays as
     * it is.
     *
     * @throws ProviderException what {@code admission} threw; {@code REJECTED partial.absent}; {@code UNAVAILABLE
     *     partial.busy}
     */
    Stored complete(Sha256 name, Admission admission) throws ProviderException;

    /**
     * Removes what is there. False if there was nothing.
     *
     * @throws ProviderException {@code UNAVAILABLE partial.busy}
     */
    boolean discard(Sha256 name) throws ProviderException;

    /**
     * What was begun, in the order of the names.
     *
     * @param after null for the start, else the last name of the page before
     * @param limit 1 to 10,000
     */
    List<Partial> partials(@Nullable Sha256 after, int limit) throws ProviderException;

    /** Bytes of all that was begun; counted and not looked for. */
    long partialBytes() throws ProviderException;

    /**
     * An upload that is not complete.
     *
     * @param changed when bytes last came
     */
    record Partial(Sha256 name, long sizeBytes, Instant changed) {}
}
