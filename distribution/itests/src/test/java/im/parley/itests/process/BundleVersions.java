package im.parley.itests.process;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarInputStream;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.ServiceReference;

/**
 * New versions of a provider's bundle for a node that runs in this process: the distribution's own jar under another
 * version, installed beside the old one with an instance that is configured for it alone.
 */
final class BundleVersions {
    private static final String CONFIGURATION_ADMIN = "org.osgi.service.cm.ConfigurationAdmin";

    private final BundleContext context;
    private final String symbolicName;
    private final String pid;
    private final Path folder;
    private final List<Bundle> installed = new ArrayList<>();
    private int number;

    BundleVersions(BundleContext context, String symbolicName, String pid, Path folder) {
        this.context = context;
        this.symbolicName = symbolicName;
        this.pid = pid;
        this.folder = folder;
        for (Bundle bundle : context.getBundles()) {
            if (bundle.getSymbolicName().equals(symbolicName)) {
                installed.add(bundle);
            }
        }
    }

    /** Installs and starts one more version; answers its instance. */
    String install() throws Exception {
        number++;
        Path jar = folder.resolve(symbolicName + "-" + number + ".jar");
        rewrite(Path.of(java.net.URI.create(installed.get(0).getLocation().replaceFirst("^reference:", ""))), jar);
        Bundle bundle = context.installBundle(jar.toUri().toString());
        configure(context, pid, "v" + number, bundle.getLocation(), new Hashtable<>());
        bundle.start();
        installed.add(bundle);
        return pid + "~v" + number;
    }

    /** Uninstalls all but the newest; the first, which later ones are made from, stays as it is on disk. */
    void uninstallOlder() throws BundleException {
        while (installed.size() > 1 && installed.get(0).getState() == Bundle.UNINSTALLED) {
            installed.remove(0);
        }
        for (Bundle bundle : installed.subList(0, installed.size() - 1)) {
            if (bundle.getState() != Bundle.UNINSTALLED) {
                bundle.uninstall();
            }
        }
    }

    private void rewrite(Path original, Path target) throws IOException {
        try (JarInputStream in = new JarInputStream(Files.newInputStream(original))) {
            Manifest manifest = in.getManifest();
            Attributes main = manifest.getMainAttributes();
            main.putValue("Bundle-Version", "0.1.1.v" + number);
            try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(target), manifest)) {
                for (JarEntry entry = in.getNextJarEntry(); entry != null; entry = in.getNextJarEntry()) {
                    out.putNextEntry(new JarEntry(entry.getName()));
                    in.transferTo(out);
                    out.closeEntry();
                }
            }
        }
    }

    /** By name, because this class shares no classes with the bundles of the node. */
    static void configure(
            BundleContext context, String pid, String name, String location, Dictionary<String, Object> properties)
            throws Exception {
        ServiceReference<?> reference = context.getAllServiceReferences(CONFIGURATION_ADMIN, null)[0];
        Object admin = context.getService(reference);
        Class<?> type = admin.getClass().getClassLoader().loadClass(CONFIGURATION_ADMIN);
        Method factory = type.getMethod("getFactoryConfiguration", String.class, String.class, String.class);
        Object configuration = factory.invoke(admin, pid, name, location);
        factory.getReturnType().getMethod("update", Dictionary.class).invoke(configuration, properties);
        context.ungetService(reference);
    }
}
