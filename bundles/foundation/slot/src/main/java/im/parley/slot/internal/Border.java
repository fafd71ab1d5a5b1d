package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands between the host and the object of a provider that keeps nothing. Whatever the object throws is rebuilt, so that
 * no exception of a plugin's class crosses, and a provider that fails three times in a minute is reported.
 *
 * <p>A fault is an unchecked exception, an error of the class loader or a {@code ProviderException} of kind INTERNAL. An
 * {@code IllegalArgumentException} is the caller's fault and only rebuilt. Thread-safe.
 */
final class Border implements InvocationHandler {
    static final int FAULTS = 3;
    static final Duration WINDOW = Duration.ofMinutes(1);
    private static final String API = "im.parley.api.";
    private static final Logger LOG = LoggerFactory.getLogger(Border.class);

    /** Who is told. */
    interface Watcher {
        Instant now();

        /**
         * @param last the newest fault, in a few words without secrets
         */
        void faulty(String instance, String last);
    }

    private final Object object;
    private final String instance;
    private final Watcher watcher;
    private final ArrayDeque<Instant> faults = new ArrayDeque<>();

    private Border(Object object, String instance, Watcher watcher) {
        this.object = object;
        this.instance = instance;
        this.watcher = watcher;
    }

    /** The object behind a border that has all of its API interfaces; the object itself if it has none. */
    static Object around(Object object, String instance, Watcher watcher) {
        Set<Class<?>> api = new LinkedHashSet<>();
        for (Class<?> type = object.getClass(); type != null; type = type.getSuperclass()) {
            collect(type, api);
        }
        if (api.isEmpty()) {
            return object;
        }
        // Defined beside the API and naming nothing of the plugin, so the class outlives no plugin.
        return Proxy.newProxyInstance(
                api.iterator().next().getClassLoader(),
                api.toArray(Class<?>[]::new),
                new Border(object, instance, watcher));
    }

    private static void collect(Class<?> type, Set<Class<?>> api) {
        for (Class<?> each : type.getInterfaces()) {
            if (each.getName().startsWith(API)) {
                api.add(each);
            }
            collect(each, api);
        }
    }

    @Override
    public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] arguments) throws Throwable {
        if (method.getDeclaringClass() == Object.class) {
            return switch (method.getName()) {
                case "equals" -> arguments != null && proxy == arguments[0];
                case "hashCode" -> System.identityHashCode(proxy);
                default -> instance;
            };
        }
        try {
            return method.invoke(object, arguments);
        } catch (InvocationTargetException e) {
            Throwable thrown = e.getCause() == null ? e : e.getCause();
            throw rebuilt(method, thrown);
        }
    }

    private Throwable rebuilt(Method method, Throwable thrown) {
        if (thrown instanceof ProviderException expected) {
            if (expected.kind() == Kind.INTERNAL) {
                fault(method, expected.code(), expected);
            }
            return new ProviderException(expected.kind(), expected.code(), expected.getMessage());
        }
        if (thrown instanceof IllegalArgumentException) {
            return new IllegalArgumentException(thrown.getMessage());
        }
        if (thrown instanceof VirtualMachineError && !(thrown instanceof StackOverflowError)) {
            return thrown;
        }
        String type = thrown.getClass().getSimpleName();
        fault(method, type, thrown);
        String text = instance + " failed in " + method.getName() + " with " + type + "; the log has the cause.";
        boolean declared = Arrays.asList(method.getExceptionTypes()).contains(ProviderException.class);
        return declared ? new ProviderException(Kind.INTERNAL, "provider.bug", text) : new IllegalStateException(text);
    }

    private void fault(Method method, String what, Throwable thrown) {
        Instant now = watcher.now();
        boolean tooMany;
        synchronized (faults) {
            faults.add(now);
            while (!faults.isEmpty() && faults.getFirst().isBefore(now.minus(WINDOW))) {
                faults.removeFirst();
            }
            tooMany = faults.size() >= FAULTS;
            if (tooMany) {
                faults.clear();
            }
        }
        LOG.error("{} failed in {}", instance, method.getName(), thrown);
        if (tooMany) {
            watcher.faulty(instance, method.getName() + ": " + what);
        }
    }
}
