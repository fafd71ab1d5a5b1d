package im.parley.launcher;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Hashtable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
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

    /** Property of the service that the slots keep their swaps with, see {@link StackDesk}. */
    private static final String STACK = "parley.stack";

    /** A node's ports, and how far from them others are suggested. */
    private static final int PORTS = 4;

    private static final int PORT_STEP = 10;

    private static final Duration STOP_LIMIT = Duration.ofSeconds(45);
    private static final long POLL_MILLIS = 25;

    /** After an error, how long the rest may still become ready before the start is given up. */
    private static final long GRACE_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final Framework framework;
    private final LogBridge log;
    private final Duration stopWithin;

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
    void boot(List<LaunchPlan.Install> installs, Map<String, Map<String, Object>> configurations, StackDesk stack)
            throws LauncherException {
        try {
            run(installs, configurations, stack);
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

    private void run(
            List<LaunchPlan.Install> installs, Map<String, Map<String, Object>> configurations, StackDesk stack)
            throws BundleException, LauncherException {
        framework.init();
        BundleContext context = framework.getBundleContext();
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
        Hashtable<String, Object> stackProperties = new Hashtable<>();
        stackProperties.put(STACK, "node");
        context.registerService(Function.class.getName(), stack, stackProperties);
        List<Bundle> bundles = new ArrayList<>();
        for (LaunchPlan.Install install : installs) {
            Bundle bundle = context.installBundle("reference:" + install.file().toUri());
            bundle.adapt(BundleStartLevel.class).setStartLevel(install.startLevel());
            bundles.add(bundle);
        }
        for (Bundle bundle : bundles) {
            if (bundle.getHeaders().get(Constants.FRAGMENT_HOST) == null) {
                bundle.start();
            }
        }
        framework.start();
        ConfigurationDoor.apply(context, bundles, configurations);
        CountDownLatch reached = new CountDownLatch(1);
        framework.adapt(FrameworkStartLevel.class).setStartLevel(LAST_START_LEVEL, event -> reached.countDown());
        await(reached);
        for (Bundle bundle : bundles) {
            if (bundle.getState() == Bundle.INSTALLED) {
                throw failed(bundle.getSymbolicName() + " cannot be resolved. " + firstError(), null);
            }
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
        List<String> missing = List.of("the control app");
        while (System.nanoTime() - start < limit.toNanos()) {
            missing = missing(portBase);
            if (missing.isEmpty()) {
                return;
            }
            if (!log.errors().isEmpty()) {
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

    /** What the node still lacks; throws if something failed that will not heal by itself. */
    private List<String> missing(int portBase) throws LauncherException {
        BundleContext context = framework.getBundleContext();
        if (context == null) {
            return List.of("the framework");
        }
        ServiceReference<?>[] references;
        try {
            references = context.getServiceReferences(Supplier.class.getName(), READINESS);
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
        if (references == null) {
            return List.of("the control app");
        }
        Object service = context.getService(references[0]);
        Object answer = service instanceof Supplier<?> readiness ? readiness.get() : null;
        context.ungetService(references[0]);
        if (!(answer instanceof Map<?, ?> state)
                || !(state.get("missing") instanceof List<?> missing)
                || !(state.get("failed") instanceof Map<?, ?> failed)) {
            return List.of("the control app");
        }
        for (Map.Entry<?, ?> failure : failed.entrySet()) {
            throw lasting(String.valueOf(failure.getKey()), String.valueOf(failure.getValue()), portBase);
        }
        return missing.stream().map(String::valueOf).toList();
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

    /** Returns when the framework is down, whoever stopped it. */
    void await() throws InterruptedException {
        framework.waitForStop(0);
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
                    if (framework.waitForStop(millis).getType() != FrameworkEvent.WAIT_TIMEDOUT) {
                        return true;
                    }
                    LOG.error("the framework did not stop within {} s", stopWithin.toSeconds());
                    return false;
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
