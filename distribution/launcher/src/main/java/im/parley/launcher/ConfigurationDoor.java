package im.parley.launcher;

import java.lang.reflect.Method;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/**
 * Configuration Admin from outside. Its classes belong to its bundle, which the class path must not know, so it is called
 * through its public interfaces by name.
 */
final class ConfigurationDoor {
    private static final String SERVICE = "org.osgi.service.cm.ConfigurationAdmin";
    private static final String ANY_BUNDLE = "?";

    private ConfigurationDoor() {}

    /** Sets each configuration; a PID with {@code ~} is an instance of a factory. */
    static void apply(BundleContext context, Map<String, Map<String, Object>> configurations) throws LauncherException {
        ServiceReference<?> reference = context.getServiceReference(SERVICE);
        Object admin = reference == null ? null : context.getService(reference);
        if (reference == null || admin == null) {
            throw new LauncherException(
                    "bundle.failed",
                    "The node did not start.",
                    "Configuration Admin is not there.",
                    "Look at the log; unpack the distribution again if it was changed.");
        }
        try {
            Class<?> type = admin.getClass().getClassLoader().loadClass(SERVICE);
            Method single = type.getMethod("getConfiguration", String.class, String.class);
            Method factory = type.getMethod("getFactoryConfiguration", String.class, String.class, String.class);
            for (Map.Entry<String, Map<String, Object>> entry : configurations.entrySet()) {
                String pid = entry.getKey();
                int tilde = pid.indexOf('~');
                Object configuration = tilde < 0
                        ? single.invoke(admin, pid, ANY_BUNDLE)
                        : factory.invoke(admin, pid.substring(0, tilde), pid.substring(tilde + 1), ANY_BUNDLE);
                single.getReturnType()
                        .getMethod("update", Dictionary.class)
                        .invoke(configuration, properties(entry.getValue()));
            }
        } catch (ReflectiveOperationException | IllegalArgumentException e) {
            throw new LauncherException(
                    "config.invalid",
                    "The node's configuration cannot be applied.",
                    "Configuration Admin refused it: " + e + ".",
                    "Correct the feature or the stack generation it comes from.",
                    e);
        } finally {
            context.ungetService(reference);
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
