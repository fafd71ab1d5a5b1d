package im.parley.slot.internal;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/**
 * Which hosts a provider's bundle may reach. What is a plugin, and what it declared, the launcher's fence knows; it is asked
 * as a {@code Function}, because bundles share no classes with the launcher. Where there is no fence, in the framework of
 * another host, the manifest has the word, and a bundle without the header is a part of the platform.
 */
final class DeclaredHosts {
    private static final String HEADER = "Parley-Hosts";
    private static final String FENCE = "(parley.fence=node)";

    private DeclaredHosts() {}

    /** Null for a part of the platform, and outside a framework. */
    static @Nullable Set<String> of(@Nullable Bundle owner) {
        Bundle own = FrameworkUtil.getBundle(DeclaredHosts.class);
        if (owner == null || own == null) {
            return null;
        }
        return of(owner, own.getBundleContext());
    }

    static @Nullable Set<String> of(Bundle owner, @Nullable BundleContext context) {
        if (context == null) {
            // This bundle is stopping: nothing is opened any more.
            return Set.of();
        }
        ServiceReference<Function<Map<String, Object>, Map<String, Object>>> reference = fence(context);
        Function<Map<String, Object>, Map<String, Object>> fence =
                reference == null ? null : context.getService(reference);
        if (reference == null || fence == null) {
            String header = owner.getHeaders("").get(HEADER);
            return header == null ? null : names(List.of(header.split(",", -1)));
        }
        try {
            Map<String, Object> answer = fence.apply(Map.of("op", "hosts", "bundle", owner));
            if (Boolean.FALSE.equals(answer.get("plugin"))) {
                return null;
            }
            return answer.get("hosts") instanceof Collection<?> hosts ? names(hosts) : Set.of();
        } finally {
            context.ungetService(reference);
        }
    }

    private static Set<String> names(Collection<?> texts) {
        Set<String> names = new LinkedHashSet<>();
        for (Object text : texts) {
            String name = String.valueOf(text).strip();
            if (!name.isEmpty()) {
                names.add(name);
            }
        }
        return names;
    }

    @SuppressWarnings("unchecked")
    private static @Nullable ServiceReference<Function<Map<String, Object>, Map<String, Object>>> fence(
            BundleContext context) {
        try {
            Collection<? extends ServiceReference<?>> found = context.getServiceReferences(Function.class, FENCE);
            return found.isEmpty()
                    ? null
                    : (ServiceReference<Function<Map<String, Object>, Map<String, Object>>>)
                            found.iterator().next();
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
