package im.parley.transport.websocket;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.security.cert.CertificateException;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/** Turns what Jetty and the JDK throw into the failures that the transport contract names. */
final class Failures {
    private static final int MAX_CAUSES = 16;

    private Failures() {}

    static ProviderException of(@Nullable Throwable failure) {
        boolean tls = false;
        Throwable cause = failure;
        for (int depth = 0; cause != null && depth < MAX_CAUSES; depth++) {
            if (cause instanceof ProviderException known) {
                return known;
            }
            if (cause instanceof CertificateException || cause instanceof SSLPeerUnverifiedException) {
                return new ProviderException(
                        Kind.AUTHENTICATION,
                        "tls.untrusted",
                        "The relay's certificate is not valid for its name, so nothing was sent to it.");
            }
            tls |= cause instanceof SSLException;
            cause = cause.getCause();
        }
        if (tls) {
            return new ProviderException(
                    Kind.AUTHENTICATION,
                    "tls.failed",
                    "No TLS 1.2 or 1.3 connection to the relay came about, so nothing was sent to it.");
        }
        return lost();
    }

    static ProviderException lost() {
        return new ProviderException(
                Kind.UNAVAILABLE, "relay.lost", "The relay closed the connection before it was open. Try again later.");
    }

    static ProviderException timeout() {
        return new ProviderException(
                Kind.TIMEOUT, "relay.timeout", "The relay did not open a channel in time. Try again later.");
    }

    static ProviderException shutDown() {
        return new ProviderException(
                Kind.UNAVAILABLE, "transport.closed", "The transport is shutting down. Try again with the next one.");
    }

    static ProviderException closed() {
        return new ProviderException(
                Kind.UNAVAILABLE, "channel.closed", "The channel to the relay is closed. Open a new one.");
    }

    static ProviderException full() {
        return new ProviderException(
                Kind.EXHAUSTED,
                "channel.full",
                "The relay does not read as fast as it is written to. Send again when earlier frames have left.");
    }
}
