package im.parley.blobs.disk;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.ReadOnlyFileSystemException;

/** What can go wrong with files, in the words of the API. */
final class Failures {
    private Failures() {}

    /** What the system said of a file that was written, or of a folder. */
    static ProviderException writing(IOException e) {
        String said = String.valueOf(e.getMessage());
        if (said.contains("No space left") || said.contains("quota exceeded")) {
            return new ProviderException(
                    Kind.EXHAUSTED,
                    "storage.full",
                    "The disk is full and nothing was kept; free some space, the store goes on by itself.",
                    e);
        }
        if (said.contains("Read-only file system") || e instanceof AccessDeniedException) {
            return new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.readonly",
                    "Blobs can be read but not written: the disk is mounted read-only, or the folder belongs to"
                            + " somebody else; it goes on by itself when that is mended.",
                    e);
        }
        return reading(e);
    }

    static ProviderException writing(ReadOnlyFileSystemException e) {
        return writing(new IOException("Read-only file system", e));
    }

    static ProviderException reading(IOException e) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.io-error",
                "A file of the blob store could not be read or written; see whether the disk is well.",
                e);
    }

    static ProviderException full(long freeBytes) {
        return new ProviderException(
                Kind.EXHAUSTED,
                "storage.full",
                "The disk has only " + (freeBytes >> 20)
                        + " MiB left, so nothing is kept, but everything can be read; free some space, the store goes"
                        + " on by itself.");
    }

    static ProviderException closed() {
        return new ProviderException(
                Kind.UNAVAILABLE, "store.closed", "The store was closed; take a new lease and try again.");
    }

    static ProviderException locked() {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "store.locked",
                "The blobs are in use by another process or by an older version of this provider; stop that one"
                        + " first.");
    }

    static ProviderException tooNew(String format) {
        return new ProviderException(
                Kind.UNSUPPORTED,
                "store.too-new",
                "These blobs have the format " + format
                        + " of a newer version; nothing was changed. Install that version again.");
    }

    static ProviderException absent() {
        return new ProviderException(Kind.REJECTED, "blob.absent", "There is no blob with that hash.");
    }

    static ProviderException corrupt(Sha256 hash) {
        return new ProviderException(
                Kind.CORRUPT,
                "blob.corrupt",
                "The blob " + hash + " is not what was written; it was put aside in the folder damaged and can be"
                        + " uploaded again. See whether the disk is well.");
    }

    static ProviderException tooLarge(long maxBytes) {
        return new ProviderException(
                Kind.REJECTED, "blob.too-large", "A blob may have " + maxBytes + " bytes here, and this one has more.");
    }
}
