package im.parley.files.http.internal;

import im.parley.api.lifecycle.ProviderException;
import java.util.Map;

/** An answer other than the one that was asked for. Carries no stack trace: strangers decide how often one is made. */
final class Refusal extends Exception {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String code;
    private final transient Map<String, String> headers;

    /**
     * @param code stable, lower case, dotted
     * @param text for people, ASCII, on one line; never quotes the request
     */
    Refusal(int status, String code, String text) {
        this(status, code, text, Map.of());
    }

    /** @param headers that the answer has beside those of every refusal */
    Refusal(int status, String code, String text, Map<String, String> headers) {
        super(text, null, false, false);
        this.status = status;
        this.code = code;
        this.headers = Map.copyOf(headers);
    }

    Map<String, String> headers() {
        return headers;
    }

    int status() {
        return status;
    }

    String code() {
        return code;
    }

    String text() {
        return String.valueOf(getMessage());
    }

    /** What the store, the records or the curve failed with. Their sentences are for the operator and stay in the log. */
    static Refusal of(ProviderException e) {
        return switch (e.code()) {
            case "blob.absent" -> absent();
            case "blob.too-large" -> new Refusal(413, e.code(), "The blob is larger than this server takes.");
            case "blob.corrupt" ->
                new Refusal(
                        500, e.code(), "The blob was damaged on this server's disk. Upload it again if you have it.");
            case "hash.mismatch", "quota.exceeded" ->
                new Refusal(e.code().startsWith("hash") ? 409 : 429, e.code(), e.getMessage());
            case "storage.full" ->
                new Refusal(507, e.code(), "This server's disk is full. What is here can be read; try again later.");
            default ->
                switch (e.kind()) {
                    case UNAVAILABLE, TIMEOUT, EXHAUSTED ->
                        new Refusal(503, e.code(), "The file server cannot do that now. Try again later.");
                    default ->
                        new Refusal(
                                500, e.code(), "The file server could not do that; its operator finds why in the log.");
                };
        };
    }

    static Refusal absent() {
        return new Refusal(404, "blob.absent", "There is no blob with that hash here.");
    }
}
