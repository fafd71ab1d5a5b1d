package im.parley.outbox.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.EncryptionScheme;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.envelope.Envelope;
import im.parley.identities.Identities;
import im.parley.outbox.CircleRecords;
import im.parley.outbox.Ledger;
import im.parley.outbox.Outbox;
import im.parley.outbox.OutboxHost;
import im.parley.relayclient.RelayClient;
import im.parley.slot.Slot;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import im.parley.vault.SealedSpaces;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** The outbox of all circles of a node. */
@Component(
        name = StepOutbox.PID,
        service = {Outbox.class, Ledger.class},
        immediate = true)
@Designate(ocd = StepOutbox.Config.class)
public final class StepOutbox implements Outbox, Ledger {
    static final String PID = "im.parley.outbox";

    /** Patience of the outbox. */
    @ObjectClassDefinition(name = "Parley outbox", description = "How the outbox offers messages to relays.")
    public @interface Config {
        @AttributeDefinition(
                description = "First pause in milliseconds after a relay did not take a message; it doubles.")
        long retry_min_millis() default 1_000;

        @AttributeDefinition(description = "Longest pause in milliseconds between two tries.")
        long retry_max_millis() default 300_000;

        @AttributeDefinition(description = "How long one answer of a relay is waited for, in milliseconds.")
        long publish_timeout_millis() default 10_000;

        @AttributeDefinition(description = "Days after which a message no relay answered for is given up; 7 or more.")
        int give_up_days() default 7;
    }

    private final SealedSpaces spaces;
    private final Slot<IdentityProvider> identity;
    private final Envelope envelope;
    private final RelayClient relays;
    private final InstantSource clock;
    private final SecureRandom random;
    private final Steps steps;
    private final Settings settings;
    private final Threads.Source threads;
    private final Map<Scope, CircleOutbox> circles = new ConcurrentHashMap<>();

    @Activate
    public StepOutbox(
            @Reference SealedSpaces spaces,
            @Reference(target = "(parley.slot=scheme)") Slot<EncryptionScheme> schemes,
            @Reference(service = Identities.class) Slot<IdentityProvider> identity,
            @Reference Envelope envelope,
            @Reference RelayClient relays,
            @Reference InstantSource clock,
            @Reference SecureRandom random,
            Config config) {
        this(spaces, schemes, identity, envelope, relays, clock, random, settings(config), StepOutbox::platform);
    }

    private StepOutbox(
            SealedSpaces spaces,
            Slot<EncryptionScheme> schemes,
            Slot<IdentityProvider> identity,
            Envelope envelope,
            RelayClient relays,
            InstantSource clock,
            SecureRandom random,
            Settings settings,
            Threads.Source threads) {
        this.spaces = spaces;
        this.identity = identity;
        this.envelope = envelope;
        this.relays = relays;
        this.clock = clock;
        this.random = random;
        this.steps = new Steps(schemes);
        this.settings = settings;
        this.threads = threads;
    }

    /** With the default patience, on threads of the caller's choice; for simulations in virtual time. */
    public static StepOutbox on(
            Threads.Source threads,
            SealedSpaces spaces,
            Slot<EncryptionScheme> schemes,
            Slot<IdentityProvider> identity,
            Envelope envelope,
            RelayClient relays,
            InstantSource clock,
            SecureRandom random) {
        Settings settings =
                new Settings(Duration.ofSeconds(1), Duration.ofMinutes(5), Duration.ofSeconds(10), Duration.ofDays(7));
        return new StepOutbox(spaces, schemes, identity, envelope, relays, clock, random, settings, threads);
    }

    @Deactivate
    public void close() {
        circles.values().forEach(CircleOutbox::close);
        circles.clear();
    }

    @Override
    public Attachment attach(Scope scope, OutboxHost host) {
        CircleOutbox circle = new CircleOutbox(
                scope,
                spaces.open(CircleRecords.space(scope)),
                host,
                identity,
                envelope,
                relays,
                steps,
                clock,
                random,
                settings,
                threads.forCircle(scope.circle()));
        if (circles.putIfAbsent(scope, circle) != null) {
            circle.close();
            throw new IllegalStateException("circle " + scope.circle() + " has a host already");
        }
        circle.kick();
        return () -> {
            if (circles.remove(scope, circle)) {
                circle.close();
            }
        };
    }

    @Override
    public Stepped step(Tx tx, Scope scope, Conversation conversation, Input input) throws ProviderException {
        return steps.step(tx, conversation, input, false);
    }

    @Override
    public Stepped signal(Tx tx, Scope scope, Conversation conversation, Input.Send send) throws ProviderException {
        return steps.step(tx, conversation, send, true);
    }

    @Override
    public boolean confirm(Tx tx, String messageId, PublicKey recipient, State state) throws ProviderException {
        if (state != State.DELIVERED && state != State.READ) {
            throw new IllegalArgumentException("a recipient confirms that she has a message or has read it");
        }
        return LedgerBook.confirm(tx, messageId, recipient, state);
    }

    @Override
    public void kick(Scope scope) {
        CircleOutbox circle = circles.get(scope);
        if (circle != null) {
            circle.kick();
        }
    }

    @Override
    public void hurry(Scope scope) {
        CircleOutbox circle = circles.get(scope);
        if (circle != null) {
            circle.hurry();
        }
    }

    @Override
    public Moment moment() {
        return CircleOutbox.moment(clock, random);
    }

    @Override
    public List<Entry> entries(Tx tx, String messageId) throws ProviderException {
        List<Entry> entries = new ArrayList<>();
        for (LedgerBook.Line line : LedgerBook.lines(tx, messageId)) {
            if (!line.copy()) {
                entries.add(entry(line, null));
            }
        }
        return entries;
    }

    @Override
    public List<Entry> copies(Scope scope, String messageId) throws ProviderException {
        List<Entry> entries = new ArrayList<>();
        for (LedgerBook.Line line : space(scope).transact(tx -> LedgerBook.lines(tx, messageId))) {
            if (line.copy()) {
                entries.add(entry(line, circles.get(scope)));
            }
        }
        return entries;
    }

    @Override
    public Totals totals(Scope scope) throws ProviderException {
        return space(scope).transact(LedgerBook::totals);
    }

    @Override
    public List<Entry> entries(Scope scope, String messageId, int limit) throws ProviderException {
        if (limit < 1) {
            throw new IllegalArgumentException("limit must be 1 or more");
        }
        List<LedgerBook.Line> lines = space(scope)
                .transact(tx -> messageId.isEmpty() ? LedgerBook.newest(tx, limit) : LedgerBook.lines(tx, messageId));
        List<Entry> entries = new ArrayList<>();
        for (LedgerBook.Line line : lines) {
            if (!line.copy() && entries.size() < limit) {
                entries.add(entry(line, circles.get(scope)));
            }
        }
        return entries;
    }

    private SealedSpace space(Scope scope) throws ProviderException {
        // Reading would begin the space of a circle that is over anew.
        if (!scope.equals(Scope.DEFAULT) && !circles.containsKey(scope)) {
            throw new ProviderException(Kind.REJECTED, "circle.unknown", "There is no such circle.");
        }
        return spaces.open(CircleRecords.space(scope));
    }

    /** @param circle what works on it; null if nothing does or if only what is written counts */
    private static Entry entry(LedgerBook.Line line, @Nullable CircleOutbox circle) {
        boolean settled = line.state() == State.FAILED || line.state() == State.DELIVERED || line.state() == State.READ;
        boolean behind = circle != null
                && line.reason().isEmpty()
                && (line.state() == State.COMPOSED || line.state() == State.QUEUED)
                && circle.waitsForOthers(line.seq());
        return new Entry(
                line.messageId(),
                line.recipient().hex(),
                line.state(),
                line.relaysHave(),
                line.relaysAll(),
                behind ? "waits.order" : line.reason(),
                settled || circle == null ? 0 : circle.nextTry(line.seq()));
    }

    private static Settings settings(Config config) {
        check("retry_min_millis", config.retry_min_millis(), 10, 60_000);
        check("retry_max_millis", config.retry_max_millis(), config.retry_min_millis(), 86_400_000);
        check("publish_timeout_millis", config.publish_timeout_millis(), 100, 300_000);
        check("give_up_days", config.give_up_days(), 7, 365);
        return new Settings(
                Duration.ofMillis(config.retry_min_millis()),
                Duration.ofMillis(config.retry_max_millis()),
                Duration.ofMillis(config.publish_timeout_millis()),
                Duration.ofDays(config.give_up_days()));
    }

    private static void check(String key, long value, long min, long max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(
                    PID + ": " + key + " is " + value + ", allowed is " + min + " to " + max);
        }
    }

    private static Threads platform(String circle) {
        ScheduledThreadPoolExecutor loop = new ScheduledThreadPoolExecutor(1, named("parley-outbox-" + circle));
        loop.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        ThreadPoolExecutor work = new ThreadPoolExecutor(
                2, 2, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), named("parley-outbox-work-" + circle));
        work.allowCoreThreadTimeOut(true);
        return new Threads(loop, work, System::nanoTime);
    }

    private static ThreadFactory named(String name) {
        return task -> {
            Thread thread = Executors.defaultThreadFactory().newThread(task);
            thread.setName(name);
            thread.setDaemon(true);
            return thread;
        };
    }
}
