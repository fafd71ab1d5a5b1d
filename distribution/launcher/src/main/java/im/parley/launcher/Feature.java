package im.parley.launcher;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One capability as an OSGi Feature file: which bundles, at which start level, with which configurations.
 *
 * @param bundles {@code group:artifact:version} and start level, in the file's order
 * @param configurations PID to properties, as written
 */
public record Feature(List<Entry> bundles, Map<String, Map<String, Object>> configurations) {
    private static final String VERSION = "1.0";

    public Feature {
        bundles = List.copyOf(bundles);
        configurations = Map.copyOf(configurations);
    }

    /** A bundle of a feature. */
    public record Entry(String id, int startLevel) {}

    /**
     * Reads a feature file.
     *
     * @throws IOException with a sentence, if it is no feature of the only version known
     */
    public static Feature parse(byte[] json) throws IOException {
        Map<String, Object> root = Json.object(json);
        if (!VERSION.equals(Json.text(root, "feature-resource-version"))) {
            throw new IOException("feature-resource-version is not " + VERSION);
        }
        List<Entry> bundles = new ArrayList<>();
        for (Map<String, Object> bundle : Json.objects(root, "bundles")) {
            long level = Json.number(bundle, "start-level");
            if (level < 1 || level > Container.LAST_START_LEVEL) {
                throw new IOException("start-level " + level + " is outside 1 to " + Container.LAST_START_LEVEL);
            }
            bundles.add(new Entry(Json.text(bundle, "id"), (int) level));
        }
        Map<String, Map<String, Object>> configurations = new LinkedHashMap<>();
        Map<String, Object> written = Json.member(root, "configurations");
        for (String pid : written.keySet()) {
            configurations.put(pid, Json.member(written, pid));
        }
        return new Feature(bundles, configurations);
    }
}
