package im.parley.storage.lmdb;

/** What LMDB answered instead of success. Its texts are fixed, they never quote a key or a value. */
final class LmdbException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int code;

    /** @param code negative for LMDB's own errors, else an errno of the system; 0 if the environment is closed */
    LmdbException(int code, String text) {
        super(text + " (" + code + ")");
        this.code = code;
    }

    int code() {
        return code;
    }
}
