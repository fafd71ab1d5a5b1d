package im.parley.outbox.internal;

import static im.parley.outbox.CircleRecords.PAYLOADS;
import static im.parley.outbox.CircleRecords.QUEUE;

import im.parley.api.event.Event;
import im.parley.api.event.Rumor;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.envelope.Envelope;
import im.parley.outbox.Failures;
import im.parley.outbox.LeasedSigner;
import im.parley.outbox.Ledger.State;
import im.parley.outbox.Outbox.Stepped;
import im.parley.outbox.OutboxHost;
import im.parley.outbox.internal.Task.Wrapping;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.relayclient.RelayClient;
import im.parley.relayclient.RelayHealth;
import im.parley.slot.Slot;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Item;
import java.net.URI;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Performs what one circle has queued. All state belongs to one loop; commits happen on the loop too, so what arrives
 * meanwhile is written together in the next one. The records are the truth and memory only runs ahead of them where
 * doing a thing twice is harmless: a relay may be asked again, but a wrap is published only after it is durable.
 */
final class CircleOutbox {
    private static final Logger LOG = LoggerFactory.getLogger(CircleOutbox.class);
    private static final String SIGNER_SILENT = "signer.silent";
    private static final String AUTH_REQUIRED = "relay.auth-required";
    /** Reasons for which a relay that answers others is still left alone for a while. */
    private static final Set<String> ASKED_TO_WAIT = Set.of("relay.rate-limited", "relay.error", AUTH_REQUIRED);

    private static final String WRONG_CLOCK = "clock.skew";

    private static final Set<String> REFUSALS =
            Set.of("blocked", "invalid", "restricted", "pow", "mute", "unsupported");

    private final Scope scope;
    private final SealedSpace space;
    private final OutboxHost host;
    private final Slot<IdentityProvider> identity;
    private final Envelope envelope;
    private final RelayClient relays;
    private final Steps steps;
    private final InstantSource clock;
    private final SecureRandom random;
    private final Settings settings;
    private final Threads threads;

    /** Epoch milliseconds of the next try, for people; read from any thread. */
    private final Map<Long, Long> nextTries = new ConcurrentHashMap<>();

    /** What waits behind others, with its lane; read from any thread. */
    private final Map<Long, String> behind = new ConcurrentHashMap<>();
    /** What a lane waits for; read from any thread. */
    private final Map<String, Long> fronts = new ConcurrentHashMap<>();

    private volatile boolean closed;

    // Everything below belongs to the loop.
    private final Map<String, TreeMap<Long, Task>> lanes = new LinkedHashMap<>();
    private final TreeMap<Long, Task> dirty = new TreeMap<>();
    private Set<URI> connected = new HashSet<>();
    /** Relays that did not answer somebody lately. */
    private final Set<URI> silent = new HashSet<>();

    private long loaded;
    private final Set<Wrapping> wrappings = new LinkedHashSet<>();
    private int inFlight;
    private boolean loadQueued;
    private boolean flushQueued;
    private boolean ticking;
    private boolean storeTroubled;

    CircleOutbox(
            Scope scope,
            SealedSpace space,
            OutboxHost host,
            Slot<IdentityProvider> identity,
            Envelope envelope,
            RelayClient relays,
            Steps steps,
            InstantSource clock,
            SecureRandom random,
            Settings settings,
            Threads threads) {
        this.scope = scope;
        this.space = space;
        this.host = host;
        this.identity = identity;
        this.envelope = envelope;
        this.relays = relays;
        this.steps = steps;
        this.clock = clock;
        this.random = random;
        this.settings = settings;
        this.threads = threads;
    }

    void kick() {
        onLoop(() -> loadSoon(Duration.ZERO));
    }

    /** What waits for a relay to become known or named is tried at once. */
    void hurry() {
        onLoop(() -> {
            for (TreeMap<Long, Task> lane : lanes.values()) {
                for (Task task : lane.values()) {
                    if (task.reason.startsWith("recipient.")) {
                        task.notBefore = Long.MIN_VALUE;
                    }
                    for (Target target : task.targets.values()) {
                        if (target.privateAddress || target.reason.equals(AUTH_REQUIRED)) {
                            target.notBefore = Long.MIN_VALUE;
                        }
                    }
                }
            }
            pump();
        });
    }

    long nextTry(long seq) {
        Long next = nextTries.get(seq);
        String lane = behind.get(seq);
        if (next == null && lane != null) {
            // It is its turn when what is before it moves.
            Long front = fronts.get(lane);
            next = front == null ? null : nextTries.get(front);
        }
        return next == null ? 0 : next;
    }

    /** Whether a message that was not tried yet is held up by those before it. */
    boolean waitsForOthers(long seq) {
        return behind.containsKey(seq);
    }

    /** Nothing is begun after this returns; what is under way finds the loop closed. */
    void close() {
        closed = true;
        threads.loop().shutdown();
        if (threads.work() instanceof java.util.concurrent.ExecutorService work) {
            work.shutdown();
        }
        try {
            // A commit under way shall end before its store is closed.
            if (!threads.loop().awaitTermination(2, TimeUnit.SECONDS)) {
                LOG.warn("The outbox of circle {} was still writing when it was closed.", scope.circle());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- loading ----

    private void loadSoon(Duration delay) {
        if (!loadQueued) {
            loadQueued = true;
            later(delay, this::load);
        }
    }

    private void load() {
        loadQueued = false;
        List<Item> items;
        try {
            items = space.transact(tx -> tx.scan(
                    new RecordKey.Range(QUEUE, "", RecordKey.order(loaded + 1), new byte[0]), false, Settings.BATCH));
        } catch (ProviderException | RuntimeException e) {
            storeTrouble(Failures.of(e));
            loadSoon(Settings.STORE_RETRY);
            return;
        }
        storeWorks();
        for (Item item : items) {
            loaded = LedgerBook.seq(item);
            try {
                Task task = Task.read(loaded, item.value());
                String name = task.order.lane();
                TreeMap<Long, Task> lane = lanes.computeIfAbsent(name, unused -> new TreeMap<>());
                if (!lane.isEmpty()) {
                    behind.put(task.seq, name);
                }
                lane.put(task.seq, task);
                if (task.finished && task.targets.values().stream().noneMatch(Target::open)) {
                    settle(task, true);
                }
            } catch (ProviderException e) {
                LOG.error("A queued message cannot be read and stays as it is: {} {}", e.code(), e.getMessage());
            }
        }
        if (items.size() == Settings.BATCH) {
            loadSoon(Duration.ZERO);
        }
        pump();
    }

    // ---- choosing what to do ----

    /** Begins whatever may begin now. */
    private void pump() {
        if (closed) {
            return;
        }
        long now = threads.nanoTime().getAsLong();
        for (TreeMap<Long, Task> lane : lanes.values()) {
            pump(lane, now);
        }
        if (!lanes.isEmpty() && !ticking) {
            ticking = true;
            later(Settings.TICK, this::tick);
        }
    }

    /**
     * A lane is one sender and one recipient. At each relay only the oldest message that is not settled there may be
     * published, and nothing is published behind a message that is not yet wrapped: a relay that answers late or not at
     * all can then delay messages but never turn their order. Neither does a wrap that is made anew: until it is
     * durable, its message keeps its place at the relays that miss it.
     */
    private void pump(TreeMap<Long, Task> lane, long now) {
        Set<URI> taken = new HashSet<>();
        boolean first = true;
        boolean gate = false;
        int ahead = 0;
        for (Task task : lane.values()) {
            if (task.done) {
                continue;
            }
            if (first) {
                first = false;
                fronts.put(task.order.lane(), task.seq);
            }
            // One dead relay of several shall not stop what the others can have.
            if (task.accepted() == 0 && ahead++ >= Settings.AHEAD) {
                return;
            }
            if (!task.finished) {
                gate = true;
                if (task.wrapping != null || task.eventToWrite) {
                    continue;
                }
                if (task.notBefore > now) {
                    // What holds this one holds those behind it.
                    return;
                }
                if (mayWrap(task)) {
                    behind.remove(task.seq);
                    prepare(task);
                }
            } else if (gate) {
                behind.put(task.seq, task.order.lane());
            } else {
                pump(task, taken, now);
            }
        }
    }

    /** @param taken relays that an older message of the lane still waits for; those of this one are added */
    private void pump(Task task, Set<URI> taken, long now) {
        boolean turn = false;
        for (Target target : task.targets.values()) {
            if (target.open() && taken.add(target.relay)) {
                turn = true;
                if (!task.stale && !target.inFlight && target.notBefore <= now && inFlight < Settings.IN_FLIGHT) {
                    publish(task, target);
                }
            }
        }
        if (turn) {
            behind.remove(task.seq);
        } else {
            behind.put(task.seq, task.order.lane());
        }
        if (turn && task.wantsWrap() && task.wrapping == null && task.notBefore <= now && mayWrap(task)) {
            renew(task);
        }
    }

    private boolean mayWrap(Task task) {
        int same = 0;
        for (Wrapping other : wrappings) {
            same += other.task.order.sender().equals(task.order.sender()) ? 1 : 0;
        }
        return wrappings.size() < Settings.PREPARING && same < Settings.PREPARING_EACH;
    }

    private void tick() {
        ticking = false;
        noticeConnections();
        noticeSilentSigners();
        pump();
    }

    private void noticeSilentSigners() {
        long now = threads.nanoTime().getAsLong();
        for (Wrapping wrapping : List.copyOf(wrappings)) {
            Long askedAt = wrapping.askedAt;
            if (askedAt != null && now - askedAt > Settings.SIGNER_PATIENCE.toNanos()) {
                notWrapped(
                        wrapping,
                        new ProviderException(Kind.TIMEOUT, SIGNER_SILENT, "The signer did not answer in time."));
            }
        }
    }

    /** A relay that answers somebody again is asked again at once. */
    private void noticeConnections() {
        Set<URI> now = new HashSet<>();
        for (RelayHealth health : relays.health()) {
            if (health.scope().equals(scope.circle()) && health.state().equals("connected")) {
                now.add(health.relay());
            }
        }
        for (URI relay : now) {
            if (!connected.contains(relay)) {
                awaken(relay);
            }
        }
        connected = now;
    }

    private void awaken(URI relay) {
        for (TreeMap<Long, Task> lane : lanes.values()) {
            for (Task task : lane.values()) {
                Target target = task.targets.get(relay);
                if (target != null
                        && target.open()
                        && !target.inFlight
                        && !target.privateAddress
                        && !ASKED_TO_WAIT.contains(target.reason)) {
                    target.notBefore = Long.MIN_VALUE;
                    target.attempts = 0;
                }
            }
        }
    }

    // ---- wrapping ----

    private void prepare(Task task) {
        Wrapping wrapping = begin(task);
        CompletionStage<List<URI>> found;
        try {
            found = host.relaysOf(task.order.sender(), task.order.to());
        } catch (RuntimeException | Error e) {
            found = CompletableFuture.failedFuture(e);
        }
        found.whenComplete((urls, failure) -> {
            if (failure != null) {
                onLoop(() -> notWrapped(wrapping, lookUpFailed(Failures.of(failure))));
            } else if (urls.isEmpty()) {
                onLoop(() -> notWrapped(
                        wrapping,
                        new ProviderException(
                                Kind.UNAVAILABLE, "recipient.no-relays", "The recipient has named no inbox relays.")));
            } else {
                onWork(() -> wrap(wrapping, urls), failed -> notWrapped(wrapping, failed));
            }
        });
    }

    /** The relays stay as they are: one that joined now could get this message behind younger ones. */
    private void renew(Task task) {
        Wrapping wrapping = begin(task);
        onWork(() -> wrap(wrapping, List.of()), failed -> notWrapped(wrapping, failed));
    }

    private Wrapping begin(Task task) {
        Wrapping wrapping = new Wrapping(task);
        task.wrapping = wrapping;
        wrappings.add(wrapping);
        return wrapping;
    }

    private void end(@Nullable Wrapping wrapping) {
        if (wrapping != null && !wrapping.over) {
            wrapping.over = true;
            wrapping.task.wrapping = null;
            wrappings.remove(wrapping);
        }
    }

    private static ProviderException lookUpFailed(ProviderException e) {
        return e.kind() == Kind.UNAVAILABLE || e.kind() == Kind.TIMEOUT
                ? new ProviderException(
                        Kind.UNAVAILABLE,
                        "recipient.look-up",
                        "The recipient's inbox relays could not be asked for.",
                        e)
                : e;
    }

    private void wrap(Wrapping wrapping, List<URI> urls) throws ProviderException {
        Task task = wrapping.task;
        byte @Nullable [] value = space.get(RecordKey.of(PAYLOADS, "", task.seq));
        Payload payload = value == null ? null : Payload.read(value);
        Rumor rumor = payload instanceof Payload.Plain plain
                ? plain.rumor()
                : payload instanceof Payload.Finished made ? made.rumor() : null;
        if (rumor == null) {
            throw new ProviderException(
                    Kind.CORRUPT, "store.tampered", "The text of a queued message is gone from the store.");
        }
        Signer signer = new LeasedSigner(identity, task.order.sender(), Purpose.SEAL);
        wrapping.askedAt = threads.nanoTime().getAsLong();
        envelope.wrap(signer, rumor, task.order.to(), task.order.ephemeral(), task.order.expiration())
                .whenComplete((event, failure) -> {
                    if (failure == null) {
                        onLoop(() -> wrapped(wrapping, urls, rumor, event));
                    } else {
                        onLoop(() -> notWrapped(wrapping, Failures.of(failure)));
                    }
                });
    }

    private void wrapped(Wrapping wrapping, List<URI> urls, Rumor rumor, Event event) {
        Task task = wrapping.task;
        end(wrapping);
        if (!task.wantsWrap()) {
            return;
        }
        // An answer that nobody waited for any more is as good as one to a later question.
        end(task.wrapping);
        nextTries.remove(task.seq);
        task.attempts = 0;
        task.event = event;
        task.rumor = rumor;
        task.eventToWrite = true;
        for (URI url : urls) {
            task.target(url);
        }
        if (task.accepted() == 0) {
            task.state = State.QUEUED;
            task.reason = "";
        }
        touch(task);
        if (!urls.isEmpty()) {
            // Those before it may have been for relays that she has left: they go where it goes, and before it.
            moveTo(task.order.lane(), urls);
        }
    }

    private void notWrapped(Wrapping wrapping, ProviderException failure) {
        if (wrapping.over) {
            return;
        }
        end(wrapping);
        Task task = wrapping.task;
        if (task.done) {
            return;
        }
        task.attempts++;
        if (outlived(task)) {
            giveUp(task, "message.expired", Input.Outcome.UNKNOWN);
        } else if (failure.code().equals("vault.locked") || failure.code().equals("identity.unknown")) {
            wait(task, State.AWAITING_SIGNER, "signer.locked", Settings.SIGNER_RETRY);
        } else if (failure.code().equals(SIGNER_SILENT)) {
            wait(task, State.AWAITING_SIGNER, SIGNER_SILENT, askAgainAfter(task.attempts));
        } else if (failure.kind() == Kind.REJECTED || failure.kind() == Kind.CORRUPT) {
            giveUp(task, failure.code(), Input.Outcome.REFUSED);
        } else {
            wait(task, State.QUEUED, failure.code(), backOff(task.attempts));
        }
        pump();
    }

    private static Duration askAgainAfter(int attempts) {
        Duration pause = Settings.SIGNER_ASKED_AGAIN.multipliedBy(1L << Math.min(attempts - 1, 10));
        return pause.compareTo(Settings.SIGNER_ASKED_AT_LEAST) < 0 ? pause : Settings.SIGNER_ASKED_AT_LEAST;
    }

    /** A message that a relay has is not failed because it cannot be wrapped for another one. */
    private void giveUp(Task task, String reason, Input.Outcome outcome) {
        if (task.accepted() == 0) {
            fail(task, reason, outcome);
            return;
        }
        for (Target target : task.targets.values()) {
            if (target.open()) {
                target.status = Target.Status.REFUSED;
                target.reason = reason;
            }
        }
        settle(task, true);
    }

    private void wait(Task task, State state, String reason, Duration pause) {
        holdBack(task, pause);
        task.notBefore = threads.nanoTime().getAsLong() + pause.toNanos();
        if (task.accepted() == 0 && (task.state != state || !task.reason.equals(reason))) {
            task.state = state;
            task.reason = reason;
            touch(task);
        }
    }

    private void holdBack(Task task, Duration pause) {
        nextTries.put(task.seq, clock.millis() + pause.toMillis());
    }

    private void fail(Task task, String reason, Input.Outcome outcome) {
        task.state = State.FAILED;
        task.reason = reason;
        task.done = true;
        decide(task, outcome);
        touch(task);
    }

    // ---- publishing ----

    private void publish(Task task, Target target) {
        target.inFlight = true;
        inFlight++;
        Event event = task.event;
        if (event != null) {
            publish(task, target, event, true);
            return;
        }
        onWork(
                () -> {
                    byte @Nullable [] value = space.get(RecordKey.of(PAYLOADS, "", task.seq));
                    if (value != null && Payload.read(value) instanceof Payload.Finished made) {
                        onLoop(() -> publish(task, target, made.event(), made.rumor() != null));
                    } else {
                        throw new ProviderException(
                                Kind.CORRUPT, "store.tampered", "A finished message is gone from the store.");
                    }
                },
                failure -> {
                    if (failure.kind() == Kind.CORRUPT) {
                        inFlight--;
                        target.inFlight = false;
                        giveUp(task, failure.code(), Input.Outcome.UNKNOWN);
                    } else {
                        answered(task, target, PublishResult.State.UNKNOWN, failure.code());
                    }
                });
    }

    /** @param renewable whether the rumor was kept, so that the event can be made anew */
    private void publish(Task task, Target target, Event event, boolean renewable) {
        if (task.order.wrapped() && renewable && outdated(event)) {
            inFlight--;
            target.inFlight = false;
            task.stale = true;
            onLoop(this::pump);
            return;
        }
        // Asked each time: the user may have taken the relay back since it wanted to know.
        Persona persona = target.identified && named(task, target)
                ? new Persona(
                        scope,
                        task.order.sender(),
                        "out",
                        () -> new LeasedSigner(identity, task.order.sender(), Purpose.RELAY_AUTH))
                : Persona.anonymous(scope, "out");
        CompletionStage<PublishResult> answer;
        try {
            answer = relays.publish(persona, target.relay, event, settings.publishTimeout());
        } catch (RuntimeException | Error e) {
            answer = CompletableFuture.failedFuture(e);
        }
        answer.whenComplete((result, failure) -> onLoop(() -> {
            if (failure == null) {
                answered(task, target, result.state(), result.message());
            } else {
                answered(
                        task,
                        target,
                        PublishResult.State.UNKNOWN,
                        Failures.of(failure).code());
            }
        }));
    }

    /** Too old for readers to find it, or made while the clock was ahead, so that relays refuse it. */
    private boolean outdated(Event event) {
        long now = clock.instant().getEpochSecond();
        return event.createdAt() < now - Settings.WRAP_WINDOW.toSeconds()
                || event.createdAt() > now + Settings.CLOCK_TOLERANCE.toSeconds();
    }

    private void answered(Task task, Target target, PublishResult.State state, String message) {
        inFlight--;
        target.inFlight = false;
        boolean lasting = false;
        if (state == PublishResult.State.ACCEPTED) {
            target.status = Target.Status.ACCEPTED;
            target.reason = "";
            target.privateAddress = false;
            lasting = true;
            if (silent.remove(target.relay)) {
                awaken(target.relay);
            }
        } else if (message.startsWith("auth-required") && !target.identified && named(task, target)) {
            target.identified = true;
            lasting = true;
        } else if (message.startsWith("egress.private")) {
            target.privateAddress = true;
            target.reason = "relay.private";
            pause(task, target, Settings.PRIVATE_RETRY);
        } else if (state == PublishResult.State.REFUSED && !message.startsWith("auth-required")) {
            target.status = Target.Status.REFUSED;
            target.reason = reason(message, "relay.refused");
            lasting = true;
        } else {
            target.attempts++;
            target.privateAddress = false;
            target.reason = reason(message, "relay.no-answer");
            // The event can be read again; what does not move shall not fill the memory.
            task.event = task.eventToWrite ? task.event : null;
            pause(task, target, backOff(target.attempts));
            silent.add(target.relay);
            if (target.attempts % 4 == 0 && task.order.wrapped()) {
                lookAgain(task);
            }
        }
        settle(task, lasting);
        pump();
    }

    private boolean named(Task task, Target target) {
        try {
            return host.named(task.order.sender(), target.relay);
        } catch (RuntimeException e) {
            LOG.error("Whether a relay was named in circle {} could not be answered.", scope.circle(), e);
            return false;
        }
    }

    private void pause(Task task, Target target, Duration pause) {
        target.notBefore = threads.nanoTime().getAsLong() + pause.toNanos();
        holdBack(task, pause);
    }

    /** She may have moved to other relays since. */
    private void lookAgain(Task task) {
        CompletionStage<List<URI>> found;
        try {
            found = host.relaysOf(task.order.sender(), task.order.to());
        } catch (RuntimeException e) {
            return;
        }
        found.whenComplete((urls, failure) -> {
            if (failure == null && !urls.isEmpty()) {
                onLoop(() -> {
                    moveTo(task.order.lane(), urls);
                    pump();
                });
            }
        });
    }

    /**
     * The relays of a lane's recipient are now these. Messages that no relay has yet are offered to all of them, so that
     * they keep their order there too: one that stayed behind with relays she has left would follow younger ones later.
     */
    private void moveTo(String lane, List<URI> urls) {
        for (Task task : List.copyOf(lanes.getOrDefault(lane, new TreeMap<>()).values())) {
            if (task.done || !task.order.wrapped() || task.targets.isEmpty()) {
                continue;
            }
            boolean changed = task.targets
                    .values()
                    .removeIf(target -> target.open() && !target.inFlight && !urls.contains(target.relay));
            if (task.accepted() == 0) {
                for (URI url : urls) {
                    changed |= !task.targets.containsKey(url);
                    task.target(url);
                }
            }
            if (changed) {
                settle(task, true);
            }
        }
    }

    /** Derives the task's state from what its relays have said. */
    private void settle(Task task, boolean lasting) {
        if (task.done) {
            return;
        }
        State stateBefore = task.state;
        String reasonBefore = task.reason;
        int accepted = 0;
        boolean open = false;
        boolean waitsForUser = false;
        String refusal = "";
        String delay = "";
        for (Target target : task.targets.values()) {
            switch (target.status) {
                case ACCEPTED -> accepted++;
                case REFUSED -> refusal = target.reason;
                case OPEN -> {
                    open |= !target.privateAddress;
                    waitsForUser |= target.privateAddress;
                    delay = target.reason.isEmpty() || target.privateAddress && !delay.isEmpty()
                            ? delay
                            : target.reason;
                }
            }
        }
        // By a clock that a relay finds wrong nothing is too late.
        boolean tooLate = !delay.equals(WRONG_CLOCK) && tooLate(task);
        if (accepted > 0) {
            task.state = State.AT_RELAYS;
            task.reason = "";
            decide(task, Input.Outcome.ACCEPTED);
            task.done = !open || tooLate;
        } else if (!open && !waitsForUser) {
            fail(task, refusal.isEmpty() ? "relay.refused" : refusal, Input.Outcome.REFUSED);
        } else if (tooLate) {
            fail(task, delay.isEmpty() ? "relay.no-answer" : delay, Input.Outcome.UNKNOWN);
        } else {
            task.state = State.QUEUED;
            task.reason = delay;
        }
        if (lasting || task.done || task.state != stateBefore || !task.reason.equals(reasonBefore)) {
            touch(task);
        }
    }

    private void decide(Task task, Input.Outcome outcome) {
        if (!task.told && task.outcome == null) {
            task.outcome = new Input.PublishOutcome(moment(clock, random), task.order.token(), outcome);
        }
    }

    static Moment moment(InstantSource clock, SecureRandom random) {
        byte[] seed = new byte[32];
        random.nextBytes(seed);
        return new Moment(clock.millis(), seed);
    }

    private boolean outlived(Task task) {
        Long expiration = task.order.expiration();
        return expiration != null && clock.millis() / 1000 >= expiration;
    }

    private boolean tooLate(Task task) {
        if (outlived(task)) {
            return true;
        }
        long now = clock.millis();
        Duration patience = task.order.ephemeral() ? Settings.GIVE_UP_EPHEMERAL : settings.giveUp();
        // Asked at least a few times as well: a clock that jumped ahead must not give up what was never tried.
        int tries = task.attempts;
        for (Target target : task.targets.values()) {
            tries = Math.max(tries, target.attempts);
        }
        return tries >= 3 && now - task.order.since() > patience.toMillis();
    }

    private Duration backOff(int attempts) {
        long min = settings.retryMin().toMillis();
        long max = settings.retryMax().toMillis();
        long pause = Math.min(max, min << Math.min(attempts - 1, 20));
        return Duration.ofMillis(pause / 2 + random.nextLong(pause / 2 + 1));
    }

    /** A stable code out of what a relay or the relay client said; never the relay's own words. */
    private static String reason(String message, String otherwise) {
        int colon = message.indexOf(':');
        String head = colon < 0 ? message : message.substring(0, colon);
        if (REFUSALS.contains(head)
                || head.equals("rate-limited")
                || head.equals("error")
                || head.equals("auth-required")) {
            return "relay." + head;
        }
        boolean code = !head.isEmpty() && head.length() <= 40 && head.indexOf('.') > 0;
        for (int i = 0; code && i < head.length(); i++) {
            char c = head.charAt(i);
            code = c >= 'a' && c <= 'z' || c == '.' || c == '-';
        }
        return code ? head : otherwise;
    }

    // ---- writing ----

    private void touch(Task task) {
        dirty.put(task.seq, task);
        flushSoon(Duration.ZERO);
    }

    private void flushSoon(Duration delay) {
        if (!flushQueued) {
            flushQueued = true;
            later(delay, this::flush);
        }
    }

    private void flush() {
        flushQueued = false;
        List<Task> batch = new ArrayList<>();
        for (Task task : dirty.values()) {
            if (batch.size() < Settings.BATCH) {
                batch.add(task);
            }
        }
        if (batch.isEmpty()) {
            return;
        }
        try {
            commit(batch);
        } catch (ProviderException e) {
            if (passing(e)) {
                storeTrouble(e);
                flushSoon(Settings.STORE_RETRY);
                return;
            }
            for (Task task : batch) {
                try {
                    commit(List.of(task));
                } catch (ProviderException alone) {
                    if (passing(alone)) {
                        storeTrouble(alone);
                        flushSoon(Settings.STORE_RETRY);
                        return;
                    }
                    dirty.remove(task.seq);
                    if (alone.kind() == Kind.CORRUPT || alone.kind() == Kind.REJECTED) {
                        LOG.error("A queued message is set aside: {} {}", alone.code(), alone.getMessage());
                        forget(task);
                    } else {
                        writeLater(task, alone);
                    }
                }
            }
        }
        if (!dirty.isEmpty()) {
            flushSoon(Duration.ZERO);
        }
        pump();
    }

    /** What is no fault of the message may pass, with the store's next start or another plug-in; the others go on. */
    private void writeLater(Task task, ProviderException failure) {
        if (task.notWritten++ == 0) {
            LOG.error(
                    "What became of a queued message cannot be written and is tried again: {} {}",
                    failure.code(),
                    failure.getMessage());
        }
        later(backOff(task.notWritten), () -> touch(task));
    }

    private void commit(List<Task> batch) throws ProviderException {
        boolean more;
        try {
            more = space.transact(tx -> {
                boolean effects = false;
                Map<Long, Long> over = new TreeMap<>();
                for (Task task : batch) {
                    effects |= write(tx, task);
                    if (task.done) {
                        over.put(Payload.bucket(task.seq), task.seq);
                    }
                }
                for (long seq : over.values()) {
                    Payload.shredIfEmpty(tx, seq);
                }
                return effects;
            });
        } catch (RuntimeException | LinkageError e) {
            throw Failures.of(e);
        }
        storeWorks();
        Set<String> changed = new HashSet<>();
        for (Task task : batch) {
            dirty.remove(task.seq);
            changed.add(task.order.messageId());
            task.told |= task.outcome != null;
            task.outcome = null;
            task.finished |= task.eventToWrite;
            task.stale &= !task.eventToWrite;
            task.eventToWrite = false;
            task.rumor = null;
            task.notWritten = 0;
            if (task.done) {
                forget(task);
            } else if (task.state == State.AT_RELAYS) {
                task.event = null;
            }
        }
        try {
            host.changed(changed);
        } catch (RuntimeException e) {
            LOG.error("Nobody could be told that the ledger of circle {} changed.", scope.circle(), e);
        }
        if (more) {
            loadSoon(Duration.ZERO);
        }
    }

    /** @return whether the scheme asked for more */
    private boolean write(SealedSpace.Tx tx, Task task) throws ProviderException {
        RecordKey queue = RecordKey.of(QUEUE, "", task.seq);
        RecordKey payload = RecordKey.of(PAYLOADS, "", task.seq);
        byte @Nullable [] before = tx.get(queue);
        if (before == null) {
            // It was committed although the store said otherwise; its effects, if any, are in the queue.
            return true;
        }
        boolean effects = false;
        Input outcome = task.outcome;
        if (outcome != null && Task.read(task.seq, before).told) {
            effects = true;
        } else if (outcome != null) {
            Stepped stepped = steps.step(tx, task.order.conversation(), outcome, false);
            for (Effect effect : stepped.effects()) {
                if (effect instanceof Effect.Deliver deliver) {
                    host.deliver(tx, task.order.conversation(), deliver);
                } else if (effect instanceof Effect.Fail fail) {
                    LOG.warn("An encryption scheme did not accept the outcome of a message: {}", fail.code());
                } else {
                    effects = true;
                }
            }
        }
        if (task.done) {
            tx.delete(queue);
            tx.delete(payload);
        } else {
            Event event = task.event;
            if (task.eventToWrite && event != null) {
                tx.put(payload, Payload.write(new Payload.Finished(event, task.rumor)), Payload.bucket(task.seq));
            }
            tx.put(queue, task.write(task.finished || task.eventToWrite, task.told || outcome != null));
        }
        LedgerBook.move(tx, task.seq, task.state, task.accepted(), task.targets.size(), task.reason);
        return effects;
    }

    private void forget(Task task) {
        nextTries.remove(task.seq);
        behind.remove(task.seq);
        TreeMap<Long, Task> lane = lanes.get(task.order.lane());
        if (lane != null && lane.remove(task.seq) != null && lane.isEmpty()) {
            lanes.remove(task.order.lane());
            fronts.remove(task.order.lane());
        }
    }

    /** Whether the same transaction may succeed later. */
    private static boolean passing(ProviderException e) {
        return switch (e.kind()) {
            case UNAVAILABLE, TIMEOUT, EXHAUSTED, AUTHENTICATION -> true;
            case REJECTED, CORRUPT, UNSUPPORTED, INTERNAL -> false;
        };
    }

    private void storeTrouble(ProviderException e) {
        if (!storeTroubled) {
            storeTroubled = true;
            LOG.warn(
                    "The outbox of circle {} waits for its records ({}): {}", scope.circle(), e.code(), e.getMessage());
        }
    }

    private void storeWorks() {
        if (storeTroubled) {
            storeTroubled = false;
            LOG.info("The outbox of circle {} has its records again.", scope.circle());
        }
    }

    // ---- threads ----

    @FunctionalInterface
    private interface Blocking {
        void run() throws ProviderException;
    }

    @FunctionalInterface
    private interface Trouble {
        void with(ProviderException failure);
    }

    private void onWork(Blocking work, Trouble trouble) {
        try {
            threads.work().execute(() -> {
                try {
                    work.run();
                } catch (ProviderException | RuntimeException | Error e) {
                    // An Error too: a provider whose bundle goes away throws LinkageError, and a turn must not be lost.
                    onLoop(() -> trouble.with(Failures.of(e)));
                }
            });
        } catch (RejectedExecutionException e) {
            LOG.debug("closed");
        }
    }

    private void onLoop(Runnable action) {
        later(Duration.ZERO, action);
    }

    private void later(Duration delay, Runnable action) {
        if (closed) {
            return;
        }
        Runnable guarded = () -> {
            if (closed) {
                return;
            }
            try {
                action.run();
            } catch (RuntimeException | LinkageError e) {
                LOG.error("The outbox of circle {} met a bug and goes on.", scope.circle(), e);
            }
        };
        try {
            if (delay.isZero()) {
                threads.loop().execute(guarded);
            } else {
                threads.loop().schedule(guarded, delay.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (RejectedExecutionException e) {
            LOG.debug("closed");
        }
    }
}
