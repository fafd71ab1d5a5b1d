package im.parley.egress;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.net.URI;
import java.time.Duration;
import org.osgi.annotation.versioning.ProviderType;

/** Small documents of the web, fetched through the egress: no cookies, no redirects, nothing kept. Thread-safe. */
@ProviderType
public interface Web {
    /**
     * One GET over TLS, with chain and host name checked. Blocks for at most {@code timeout}.
     *
     * @param address {@code https}, without user
     * @param maxBytes of the body, at most 1 MiB
     * @param reason as for {@code Egress.connect}
     * @throws ProviderException as {@code Egress.connect}; {@code UNAVAILABLE web.failed}, {@code UNAVAILABLE
     *     tls.untrusted}, {@code TIMEOUT web.timeout}, {@code EXHAUSTED web.too-large}
     */
    Answer get(Scope scope, URI address, int maxBytes, String reason, Duration timeout) throws ProviderException;

    /** @param status as the server gave it; a redirect is an answer like any other */
    record Answer(int status, byte[] body) {}
}
