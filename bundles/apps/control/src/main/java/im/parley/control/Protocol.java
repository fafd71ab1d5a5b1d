package im.parley.control;

import im.parley.api.lifecycle.Kind;

/** Numbers and limits of the wire: JSON-RPC 2.0, one object per line of UTF-8, no batches, parameters by name. */
final class Protocol {
    /** Longest request, in bytes without its line feed. A longer one is answered with an error and the connection ends. */
    static final int MAX_LINE_BYTES = 1024 * 1024;

    /** Longest PIN or passphrase, in characters. */
    static final int MAX_SECRET_CHARS = 1024;

    /** Connections at once. */
    static final int MAX_CONNECTIONS = 32;

    static final int PARSE_ERROR = -32700;
    static final int INVALID_REQUEST = -32600;
    static final int METHOD_NOT_FOUND = -32601;
    static final int INVALID_PARAMS = -32602;
    static final int INTERNAL_ERROR = -32603;
    private static final int REFUSED = -32000;
    private static final int UNAVAILABLE = -32002;
    private static final int TIMEOUT = -32003;
    private static final int AUTHENTICATION = -32004;

    private Protocol() {}

    static int numberOf(Kind kind) {
        return switch (kind) {
            case REJECTED, UNSUPPORTED -> REFUSED;
            case UNAVAILABLE, EXHAUSTED -> UNAVAILABLE;
            case TIMEOUT -> TIMEOUT;
            case AUTHENTICATION -> AUTHENTICATION;
            case CORRUPT, INTERNAL -> INTERNAL_ERROR;
        };
    }
}
