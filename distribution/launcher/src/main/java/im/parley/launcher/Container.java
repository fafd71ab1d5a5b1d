package im.parley.launcher;

import im.parley.launcher.fence.Fence;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Hashtable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.felix.framework.FrameworkFactory;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkEvent;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.SynchronousBundleListener;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.framework.startlevel.FrameworkStartLevel;
import org.osgi.service.log.LogService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One framework, from checked jars to ready, and down again. {@code boot} is called once; {@code stop} from any thread. */
final class Container {
    private static final Logger LOG = LoggerFactory.getLogger(Container.class);
    /** Configuration Admin is up here, nothing that reads a configuration is. */
    static final int CONFIGURED_START_LEVEL = 5;

    /** Everything is up here. */
    static final int LAST_START_LEVEL = 100;

    /** Registered by the control app: a {@code Supplier} of what is missing and what failed, in types of the JDK. */
    private static final String READINESS = "(parley.readiness=node)";

    /** Property of the services that keep and change the stack, see {@link StackDesk} and {@link PluginDesk}. */
    private static final String STACK = "parley.stack";

    /** A node's ports, and how far from them others are suggested. */
    private static final int PORTS = 4;

    private static final int PORT_STEP = 10;

    private static final Duration STOP_LIMIT = Duration.ofSeconds(45);
    private static final long POLL_MILLIS = 25;
    private static final long AWAIT_MILLIS = 1_000;

    /** After an error, how long the rest may still become ready before the start is given up. */
    private static final long GRACE_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final Framework framework;
    private final LogBridge log;
    private final Duration stopWithin;
    private final AtomicLong pluginsAlone = new AtomicLong();
    private volatile @Nullable Fence fence;

    /** Around a framework of a test's choice. */
    Container(Framework framework, LogBridge log, Duration stopWithin) {
        this.framework = framework;
        this.log = log;
        this.stopWithin = stopWithin;
    }

    /** A framework that is not booted yet. */
    static Container of(Path cache, Map<String, String> extraProperties) {
        LogBridge log = new LogBridge();
        Map<String, Object> properties = new LinkedHashMap<>(frameworkProperties(cache));
        properties.putAll(extraProperties);
        properties.put("felix.log.logger", log.frameworkLogger());
        return new Container(new FrameworkFactory().newFramework(properties), log, STOP_LIMIT);
    }

    /** Boots it; the caller stops it if that fails. */
    void boot(LaunchPlan plan, StackDesk stack, PluginDesk plugins, Fence around) throws LauncherException {
        fence = around;
        try {
            run(plan, stack, plugins, around);
        } catch (BundleException e) {
            throw failed(String.valueOf(e.getMessage()), e);
        }
    }

    static Map<String, String> frameworkProperties(Path cache) {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(Constants.FRAMEWORK_STORAGE, cache.toString());
        properties.put(Constants.FRAMEWORK_STORAGE_CLEAN, Constants.FRAMEWORK_STORAGE_CLEAN_ONFIRSTINIT);
        properties.put(Constants.FRAMEWORK_BEGINNING_STARTLEVEL, String.valueOf(CONFIGURED_START_LEVEL));
        properties.put(Constants.FRAMEWORK_BSNVERSION, Constants.FRAMEWORK_BSNVERSION_MULTIPLE);
        properties.put(Constants.FRAMEWORK_BOOTDELEGATION, "");
        properties.put("felix.bootdelegation.implicit", "false");
        properties.put("felix.cache.locking", "true");
        properties.put("felix.log.level", "2");
        // The host's own SLF4J serves the bundles too, so a node has one log and no logging bundles.
        properties.put(
                Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA,
                "org.slf4j;version=2.0.17,org.slf4j.event;version=2.0.17,org.slf4j.helpers;version=2.0.17,"
                        + "org.slf4j.spi;version=2.0.17,org.osgi.service.log;version=1.5");
        properties.put("ds.lock.timeout.milliseconds", "30000");
        properties.put("ds.stop.timeout.milliseconds", "30000");
        properties.put("ds.loglevel", "2");
        properties.put("ds.log.extension", "true");
        return properties;
    }

    private void run(LaunchPlan plan, StackDesk stack, PluginDesk plugins, Fence around)
            throws BundleException, LauncherException {
        framework.init();
        BundleContext context = framework.getBundleContext();
        around.raise(context);
        context.addFrameworkListener(event -> {
            if (event.getType() == FrameworkEvent.ERROR) {
                log.remember(
                        String.valueOf(event.getBundle().getSymbolicName()), "did not start", event.getThrowable());
                LOG.error("{} did not start", event.getBundle().getSymbolicName(), event.getThrowable());
            }
        });
        context.registerService(
                new String[] {LogService.class.getName(), org.osgi.service.log.LoggerFactory.class.getName()},
                log,
                new Hashtable<>());
        register(context, stack, "node");
        register(context, plugins, "plugins");
        List<Bundle> bundles = new ArrayList<>();
        List<Bundle> fromElsewhere = new ArrayList<>();
        for (LaunchPlan.Install install : plan.bundles()) {
            Bundle bundle = context.installBundle(RunningStack.location(install.file()));
            if (around.isPlugin(bundle)) {
                fromElsewhere.add(bundle);
            } else {
                bundle.adapt(BundleStartLevel.class).setStartLevel(install.startLevel());
                bundles.add(bundle);
            }
        }
        for (Bundle bundle : bundles) {
            if (bundle.getHeaders().get(Constants.FRAGMENT_HOST) == null) {
                bundle.start();
            }
        }
        framework.start();
        Map<String, String> locations = new LinkedHashMap<>();
        plan.owners().forEach((pid, file) -> locations.put(pid, RunningStack.location(file)));
        ConfigurationDoor.apply(context, locations, plan.configurations());
        CountDownLatch reached = new CountDownLatch(1);
        framework.adapt(FrameworkStartLevel.class).setStartLevel(LAST_START_LEVEL, event -> reached.countDown());
        await(reached);
        // When all of the platform is up, and each on its own: none of them keeps the node from starting.
        start(around, fromElsewhere);
        for (Bundle bundle : bundles) {
            if (bundle.getState() == Bundle.INSTALLED) {
                throw failed(bundle.getSymbolicName() + " cannot be resolved. " + firstError(), null);
            }
        }
        for (Bundle bundle : fromElsewhere) {
            if (bundle.getState() == Bundle.INSTALLED) {
                LOG.error("The plugin {} cannot be resolved; the rest runs without it", bundle.getSymbolicName());
            }
        }
        plugins.attach(context, around);
    }

    private static void register(
            BundleContext context, Function<Map<String, Object>, Map<String, Object>> desk, String name) {
        Hashtable<String, Object> properties = new Hashtable<>();
        properties.put(STACK, name);
        context.registerService(Function.class.getName(), desk, properties);
    }

    private static void start(Fence around, List<Bundle> plugins) throws LauncherException {
        try {
            around.start(plugins);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw interrupted();
        }
    }

    private static void await(CountDownLatch latch) throws LauncherException {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw interrupted();
        }
    }

    private String firstError() {
        List<String> errors = log.errors();
        return errors.isEmpty() ? "" : errors.get(0);
    }

    /**
     * Waits until the node says that nothing is missing.
     *
     * @param portBase for the advice if a port is taken
     * @throws LauncherException {@code node.not-ready}, naming what is missing; the framework still runs
     */
    void awaitReady(Duration limit, int portBase) throws LauncherException {
        long start = System.nanoTime();
        long firstErrorAt = 0;
        boolean failedBefore = false;
        long wholeButFor = 0;
        List<String> missing = List.of("the control app");
        while (System.nanoTime() - start < limit.toNanos()) {
            State state = state(portBase);
            missing = state.missing();
            if (missing.isEmpty() && state.degraded().isEmpty()) {
                return;
            }
            if (missing.isEmpty()) {
                wholeButFor = wholeButFor == 0 ? System.nanoTime() : wholeButFor;
                if (System.nanoTime() - wholeButFor > GRACE_NANOS) {
                    LOG.error("The node starts without what plugins were to be: {}", state.degraded());
                    return;
                }
            } else if (!log.errors().isEmpty()) {
                firstErrorAt = failedBefore ? firstErrorAt : System.nanoTime();
                failedBefore = true;
                if (System.nanoTime() - firstErrorAt > GRACE_NANOS) {
                    break;
                }
            }
            try {
                if (framework.waitForStop(POLL_MILLIS).getType() != FrameworkEvent.WAIT_TIMEDOUT) {
                    throw notReady(List.of("it was stopped while it started"), log.errors());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw interrupted();
            }
        }
        throw notReady(missing, log.errors());
    }

    /**
     * What the node still lacks.
     *
     * @param degraded what it may start without
     */
    private record State(List<String> missing, List<String> degraded) {
        static State lacking(String part) {
            return new State(List.of(part), List.of());
        }
    }

    /** Throws if something failed that will not heal by itself. */
    private State state(int portBase) throws LauncherException {
        BundleContext context = framework.getBundleContext();
        if (context == null) {
            return State.lacking("the framework");
        }
        ServiceReference<?>[] references;
        try {
            references = context.getServiceReferences(Supplier.class.getName(), READINESS);
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
        ServiceReference<?> reference = ofThePlatform(references);
        if (reference == null) {
            return State.lacking("the control app");
        }
        Object service = context.getService(reference);
        Object answer = service instanceof Supplier<?> readiness ? readiness.get() : null;
        context.ungetService(reference);
        if (!(answer instanceof Map<?, ?> state)
                || !(state.get("missing") instanceof List<?> missing)
                || !(state.get("failed") instanceof Map<?, ?> failed)) {
            return State.lacking("the control app");
        }
        for (Map.Entry<?, ?> failure : failed.entrySet()) {
            throw lasting(String.valueOf(failure.getKey()), String.valueOf(failure.getValue()), portBase);
        }
        List<?> degraded = state.get("degraded") instanceof List<?> list ? list : List.of();
        return new State(
                missing.stream().map(String::valueOf).toList(),
                degraded.stream().map(String::valueOf).toList());
    }

    /** Nothing is hidden from the framework's own context, so whoever asks with it has to look who answers. */
    private @Nullable ServiceReference<?> ofThePlatform(ServiceReference<?> @Nullable [] references) {
        Fence around = fence;
        if (references != null) {
            for (ServiceReference<?> reference : references) {
                Bundle owner = reference.getBundle();
                if (owner != null && (around == null || !around.isPlugin(owner))) {
                    return reference;
                }
            }
        }
        return null;
    }

    /**
     * What failed and will not heal by itself, as the end of the start.
     *
     * @param text the failing part's own words, which name the port if it is about one
     */
    static LauncherException lasting(String code, String text, int portBase) {
        return switch (code) {
            case "http.port-in-use" -> {
                int taken = portBase;
                for (int port = portBase; port < portBase + PORTS; port++) {
                    taken = text.contains(":" + port) ? port : taken;
                }
                int other = portBase + PORT_STEP <= ParleyConfig.MAX_PORT_BASE
                        ? portBase + PORT_STEP
                        : portBase - PORT_STEP;
                yield new LauncherException(
                        code,
                        "Port " + taken + " is taken, so the node was not started.",
                        text,
                        "Free it, or try --port-base " + other + ".");
            }
            case "vault.no-device-key" ->
                new LauncherException(
                        code,
                        "The node was not started: its device key is not here.",
                        text,
                        "Put the key file back, or name the directory that holds it with --state, and start again.");
            default ->
                new LauncherException(
                        code,
                        "The node could not start all of its parts and was stopped.",
                        text,
                        "Correct what is named and start again; ./parley logs tells more.");
        };
    }

    private static LauncherException notReady(List<String> missing, List<String> errors) {
        String why = "Missing: " + String.join("; ", missing) + "."
                + (errors.isEmpty() ? "" : " First errors: " + String.join(" | ", errors) + ".");
        return new LauncherException(
                "node.not-ready",
                "The node did not become ready and was stopped.",
                why,
                "Correct what is named; ./parley logs has the whole story.");
    }

    private static LauncherException interrupted() {
        return new LauncherException(
                "node.not-ready",
                "The node was not started.",
                "The start was interrupted.",
                "Start it again when you want it.");
    }

    private static LauncherException failed(String why, @Nullable Throwable cause) {
        return new LauncherException(
                "bundle.failed",
                "A part of the node did not start, so the node was stopped.",
                why,
                "Unpack the distribution again if it was changed; else report this with the log.",
                cause);
    }

    /**
     * Calls back once the framework begins to stop, whoever stops it, and before anything of it does.
     *
     * @throws LauncherException {@code node.not-ready} if it does already
     */
    void onStopping(Runnable told) throws LauncherException {
        BundleContext context = framework.getBundleContext();
        try {
            if (context != null) {
                context.addBundleListener((SynchronousBundleListener) event -> {
                    if (event.getType() == BundleEvent.STOPPING
                            && event.getBundle().getBundleId() == Constants.SYSTEM_BUNDLE_ID) {
                        told.run();
                    }
                });
                return;
            }
        } catch (IllegalStateException down) {
            LOG.debug("the framework is down: {}", down.toString());
        }
        throw notReady(List.of("it was stopped while it started"), log.errors());
    }

    @Nullable
    BundleContext context() {
        return framework.getBundleContext();
    }

    /** Returns when the framework is down, whoever stopped it, or when only plugins that hang keep it. */
    void await() throws InterruptedException {
        while (framework.waitForStop(AWAIT_MILLIS).getType() == FrameworkEvent.WAIT_TIMEDOUT) {
            if (onlyPluginsKeepIt()) {
                return;
            }
        }
    }

    /** Whether plugins that do not stop are all that is left, and have had their time. */
    private boolean onlyPluginsKeepIt() {
        Fence around = fence;
        BundleContext context = framework.getBundleContext();
        if (around == null || context == null || !around.onlyPluginsRun(context)) {
            pluginsAlone.set(0);
            return false;
        }
        long now = System.nanoTime();
        pluginsAlone.compareAndSet(0, now);
        return now - pluginsAlone.get() > Fence.PATIENCE.toNanos();
    }

    /**
     * Stops the framework, apps first, and waits for it, also on a thread that is interrupted. Idempotent.
     *
     * @return whether it is down; if not, something of it still runs
     */
    boolean stop() {
        boolean interrupted = false;
        long deadline = System.nanoTime() + stopWithin.toNanos();
        try {
            framework.stop();
            while (true) {
                try {
                    // Zero would mean for ever.
                    long millis = Math.max(1, (deadline - System.nanoTime()) / 1_000_000);
                    if (framework.waitForStop(Math.min(AWAIT_MILLIS, millis)).getType()
                            != FrameworkEvent.WAIT_TIMEDOUT) {
                        return true;
                    }
                    if (onlyPluginsKeepIt()) {
                        LOG.error("the node is down but for plugins that do not stop");
                        return false;
                    }
                    if (System.nanoTime() >= deadline) {
                        LOG.error("the framework did not stop within {} s", stopWithin.toSeconds());
                        return false;
                    }
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } catch (BundleException e) {
            LOG.error("the framework did not stop cleanly", e);
            return (framework.getState() & (Bundle.INSTALLED | Bundle.RESOLVED)) != 0;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
