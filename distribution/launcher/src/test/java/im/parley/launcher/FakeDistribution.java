package im.parley.launcher;

import im.parley.launcher.assemble.SealDistribution;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/** A sealed distribution of two bundles, one class path jar and one feature. */
final class FakeDistribution {
    static final String BUNDLE = "bundles/part-1.jar";

    private FakeDistribution() {}

    static Path in(Path home) throws IOException {
        for (String directory : new String[] {"lib", "bundles", "features"}) {
            Files.createDirectories(home.resolve(directory));
        }
        jar(home.resolve("lib/plain-1.jar"), "");
        jar(home.resolve(BUNDLE), "x.part");
        jar(home.resolve("bundles/other-2.jar"), "x.other");
        feature(home, "base", "{\"id\":\"g:part:1\",\"start-level\":20},{\"id\":\"g:other:2\",\"start-level\":30}");
        feature(home, "personal", "{\"id\":\"g:part:1\",\"start-level\":20}");
        feature(home, "infrastructure", "");
        SealDistribution.seal(home, "1.2.3");
        return home;
    }

    static void feature(Path home, String name, String bundles) throws IOException {
        Files.writeString(
                home.resolve("features/" + name + ".json"),
                "{\"feature-resource-version\":\"1.0\",\"id\":\"g:" + name + ":1\",\"bundles\":[" + bundles
                        + "],\"configurations\":{}}");
    }

    static void jar(Path file, String symbolicName) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        if (!symbolicName.isEmpty()) {
            manifest.getMainAttributes().putValue("Bundle-ManifestVersion", "2");
            manifest.getMainAttributes().putValue("Bundle-SymbolicName", symbolicName + ";singleton:=true");
            manifest.getMainAttributes().putValue("Bundle-Version", "1.0.0");
        }
        try (OutputStream out = Files.newOutputStream(file);
                JarOutputStream jar = new JarOutputStream(out, manifest)) {
            jar.finish();
        }
    }

    /** Changes one byte in the middle. */
    static void flip(Path file) throws IOException {
        byte[] content = Files.readAllBytes(file);
        content[content.length / 2] ^= 1;
        Files.write(file, content);
    }
}
