package im.parley.outbox.simulation;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.protocol.Kinds;
import im.parley.relayclient.InboxListener;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.relayclient.RelayClient;
import im.parley.relayclient.RelayHealth;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.random.RandomGenerator;

/** Relays and the network to them, in virtual time, with faults at the seed's choice. They outlive every node. */
public final class SimulatedRelays {
    private static final Duration OVERLAP = Duration.ofDays(2).plusHours(1);

    private final VirtualTime time;
    private final RandomGenerator random;
    private final Life network = new Life();
    private final Map<URI, Relay> relays = new LinkedHashMap<>();
    /** Every event a relay has taken, in order: what checks look at. */
    public final List<Event> accepted = new ArrayList<>();

    /** What may go wrong, each with its probability. */
    public static final class Faults {
        public double eventLost;
        public double answerLost;
        public double rateLimited;
        /** Per live event. */
        public double cut;
        /** Fetches answer within the call. */
        public boolean instantFetch;
        /** Live events of one connection pass each other by up to this much. */
        public Duration shuffle = Duration.ZERO;
    }

    public final Faults faults = new Faults();

    /** One relay. */
    public final class Relay {
        final Map<EventId, Event> events = new LinkedHashMap<>();
        final List<Inbox> inboxes = new ArrayList<>();
        /** What was published towards it, also while it was down. */
        public final List<Event> offered = new ArrayList<>();
        /** Who told it who publishes. */
        public final Set<PublicKey> publishers = new HashSet<>();
        /** Circles in which somebody published, asked or listened there. */
        public final Set<String> circles = new HashSet<>();
        /** Nobody is connected and nobody can. */
        public boolean down;
        /** What it says to every event; empty to take it. */
        public String refuses = "";
        /** Anonymous events are refused until somebody authenticates. */
        public boolean wantsAuth;

        public boolean has(EventId id) {
            return events.containsKey(id);
        }

        public List<Event> events() {
            return List.copyOf(events.values());
        }

        public void put(Event event) {
            if (Kinds.isEphemeral(event.kind())) {
                List.copyOf(inboxes).forEach(inbox -> inbox.passing(event));
            } else if (events.putIfAbsent(event.id(), event) == null) {
                accepted.add(event);
                inboxes.removeIf(inbox -> !inbox.life.alive());
                List.copyOf(inboxes).forEach(inbox -> inbox.arrived(event));
            }
        }

        public void goDown() {
            down = true;
            List.copyOf(inboxes).forEach(Inbox::cut);
        }

        public void comeUp() {
            down = false;
        }
    }

    public SimulatedRelays(VirtualTime time) {
        this.time = time;
        random = time.random();
    }

    public Relay relay(String url) {
        return relay(URI.create(url));
    }

    private Relay relay(URI url) {
        return relays.computeIfAbsent(url, unused -> new Relay());
    }

    private Duration latency() {
        return Duration.ofMillis(1 + random.nextLong(150));
    }

    /** The network as one life of a node reaches it. */
    public RelayClient seenBy(Life life) {
        return new Client(life);
    }

    private final class Client implements RelayClient {
        private final Life life;
        private final Map<String, Long> lastArrival = new HashMap<>();
        private final Set<Inbox> mine = new HashSet<>();

        Client(Life life) {
            this.life = life;
        }

        @Override
        public CompletionStage<PublishResult> publish(Persona persona, URI url, Event event, Duration timeout) {
            CompletableFuture<PublishResult> result = new CompletableFuture<>();
            time.after(timeout, life, () -> result.complete(unknown("relay.timeout")));
            relay(url).circles.add(persona.scope().circle());
            String link = persona.scope().circle() + persona.lane() + Objects.hashCode(persona.identity()) + url;
            long arrival = Math.max(
                    lastArrival.getOrDefault(link, 0L),
                    time.nanoTime() + latency().toNanos());
            lastArrival.put(link, arrival);
            Relay relay = relay(url);
            time.after(Duration.ofNanos(arrival - time.nanoTime()), network, () -> {
                relay.offered.add(event);
                if (persona.identity() != null) {
                    relay.publishers.add(persona.identity());
                }
                if (relay.down || random.nextDouble() < faults.eventLost) {
                    return;
                }
                if (relay.wantsAuth && persona.identity() == null) {
                    answer(result, new PublishResult(PublishResult.State.REFUSED, "auth-required: who are you"));
                    return;
                }
                if (!relay.refuses.isEmpty()) {
                    answer(result, new PublishResult(PublishResult.State.REFUSED, relay.refuses));
                    return;
                }
                if (random.nextDouble() < faults.rateLimited) {
                    answer(result, unknown("rate-limited: slow down"));
                    return;
                }
                relay.put(event);
                if (random.nextDouble() >= faults.answerLost) {
                    answer(result, new PublishResult(PublishResult.State.ACCEPTED, ""));
                }
            });
            return result;
        }

        private void answer(CompletableFuture<PublishResult> result, PublishResult answer) {
            time.after(latency(), life, () -> result.complete(answer));
        }

        @Override
        public CompletionStage<List<Event>> fetch(Persona persona, URI url, Filter filter, Duration timeout) {
            CompletableFuture<List<Event>> result = new CompletableFuture<>();
            Relay relay = relay(url);
            relay.circles.add(persona.scope().circle());
            if (faults.instantFetch && !relay.down) {
                result.complete(found(relay, filter));
                return result;
            }
            time.after(
                    timeout,
                    life,
                    () -> result.completeExceptionally(
                            new ProviderException(Kind.TIMEOUT, "relay.timeout", "No answer.")));
            time.after(latency(), life, () -> {
                if (!relay.down) {
                    result.complete(found(relay, filter));
                }
            });
            return result;
        }

        private static List<Event> found(Relay relay, Filter filter) {
            Set<Integer> kinds = Objects.requireNonNull(filter.kinds());
            Set<PublicKey> authors = Objects.requireNonNull(filter.authors());
            return relay.events().stream()
                    .filter(event -> kinds.contains(event.kind()) && authors.contains(event.pubkey()))
                    .toList();
        }

        @Override
        public Subscription inbox(Persona persona, URI url, InboxListener listener) {
            Inbox inbox = new Inbox(
                    relay(url),
                    life,
                    Objects.requireNonNull(persona.identity()),
                    listener,
                    url,
                    persona.scope().circle());
            mine.add(inbox);
            inbox.relay.circles.add(inbox.circle);
            inbox.connect();
            return () -> {
                inbox.closed = true;
                inbox.relay.inboxes.remove(inbox);
                mine.remove(inbox);
            };
        }

        @Override
        public void end(Scope scope) {
            for (Inbox inbox : List.copyOf(mine)) {
                if (inbox.circle.equals(scope.circle())) {
                    inbox.closed = true;
                    inbox.relay.inboxes.remove(inbox);
                    mine.remove(inbox);
                }
            }
        }

        @Override
        public List<RelayHealth> health() {
            List<RelayHealth> health = new ArrayList<>();
            for (Inbox inbox : mine) {
                String state = inbox.connected ? "connected" : "waiting";
                health.add(new RelayHealth(inbox.circle, inbox.url, "inbox", state, "", Instant.EPOCH));
            }
            return health;
        }

        @Override
        public Map<String, Long> drops() {
            return Map.of();
        }
    }

    private static PublishResult unknown(String message) {
        return new PublishResult(PublishResult.State.UNKNOWN, message);
    }

    /** One subscription; each connection has a number, and what belongs to an older one does not arrive. */
    private final class Inbox {
        final Relay relay;
        final Life life;
        final PublicKey identity;
        final InboxListener listener;
        final URI url;
        final String circle;
        final Set<EventId> known = new HashSet<>();
        boolean connected;
        boolean closed;
        int connection;
        long lastLive;

        Inbox(Relay relay, Life life, PublicKey identity, InboxListener listener, URI url, String circle) {
            this.relay = relay;
            this.life = life;
            this.identity = identity;
            this.listener = listener;
            this.url = url;
            this.circle = circle;
        }

        void connect() {
            int mine = ++connection;
            time.after(latency(), life, () -> {
                if (closed || mine != connection) {
                    return;
                }
                if (relay.down) {
                    time.after(Duration.ofMillis(700), life, this::connect);
                } else {
                    sync(mine);
                }
            });
        }

        private void sync(int mine) {
            connected = true;
            long startedAt = time.clock().instant().getEpochSecond();
            long since = listener.frontier() - OVERLAP.toSeconds();
            List<Event> stored = new ArrayList<>();
            for (Event event : relay.events()) {
                if (isMine(event) && event.createdAt() >= since && !known.contains(event.id())) {
                    stored.add(event);
                }
            }
            stored.sort(Comparator.comparingLong(Event::createdAt).reversed());
            relay.inboxes.remove(this);
            relay.inboxes.add(this);
            Duration delay = latency();
            lastLive = time.nanoTime() + delay.toNanos();
            time.after(delay, life, () -> {
                if (closed || mine != connection) {
                    return;
                }
                try {
                    listener.stored(stored);
                    stored.forEach(event -> known.add(event.id()));
                    listener.synced(startedAt);
                } catch (RuntimeException e) {
                    cut();
                }
            });
        }

        void passing(Event event) {
            int mine = connection;
            if (isMine(event) && !closed) {
                time.after(latency(), life, () -> {
                    if (!closed && mine == connection) {
                        listener.passing(event);
                    }
                });
            }
        }

        void arrived(Event event) {
            if (!isMine(event) || closed) {
                return;
            }
            int mine = connection;
            if (random.nextDouble() < faults.cut) {
                cut();
                return;
            }
            long shuffle = faults.shuffle.isZero() ? 0 : random.nextLong(faults.shuffle.toNanos());
            long at = Math.max(lastLive, time.nanoTime() + latency().toNanos());
            lastLive = at;
            time.after(Duration.ofNanos(at + shuffle - time.nanoTime()), life, () -> {
                if (closed || mine != connection || !known.add(event.id())) {
                    return;
                }
                try {
                    listener.live(event);
                } catch (RuntimeException e) {
                    known.remove(event.id());
                    cut();
                }
            });
        }

        void cut() {
            connected = false;
            relay.inboxes.remove(this);
            if (!closed) {
                connect();
            }
        }

        private boolean isMine(Event event) {
            return Kinds.isWrap(event.kind()) && event.tagValues("p").contains(identity.hex());
        }
    }
}
