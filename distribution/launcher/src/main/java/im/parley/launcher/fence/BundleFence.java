package im.parley.launcher.fence;

import java.util.Collection;
import java.util.Iterator;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.hooks.bundle.EventHook;
import org.osgi.framework.hooks.bundle.FindHook;
import org.osgi.framework.hooks.resolver.ResolverHook;
import org.osgi.framework.hooks.resolver.ResolverHookFactory;
import org.osgi.framework.namespace.PackageNamespace;
import org.osgi.framework.wiring.BundleCapability;
import org.osgi.framework.wiring.BundleRequirement;
import org.osgi.framework.wiring.BundleRevision;

/**
 * A plugin sees no bundle but itself, binds to the plugin API and to public libraries only, and nothing of the platform
 * binds to it. What it installs, or puts in its own place, is never resolved. Thread-safe.
 */
final class BundleFence implements FindHook, EventHook, ResolverHookFactory, ResolverHook {
    private final Fence fence;

    BundleFence(Fence fence) {
        this.fence = fence;
    }

    @Override
    public void find(BundleContext context, Collection<Bundle> bundles) {
        Bundle viewer = context.getBundle();
        if (fence.isPlugin(viewer)) {
            bundles.removeIf(bundle -> !bundle.equals(viewer));
        }
    }

    @Override
    public void event(BundleEvent event, Collection<BundleContext> contexts) {
        Bundle bundle = event.getBundle();
        contexts.removeIf(context -> hides(context, bundle));
        if (event.getType() == BundleEvent.INSTALLED) {
            fence.installed(bundle, event.getOrigin());
        } else if (event.getType() == BundleEvent.UPDATED) {
            fence.updated(bundle);
        } else if (event.getType() == BundleEvent.STOPPED) {
            fence.stopped(bundle);
        }
    }

    private boolean hides(BundleContext context, Bundle bundle) {
        try {
            return fence.isPlugin(context.getBundle()) && !context.getBundle().equals(bundle);
        } catch (IllegalStateException stopped) {
            return true;
        }
    }

    @Override
    public ResolverHook begin(Collection<BundleRevision> triggers) {
        return this;
    }

    @Override
    public void filterResolvable(Collection<BundleRevision> candidates) {
        candidates.removeIf(revision -> fence.isRefused(revision.getBundle()));
    }

    @Override
    public void filterSingletonCollisions(BundleCapability singleton, Collection<BundleCapability> collisions) {
        // A plugin of a platform bundle's name, singleton or not, does not keep that bundle from resolving.
        if (!fence.isPlugin(singleton.getRevision().getBundle())) {
            collisions.removeIf(other -> fence.isPlugin(other.getRevision().getBundle()));
        }
    }

    @Override
    public void filterMatches(BundleRequirement requirement, Collection<BundleCapability> candidates) {
        Bundle requirer = requirement.getRevision().getBundle();
        boolean plugin = fence.isPlugin(requirer);
        for (Iterator<BundleCapability> each = candidates.iterator(); each.hasNext(); ) {
            BundleCapability capability = each.next();
            boolean ofPlugin = fence.isPlugin(capability.getRevision().getBundle());
            if (plugin ? !ofPlugin && !bindable(requirer, capability) : ofPlugin) {
                each.remove();
            }
        }
    }

    private static boolean bindable(Bundle plugin, BundleCapability capability) {
        return switch (capability.getNamespace()) {
            case PackageNamespace.PACKAGE_NAMESPACE ->
                capability.getAttributes().get(PackageNamespace.PACKAGE_NAMESPACE) instanceof String name
                        && Rules.importable(plugin, name);
            // A whole bundle required, or a fragment in one: both get past what it exports.
            case BundleRevision.BUNDLE_NAMESPACE, BundleRevision.HOST_NAMESPACE -> false;
            default -> true;
        };
    }

    @Override
    public void end() {
        // Nothing is kept between two calls.
    }
}
