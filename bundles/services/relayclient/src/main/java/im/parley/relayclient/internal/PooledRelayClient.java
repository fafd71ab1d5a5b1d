package im.parley.relayclient.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.RelayAccess;
import im.parley.api.lifecycle.Scope;
import im.parley.api.transport.RelayEndpoint;
import im.parley.api.transport.RelayTransport;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import im.parley.relayclient.InboxListener;
import im.parley.relayclient.LiveEvents;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.relayclient.RelayClient;
import im.parley.relayclient.RelayHealth;
import im.parley.slot.RelaySource;
import im.parley.slot.Slot;
import java.net.URI;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/** The {@link RelayClient}: a connection per persona and relay, made when needed and forgotten when idle. */
@Component(
        name = "im.parley.relayclient",
        service = {RelayClient.class, LiveEvents.class, RelaySource.class},
        immediate = true)
public final class PooledRelayClient implements RelayClient, LiveEvents, RelaySource {
    private static final int LOOP_THREADS = 2;
    private static final int OWNER_THREADS = 8;

    private record Key(Persona persona, URI relay) {}

    private final Wiring wiring;
    private final Runnable release;
    private final ConcurrentHashMap<Key, RelayConnection> connections = new ConcurrentHashMap<>();
    private volatile boolean stopped;

    /** The relay of this node, if it has one. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile @Nullable RelayEndpoint endpoint;

    @Activate
    public PooledRelayClient(
            @Reference(target = "(parley.slot=transport)") Slot<RelayTransport> sockets,
            @Reference(target = "(parley.slot=transport.local)") Slot<RelayTransport> local,
            @Reference(target = "(parley.slot=curve)") Slot<Secp256k1> curve,
            @Reference InstantSource clock,
            @Reference SecureRandom random) {
        SystemTimers timers = new SystemTimers();
        ExecutorService loops = pool("relay-client", LOOP_THREADS);
        ExecutorService owners = pool("relay-client-owner", OWNER_THREADS);
        wiring = new Wiring(
                sockets,
                local,
                curve,
                this::isOwn,
                clock,
                random,
                timers,
                loops,
                task -> {
                    try {
                        owners.execute(task);
                    } catch (RejectedExecutionException e) {
                        // Only while shutting down: somebody still waits for this answer.
                        task.run();
                    }
                },
                new Drops(),
                Bounds.DEFAULT);
        release = () -> {
            timers.close();
            end(loops);
            end(owners);
        };
    }

    /** With everything handed in, for tests. */
    PooledRelayClient(Wiring wiring) {
        this.wiring = new Wiring(
                wiring.sockets(),
                wiring.local(),
                wiring.curve(),
                this::isOwn,
                wiring.clock(),
                wiring.random(),
                wiring.timers(),
                wiring.loops(),
                wiring.owners(),
                wiring.drops(),
                wiring.bounds());
        this.release = () -> {};
    }

    @Deactivate
    void stop() {
        if (stopped) {
            return;
        }
        stopped = true;
        for (RelayConnection connection : connections.values()) {
            connection.post(connection::stop);
        }
        connections.clear();
        release.run();
    }

    @Override
    public CompletionStage<PublishResult> publish(Persona persona, URI relay, Event event, Duration timeout) {
        CompletableFuture<PublishResult> result = new CompletableFuture<>();
        URI address;
        try {
            address = RelayUrls.normalise(relay.toString());
        } catch (ProtocolException e) {
            result.complete(new PublishResult(PublishResult.State.REFUSED, "relay.bad-url"));
            return result;
        }
        if (!with(persona, address, connection -> connection.publish(event, timeout, result))) {
            result.complete(new PublishResult(PublishResult.State.UNKNOWN, "relayclient.stopped"));
        }
        return result;
    }

    @Override
    public CompletionStage<List<Event>> fetch(Persona persona, URI relay, Filter filter, Duration timeout) {
        CompletableFuture<List<Event>> result = new CompletableFuture<>();
        URI address;
        try {
            address = RelayUrls.normalise(relay.toString());
        } catch (ProtocolException e) {
            result.completeExceptionally(new ProviderException(
                    Kind.REJECTED, "relay.bad-url", "This relay address cannot be used: " + e.getMessage() + "."));
            return result;
        }
        if (!with(persona, address, connection -> connection.fetch(filter, timeout, result))) {
            result.completeExceptionally(
                    RelayConnection.unavailable("relayclient.stopped", "The node is shutting down."));
        }
        return result;
    }

    @Override
    public Subscription inbox(Persona persona, URI relay, InboxListener listener) {
        PublicKey identity = persona.identity();
        if (identity == null || persona.signer() == null) {
            throw new IllegalArgumentException("an inbox needs a persona with a signer");
        }
        URI address;
        try {
            address = RelayUrls.normalise(relay.toString());
        } catch (ProtocolException e) {
            throw new IllegalArgumentException("an inbox needs a relay address: " + e.getMessage(), e);
        }
        Handle handle = new Handle();
        with(persona, address, connection -> {
            InboxSession session = connection.newInbox(identity, listener);
            if (handle.is(session)) {
                connection.add(session);
            }
        });
        return handle;
    }

    @Override
    public void end(Scope scope) {
        connections.forEach((key, connection) -> {
            if (key.persona().scope().equals(scope)) {
                connections.remove(key, connection);
                connection.post(connection::stop);
            }
        });
    }

    @Override
    public Subscription listen(Persona persona, URI relay, Filter filter, Consumer<Event> listener)
            throws ProviderException {
        URI address;
        try {
            address = RelayUrls.normalise(relay.toString());
        } catch (ProtocolException e) {
            throw new ProviderException(
                    Kind.REJECTED, "relay.bad-url", "This relay address cannot be used: " + e.getMessage() + ".");
        }
        Handle handle = new Handle();
        with(persona, address, connection -> {
            LiveSession session = connection.newLive(filter, listener);
            if (handle.is(session)) {
                connection.add(session);
            }
        });
        return handle;
    }

    @Override
    public RelayAccess relaysFor(Scope scope, String instance, String lane) {
        Persona persona = Persona.anonymous(scope, instance + "/" + lane);
        return new RelayAccess() {
            @Override
            public CompletionStage<Boolean> publish(URI relay, Event event, Duration timeout) {
                return PooledRelayClient.this
                        .publish(persona, relay, event, timeout)
                        .thenApply(result -> result.state() == PublishResult.State.ACCEPTED);
            }

            @Override
            public AutoCloseable listen(URI relay, Filter filter, Consumer<Event> listener) throws ProviderException {
                return PooledRelayClient.this.listen(persona, relay, filter, listener);
            }
        };
    }

    @Override
    public List<RelayHealth> health() {
        return connections.values().stream()
                .map(RelayConnection::health)
                .sorted(Comparator.comparing(RelayHealth::scope)
                        .thenComparing(RelayHealth::relay)
                        .thenComparing(RelayHealth::lane))
                .toList();
    }

    @Override
    public Map<String, Long> drops() {
        return wiring.drops().snapshot();
    }

    /** Runs the action on the connection's loop; false if the client has stopped. */
    private boolean with(Persona persona, URI relay, Consumer<RelayConnection> action) {
        Key key = new Key(persona, relay);
        while (!stopped) {
            RelayConnection connection = connections.computeIfAbsent(
                    key, unused -> new RelayConnection(wiring, persona, relay, gone -> connections.remove(key, gone)));
            connection.signWith(persona.signer());
            if (connection.post(() -> action.accept(connection))) {
                return true;
            }
            connections.remove(key, connection);
        }
        return false;
    }

    private boolean isOwn(URI relay) {
        RelayEndpoint own = endpoint;
        if (own == null) {
            return false;
        }
        for (URI url : own.urls()) {
            try {
                if (RelayUrls.normalise(url.toString()).equals(relay)) {
                    return true;
                }
            } catch (ProtocolException e) {
                // An address nobody can have asked for.
            }
        }
        return false;
    }

    private static ExecutorService pool(String name, int size) {
        AtomicInteger number = new AtomicInteger();
        ThreadPoolExecutor pool =
                new ThreadPoolExecutor(size, size, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), work -> {
                    Thread thread = new Thread(work, name + "-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    private static void end(ExecutorService pool) {
        pool.shutdown();
        try {
            if (!pool.awaitTermination(2, TimeUnit.SECONDS)) {
                pool.shutdownNow();
            }
        } catch (InterruptedException e) {
            pool.shutdownNow();
            Thread.currentThread().interrupt();
        }
    }

    /** What the caller of {@code inbox} or {@code listen} holds: the session behind it comes a moment later. */
    private static final class Handle implements Subscription {
        private final Object lock = new Object();
        private boolean closed;
        private @Nullable Subscription session;

        /** False if it was closed before it began. */
        boolean is(Subscription begun) {
            synchronized (lock) {
                session = begun;
                return !closed;
            }
        }

        @Override
        public void close() {
            Subscription open;
            synchronized (lock) {
                closed = true;
                open = session;
            }
            if (open != null) {
                open.close();
            }
        }
    }
}
