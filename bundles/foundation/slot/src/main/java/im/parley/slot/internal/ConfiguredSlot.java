package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
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
 */
@Component(
        name = ConfiguredSlot.PID,
        service = Slot.class,
        immediate = true,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = ConfiguredSlot.Config.class, factory = true)
public final class ConfiguredSlot implements Slot<Object> {
    static final String PID = "im.parley.slot";
    /** The only slot with a preference list; every other one has the configured instance or nothing. */
    private static final String SLOT_WITH_PREFERENCES = "curve";

    private static final Duration DRAIN = Duration.ofSeconds(4);
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
    }

    private final String name;
    private final List<String> select;
    private final SlotHost host;
    private final Map<String, Candidate> candidates = new ConcurrentHashMap<>();
    private final Object opening = new Object();
    private volatile @Nullable Holder<Object> current;
    private volatile boolean stopped;
    private @Nullable ProviderException lastFailure;
    private Instant retryAt = Instant.EPOCH;

    private record Candidate(
            ServiceReference<Provider<?>> reference, ComponentServiceObjects<Provider<?>> objects, boolean testOnly) {}

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
        this.host = host;
    }

    @Deactivate
    void deactivate() {
        stopped = true;
        Holder<Object> holder = current;
        current = null;
        retire(holder);
    }

    @Reference(service = Provider.class, cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindProvider(
            ServiceReference<Provider<?>> reference,
            ComponentServiceObjects<Provider<?>> objects,
            Map<String, ?> properties) {
        if (!name.equals(properties.get(Provider.SLOT))) {
            return;
        }
        Object pid = properties.get(Constants.SERVICE_PID);
        if (pid instanceof String instance && select.contains(instance)) {
            candidates.put(
                    instance,
                    new Candidate(reference, objects, Boolean.TRUE.equals(properties.get(Provider.TEST_ONLY))));
        }
    }

    void unbindProvider(
            ServiceReference<Provider<?>> reference,
            ComponentServiceObjects<Provider<?>> objects,
            Map<String, ?> properties) {
        Object pid = properties.get(Constants.SERVICE_PID);
        if (!(pid instanceof String instance)) {
            return;
        }
        Candidate gone = candidates.get(instance);
        if (gone == null || !gone.reference().equals(reference)) {
            return;
        }
        candidates.remove(instance, gone);
        Holder<Object> holder;
        synchronized (opening) {
            holder = current;
            if (holder == null || !holder.instance().equals(instance)) {
                return;
            }
            current = null;
        }
        // In-flight work finishes on the leaving provider: SCR waits for unbind before it deactivates the component.
        retire(holder);
    }

    private void retire(@Nullable Holder<Object> holder) {
        if (holder != null) {
            int cut = holder.retire(DRAIN);
            if (cut > 0) {
                LOG.warn("Slot {}: {} left with {} calls still running after {}", name, holder.instance(), cut, DRAIN);
            }
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Lease<Object> acquire() throws ProviderException {
        while (true) {
            Holder<Object> holder = current;
            if (holder == null) {
                holder = open();
            }
            Lease<Object> lease = holder.lease();
            if (lease != null) {
                return lease;
            }
        }
    }

    private Holder<Object> open() throws ProviderException {
        synchronized (opening) {
            Holder<Object> holder = current;
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

    private Holder<Object> openFirst() throws ProviderException {
        ProviderException failure = null;
        for (String instance : select) {
            Candidate candidate = candidates.get(instance);
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

    private Holder<Object> open(String instance, Candidate candidate) throws ProviderException {
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
            context = host.contextFor(instance);
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
        return new Holder<>(instance, opened, () -> release(instance, candidate, provider, opened, handed));
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

    private static void release(
            String instance,
            Candidate candidate,
            Provider<?> provider,
            Object object,
            @Nullable LeasedContext context) {
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

    private ProviderException unavailable(String text) {
        return new ProviderException(Kind.UNAVAILABLE, "slot.empty", "Slot " + name + " is empty. " + text);
    }

    @Override
    public Status status() {
        Holder<Object> holder = current;
        if (holder == null) {
            try {
                holder = open();
            } catch (ProviderException e) {
                return new Status(name, "", e.code() + ": " + e.getMessage(), 0);
            }
        }
        return new Status(name, holder.instance(), "", holder.leases());
    }
}
