package im.parley.relayclient.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.Limits;
import im.parley.api.transport.RelayTransport;
import im.parley.protocol.EventVerifier;
import im.parley.protocol.FilterMatch;
import im.parley.protocol.Frames;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayFrame;
import im.parley.relayclient.InboxListener;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.relayclient.RelayHealth;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One persona at one relay: connects when there is something to do, authenticates when asked, keeps requests and events
 * over reconnects, closes when idle.
 *
 * <p>All state is confined to one {@link Serial}, the loop; nothing blocks on it and no foreign code runs on it. What the
 * relay sends is read and verified on the transport's thread, which slows a flood down to the speed of verification.
 */
final class RelayConnection {
    private static final Logger LOG = LoggerFactory.getLogger(RelayConnection.class);

    static final Duration IDLE = Duration.ofSeconds(60);
    static final Duration GOOD_WHILE = Duration.ofSeconds(60);
    /** How long an identified persona gives a relay to ask who it is before it speaks. */
    static final Duration CHALLENGE_GRACE = Duration.ofMillis(1_500);

    static final Duration AUTH_TIMEOUT = Duration.ofSeconds(30);
    private static final Duration WATCH = Duration.ofSeconds(1);
    private static final Duration CONNECT_GUARD =
            Limits.DEFAULT.connectTimeout().plusSeconds(5);
    private static final int MAX_AUTH_ATTEMPTS = 8;
    private static final int MAX_CHALLENGE = 1024;
    private static final int MAX_STRIKES = 200;
    private static final int MAX_BACKLOG = 20_000;
    /** About how much memory what was received may take before the loop has seen it. */
    private static final long MAX_BACKLOG_BYTES = 16L << 20;

    private static final int MAX_EVENTS = 10_000;
    private static final int WINDOW_BYTES = 1 << 20;

    private enum State {
        IDLE,
        CONNECTING,
        CONNECTED,
        WAITING
    }

    private enum Auth {
        NONE,
        SIGNING,
        SENT,
        DONE,
        FAILED
    }

    /** What to do with something that was refused because we had not said who we are. */
    enum AuthStep {
        /** We have said it meanwhile. */
        RETRY,
        /** It is being said; {@code start} or {@code authFailed} follows. */
        WAIT,
        /** It does not help. */
        NO
    }

    private record Health(String state, String problem, Instant retryAt) {}

    private final Wiring wiring;
    private final Persona persona;
    private final URI relay;
    private final Serial loop;
    private final Consumer<RelayConnection> onRetired;
    private final Backoff backoff;
    private volatile @Nullable Supplier<Signer> signer;
    private volatile Health health = new Health("idle", "", Instant.EPOCH);
    /** Counts connection attempts; what belongs to an older one is ignored. Written on the loop. */
    private volatile long generation;
    /** Read by the transport's thread, written on the loop. */
    private final Map<String, Request> requests = new ConcurrentHashMap<>();

    private volatile long lastRequest;
    private final AtomicLong backlogBytes = new AtomicLong();

    private State state = State.IDLE;
    private boolean stopped;
    private @Nullable Channel channel;
    private @Nullable Lease<RelayTransport> lease;
    private @Nullable Instant connectedAt;
    private boolean ready;
    private boolean closedEarly;
    private @Nullable ProviderException problem;

    private Auth auth = Auth.NONE;
    private @Nullable String challenge;
    private @Nullable EventId authId;
    private int authAttempts;
    /** Why we could not say who we are, if that was not for the relay to decide. */
    private @Nullable ProviderException authProblem;

    private final Map<EventId, Publishing> publishing = new LinkedHashMap<>();
    private final ArrayDeque<Publishing> unsent = new ArrayDeque<>();
    private long bytesUnderWay;
    private final Set<FetchRun> fetches = new LinkedHashSet<>();
    private final Set<InboxSession> inboxes = new LinkedHashSet<>();
    private final Set<LiveSession> lives = new LinkedHashSet<>();

    private Timers.@Nullable Timer retryTimer;
    private Timers.@Nullable Timer idleTimer;
    private Timers.@Nullable Timer guardTimer;
    private Timers.@Nullable Timer graceTimer;
    private Timers.@Nullable Timer authTimer;
    private Timers.@Nullable Timer watchTimer;

    RelayConnection(Wiring wiring, Persona persona, URI relay, Consumer<RelayConnection> onRetired) {
        this.wiring = wiring;
        this.persona = persona;
        this.relay = relay;
        this.onRetired = onRetired;
        this.loop = new Serial(wiring.loops(), wiring.drops());
        this.backoff = new Backoff(wiring.random());
        this.signer = persona.signer();
    }

    /** Uses this signer from now on. */
    void signWith(@Nullable Supplier<Signer> supplier) {
        if (supplier != null) {
            signer = supplier;
        }
    }

    /** False if the connection has retired: the caller makes a new one. */
    boolean post(Runnable action) {
        return loop.execute(action);
    }

    RelayHealth health() {
        Health now = health;
        return new RelayHealth(
                persona.scope().circle(), relay, persona.lane(), now.state(), now.problem(), now.retryAt());
    }

    // What the client asks for; on the loop.

    void publish(Event event, Duration timeout, CompletableFuture<PublishResult> result) {
        if (stopped || publishing.size() >= MAX_EVENTS) {
            answer(result, unknown(stopped ? "relayclient.stopped" : "relayclient.busy"));
            return;
        }
        Publishing entry = publishing.get(event.id());
        if (entry == null) {
            entry = new Publishing(event);
            publishing.put(event.id(), entry);
            unsent.add(entry);
        }
        Publishing waited = entry;
        Publishing.Waiter waiter = new Publishing.Waiter(result);
        waiter.timer = after(timeout, () -> expire(waited, waiter));
        entry.waiters.add(waiter);
        sendEvents();
        wake();
    }

    void fetch(Filter filter, Duration timeout, CompletableFuture<List<Event>> result) {
        FetchRun run = new FetchRun(this, wiring, filter, result);
        fetches.add(run);
        if (stopped) {
            run.fail(unavailable("relayclient.stopped", "The node is shutting down."));
            return;
        }
        if (state == State.WAITING
                && health.retryAt().isAfter(wiring.clock().instant().plus(timeout))) {
            run.fail(asUnavailable(problem));
            return;
        }
        run.expiresBy(after(timeout, () -> {
            if (fetches.contains(run)) {
                run.fail(new ProviderException(
                        Kind.TIMEOUT, "relay.timeout", "The relay did not answer in time. Try again later."));
            }
        }));
        if (ready) {
            run.start();
        }
        wake();
    }

    void add(InboxSession inbox) {
        if (stopped) {
            return;
        }
        inboxes.add(inbox);
        if (ready) {
            inbox.start();
        }
        if (state == State.WAITING && problem != null && problem.kind() == Kind.AUTHENTICATION) {
            // Somebody who opens it again has probably unlocked the key, so the pause is over.
            cancel(retryTimer);
            state = State.IDLE;
        }
        wake();
    }

    void remove(InboxSession inbox) {
        if (inboxes.remove(inbox)) {
            inbox.stop();
            if (hasDemand()) {
                wake();
            } else {
                // Nobody reads here any more, and the relay need not see for how long we stay.
                idle();
            }
        }
    }

    void add(LiveSession live) {
        if (stopped) {
            return;
        }
        lives.add(live);
        if (ready) {
            live.start();
        }
        wake();
    }

    void remove(LiveSession live) {
        if (lives.remove(live)) {
            live.stop();
            wake();
        }
    }

    LiveSession newLive(Filter filter, Consumer<Event> listener) {
        return new LiveSession(this, wiring, filter, listener);
    }

    InboxSession newInbox(PublicKey identity, InboxListener listener) {
        return new InboxSession(this, wiring, identity, listener);
    }

    void ended(FetchRun run) {
        fetches.remove(run);
        wake();
    }

    void stop() {
        stopped = true;
        ProviderException reason = unavailable("relayclient.stopped", "The node is shutting down.");
        for (FetchRun run : List.copyOf(fetches)) {
            run.fail(reason);
        }
        for (Publishing entry : List.copyOf(publishing.values())) {
            complete(entry, unknown(reason.code()));
        }
        inboxes.clear();
        lives.clear();
        tearDown(Channel.GOING_AWAY);
        cancel(retryTimer);
        cancel(idleTimer);
        show(State.IDLE, null, Instant.EPOCH);
    }

    // Connecting.

    private boolean hasDemand() {
        return !publishing.isEmpty() || !fetches.isEmpty() || !inboxes.isEmpty() || !lives.isEmpty();
    }

    /** Connects if there is something to do, or lets the idle time begin. */
    private void wake() {
        if (stopped) {
            return;
        }
        if (hasDemand()) {
            cancel(idleTimer);
            idleTimer = null;
            if (state == State.IDLE) {
                connect();
            }
        } else if (idleTimer == null) {
            idleTimer = after(IDLE, this::idle);
        }
    }

    private void idle() {
        cancel(idleTimer);
        idleTimer = null;
        if (hasDemand() || stopped) {
            return;
        }
        tearDown(Channel.NORMAL);
        cancel(retryTimer);
        retryTimer = null;
        show(State.IDLE, null, Instant.EPOCH);
        // Behind what the closing itself left in the queue.
        post(this::retire);
    }

    private void retire() {
        if (!hasDemand() && state == State.IDLE && idleTimer == null && loop.retireIfIdle()) {
            onRetired.accept(this);
        } else {
            wake();
        }
    }

    private void connect() {
        long mine = generation + 1;
        generation = mine;
        closedEarly = false;
        show(State.CONNECTING, problem, Instant.EPOCH);
        Slot<RelayTransport> slot = wiring.own().test(relay) ? wiring.local() : wiring.sockets();
        Lease<RelayTransport> taken;
        try {
            taken = slot.acquire();
        } catch (ProviderException e) {
            lost(e);
            return;
        }
        guardTimer = after(CONNECT_GUARD, () -> {
            if (mine == generation && state == State.CONNECTING) {
                lost(new ProviderException(Kind.TIMEOUT, "relay.timeout", "The relay did not open a channel in time."));
            }
        });
        try {
            taken.get()
                    .open(persona.scope(), relay, new Incoming(mine), Limits.DEFAULT)
                    .whenComplete((opened, failure) -> {
                        if (!post(() -> opened(mine, taken, opened, failure))) {
                            discard(taken, opened);
                        }
                    });
        } catch (Throwable e) {
            LOG.warn("A relay transport failed to open a channel.", e);
            taken.close();
            lost(unavailable("transport.failed", "The transport failed. See the log."));
        }
    }

    private static void discard(Lease<RelayTransport> taken, @Nullable Channel opened) {
        if (opened != null) {
            opened.close(Channel.NORMAL, "");
        }
        taken.close();
    }

    private void opened(long mine, Lease<RelayTransport> taken, @Nullable Channel opened, @Nullable Throwable failure) {
        if (mine != generation || state != State.CONNECTING || opened == null) {
            discard(taken, opened);
            if (mine == generation && state == State.CONNECTING) {
                lost(reason(failure));
            }
            return;
        }
        cancel(guardTimer);
        channel = opened;
        lease = taken;
        if (closedEarly) {
            lost(unavailable("relay.lost", "The relay closed the connection."));
            return;
        }
        connectedAt = wiring.clock().instant();
        show(State.CONNECTED, null, Instant.EPOCH);
        watch(mine);
        if (persona.identity() == null) {
            becomeReady();
        } else if (challenge != null) {
            authenticate();
        } else {
            graceTimer = after(CHALLENGE_GRACE, () -> {
                if (mine == generation && auth == Auth.NONE && !ready) {
                    becomeReady();
                }
            });
        }
    }

    /** Moves to the new transport when the old one is being swapped out. */
    private void watch(long mine) {
        watchTimer = after(WATCH, () -> {
            if (mine != generation) {
                return;
            }
            if (lease != null && lease.retiring()) {
                tearDown(Channel.NORMAL);
                show(State.IDLE, null, Instant.EPOCH);
                wake();
            } else {
                watch(mine);
            }
        });
    }

    private void becomeReady() {
        ready = true;
        for (InboxSession inbox : List.copyOf(inboxes)) {
            inbox.start();
        }
        for (LiveSession live : List.copyOf(lives)) {
            live.start();
        }
        for (FetchRun run : List.copyOf(fetches)) {
            run.start();
        }
        sendEvents();
    }

    /** The connection is of no use any more: waits and tries again if there is something to do. */
    void lost(ProviderException reason) {
        if (stopped) {
            return;
        }
        boolean connecting = state == State.CONNECTING;
        if (connectedAt != null
                && !connectedAt.plus(GOOD_WHILE).isAfter(wiring.clock().instant())) {
            backoff.held();
        }
        tearDown(Channel.NORMAL);
        for (FetchRun run : List.copyOf(fetches)) {
            run.fail(asUnavailable(reason));
        }
        if (connecting && reason.kind() == Kind.REJECTED) {
            for (Publishing entry : List.copyOf(publishing.values())) {
                complete(entry, new PublishResult(PublishResult.State.REFUSED, reason.code()));
            }
        }
        Duration pause = backoff.failed();
        if (!hasDemand()) {
            show(State.IDLE, reason, Instant.EPOCH);
            wake();
            return;
        }
        if (problem == null) {
            LOG.warn("{} cannot be used now: {}. It is tried again until it can", relay, reason.code());
        }
        show(State.WAITING, reason, wiring.clock().instant().plus(pause));
        cancel(retryTimer);
        retryTimer = after(pause, () -> {
            if (state == State.WAITING) {
                state = State.IDLE;
                wake();
                if (state == State.IDLE) {
                    show(State.IDLE, null, Instant.EPOCH);
                }
            }
        });
    }

    /** The relay does not serve what an inbox needs; see {@link Backoff#refused}. */
    void refused(ProviderException reason) {
        backoff.refused();
        lost(reason);
    }

    /** The relay sends more than it was asked for. */
    void misbehaves() {
        wiring.drops().count("relay.misbehaving");
        refused(misbehaving());
    }

    void succeeded() {
        backoff.succeeded();
        problem = null;
    }

    private void tearDown(int code) {
        generation++;
        Channel open = channel;
        Lease<RelayTransport> held = lease;
        channel = null;
        lease = null;
        connectedAt = null;
        ready = false;
        auth = Auth.NONE;
        challenge = null;
        authId = null;
        authAttempts = 0;
        authProblem = null;
        requests.clear();
        cancel(guardTimer);
        cancel(graceTimer);
        cancel(authTimer);
        cancel(watchTimer);
        for (InboxSession inbox : inboxes) {
            inbox.stop();
        }
        for (LiveSession live : lives) {
            live.stop();
        }
        for (FetchRun run : fetches) {
            run.stop();
        }
        unsent.clear();
        bytesUnderWay = 0;
        for (Publishing entry : publishing.values()) {
            entry.sent = false;
            entry.heldBack = null;
            unsent.add(entry);
        }
        if (open != null) {
            open.close(code, "");
        }
        if (held != null) {
            held.close();
        }
    }

    private void show(State next, @Nullable ProviderException why, Instant retryAt) {
        state = next;
        if (why != null || next == State.IDLE) {
            problem = why;
        }
        health = new Health(
                switch (next) {
                    case IDLE -> "idle";
                    case CONNECTING -> "connecting";
                    case CONNECTED -> "connected";
                    case WAITING -> "waiting";
                },
                why == null ? "" : why.code(),
                retryAt);
    }

    // AUTH, NIP-42.

    private void challenged(String text) {
        boolean again = text.equals(challenge);
        challenge = text;
        if (persona.identity() == null || again || state != State.CONNECTED || auth == Auth.DONE) {
            return;
        }
        // What was asked before we said who we are may have been answered with less than there is.
        for (InboxSession inbox : inboxes) {
            inbox.stop();
        }
        if (authAttempts >= MAX_AUTH_ATTEMPTS) {
            refused(misbehaving());
            return;
        }
        authenticate();
    }

    private void authenticate() {
        PublicKey identity = persona.identity();
        Supplier<Signer> supplier = signer;
        String text = challenge;
        if (identity == null || supplier == null || text == null) {
            authFailed(unavailable("auth.no-signer", "Nobody can sign for this connection."), true);
            return;
        }
        auth = Auth.SIGNING;
        authId = null;
        int attempt = ++authAttempts;
        long mine = generation;
        cancel(graceTimer);
        cancel(authTimer);
        authTimer = after(AUTH_TIMEOUT, () -> {
            if (mine == generation && attempt == authAttempts) {
                authFailed(
                        new ProviderException(
                                Kind.TIMEOUT, "auth.timeout", "Signing for the relay, or its answer, took too long."),
                        true);
            }
        });
        EventTemplate template = new EventTemplate(
                wiring.second(),
                Kinds.AUTH,
                List.of(List.of("relay", relay.toString()), List.of("challenge", text)),
                "");
        wiring.owners().execute(() -> {
            try {
                supplier.get()
                        .sign(template, Purpose.RELAY_AUTH)
                        .whenComplete(
                                (signed, failure) -> post(() -> signed(mine, attempt, identity, signed, failure)));
            } catch (Throwable e) {
                post(() -> signed(mine, attempt, identity, null, e));
            }
        });
    }

    private void signed(
            long mine, int attempt, PublicKey identity, @Nullable Event signed, @Nullable Throwable failure) {
        if (mine != generation || attempt != authAttempts || auth != Auth.SIGNING) {
            return;
        }
        if (signed == null) {
            authFailed(reason(failure), true);
            return;
        }
        if (!signed.pubkey().equals(identity) || signed.kind() != Kinds.AUTH) {
            authFailed(unavailable("auth.wrong-signer", "The signer answered for somebody else."), true);
            return;
        }
        auth = Auth.SENT;
        authId = signed.id();
        transmit(Frames.auth(signed));
    }

    private void authAnswered(boolean accepted, String message) {
        if (!accepted) {
            String text = Answers.clean(message);
            if (Answers.blamesTheClock(message)) {
                // Signed a moment ago, so one of the two clocks is wrong: nothing is final that a right one would mend.
                authFailed(
                        unavailable(
                                "clock.skew",
                                "The relay finds that the clock of this machine is wrong: " + text
                                        + ". Set the clock; the node goes on by itself."),
                        true);
                return;
            }
            authFailed(
                    new ProviderException(
                            Kind.REJECTED,
                            "relay.auth-refused",
                            "The relay does not accept this identity" + (text.isEmpty() ? "." : ": " + text)),
                    false);
            return;
        }
        auth = Auth.DONE;
        authProblem = null;
        cancel(authTimer);
        if (!ready) {
            becomeReady();
            return;
        }
        for (InboxSession inbox : List.copyOf(inboxes)) {
            inbox.start();
        }
        for (LiveSession live : List.copyOf(lives)) {
            live.start();
        }
        for (FetchRun run : List.copyOf(fetches)) {
            if (run.waitsForAuth()) {
                run.start();
            }
        }
        for (Publishing entry : publishing.values()) {
            entry.heldBack = null;
        }
        requeue();
        sendEvents();
    }

    /** @param ours true if the relay has not said no: the same may work later */
    private void authFailed(ProviderException reason, boolean ours) {
        auth = Auth.FAILED;
        authProblem = ours ? reason : null;
        cancel(authTimer);
        cancel(graceTimer);
        if (!inboxes.isEmpty()) {
            // Unauthenticated, the relay would hide the wraps and the sync would look complete.
            refused(reason);
            return;
        }
        for (Publishing entry : List.copyOf(publishing.values())) {
            PublishResult refusal = entry.heldBack;
            if (refusal != null) {
                complete(entry, ours ? unknown(reason.code()) : refusal);
            }
        }
        for (FetchRun run : List.copyOf(fetches)) {
            if (run.waitsForAuth()) {
                run.authFailed(ours ? asUnavailable(reason) : FetchRun.refused(reason.getMessage()));
            }
        }
        if (!ready) {
            becomeReady();
        }
    }

    /**
     * The relay answered {@code auth-required}.
     *
     * @param authenticated whether we had authenticated when we sent what it refused
     */
    AuthStep authFor(boolean authenticated) {
        if (persona.identity() == null) {
            return AuthStep.NO;
        }
        switch (auth) {
            case DONE -> {
                return authenticated ? AuthStep.NO : AuthStep.RETRY;
            }
            case SIGNING, SENT -> {
                return AuthStep.WAIT;
            }
            case NONE, FAILED -> {
                if (authAttempts >= MAX_AUTH_ATTEMPTS) {
                    return AuthStep.NO;
                }
                if (challenge != null) {
                    authenticate();
                    return AuthStep.WAIT;
                }
                cancel(authTimer);
                long mine = generation;
                authTimer = after(AUTH_TIMEOUT, () -> {
                    if (mine == generation && auth == Auth.NONE) {
                        authFailed(
                                unavailable(
                                        "auth.no-challenge", "The relay wants to know who we are but does not ask."),
                                true);
                    }
                });
                return AuthStep.WAIT;
            }
        }
        return AuthStep.NO;
    }

    boolean authenticated() {
        return auth == Auth.DONE;
    }

    // Requests.

    /** Sends a REQ; its id is good until {@link #close} or the end of the connection. */
    String open(Request request) {
        long number = lastRequest + 1;
        lastRequest = number;
        String id = Long.toString(number, 36);
        request.authenticated = auth == Auth.DONE;
        requests.put(id, request);
        transmit(Frames.req(id, List.of(request.filter)));
        return id;
    }

    void close(String id) {
        if (requests.remove(id) != null) {
            transmit(Frames.close(id));
        }
    }

    private void endOfStored(String id) {
        Request request = requests.get(id);
        if (request != null) {
            request.endOfStored();
        }
    }

    private void closedByRelay(String id, String message) {
        Request request = requests.remove(id);
        if (request != null) {
            request.closed(message);
        }
    }

    // Events.

    private void sendEvents() {
        if (!ready) {
            return;
        }
        while (channel != null) {
            Publishing entry = unsent.peek();
            if (entry == null || bytesUnderWay > 0 && bytesUnderWay + entry.frame.length() > WINDOW_BYTES) {
                return;
            }
            unsent.remove();
            entry.sent = true;
            entry.triedWithAuth = auth == Auth.DONE;
            bytesUnderWay += entry.frame.length();
            transmit(entry.frame);
        }
    }

    private void requeue() {
        unsent.clear();
        for (Publishing entry : publishing.values()) {
            if (!entry.sent && entry.heldBack == null) {
                unsent.add(entry);
            }
        }
    }

    private void answered(RelayFrame.Ok ok) {
        EventId ours = authId;
        if (auth == Auth.SENT && ours != null && ours.equals(ok.id())) {
            authAnswered(ok.accepted(), ok.message());
            return;
        }
        Publishing entry = publishing.get(ok.id());
        if (entry == null || !entry.sent) {
            wiring.drops().count("ok.unasked");
            return;
        }
        PublishResult result = Answers.ok(ok.accepted(), ok.message());
        if (!ok.accepted() && Answers.wantsAuth(ok.message())) {
            landed(entry);
            entry.heldBack = result;
            AuthStep step = authFor(entry.triedWithAuth);
            if (publishing.get(ok.id()) != entry) {
                return;
            }
            if (step == AuthStep.RETRY) {
                entry.heldBack = null;
            }
            if (step != AuthStep.NO) {
                requeue();
                sendEvents();
                return;
            }
            ProviderException locked = authProblem;
            if (locked != null) {
                result = unknown(locked.code());
            }
        }
        if (result.state() == PublishResult.State.ACCEPTED) {
            succeeded();
        }
        complete(entry, result);
        sendEvents();
        wake();
    }

    private void landed(Publishing entry) {
        if (entry.sent) {
            entry.sent = false;
            bytesUnderWay -= entry.frame.length();
        }
    }

    private void complete(Publishing entry, PublishResult result) {
        publishing.remove(entry.event.id());
        unsent.remove(entry);
        landed(entry);
        for (Publishing.Waiter waiter : entry.waiters) {
            cancel(waiter.timer);
            answer(waiter.result, result);
        }
        entry.waiters.clear();
    }

    private void expire(Publishing entry, Publishing.Waiter waiter) {
        if (!entry.waiters.remove(waiter)) {
            return;
        }
        ProviderException why = problem;
        answer(waiter.result, unknown(entry.sent || why == null ? "relay.timeout" : why.code()));
        if (entry.waiters.isEmpty()) {
            complete(entry, unknown("relay.timeout"));
            sendEvents();
            wake();
        }
    }

    private void answer(CompletableFuture<PublishResult> result, PublishResult value) {
        wiring.owners().execute(() -> result.complete(value));
    }

    // Small things.

    private void transmit(String text) {
        Channel open = channel;
        if (open == null) {
            return;
        }
        long mine = generation;
        try {
            open.send(text).whenComplete((unused, failure) -> {
                if (failure != null) {
                    post(() -> ifCurrent(mine, () -> lost(reason(failure))));
                }
            });
        } catch (Throwable e) {
            LOG.warn("A relay transport failed to send.", e);
            post(() -> ifCurrent(mine, () -> lost(unavailable("transport.failed", "The transport failed."))));
        }
    }

    private void ifCurrent(long mine, Runnable action) {
        if (mine == generation) {
            action.run();
        }
    }

    Timers.Timer after(Duration delay, Runnable action) {
        return wiring.timers().after(delay, () -> post(action));
    }

    static void cancel(Timers.@Nullable Timer timer) {
        if (timer != null) {
            timer.cancel();
        }
    }

    private static PublishResult unknown(String code) {
        return new PublishResult(PublishResult.State.UNKNOWN, code);
    }

    static ProviderException unavailable(String code, String text) {
        return new ProviderException(Kind.UNAVAILABLE, code, text);
    }

    private static ProviderException asUnavailable(@Nullable ProviderException reason) {
        if (reason == null) {
            return unavailable("relay.lost", "The relay cannot be reached now. Try again later.");
        }
        return reason.kind() == Kind.REJECTED || reason.kind() == Kind.TIMEOUT
                ? reason
                : unavailable(reason.code(), reason.getMessage());
    }

    private static ProviderException misbehaving() {
        return unavailable("relay.misbehaving", "The relay sent too much that it was not asked for.");
    }

    private static ProviderException reason(@Nullable Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        if (cause instanceof ProviderException known) {
            // Made anew: what a plugin threw may hold objects of its classes.
            return new ProviderException(known.kind(), known.code(), known.getMessage());
        }
        return unavailable("transport.failed", "The connection failed for a reason that nobody named.");
    }

    /** What the relay sends on one connection. Called on the transport's thread. */
    private final class Incoming implements FrameSink {
        private final long mine;
        private final AtomicInteger strikes = new AtomicInteger();
        private final AtomicBoolean overrun = new AtomicBoolean();

        Incoming(long mine) {
            this.mine = mine;
        }

        @Override
        public void text(String frame) {
            if (mine != generation) {
                return;
            }
            RelayFrame read;
            try {
                read = Frames.readRelay(frame);
            } catch (ProtocolException e) {
                misbehaved("frame.invalid");
                return;
            }
            if (read instanceof RelayFrame.Deliver deliver) {
                deliver(deliver.subscription(), deliver.event());
            } else if (read instanceof RelayFrame.Ok ok) {
                hand(frame.length(), () -> answered(ok));
            } else if (read instanceof RelayFrame.Eose eose) {
                hand(frame.length(), () -> endOfStored(eose.subscription()));
            } else if (read instanceof RelayFrame.Closed closed) {
                hand(frame.length(), () -> closedByRelay(closed.subscription(), closed.message()));
            } else if (read instanceof RelayFrame.Challenge asked) {
                if (asked.challenge().length() > MAX_CHALLENGE) {
                    misbehaved("challenge.too-long");
                } else {
                    hand(frame.length(), () -> challenged(asked.challenge()));
                }
            } else if (read instanceof RelayFrame.Notice) {
                wiring.drops().count("notice");
            } else {
                wiring.drops().count("frame.unknown");
            }
        }

        private void deliver(String subscription, Event event) {
            Request request = requests.get(subscription);
            if (request == null) {
                if (wasAsked(subscription)) {
                    wiring.drops().count("event.late");
                } else {
                    misbehaved("event.unasked");
                }
                return;
            }
            if (!FilterMatch.matches(request.filter, event)) {
                misbehaved("event.unmatched");
                return;
            }
            // Each time anew: an id that was verified once says nothing about the body that comes with it now.
            try (Lease<Secp256k1> curve = wiring.curve().acquire()) {
                EventVerifier.verify(event, curve.get());
            } catch (ProtocolException e) {
                misbehaved(e.token().equals("sig") ? "event.bad-sig" : "event.bad-id");
                return;
            } catch (ProviderException e) {
                hand(0, () -> lost(e));
                return;
            }
            hand(Paging.weight(event), () -> {
                if (requests.get(subscription) == request) {
                    request.event(event);
                }
            });
        }

        /** Ours are numbers in base 36, up to the last one. */
        private boolean wasAsked(String subscription) {
            if (subscription.length() > 12) {
                return false;
            }
            long number = 0;
            for (int i = 0; i < subscription.length(); i++) {
                char c = subscription.charAt(i);
                int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : -1;
                if (digit < 0) {
                    return false;
                }
                number = number * 36 + digit;
            }
            return number > 0 && number <= lastRequest;
        }

        private void misbehaved(String code) {
            wiring.drops().count(code);
            if (strikes.incrementAndGet() == MAX_STRIKES) {
                wiring.drops().count("relay.misbehaving");
                post(() -> ifCurrent(mine, () -> RelayConnection.this.refused(misbehaving())));
            }
        }

        private void hand(long bytes, Runnable action) {
            if (loop.backlog() >= MAX_BACKLOG || backlogBytes.get() + bytes > MAX_BACKLOG_BYTES) {
                wiring.drops().count("frame.overrun");
                if (overrun.compareAndSet(false, true)) {
                    post(() -> ifCurrent(mine, () -> lost(unavailable("relay.overrun", "The relay sends too fast."))));
                }
                return;
            }
            backlogBytes.addAndGet(bytes);
            boolean taken = post(() -> {
                backlogBytes.addAndGet(-bytes);
                ifCurrent(mine, action);
            });
            if (!taken) {
                backlogBytes.addAndGet(-bytes);
            }
        }

        @Override
        public void closed(int code, String reason) {
            if (mine != generation) {
                return;
            }
            post(() -> {
                if (mine != generation) {
                    return;
                }
                if (state == State.CONNECTING) {
                    closedEarly = true;
                } else {
                    lost(unavailable("relay.lost", "The relay closed the connection (" + code + ")."));
                }
            });
        }
    }
}
