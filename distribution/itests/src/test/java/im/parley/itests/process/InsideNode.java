package im.parley.itests.process;

import im.parley.launcher.Parley;
import im.parley.launcher.ParleyConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Hashtable;
import java.util.Map;
import org.osgi.framework.Bundle;

/** The part of {@link EmbeddedNode} that is loaded beside the launcher; reached by reflection with types of the JDK. */
final class InsideNode {
    private final Parley node;
    private final Path jars;
    private final Map<String, BundleVersions> versions = new HashMap<>();

    private InsideNode(Parley node, Path jars) {
        this.node = node;
        this.jars = jars;
    }

    static InsideNode start(Path home, Path base, String feature, int port) throws Exception {
        Parley node = Parley.start(ParleyConfig.builder(home, base.resolve("data"))
                .stateDir(base.resolve("state"))
                .runtimeDir(base.resolve("run"))
                .feature(feature)
                .portBase(port)
                .build());
        return new InsideNode(node, Files.createDirectories(base.resolve("jars")));
    }

    Path socket() {
        return node.controlSocket();
    }

    /** Every bundle that is installed, and its state. */
    String bundles() {
        StringBuilder all = new StringBuilder();
        for (Bundle bundle : node.context().getBundles()) {
            all.append(bundle.getBundleId())
                    .append(' ')
                    .append(bundle.getSymbolicName())
                    .append(' ')
                    .append(bundle.getVersion())
                    .append(' ')
                    .append(bundle.getState())
                    .append('\n');
        }
        return all.toString();
    }

    String install(String symbolicName) throws Exception {
        return of(symbolicName).install();
    }

    void configure(String pid, String name, String key, String values) throws Exception {
        BundleVersions.configure(node.context(), pid, name, "?", new Hashtable<>(Map.of(key, values.split(",", -1))));
    }

    void uninstallOlder(String symbolicName) throws Exception {
        of(symbolicName).uninstallOlder();
    }

    /** Takes all services of a bundle away, and brings them back. */
    void bounce(String symbolicName) throws Exception {
        for (Bundle bundle : node.context().getBundles()) {
            if (bundle.getSymbolicName().equals(symbolicName)) {
                bundle.stop();
                bundle.start();
                return;
            }
        }
        throw new IllegalArgumentException(symbolicName);
    }

    private BundleVersions of(String symbolicName) {
        return versions.computeIfAbsent(symbolicName, name -> new BundleVersions(node.context(), name, name, jars));
    }

    void close() {
        node.close();
    }
}
