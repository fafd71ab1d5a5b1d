package im.parley.relayclient.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.protocol.ClientFrame;
import im.parley.protocol.FilterMatch;
import im.parley.protocol.Frames;
import im.parley.protocol.MalformedFrameException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** A relay in memory that answers at once, and lies, forgets or refuses as its fields say. */
final class FakeRelay {
    private final World world;
    final Map<EventId, Event> stored = new LinkedHashMap<>();
    final List<Wire> wires = new ArrayList<>();
    /** Text frames as they came, over all connections. */
    final List<String> received = new ArrayList<>();

    boolean down;
    /** Fails each connection with this. */
    @Nullable
    ProviderException refusesConnections;

    boolean sendsChallenge;
    boolean authRequired;
    /** Answers wraps to nobody but their reader, silently. */
    boolean hidesWraps;

    boolean refusesAuth;
    String refusal = "restricted: go away";
    boolean swallowsAuthOk;
    /** Frames to the client that match are not sent. */
    Predicate<String> swallows = frame -> false;

    int cap = 1_000_000;
    /** Sends all it has, however little it was asked for. */
    boolean ignoresLimits;

    boolean duplicateIsFalse;

    @Nullable
    String okFalse;

    @Nullable
    String closesSubscriptions;
    /** Runs after the answer to a REQ for stored events has begun, before EOSE. */
    @Nullable
    Runnable duringStored;

    /** Runs before each answer to a REQ. */
    Runnable onRequest = () -> {};

    /** When a new event matches two subscriptions of one connection, the younger one hears of it first. */
    boolean youngestFirst;
    /** Subscriptions for new events hear of them only before the next request is answered. */
    boolean lateToLive;

    private int challenges;

    FakeRelay(World world) {
        this.world = world;
    }

    CompletionStage<Channel> connect(FrameSink sink) {
        if (refusesConnections != null) {
            return CompletableFuture.failedFuture(refusesConnections);
        }
        if (down) {
            return CompletableFuture.failedFuture(
                    new ProviderException(Kind.UNAVAILABLE, "egress.refused", "nobody answers"));
        }
        Wire wire = new Wire(sink);
        wires.add(wire);
        if (sendsChallenge) {
            wire.challenge();
        }
        return CompletableFuture.completedFuture(wire);
    }

    Wire last() {
        return wires.get(wires.size() - 1);
    }

    long open() {
        return wires.stream().filter(wire -> !wire.closed).count();
    }

    void drop() {
        for (Wire wire : wires) {
            wire.drop();
        }
    }

    /** Stores without telling anybody. */
    void stored(Event event) {
        stored.put(event.id(), event);
    }

    /** Stores and passes on, as if somebody had published it. */
    void publish(Event event) {
        stored.put(event.id(), event);
        for (Wire wire : wires) {
            if (!wire.closed) {
                wire.passOn(event);
            }
        }
    }

    List<String> receivedVerbs() {
        return received.stream()
                .map(frame -> frame.substring(2, frame.indexOf('"', 2)))
                .toList();
    }

    final class Wire implements Channel {
        private final FrameSink sink;
        private final Map<String, List<Filter>> subscriptions = new LinkedHashMap<>();
        private final Set<PublicKey> authenticated = new HashSet<>();
        private @Nullable String challenge;
        private final List<String> heldBack = new ArrayList<>();
        boolean closed;
        int closeCode;

        Wire(FrameSink sink) {
            this.sink = sink;
        }

        void challenge() {
            challenge = "challenge-" + ++challenges;
            say(Frames.challenge(challenge));
        }

        void say(String frame) {
            if (!closed && !swallows.test(frame)) {
                sink.text(frame);
            }
        }

        void drop() {
            if (!closed) {
                closed = true;
                sink.closed(Channel.ABNORMAL, "");
            }
        }

        @Override
        public CompletionStage<Void> send(String text) {
            if (closed) {
                return CompletableFuture.failedFuture(
                        new ProviderException(Kind.UNAVAILABLE, "channel.closed", "closed"));
            }
            received.add(text);
            try {
                handle(Frames.readClient(text));
            } catch (MalformedFrameException e) {
                throw new AssertionError("the client sent " + text, e);
            }
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public void close(int code, String reason) {
            if (!closed) {
                closed = true;
                closeCode = code;
                sink.closed(code, reason);
            }
        }

        private void handle(ClientFrame frame) {
            if (frame instanceof ClientFrame.Publish publish) {
                event(publish.event());
            } else if (frame instanceof ClientFrame.Req req) {
                request(req.subscription(), req.filters());
            } else if (frame instanceof ClientFrame.Close close) {
                subscriptions.remove(close.subscription());
            } else if (frame instanceof ClientFrame.Auth auth) {
                authenticate(auth.event());
            } else {
                throw new AssertionError("unexpected " + frame);
            }
        }

        private void authenticate(Event event) {
            boolean good = !refusesAuth
                    && event.kind() == 22242
                    && event.tag("challenge").equals(java.util.Optional.ofNullable(challenge))
                    && event.tag("relay").isPresent()
                    && world.curve.verify(
                            event.sig().bytes(),
                            event.id().bytes(),
                            event.pubkey().bytes());
            if (good) {
                authenticated.add(event.pubkey());
            }
            if (!swallowsAuthOk) {
                say(Frames.ok(event.id(), good, good ? "" : refusal));
            }
        }

        private void event(Event event) {
            if (authRequired && authenticated.isEmpty()) {
                ask();
                say(Frames.ok(event.id(), false, "auth-required: who are you"));
            } else if (okFalse != null) {
                say(Frames.ok(event.id(), false, okFalse));
            } else if (stored.containsKey(event.id())) {
                say(Frames.ok(event.id(), !duplicateIsFalse, "duplicate: have it"));
            } else {
                publish(event);
                say(Frames.ok(event.id(), true, ""));
            }
        }

        private void ask() {
            if (challenge == null) {
                challenge();
            }
        }

        private void request(String id, List<Filter> filters) {
            if (authRequired && authenticated.isEmpty()) {
                ask();
                say(Frames.closed(id, "auth-required: who are you"));
                return;
            }
            if (closesSubscriptions != null) {
                say(Frames.closed(id, closesSubscriptions));
                return;
            }
            onRequest.run();
            List<String> late = List.copyOf(heldBack);
            heldBack.clear();
            late.forEach(this::say);
            subscriptions.put(id, filters);
            int asked = filters.get(0).limit().orElse(cap);
            int limit = asked == 0 || !ignoresLimits ? Math.min(cap, asked) : cap;
            stored.values().stream()
                    .filter(event -> visible(event) && filters.stream().anyMatch(f -> FilterMatch.matches(f, event)))
                    .sorted(Paging.NEWEST_FIRST)
                    .limit(limit)
                    .toList()
                    .forEach(event -> say(Frames.deliver(id, event)));
            Runnable meanwhile = duringStored;
            if (meanwhile != null && limit > 0) {
                duringStored = null;
                meanwhile.run();
            }
            say(Frames.eose(id));
        }

        private boolean visible(Event event) {
            return !hidesWraps
                    || event.kind() != 1059
                    || event.tagValues("p").stream().anyMatch(p -> authenticated.contains(PublicKey.ofHex(p)));
        }

        private void passOn(Event event) {
            if (!visible(event)) {
                return;
            }
            List<String> ids = new ArrayList<>(subscriptions.keySet());
            if (youngestFirst) {
                java.util.Collections.reverse(ids);
            }
            for (String id : ids) {
                List<Filter> filters = subscriptions.getOrDefault(id, List.of());
                if (filters.stream().noneMatch(f -> FilterMatch.matches(f, event))) {
                    continue;
                }
                if (lateToLive && filters.get(0).limit().orElse(1) == 0) {
                    heldBack.add(Frames.deliver(id, event));
                } else {
                    say(Frames.deliver(id, event));
                }
            }
        }
    }
}
