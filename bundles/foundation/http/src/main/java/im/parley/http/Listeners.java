package im.parley.http;

import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;

/** Where the HTTP server really listens. Registered as a service once every listener was tried. Thread-safe. */
@ProviderType
public interface Listeners {
    /** Bound address by listener name; a configured port 0 shows the port that was chosen. A failed one is absent. */
    Map<String, InetSocketAddress> bound();

    /** Listeners that could not be opened; empty if all is well. They are tried again when the configuration changes. */
    List<Problem> problems();

    /**
     * Why a listener is not open.
     *
     * @param listener its configured name
     * @param code {@code http.port-in-use}, {@code http.port-denied} or {@code http.bad-address}
     * @param text what happened, why and what next
     */
    record Problem(String listener, String code, String text) {}
}
