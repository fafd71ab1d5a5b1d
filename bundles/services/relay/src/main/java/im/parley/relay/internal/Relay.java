package im.parley.relay.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.RelayEndpoint;
import im.parley.protocol.Frames;
import im.parley.protocol.GrammarLimits;
import im.parley.relay.RelayArchive;
import im.parley.relay.RelayStatus;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.net.URI;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
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
        service = {RelayEndpoint.class, RelayStatus.class, RelayArchive.class},
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        immediate = true)
@Designate(ocd = RelayConfiguration.class)
public final class Relay implements RelayEndpoint, RelayStatus, RelayArchive {
    private static final Logger LOG = LoggerFactory.getLogger(Relay.class);
    private static final int CHALLENGE_BYTES = 32;
    private static final int RECENT_EPHEMERAL = 4_096;
    private static final int TRY_AGAIN_LATER = 1013;
    private static final long SWEEP_SECONDS = 5;
    private static final long STALL_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long STOP_MILLIS = 3_000;
    private static final int QUEUED_PART_OF_HEAP = 16;
    /** Whatever others hold, a connection may have this much of filters: enough to follow something. */
    private static final long LEAST_FILTER_BYTES = 4_096;

    private static final int GUARDED_OF_ALL = 10;
    /** Under way at once; each may remember every event it has seen. */
    private static final int MAX_COUNTS = 8;

    private static final int GUARDED_SECONDS = 20;
    private final RelaySettings settings;
    private final GrammarLimits grammar;
    private final String information;
    private final Slot<Secp256k1> curve;
    private final Slot<EventStore> store;
    private final InstantSource clock;
    private final SecureRandom random;

    private final Policies policies;
    private final Drops drops = new Drops();
    private final Backlog backlog;
    private final AtomicBoolean relieving = new AtomicBoolean();
    private final AtomicBoolean expiring = new AtomicBoolean();
    private final AtomicLong filterBytes = new AtomicLong();
    private final TokenBucket guardedRows;
    private final Semaphore counts = new Semaphore(MAX_COUNTS);
    private final Expirations expirations;
    private final LiveIndex index = new LiveIndex();
    private final RecentIds recentEphemeral = new RecentIds(RECENT_EPHEMERAL);
    private final Set<Session> sessions = ConcurrentHashMap.newKeySet();
    private final Workers workers;
    private final LiveFeed live;
    private final CommitQueue commits;
    private final Admission admission;
    private final Archive archive;
    private volatile boolean stopped;
    private volatile boolean failing;

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
        policies = new Policies(settings.policies(), settings.workers());
        workers = new Workers(settings.workers());
        expirations = new Expirations(clock);
        backlog = new Backlog(settings.backlogBytes(), this::relieveSoon);
        guardedRows = guardedRows(GUARDED_OF_ALL);
        live = new LiveFeed(
                index,
                expirations,
                backlog,
                drops,
                Runtime.getRuntime().maxMemory() / QUEUED_PART_OF_HEAP,
                subscription -> subscription
                        .session()
                        .closeSubscription(
                                subscription,
                                "error: relay.backlog too much is new while stored events are sent, ask again"));
        commits = new CommitQueue(
                store, live, expirations, drops, Runtime.getRuntime().maxMemory() / QUEUED_PART_OF_HEAP);
        admission = new Admission(settings, clock, expirations);
        archive = new Archive(curve, store, admission, expirations, commits, grammar, clock);
        live.start();
        commits.start();
        workers.every(SWEEP_SECONDS, this::sweep);
        workers.every(SWEEP_SECONDS, this::expireSoon);
        LOG.info("The relay answers to {}", settings.urls());
    }

    @Reference(
            target = "(parley.slot=" + Policies.SLOT_PREFIX + "*)",
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC)
    void bindPolicy(Slot<?> slot) {
        policies.add(slot);
    }

    void unbindPolicy(Slot<?> slot) {
        policies.remove(slot);
    }

    /** Stores and answers what was accepted, then closes every client with 1001. Takes seconds at most. */
    @Deactivate
    void stop() {
        stopped = true;
        try {
            commits.stop(STOP_MILLIS);
            live.stop(STOP_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        endAll();
        try {
            workers.stop(STOP_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void endAll() {
        for (Session session : Set.copyOf(sessions)) {
            session.end(Channel.GOING_AWAY, "the relay stops", true);
        }
    }

    private void sweep() {
        try {
            long now = System.nanoTime();
            for (Session session : sessions) {
                if (session.stalled(STALL_NANOS, now)) {
                    drops.count("slow-consumer");
                    session.end(Channel.POLICY, "too slow: nothing was read for a minute", false);
                }
            }
        } catch (RuntimeException | Error e) {
            // Thrown on, it would be the last sweep.
            LOG.warn("Slow clients could not all be looked for; the next sweep tries again", e);
        }
    }

    private void expireSoon() {
        if (expiring.compareAndSet(false, true)) {
            workers.execute(this::expire);
        }
    }

    /** One turn, and only one at a time is queued, so that a large store does not keep the workers from clients. */
    private void expire() {
        boolean behind = false;
        try (Lease<EventStore> lease = store.acquire()) {
            expirations.sweep(lease.get());
            failing = false;
            behind = expirations.isBehind();
        } catch (ProviderException | RuntimeException | Error e) {
            if (!failing) {
                failing = true;
                LOG.warn("Expired events could not be removed; they are not served, and the next sweep tries again", e);
            }
        } finally {
            expiring.set(false);
        }
        if (behind && !stopped) {
            expireSoon();
        }
    }

    private void relieveSoon() {
        if (relieving.compareAndSet(false, true)) {
            workers.urgently(this::relieve);
        }
    }

    /** Cuts off whoever holds most until the rest fits. */
    private void relieve() {
        relieving.set(false);
        while (backlog.isExceeded()) {
            Session largest = null;
            long most = 0;
            for (Session session : sessions) {
                long held = session.isLocal() ? 0 : session.heldBytes();
                if (held > most) {
                    most = held;
                    largest = session;
                }
            }
            if (largest == null) {
                return;
            }
            drops.count("slow-consumer");
            largest.end(Channel.POLICY, "too slow: too much waits here for all clients, and most of it for you", false);
        }
    }

    /**
     * Counts filters that a session opens, less those it gives up for them.
     *
     * @param held of the session, with these
     * @return false if all sessions together have too many; then nothing was counted
     */
    boolean takeFilterBytes(long more, long held, boolean local) {
        while (true) {
            long now = filterBytes.get();
            if (now + more > settings.allFiltersBytes() && more > 0 && held > LEAST_FILTER_BYTES && !local) {
                return false;
            }
            if (filterBytes.compareAndSet(now, now + more)) {
                return true;
            }
        }
    }

    void returnFilterBytes(long bytes) {
        filterBytes.addAndGet(-bytes);
    }

    long filterBytes() {
        return filterBytes.get();
    }

    Backlog backlog() {
        return backlog;
    }

    Expirations expirations() {
        return expirations;
    }

    /** Of all connections together. */
    TokenBucket guardedRows() {
        return guardedRows;
    }

    /** False if too many clients count; otherwise {@link #endCount} has to follow. */
    boolean startCount() {
        return counts.tryAcquire();
    }

    void endCount() {
        counts.release();
    }

    /** @param times what one connection has */
    TokenBucket guardedRows(int times) {
        long most = (long) times * settings.maxGuardedRows();
        return new TokenBucket(most, most / GUARDED_SECONDS, clock.millis());
    }

    @Override
    public Channel accept(FrameSink toClient, String remote) {
        byte[] challenge = new byte[CHALLENGE_BYTES];
        random.nextBytes(challenge);
        Session session = new Session(this, toClient, HexFormat.of().formatHex(challenge), remote);
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

    @Override
    public Page after(long position) throws ProviderException {
        return archive.after(position);
    }

    @Override
    public Report take(List<String> lines) throws ProviderException {
        return archive.take(lines);
    }

    Admission admission() {
        return admission;
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

    Policies policies() {
        return policies;
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
