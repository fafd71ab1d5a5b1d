package im.parley.backup.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.backup.Backups;
import im.parley.cipher.CipherException;
import im.parley.cipher.Passphrase;
import im.parley.slot.SecretsSource;
import im.parley.vault.SecretArchive;
import im.parley.vault.SpaceArchive;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.LongSupplier;
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

/** The backups of this node, those that are asked for and those that are due. */
@Component(
        name = NodeBackups.INSTANCE,
        service = Backups.class,
        immediate = true,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = NodeBackups.Config.class)
public final class NodeBackups implements Backups {
    /** PID, and whose secrets the keys of the directories are. */
    static final String INSTANCE = "im.parley.backup";

    private static final Logger LOG = LoggerFactory.getLogger(NodeBackups.class);
    private static final Duration LEAST = Duration.ofMinutes(15);
    private static final Duration MOST = Duration.ofDays(90);
    /** A machine that slept, or whose clock was set, is noticed after this. */
    private static final Duration LOOK = Duration.ofMinutes(10);

    /** Without those that are taken for others. */
    private static final String LETTERS = "0123456789abcdefghjkmnpqrstvwxyz";

    private static final int RECOVERY_KEY = 40;
    private static final int GROUP = 5;

    /** What is backed up. */
    @ObjectClassDefinition(name = "Parley backup", description = "What belongs into the backups of a personal node.")
    public @interface Config {
        @AttributeDefinition(description = "Data directory of the node; its folder backup is used while one is made.")
        String dataDir();

        @AttributeDefinition(description = "Spaces of records that are not a person's.")
        String[] leftOut() default {};

        @AttributeDefinition(description = "Instances, as PID~name, whose secrets are a person's keys.")
        String[] secrets() default {};
    }

    private final Secrets own;
    private final InstantSource clock;
    private final SecureRandom random;
    private final Stretch stretch;
    private final Path dataDir;
    private final Function<Path, Folder> folders;
    private final Meter meter = new Meter();
    private final NodeCopy copy;
    private final ReentrantLock working = new ReentrantLock();
    private final @Nullable ScheduledThreadPoolExecutor timer;

    @Activate
    public NodeBackups(
            @Reference SpaceArchive spaces,
            @Reference SecretArchive archive,
            @Reference SecretsSource secrets,
            @Reference InstantSource clock,
            @Reference SecureRandom random,
            Config config) {
        this(
                spaces,
                archive,
                secrets,
                clock,
                System::nanoTime,
                random,
                dataDir(config.dataDir()),
                Set.of(config.leftOut()),
                List.of(config.secrets()),
                Stretch.DEFAULT,
                DiskFolder::new,
                timer());
        try {
            Spool.remove(dataDir.resolve("backup"));
            if (own.names().contains(NodeCopy.UNFINISHED)) {
                LOG.error("A restore did not come to its end; give the same ./parley restore again");
            }
        } catch (IOException | ProviderException e) {
            LOG.warn("What the last backup left was not looked at: {}", e.toString());
        }
        arm();
    }

    /** @param timer makes snapshots that are due; null for none */
    NodeBackups(
            SpaceArchive spaces,
            SecretArchive archive,
            SecretsSource secrets,
            InstantSource clock,
            LongSupplier nanoTime,
            SecureRandom random,
            Path dataDir,
            Set<String> leftOut,
            List<String> instances,
            Stretch stretch,
            Function<Path, Folder> folders,
            @Nullable ScheduledThreadPoolExecutor timer) {
        this.own = secrets.secretsFor(INSTANCE);
        this.clock = clock;
        this.random = random;
        this.stretch = stretch;
        this.dataDir = dataDir.toAbsolutePath().normalize();
        this.folders = folders;
        this.timer = timer;
        this.copy = new NodeCopy(
                spaces, archive, secrets, clock, nanoTime, dataDir.resolve("backup"), leftOut, instances, meter);
    }

    private static Path dataDir(@Nullable String value) {
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException(INSTANCE + " dataDir must name a directory");
        }
        return Path.of(value);
    }

    private static ScheduledThreadPoolExecutor timer() {
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "parley-backup");
            thread.setDaemon(true);
            return thread;
        });
        timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        timer.setRemoveOnCancelPolicy(true);
        return timer;
    }

    @Deactivate
    void close() {
        if (timer != null) {
            timer.shutdownNow();
        }
    }

    // ---- One at a time

    @FunctionalInterface
    private interface Work<R> {
        R run() throws ProviderException;
    }

    private <R> R alone(Work<R> work) throws ProviderException {
        if (!working.tryLock()) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "backup.busy",
                    "This node is at work on a backup already. Wait until that is done.");
        }
        try {
            return work.run();
        } finally {
            meter.end();
            working.unlock();
        }
    }

    @Override
    public Progress progress() {
        return meter.now();
    }

    // ---- Directories and their keys

    private Folder folder(Path directory) throws ProviderException {
        if (!directory.isAbsolute()) {
            throw new IllegalArgumentException("a backup directory is named from the root");
        }
        Path real = directory.normalize();
        if (real.startsWith(dataDir) || dataDir.startsWith(real)) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "backup.inside-data",
                    "A backup and the data directory must not lie in each other: what takes one would take both.");
        }
        return folders.apply(real);
    }

    private @Nullable SavedPlan plan(String id) throws ProviderException {
        String name = SavedPlan.PREFIX + id;
        return own.names().contains(name) ? SavedPlan.read(id, own.read(name)) : null;
    }

    private void save(SavedPlan plan) throws ProviderException {
        byte[] written = plan.write();
        own.write(SavedPlan.PREFIX + plan.id(), written, null);
        Arrays.fill(written, (byte) 0);
    }

    @Override
    public String recoveryKey() {
        StringBuilder key = new StringBuilder();
        for (int i = 0; i < RECOVERY_KEY; i++) {
            key.append(i > 0 && i % GROUP == 0 ? "-" : "").append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        }
        return key.toString();
    }

    @Override
    public Place look(Path directory) throws ProviderException {
        Folder folder = folder(directory);
        Head head = Repository.head(folder);
        if (head != null) {
            return plan(head.id()) == null ? Place.FOREIGN : Place.REMEMBERED;
        }
        if (Repository.isFree(folder)) {
            return Place.NEW;
        }
        throw new ProviderException(
                Kind.REJECTED,
                "backup.not-a-backup",
                directory
                        + " has files in it and is no backup. Name an empty directory, or one that is not there yet.");
    }

    /** By its passphrase if there is one, else by what this node remembers. */
    private Repository open(Path directory, Folder folder, char @Nullable [] passphrase) throws ProviderException {
        Head head = Repository.head(folder);
        if (head == null) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "backup.not-a-backup",
                    directory + " is no backup: it has no file " + Head.NAME + ". Check the name, or what is mounted.");
        }
        SavedPlan plan = plan(head.id());
        if (passphrase != null) {
            return Repository.open(folder, head, passphrase, random);
        }
        if (plan == null) {
            throw new ProviderException(
                    Kind.REJECTED, "backup.passphrase-needed", "This node has not got the key of this backup.");
        }
        try {
            return Repository.open(folder, head, plan.master(), random);
        } finally {
            Arrays.fill(plan.master(), (byte) 0);
        }
    }

    private Repository openOrCreate(Path directory, Folder folder, char @Nullable [] passphrase)
            throws ProviderException {
        if (Repository.head(folder) != null) {
            return open(directory, folder, passphrase);
        }
        char[] chosen = passphrase == null ? new char[0] : passphrase;
        try {
            Passphrase.check(chosen);
        } catch (CipherException e) {
            throw new ProviderException(Kind.REJECTED, e.code(), e.getMessage());
        }
        return Repository.create(folder, chosen, stretch, random);
    }

    private void remember(Path directory, Repository repository, long number, long at) throws ProviderException {
        SavedPlan before = plan(repository.id());
        SavedPlan plan = before != null
                ? before.at(directory)
                : new SavedPlan(repository.id(), directory, repository.keys().master(), Duration.ZERO, 0, 0, 0, 0, "");
        save(number == 0 ? plan : plan.made(number, at));
        Arrays.fill(plan.master(), (byte) 0);
    }

    // ---- Making

    @Override
    public Made run(Path directory, char @Nullable [] passphrase) throws ProviderException {
        return alone(() -> {
            Made made = make(directory, passphrase);
            arm();
            return made;
        });
    }

    private Made make(Path directory, char @Nullable [] passphrase) throws ProviderException {
        Folder folder = folder(directory);
        if (look(directory) == Place.NEW && passphrase == null) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "backup.passphrase-needed",
                    directory
                            + " is empty, and a new backup needs a passphrase. If there was one, check what is mounted.");
        }
        try {
            Files.createDirectories(directory, DiskFolder.privateDirectory(directory));
        } catch (IOException e) {
            throw Failures.io("make the directory", e);
        }
        try (FolderLock lock = FolderLock.toWrite(directory);
                Repository repository = openOrCreate(directory, folder, passphrase)) {
            List<Long> numbers = repository.numbers();
            long newest = numbers.isEmpty() ? 0 : numbers.get(numbers.size() - 1);
            SavedPlan plan = plan(repository.id());
            if (plan != null && plan.lastNumber() > newest) {
                LOG.warn(
                        "{} has lost its snapshot {}: somebody removed it or put an older state back",
                        directory,
                        plan.lastNumber());
                newest = plan.lastNumber();
            }
            long now = clock.millis();
            Made made = copy.take(repository, newest + 1);
            remember(directory, repository, made.number(), now);
            LOG.info(
                    "Snapshot {} has {} records; {} of {} chunks are new",
                    made.number(),
                    made.records(),
                    made.written(),
                    made.chunks());
            return made;
        }
    }

    // ---- Looking

    @Override
    public List<Snapshot> list(Path directory, char @Nullable [] passphrase) throws ProviderException {
        return alone(() -> {
            Folder folder = folder(directory);
            try (FolderLock lock = FolderLock.toRead(directory);
                    Repository repository = open(directory, folder, passphrase)) {
                List<Snapshot> snapshots = new ArrayList<>();
                for (long number : newestFirst(repository)) {
                    snapshots.add(shown(repository, number, Set.of()));
                }
                return snapshots;
            }
        });
    }

    private static List<Long> newestFirst(Repository repository) throws ProviderException {
        List<Long> numbers = new ArrayList<>(repository.numbers());
        Collections.reverse(numbers);
        return numbers;
    }

    private static Snapshot shown(Repository repository, long number, Set<String> bad) throws ProviderException {
        try (Manifest manifest = repository.manifest(number)) {
            Set<String> chunks = manifest.chunkNames();
            return new Snapshot(
                    number, manifest.createdAt(), manifest.records(), chunks.size(), Collections.disjoint(chunks, bad));
        } catch (ProviderException e) {
            if (e.kind() != Kind.CORRUPT) {
                throw e;
            }
            return new Snapshot(number, 0, 0, 0, false);
        }
    }

    @Override
    public Verified verify(Path directory, char @Nullable [] passphrase) throws ProviderException {
        return alone(() -> {
            Folder folder = folder(directory);
            try (FolderLock lock = FolderLock.toRead(directory);
                    Repository repository = open(directory, folder, passphrase)) {
                List<String> damaged = new ArrayList<>();
                Set<String> chunks = new TreeSet<>();
                for (long number : newestFirst(repository)) {
                    try (Manifest manifest = repository.manifest(number)) {
                        chunks.addAll(manifest.chunkNames());
                    } catch (ProviderException e) {
                        unlessCorrupt(e);
                        damaged.add("snapshot " + number);
                    }
                }
                Set<String> bad = new HashSet<>();
                meter.phase("verifies", chunks.size());
                for (String chunk : chunks) {
                    try {
                        repository.get(chunk);
                    } catch (ProviderException e) {
                        unlessCorrupt(e);
                        bad.add(chunk);
                        damaged.add("chunk " + chunk);
                    }
                    meter.step();
                }
                List<Snapshot> snapshots = new ArrayList<>();
                for (long number : newestFirst(repository)) {
                    snapshots.add(shown(repository, number, bad));
                }
                return new Verified(snapshots, chunks.size(), damaged);
            }
        });
    }

    private static void unlessCorrupt(ProviderException e) throws ProviderException {
        if (e.kind() != Kind.CORRUPT) {
            throw e;
        }
    }

    // ---- Removing

    @Override
    public Pruned prune(Path directory, char @Nullable [] passphrase, int keep) throws ProviderException {
        if (keep < 1) {
            throw new IllegalArgumentException("keep must be 1 or more");
        }
        return alone(() -> pruned(directory, passphrase, keep));
    }

    private Pruned pruned(Path directory, char @Nullable [] passphrase, int keep) throws ProviderException {
        Folder folder = folder(directory);
        try (FolderLock lock = FolderLock.toWrite(directory);
                Repository repository = open(directory, folder, passphrase)) {
            List<Long> numbers = newestFirst(repository);
            Set<Long> kept = new HashSet<>(numbers.subList(0, Math.min(keep, numbers.size())));
            meter.phase("prunes", 0);
            int chunks = repository.keepOnly(kept);
            return new Pruned(numbers.size() - kept.size(), kept.size(), chunks);
        }
    }

    // ---- Back

    @Override
    public Restored restore(Path directory, char @Nullable [] passphrase, long number) throws ProviderException {
        return alone(() -> {
            Folder folder = folder(directory);
            try (FolderLock lock = FolderLock.toRead(directory);
                    Repository repository = open(directory, folder, passphrase)) {
                long wanted = number == 0 ? newest(repository) : number;
                if (!repository.numbers().contains(wanted)) {
                    throw noSnapshot();
                }
                try (Manifest manifest = repository.manifest(wanted)) {
                    Restored restored = copy.restore(repository, manifest);
                    remember(directory, repository, 0, 0);
                    LOG.info("Restored snapshot {} with {} records", wanted, restored.records());
                    return restored;
                }
            }
        });
    }

    /** The newest; if that is damaged its owner chooses another, and knows then what is missing. */
    private static long newest(Repository repository) throws ProviderException {
        return repository.numbers().stream().max(Comparator.naturalOrder()).orElseThrow(NodeBackups::noSnapshot);
    }

    private static ProviderException noSnapshot() {
        return new ProviderException(
                Kind.REJECTED,
                "backup.no-snapshot",
                "There is no such snapshot. ./parley backup list DIR shows those there are.");
    }

    // ---- By itself

    @Override
    public void schedule(Path directory, char @Nullable [] passphrase, Duration every, int keep)
            throws ProviderException {
        if (!every.isZero() && (every.compareTo(LEAST) < 0 || every.compareTo(MOST) > 0) || keep < 0) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "backup.bad-interval",
                    "Backups are made every 15 minutes to 90 days. Give a time such as 1h, 12h or 1d, or off.");
        }
        alone(() -> {
            Folder folder = folder(directory);
            Head head = Repository.head(folder);
            SavedPlan plan = head == null ? byPlace(directory) : plan(head.id());
            if (plan == null && !every.isZero()) {
                make(directory, passphrase);
                plan = byPlace(directory);
            }
            if (plan == null) {
                throw new ProviderException(
                        Kind.REJECTED, "backup.not-a-backup", "This node makes no backups in " + directory + ".");
            }
            save(plan.every(every, keep));
            return Boolean.TRUE;
        });
        arm();
    }

    private @Nullable SavedPlan byPlace(Path directory) throws ProviderException {
        for (SavedPlan plan : saved()) {
            if (plan.directory().equals(directory)) {
                return plan;
            }
        }
        return null;
    }

    private List<SavedPlan> saved() throws ProviderException {
        List<SavedPlan> plans = new ArrayList<>();
        for (String name : new TreeSet<>(own.names())) {
            if (name.startsWith(SavedPlan.PREFIX)) {
                plans.add(SavedPlan.read(name.substring(SavedPlan.PREFIX.length()), own.read(name)));
            }
        }
        return plans;
    }

    @Override
    public List<Plan> plans() throws ProviderException {
        long now = clock.millis();
        return saved().stream().map(plan -> plan.shown(now)).toList();
    }

    private void arm() {
        if (timer != null && !timer.isShutdown()) {
            timer.getQueue().clear();
            timer.schedule(this::tick, 1, TimeUnit.SECONDS);
        }
    }

    private void tick() {
        Duration wait = LOOK;
        try {
            wait = makeDue();
        } catch (ProviderException | RuntimeException e) {
            LOG.error("Backups that are due could not be looked at: {}", e.toString());
        }
        // Whoever changed a plan meanwhile has armed it already.
        if (timer != null
                && !timer.isShutdown()
                && !wait.isZero()
                && timer.getQueue().isEmpty()) {
            timer.schedule(this::tick, Math.min(wait.toMillis(), LOOK.toMillis()), TimeUnit.MILLISECONDS);
        }
    }

    /** Makes what is due; until when to wait for the next, zero if nothing is planned. */
    Duration makeDue() throws ProviderException {
        for (SavedPlan plan : saved()) {
            long due = plan.nextAt(clock.millis());
            if (due != 0 && due <= clock.millis()) {
                makeDue(plan);
            }
        }
        long now = clock.millis();
        long next = saved().stream()
                .mapToLong(plan -> plan.nextAt(now))
                .filter(at -> at > 0)
                .min()
                .orElse(0);
        return next == 0 ? Duration.ZERO : Duration.ofMillis(Math.max(1_000, next - now));
    }

    private void makeDue(SavedPlan plan) throws ProviderException {
        try {
            alone(() -> {
                make(plan.directory(), null);
                return plan.keep() > 0 ? pruned(plan.directory(), null, plan.keep()) : Boolean.TRUE;
            });
        } catch (ProviderException e) {
            LOG.warn("The backup that is due was not made: {}: {}", e.code(), e.getMessage());
            SavedPlan now = plan(plan.id());
            if (now != null) {
                save(now.failed(clock.millis(), e.code() + ": " + e.getMessage()));
            }
        }
    }
}
