package im.parley.files;

import im.parley.api.event.PublicKey;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A transfer as it stands.
 *
 * @param path of the user's file: source or target
 * @param doneBytes of the state it is in: encrypted, at the server being uploaded to, downloaded, or checked
 * @param totalBytes of it; -1 if it is not known
 * @param bytesPerSecond in the last seconds; 0 while nothing moves
 * @param secondsLeft of the state it is in, at that speed; -1 if nobody can say
 * @param reason code of what ended it, or of what it waits after; empty if nothing did
 * @param nextTryAt epoch milliseconds; 0 if it does not wait
 * @param servers of an upload, in order
 * @param warnings codes, such as {@code media.too-large} for an image that got no preview
 * @param description of the file; null while it is not encrypted. Its addresses are those that have it so far
 * @param createdAt epoch milliseconds
 */
public record FileJob(
        String id,
        Kind kind,
        PublicKey account,
        State state,
        Path path,
        long doneBytes,
        long totalBytes,
        long bytesPerSecond,
        long secondsLeft,
        String reason,
        long nextTryAt,
        List<At> servers,
        List<String> warnings,
        @Nullable FileDescription description,
        long createdAt) {
    public FileJob {
        servers = List.copyOf(servers);
        warnings = List.copyOf(warnings);
    }

    /** Which way. */
    public enum Kind {
        PUT,
        GET
    }

    /** How far. */
    public enum State {
        /** The file is being encrypted. */
        PREPARING,
        UPLOADING,
        /** At one server or more; others are still tried. It can be sent. */
        AVAILABLE,
        DOWNLOADING,
        /** All is here; its hash and tag are checked, then it is decrypted. */
        CHECKING,
        DONE,
        FAILED,
        CANCELLED;

        /** Whether nothing more happens by itself. */
        public boolean over() {
            return this == DONE || this == FAILED || this == CANCELLED;
        }
    }

    /**
     * A file at one server.
     *
     * @param state {@code waiting}, {@code stored} or {@code refused}
     * @param reason code of the last failure; empty if there was none
     */
    public record At(URI server, String state, String reason) {}
}
