package im.parley.identity.remote;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.RelayAccess;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import java.net.URI;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/** A host whose relays hand everything to whoever listens there, whatever it asked for; remembers which relays were used. */
final class FakeRelays implements ProviderContext, RelayAccess {
    private final Secrets secrets;
    private final SecureRandom random;
    private final InstantSource clock;
    private final Map<URI, List<Consumer<Event>>> listeners = new ConcurrentHashMap<>();
    final Set<URI> asked = new TreeSet<>();
    final Set<String> lanes = new TreeSet<>();
    final List<Event> published = new ArrayList<>();
    /** What the signer at these relays does. */
    Consumer<Event> signer = event -> {};

    FakeRelays(Secrets secrets, SecureRandom random, InstantSource clock) {
        this.secrets = secrets;
        this.random = random;
        this.clock = clock;
    }

    /** Hands an event to everybody who listens at that relay. */
    void arrives(URI relay, Event event) {
        listeners.getOrDefault(relay, List.of()).forEach(listener -> listener.accept(event));
    }

    @Override
    public CompletionStage<Boolean> publish(URI relay, Event event, Duration timeout) {
        asked.add(relay);
        published.add(event);
        signer.accept(event);
        return CompletableFuture.completedFuture(true);
    }

    @Override
    public AutoCloseable listen(URI relay, Filter filter, Consumer<Event> listener) {
        asked.add(relay);
        List<Consumer<Event>> there = listeners.computeIfAbsent(relay, unused -> new CopyOnWriteArrayList<>());
        there.add(listener);
        return () -> there.remove(listener);
    }

    @Override
    public RelayAccess relays(Scope scope, String lane) {
        lanes.add(scope.circle() + "/" + lane);
        return this;
    }

    @Override
    public String instance() {
        return RemoteIdentityProvider.PID + "~test";
    }

    @Override
    public InstantSource clock() {
        return clock;
    }

    @Override
    public SecureRandom random() {
        return random;
    }

    @Override
    public Secrets secrets() {
        return secrets;
    }

    @Override
    public Executor executor() {
        return Runnable::run;
    }

    @Override
    public Egress egress(Scope scope) {
        throw new UnsupportedOperationException("it connects to nothing itself");
    }

    @Override
    public Path dataDir() {
        throw new UnsupportedOperationException();
    }
}
