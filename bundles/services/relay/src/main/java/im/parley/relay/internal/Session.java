package im.parley.relay.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.policy.Client;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.protocol.ClientFrame;
import im.parley.protocol.EventVerifier;
import im.parley.protocol.Frames;
import im.parley.protocol.Kinds;
import im.parley.protocol.MalformedFrameException;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Lease;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client. Its frames are handled in order, one at a time, on the relay's workers; the caller of {@link #send} only
 * queues them. A REQ waits until the events sent before it are committed, so a client always finds what it has published.
 */
final class Session implements Channel, Outbound.Listener, CommitQueue.Publisher {
    private static final Logger LOG = LoggerFactory.getLogger(Session.class);
    private static final int TURN = 32;
    private static final int INTERNAL_ERROR = 1011;
    /** What the in-process transport calls its side; an address of the network is never spelled like that. */
    private static final String LOCAL = "local";

    /** Under way at once on one connection. */
    private static final int MAX_COUNTS = 4;

    private record Incoming(String text, CompletableFuture<Void> taken) {}

    private final Relay relay;
    private final String challenge;
    private final String remote;
    private final boolean local;
    private final Outbound out;
    private final TokenBucket events;
    private final TokenBucket filters;
    private final TokenBucket guardedRows;

    private volatile ProvenKeys keys = ProvenKeys.NONE;

    private final Object lock = new Object();
    private final ArrayDeque<Incoming> inbox = new ArrayDeque<>();
    private long inboxChars;
    /** Beside what waits to be sent: frames not handled yet, stored events at hand, and ids that were sent. */
    private long keptBytes;

    private @Nullable ClientFrame held;
    private boolean reading;
    private int pendingEvents;
    private final Map<String, Subscription> subscriptions = new HashMap<>();
    private long filterBytes;
    private final ArrayDeque<StoredQuery> queries = new ArrayDeque<>();
    private boolean querying;
    private int counting;
    private boolean ended;

    /**
     * @param remote address of the client; {@code local} is this node itself: no rate of the relay's own limits it, and what
     *     it holds is not counted with others
     */
    Session(Relay relay, FrameSink sink, String challenge, String remote) {
        this.relay = relay;
        this.challenge = challenge;
        this.remote = remote;
        this.local = remote.equals(LOCAL);
        RelaySettings settings = relay.settings();
        out = new Outbound(
                sink,
                local ? null : relay.backlog(),
                relay.pool(),
                settings.outboundFrames(),
                settings.outboundKib() * 1024L,
                this);
        long now = relay.clock().millis();
        events = new TokenBucket(settings.eventsAtOnce(), settings.eventsPerSecond(), now);
        filters = new TokenBucket(settings.filtersAtOnce(), settings.filtersPerSecond(), now);
        guardedRows = relay.guardedRows(1);
    }

    /** Sends the challenge, so that a client can prove its keys before it asks for anything. */
    void open() {
        say(Frames.challenge(challenge));
    }

    ProvenKeys keys() {
        return keys;
    }

    int subscriptionCount() {
        synchronized (lock) {
            return subscriptions.size();
        }
    }

    boolean stalled(long nanos, long now) {
        return out.stalled(nanos, now);
    }

    boolean isLocal() {
        return local;
    }

    /** What this client makes the relay hold; what it shares with others in full. */
    long heldBytes() {
        synchronized (lock) {
            long bytes = keptBytes;
            for (Subscription subscription : subscriptions.values()) {
                bytes += subscription.waitingBytes();
            }
            return bytes + out.bytes();
        }
    }

    /** Counts what is held for this client from now on, or less than before. */
    void keep(long bytes) {
        if (local) {
            return;
        }
        synchronized (lock) {
            if (ended) {
                return;
            }
            keptBytes += bytes;
        }
        relay.backlog().add(bytes);
    }

    /** Queues a frame for the client. */
    void say(String frame) {
        out.offer(frame);
    }

    /** Queues the frame that consists of both and a closing bracket. */
    void say(String head, SharedText body) {
        out.offer(head, body);
    }

    @Override
    public CompletionStage<Void> send(String text) {
        CompletableFuture<Void> taken = new CompletableFuture<>();
        int limit = relay.settings().maxMessageLength();
        boolean tooBig = utf8Length(text, limit) > limit;
        synchronized (lock) {
            if (ended) {
                return CompletableFuture.failedStage(channelClosed());
            }
            if (!tooBig) {
                if (inbox.size() >= relay.settings().pendingFrames()
                        || !inbox.isEmpty() && inboxChars + text.length() > 4L * limit) {
                    return CompletableFuture.failedStage(new ProviderException(
                            Kind.EXHAUSTED,
                            "channel.full",
                            "Too many frames wait to be handled; send the next when an earlier one was taken."));
                }
                inbox.add(new Incoming(text, taken));
                inboxChars += text.length();
                keep(Weight.of(text));
            }
        }
        if (tooBig) {
            relay.counters().count("too-big");
            end(TOO_BIG, "a message may have " + limit + " bytes at most", true);
            return CompletableFuture.failedStage(channelClosed());
        }
        kick();
        return taken;
    }

    @Override
    public void close(int code, String reason) {
        end(code, reason, false);
    }

    /**
     * Ends the session; the first call wins.
     *
     * @param flush whether the client still gets what was already said
     */
    void end(int code, String reason, boolean flush) {
        List<Incoming> dropped;
        List<Subscription> open;
        synchronized (lock) {
            if (ended) {
                return;
            }
            // First what may fail for want of memory: half an end would be none.
            dropped = List.copyOf(inbox);
            open = List.copyOf(subscriptions.values());
            ended = true;
            relay.backlog().remove(keptBytes);
            keptBytes = 0;
            inbox.clear();
            held = null;
            subscriptions.clear();
            relay.returnFilterBytes(filterBytes);
            filterBytes = 0;
            queries.clear();
        }
        relay.forget(this);
        open.forEach(this::drop);
        out.close(code, reason, flush);
        dropped.forEach(incoming -> incoming.taken().completeExceptionally(channelClosed()));
    }

    private static ProviderException channelClosed() {
        return new ProviderException(Kind.UNAVAILABLE, "channel.closed", "The channel to the relay is closed.");
    }

    /** Counts no further than to the limit's first excess. */
    private static int utf8Length(String text, int limit) {
        if (text.length() > limit || text.length() * 3L <= limit) {
            return text.length();
        }
        int bytes = text.length();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= 0x800 && !Character.isSurrogate(c)) {
                bytes += 2;
            } else if (c >= 0x80) {
                bytes += 1;
            }
        }
        return bytes;
    }

    // Input, in order

    private void kick() {
        synchronized (lock) {
            if (reading || ended || !mayRead()) {
                return;
            }
            reading = true;
        }
        relay.pool().execute(this::read);
    }

    /** With the lock held. */
    private boolean mayRead() {
        if (held == null && inbox.isEmpty()) {
            return false;
        }
        int allowed = held != null ? 1 : relay.settings().pendingEvents();
        return pendingEvents < allowed && out.roomOrCall();
    }

    private void read() {
        try {
            for (int i = 0; i < TURN; i++) {
                ClientFrame frame;
                Incoming incoming = null;
                synchronized (lock) {
                    if (ended || !mayRead()) {
                        reading = false;
                        return;
                    }
                    frame = held;
                    held = null;
                    if (frame == null) {
                        incoming = inbox.remove();
                        inboxChars -= incoming.text().length();
                        keep(-Weight.of(incoming.text()));
                    }
                }
                if (incoming != null) {
                    incoming.taken().complete(null);
                    frame = parse(incoming.text());
                }
                if (frame != null) {
                    handleOrHold(frame);
                }
            }
            relay.pool().execute(this::read);
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    private void failed(Throwable failure) {
        try {
            LOG.error("A relay session failed and is closed", failure);
        } finally {
            broken();
        }
    }

    private @Nullable ClientFrame parse(String text) {
        try {
            return Frames.readClient(text, relay.grammar());
        } catch (MalformedFrameException e) {
            relay.counters().count("invalid." + e.token());
            // A client takes CLOSED for the end of whatever it had under that id.
            e.subscription().ifPresent(this::forget);
            say(e.answer());
            return null;
        }
    }

    private void handleOrHold(ClientFrame frame) {
        if (frame instanceof ClientFrame.Req) {
            synchronized (lock) {
                if (pendingEvents > 0) {
                    held = frame;
                    return;
                }
            }
        }
        handle(frame);
    }

    private void handle(ClientFrame frame) {
        if (frame instanceof ClientFrame.Publish publish) {
            publish(publish.event());
        } else if (frame instanceof ClientFrame.Req req) {
            subscribe(req);
        } else if (frame instanceof ClientFrame.Close close) {
            forget(close.subscription());
        } else if (frame instanceof ClientFrame.Auth auth) {
            authenticate(auth.event());
        } else if (frame instanceof ClientFrame.Count count) {
            count(count);
        } else if (frame instanceof ClientFrame.Negentropy negentropy) {
            relay.counters().count("unsupported");
            if (!negentropy.verb().equals("NEG-CLOSE")) {
                say(negentropyError(negentropy.subscription(), "unsupported: this relay does not reconcile (NIP-77)"));
            }
        } else {
            relay.counters().count("unsupported");
            say(Frames.notice("unsupported: this relay does not know that message"));
        }
    }

    /** NEG-ERR has the shape of CLOSED under another word. */
    private static String negentropyError(String subscription, String reason) {
        return "[\"NEG-ERR\"" + Frames.closed(subscription, reason).substring("[\"CLOSED\"".length());
    }

    // AUTH

    private void authenticate(Event event) {
        if (tooFast(event)) {
            return;
        }
        ProvenKeys held = keys;
        if (!held.contains(event.pubkey()) && held.size() >= Authentication.MAX_KEYS) {
            refuse(event, "rate-limited: one connection may prove " + Authentication.MAX_KEYS + " keys");
            return;
        }
        String refusal =
                Authentication.refuse(event, challenge, relay.settings().urls(), relay.nowSeconds());
        if (refusal != null) {
            refuse(event, refusal);
            return;
        }
        try {
            verify(event);
            keys = held.with(event.pubkey());
            accept(event, "");
        } catch (ProtocolException e) {
            refuse(event, e.wireReason());
        } catch (ProviderException e) {
            refuse(event, error(e));
        }
    }

    // EVENT

    /** True if it was answered so; asked before anything is computed. */
    private boolean tooFast(Event event) {
        if (local || events.take(1, relay.clock().millis())) {
            return false;
        }
        refuse(
                event,
                "rate-limited: this relay takes " + relay.settings().eventsPerSecond()
                        + " events a second from one connection, send it again later");
        return true;
    }

    private void publish(Event event) {
        if (tooFast(event)) {
            return;
        }
        try {
            String refusal = admit(event);
            if (refusal == null) {
                refusal = relay.policies().judge(event, client());
            }
            if (refusal != null) {
                refuse(event, refusal);
                return;
            }
            boolean ephemeral = Kinds.isEphemeral(event.kind());
            if (!ephemeral && stored(event)) {
                accept(event, "duplicate: this event is stored already");
                return;
            }
            verify(event);
            synchronized (lock) {
                pendingEvents++;
            }
            boolean taken = ephemeral
                    ? relay.live().offer(() -> broadcast(event), Weight.of(event))
                    : relay.commits().offer(event, relay.clock().millis(), this);
            if (!taken) {
                eventDone();
                refuse(event, "rate-limited: this relay is busy, try again later");
            }
        } catch (ProtocolException e) {
            refuse(event, e.wireReason());
        } catch (ProviderException e) {
            refuse(event, error(e));
        }
    }

    /** What can be said without the curve or the store. */
    private @Nullable String admit(Event event) throws ProtocolException {
        String refusal = relay.admission().refuse(event);
        if (refusal == null && Admission.isForItsAuthor(event) && !keys.contains(event.pubkey())) {
            return keys.isEmpty()
                    ? "auth-required: this event may be published by its author only (NIP-70)"
                    : "restricted: this event may be published by its author only (NIP-70)";
        }
        return refusal;
    }

    private Client client() {
        return new Client(remote, keys.keys(), local);
    }

    private boolean stored(Event event) throws ProviderException {
        try (Lease<EventStore> lease = relay.store().acquire()) {
            return lease.get().contains(event.id());
        }
    }

    private void verify(Event event) throws ProviderException, ProtocolException {
        try (Lease<Secp256k1> lease = relay.curve().acquire()) {
            EventVerifier.verify(event, lease.get());
        }
    }

    /** On the live feed's thread. */
    private void broadcast(Event event) {
        try {
            if (relay.recentEphemeral().contains(event.id())) {
                // To learn that somebody took the first would be to learn that the recipient is online.
                accept(event, ReadGuard.guarded(event.kind()) ? "" : "duplicate: this event was passed on already");
                return;
            }
            int taken = relay.live().deliver(event);
            if (taken > 0) {
                relay.recentEphemeral().add(event.id());
                accept(event, "");
            } else if (ReadGuard.guarded(event.kind())) {
                // "Nobody was listening" would tell any stranger whether the recipient is online.
                accept(event, "");
            } else {
                refuse(event, "mute: nobody was listening to this ephemeral event");
            }
        } catch (RuntimeException | Error e) {
            // Whether it was answered is not known, and nobody else will.
            broken();
            throw e;
        } finally {
            eventDone();
        }
    }

    @Override
    public void committed(Event event, Outcome outcome) {
        try {
            answer(event, outcome);
        } finally {
            eventDone();
        }
    }

    private void answer(Event event, Outcome outcome) {
        switch (outcome) {
            case STORED -> accept(event, "");
            case DUPLICATE -> accept(event, "duplicate: this event is stored already");
            // The publisher's newest is safe, so nothing is left to retry: true, as for any other duplicate.
            case SUPERSEDED -> accept(event, "duplicate: a newer version of this event is stored");
            case DELETED -> refuse(event, "blocked: deleted by its author");
            default ->
                refuse(event, "error: storage.bad-answer the store gave no answer for this event, try again later");
        }
    }

    @Override
    public void forbidden(Event event, String reason) {
        try {
            refuse(event, reason);
        } finally {
            eventDone();
        }
    }

    @Override
    public void failed(Event event, ProviderException failure) {
        try {
            refuse(event, error(failure));
        } finally {
            eventDone();
        }
    }

    private void eventDone() {
        synchronized (lock) {
            pendingEvents--;
        }
        kick();
    }

    private void accept(Event event, String message) {
        say(Frames.ok(event.id(), true, message));
    }

    private void refuse(Event event, String reason) {
        relay.counters().count(Drops.code(reason));
        say(Frames.ok(event.id(), false, reason));
    }

    private static String error(ProviderException failure) {
        return "error: " + failure.code() + " "
                + (failure.code().equals(StoredQuery.TOO_WIDE) || failure.code().equals(CommitQueue.UNKNOWN)
                        ? failure.getMessage()
                        : "nothing was done, try again later");
    }

    // REQ and CLOSE

    private void subscribe(ClientFrame.Req req) {
        String id = req.subscription();
        ReadGuard.Verdict verdict = ReadGuard.judge(req.filters(), keys);
        if (verdict == ReadGuard.Verdict.AUTH_REQUIRED) {
            refuse(id, "auth-required: prove the key these messages are addressed to");
            return;
        }
        if (verdict == ReadGuard.Verdict.RESTRICTED) {
            refuse(id, "restricted: these messages are addressed to somebody else");
            return;
        }
        if (!local && !filters.take(req.filters().size(), relay.clock().millis())) {
            refuse(
                    id,
                    "rate-limited: this relay takes " + relay.settings().filtersPerSecond()
                            + " filters a second from one connection, ask again later");
            return;
        }
        String unwanted = relay.policies().judge(req.filters(), client());
        if (unwanted != null) {
            refuse(id, unwanted);
            return;
        }
        Subscription fresh = new Subscription(this, id, req.filters());
        Subscription former;
        String refusal;
        synchronized (lock) {
            if (ended) {
                return;
            }
            former = subscriptions.get(id);
            refusal = open(fresh, former);
        }
        if (refusal != null) {
            refuse(id, refusal);
            return;
        }
        if (former != null) {
            drop(former);
        }
        // Before the stored events are read: whatever is committed from now on comes by as new.
        relay.index().add(fresh);
        if (!fresh.active()) {
            relay.index().remove(fresh);
            return;
        }
        RelaySettings settings = relay.settings();
        StoredQuery query = new StoredQuery(fresh, keys, relay.expirations(), settings.maxLimit(), this::passedOver);
        synchronized (lock) {
            if (ended) {
                return;
            }
            queries.add(query);
        }
        kickQueries();
    }

    /** With the lock held: null if it is open now, else why not. */
    private @Nullable String open(Subscription fresh, @Nullable Subscription former) {
        RelaySettings settings = relay.settings();
        if (former == null && subscriptions.size() >= settings.maxSubscriptions()) {
            return "rate-limited: " + settings.maxSubscriptions() + " subscriptions are open, close one";
        }
        long more = fresh.bytes() - (former == null ? 0 : former.bytes());
        if (filterBytes + more > settings.filterBytes()) {
            return "rate-limited: the filters of this connection would take more than " + settings.filterBytes() / 1024
                    + " KiB, close a subscription or ask for less";
        }
        if (!relay.takeFilterBytes(more, filterBytes + more, local)) {
            return "rate-limited: all connections together have too many filters open, try again later or ask for less";
        }
        filterBytes += more;
        subscriptions.put(fresh.id(), fresh);
        return null;
    }

    /** With the lock held, for a subscription that is not open any more. */
    private void returnFilters(Subscription subscription) {
        filterBytes -= subscription.bytes();
        relay.returnFilterBytes(subscription.bytes());
    }

    /** False if this connection's queries, or those of all, have passed over too many guarded events lately. */
    private boolean passedOver(long rows) {
        if (local) {
            return true;
        }
        long now = relay.clock().millis();
        boolean own = guardedRows.spend(rows, now);
        return relay.guardedRows().spend(rows, now) && own;
    }

    private void refuse(String subscription, String reason) {
        relay.counters().count(Drops.code(reason));
        forget(subscription);
        say(Frames.closed(subscription, reason));
    }

    private void forget(String id) {
        Subscription former;
        synchronized (lock) {
            former = subscriptions.remove(id);
            if (former != null) {
                returnFilters(former);
            }
        }
        if (former != null) {
            drop(former);
        }
    }

    private void drop(Subscription subscription) {
        subscription.cancel();
        relay.index().remove(subscription);
    }

    /** Ends one subscription from this side. */
    void closeSubscription(Subscription subscription, String reason) {
        synchronized (lock) {
            if (!subscriptions.remove(subscription.id(), subscription)) {
                return;
            }
            returnFilters(subscription);
        }
        relay.counters().count(Drops.code(reason));
        relay.index().remove(subscription);
        subscription.close(reason);
    }

    // COUNT

    private void count(ClientFrame.Count request) {
        String id = request.query();
        ReadGuard.Verdict verdict = ReadGuard.judge(request.filters(), keys);
        if (verdict != ReadGuard.Verdict.OPEN) {
            refuseCount(
                    id,
                    verdict == ReadGuard.Verdict.AUTH_REQUIRED
                            ? "auth-required: prove the key these messages are addressed to"
                            : "restricted: these messages are addressed to somebody else");
            return;
        }
        boolean tooMany;
        synchronized (lock) {
            tooMany = counting >= MAX_COUNTS || !relay.startCount();
            counting += tooMany ? 0 : 1;
        }
        if (tooMany) {
            refuseCount(id, "rate-limited: too many counts are under way, wait for one");
            return;
        }
        if (!local && !filters.take(request.filters().size(), relay.clock().millis())) {
            counted();
            refuseCount(
                    id,
                    "rate-limited: this relay takes " + relay.settings().filtersPerSecond()
                            + " filters a second from one connection, ask again later");
            return;
        }
        String unwanted = relay.policies().judge(request.filters(), client());
        if (unwanted != null) {
            counted();
            refuseCount(id, unwanted);
            return;
        }
        CountQuery query = new CountQuery(
                id,
                request.filters(),
                keys,
                relay.expirations(),
                this::passedOver,
                relay.settings().maxCountRows());
        relay.pool().execute(() -> turn(query));
    }

    private void turn(CountQuery query) {
        try {
            synchronized (lock) {
                if (ended) {
                    counting--;
                    relay.endCount();
                    return;
                }
            }
            if (!query.isDone()) {
                try (Lease<EventStore> lease = relay.store().acquire()) {
                    query.turn(lease.get());
                }
                relay.pool().execute(() -> turn(query));
                return;
            }
            say(Frames.count(query.id(), query.count()));
            counted();
        } catch (ProviderException e) {
            counted();
            refuseCount(
                    query.id(),
                    e.code().equals(StoredQuery.TOO_WIDE)
                            ? "error: " + e.code() + " " + e.getMessage()
                            : "error: " + e.code() + " stored events cannot be read now, ask again later");
        } catch (RuntimeException | Error e) {
            counted();
            failed(e);
        }
    }

    private void counted() {
        synchronized (lock) {
            counting--;
        }
        relay.endCount();
    }

    /** A count's id is no subscription's: one of the same name stays open. */
    private void refuseCount(String id, String reason) {
        relay.counters().count(Drops.code(reason));
        say(Frames.closed(id, reason));
    }

    // Stored events, one subscription after the other, beside the input

    private void kickQueries() {
        synchronized (lock) {
            if (querying || ended || queries.isEmpty()) {
                return;
            }
            querying = true;
        }
        relay.pool().execute(this::query);
    }

    private void query() {
        try {
            StoredQuery current;
            synchronized (lock) {
                while (!queries.isEmpty() && !queries.element().subscription().active()) {
                    queries.remove().letGo();
                }
                if (ended || queries.isEmpty() || !out.roomOrCall()) {
                    querying = false;
                    return;
                }
                current = queries.element();
            }
            if (turn(current)) {
                synchronized (lock) {
                    queries.remove(current);
                    current.letGo();
                }
            }
            relay.pool().execute(this::query);
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    private boolean turn(StoredQuery query) {
        Subscription subscription = query.subscription();
        if (!query.isEmpty()) {
            try (Lease<EventStore> lease = relay.store().acquire()) {
                if (!query.turn(lease.get())) {
                    return false;
                }
            } catch (ProviderException e) {
                if (e.code().equals(StoredQuery.TOO_WIDE)) {
                    closeSubscription(subscription, "error: " + e.code() + " " + e.getMessage());
                } else {
                    // DEBUG: whoever subscribes decides how often this is said. The writer and health say it once.
                    LOG.debug("A subscription was closed because the store failed ({}): {}", e.code(), e.getMessage());
                    closeSubscription(
                            subscription, "error: " + e.code() + " stored events cannot be read now, ask again later");
                }
                return true;
            }
        }
        subscription.storedDone();
        relay.commits().afterVisible(subscription::settled);
        return true;
    }

    // Told by the outbound queue

    @Override
    public void room() {
        kick();
        kickQueries();
    }

    @Override
    public void overflow() {
        relay.counters().count("slow-consumer");
        end(POLICY, "too slow: more waits for you than this relay keeps", false);
    }

    /** Told by the writer, too; again, if the first attempt failed half-way. */
    @Override
    public void broken() {
        end(INTERNAL_ERROR, "internal error", false);
        out.close(INTERNAL_ERROR, "internal error", false);
    }
}
