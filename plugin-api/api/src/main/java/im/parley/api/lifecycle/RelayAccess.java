package im.parley.api.lifecycle;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Relays as a provider may use them: nobody in particular, over connections that it shares with nobody. NIP-01 bookkeeping,
 * back-off and verification are the host's. Only the relay that a call names hears of it. Thread-safe; nothing blocks.
 */
@ProviderType
public interface RelayAccess {
    /**
     * Publishes one event to one relay, behind whatever {@link #listen} asked that relay for before.
     *
     * @return true if the relay took it; false if it refused, or nobody knows. Fails with {@code UNAVAILABLE
     *     relays.absent} if this node talks to no relays, {@code UNSUPPORTED relays.not-for-plugins}
     */
    CompletionStage<Boolean> publish(URI relay, Event event, Duration timeout);

    /**
     * Hands over events as they arrive, over reconnects, until the returned handle or the provider is closed. Each was
     * verified (id and signature) and matches the filter; after a reconnect one may come twice.
     *
     * @param listener quick; any thread, one call at a time
     * @throws ProviderException {@code REJECTED relay.bad-url}, else as {@link #publish}
     */
    AutoCloseable listen(URI relay, Filter filter, Consumer<Event> listener) throws ProviderException;
}
