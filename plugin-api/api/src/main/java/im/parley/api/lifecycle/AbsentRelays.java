package im.parley.api.lifecycle;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;

/** Of a host that talks to no relays. */
enum AbsentRelays implements RelayAccess {
    INSTANCE;

    @Override
    public CompletionStage<Boolean> publish(URI relay, Event event, Duration timeout) {
        return CompletableFuture.failedFuture(absent());
    }

    @Override
    public AutoCloseable listen(URI relay, Filter filter, Consumer<Event> listener) throws ProviderException {
        throw absent();
    }

    private static ProviderException absent() {
        return new ProviderException(Kind.UNAVAILABLE, "relays.absent", "This node talks to no relays.");
    }
}
