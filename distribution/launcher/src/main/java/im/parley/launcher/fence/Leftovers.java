package im.parley.launcher.fence;

import java.lang.management.ManagementFactory;
import java.net.Authenticator;
import java.net.CookieHandler;
import java.net.ProxySelector;
import java.net.ResponseCache;
import java.security.Provider;
import java.security.Security;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleReference;

/**
 * What a stopped plugin left in the process where Java lets anybody put something. What can be taken back is: security
 * providers, MBeans, process-wide defaults. Threads are interrupted. Shutdown hooks, system properties and native code
 * cannot be seen. Thread-safe.
 */
final class Leftovers {
    private static final long JOIN_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private final @Nullable ProxySelector proxies = ProxySelector.getDefault();
    private final @Nullable Authenticator authenticator = Authenticator.getDefault();
    private final @Nullable CookieHandler cookies = CookieHandler.getDefault();
    private final @Nullable ResponseCache responses = ResponseCache.getDefault();
    private final Thread.@Nullable UncaughtExceptionHandler uncaught = Thread.getDefaultUncaughtExceptionHandler();

    /**
     * @param group of the thread that started it, which its threads inherit
     * @return each in a few words; empty is as it should be
     */
    List<String> remove(Bundle bundle, @Nullable ThreadGroup group) {
        List<String> left = new ArrayList<>();
        for (Provider provider : Security.getProviders()) {
            if (isOf(bundle, provider)) {
                Security.removeProvider(provider.getName());
                left.add("left a security provider, which was removed");
            }
        }
        beans(bundle, left);
        defaults(bundle, left);
        threads(bundle, group, left);
        return left;
    }

    private static boolean isOf(Bundle bundle, @Nullable Object object) {
        return object != null && isOf(bundle, object.getClass().getClassLoader());
    }

    private static boolean isOf(Bundle bundle, @Nullable ClassLoader loader) {
        return loader instanceof BundleReference reference && bundle.equals(reference.getBundle());
    }

    private static void beans(Bundle bundle, List<String> left) {
        MBeanServer server = ManagementFactory.getPlatformMBeanServer();
        for (ObjectName name : server.queryNames(null, null)) {
            try {
                if (isOf(bundle, server.getClassLoaderFor(name))) {
                    server.unregisterMBean(name);
                    left.add("left an MBean, which was removed");
                }
            } catch (JMException | RuntimeException e) {
                left.add("left an MBean that could not be removed");
            }
        }
    }

    private void defaults(Bundle bundle, List<String> left) {
        if (isOf(bundle, ProxySelector.getDefault())) {
            ProxySelector.setDefault(proxies);
            left.add("left a default proxy selector, which was replaced");
        }
        if (isOf(bundle, Authenticator.getDefault())) {
            Authenticator.setDefault(authenticator);
            left.add("left a default authenticator, which was replaced");
        }
        if (isOf(bundle, CookieHandler.getDefault())) {
            CookieHandler.setDefault(cookies);
            left.add("left a default cookie handler, which was replaced");
        }
        if (isOf(bundle, ResponseCache.getDefault())) {
            ResponseCache.setDefault(responses);
            left.add("left a default response cache, which was replaced");
        }
        if (isOf(bundle, Thread.getDefaultUncaughtExceptionHandler())) {
            Thread.setDefaultUncaughtExceptionHandler(uncaught);
            left.add("left a default handler of exceptions, which was replaced");
        }
    }

    private static void threads(Bundle bundle, @Nullable ThreadGroup group, List<String> left) {
        Set<Thread> threads = new LinkedHashSet<>();
        for (Map.Entry<Thread, StackTraceElement[]> each :
                Thread.getAllStackTraces().entrySet()) {
            Thread thread = each.getKey();
            if (thread != Thread.currentThread()
                    && (group != null && group.equals(thread.getThreadGroup())
                            || isOf(bundle, thread)
                            || isOf(bundle, thread.getContextClassLoader())
                            || beganIn(bundle, each.getValue()))) {
                threads.add(thread);
            }
        }
        threads.forEach(Thread::interrupt);
        long deadline = System.nanoTime() + JOIN_NANOS;
        for (Thread thread : threads) {
            left.add(
                    ended(thread, deadline)
                            ? "left a thread, which an interrupt ended"
                            : "left a thread that runs on; only the end of the process ends it");
        }
    }

    /** Whether the outermost frame that is not the JDK's is of this bundle: its own thread, not one of ours that calls it. */
    private static boolean beganIn(Bundle bundle, StackTraceElement[] frames) {
        for (int i = frames.length - 1; i >= 0; i--) {
            if (frames[i].getModuleName() == null || !frames[i].getModuleName().startsWith("java.")) {
                String file = frames[i].getClassName().replace('.', '/') + ".class";
                try {
                    return bundle.getEntry(file) != null;
                } catch (IllegalStateException uninstalled) {
                    return false;
                }
            }
        }
        return false;
    }

    private static boolean ended(Thread thread, long deadline) {
        try {
            thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return !thread.isAlive();
    }
}
