package im.parley.launcher.fence;

import java.lang.reflect.Method;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceEvent;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.framework.hooks.service.EventListenerHook;
import org.osgi.framework.hooks.service.FindHook;
import org.osgi.framework.hooks.service.ListenerHook.ListenerInfo;

/**
 * Which services a plugin sees, and which of its own are seen. A plugin sees its own, logging, and the host services it
 * declared; the platform sees of a plugin's only what plugins are there for. Declarative Services looks up a component's
 * references with the context of the component's bundle, so the same rules hold for them. Thread-safe.
 */
final class ServiceFence implements FindHook, EventListenerHook {
    private static final String CONFIGURATION_ADMIN = "org.osgi.service.cm.ConfigurationAdmin";
    private static final String PROBE = "org.osgi.service.cm.ManagedService";

    private final Fence fence;
    private final Set<String> platformTypes = ConcurrentHashMap.newKeySet();
    private final Set<ServiceReference<?>> probes = ConcurrentHashMap.newKeySet();

    ServiceFence(Fence fence) {
        this.fence = fence;
    }

    @Override
    public void find(
            BundleContext context,
            String name,
            String filter,
            boolean allServices,
            Collection<ServiceReference<?>> references) {
        Bundle viewer = bundleOf(context);
        for (Iterator<ServiceReference<?>> each = references.iterator(); each.hasNext(); ) {
            ServiceReference<?> service = each.next();
            if (!sees(viewer, service) && !isForComponents(service)) {
                each.remove();
            }
        }
    }

    /**
     * Whether Declarative Services looks for Configuration Admin: it does so with the context of each bundle that has
     * components, once, and those get no configuration if it finds none. What counts is whose code asks; a test with the
     * whole node holds that it is still called so.
     */
    private boolean isForComponents(ServiceReference<?> service) {
        Bundle owner = service.getBundle();
        return owner != null
                && !fence.isPlugin(owner)
                && Rules.types(service).contains(CONFIGURATION_ADMIN)
                && fence.asksForComponents();
    }

    @Override
    public void event(ServiceEvent event, Map<BundleContext, Collection<ListenerInfo>> listeners) {
        ServiceReference<?> service = event.getServiceReference();
        // Also before a service leaves: whoever was not told that it came need not hear that it goes.
        for (Iterator<BundleContext> each = listeners.keySet().iterator(); each.hasNext(); ) {
            if (!sees(bundleOf(each.next()), service)) {
                each.remove();
            }
        }
        Bundle owner = service.getBundle();
        if (event.getType() == ServiceEvent.UNREGISTERING) {
            probes.remove(service);
        }
        if (owner == null || event.getType() == ServiceEvent.UNREGISTERING) {
            return;
        }
        if (fence.isPlugin(owner)) {
            judge(owner, service);
        } else {
            platformTypes.addAll(Rules.types(service));
        }
    }

    /** A context that is no longer valid sees what a plugin sees, which is nothing. */
    private static @Nullable Bundle bundleOf(BundleContext context) {
        try {
            return context.getBundle();
        } catch (IllegalStateException stopped) {
            return null;
        }
    }

    private boolean sees(@Nullable Bundle viewer, ServiceReference<?> service) {
        Bundle owner = service.getBundle();
        if (viewer == null || owner == null) {
            return false;
        }
        if (owner.equals(viewer)) {
            return true;
        }
        if (fence.isPlugin(viewer)) {
            return !fence.isPlugin(owner) && Rules.granted(viewer, Rules.types(service));
        }
        return !fence.isPlugin(owner) || probes.contains(service) || offers(owner, service);
    }

    /** Nothing but what plugins are there for, of the types that the platform has a use for. */
    private boolean offers(Bundle plugin, ServiceReference<?> service) {
        Set<String> types = Rules.types(service);
        return types.stream().anyMatch(Rules::offerable)
                && types.stream().noneMatch(this::pretends)
                && Rules.instanceOfItsOwn(plugin, service);
    }

    private boolean pretends(String type) {
        return !Rules.offerable(type)
                && (Rules.ofThePlatform(type) || Rules.refused(type) || platformTypes.contains(type));
    }

    private void judge(Bundle plugin, ServiceReference<?> service) {
        if (isProbe(plugin, service)) {
            probes.add(service);
            return;
        }
        for (String type : Rules.types(service)) {
            if (Rules.refused(type)) {
                withdraw(service);
                fence.refuse(plugin, "registered " + type + ", which changes the framework for everybody");
                return;
            }
        }
        for (String type : Rules.types(service)) {
            if (pretends(type) && !Rules.ofComponents(type)) {
                fence.denials().add("service.impostor", plugin, "registered " + type + "; nobody sees it");
            }
        }
        if (!Rules.instanceOfItsOwn(plugin, service)) {
            fence.denials()
                    .add(
                            "service.impostor",
                            plugin,
                            "offers a provider under a PID that is not its own; no slot sees it");
        }
    }

    /**
     * Whether Declarative Services registered it in the plugin's name: it learns in this way whether Configuration Admin
     * may see the bundle. What counts is whose object it is; a factory could hand out another one to everybody.
     */
    private boolean isProbe(Bundle plugin, ServiceReference<?> service) {
        BundleContext context = plugin.getBundleContext();
        if (context == null
                || !Rules.types(service).equals(Set.of(PROBE))
                || !Constants.SCOPE_SINGLETON.equals(service.getProperty(Constants.SERVICE_SCOPE))) {
            return false;
        }
        Object object = context.getService(service);
        if (object == null) {
            return false;
        }
        try {
            Bundle maker = FrameworkUtil.getBundle(object.getClass());
            return maker != null && !fence.isPlugin(maker);
        } finally {
            context.ungetService(service);
        }
    }

    /**
     * Takes a hook away before the call that registered it returns. OSGi lets only its owner do that, and an owner that
     * hangs in its start cannot be stopped; so this goes through Felix's own class, and a test holds that it is there.
     */
    private void withdraw(ServiceReference<?> service) {
        try {
            Method method = service.getClass().getDeclaredMethod("getRegistration");
            method.setAccessible(true);
            ((ServiceRegistration<?>) method.invoke(service)).unregister();
        } catch (ReflectiveOperationException | RuntimeException e) {
            fence.denials().failed("A refused service stays until its bundle is stopped", e);
        }
    }
}
