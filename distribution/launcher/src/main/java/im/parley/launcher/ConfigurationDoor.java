package im.parley.launcher;

import java.lang.reflect.Method;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/**
 * Configuration Admin from outside. Its classes belong to its bundle, which the class path must not know, so it is called
 * through its public interfaces by name.
 */
final class ConfigurationDoor {
    private static final String SERVICE = "org.osgi.service.cm.ConfigurationAdmin";
    private static final String ANY_BUNDLE = "?";

    private ConfigurationDoor() {}

    /**
     * Sets each configuration; a PID with {@code ~} is an instance of a factory. An instance is bound to the bundle that
     * it is for, so that another version of that bundle, installed beside it, does not make the same instance a second
     * time.
     *
     * @param locations of those bundles by PID; an instance that is not in it is for any bundle
     */
    static void apply(
            BundleContext context, Map<String, String> locations, Map<String, Map<String, Object>> configurations)
            throws LauncherException {
        if (reference(context) == null) {
            throw absent();
        }
        for (Map.Entry<String, Map<String, Object>> entry : configurations.entrySet()) {
            String location = locations.get(entry.getKey());
            put(context, entry.getKey(), location == null ? ANY_BUNDLE : location, entry.getValue());
        }
    }

    /**
     * Sets one configuration.
     *
     * @param location of the bundle that an instance is for; not looked at for a PID without {@code ~}
     */
    static void put(BundleContext context, String pid, String location, Map<String, Object> values)
            throws LauncherException {
        act(
                context,
                pid,
                location,
                (type, configuration) ->
                        type.getMethod("update", Dictionary.class).invoke(configuration, properties(values)));
    }

    /** Takes one away. */
    static void remove(BundleContext context, String pid, String location) throws LauncherException {
        act(
                context,
                pid,
                location,
                (type, configuration) -> type.getMethod("delete").invoke(configuration));
    }

    private interface Act {
        void on(Class<?> type, Object configuration) throws ReflectiveOperationException;
    }

    private static void act(BundleContext context, String pid, String location, Act act) throws LauncherException {
        ServiceReference<?> reference = reference(context);
        Object admin = reference == null ? null : context.getService(reference);
        if (reference == null || admin == null) {
            throw absent();
        }
        try {
            Class<?> type = admin.getClass().getClassLoader().loadClass(SERVICE);
            Method single = type.getMethod("getConfiguration", String.class, String.class);
            Method factory = type.getMethod("getFactoryConfiguration", String.class, String.class, String.class);
            int tilde = pid.indexOf('~');
            Object configuration = tilde < 0
                    ? single.invoke(admin, pid, ANY_BUNDLE)
                    : factory.invoke(admin, pid.substring(0, tilde), pid.substring(tilde + 1), location);
            act.on(single.getReturnType(), configuration);
        } catch (ReflectiveOperationException | IllegalArgumentException e) {
            throw new LauncherException(
                    "config.invalid",
                    "The node's configuration cannot be applied.",
                    "Configuration Admin refused " + pid + ": " + e + ".",
                    "Correct the feature or the stack generation it comes from.",
                    e);
        } finally {
            context.ungetService(reference);
        }
    }

    private static LauncherException absent() {
        return new LauncherException(
                "bundle.failed",
                "The node did not start.",
                "Configuration Admin is not there.",
                "Look at the log; unpack the distribution again if it was changed.");
    }

    /**
     * All of them, also those whose interface is another class than the one on the class path of a host that has Configuration
     * Admin's API there itself.
     */
    private static @Nullable ServiceReference<?> reference(BundleContext context) {
        try {
            ServiceReference<?>[] all = context.getAllServiceReferences(SERVICE, null);
            return all == null ? null : all[0];
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Dictionary<String, Object> properties(Map<String, Object> values) {
        Dictionary<String, Object> properties = new Hashtable<>();
        values.forEach((key, value) -> properties.put(key, osgi(value)));
        return properties;
    }

    /** Lists become arrays of strings, which is all our configurations use. */
    private static Object osgi(Object value) {
        if (value instanceof List<?> list) {
            return list.stream().map(String::valueOf).toArray(String[]::new);
        }
        return value;
    }
}
