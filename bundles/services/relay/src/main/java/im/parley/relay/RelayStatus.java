package im.parley.relay;

import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;

/** Counters of this node's relay since it was started. Thread-safe; cheap enough to ask once a second. */
@ProviderType
public interface RelayStatus {
    /** Clients connected now, over sockets and in this process. */
    int connections();

    /** Live subscriptions of all of them. */
    int subscriptions();

    /** Events stored since start; grows only. */
    long stored();

    /**
     * What was refused or cut since start, by code: {@code invalid.sig}, {@code blocked.kind-not-for-relays}, {@code
     * rate-limited}, {@code error.storage.io-error}, {@code slow-consumer} and so on. Codes come from this relay, never
     * from a client, so there are few. A snapshot, sorted by code.
     */
    Map<String, Long> drops();
}
