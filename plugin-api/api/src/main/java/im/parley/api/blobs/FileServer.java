package im.parley.api.blobs;

import im.parley.api.event.Sha256;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.net.URI;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Speaks with file servers of one kind, all of them: which one is said in every call. Fills the slot {@code fileserver}.
 *
 * <p>Thread-safe. A call blocks on the network for as long as the transfer takes and runs on a host thread: bytes are pulled
 * from a {@link Source} and pushed to a {@link Sink} no faster than both sides bear, in pieces of at most 1 MiB, and a call
 * needs a small, fixed amount of memory whatever the blob's size. What a source or a sink throws ends the call and comes out
 * of it unchanged, which is also how a caller cancels. A server that is silent for a minute is given up.
 *
 * <p>A call tries once: when to try again, and where, is the caller's business. It reaches the server and where that one
 * redirects to through the egress of the access's scope and by no other way; at most three redirects, none from https to
 * http.
 *
 * <p>Failures of every call: those of the egress, unchanged; {@code UNAVAILABLE fileserver.unavailable}, {@code
 * fileserver.cut} if the connection ended early, {@code fileserver.bad-answer}, {@code fileserver.tls}; {@code TIMEOUT
 * fileserver.timeout}; {@code EXHAUSTED fileserver.busy}; {@code AUTHENTICATION fileserver.unauthorized}; {@code REJECTED
 * fileserver.forbidden}, {@code fileserver.payment} if it wants to be paid, {@code fileserver.refused}, {@code
 * fileserver.redirect}, {@code fileserver.bad-url}; and what the signer failed with.
 *
 * <p>Source: BUD-00 and what follows it.
 */
@ConsumerType
public interface FileServer {
    /**
     * Stores a blob. Goes on where an earlier call for the same blob and key broke off if the server can; its source is then
     * opened at that place.
     *
     * @param access with a signer
     * @throws ProviderException also {@code REJECTED blob.too-large}, {@code blob.hash-mismatch} if the server got other
     *     bytes, {@code fileserver.type-refused}; {@code EXHAUSTED fileserver.full}
     */
    Stored upload(Access access, Content content) throws ProviderException;

    /**
     * Reads a blob from a place in it to its end. The bytes are as they came: <strong>the caller checks their hash</strong>
     * when it has them all. Never hands out more than {@code sizeBytes} in whole: a server that sends more fails with {@code
     * REJECTED blob.too-large} after them.
     *
     * @param access its URL may have a path, which is then asked for as it is; else the path is the hash
     * @param from bytes that the caller has; a server that knows no ranges is read from the start, and these are left out
     * @param sizeBytes of the whole blob, or the most that is taken if it is not known
     * @return how many bytes were handed out
     * @throws ProviderException also {@code REJECTED blob.absent}
     */
    long download(Access access, Sha256 hash, long from, long sizeBytes, Sink sink) throws ProviderException;

    /** What the server says that it has; empty if it has nothing. */
    Optional<Found> stat(Access access, Sha256 hash) throws ProviderException;

    /**
     * Takes the key's claim on a blob back.
     *
     * @return false if there was none
     */
    boolean delete(Access access, Sha256 hash) throws ProviderException;

    /** What can be known of a server without storing anything there. */
    Probe probe(Access access) throws ProviderException;

    /**
     * Which server, for whom.
     *
     * @param scope whose egress is used
     * @param server http or https
     * @param signer opened for {@link Purpose#FILE_AUTH}; null to say nobody's name, which is enough to read from most
     */
    record Access(Scope scope, URI server, @Nullable Signer signer) {}

    /**
     * What is uploaded.
     *
     * @param mediaType as the server shall know it; {@code application/octet-stream} for ciphertext
     */
    record Content(Sha256 hash, long sizeBytes, String mediaType, Source source) {}

    /** Bytes that can be read again from any place. Called on the thread of the call. */
    interface Source {
        /** Goes to that place; the next read begins there. */
        void seek(long offset) throws ProviderException;

        /**
         * Fills the buffer or reads to the end.
         *
         * @return how many bytes; fewer than asked for only at the end
         */
        int read(byte[] buffer, int from, int length) throws ProviderException;

        /** Told how much the server has; now and then while it goes on. */
        void progress(long sentBytes) throws ProviderException;
    }

    /** Takes bytes in order. */
    @FunctionalInterface
    interface Sink {
        void write(byte[] buffer, int from, int length) throws ProviderException;
    }

    /**
     * What became of an upload.
     *
     * @param url where the server says that the blob is; on another host than the server if it says so
     * @param created false if the server had it
     */
    record Stored(URI url, boolean created) {}

    /**
     * @param sizeBytes -1 if the server does not say
     * @param sunset when it will be gone, epoch seconds; 0 if the server does not say, which most do not
     */
    record Found(long sizeBytes, long sunset) {}

    /**
     * @param takesCiphertext whether it would take bytes of no known type from this key
     * @param refusal code of its refusal; empty if it takes them
     * @param largestBytes it said it takes; -1 if it did not say
     * @param resumes whether an upload goes on where it broke off
     */
    record Probe(boolean takesCiphertext, String refusal, long largestBytes, boolean resumes) {}
}
