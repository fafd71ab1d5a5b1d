package im.parley.fileserver.blossom;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import javax.net.ssl.SSLException;

/** What can go wrong with a server, in the words of the API. Nothing that a server wrote is repeated. */
final class Failures {
    private Failures() {}

    static ProviderException of(IOException e) {
        if (e instanceof SocketTimeoutException) {
            return new ProviderException(
                    Kind.TIMEOUT, "fileserver.timeout", "The file server was silent for too long.", e);
        }
        if (e instanceof SSLException) {
            return new ProviderException(
                    Kind.UNAVAILABLE,
                    "fileserver.tls",
                    "No secure connection to the file server: its certificate or its TLS is not good.",
                    e);
        }
        return new ProviderException(
                Kind.UNAVAILABLE, "fileserver.cut", "The connection to the file server ended early.", e);
    }

    static ProviderException badAnswer(String why) {
        return new ProviderException(
                Kind.UNAVAILABLE, "fileserver.bad-answer", "What the file server answered is not HTTP: " + why + ".");
    }

    static ProviderException badUrl(String why) {
        return new ProviderException(
                Kind.REJECTED,
                "fileserver.bad-url",
                "This address of a file server cannot be used: " + why + ". Write it like https://files.example.");
    }

    static ProviderException redirect(String why) {
        return new ProviderException(
                Kind.REJECTED, "fileserver.redirect", "The file server leads elsewhere, and " + why + ".");
    }

    static ProviderException tooLarge() {
        return new ProviderException(
                Kind.REJECTED, "blob.too-large", "The file server sends more bytes than the blob has.");
    }

    static ProviderException absent() {
        return new ProviderException(Kind.REJECTED, "blob.absent", "The file server does not have this blob.");
    }

    /** What a status of 400 or more means. */
    static ProviderException status(int status) {
        return switch (status) {
            case 401 ->
                new ProviderException(
                        Kind.AUTHENTICATION,
                        "fileserver.unauthorized",
                        "The file server does not accept the authorization.");
            case 402 ->
                new ProviderException(
                        Kind.REJECTED,
                        "fileserver.payment",
                        "The file server wants to be paid, which Parley does not do.");
            case 403 ->
                new ProviderException(
                        Kind.REJECTED, "fileserver.forbidden", "The file server does not let this key do that.");
            case 404, 410 -> absent();
            case 409 ->
                new ProviderException(
                        Kind.REJECTED, "blob.hash-mismatch", "The file server got other bytes than were announced.");
            case 413 ->
                new ProviderException(
                        Kind.REJECTED, "blob.too-large", "The blob is larger than the file server takes.");
            case 415 ->
                new ProviderException(
                        Kind.REJECTED,
                        "fileserver.type-refused",
                        "The file server takes only files that it can look into.");
            case 429 ->
                new ProviderException(
                        Kind.EXHAUSTED,
                        "fileserver.busy",
                        "The file server wants no more of this key or address for now.");
            case 507 -> new ProviderException(Kind.EXHAUSTED, "fileserver.full", "The file server has no room.");
            default ->
                status >= 500
                        ? new ProviderException(
                                Kind.UNAVAILABLE,
                                "fileserver.unavailable",
                                "The file server cannot do that now (" + status + ").")
                        : new ProviderException(
                                Kind.REJECTED, "fileserver.refused", "The file server refuses this (" + status + ").");
        };
    }
}
