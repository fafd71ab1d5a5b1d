package im.parley.launcher;

import im.parley.launcher.fence.Fence;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.FrameworkListener;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.wiring.FrameworkWiring;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The framework as it runs, for whoever changes it: bundles, configurations, slots. Classes of bundles are reached by
 * name, because the class path must not know them. Used by one thread at a time.
 */
final class RunningStack {
    private static final Logger LOG = LoggerFactory.getLogger(RunningStack.class);
    private static final String SLOT = "im.parley.slot.Slot";
    private static final String SWAPS = "im.parley.slot.Swaps";
    private static final String PID = "service.pid";
    private static final long POLL_NANOS = 20_000_000;
    private static final Duration REFRESH = Duration.ofSeconds(30);

    private final BundleContext context;
    private final Fence fence;

    RunningStack(BundleContext context, Fence fence) {
        this.context = context;
        this.fence = fence;
    }

    /** A slot as it is. */
    record SlotState(String slot, String instance, boolean filled, String problem, List<String> candidates) {}

    /** What a swap says of itself. */
    record Swapped(String slot, String from, String to, long inFlight, long cut, long longestPauseMicros) {}

    // ---- bundles ----

    static String location(Path jar) {
        return "reference:" + jar.toUri();
    }

    /** Not started yet. */
    Bundle install(Path jar) throws LauncherException {
        try {
            return context.installBundle(location(jar));
        } catch (BundleException e) {
            throw failed("plan.unresolved", jar.getFileName() + " cannot be installed: " + e.getMessage(), e);
        }
    }

    /** The bundle that was installed from there; null if none is. */
    @Nullable
    Bundle at(Path jar) {
        return context.getBundle(location(jar));
    }

    void resolve(Collection<Bundle> bundles) throws LauncherException {
        if (!wiring().resolveBundles(bundles)) {
            for (Bundle bundle : bundles) {
                if (bundle.getState() == Bundle.INSTALLED) {
                    throw failed("plan.unresolved", bundle.getSymbolicName() + " does not resolve", null);
                }
            }
        }
    }

    /**
     * Starts it, on a thread of its own: one that never comes back must not take whoever asked with it.
     *
     * @throws LauncherException {@code plugin.start-failed}
     */
    void start(Bundle bundle, Duration limit) throws LauncherException {
        Fence.Attempt attempt;
        try {
            attempt = fence.start(List.of(bundle), limit).get(0);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed("plugin.start-failed", "waiting for it was interrupted", e);
        }
        if (attempt.outcome() == Fence.Outcome.HANGS) {
            throw failed(
                    "plugin.start-failed",
                    bundle.getSymbolicName() + " did not start within " + limit.toSeconds() + " s",
                    null);
        }
        if (attempt.outcome() == Fence.Outcome.FAILED) {
            throw failed(
                    "plugin.start-failed", bundle.getSymbolicName() + " did not start: " + attempt.problem(), null);
        }
    }

    /** A bundle that does not go is logged: nothing selects it any more, and the next start does not install it. */
    void uninstall(Collection<Bundle> bundles) {
        List<Bundle> gone = fence.uninstall(bundles);
        if (gone.isEmpty()) {
            return;
        }
        CountDownLatch refreshed = new CountDownLatch(1);
        wiring().refreshBundles(gone, (FrameworkListener) event -> refreshed.countDown());
        try {
            if (!refreshed.await(REFRESH.toSeconds(), TimeUnit.SECONDS)) {
                LOG.warn("what was uninstalled is still being let go");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Running bundles that would have to be bound anew if those went. */
    List<Bundle> dependents(Collection<Bundle> bundles) {
        List<Bundle> dependents = new ArrayList<>(wiring().getDependencyClosure(bundles));
        dependents.removeAll(bundles);
        return dependents;
    }

    private FrameworkWiring wiring() {
        return context.getBundle(0).adapt(FrameworkWiring.class);
    }

    // ---- configurations ----

    void configure(String pid, String location, Map<String, Object> properties) throws LauncherException {
        ConfigurationDoor.put(context, pid, location, properties);
    }

    void unconfigure(String pid, String location) throws LauncherException {
        ConfigurationDoor.remove(context, pid, location);
    }

    /** Whether any service says that it is made from that configuration. */
    boolean isServed(String pid) {
        return !services(pid).isEmpty();
    }

    /** Whether a service has been made from the configuration as it is now, and its component takes it. */
    boolean isServedWith(String pid, Map<String, Object> properties) {
        return services(pid).stream()
                .anyMatch(reference -> properties.entrySet().stream()
                                .allMatch(
                                        property -> same(property.getValue(), reference.getProperty(property.getKey())))
                        && starts(reference));
    }

    /** A component that nobody uses yet is registered before it is made, and only then refuses what it was given. */
    private boolean starts(ServiceReference<?> reference) {
        try {
            return context.getService(reference) != null;
        } catch (IllegalStateException left) {
            return false;
        } finally {
            try {
                context.ungetService(reference);
            } catch (IllegalStateException left) {
                LOG.debug("a service left", left);
            }
        }
    }

    private static boolean same(Object wanted, @Nullable Object there) {
        if (there instanceof Object[] array) {
            return wanted instanceof List<?> list
                    && Arrays.stream(array)
                            .map(String::valueOf)
                            .toList()
                            .equals(list.stream().map(String::valueOf).toList());
        }
        return Objects.equals(String.valueOf(wanted), String.valueOf(there));
    }

    private List<ServiceReference<?>> services(String pid) {
        try {
            ServiceReference<?>[] found = context.getAllServiceReferences(null, "(" + PID + "=" + pid + ")");
            return found == null
                    ? List.of()
                    : Arrays.stream(found)
                            .filter(reference -> !"org.osgi.service.cm"
                                    .equals(reference.getBundle().getSymbolicName()))
                            .toList();
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- slots ----

    /** By name. */
    Map<String, SlotState> slots() {
        Map<String, SlotState> slots = new LinkedHashMap<>();
        for (ServiceReference<?> reference : all(SLOT)) {
            Object slot = context.getService(reference);
            if (slot == null) {
                continue;
            }
            try {
                Object status = call(type(slot, SLOT).getMethod("status"), slot);
                List<String> candidates = new ArrayList<>();
                if (member(status, "candidates") instanceof List<?> list) {
                    list.forEach(each -> candidates.add(String.valueOf(each)));
                }
                SlotState state = new SlotState(
                        String.valueOf(member(status, "slot")),
                        String.valueOf(member(status, "instance")),
                        Boolean.TRUE.equals(member(status, "filled")),
                        String.valueOf(member(status, "problem")),
                        candidates);
                slots.put(state.slot(), state);
            } catch (ReflectiveOperationException e) {
                LOG.debug("a slot is leaving", e);
            } finally {
                context.ungetService(reference);
            }
        }
        return slots;
    }

    /**
     * Lets an instance fill a slot.
     *
     * @throws LauncherException with the code of the slot
     */
    Swapped swap(String slot, String instance, String who, String why) throws LauncherException {
        List<ServiceReference<?>> references = all(SWAPS);
        Object swaps = references.isEmpty() ? null : context.getService(references.get(0));
        if (swaps == null) {
            throw failed("swap.unknown-slot", "there are no slots", null);
        }
        try {
            Method swap = type(swaps, SWAPS).getMethod("swap", String.class, String.class, String.class, String.class);
            Object report = call(swap, swaps, slot, instance, who, why);
            return new Swapped(
                    slot,
                    String.valueOf(member(report, "from")),
                    instance,
                    number(member(report, "inFlight")),
                    number(member(report, "cut")),
                    number(member(report, "longestPauseMicros")));
        } catch (InvocationTargetException e) {
            throw rebuilt(e.getCause() == null ? e : e.getCause());
        } catch (ReflectiveOperationException e) {
            throw failed("swap.unknown-slot", "the slots cannot be asked: " + e, e);
        } finally {
            context.ungetService(references.get(0));
        }
    }

    /** Without the exception itself: it may be of a class that goes. */
    private static LauncherException rebuilt(Throwable thrown) {
        String code = "plugin.failed";
        try {
            if (member(thrown, "code") instanceof String said) {
                code = said;
            }
        } catch (ReflectiveOperationException e) {
            LOG.error("A swap failed", thrown);
        }
        String said = thrown.getMessage();
        return failed(code, said == null ? "it threw " + thrown.getClass().getSimpleName() : said, null);
    }

    private static long number(@Nullable Object value) {
        return value instanceof Number number ? number.longValue() : 0;
    }

    private static Class<?> type(Object service, String name) throws ClassNotFoundException {
        return Class.forName(name, false, service.getClass().getClassLoader());
    }

    private static @Nullable Object call(Method method, Object target, Object... arguments)
            throws ReflectiveOperationException {
        return method.invoke(target, arguments);
    }

    private static @Nullable Object member(@Nullable Object record, String name) throws ReflectiveOperationException {
        return record == null ? null : record.getClass().getMethod(name).invoke(record);
    }

    private List<ServiceReference<?>> all(String type) {
        try {
            ServiceReference<?>[] found = context.getAllServiceReferences(type, null);
            // Nothing is hidden from the framework's own context, so whoever asks with it has to look who answers.
            return found == null
                    ? List.of()
                    : Arrays.stream(found)
                            .filter(reference ->
                                    reference.getBundle() != null && !fence.isPlugin(reference.getBundle()))
                            .toList();
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- waiting ----

    /** Whether it became true in time. */
    static boolean within(Duration limit, BooleanSupplier condition) {
        return within(limit, () -> condition.getAsBoolean() ? Boolean.TRUE : null) != null;
    }

    /** What the supplier gave in time; null if it gave nothing. */
    static <T> @Nullable T within(Duration limit, Supplier<@Nullable T> supplier) {
        long end = System.nanoTime() + limit.toNanos();
        T value = supplier.get();
        while (value == null && System.nanoTime() < end) {
            java.util.concurrent.locks.LockSupport.parkNanos(POLL_NANOS);
            if (Thread.currentThread().isInterrupted()) {
                return supplier.get();
            }
            value = supplier.get();
        }
        return value;
    }

    private static LauncherException failed(String code, String why, @Nullable Throwable cause) {
        return new LauncherException(
                code,
                "Nothing was changed.",
                why.endsWith(".") ? why : why + ".",
                "./parley logs tells more; ask whoever made the plugin.",
                cause);
    }
}
