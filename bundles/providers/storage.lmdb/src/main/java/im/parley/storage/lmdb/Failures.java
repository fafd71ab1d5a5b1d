package im.parley.storage.lmdb;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.util.Objects;
import java.util.Set;
import org.lwjgl.util.lmdb.LMDB;

/** Turns what LMDB and the file system answer into the exceptions of the API. */
final class Failures {
    // errno of Linux, the same on x86-64 and 64-bit ARM
    private static final int EPERM = 1;
    private static final int ENOMEM = 12;
    private static final int EACCES = 13;
    private static final int EFBIG = 27;
    private static final int ENOSPC = 28;
    private static final int EROFS = 30;
    private static final int EDQUOT = 122;

    private static final Set<Integer> FULL =
            // A file's write is cut short where the disk ends.
            Set.of(ENOSPC, EDQUOT, EFBIG, LMDB.MDB_SHORT_WRITE, LMDB.MDB_TXN_FULL);
    private static final Set<Integer> READ_ONLY = Set.of(EROFS, EACCES, EPERM);
    private static final Set<Integer> CORRUPT = Set.of(
            LMDB.MDB_CORRUPTED,
            LMDB.MDB_PAGE_NOTFOUND,
            LMDB.MDB_INVALID,
            LMDB.MDB_BAD_CHECKSUM,
            LMDB.MDB_INCOMPATIBLE,
            LMDB.MDB_PROBLEM,
            LMDB.MDB_CURSOR_FULL,
            LMDB.MDB_PAGE_FULL,
            LMDB.MDB_NOTFOUND);

    private Failures() {}

    /** A failure of an open store; what was being written is not there. */
    static ProviderException of(LmdbException e) {
        int code = e.code();
        if (code == 0) {
            return closed();
        }
        if (code == LMDB.MDB_MAP_FULL) {
            return new ProviderException(
                    Kind.EXHAUSTED,
                    "storage.full",
                    "The store has reached the size that its configuration allows and nothing was changed; raise mapSizeGiB "
                            + "and open it again.");
        }
        if (FULL.contains(code)) {
            return new ProviderException(
                    Kind.EXHAUSTED,
                    "storage.full",
                    "The disk is full and nothing was changed; free some space, the store goes on by itself. LMDB said "
                            + e.getMessage() + ".");
        }
        if (READ_ONLY.contains(code)) {
            return readOnly();
        }
        if (CORRUPT.contains(code)) {
            return corrupt(Objects.requireNonNull(e.getMessage()));
        }
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.io-error",
                "The store could not do it and nothing was changed; see whether the disk is well. LMDB said "
                        + e.getMessage() + ".");
    }

    /** A failure to open. */
    static ProviderException atOpening(LmdbException e) {
        int code = e.code();
        if (code == LMDB.MDB_VERSION_MISMATCH) {
            return new ProviderException(
                    Kind.UNSUPPORTED,
                    "store.too-new",
                    "The store was written by another version of LMDB; install the version again that wrote it.");
        }
        if (code == ENOMEM) {
            return new ProviderException(
                    Kind.EXHAUSTED,
                    "storage.no-memory",
                    "The system did not give the address space for the store; lower mapSizeGiB, or lift the limit on "
                            + "virtual memory.");
        }
        if (READ_ONLY.contains(code)) {
            return new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.io-error",
                    "The store could not be opened, its files cannot be read or written; check the disk and the rights. "
                            + "LMDB said " + e.getMessage() + ".");
        }
        return of(e);
    }

    static ProviderException atOpening(IOException e) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.io-error",
                "The store could not be opened in its data directory; check the disk and the rights.",
                e);
    }

    static ProviderException corrupt(String what) {
        return new ProviderException(
                Kind.CORRUPT,
                "store.corrupt",
                "The store's files are not what was written; restore a backup. Found: " + what + ".");
    }

    static ProviderException readOnly() {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.readonly",
                "The store can be read but not written: its disk is mounted read-only; it goes on by itself when that "
                        + "is mended.");
    }

    static ProviderException wrongKey(String what) {
        return new ProviderException(
                Kind.CORRUPT, "store.wrong-key", what + "; restore data and vault of the same backup.");
    }

    static ProviderException tooNew(int format) {
        return new ProviderException(
                Kind.UNSUPPORTED,
                "store.too-new",
                "The store was written by a newer version (format " + format + "); install that version again.");
    }

    static ProviderException locked() {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "store.locked",
                "The store is in use by another process or by an older version of this provider; stop that one first.");
    }

    static ProviderException closed() {
        return new ProviderException(
                Kind.UNAVAILABLE, "store.closed", "The store was closed; take a new lease and try again.");
    }

    /** The environment was closed under a call to be opened anew. */
    static ProviderException lost() {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.io-error",
                "The store lost its file to a fault of the disk and opens it again at the next use; try again.");
    }

    /** A commit whose end is not known, because the store did not come back to tell. */
    static ProviderException unknown(ProviderException why) {
        return new ProviderException(
                why.kind(),
                why.code(),
                "The store was lost while it was writing; whether the last changes were kept shows when it is back. "
                        + why.getMessage());
    }

    /** A fresh exception of the same words, for another thread than the one it was made on. */
    static ProviderException again(ProviderException e) {
        return new ProviderException(e.kind(), e.code(), e.getMessage());
    }
}
