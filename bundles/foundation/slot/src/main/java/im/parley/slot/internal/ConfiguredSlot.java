package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Lease;
import im.parley.slot.Mover;
import im.parley.slot.Slot;
import im.parley.slot.SwapReport;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.ComponentServiceObjects;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A slot as configured: the selected instance or nothing. Service ranking plays no part, and a provider object is got
 * and opened only when the slot prepares it, so that an unselected store never opens.
 *
 * <p>A swap replaces the selection while the slot works, see {@link #replace}. Configuration Admin still holds the
 * selection of the start; the stack generation has the new one for the next.
 */
@Component(
        name = ConfiguredSlot.PID,
        service = Slot.class,
        immediate = true,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = ConfiguredSlot.Config.class, factory = true)
public final class ConfiguredSlot implements Slot<Object>, Border.Watcher {
    static final String PID = "im.parley.slot";
    /** The only slot with a preference list; every other one has the configured instance or nothing. */
    private static final String SLOT_WITH_PREFERENCES = "curve";

    private static final Duration DRAIN = Duration.ofSeconds(4);
    /** Longest that users wait for a new version on the same directory. */
    private static final Duration TAKEOVER = Duration.ofSeconds(30);

    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final Logger LOG = LoggerFactory.getLogger(ConfiguredSlot.class);

    /** Configuration of one slot. */
    @ObjectClassDefinition(name = "Slot", description = "Which provider instance fills a slot.")
    public @interface Config {
        @AttributeDefinition(
                name = "parley.slot",
                description = "The slot's name, for example curve or storage.events.")
        String parley_slot();

        @AttributeDefinition(
                description =
                        "The provider instance, PID~name. Only the slot curve takes several, in order of preference.")
        String[] select();

        @AttributeDefinition(
                description =
                        "What a swap has to move: none if the providers of the slot keep nothing between two calls, copy if"
                                + " what they keep is copied. Empty if it cannot be moved, so that a swap is refused.")
        String handover() default "";
    }

    private final String name;
    private final boolean stateless;
    /** Null if nothing that the providers keep can be moved. */
    private final @Nullable Handover handover;

    private final SlotHost host;
    private final Object opening = new Object();
    private final Object swapping = new Object();
    private volatile @Nullable Holder<Object> current;
    private volatile boolean stopped;
    private final AtomicLong longestWaitNanos = new AtomicLong();

    // With the lock on opening.
    private List<String> select;
    private final Map<String, List<Candidate>> candidates = new TreeMap<>();
    private @Nullable ProviderException lastFailure;
    private Instant retryAt = Instant.EPOCH;
    private String warning = "";

    /** Whether what filled the slot is closed, and another one on the same directory is not open yet. */
    private boolean takingOver;

    /**
     * @param directory name of the directory it is handed
     * @param bundle it comes from; null only in tests without a framework
     */
    private record Candidate(
            ServiceReference<Provider<?>> reference,
            ComponentServiceObjects<Provider<?>> objects,
            boolean testOnly,
            String directory,
            @Nullable Bundle bundle) {}

    @Activate
    public ConfiguredSlot(@Reference SlotHost host, Config config) {
        if (config.parley_slot() == null || config.parley_slot().isBlank()) {
            throw new IllegalArgumentException(PID + " parley.slot must name the slot");
        }
        this.name = config.parley_slot();
        this.select = config.select() == null ? List.of() : List.copyOf(Arrays.asList(config.select()));
        if (select.isEmpty()) {
            throw new IllegalArgumentException(
                    PID + " select of slot " + name + " must name a provider instance PID~name");
        }
        if (select.size() > 1 && !name.equals(SLOT_WITH_PREFERENCES)) {
            throw new IllegalArgumentException(PID + " select of slot " + name + " names " + select.size()
                    + " instances, but only the slot " + SLOT_WITH_PREFERENCES + " takes a preference list");
        }
        String handover = config.handover() == null ? "" : config.handover();
        if (!List.of("", "none", "copy").contains(handover)) {
            throw new IllegalArgumentException(
                    PID + " handover=" + handover + " of slot " + name + " is neither none nor copy");
        }
        this.stateless = handover.equals("none");
        this.handover = handover.equals("copy") ? new Handover(name, host, this::openBeside) : null;
        this.host = host;
        host.add(this);
    }

    @Deactivate
    void deactivate() {
        host.remove(this);
        stopped = true;
        Holder<Object> holder;
        synchronized (opening) {
            holder = current;
            current = null;
        }
        leave(holder);
    }

    /** What served is gone: nothing moves any more, and leases end. */
    private void leave(@Nullable Holder<Object> holder) {
        if (handover != null) {
            handover.emptied();
        }
        retire(holder);
    }

    @Reference(service = Provider.class, cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindProvider(
            ServiceReference<Provider<?>> reference,
            ComponentServiceObjects<Provider<?>> objects,
            Map<String, ?> properties) {
        if (name.equals(properties.get(Provider.SLOT)) && properties.get(Constants.SERVICE_PID) instanceof String pid) {
            synchronized (opening) {
                candidates
                        .computeIfAbsent(pid, unused -> new ArrayList<>())
                        .add(new Candidate(
                                reference,
                                objects,
                                Boolean.TRUE.equals(properties.get(Provider.TEST_ONLY)),
                                SlotHost.directoryName(pid, properties.get(SlotHost.DIRECTORY)),
                                // Asked for now: a service that has left no longer knows.
                                reference.getBundle()));
            }
        }
    }

    void unbindProvider(
            ServiceReference<Provider<?>> reference,
            ComponentServiceObjects<Provider<?>> objects,
            Map<String, ?> properties) {
        if (!(properties.get(Constants.SERVICE_PID) instanceof String instance)) {
            return;
        }
        Holder<Object> holder;
        synchronized (opening) {
            List<Candidate> same = candidates.get(instance);
            if (same == null) {
                return;
            }
            // The first of them is the one that was opened, if any was.
            boolean wasFirst = same.get(0).reference().equals(reference);
            same.removeIf(candidate -> candidate.reference().equals(reference));
            if (same.isEmpty()) {
                candidates.remove(instance);
            }
            holder = current;
            if (wasFirst && holder != null && holder.instance().equals(instance)) {
                current = null;
            } else {
                holder = null;
            }
        }
        if (holder == null) {
            if (handover != null) {
                handover.leaving(instance);
            }
            return;
        }
        // In-flight work finishes on the leaving provider: SCR waits for unbind before it deactivates the component.
        leave(holder);
    }

    private Holder.Retirement retire(@Nullable Holder<Object> holder) {
        if (holder == null) {
            return new Holder.Retirement(0, 0);
        }
        Holder.Retirement ended = holder.retire(DRAIN);
        if (ended.cut() > 0) {
            LOG.warn(
                    "Slot {}: {} left with {} calls still running after {}",
                    name,
                    holder.instance(),
                    ended.cut(),
                    DRAIN);
        }
        return ended;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Lease<Object> acquire() throws ProviderException {
        Holder<Object> holder = current;
        Lease<Object> lease = holder == null ? null : holder.lease();
        if (lease != null) {
            return lease;
        }
        long since = System.nanoTime();
        while (lease == null) {
            holder = current;
            if (holder == null) {
                holder = open();
            }
            lease = holder.lease();
        }
        long waited = System.nanoTime() - since;
        longestWaitNanos.accumulateAndGet(waited, Math::max);
        return lease;
    }

    private Holder<Object> open() throws ProviderException {
        synchronized (opening) {
            Holder<Object> holder = current;
            if (holder != null) {
                return holder;
            }
            awaitTakeover();
            holder = current;
            if (holder != null) {
                return holder;
            }
            if (stopped) {
                throw unavailable("The node is stopping.");
            }
            ProviderException failed = lastFailure;
            if (failed != null && host.clock().instant().isBefore(retryAt)) {
                throw new ProviderException(failed.kind(), failed.code(), failed.getMessage());
            }
            try {
                holder = openFirst();
                current = holder;
                lastFailure = null;
                LOG.info("Slot {} is filled by {}", name, holder.instance());
                return holder;
            } catch (ProviderException e) {
                if (failed == null || !failed.code().equals(e.code())) {
                    LOG.warn("Slot {} is empty: {} {}", name, e.code(), e.getMessage());
                }
                lastFailure = e;
                retryAt = host.clock().instant().plus(RETRY);
                throw e;
            }
        }
    }

    /** With the lock on opening, which is given up while it waits. */
    private void awaitTakeover() throws ProviderException {
        long deadline = System.nanoTime() + TAKEOVER.toNanos();
        try {
            while (takingOver) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    throw unavailable("A new version takes over what the old one kept, and is not open yet.");
                }
                opening.wait(left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unavailable("The wait for a new version was interrupted.");
        }
    }

    private Holder<Object> openFirst() throws ProviderException {
        ProviderException failure = null;
        for (String instance : select) {
            Candidate candidate = candidate(instance);
            if (candidate == null) {
                continue;
            }
            try {
                return open(instance, candidate);
            } catch (ProviderException e) {
                if (select.size() > 1) {
                    LOG.warn("Slot {}: {} cannot be opened: {} {}", name, instance, e.code(), e.getMessage());
                }
                failure = e;
            }
        }
        throw failure != null
                ? failure
                : unavailable("None of " + select + " is there: check that its bundle is installed and configured.");
    }

    private @Nullable Candidate candidate(String instance) {
        List<Candidate> same = candidates.get(instance);
        return same == null ? null : same.get(0);
    }

    /**
     * Puts another instance in the place of what fills the slot. The new one is opened while the old one serves; then it
     * is written down, then it serves.
     *
     * @param write makes the selection, in order of preference, that of the next start; nothing was changed if it fails
     */
    Replaced replace(String instance, Write write) throws ProviderException {
        synchronized (swapping) {
            Candidate candidate;
            List<String> selection = new ArrayList<>();
            synchronized (opening) {
                candidate = checked(instance);
                selection.add(instance);
                if (name.equals(SLOT_WITH_PREFERENCES)) {
                    select.stream().filter(other -> !other.equals(instance)).forEach(selection::add);
                }
            }
            if (!stateless && takesOver(candidate)) {
                return takeOver(instance, candidate, selection, write);
            }
            if (handover != null) {
                return move(handover, instance, candidate, selection, write);
            }
            long began = System.nanoTime();
            Holder<Object> next = open(instance, candidate);
            long opened = System.nanoTime();
            long generation;
            try {
                generation = write.select(selection);
            } catch (ProviderException e) {
                next.retire(Duration.ZERO);
                throw e;
            }
            Holder<Object> old;
            longestWaitNanos.set(0);
            synchronized (opening) {
                if (stopped || candidate(instance) != candidate) {
                    next.retire(Duration.ZERO);
                    write.select(select);
                    throw unavailable(instance + " left while it was prepared.");
                }
                old = current;
                current = next;
                select = List.copyOf(selection);
                lastFailure = null;
                warning = "";
            }
            long switched = System.nanoTime();
            Holder.Retirement ended = retire(old);
            LOG.info(
                    "Slot {} is filled by {}, no longer by {}",
                    name,
                    instance,
                    old == null ? "nothing" : old.instance());
            return new Replaced(
                    old == null ? "" : old.instance(),
                    ended,
                    opened - began,
                    System.nanoTime() - switched,
                    longestWaitNanos.get(),
                    generation,
                    null);
        }
    }

    /** Whether it goes on with the directory of what fills the slot, or was to. */
    private boolean takesOver(Candidate next) {
        synchronized (opening) {
            Candidate now = candidate(select.get(0));
            return now != null && now.directory().equals(next.directory());
        }
    }

    /**
     * As {@link #replace} for two that cannot be open at once, because they have the same directory: users wait while the
     * old one is closed and the new one opens. Nothing is answered meanwhile, so nothing can be lost; if the new one does
     * not open, the next user opens the old one.
     */
    private Replaced takeOver(String instance, Candidate candidate, List<String> selection, Write write)
            throws ProviderException {
        if (handover != null && handover.progress().phase().equals("window")) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "swap.window-open",
                    "The slot " + name + " still keeps its former store up to date, which a new version would not.");
        }
        Holder<Object> old;
        List<String> before;
        synchronized (opening) {
            old = current;
            before = select;
            current = null;
            takingOver = true;
        }
        long began = System.nanoTime();
        Holder<Object> next = null;
        boolean done = false;
        try {
            if (handover != null) {
                handover.emptied();
            }
            Holder.Retirement ended = retire(old);
            long closed = System.nanoTime();
            next = open(instance, candidate);
            long opened = System.nanoTime();
            long generation = write.select(selection);
            synchronized (opening) {
                done = !stopped && candidate(instance) == candidate;
                if (done) {
                    current = next;
                    select = List.copyOf(selection);
                    lastFailure = null;
                    warning = "";
                }
            }
            if (!done) {
                write.select(before);
                throw unavailable(instance + " left while it was prepared.");
            }
            LOG.info("Slot {} is filled by {}, which took over from {}", name, instance, before.get(0));
            return new Replaced(
                    old == null ? "" : old.instance(),
                    ended,
                    opened - closed,
                    closed - began,
                    System.nanoTime() - began,
                    generation,
                    null);
        } finally {
            if (!done && next != null) {
                next.retire(Duration.ZERO);
            }
            synchronized (opening) {
                takingOver = false;
                opening.notifyAll();
            }
        }
    }

    /** As {@link #replace}, with what the old one keeps. */
    private Replaced move(Handover mover, String instance, Candidate candidate, List<String> selection, Write write)
            throws ProviderException {
        // So that there is something to move.
        acquire().close();
        longestWaitNanos.set(0);
        AtomicReference<@Nullable Holder<Object>> old = new AtomicReference<>();
        Handover.Done done = mover.move(instance, (opened, forUsers) -> {
            Holder<Object> next = new Holder<>(instance, forUsers, opened::letGo);
            long generation = write.select(selection);
            synchronized (opening) {
                if (!stopped && candidate(instance) == candidate) {
                    old.set(current);
                    current = next;
                    select = List.copyOf(selection);
                    lastFailure = null;
                    warning = "";
                    return generation;
                }
            }
            write.select(preferences());
            throw unavailable(instance + " left while it was prepared.");
        });
        long switched = System.nanoTime();
        Holder<Object> former = old.get();
        Holder.Retirement ended = retire(former);
        LOG.info(
                "Slot {} is filled by {}, with all that {} kept",
                name,
                instance,
                former == null ? "nobody" : former.instance());
        return new Replaced(
                former == null ? "" : former.instance(),
                ended,
                done.moved().copyMillis() * 1_000_000 + done.moved().compareMillis() * 1_000_000,
                System.nanoTime() - switched,
                Math.max(longestWaitNanos.get(), done.moved().pauseMicros() * 1_000),
                done.generation(),
                done.moved());
    }

    /** Null if the slot keeps nothing that could be moved. */
    @Nullable
    Handover handover() {
        return handover;
    }

    /** Compares, see {@link Handover#compare}; not while something moves. */
    Mover.Compared compare() throws ProviderException {
        synchronized (swapping) {
            return movable().compare();
        }
    }

    /** See {@link Handover#finish}. */
    String finish() throws ProviderException {
        synchronized (swapping) {
            return movable().finish();
        }
    }

    private Handover movable() throws ProviderException {
        if (handover == null) {
            throw new ProviderException(
                    Kind.REJECTED, "swap.no-window", "The slot " + name + " keeps nothing that is moved.");
        }
        return handover;
    }

    /** With the lock on opening: a candidate that may be swapped in. */
    private Candidate checked(String instance) throws ProviderException {
        Candidate candidate = candidate(instance);
        if (!stateless && handover == null && candidate != null && !takesOver(candidate)) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "swap.no-handover",
                    "What fills the slot " + name + " keeps data that this version cannot move to another provider.");
        }
        if (candidate == null) {
            throw unknown(instance);
        }
        Holder<Object> now = current;
        if (now != null && now.instance().equals(instance)) {
            throw new ProviderException(Kind.REJECTED, "swap.same", instance + " fills the slot " + name + " already.");
        }
        return candidate;
    }

    private ProviderException unknown(String instance) {
        List<String> known;
        synchronized (opening) {
            known = List.copyOf(candidates.keySet());
        }
        return new ProviderException(
                Kind.REJECTED,
                "swap.unknown-instance",
                instance + " is no candidate for the slot " + name + "; there are " + String.join(", ", known) + ".");
    }

    /** What the next start selects. */
    @FunctionalInterface
    interface Write {
        /** @return the stack generation that has it; 0 if it is not kept */
        long select(List<String> selection) throws ProviderException;
    }

    /** A switch as it went, times in nanoseconds. */
    record Replaced(
            String from,
            Holder.Retirement ended,
            long prepare,
            long drain,
            long longestWait,
            long generation,
            SwapReport.@Nullable Moved moved) {}

    private Holder<Object> open(String instance, Candidate candidate) throws ProviderException {
        Opened opened = opened(instance, candidate);
        if (handover == null) {
            return new Holder<>(
                    instance,
                    stateless ? Border.around(opened.object(), instance, this) : opened.object(),
                    opened::letGo);
        }
        boolean filled = false;
        try {
            Holder<Object> holder = new Holder<>(instance, handover.fill(opened), opened::letGo);
            filled = true;
            return holder;
        } finally {
            if (!filled) {
                opened.letGo();
            }
        }
    }

    /** Opens an instance that does not serve. */
    private Opened openBeside(String instance) throws ProviderException {
        Candidate candidate;
        synchronized (opening) {
            candidate = candidate(instance);
        }
        if (candidate == null) {
            throw unknown(instance);
        }
        return opened(instance, candidate);
    }

    private Opened opened(String instance, Candidate candidate) throws ProviderException {
        if (candidate.testOnly() && !host.testing()) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "slot.test-only",
                    instance + " is for tests only and would lose what it is given; select another provider.");
        }
        Provider<?> provider = service(instance, candidate);
        LeasedContext context = null;
        Object object = null;
        try {
            context = host.contextFor(instance, candidate.directory(), candidate.bundle());
            object = provider.open(context);
        } catch (ProviderException e) {
            LOG.debug("{} failed to open", instance, e);
            // Rebuilt: the cause may be of the plugin's class, and must not outlive it.
            throw new ProviderException(e.kind(), e.code(), e.getMessage());
        } catch (RuntimeException | LinkageError e) {
            LOG.error("{} failed to open", instance, e);
            throw bug(instance);
        } finally {
            if (object == null) {
                giveBack(instance, candidate, provider, context);
            }
        }
        if (object == null) {
            LOG.error("{} opened nothing", instance);
            throw bug(instance);
        }
        Object opened = object;
        LeasedContext handed = context;
        return new Opened(instance, opened, () -> release(instance, candidate, provider, opened, handed));
    }

    private Provider<?> service(String instance, Candidate candidate) throws ProviderException {
        Provider<?> provider = null;
        try {
            provider = candidate.objects().getService();
        } catch (IllegalStateException e) {
            LOG.debug("{} is leaving", instance, e);
        }
        if (provider == null) {
            throw unavailable(instance + " could not be made: its component failed to activate, see the log.");
        }
        return provider;
    }

    private static ProviderException bug(String instance) {
        return new ProviderException(
                Kind.INTERNAL, "slot.provider-bug", instance + " failed while opening; the log has the cause.");
    }

    private void release(
            String instance,
            Candidate candidate,
            Provider<?> provider,
            Object object,
            @Nullable LeasedContext context) {
        host.loaders().retired(instance, candidate.bundle(), object);
        try {
            if (object instanceof AutoCloseable closeable) {
                closeable.close();
            }
        } catch (Exception | LinkageError e) {
            // A bundle that is leaving may no longer find its own classes.
            LOG.warn("{} failed to close: {}", instance, e.toString());
        } finally {
            giveBack(instance, candidate, provider, context);
        }
    }

    private static void giveBack(
            String instance, Candidate candidate, Provider<?> provider, @Nullable LeasedContext context) {
        if (context != null) {
            context.close();
        }
        try {
            candidate.objects().ungetService(provider);
        } catch (IllegalStateException | IllegalArgumentException e) {
            LOG.debug("{} was unregistered already", instance);
        }
    }

    @Override
    public void faulty(String instance, String last) {
        Holder<Object> now = current;
        if (now != null && now.instance().equals(instance)) {
            host.quarantine(this, instance, last);
        }
    }

    @Override
    public Instant now() {
        return host.clock().instant();
    }

    /** As selected, in order. */
    List<String> preferences() {
        synchronized (opening) {
            return select;
        }
    }

    /** Shown with the status until the next swap. */
    void warn(String text) {
        synchronized (opening) {
            warning = text;
        }
    }

    private ProviderException unavailable(String why) {
        return new ProviderException(Kind.UNAVAILABLE, "slot.empty", "Slot " + name + " is empty. " + why);
    }

    @Override
    public Status status() {
        Holder<Object> holder = current;
        String problem = "";
        synchronized (opening) {
            if (takingOver) {
                return new Status(
                        name,
                        "",
                        "slot.taking-over: a new version takes over what the old one kept",
                        0,
                        List.copyOf(candidates.keySet()));
            }
        }
        if (holder == null) {
            try {
                holder = open();
            } catch (ProviderException e) {
                problem = e.code() + ": " + e.getMessage();
            }
        }
        synchronized (opening) {
            List<String> known = List.copyOf(candidates.keySet());
            return holder == null
                    ? new Status(name, "", problem, 0, known)
                    : new Status(name, holder.instance(), warning, holder.leases(), known);
        }
    }
}
