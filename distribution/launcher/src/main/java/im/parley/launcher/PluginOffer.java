package im.parley.launcher;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * What a plugin brings to choose from: its file {@code OSGI-INF/parley/stack.json}, {@code {"format": 1, "configurations":
 * {"PID~name": {…}}}}. Each of these instances is there as soon as the plugin is installed, and fills no slot before
 * somebody selects it. All are instances of the plugin's own components.
 */
final class PluginOffer {
    /** In the jar. */
    static final String FILE = "OSGI-INF/parley/stack.json";

    private static final int MAX_BYTES = 64 * 1024;

    private PluginOffer() {}

    /**
     * Its instances and their properties; empty if the jar has no such file.
     *
     * @throws LauncherException {@code plugin.bad-offer}
     */
    static Map<String, Map<String, Object>> read(byte[] jar, String bsn) throws LauncherException {
        try (ZipInputStream in = new ZipInputStream(new ByteArrayInputStream(jar))) {
            for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                if (entry.getName().equals(FILE)) {
                    byte[] content = in.readNBytes(MAX_BYTES + 1);
                    if (content.length > MAX_BYTES) {
                        throw new IOException("it has more than " + MAX_BYTES + " bytes");
                    }
                    return parse(content, bsn);
                }
            }
            return Map.of();
        } catch (IOException | RuntimeException e) {
            throw new LauncherException(
                    "plugin.bad-offer",
                    "The plugin was refused.",
                    FILE + " in " + bsn + ": " + e.getMessage() + ".",
                    "Its author has to build it anew; docs/plugins.md says what that file may hold.",
                    e);
        }
    }

    private static Map<String, Map<String, Object>> parse(byte[] json, String bsn) throws IOException {
        Map<String, Object> root = Json.object(json);
        for (String name : root.keySet()) {
            if (!name.equals("format") && !name.equals("configurations")) {
                throw new IOException("it has no \"" + name + "\"");
            }
        }
        if (Json.number(root, "format") != 1) {
            throw new IOException("format is not 1");
        }
        Map<String, Map<String, Object>> configurations = new TreeMap<>();
        Map<String, Object> written = Json.member(root, "configurations");
        for (String pid : written.keySet()) {
            Map<String, Object> properties = StackFile.properties(written, pid);
            if (pid.indexOf('~') < 0 || !Generation.isNamedAfter(pid, bsn)) {
                throw new IOException(pid + " is no instance of " + bsn + ", whose PIDs begin with its symbolic name");
            }
            String refused = Overrides.refused(pid, properties);
            if (refused.isEmpty() && properties.containsKey(Overrides.DIRECTORY)) {
                refused = Overrides.DIRECTORY + " is set by the node, when it upgrades a plugin";
            }
            if (!refused.isEmpty()) {
                throw new IOException(pid + ": " + refused);
            }
            configurations.put(pid, properties);
        }
        return configurations;
    }
}
