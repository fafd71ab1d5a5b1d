package im.parley.launcher.fence;

import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.osgi.framework.Bundle;
import org.osgi.framework.ServiceReference;

/** Which names of types and packages a plugin may use, offer, import. By name, for the launcher shares no classes with bundles. */
final class Rules {
    /** Class names of host services the plugin may use, comma-separated. */
    static final String SERVICES = "Parley-Services";

    /** {@code host}, {@code host:port}, {@code *.host} or {@code *}, comma-separated. */
    static final String HOSTS = "Parley-Hosts";

    static final String PROVIDER = "im.parley.api.lifecycle.Provider";
    static final String OBJECT_CLASS = "objectClass";
    private static final String PID = "service.pid";
    private static final String SLOT = "parley.slot";

    private static final String API = "im.parley.api.";
    private static final String HOUSE = "im.parley.";
    private static final String CONTRIBUTION = "im.parley.api.contribution.";

    /** Host services of the plugin API; everything else that a plugin needs is handed to it. */
    private static final Set<String> GRANTABLE = Set.of("im.parley.api.transport.RelayEndpoint");

    /** Seen without being asked for: Declarative Services logs in a component's name. */
    private static final Set<String> LOGGING =
            Set.of("org.osgi.service.log.LogService", "org.osgi.service.log.LoggerFactory");

    /**
     * Declarative Services registers these for a component in the name of its bundle, to show what can be configured, and
     * does without answers. Nobody sees a plugin's: whoever has one is given the configuration of the PID that it names.
     */
    private static final Set<String> OF_COMPONENTS =
            Set.of("org.osgi.service.cm.ManagedService", "org.osgi.service.cm.ManagedServiceFactory");

    /** Whoever registers one of these changes the framework for everybody. */
    private static final List<String> REFUSED_TYPES = List.of(
            "org.osgi.framework.",
            "org.osgi.service.url.",
            "org.osgi.service.cm.",
            "org.osgi.service.component.",
            "org.osgi.service.log.",
            "org.osgi.service.permissionadmin.",
            "org.osgi.service.condpermadmin.",
            "org.osgi.service.packageadmin.",
            "org.osgi.service.startlevel.",
            "org.osgi.service.resolver.",
            "org.apache.felix.",
            "java.net.ContentHandler",
            "java.security.Provider");

    /** The doors to the framework itself. */
    private static final List<String> REFUSED_PACKAGES = List.of(
            "org.osgi.framework.hooks",
            "org.osgi.framework.launch",
            "org.osgi.framework.startlevel",
            "org.osgi.framework.connect",
            "org.osgi.service.url",
            "org.osgi.service.cm",
            "org.osgi.service.component.runtime",
            "org.osgi.service.permissionadmin",
            "org.osgi.service.condpermadmin",
            "org.osgi.service.packageadmin",
            "org.osgi.service.startlevel",
            "org.osgi.service.resolver",
            "org.apache.felix");

    private Rules() {}

    static Set<String> types(ServiceReference<?> service) {
        return service.getProperty(OBJECT_CLASS) instanceof String[] types
                ? new LinkedHashSet<>(Arrays.asList(types))
                : Set.of();
    }

    static Set<String> declared(Bundle bundle, String header) {
        String text = bundle.getHeaders("").get(header);
        Set<String> declared = new LinkedHashSet<>();
        if (text != null) {
            for (String each : text.split(",", -1)) {
                if (!each.isBlank()) {
                    declared.add(each.strip());
                }
            }
        }
        return declared;
    }

    /** Whether a service of ours that has these types is one that the plugin may use. */
    static boolean granted(Bundle plugin, Set<String> types) {
        Set<String> declared = declared(plugin, SERVICES);
        return types.stream()
                .anyMatch(type -> LOGGING.contains(type)
                        || declared.contains(type) && (GRANTABLE.contains(type) || ofTheHouse(plugin)));
    }

    /**
     * A new version of one of our own parts. The name can be trusted where signatures are checked: that prefix belongs to
     * the publisher of this distribution.
     */
    static boolean ofTheHouse(Bundle plugin) {
        String name = plugin.getSymbolicName();
        return name != null && name.startsWith(HOUSE);
    }

    static boolean refused(String type) {
        return !OF_COMPONENTS.contains(type) && REFUSED_TYPES.stream().anyMatch(type::startsWith);
    }

    /** What plugins are there to register. */
    static boolean offerable(String type) {
        return type.equals(PROVIDER) || type.startsWith(CONTRIBUTION);
    }

    static boolean ofComponents(String type) {
        return OF_COMPONENTS.contains(type);
    }

    static boolean ofThePlatform(String type) {
        return type.startsWith(HOUSE);
    }

    /** An instance belongs to the bundle that its PID is named after. */
    static boolean instanceOfItsOwn(Bundle plugin, ServiceReference<?> service) {
        if (service.getProperty(SLOT) == null) {
            return true;
        }
        return service.getProperty(PID) instanceof String pid
                && (pid.split("~", 2)[0] + ".").startsWith(plugin.getSymbolicName() + ".");
    }

    static boolean importable(Bundle plugin, String packageName) {
        if (REFUSED_PACKAGES.stream()
                .anyMatch(door -> packageName.equals(door) || packageName.startsWith(door + "."))) {
            return false;
        }
        return !packageName.startsWith(HOUSE) || (packageName + ".").startsWith(API) || ofTheHouse(plugin);
    }
}
