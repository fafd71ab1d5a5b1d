package im.parley.slot.internal;

import im.parley.slot.Swaps.Leftover;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.ServiceReference;

/**
 * The class loaders of objects that slots have closed, weakly. After its bundle was uninstalled a loader has to go; one
 * that does not is named with what is known to hold it. Thread-safe.
 */
final class Loaders {
    private static final int COLLECTIONS = 3;
    private static final int MAX_WATCHED = 1_000;

    private record Retired(
            String bundle, String instance, WeakReference<Bundle> installed, WeakReference<ClassLoader> loader) {
        /** Whether its bundle is gone, so that the loader should be as well. */
        boolean uninstalled() {
            Bundle bundle = installed.get();
            return bundle == null || bundle.getState() == Bundle.UNINSTALLED;
        }
    }

    private final List<Retired> retired = new ArrayList<>();

    void retired(String instance, @Nullable Bundle bundle, Object object) {
        ClassLoader loader = object.getClass().getClassLoader();
        if (bundle == null || loader == null) {
            return;
        }
        synchronized (retired) {
            retired.removeIf(
                    each -> each.loader().get() == null || each.loader().get() == loader);
            if (retired.size() < MAX_WATCHED) {
                retired.add(new Retired(
                        bundle.getSymbolicName() + " " + bundle.getVersion() + " (" + bundle.getBundleId() + ")",
                        instance,
                        new WeakReference<>(bundle),
                        new WeakReference<>(loader)));
            }
        }
    }

    /** Of uninstalled bundles, those that a full collection does not free. */
    List<Leftover> leftovers() {
        List<Retired> left = left();
        for (int i = 0; i < COLLECTIONS && !left.isEmpty(); i++) {
            System.gc();
            left = left();
        }
        return left.stream()
                .map(each -> new Leftover(each.bundle(), each.instance(), holders(each)))
                .toList();
    }

    private List<Retired> left() {
        synchronized (retired) {
            for (Iterator<Retired> each = retired.iterator(); each.hasNext(); ) {
                if (each.next().loader().get() == null) {
                    each.remove();
                }
            }
            return retired.stream().filter(Retired::uninstalled).toList();
        }
    }

    private static List<String> holders(Retired left) {
        List<String> holders = new ArrayList<>();
        ClassLoader loader = left.loader().get();
        if (loader == null) {
            return holders;
        }
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getContextClassLoader() == loader) {
                holders.add("thread " + thread.getName() + " has it as its context class loader");
            }
            if (thread.getClass().getClassLoader() == loader) {
                holders.add("thread " + thread.getName() + " is of one of its classes");
            }
        }
        Bundle bundle = left.installed().get();
        ServiceReference<?>[] used = bundle == null ? null : bundle.getServicesInUse();
        if (used != null) {
            for (ServiceReference<?> service : used) {
                holders.add("it still uses " + service);
            }
        }
        return holders;
    }
}
