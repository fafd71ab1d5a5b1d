package im.parley.relay.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.storage.EventStore;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.RelayEndpoint;
import im.parley.protocol.Frames;
import im.parley.protocol.GrammarLimits;
import im.parley.relay.RelayStatus;
import im.parley.slot.Slot;
import java.net.URI;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The relay of this node: what all sessions share, and their registry.
 *
 * <p>An event goes from a session (grammar, id, duplicate, signature) to the one writer, which commits everything that is
 * queued as one batch, then to the publisher's OK and the live feed. Store and curve are leased per unit of work, so both
 * can be swapped while clients stay connected.
 */
@Component(
        name = RelayConfiguration.PID,
        service = {RelayEndpoint.class, RelayStatus.class},
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        immediate = true)
@Designate(ocd = RelayConfiguration.class)
public final class Relay implements RelayEndpoint, RelayStatus {
    private static final Logger LOG = LoggerFactory.getLogger(Relay.class);
    private static final int CHALLENGE_BYTES = 32;
    private static final int RECENT_EPHEMERAL = 4_096;
    private static final int TRY_AGAIN_LATER = 1013;
    private static final long SWEEP_SECONDS = 5;
    private static final long STALL_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long STOP_MILLIS = 4_000;

    private final RelaySettings settings;
    private final GrammarLimits grammar;
    private final String information;
    private final Slot<Secp256k1> curve;
    private final Slot<EventStore> store;
    private final InstantSource clock;
    private final SecureRandom random;

    private final Drops drops = new Drops();
    private final LiveIndex index = new LiveIndex();
    private final RecentIds recentEphemeral = new RecentIds(RECENT_EPHEMERAL);
    private final Set<Session> sessions = ConcurrentHashMap.newKeySet();
    private final Workers workers;
    private final LiveFeed live;
    private final CommitQueue commits;
    private volatile boolean stopped;

    @Activate
    public Relay(
            RelayConfiguration configuration,
            @Reference(target = "(parley.slot=curve)", policyOption = ReferencePolicyOption.GREEDY)
                    Slot<Secp256k1> curve,
            @Reference(target = "(parley.slot=storage.events)", policyOption = ReferencePolicyOption.GREEDY)
                    Slot<EventStore> store,
            @Reference InstantSource clock,
            @Reference SecureRandom random) {
        this(RelaySettings.of(configuration), curve, store, clock, random);
    }

    Relay(
            RelaySettings settings,
            Slot<Secp256k1> curve,
            Slot<EventStore> store,
            InstantSource clock,
            SecureRandom random) {
        this.settings = settings;
        this.grammar = settings.grammar();
        this.information = Information.document(settings);
        this.curve = curve;
        this.store = store;
        this.clock = clock;
        this.random = random;
        workers = new Workers(settings.workers());
        live = new LiveFeed(
                index,
                subscription -> subscription
                        .session()
                        .closeSubscription(
                                subscription,
                                "error: relay.backlog too much is new while stored events are sent, ask again"));
        commits = new CommitQueue(store, live);
        live.start();
        commits.start();
        workers.every(SWEEP_SECONDS, this::sweep);
        LOG.info("The relay answers to {}", settings.urls());
    }

    /** Stores and answers what was accepted, then closes every client with 1001. */
    @Deactivate
    void stop() {
        stopped = true;
        try {
            commits.stop(STOP_MILLIS);
            live.stop(STOP_MILLIS);
            endAll();
            workers.stop(STOP_MILLIS);
        } catch (InterruptedException e) {
            endAll();
            Thread.currentThread().interrupt();
        }
    }

    private void endAll() {
        for (Session session : Set.copyOf(sessions)) {
            session.end(Channel.GOING_AWAY, "the relay stops", true);
        }
    }

    private void sweep() {
        long now = System.nanoTime();
        for (Session session : sessions) {
            if (session.stalled(STALL_NANOS, now)) {
                drops.count("slow-consumer");
                session.end(Channel.POLICY, "too slow: nothing was read for a minute", false);
            }
        }
    }

    @Override
    public Channel accept(FrameSink toClient, String remote) {
        byte[] challenge = new byte[CHALLENGE_BYTES];
        random.nextBytes(challenge);
        Session session = new Session(this, toClient, HexFormat.of().formatHex(challenge));
        if (sessions.size() >= settings.maxConnections()) {
            drops.count("connections");
            session.say(Frames.notice("rate-limited: too many clients are connected, try again later"));
            session.end(TRY_AGAIN_LATER, "too many clients", true);
            return session;
        }
        sessions.add(session);
        session.open();
        if (stopped) {
            session.end(Channel.GOING_AWAY, "the relay stops", true);
        }
        return session;
    }

    @Override
    public Set<URI> urls() {
        return settings.urls();
    }

    @Override
    public String information() {
        return information;
    }

    @Override
    public int maxFrameBytes() {
        return settings.maxMessageLength();
    }

    @Override
    public int connections() {
        return sessions.size();
    }

    @Override
    public int subscriptions() {
        int sum = 0;
        for (Session session : sessions) {
            sum += session.subscriptionCount();
        }
        return sum;
    }

    @Override
    public long stored() {
        return commits.stored();
    }

    @Override
    public Map<String, Long> drops() {
        return drops.snapshot();
    }

    RelaySettings settings() {
        return settings;
    }

    GrammarLimits grammar() {
        return grammar;
    }

    Slot<Secp256k1> curve() {
        return curve;
    }

    Slot<EventStore> store() {
        return store;
    }

    InstantSource clock() {
        return clock;
    }

    long nowSeconds() {
        return clock.instant().getEpochSecond();
    }

    Executor pool() {
        return workers;
    }

    LiveIndex index() {
        return index;
    }

    LiveFeed live() {
        return live;
    }

    /** Only for the live feed's thread. */
    RecentIds recentEphemeral() {
        return recentEphemeral;
    }

    CommitQueue commits() {
        return commits;
    }

    Drops counters() {
        return drops;
    }

    void forget(Session session) {
        sessions.remove(session);
    }
}
