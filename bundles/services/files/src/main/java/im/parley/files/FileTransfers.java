package im.parley.files;

import im.parley.api.blobs.FileServer;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.osgi.annotation.versioning.ConsumerType;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Moves files between this machine and file servers. A file is encrypted on this disk before any of it leaves (AES-256-GCM,
 * as NIP-17 kind 15 has it), and what comes is written where the user wants it only after its hash and its tag were checked.
 * Memory does not depend on the size of a file, which may be up to 64 GiB.
 *
 * <p>{@link #put} and {@link #get} return at once with the number of a job, which is durable: it goes on after a crash, tries
 * again with back-off, and stays listed when it is over. Thread-safe; calls block on disk, {@link #probe} and {@link #delete}
 * also on the network.
 */
@ProviderType
public interface FileTransfers {
    /** The account's file servers in its order of preference; empty if it has none. */
    List<URI> servers(Scope scope, PublicKey account) throws ProviderException;

    /**
     * Adds a server at the end; one that is there stays where it is. Its address may be private from now on.
     *
     * @param server http or https, without a path
     * @return the list as it is now
     * @throws ProviderException {@code REJECTED fileserver.bad-url}, {@code files.too-many-servers} above 10
     */
    List<URI> addServer(Scope scope, PublicKey account, URI server) throws ProviderException;

    /**
     * Takes a server off the list; what lies there stays there.
     *
     * @throws ProviderException {@code REJECTED files.server-unknown}
     */
    List<URI> removeServer(Scope scope, PublicKey account, URI server) throws ProviderException;

    /**
     * Asks a server what it takes from this account; stores nothing there.
     *
     * @param server one of the account's, or {@code REJECTED files.server-unknown}
     */
    FileServer.Probe probe(Scope scope, PublicKey account, URI server) throws ProviderException;

    /**
     * Encrypts a file and uploads it to all servers of the account. It is available, and its description complete, as soon as
     * one has it; the others are tried until they have it, too, or refuse.
     *
     * @param source a file, which is read once more if the node dies before it is encrypted
     * @return the job
     * @throws ProviderException {@code REJECTED files.no-server}, {@code file.absent}, {@code file.too-large}
     */
    String put(Scope scope, PublicKey account, Path source, PutOptions options) throws ProviderException;

    /**
     * Downloads a file from whichever of its addresses, and of the account's servers, has it.
     *
     * @param target where it shall be; its folder exists. Appears whole or not at all
     * @param replace whether a file that is there is replaced, else {@code REJECTED file.exists}
     * @return the job
     */
    String get(Scope scope, PublicKey account, FileDescription file, Path target, boolean replace)
            throws ProviderException;

    Optional<FileJob> job(Scope scope, String id) throws ProviderException;

    /** The newest first. */
    List<FileJob> jobs(Scope scope, int limit) throws ProviderException;

    /**
     * Ends a job and removes what it staged; what a server has stays there. Without effect on one that is over.
     *
     * @throws ProviderException {@code REJECTED files.job-unknown}
     */
    void cancel(Scope scope, String id) throws ProviderException;

    /**
     * Tries now what waits, and again what has failed.
     *
     * @throws ProviderException {@code REJECTED files.job-unknown}
     */
    void retry(Scope scope, String id) throws ProviderException;

    /** Takes a file back from every server it is at. One result for each; no promise that nobody kept a copy. */
    List<Deletion> delete(Scope scope, PublicKey account, FileDescription file) throws ProviderException;

    /** Told of every change until it is closed. */
    AutoCloseable listen(Listener listener);

    /**
     * What became of a deletion at one server.
     *
     * @param outcome {@code deleted}, {@code absent}, or the code of the failure
     */
    record Deletion(URI server, String outcome) {}

    /** Called on the threads of transfers; must be quick. */
    @ConsumerType
    interface Listener {
        /** A job changed its state, or moved on; at most about once a second for each. */
        default void jobChanged(Scope scope, FileJob job) {}

        /** Publish this list as kind 10063 (BUD-03), signed for {@code Purpose.FILE_SERVER_LIST}. */
        default void serversChanged(Scope scope, PublicKey account, List<URI> servers) {}
    }
}
