package im.parley.vault.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.SpaceId;
import im.parley.slot.SecretsSource;
import im.parley.vault.SecretArchive;
import im.parley.vault.Vault;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The vault in files of this node. One lock for everything: calls are rare, and two Argon2id at once would take twice
 * the memory.
 *
 * <p>A vault that cannot be opened is still registered, and every call says why; a node that only vanished would say
 * nothing.
 */
@Component(
        name = LocalVault.PID,
        service = {Vault.class, SecretsSource.class, BucketFiles.class, SecretArchive.class},
        immediate = true,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = LocalVault.Config.class)
public final class LocalVault implements Vault, SecretsSource, BucketFiles, SecretArchive {
    static final String PID = "im.parley.vault";

    private static final Logger log = LoggerFactory.getLogger(LocalVault.class);
    private static final int MAX_NAME = 128;

    /** Configuration of the vault. */
    @ObjectClassDefinition(name = "Vault", description = "Where the keys of this node are kept.")
    public @interface Config {
        @AttributeDefinition(description = "Data directory of the node; the vault is its folder vault.")
        String dataDir();

        @AttributeDefinition(
                description =
                        "State directory, outside the data directory, so that a copy of the data alone opens nothing;"
                                + " the device key is in its folder devices.")
        String stateDir();
    }

    private record SecretName(String instance, String name) {}

    private final InstantSource clock;
    private final Sealing sealing;
    private final KdfCost cost;
    private final Path secretsDir;
    private final Path bucketsDir;
    private final @Nullable VaultKeys keys;
    private final @Nullable PinLock pin;
    private final @Nullable ProviderException problem;

    private final Object lock = new Object();
    // Guarded by lock.
    private final Map<SecretName, byte[]> userKeys = new HashMap<>();
    private boolean locked;

    private final List<Runnable> onLock = new CopyOnWriteArrayList<>();

    @Activate
    public LocalVault(@Reference InstantSource clock, @Reference SecureRandom random, Config config) {
        this(
                clock,
                random,
                directory("dataDir", config.dataDir()),
                directory("stateDir", config.stateDir()),
                System::getenv,
                KdfCost.DEFAULT);
    }

    LocalVault(
            InstantSource clock,
            SecureRandom random,
            Path dataDir,
            Path stateDir,
            UnaryOperator<@Nullable String> env,
            KdfCost cost) {
        if (normal(stateDir).startsWith(normal(dataDir))) {
            throw new IllegalArgumentException(PID + " stateDir=" + stateDir
                    + " must lie outside dataDir, or a copy of the data has its key with it");
        }
        this.clock = clock;
        this.sealing = new Sealing(random);
        this.cost = cost;
        Path dir = dataDir.resolve("vault");
        this.secretsDir = dir.resolve("secrets");
        this.bucketsDir = dir.resolve("buckets");
        VaultKeys opened = null;
        PinLock openedPin = null;
        ProviderException failure = null;
        try {
            Path pinFile = dir.resolve("pin");
            opened = VaultKeys.open(dir, stateDir, env, sealing, made -> PinLock.create(pinFile, made, sealing));
            openedPin = PinLock.open(pinFile, opened, sealing, clock, cost);
        } catch (ProviderException e) {
            log.error("{}: {}", e.code(), e.getMessage());
            failure = e;
        }
        this.keys = opened;
        this.pin = openedPin;
        this.problem = failure;
        // A restart is no way round the lock.
        this.locked = openedPin == null || openedPin.isSet();
    }

    private static Path directory(String key, @Nullable String value) {
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException(PID + " " + key + " must name a directory");
        }
        return Path.of(value);
    }

    private static Path normal(Path path) {
        return path.toAbsolutePath().normalize();
    }

    @Deactivate
    void deactivate() {
        synchronized (lock) {
            wipe();
        }
    }

    private PinLock pin() throws ProviderException {
        if (pin == null) {
            throw failed();
        }
        return pin;
    }

    private VaultKeys keys() throws ProviderException {
        if (keys == null || problem != null) {
            throw failed();
        }
        return keys;
    }

    private ProviderException failed() {
        return problem == null
                ? new ProviderException(Kind.INTERNAL, "vault.closed", "The vault is closed.")
                : new ProviderException(problem.kind(), problem.code(), problem.getMessage());
    }

    // ---- The session lock

    @Override
    public State state() {
        synchronized (lock) {
            if (pin == null) {
                return new State(false, true, 0, Instant.EPOCH);
            }
            Instant retryAt = pin.retryAt();
            return new State(
                    pin.isSet(), locked, pin.failures(), retryAt.isAfter(clock.instant()) ? retryAt : Instant.EPOCH);
        }
    }

    @Override
    public void setPin(char @Nullable [] current, char @Nullable [] next) throws ProviderException {
        try {
            synchronized (lock) {
                PinLock verifier = pin();
                if (next != null) {
                    PinLock.checkFormat(next);
                }
                if (verifier.isSet()) {
                    verifier.check(current);
                }
                verifier.set(next);
                if (next == null) {
                    locked = false;
                }
            }
        } finally {
            wipe(current);
            wipe(next);
        }
    }

    @Override
    public void lock() throws ProviderException {
        synchronized (lock) {
            if (!pin().isSet()) {
                throw notSet();
            }
            locked = true;
            wipe();
        }
        for (Runnable callback : onLock) {
            try {
                callback.run();
            } catch (RuntimeException e) {
                log.warn("A callback for the session lock failed: {}", e.toString());
            }
        }
    }

    @Override
    public void unlock(char[] given) throws ProviderException {
        try {
            synchronized (lock) {
                PinLock verifier = pin();
                if (!verifier.isSet()) {
                    throw notSet();
                }
                verifier.check(given);
                locked = false;
            }
        } finally {
            wipe(given);
        }
    }

    private static ProviderException notSet() {
        return new ProviderException(
                Kind.REJECTED, "pin.not-set", "There is no PIN, so the session cannot be locked. Set one first.");
    }

    private static void wipe(char @Nullable [] chars) {
        if (chars != null) {
            Arrays.fill(chars, '\0');
        }
    }

    private void wipe() {
        for (byte[] key : userKeys.values()) {
            Arrays.fill(key, (byte) 0);
        }
        userKeys.clear();
    }

    // ---- Secrets of buckets

    @Override
    public SlotFile file(SpaceId id) throws ProviderException {
        return new DiskSlotFile(bucketsDir.resolve(keys().fileName("buckets", id.value())));
    }

    @Override
    public byte[] key(SpaceId id) throws ProviderException {
        return keys().key("buckets/" + id.value());
    }

    // ---- Secrets

    @Override
    public Secrets secretsFor(String instance) {
        return new InstanceSecrets(instance);
    }

    @Override
    public List<String> names(String instance) throws ProviderException {
        return secretsFor(instance).names();
    }

    @Override
    public byte[] take(String instance, String name) throws ProviderException {
        return new InstanceSecrets(instance).take(name);
    }

    @Override
    public void put(String instance, String name, byte[] portable) throws ProviderException {
        new InstanceSecrets(instance).put(name, portable);
    }

    private final class InstanceSecrets implements Secrets {
        private final String instance;

        InstanceSecrets(String instance) {
            this.instance = instance;
        }

        private SecretStore store() throws ProviderException {
            return new SecretStore(secretsDir, instance, keys(), sealing, cost);
        }

        private SecretName named(String name) throws ProviderException {
            boolean valid = !name.isEmpty()
                    && name.length() <= MAX_NAME
                    && name.chars()
                            .allMatch(c ->
                                    c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_');
            if (!valid) {
                throw new ProviderException(
                        Kind.REJECTED,
                        "secret.bad-name",
                        "The name of a secret has 1 to " + MAX_NAME
                                + " characters of a-z, 0-9, dot, minus and underscore.");
            }
            return new SecretName(instance, name);
        }

        @Override
        public List<String> names() throws ProviderException {
            synchronized (lock) {
                return store().names();
            }
        }

        @Override
        public boolean locked(String name) throws ProviderException {
            synchronized (lock) {
                return !userKeys.containsKey(named(name)) && store().isProtected(name);
            }
        }

        @Override
        public byte[] read(String name) throws ProviderException {
            synchronized (lock) {
                return store().read(name, userKeys.get(named(name)));
            }
        }

        @Override
        public void write(String name, byte[] value, char @Nullable [] passphrase) throws ProviderException {
            synchronized (lock) {
                SecretName key = named(name);
                store().write(name, value, passphrase);
                forget(key);
            }
        }

        byte[] take(String name) throws ProviderException {
            synchronized (lock) {
                named(name);
                return store().take(name);
            }
        }

        void put(String name, byte[] portable) throws ProviderException {
            synchronized (lock) {
                SecretName key = named(name);
                store().put(name, portable);
                forget(key);
            }
        }

        @Override
        public void unlock(String name, char[] passphrase) throws ProviderException {
            synchronized (lock) {
                SecretName secret = named(name);
                if (locked) {
                    throw SecretStore.locked();
                }
                byte[] key = store().unlock(name, passphrase);
                if (key != null) {
                    forget(secret);
                    userKeys.put(secret, key);
                }
            }
        }

        @Override
        public void delete(String name) throws ProviderException {
            synchronized (lock) {
                SecretName secret = named(name);
                store().delete(name);
                forget(secret);
            }
        }

        private void forget(SecretName secret) {
            byte[] old = userKeys.remove(secret);
            if (old != null) {
                Arrays.fill(old, (byte) 0);
            }
        }

        @Override
        public AutoCloseable onLock(Runnable callback) {
            // Its own object, so that the same callback registered twice is removed once at a time.
            Runnable registered = callback::run;
            onLock.add(registered);
            return () -> onLock.remove(registered);
        }
    }
}
