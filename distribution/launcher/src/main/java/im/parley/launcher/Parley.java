package im.parley.launcher;

import im.parley.launcher.fence.Fence;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.BundleContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running node. It has no static state and changes nothing of the process it lives in, so several may run in one
 * process on different data directories.
 *
 * <p>The bundles log through the SLF4J that this class was loaded with. Thread-safe.
 */
public final class Parley implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Parley.class);

    private final NodeDirectory directory;
    private final Container container;
    private final Path socket;
    private final String version;
    private final long generation;
    private final int portBase;

    /** A node of parts that run, for tests. */
    Parley(NodeDirectory directory, Container container, Path socket, String version, long generation, int portBase) {
        this.directory = directory;
        this.container = container;
        this.socket = socket;
        this.version = version;
        this.generation = generation;
        this.portBase = portBase;
    }

    /**
     * Starts a node: checks every file of the distribution, takes the data directory, boots the framework from the current
     * stack generation and returns when all of it is ready. Takes seconds. If it throws, nothing is left running.
     */
    public static Parley start(ParleyConfig config) throws LauncherException {
        return start(config, false);
    }

    /** @param ownProcess whether this process is there for the node alone */
    static Parley start(ParleyConfig config, boolean ownProcess) throws LauncherException {
        DistributionLock lock = DistributionLock.read(config.home());
        DataPlace.check(config, System.getenv());
        Container container = Container.of(config.dataDir().resolve(NodeDirectory.CACHE), config.frameworkProperties());
        NodeDirectory directory = NodeDirectory.open(config.dataDir(), ownProcess);
        try {
            return start(config, lock, directory, container);
        } catch (LauncherException | RuntimeException e) {
            close(container, directory);
            throw e;
        }
    }

    private static Parley start(
            ParleyConfig config, DistributionLock lock, NodeDirectory directory, Container container)
            throws LauncherException {
        Prepared prepared = prepare(config, lock, directory);
        LaunchPlan plan = prepared.plan();
        LOG.info(
                "starting version {}, stack generation {}, features {}",
                lock.version(),
                plan.generation(),
                plan.features());
        directory.freshCache();
        container.boot(plan, prepared.desk(), prepared.plugins(), prepared.fence());
        container.awaitReady(config.readyWithin(), prepared.options().portBase());
        container.onStopping(directory::stopping);
        prepared.options().keep(directory.sub(StartOptions.FILE));
        directory.writeCard(new NodeDirectory.Card(
                prepared.socket(), ProcessHandle.current().pid(), lock.version()));
        Map<String, Object> started = new LinkedHashMap<>();
        started.put("version", lock.version());
        started.put("generation", plan.generation());
        started.put("features", plan.features());
        started.put("portBase", prepared.options().portBase());
        started.put("relayUrls", prepared.options().relayUrls());
        started.put("filesUrls", prepared.options().filesUrls());
        record(prepared.audit(), "start", started);
        LOG.info("ready");
        return new Parley(
                directory,
                container,
                prepared.socket(),
                lock.version(),
                plan.generation(),
                prepared.options().portBase());
    }

    private static void record(AuditLog audit, String act, Map<String, Object> what) throws LauncherException {
        try {
            audit.add(act, what);
        } catch (IOException e) {
            throw new LauncherException(
                    "audit.not-written",
                    "The node did not start.",
                    "Its audit log cannot be written: " + e.getMessage() + ".",
                    "Make room, or correct the owner of the data directory and of the directory of the device key.",
                    e);
        }
    }

    /** The lock goes only with what it protects: a part that still runs may still write. */
    private static void close(Container container, NodeDirectory directory) {
        if (container.stop()) {
            directory.close();
        } else {
            LOG.error("a part of the node still runs, so the data directory stays locked by this process");
        }
    }

    /**
     * What {@link #start} would boot, for a host that brings its own OSGi framework, such as an integration test. Checks
     * every file of the distribution and writes the stack generation, as a start does, but boots nothing.
     */
    public static LaunchPlan plan(ParleyConfig config) throws LauncherException {
        DistributionLock lock = DistributionLock.read(config.home());
        DataPlace.check(config, System.getenv());
        NodeDirectory directory = NodeDirectory.open(config.dataDir());
        try {
            return prepare(config, lock, directory).plan();
        } finally {
            directory.close();
        }
    }

    private record Prepared(
            LaunchPlan plan,
            Path socket,
            StartOptions options,
            StackDesk desk,
            PluginDesk plugins,
            AuditLog audit,
            Fence fence) {}

    private static Prepared prepare(ParleyConfig config, DistributionLock lock, NodeDirectory directory)
            throws LauncherException {
        StartOptions options =
                StartOptions.resolve(directory.sub(StartOptions.FILE), config, NodeDirectory.stateFor(System.getenv()));
        lock.refuseUnlisted(config.home());
        JarStore jars = new JarStore(directory.sub("jars"));
        for (DistributionLock.Jar jar : lock.jars()) {
            byte[] checked = DistributionLock.checked(config.home(), jar.file(), jar.sha256());
            if (jar.bundle()) {
                jars.admit(jar.sha256(), checked);
            }
        }
        NodeDirectory.ownerOnly(options.stateDir(), "data.unusable", "The directory of the device key cannot be used.");
        StackFiles stack =
                new StackFiles(directory.sub("stack"), ApprovedStack.open(directory.root(), options.stateDir()));
        StackFiles.Numbered before = stack.current();
        AuditLog audit = AuditLog.open(directory.root(), options.stateDir(), InstantSource.system());
        StackDesk desk = new StackDesk(stack, directory.sub("stack"), InstantSource.system(), audit);
        desk.settle(before == null ? 0 : before.number());
        PluginGate gate = new PluginGate(TrustStore.open(options.stateDir(), audit::add), InstantSource.system());
        Path scratch = directory.sub("trial");
        // A kill leaves one.
        ResolveTrial.remove(scratch);
        BootStack booting = new BootStack(stack, lock, jars, gate, scratch);
        BootStack.Chosen chosen = booting.choose(expected(config.home(), lock, options.features()), before);
        StackFiles.Numbered current = chosen.current();
        if (before == null || before.number() != current.number()) {
            Map<String, Object> written = new LinkedHashMap<>();
            written.put("generation", current.number());
            written.put("version", lock.version());
            written.put("lock", lock.hash());
            written.put("features", current.generation().features());
            written.put("dropped", chosen.dropped());
            record(audit, "stack", written);
        }
        List<LaunchPlan.Install> installs = new ArrayList<>();
        Set<String> platform = new HashSet<>();
        for (Generation.BundleEntry bundle : current.generation().bundles()) {
            LaunchPlan.Install install =
                    new LaunchPlan.Install(bundle.bsn(), jars.verified(bundle.sha256()), bundle.startLevel(), false);
            installs.add(install);
            platform.add(RunningStack.location(install.file()));
        }
        for (Generation.Plugin plugin : current.generation().plugins()) {
            String refused = chosen.leftOut().get(plugin.sha256());
            if (refused == null) {
                installs.add(new LaunchPlan.Install(
                        plugin.bsn(), jars.verified(plugin.sha256()), Generation.Plugin.START_LEVEL, true));
            } else {
                Map<String, Object> left = new LinkedHashMap<>();
                left.put("plugin", plugin.words());
                left.put("sha256", plugin.sha256());
                left.put("code", refused);
                record(audit, "plugin.left-out", left);
            }
        }
        jars.keepOnly(stack.prune(current, desk.returnable()));

        Path socket = NodeDirectory.socketFor(directory.root(), config.runtimeDir());
        Placeholders placeholders = new Placeholders(
                values(config, lock, options, directory, socket, current),
                Map.of(
                        "parley.relay.urls",
                        options.relayUrls(),
                        "parley.relay.hosts",
                        options.relayHosts().stream()
                                .map(host -> "relay=" + host)
                                .toList(),
                        "parley.files.urls",
                        options.filesUrls(),
                        "parley.files.hosts",
                        options.filesHosts().stream()
                                .map(host -> "files=" + host)
                                .toList(),
                        "parley.slots.plugins",
                        current.generation().slotsOfPlugins()));
        Map<String, Map<String, Object>> configurations = new LinkedHashMap<>();
        Map<String, Path> owners = new LinkedHashMap<>();
        for (Map.Entry<String, Map<String, Object>> configuration :
                current.generation().complete().entrySet()) {
            String pid = configuration.getKey();
            configurations.put(pid, placeholders.resolve(pid, configuration.getValue()));
            String owner = current.generation().ownerOf(pid);
            if (owner != null) {
                owners.put(pid, jars.pathOf(owner));
            }
        }
        LaunchPlan plan = new LaunchPlan(
                current.number(),
                options.features().stream().sorted().toList(),
                installs,
                configurations,
                owners,
                Container.frameworkProperties(directory.root().resolve(NodeDirectory.CACHE)));
        PluginDesk plugins = new PluginDesk(stack, desk, jars, gate, scratch, placeholders, current.generation());
        return new Prepared(plan, socket, options, desk, plugins, audit, new Fence(platform, audit::add));
    }

    /** What the distribution makes of the wanted features. */
    private static Generation expected(Path home, DistributionLock lock, Set<String> wanted) throws LauncherException {
        List<String> names = new ArrayList<>();
        names.add("base");
        names.addAll(wanted);
        names.sort(null);
        Map<String, Feature> features = new LinkedHashMap<>();
        for (String name : names) {
            features.put(name, feature(home, lock, name));
        }
        return Generation.of(lock, features);
    }

    private static Feature feature(Path home, DistributionLock lock, String name) throws LauncherException {
        String file = "features/" + name + ".json";
        String sha256 = lock.features().get(file);
        if (sha256 == null) {
            throw DistributionLock.tampered(file, DistributionLock.FILE + " does not list it", null);
        }
        try {
            return Feature.parse(DistributionLock.checked(home, file, sha256));
        } catch (IOException e) {
            throw new LauncherException(
                    "distribution.invalid",
                    "The feature " + name + " cannot be understood.",
                    file + ": " + e.getMessage() + ".",
                    "Unpack the distribution again; if it was built here, correct the file.",
                    e);
        }
    }

    private static Map<String, String> values(
            ParleyConfig config,
            DistributionLock lock,
            StartOptions options,
            NodeDirectory directory,
            Path socket,
            StackFiles.Numbered current) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("parley.data", directory.root().toString());
        values.put("parley.state", options.stateDir().toString());
        values.put("parley.logs", directory.sub("logs").toString());
        values.put("parley.socket", socket.toString());
        values.put("parley.version", lock.version());
        values.put("parley.generation", String.valueOf(current.number()));
        values.put("parley.features", String.join(",", options.features()));
        values.put("parley.testing", String.valueOf(config.testing()));
        values.put("parley.port.relay", String.valueOf(options.portBase()));
        values.put("parley.port.web", String.valueOf(options.portBase() + 1));
        values.put("parley.port.files", String.valueOf(options.portBase() + 2));
        values.put("parley.port.admin", String.valueOf(options.portBase() + 3));
        return values;
    }

    /** The socket on which the node speaks JSON-RPC 2.0; for this user only. */
    public Path controlSocket() {
        return socket;
    }

    /** Of the distribution. */
    public String version() {
        return version;
    }

    /** Number of the stack generation that runs. */
    public long generation() {
        return generation;
    }

    /** Port of the relay; the others follow it. */
    public int portBase() {
        return portBase;
    }

    /** The framework's context, for a host that registers services of its own; null once stopped. */
    public @Nullable BundleContext context() {
        return container.context();
    }

    /** Returns when the node is down, whether by {@link #close}, {@code ./parley stop} or its own framework. */
    public void await() throws InterruptedException {
        container.await();
    }

    /**
     * Stops the node and returns when it is down, also on a thread that is interrupted. Idempotent. If a part of it does
     * not end in 45 s, it returns all the same, and the data directory stays locked until another call finds the node
     * down or the process ends.
     */
    @Override
    public synchronized void close() {
        close(container, directory);
    }

    /** The directory of the distribution that a class was loaded from: the parent of the {@code lib} its jar lies in. */
    public static @Nullable Path homeOf(Class<?> type) {
        java.security.CodeSource source = type.getProtectionDomain().getCodeSource();
        if (source == null || source.getLocation() == null) {
            return null;
        }
        Path jar = Path.of(java.net.URI.create(source.getLocation().toString()));
        Path lib = jar.getParent();
        Path home = lib == null ? null : lib.getParent();
        return home != null && Files.exists(home.resolve(DistributionLock.FILE)) ? home : null;
    }
}
