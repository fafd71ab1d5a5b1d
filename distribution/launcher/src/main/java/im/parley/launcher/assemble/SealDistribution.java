package im.parley.launcher.assemble;

import im.parley.launcher.DistributionLock;
import im.parley.launcher.Feature;
import im.parley.launcher.Hashes;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarInputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;

/**
 * Writes {@code distribution.lock} for an assembled directory with {@code lib/}, {@code bundles/} and {@code features/}.
 * Refuses a feature that names a bundle which is not there, a bundle that no feature names, and two start levels for one
 * bundle. Equal directories give equal locks.
 */
public final class SealDistribution {
    private SealDistribution() {}

    /** @param arguments directory and version */
    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 2) {
            throw new IllegalArgumentException("usage: SealDistribution DIRECTORY VERSION");
        }
        seal(Path.of(arguments[0]), arguments[1]);
    }

    public static void seal(Path directory, String version) throws IOException {
        Map<String, Integer> levels = new TreeMap<>();
        Map<String, String> features = new TreeMap<>();
        for (Path file : files(directory.resolve("features"))) {
            byte[] content = Files.readAllBytes(file);
            features.put("features/" + file.getFileName(), Hashes.sha256(content));
            for (Feature.Entry bundle : Feature.parse(content).bundles()) {
                Integer other = levels.put(bundle.id(), bundle.startLevel());
                if (other != null && other != bundle.startLevel()) {
                    throw new IOException(bundle.id() + " has two start levels in the features");
                }
            }
        }
        Map<String, String> idByFile = new HashMap<>();
        levels.keySet().forEach(id -> idByFile.put(fileName(id), id));

        List<DistributionLock.Jar> jars = new ArrayList<>();
        for (Path file : files(directory.resolve("bundles"))) {
            String name = String.valueOf(file.getFileName());
            String id = idByFile.remove(name);
            if (id == null) {
                throw new IOException("no feature names bundles/" + name);
            }
            jars.add(jar(file, "bundles/" + name, id, levels.getOrDefault(id, 1)));
        }
        if (!idByFile.isEmpty()) {
            throw new IOException("features name bundles that are not there: " + idByFile.values());
        }
        for (Path file : files(directory.resolve("lib"))) {
            jars.add(jar(file, "lib/" + file.getFileName(), "", 0));
        }
        Files.write(directory.resolve(DistributionLock.FILE), DistributionLock.write(version, jars, features));
    }

    private static String fileName(String id) {
        int artifact = id.indexOf(':') + 1;
        return id.substring(artifact).replace(':', '-') + ".jar";
    }

    private static List<Path> files(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.sorted().toList();
        }
    }

    private static DistributionLock.Jar jar(Path file, String name, String id, int level) throws IOException {
        byte[] content = Files.readAllBytes(file);
        String bsn = "";
        String version = "";
        try (JarInputStream jar = new JarInputStream(new ByteArrayInputStream(content))) {
            Manifest manifest = jar.getManifest();
            if (manifest != null) {
                String symbolic = manifest.getMainAttributes().getValue("Bundle-SymbolicName");
                String written = manifest.getMainAttributes().getValue("Bundle-Version");
                bsn = symbolic == null ? "" : parameterless(symbolic);
                version = written == null ? "" : written.strip();
            }
        }
        if (bsn.isEmpty()) {
            if (level > 0) {
                throw new IOException(name + " is no bundle");
            }
            bsn = String.valueOf(file.getFileName());
        }
        return new DistributionLock.Jar(id, bsn, version, Hashes.sha256(content), name, level);
    }

    private static String parameterless(String header) {
        int semicolon = header.indexOf(';');
        return (semicolon < 0 ? header : header.substring(0, semicolon)).strip();
    }
}
