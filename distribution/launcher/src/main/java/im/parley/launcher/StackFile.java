package im.parley.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What somebody wants a node to run, as a file: JSON, {@code format} 1, and any of {@code plugins}, {@code configurations},
 * {@code slots}. What a file does not mention stays as it is.
 *
 * @param mode what becomes of plugins that it does not name
 * @param plugins those that are wanted; null if the file says nothing of plugins
 * @param configurations PID to the whole override that is wanted, null to take it away
 * @param slots slot name to the instances that are wanted, in order of preference
 */
record StackFile(
        Mode mode,
        @Nullable List<Entry> plugins,
        Map<String, @Nullable Map<String, Object>> configurations,
        Map<String, List<String>> slots) {
    static final int FORMAT = 1;

    private static final int MAX_BYTES = 1024 * 1024;
    private static final Set<String> MEMBERS = Set.of("format", "plugins", "configurations", "slots");
    private static final Set<String> OF_PLUGIN =
            Set.of("file", "signature", "bsn", "version", "sha256", "configurations");

    /**
     * A plugin that is wanted: one in a file, or one that the node has already.
     *
     * @param file of the jar; null if the node has it
     * @param signature of its signature; null for the name of the jar with {@code .sig} behind it
     * @param bsn empty if the file says it
     * @param version empty if any
     * @param sha256 empty if any
     * @param configurations its instances; null for those that it brings itself
     */
    record Entry(
            @Nullable Path file,
            @Nullable Path signature,
            String bsn,
            String version,
            String sha256,
            @Nullable Map<String, Map<String, Object>> configurations) {}

    /** How the plugins in it are meant. */
    enum Mode {
        /** They are all that are wanted. */
        WHOLE,
        /** They come beside those that are there. */
        INSTALL,
        /** They take the place of those of their names. */
        UPGRADE
    }

    /** Nothing but plugins. */
    static StackFile of(Mode mode, List<Entry> plugins) {
        return new StackFile(mode, plugins, Map.of(), Map.of());
    }

    /**
     * Reads one; the names of plugin files in it are relative to its own directory.
     *
     * @throws LauncherException {@code plan.bad-file}
     */
    static StackFile read(Path file) throws LauncherException {
        try {
            byte[] content;
            try (InputStream in = Files.newInputStream(file)) {
                content = in.readNBytes(MAX_BYTES + 1);
            }
            if (content.length > MAX_BYTES) {
                throw new IOException("it has more than " + MAX_BYTES + " bytes");
            }
            return parse(content, file.toAbsolutePath().resolveSibling("."));
        } catch (IOException | RuntimeException e) {
            throw bad(file, e);
        }
    }

    private static LauncherException bad(Path file, Exception e) {
        String why = e instanceof IOException && !(e instanceof java.nio.file.FileSystemException)
                ? String.valueOf(e.getMessage())
                : e.toString();
        return new LauncherException(
                "plan.bad-file",
                "The stack file was not understood.",
                file + ": " + why + ".",
                "./parley stack export FILE writes one to begin with; docs/operations.md says what may stand in it.",
                e);
    }

    static StackFile parse(byte[] json, Path directory) throws IOException {
        Map<String, Object> root = Json.objectWithNulls(json);
        only(root, MEMBERS, "a stack file");
        if (Json.number(root, "format") != FORMAT) {
            throw new IOException("format is not " + FORMAT);
        }
        List<Entry> plugins = null;
        if (root.containsKey("plugins")) {
            plugins = new ArrayList<>();
            for (Map<String, Object> entry : Json.objects(root, "plugins")) {
                plugins.add(plugin(entry, directory));
            }
        }
        Map<String, @Nullable Map<String, Object>> configurations = new TreeMap<>();
        Map<String, Object> written = Json.member(root, "configurations");
        for (String pid : written.keySet()) {
            configurations.put(pid, written.get(pid) == Json.NULL ? null : properties(written, pid));
        }
        Map<String, List<String>> slots = new TreeMap<>();
        Map<String, Object> selected = Json.member(root, "slots");
        for (String slot : selected.keySet()) {
            slots.put(slot, Json.texts(selected, slot));
        }
        return new StackFile(Mode.WHOLE, plugins, configurations, slots);
    }

    private static Entry plugin(Map<String, Object> entry, Path directory) throws IOException {
        only(entry, OF_PLUGIN, "a plugin");
        String file = text(entry, "file");
        String signature = text(entry, "signature");
        String bsn = text(entry, "bsn");
        if (file.isEmpty() && bsn.isEmpty()) {
            throw new IOException("a plugin needs file, or bsn of one that is installed");
        }
        if (file.isEmpty() && !signature.isEmpty()) {
            throw new IOException("a signature belongs to a file");
        }
        Map<String, Map<String, Object>> configurations = null;
        if (entry.containsKey("configurations")) {
            configurations = new LinkedHashMap<>();
            Map<String, Object> written = Json.member(entry, "configurations");
            for (String pid : written.keySet()) {
                configurations.put(pid, properties(written, pid));
            }
        }
        return new Entry(
                file.isEmpty() ? null : directory.resolve(file).normalize(),
                signature.isEmpty() ? null : directory.resolve(signature).normalize(),
                bsn,
                text(entry, "version"),
                text(entry, "sha256"),
                configurations);
    }

    private static String text(Map<String, Object> object, String name) throws IOException {
        return object.containsKey(name) ? Json.text(object, name) : "";
    }

    /** Values are strings, whole numbers, truth values, or lists of strings: all that our configurations use. */
    static Map<String, Object> properties(Map<String, Object> configurations, String pid) throws IOException {
        Map<String, Object> properties = new TreeMap<>();
        for (Map.Entry<String, Object> property :
                Json.member(configurations, pid).entrySet()) {
            Object value = property.getValue();
            boolean known = value instanceof String
                    || value instanceof Long
                    || value instanceof Double
                    || value instanceof Boolean
                    || value instanceof List<?> list && list.stream().allMatch(String.class::isInstance);
            if (!known) {
                throw new IOException(
                        pid + " " + property.getKey() + " is no text, number, truth value or list of texts");
            }
            properties.put(property.getKey(), value);
        }
        return properties;
    }

    private static void only(Map<String, Object> object, Set<String> known, String what) throws IOException {
        for (String name : object.keySet()) {
            if (!known.contains(name)) {
                throw new IOException(what + " has no \"" + name + "\"; it may have "
                        + String.join(", ", new java.util.TreeSet<>(known)));
            }
        }
    }

    /** What a node runs beside its distribution, such that applying it there changes nothing. */
    static byte[] export(Generation generation) {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("format", FORMAT);
        root.put("plugins", generation.plugins().stream().map(Generation::entry).toList());
        root.put("configurations", new TreeMap<>(generation.overrides()));
        root.put("slots", new TreeMap<>(generation.slots()));
        return Json.pretty(root);
    }
}
