package im.parley.launcher;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What runs, whole: the one truth from which framework cache and Configuration Admin are made at every start. Values that
 * belong to one start (data directory, ports) stand in it as placeholders; secrets never do.
 *
 * @param lock hash of the {@code distribution.lock} it was made from
 * @param features names, sorted
 * @param bundles in install order
 * @param configurations PID to properties; without the selection of slots
 * @param slots slot name to provider instances {@code PID~name}, in order of preference
 */
public record Generation(
        String lock,
        List<String> features,
        List<BundleEntry> bundles,
        Map<String, Map<String, Object>> configurations,
        Map<String, List<String>> slots) {
    /** Of the file. */
    public static final int FORMAT = 1;

    static final String SLOT_FACTORY = "im.parley.slot~";
    private static final String SELECT = "select";

    public Generation {
        features = List.copyOf(features);
        bundles = List.copyOf(bundles);
        configurations = Map.copyOf(configurations);
        slots = Map.copyOf(slots);
    }

    /** A jar to install. */
    public record BundleEntry(String bsn, String version, String sha256, int startLevel) {}

    /**
     * Puts features together. A PID may come from several: lists are joined, other values must agree.
     *
     * @throws LauncherException {@code distribution.invalid}
     */
    static Generation of(DistributionLock lock, Map<String, Feature> features) throws LauncherException {
        Map<String, DistributionLock.Jar> byId = new LinkedHashMap<>();
        for (DistributionLock.Jar jar : lock.jars()) {
            if (jar.bundle()) {
                byId.put(jar.id(), jar);
            }
        }
        Map<String, BundleEntry> bundles = new LinkedHashMap<>();
        Map<String, Map<String, Object>> configurations = new TreeMap<>();
        for (Map.Entry<String, Feature> feature : features.entrySet()) {
            for (Feature.Entry bundle : feature.getValue().bundles()) {
                DistributionLock.Jar jar = byId.get(bundle.id());
                if (jar == null) {
                    throw invalid(
                            feature.getKey(), "it names " + bundle.id() + ", which the distribution does not have");
                }
                bundles.putIfAbsent(
                        jar.id(), new BundleEntry(jar.bsn(), jar.version(), jar.sha256(), bundle.startLevel()));
            }
            for (Map.Entry<String, Map<String, Object>> written :
                    feature.getValue().configurations().entrySet()) {
                merge(
                        feature.getKey(),
                        written.getKey(),
                        configurations.computeIfAbsent(written.getKey(), pid -> new TreeMap<>()),
                        written.getValue());
            }
        }
        Map<String, List<String>> slots = new TreeMap<>();
        for (Map.Entry<String, Map<String, Object>> configuration : configurations.entrySet()) {
            if (configuration.getKey().startsWith(SLOT_FACTORY)) {
                Map<String, Object> properties = configuration.getValue();
                try {
                    slots.put(Json.text(properties, "parley.slot"), Json.texts(properties, SELECT));
                } catch (IOException e) {
                    throw invalid(configuration.getKey(), String.valueOf(e.getMessage()));
                }
                properties.remove(SELECT);
            }
        }
        return new Generation(
                lock.hash(),
                features.keySet().stream().sorted().toList(),
                List.copyOf(bundles.values()),
                configurations,
                slots);
    }

    /** The same with another selection for one slot. */
    Generation selecting(String slot, List<String> select) {
        Map<String, List<String>> others = new TreeMap<>(slots);
        others.put(slot, List.copyOf(select));
        return new Generation(lock, features, bundles, configurations, others);
    }

    /**
     * The same with the selections of another generation, where what they select is configured here. So swaps last over a
     * new distribution.
     */
    Generation selectingAs(Generation other) {
        Map<String, List<String>> selected = new TreeMap<>(slots);
        other.slots().forEach((slot, select) -> {
            if (slots.containsKey(slot) && configurations.keySet().containsAll(select)) {
                selected.put(slot, select);
            }
        });
        return new Generation(lock, features, bundles, configurations, selected);
    }

    private static void merge(String feature, String pid, Map<String, Object> known, Map<String, Object> added)
            throws LauncherException {
        for (Map.Entry<String, Object> property : added.entrySet()) {
            Object old = known.get(property.getKey());
            Object value = property.getValue();
            if (old instanceof List<?> first && value instanceof List<?> second) {
                List<Object> joined = new ArrayList<>(first);
                second.stream().filter(item -> !joined.contains(item)).forEach(joined::add);
                value = joined;
            } else if (old != null && !old.equals(value)) {
                throw invalid(feature, pid + " " + property.getKey() + " says something else in another feature");
            }
            known.put(property.getKey(), value);
        }
    }

    private static LauncherException invalid(String where, String why) {
        return new LauncherException(
                "distribution.invalid",
                "The features of this distribution do not fit together.",
                "In " + where + ": " + why + ".",
                "Unpack the distribution again; if it was built here, correct the file under features/.");
    }

    /** The configurations with the slots' selections back in their place. */
    Map<String, Map<String, Object>> complete() {
        Map<String, Map<String, Object>> all = new TreeMap<>();
        configurations.forEach((pid, properties) -> {
            Map<String, Object> copy = new TreeMap<>(properties);
            if (pid.startsWith(SLOT_FACTORY)) {
                List<String> selected = slots.get(String.valueOf(properties.get("parley.slot")));
                copy.put(SELECT, selected == null ? List.of() : selected);
            }
            all.put(pid, copy);
        });
        return all;
    }

    byte[] toJson() {
        List<Map<String, Object>> bundleList = new ArrayList<>();
        for (BundleEntry bundle : bundles) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("bsn", bundle.bsn());
            entry.put("version", bundle.version());
            entry.put("sha256", bundle.sha256());
            entry.put("startLevel", bundle.startLevel());
            bundleList.add(entry);
        }
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("format", FORMAT);
        root.put("lock", lock);
        root.put("features", features);
        root.put("bundles", bundleList);
        root.put("configurations", new TreeMap<>(configurations));
        root.put("slots", new TreeMap<>(slots));
        return Json.pretty(root);
    }

    static Generation parse(byte[] json) throws IOException {
        Map<String, Object> root = Json.object(json);
        if (Json.number(root, "format") != FORMAT) {
            throw new IOException("format is not " + FORMAT);
        }
        List<BundleEntry> bundles = new ArrayList<>();
        for (Map<String, Object> bundle : Json.objects(root, "bundles")) {
            bundles.add(new BundleEntry(
                    Json.text(bundle, "bsn"),
                    Json.text(bundle, "version"),
                    Json.text(bundle, "sha256"),
                    Math.toIntExact(Json.number(bundle, "startLevel"))));
        }
        Map<String, Map<String, Object>> configurations = new LinkedHashMap<>();
        Map<String, Object> written = Json.member(root, "configurations");
        for (String pid : written.keySet()) {
            configurations.put(pid, Json.member(written, pid));
        }
        Map<String, List<String>> slots = new LinkedHashMap<>();
        Map<String, Object> selected = Json.member(root, "slots");
        for (String slot : selected.keySet()) {
            slots.put(slot, Json.texts(selected, slot));
        }
        return new Generation(Json.text(root, "lock"), Json.texts(root, "features"), bundles, configurations, slots);
    }
}
