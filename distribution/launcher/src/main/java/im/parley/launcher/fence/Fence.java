package im.parley.launcher.fence;

import java.io.IOException;
import java.lang.StackWalker.StackFrame;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Hashtable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.BundleReference;
import org.osgi.framework.Constants;
import org.osgi.framework.hooks.bundle.EventHook;
import org.osgi.framework.hooks.bundle.FindHook;
import org.osgi.framework.hooks.resolver.ResolverHookFactory;
import org.osgi.framework.hooks.service.EventListenerHook;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.framework.wiring.FrameworkWiring;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fence of one framework. A plugin is every bundle but those of the distribution and the framework itself.
 *
 * <p>It is raised before anything is installed. Bundles ask it, as a {@code Function} between maps, with the
 * property {@code parley.fence=node}: {@code hosts} {bundle: a Bundle} answers {plugin, hosts}, the second only for a plugin.
 *
 * <p>What it stops is counted, logged and audited under these codes: {@code plugin.denied} (tried what no plugin may; the
 * bundle is stopped and stays so, or, if it was installed by a plugin, uninstalled), {@code service.impostor} (offers a
 * service of the platform; it goes on, unseen), {@code plugin.quarantined} (did not start or stop in time), {@code
 * plugin.leftover} (left something in the process after its stop). Thread-safe.
 */
public final class Fence implements Function<Map<String, Object>, Map<String, Object>> {
    /** How long a plugin may take to start or to stop. */
    public static final Duration PATIENCE = Duration.ofSeconds(10);

    /**
     * The level of a bundle that was given none. Plugins have it and so stop last: one that hangs keeps nothing of the
     * platform from stopping well.
     */
    private static final int START_LEVEL = 1;

    /** Not all of it: it looks up what a plugin's component wants to be given, too. */
    private static final String COMPONENTS = "org.apache.felix.scr.impl.helper.ConfigAdminTracker";

    private static final String DENIED = "plugin.denied";
    private static final String QUARANTINED = "plugin.quarantined";
    private static final Logger LOG = LoggerFactory.getLogger(Fence.class);

    private final Set<String> platform;
    private final Denials denials;
    private final Duration patience;
    private final Set<Long> refused = ConcurrentHashMap.newKeySet();
    private final Map<Long, ThreadGroup> groups = new ConcurrentHashMap<>();
    private final Leftovers leftovers = new Leftovers();
    private volatile @Nullable BundleContext system;

    /** Where attempts are written down, see the audit log. */
    @FunctionalInterface
    public interface Audit {
        void add(String act, Map<String, Object> what) throws IOException;
    }

    /**
     * One start or stop.
     *
     * @param problem what the plugin threw; empty if it threw nothing
     */
    public record Attempt(Outcome outcome, String problem) {}

    /** How it went. */
    public enum Outcome {
        DONE,
        /** The plugin threw, or cannot be resolved; the cause is in the log. */
        FAILED,
        /** It did not return in time and is quarantined; whatever thread it holds it keeps. */
        HANGS
    }

    /** @param platform locations of the bundles that are no plugins */
    public Fence(Set<String> platform, Audit audit) {
        this(platform, audit, PATIENCE);
    }

    /** With another patience, for tests. */
    Fence(Set<String> platform, Audit audit, Duration patience) {
        this.platform = Set.copyOf(platform);
        this.denials = new Denials(audit);
        this.patience = patience;
    }

    /** Raises it around an initialised framework, before anything is installed. */
    public void raise(BundleContext context) {
        system = context;
        ServiceFence services = new ServiceFence(this);
        BundleFence bundles = new BundleFence(this);
        Hashtable<String, Object> properties = new Hashtable<>();
        // After everybody else's hooks: what those leave is still filtered.
        properties.put(Constants.SERVICE_RANKING, Integer.MIN_VALUE);
        context.registerService(
                new String[] {
                    org.osgi.framework.hooks.service.FindHook.class.getName(), EventListenerHook.class.getName()
                },
                services,
                properties);
        context.registerService(
                new String[] {FindHook.class.getName(), EventHook.class.getName(), ResolverHookFactory.class.getName()},
                bundles,
                properties);
        Hashtable<String, Object> own = new Hashtable<>();
        own.put("parley.fence", "node");
        context.registerService(Function.class.getName(), this, own);
    }

    /** Whether it belongs to neither the distribution nor the framework. */
    public boolean isPlugin(Bundle bundle) {
        return bundle.getBundleId() != Constants.SYSTEM_BUNDLE_ID && !platform.contains(bundle.getLocation());
    }

    /** How often something was stopped, by code. */
    public Map<String, Long> counts() {
        return denials.counts();
    }

    @Override
    public Map<String, Object> apply(Map<String, Object> request) {
        if (!"hosts".equals(request.get("op")) || !(request.get("bundle") instanceof Bundle bundle)) {
            return Map.of("problem", "The fence does not know " + request.get("op") + ".");
        }
        return isPlugin(bundle)
                ? Map.of("plugin", true, "hosts", List.copyOf(Rules.declared(bundle, Rules.HOSTS)))
                : Map.of("plugin", false);
    }

    Denials denials() {
        return denials;
    }

    boolean isRefused(Bundle bundle) {
        return refused.contains(bundle.getBundleId());
    }

    /** Stops it for good: it cannot be resolved again until the node starts anew. */
    void refuse(Bundle plugin, String what) {
        denials.add(DENIED, plugin, what);
        if (refused.add(plugin.getBundleId())) {
            // Not on this thread, which may be the plugin's own in the middle of its start.
            stopLater(plugin);
        }
    }

    void installed(Bundle bundle, Bundle origin) {
        if (!isPlugin(bundle)) {
            return;
        }
        Bundle installer = origin.getBundleId() == Constants.SYSTEM_BUNDLE_ID ? caller().orElse(origin) : origin;
        if (installer.getBundleId() == Constants.SYSTEM_BUNDLE_ID) {
            return;
        }
        refused.add(bundle.getBundleId());
        denials.add(DENIED, installer, "installed " + bundle.getSymbolicName() + ", which only the launcher may");
        try {
            bundle.uninstall();
        } catch (BundleException | RuntimeException e) {
            LOG.error("{} stays installed, but is not resolved", bundle.getSymbolicName(), e);
        }
    }

    /** Of the plugins whose code is on the stack the innermost: with the context of another bundle it calls as that one. */
    private Optional<Bundle> caller() {
        return StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE)
                .walk(frames -> frames.map(Fence::bundleOf)
                        .flatMap(Optional::stream)
                        .filter(this::isPlugin)
                        .findFirst());
    }

    /** Whether the innermost code of any bundle on the stack is that with which Declarative Services looks for itself. */
    boolean asksForComponents() {
        return StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE)
                .walk(frames -> frames.filter(frame -> bundleOf(frame).isPresent())
                        .findFirst()
                        .filter(frame -> frame.getClassName().startsWith(COMPONENTS))
                        .flatMap(Fence::bundleOf)
                        .filter(bundle -> !isPlugin(bundle))
                        .isPresent());
    }

    private static Optional<Bundle> bundleOf(StackFrame frame) {
        return frame.getDeclaringClass().getClassLoader() instanceof BundleReference reference
                ? Optional.ofNullable(reference.getBundle())
                : Optional.empty();
    }

    /** Nothing is ever updated in place: a new version is installed beside the old one. */
    void updated(Bundle bundle) {
        denials.add(DENIED, bundle, "was changed in place after it was checked");
        refused.add(bundle.getBundleId());
    }

    void stopped(Bundle bundle) {
        if (isPlugin(bundle)) {
            List<String> left = leftovers.remove(bundle, groups.remove(bundle.getBundleId()));
            left.forEach(each -> denials.add("plugin.leftover", bundle, each));
        }
    }

    /**
     * Starts plugins, all at the same time, and returns when each is done or was given up. None of them keeps another from
     * starting.
     *
     * @return how each went, in the order given
     */
    public List<Attempt> start(List<Bundle> plugins) throws InterruptedException {
        return start(plugins, patience);
    }

    /** Under the same terms, with less patience. */
    public List<Attempt> start(List<Bundle> plugins, Duration limit) throws InterruptedException {
        List<Trial> trials = new ArrayList<>();
        for (Bundle plugin : plugins) {
            ThreadGroup group = new ThreadGroup("plugin " + plugin.getSymbolicName());
            groups.put(plugin.getBundleId(), group);
            trials.add(new Trial(plugin, "start", group, plugin::start));
        }
        return outcomes(trials, limit);
    }

    /** Stops plugins, under the same terms. */
    public List<Attempt> stop(List<Bundle> plugins) throws InterruptedException {
        List<Trial> trials = new ArrayList<>();
        for (Bundle plugin : plugins) {
            trials.add(new Trial(plugin, "stop", null, plugin::stop));
        }
        return outcomes(trials, patience);
    }

    /**
     * Uninstalls bundles, of which one may hang in its start or its stop. What does not go stays installed until the node
     * starts anew, and is in the log.
     *
     * @return those that are gone
     */
    public List<Bundle> uninstall(Collection<Bundle> plugins) {
        Map<Bundle, Trial> trials = new LinkedHashMap<>();
        List<Bundle> gone = new ArrayList<>();
        for (Bundle plugin : plugins) {
            if (plugin.getState() == Bundle.UNINSTALLED) {
                gone.add(plugin);
            } else {
                trials.put(plugin, new Trial(plugin, "uninstall", null, plugin::uninstall));
            }
        }
        try {
            outcomes(List.copyOf(trials.values()), patience);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        trials.keySet().stream()
                .filter(plugin -> plugin.getState() == Bundle.UNINSTALLED)
                .forEach(gone::add);
        return gone;
    }

    private static List<Attempt> outcomes(List<Trial> trials, Duration limit) throws InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        List<Attempt> attempts = new ArrayList<>();
        for (Trial trial : trials) {
            attempts.add(trial.await(deadline, limit));
        }
        return attempts;
    }

    private void stopLater(Bundle plugin) {
        Thread thread = new Thread(
                () -> {
                    try {
                        stop(List.of(plugin));
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                },
                "parley-fence");
        thread.setDaemon(true);
        thread.start();
    }

    /** Makes it one that has to be resolved anew, which it is not. */
    private void seclude(Bundle plugin) {
        if (plugin.getState() == Bundle.UNINSTALLED) {
            return;
        }
        // Meant for the plugin's code, if it came at all.
        Thread.interrupted();
        try {
            plugin.stop();
            FrameworkWiring wiring = system == null ? null : system.getBundle().adapt(FrameworkWiring.class);
            if (wiring != null) {
                wiring.refreshBundles(List.of(plugin));
            }
        } catch (BundleException | RuntimeException e) {
            LOG.error("The plugin {} was not stopped", plugin.getSymbolicName(), e);
        }
    }

    /** Plugin code on a thread of its own, for it may never return. */
    private final class Trial {
        private final Bundle plugin;
        private final String what;
        private final CountDownLatch done = new CountDownLatch(1);
        private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        private final Thread thread;

        Trial(Bundle plugin, String what, @Nullable ThreadGroup group, Act act) {
            this.plugin = plugin;
            this.what = what;
            this.thread = new Thread(
                    group,
                    () -> {
                        try {
                            act.run();
                        } catch (BundleException | RuntimeException | LinkageError e) {
                            failure.set(e);
                        } finally {
                            done.countDown();
                        }
                        if (isRefused(plugin)) {
                            seclude(plugin);
                        }
                    },
                    "parley-" + what + "-" + plugin.getSymbolicName(),
                    0,
                    false);
            thread.setDaemon(true);
            thread.setContextClassLoader(null);
            thread.start();
        }

        Attempt await(long deadline, Duration limit) throws InterruptedException {
            if (!done.await(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS)) {
                refused.add(plugin.getBundleId());
                denials.add(QUARANTINED, plugin, "did not return from " + what + " within " + limit.toSeconds() + " s");
                // Ends what waits or sleeps; a loop goes on, and only the end of the process ends it.
                thread.interrupt();
                return new Attempt(Outcome.HANGS, "");
            }
            Throwable thrown = failure.get();
            if (thrown != null) {
                LOG.error("The plugin {} did not {}", plugin.getSymbolicName(), what, thrown);
                return new Attempt(
                        Outcome.FAILED, String.valueOf(thrown.getCause() == null ? thrown : thrown.getCause()));
            }
            return new Attempt(Outcome.DONE, "");
        }
    }

    @FunctionalInterface
    private interface Act {
        void run() throws BundleException;
    }

    /** Whether a framework that stops has stopped all of the platform, so that only plugins keep it. */
    public boolean onlyPluginsRun(BundleContext context) {
        if (context.getBundle().getState() != Bundle.STOPPING) {
            return false;
        }
        boolean plugins = false;
        for (Bundle bundle : context.getBundles()) {
            boolean up = (bundle.getState() & (Bundle.STARTING | Bundle.ACTIVE | Bundle.STOPPING)) != 0;
            if (up && isPlugin(bundle)) {
                plugins = true;
            } else if (up
                    && bundle.getBundleId() != Constants.SYSTEM_BUNDLE_ID
                    && bundle.adapt(BundleStartLevel.class).getStartLevel() > START_LEVEL) {
                return false;
            }
        }
        return plugins;
    }
}
