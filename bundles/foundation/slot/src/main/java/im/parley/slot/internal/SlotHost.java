package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.EgressSource;
import im.parley.slot.Mover;
import im.parley.slot.RelaySource;
import im.parley.slot.SecretsSource;
import im.parley.slot.Slot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Knows what every provider is handed, and makes the context of each opened one. */
@Component(
        name = "im.parley.slot.host",
        service = SlotHost.class,
        immediate = true,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = SlotHost.Config.class)
public final class SlotHost {
    private static final String PID = "im.parley.slot.host";
    /** Property of a provider: the instance whose directory and secrets it goes on with, of the same component. */
    static final String DIRECTORY = "parley.directory";

    private static final Logger LOG = LoggerFactory.getLogger(SlotHost.class);

    /** Configuration of the slot host. */
    @ObjectClassDefinition(name = "Slot host", description = "Where providers keep their files and on what they run.")
    public @interface Config {
        @AttributeDefinition(
                description = "Data directory of the node; each provider instance gets providers/PID~name in it.")
        String dataDir();

        @AttributeDefinition(
                description =
                        "Threads each provider instance may use for work that blocks on disk or connects, 2 to 256.")
        int threads() default 16;

        @AttributeDefinition(
                description = "True in tests only: admits providers that keep nothing, such as storage.memory.")
        boolean testing() default false;
    }

    private final InstantSource clock;
    private final SecureRandom random;
    private final Path providersDir;
    private final Path handoversDir;
    private final boolean testing;
    private final int threads;
    private final Set<LockHook> lockHooks = ConcurrentHashMap.newKeySet();
    private final Map<String, ConfiguredSlot> slots = new ConcurrentHashMap<>();
    private final Map<String, Mover> movers = new ConcurrentHashMap<>();
    private final Loaders loaders = new Loaders();
    private volatile @Nullable Quarantine quarantine;
    private volatile @Nullable SecretsSource secrets;
    private volatile @Nullable EgressSource egress;
    private volatile @Nullable RelaySource relays;

    @Activate
    public SlotHost(@Reference InstantSource clock, @Reference SecureRandom random, Config config) {
        if (config.dataDir() == null || config.dataDir().isBlank()) {
            throw new IllegalArgumentException(PID + " dataDir must name a directory");
        }
        if (config.threads() < 2 || config.threads() > 256) {
            throw new IllegalArgumentException(PID + " threads=" + config.threads() + " is not in 2..256");
        }
        this.clock = clock;
        this.random = random;
        this.providersDir = Path.of(config.dataDir(), "providers");
        this.handoversDir = Path.of(config.dataDir(), "handover");
        this.testing = config.testing();
        this.threads = config.threads();
    }

    // Dynamic and optional: the vault itself needs the slot storage.records, so a static reference would be a circle.
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    void bindSecrets(SecretsSource source) {
        secrets = source;
        lockHooks.forEach(hook -> hook.attach(source));
    }

    void unbindSecrets(SecretsSource source) {
        if (secrets == source) {
            secrets = null;
            // Whoever holds what the leaving vault opened would not hear of a lock any more.
            lockHooks.forEach(LockHook::run);
        }
    }

    /**
     * Has a callback run whenever secrets are locked, whichever vault is there then, and when a vault leaves.
     *
     * @return ends it
     */
    AutoCloseable onLock(String instance, Runnable callback) {
        LockHook hook = new LockHook(instance, callback);
        lockHooks.add(hook);
        SecretsSource source = secrets;
        if (source != null) {
            hook.attach(source);
        }
        return () -> {
            lockHooks.remove(hook);
            hook.detach();
        };
    }

    /** One callback of one provider; attached to one vault at a time. */
    private static final class LockHook {
        private final String instance;
        private final Runnable callback;
        private @Nullable SecretsSource source;
        private @Nullable AutoCloseable registration;
        private boolean ended;

        LockHook(String instance, Runnable callback) {
            this.instance = instance;
            this.callback = callback;
        }

        synchronized void attach(SecretsSource to) {
            if (!ended && source != to) {
                release();
                source = to;
                registration = to.secretsFor(instance).onLock(callback);
            }
        }

        synchronized void detach() {
            ended = true;
            release();
        }

        private void release() {
            AutoCloseable old = registration;
            registration = null;
            source = null;
            if (old != null) {
                try {
                    old.close();
                } catch (Exception e) {
                    LOG.debug("The lock callback of {} was gone already", instance, e);
                }
            }
        }

        void run() {
            try {
                callback.run();
            } catch (RuntimeException | LinkageError e) {
                LOG.warn("{} failed to drop what a lock shall drop: {}", instance, e.toString());
            }
        }
    }

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    void bindEgress(EgressSource source) {
        egress = source;
    }

    void unbindEgress(EgressSource source) {
        if (egress == source) {
            egress = null;
        }
    }

    // As the egress, and for the same reason as the vault: the relay client needs the slots curve and transport.
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    void bindRelays(RelaySource source) {
        relays = source;
    }

    void unbindRelays(RelaySource source) {
        if (relays == source) {
            relays = null;
        }
    }

    @Reference(service = Mover.class, cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindMover(Mover mover, Map<String, ?> properties) {
        movers.put(String.valueOf(properties.get(Slot.NAME)), mover);
    }

    void unbindMover(Mover mover, Map<String, ?> properties) {
        movers.remove(String.valueOf(properties.get(Slot.NAME)), mover);
    }

    /** What moves the contents of that slot; null if it is not there yet. */
    @Nullable
    Mover mover(String slot) {
        return movers.get(slot);
    }

    /** Where handovers keep how far they have got. */
    Path handoversDir() {
        return handoversDir;
    }

    /** The directory that an instance is handed; may be absent. */
    Path dataDirOf(String instance) {
        return providersDir.resolve(instance);
    }

    /** Told when a provider has failed too often. */
    @FunctionalInterface
    interface Quarantine {
        /** Must return at once: it is called by whoever met the last fault. */
        void faulty(ConfiguredSlot slot, String instance, String last);
    }

    void add(ConfiguredSlot slot) {
        slots.put(slot.name(), slot);
    }

    void remove(ConfiguredSlot slot) {
        slots.remove(slot.name(), slot);
    }

    @Nullable
    ConfiguredSlot slot(String name) {
        return slots.get(name);
    }

    /** Sorted. */
    List<String> slotNames() {
        return slots.keySet().stream().sorted().toList();
    }

    Loaders loaders() {
        return loaders;
    }

    void quarantine(@Nullable Quarantine whoActs) {
        quarantine = whoActs;
    }

    void quarantine(ConfiguredSlot slot, String instance, String last) {
        Quarantine whoActs = quarantine;
        if (whoActs != null) {
            whoActs.faulty(slot, instance, last);
        }
    }

    SecureRandom random() {
        return random;
    }

    boolean testing() {
        return testing;
    }

    InstantSource clock() {
        return clock;
    }

    /**
     * A context for that instance, with its directory made. The slot closes it after the opened object.
     *
     * @param directory name of its directory, and whose secrets it has: see {@link #directoryName}
     * @param owner the bundle it comes from; null only in tests without a framework
     */
    LeasedContext contextFor(String instance, String directory, @Nullable Bundle owner) throws ProviderException {
        if (secrets == null || egress == null) {
            throw starting(instance);
        }
        return new LeasedContext(this, instance, directory, DeclaredHosts.of(owner), directoryFor(directory), threads);
    }

    /** An upgraded instance has the directory of the one before it, but none of another component. */
    static String directoryName(String instance, @Nullable Object property) {
        if (!(property instanceof String name)) {
            return instance;
        }
        int tilde = instance.indexOf('~');
        if (tilde > 0
                && name.startsWith(instance.substring(0, tilde + 1))
                && name.indexOf('/') < 0
                && name.indexOf('\\') < 0) {
            return name;
        }
        LOG.warn("{} is not given the directory {}, which is of another component", instance, name);
        return instance;
    }

    SecretsSource secretsFor(String instance) throws ProviderException {
        SecretsSource source = secrets;
        if (source == null) {
            throw starting(instance);
        }
        return source;
    }

    EgressSource egressFor(String instance) throws ProviderException {
        EgressSource source = egress;
        if (source == null) {
            throw starting(instance);
        }
        return source;
    }

    RelaySource relays() throws ProviderException {
        RelaySource source = relays;
        if (source == null) {
            throw new ProviderException(Kind.UNAVAILABLE, "relays.absent", "This node talks to no relays.");
        }
        return source;
    }

    private static ProviderException starting(String instance) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "slot.host-starting",
                "The vault or the egress is not up, so " + instance + " waits; it is tried again by itself.");
    }

    private Path directoryFor(String instance) throws ProviderException {
        Path dir = dataDirOf(instance);
        try {
            Files.createDirectories(
                    dir, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            return dir;
        } catch (IOException e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.io-error",
                    "The directory of " + instance + " cannot be made: check the data directory's owner and space.",
                    e);
        }
    }
}
