package im.parley.backup;

import im.parley.api.lifecycle.ProviderException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Snapshots of this node's records and user keys in directories. Thread-safe; one piece of work at a time, another one is
 * refused with {@code UNAVAILABLE backup.busy}. Everything blocks on disk, and a passphrase costs about a quarter of a
 * second of Argon2id and 64 MiB.
 *
 * <p>The key of a directory that this node wrote to is remembered in the vault; its passphrase is then not needed again.
 * Passphrases are copied; the caller overwrites its array.
 *
 * <p>Failures of all: {@code REJECTED backup.not-a-backup}, {@code UNSUPPORTED backup.too-new}, {@code REJECTED
 * backup.passphrase-needed}, {@code AUTHENTICATION backup.wrong-passphrase}, {@code UNAVAILABLE backup.locked} while another
 * process writes there, {@code CORRUPT backup.damaged}, {@code UNAVAILABLE backup.io-error}.
 */
@ProviderType
public interface Backups {
    /** What a directory is to this node. */
    enum Place {
        /** Absent or empty: a first backup would make it one. */
        NEW,
        /** Holds backups, and this node has the key. */
        REMEMBERED,
        /** Holds backups, and the passphrase is needed. */
        FOREIGN
    }

    /** A passphrase of 200 random bits in eight groups of five, for whoever wants none of her own. It is kept nowhere. */
    String recoveryKey();

    Place look(Path directory) throws ProviderException;

    /**
     * Makes a snapshot. A new directory gets this passphrase.
     *
     * @param directory absolute; made if absent
     * @throws ProviderException also {@code REJECTED key.weak-passphrase}, {@code REJECTED backup.inside-data}
     */
    Made run(Path directory, char @Nullable [] passphrase) throws ProviderException;

    /** All snapshots, newest first; one that does not open has no date and is not whole. */
    List<Snapshot> list(Path directory, char @Nullable [] passphrase) throws ProviderException;

    /** Reads everything there is and opens it. What is damaged is an answer, not a failure. */
    Verified verify(Path directory, char @Nullable [] passphrase) throws ProviderException;

    /**
     * Removes all but the newest snapshots and what only they needed.
     *
     * @param keep 1 or more
     */
    Pruned prune(Path directory, char @Nullable [] passphrase, int keep) throws ProviderException;

    /**
     * Brings a snapshot back. Everybody who uses records on this node is stopped meanwhile and started anew.
     *
     * @param number of the snapshot; 0 for the newest whole one
     * @throws ProviderException also {@code REJECTED restore.not-empty} unless this node has neither identities nor
     *     records; {@code REJECTED backup.no-snapshot}
     */
    Restored restore(Path directory, char @Nullable [] passphrase, long number) throws ProviderException;

    /**
     * From now on makes snapshots by itself, the first at once.
     *
     * @param every 15 minutes to 90 days; zero to stop
     * @param keep older snapshots are removed after each; 0 for none
     * @throws ProviderException also {@code REJECTED backup.bad-interval}
     */
    void schedule(Path directory, char @Nullable [] passphrase, Duration every, int keep) throws ProviderException;

    /** Every directory that this node has the key of. */
    List<Plan> plans() throws ProviderException;

    /** How far the present work is. */
    Progress progress();

    /**
     * @param chunks that the snapshot consists of
     * @param written chunks of these that were not there yet
     * @param bytesWritten all that was written
     * @param pauseMillis the longest time for which writers waited
     */
    record Made(long number, long records, long spaces, int chunks, int written, long bytesWritten, long pauseMillis) {}

    /** @param createdAt epoch milliseconds */
    record Snapshot(long number, long createdAt, long records, int chunks, boolean whole) {}

    /**
     * @param snapshots newest first
     * @param chunks that were read
     * @param damaged files that are missing or not what was written
     */
    record Verified(List<Snapshot> snapshots, int chunks, List<String> damaged) {
        public Verified {
            snapshots = List.copyOf(snapshots);
            damaged = List.copyOf(damaged);
        }
    }

    record Pruned(int snapshots, int kept, int chunks) {}

    /** @param identities user keys that came back */
    record Restored(long number, long createdAt, long records, int identities) {}

    /**
     * @param every zero if nothing is made by itself
     * @param lastAt epoch milliseconds of the newest snapshot that this node made there; 0 for none
     * @param nextAt epoch milliseconds; 0 for never
     * @param problem code and sentence of the last failure, empty if the last one went well
     */
    record Plan(Path directory, Duration every, int keep, long lastNumber, long lastAt, long nextAt, String problem) {}

    /**
     * @param phase a word, empty if nothing is done
     * @param total 0 if not known
     */
    record Progress(String phase, long done, long total) {}
}
