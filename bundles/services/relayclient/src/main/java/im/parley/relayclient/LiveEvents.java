package im.parley.relayclient;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.ProviderException;
import java.net.URI;
import java.util.function.Consumer;
import org.osgi.annotation.versioning.ProviderType;

/** Events as they arrive, for what no relay keeps; {@link RelayClient} has the rest. Thread-safe; nothing blocks. */
@ProviderType
public interface LiveEvents {
    /**
     * Asks one relay until closed, over reconnects. What is published with the same persona to the same relay afterwards is
     * sent behind the request. Every event was verified and matches the filter; after a reconnect one may come twice.
     *
     * @param filter with a limit of 0 only what arrives
     * @param listener one call at a time; may block, then what comes too fast is dropped and counted
     * @throws ProviderException {@code REJECTED relay.bad-url}
     */
    RelayClient.Subscription listen(Persona persona, URI relay, Filter filter, Consumer<Event> listener)
            throws ProviderException;
}
