package im.parley.relayclient.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.Limits;
import im.parley.api.transport.RelayTransport;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.protocol.EventHash;
import im.parley.relayclient.Persona;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import java.net.URI;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Everything around one client, on one thread: tasks wait in a queue until {@link #run}, timers until {@link #advance}.
 */
final class World {
    static final long NOW = 1_800_000_000L;
    static final Duration TIMEOUT = Duration.ofSeconds(15);

    final SettableClock clock = SettableClock.atSecond(NOW);
    final SecureRandom random = Seeds.secureRandom("relayclient");
    final Secp256k1 curve = new BouncyCastleSecp256k1();
    final Drops drops = new Drops();
    final Map<URI, FakeRelay> relays = new HashMap<>();
    final List<String> opened = new ArrayList<>();
    final List<Instant> attempts = new ArrayList<>();
    final FixedSlot<RelayTransport> sockets = new FixedSlot<>("transport", new Net("sockets"));
    final FixedSlot<RelayTransport> local = new FixedSlot<>("transport.local", new Net("local"));
    final FixedSlot<Secp256k1> curves = new FixedSlot<>("curve", curve);
    final PooledRelayClient client;

    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();
    private final List<Due> timers = new ArrayList<>();
    private long timerNumber;

    private static final class Due {
        final Instant at;
        final long number;
        final Runnable action;

        Due(Instant at, long number, Runnable action) {
            this.at = at;
            this.number = number;
            this.action = action;
        }
    }

    World() {
        this(Bounds.DEFAULT);
    }

    World(Bounds bounds) {
        Timers manual = (delay, action) -> {
            Due due = new Due(clock.instant().plus(delay), timerNumber++, action);
            timers.add(due);
            return () -> timers.remove(due);
        };
        client = new PooledRelayClient(new Wiring(
                sockets, local, curves, uri -> false, clock, random, manual, tasks::add, tasks::add, drops, bounds));
    }

    /** Runs what is ready, and what follows from it. */
    void run() {
        for (int i = 0; i < 1_000_000; i++) {
            Runnable task = tasks.poll();
            if (task == null) {
                return;
            }
            task.run();
        }
        throw new AssertionError("the client never comes to rest");
    }

    /** Moves the clock, running timers when they are due. */
    void advance(Duration step) {
        Instant end = clock.instant().plus(step);
        run();
        while (true) {
            Due next = timers.stream()
                    .filter(due -> !due.at.isAfter(end))
                    .min(Comparator.<Due, Instant>comparing(due -> due.at).thenComparing(due -> due.number))
                    .orElse(null);
            if (next == null) {
                break;
            }
            timers.remove(next);
            if (next.at.isAfter(clock.instant())) {
                clock.set(next.at);
            }
            next.action.run();
            run();
        }
        clock.set(end);
        run();
    }

    FakeRelay relay(String url) {
        FakeRelay relay = new FakeRelay(this);
        relays.put(URI.create(url), relay);
        return relay;
    }

    /** The value, which must be there without waiting any longer. */
    static <T> T now(CompletionStage<T> stage) {
        CompletableFuture<T> future = stage.toCompletableFuture();
        if (!future.isDone()) {
            throw new AssertionError("not decided yet");
        }
        return future.join();
    }

    Identity identity() {
        return new Identity();
    }

    /** A key that signs. */
    final class Identity implements Signer {
        private final byte[] secret = new byte[32];
        private final PublicKey key;
        final List<Event> signed = new ArrayList<>();

        @Nullable
        ProviderException failure;

        Identity() {
            random.nextBytes(secret);
            secret[0] = 1;
            try {
                key = PublicKey.of(curve.publicKey(secret));
            } catch (ProviderException e) {
                throw new AssertionError(e);
            }
        }

        @Override
        public PublicKey publicKey() {
            return key;
        }

        Persona persona(String lane) {
            return new Persona(Scope.DEFAULT, key, lane, () -> this);
        }

        Event event(long createdAt, int kind, List<List<String>> tags, String content) {
            EventId id;
            try {
                id = EventHash.id(key, createdAt, kind, tags, content);
            } catch (im.parley.protocol.ProtocolException e) {
                throw new AssertionError(e);
            }
            return new Event(id, key, createdAt, kind, tags, content, signature(id.bytes()));
        }

        Signature signature(byte[] message) {
            try {
                return Signature.of(curve.sign(message, secret, new byte[32]));
            } catch (ProviderException e) {
                throw new AssertionError(e);
            }
        }

        /** A gift wrap for this identity by a key of its own. */
        Event wrap(long createdAt) {
            return new Identity()
                    .event(createdAt, 1059, List.of(List.of("p", key.hex())), "sealed " + random.nextLong());
        }

        @Override
        public CompletionStage<Event> sign(EventTemplate template, Purpose purpose) {
            if (failure != null) {
                return CompletableFuture.failedFuture(failure);
            }
            if (!purpose.covers(template.kind())) {
                return CompletableFuture.failedFuture(
                        new ProviderException(Kind.REJECTED, "sign.kind-denied", "not for this"));
            }
            Event event = event(template.createdAt(), template.kind(), template.tags(), template.content());
            signed.add(event);
            return CompletableFuture.completedFuture(event);
        }

        @Override
        public CompletionStage<String> nip44Encrypt(PublicKey peer, String plaintext) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletionStage<String> nip44Decrypt(PublicKey peer, String payload) {
            throw new UnsupportedOperationException();
        }
    }

    /** Connects to the relays of this world. */
    private final class Net implements RelayTransport {
        private final String name;

        Net(String name) {
            this.name = name;
        }

        @Override
        public CompletionStage<Channel> open(Scope scope, URI relay, FrameSink sink, Limits limits) {
            opened.add(name + " " + scope.circle() + " " + relay);
            attempts.add(clock.instant());
            FakeRelay peer = relays.get(relay);
            if (peer == null) {
                return CompletableFuture.failedFuture(
                        new ProviderException(Kind.UNAVAILABLE, "egress.unresolved", "no such host"));
            }
            return peer.connect(sink);
        }
    }

    /** A slot with one object, which counts its leases. */
    static final class FixedSlot<T> implements Slot<T> {
        private final String name;
        private final T object;
        int leased;
        int inFlight;
        boolean retiring;

        @Nullable
        ProviderException empty;

        FixedSlot(String name, T object) {
            this.name = name;
            this.object = object;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public Lease<T> acquire() throws ProviderException {
            if (empty != null) {
                throw empty;
            }
            leased++;
            inFlight++;
            boolean old = retiring;
            return new Lease<>() {
                private boolean closed;

                @Override
                public T get() {
                    if (closed) {
                        throw new IllegalStateException("used after close");
                    }
                    return object;
                }

                @Override
                public String instance() {
                    return name + "~test";
                }

                @Override
                public boolean retiring() {
                    return retiring && !old;
                }

                @Override
                public void close() {
                    if (!closed) {
                        closed = true;
                        inFlight--;
                    }
                }
            };
        }

        @Override
        public Status status() {
            return new Status(name, name + "~test", "", inFlight);
        }
    }
}
