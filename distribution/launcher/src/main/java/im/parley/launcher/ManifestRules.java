package im.parley.launcher;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What a plugin's manifest and the places of its classes may say: nothing that puts it into another bundle, takes over
 * another's packages or capabilities, or reaches what is none of the plugin API. Source: OSGi Core R8, chapters 3 and 8.
 *
 * <p>A new version of one of Parley's own parts, which only a publisher with that prefix can sign, may import the packages
 * of the others and brings classes of its own name.
 */
final class ManifestRules {
    private static final String HOUSE = "im.parley";
    private static final String API = "im.parley.api";

    /** Each with what there is instead. */
    private static final Map<String, String> DENIED = Map.of(
            "Fragment-Host", "it would become part of another bundle",
            "DynamicImport-Package", "what it imports has to be known before it is installed",
            "Require-Bundle", "it imports packages, never another bundle",
            "Bundle-Activator", "Declarative Services start it, when it is needed",
            "ExtensionBundle-Activator", "it would become part of the framework",
            "Provide-Package", "that is OSGi before version 4");

    /** Hooks and doors of the framework that change what others see. */
    private static final Set<String> FRAMEWORK_DOORS = Set.of(
            "org.osgi.framework.hooks",
            "org.osgi.framework.connect",
            "org.osgi.framework.launch",
            "org.osgi.service.condpermadmin",
            "org.osgi.service.permissionadmin",
            "org.osgi.service.url",
            "org.apache.felix");

    private static final Pattern SYMBOLIC_NAME = Pattern.compile("[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)+");
    private static final String VERSIONS = "META-INF/versions/";
    private static final String VERSIONED_MANIFEST = "/OSGI-INF/MANIFEST.MF";
    private static final Pattern MACHINE_CODE = Pattern.compile("(?i)[^/]*\\.(so(\\.[0-9.]+)?|dll|dylib|jnilib)");

    private ManifestRules() {}

    /** The symbolic name, if the manifest may be a plugin's. */
    static String check(Map<String, String> manifest, Capabilities capabilities) throws LauncherException {
        for (Map.Entry<String, String> denied : DENIED.entrySet()) {
            if (manifest.containsKey(denied.getKey())) {
                throw PluginRefusals.manifest("A plugin has no " + denied.getKey() + ": " + denied.getValue());
            }
        }
        if (!"2".equals(manifest.get("Bundle-ManifestVersion"))) {
            throw PluginRefusals.manifest("It is no OSGi bundle of Bundle-ManifestVersion 2");
        }
        String bsn = symbolicName(manifest);
        for (HeaderClause clause : clauses(manifest, "Import-Package")) {
            for (String path : clause.paths()) {
                refuseImport(path, bsn);
            }
        }
        for (HeaderClause clause : clauses(manifest, "Export-Package")) {
            for (String path : clause.paths()) {
                if (!within(path, bsn)) {
                    throw PluginRefusals.manifest(
                            "It exports " + path + "; a plugin exports packages that begin with its"
                                    + " symbolic name, or what others import could become its own");
                }
            }
        }
        refuseCapabilities(manifest, bsn);
        if (manifest.containsKey("Bundle-NativeCode") && !capabilities.nativeCode()) {
            throw PluginRefusals.manifest("It brings machine code and does not declare that with Parley-Native: yes");
        }
        return bsn;
    }

    private static List<HeaderClause> clauses(Map<String, String> manifest, String header) throws LauncherException {
        return HeaderClause.parse(header, manifest.getOrDefault(header, ""));
    }

    private static String symbolicName(Map<String, String> manifest) throws LauncherException {
        List<HeaderClause> clauses = clauses(manifest, "Bundle-SymbolicName");
        if (clauses.size() != 1 || clauses.get(0).paths().size() != 1) {
            throw PluginRefusals.manifest("It has no Bundle-SymbolicName, or several");
        }
        String bsn = clauses.get(0).paths().get(0);
        if (bsn.length() > 200 || !SYMBOLIC_NAME.matcher(bsn).matches()) {
            throw PluginRefusals.manifest(
                    "Its Bundle-SymbolicName is no name of two or more parts, as com.example.plugin is");
        }
        return bsn;
    }

    private static void refuseImport(String name, String bsn) throws LauncherException {
        if (within(name, HOUSE) && !within(name, API) && !within(bsn, HOUSE)) {
            throw PluginRefusals.manifest(
                    "It imports " + name + "; of Parley it may import " + API + " and what lies below");
        }
        for (String door : FRAMEWORK_DOORS) {
            if (within(name, door)) {
                throw PluginRefusals.manifest("It imports " + name + ", with which it would change what others see");
            }
        }
    }

    /** Else it could pose as the extender that starts components, or as a package, bundle or host. */
    private static void refuseCapabilities(Map<String, String> manifest, String bsn) throws LauncherException {
        for (HeaderClause clause : clauses(manifest, "Provide-Capability")) {
            for (String namespace : clause.paths()) {
                if (!namespace.equals("osgi.service") && !within(namespace, bsn)) {
                    throw PluginRefusals.manifest("It provides the capability " + namespace
                            + "; a plugin provides osgi.service and what begins with its symbolic name");
                }
            }
        }
        for (String namespace : manifest.getOrDefault("Require-Capability", "").split("[,;]", -1)) {
            if (namespace.strip().startsWith("osgi.wiring.")) {
                throw PluginRefusals.manifest(
                        "It requires " + namespace.strip() + " as a capability, which is no import");
            }
        }
    }

    /** What lies in the file, or in a jar on its class path. */
    static void checkNames(List<String> names, String bsn, Capabilities capabilities) throws LauncherException {
        String own = within(bsn, HOUSE) ? bsn.replace('.', '/') + "/" : "";
        for (String name : names) {
            if (name.regionMatches(true, 0, VERSIONS, 0, VERSIONS.length())
                    && name.regionMatches(
                            true,
                            name.length() - VERSIONED_MANIFEST.length(),
                            VERSIONED_MANIFEST,
                            0,
                            VERSIONED_MANIFEST.length())) {
                throw PluginRefusals.manifest("It has a second manifest for other versions of Java, " + name);
            }
            boolean itsOwn = !own.isEmpty() && name.startsWith(own);
            if (name.endsWith(".class") && ("/" + name).contains("/im/parley/") && !itsOwn) {
                throw PluginRefusals.manifest("It brings a class of Parley's own packages, " + name);
            }
            String last = name.substring(name.lastIndexOf('/') + 1);
            if (!capabilities.nativeCode() && MACHINE_CODE.matcher(last).matches()) {
                throw PluginRefusals.manifest(
                        "It brings machine code, " + name + ", and does not declare that with Parley-Native: yes");
            }
        }
    }

    /** {@code com.acme} holds {@code com.acme.x}, not {@code com.acmeevil}. */
    static boolean within(String name, String prefix) {
        return name.equals(prefix) || name.startsWith(prefix + ".");
    }
}
