package im.parley.launcher;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What runs, whole: the one truth from which framework cache and Configuration Admin are made at every start. Values that
 * belong to one start (data directory, ports) stand in it as placeholders; secrets never do.
 *
 * <p>The distribution's part and what somebody changed stand apart in it, so that another distribution can take the place
 * of the first and the changes stay: {@code bundles}, {@code configurations} and {@code defaults} are what the features
 * make, {@code plugins}, {@code overrides} and {@code slots} what came later.
 *
 * @param lock hash of the {@code distribution.lock} it was made from
 * @param features names, sorted
 * @param bundles of the distribution, in install order
 * @param configurations of the features: PID to properties; without the selection of slots
 * @param slots slot name to provider instances {@code PID~name}, in order of preference
 * @param plugins from elsewhere, in install order; no two with one symbolic name
 * @param overrides PID to the properties that differ from, or add to, what features and plugins say
 * @param defaults what the features select for their slots; empty in a file that is older than plugins
 */
public record Generation(
        String lock,
        List<String> features,
        List<BundleEntry> bundles,
        Map<String, Map<String, Object>> configurations,
        Map<String, List<String>> slots,
        List<Plugin> plugins,
        Map<String, Map<String, Object>> overrides,
        Map<String, List<String>> defaults) {
    /** Of the file. */
    public static final int FORMAT = 1;

    static final String SLOT_FACTORY = "im.parley.slot~";
    static final String SLOT = "parley.slot";
    static final String SELECT = "select";

    public Generation {
        features = List.copyOf(features);
        bundles = List.copyOf(bundles);
        configurations = Map.copyOf(configurations);
        slots = Map.copyOf(slots);
        plugins = List.copyOf(plugins);
        overrides = Map.copyOf(overrides);
        defaults = Map.copyOf(defaults);
    }

    /** Without plugins and overrides. */
    public Generation(
            String lock,
            List<String> features,
            List<BundleEntry> bundles,
            Map<String, Map<String, Object>> configurations,
            Map<String, List<String>> slots) {
        this(lock, features, bundles, configurations, slots, List.of(), Map.of(), Map.of());
    }

    /**
     * A bundle from elsewhere.
     *
     * @param configurations its instances {@code PID~name}, each bound to this very bundle, and their properties
     */
    public record Plugin(String bsn, String version, String sha256, Map<String, Map<String, Object>> configurations) {
        /** The lowest: plugins start when all else is up, see the fence, and stop last. */
        static final int START_LEVEL = 1;

        public Plugin {
            configurations = Map.copyOf(configurations);
        }

        /** For people. */
        String words() {
            return bsn + " " + version;
        }
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
                    slots.put(Json.text(properties, SLOT), Json.texts(properties, SELECT));
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
                slots,
                List.of(),
                Map.of(),
                slots);
    }

    /** The same with another selection for one slot. */
    Generation selecting(String slot, List<String> select) {
        Map<String, List<String>> others = new TreeMap<>(slots);
        others.put(slot, List.copyOf(select));
        return with(plugins, overrides, others);
    }

    /** The same distribution with other changes. */
    Generation with(
            List<Plugin> others, Map<String, Map<String, Object>> overriding, Map<String, List<String>> selected) {
        return new Generation(lock, features, bundles, configurations, selected, others, overriding, defaults);
    }

    /** The same, knowing what its features select; for one that was written before that was kept. */
    Generation knowing(Map<String, List<String>> selected) {
        return new Generation(lock, features, bundles, configurations, slots, plugins, overrides, selected);
    }

    /**
     * The same with the selections of another generation, where what they select is configured here. So swaps last over a
     * new distribution.
     */
    Generation selectingAs(Generation other) {
        return with(plugins, overrides, selections(other, new ArrayList<>()));
    }

    /**
     * What another generation changed, carried over to this distribution.
     *
     * @param generation with all of it that fits
     * @param dropped what does not, a sentence each
     */
    record Carried(Generation generation, List<String> dropped) {}

    /**
     * This distribution with the changes of another generation: those plugins, and the overrides and selections whose
     * bundles and instances are there. A slot that nobody changed takes what the new features select.
     *
     * @param fitting of the other's plugins, those that run with this distribution
     */
    Carried carrying(Generation other, List<Plugin> fitting) {
        List<String> dropped = new ArrayList<>();
        Generation bare = with(fitting, Map.of(), slots);
        Map<String, Map<String, Object>> kept = new TreeMap<>();
        other.overrides().forEach((pid, properties) -> {
            if (bare.ownerOf(pid) != null || bare.configurations().containsKey(pid)) {
                kept.put(pid, properties);
            } else {
                dropped.add("the configuration " + pid + ", because no bundle has it any more");
            }
        });
        Generation configured = with(fitting, kept, slots);
        return new Carried(with(fitting, kept, configured.selections(other, dropped)), dropped);
    }

    private Map<String, List<String>> selections(Generation other, List<String> dropped) {
        Map<String, List<String>> selected = new TreeMap<>(slots);
        Map<String, Map<String, Object>> all = complete();
        Set<String> here = slotNames();
        other.slots().forEach((slot, select) -> {
            if (select.equals(other.defaults().get(slot))) {
                return;
            }
            if (here.contains(slot) && all.keySet().containsAll(select)) {
                selected.put(slot, select);
            } else if (!select.equals(slots.get(slot))) {
                dropped.add("the selection " + String.join(", ", select) + " of slot " + slot
                        + ", because it is not there any more");
            }
        });
        return selected;
    }

    /** Slots that are configured. */
    Set<String> slotNames() {
        Set<String> names = new TreeSet<>();
        merged().forEach((pid, properties) -> {
            if (pid.startsWith(SLOT_FACTORY) && properties.get(SLOT) instanceof String slot) {
                names.add(slot);
            }
        });
        return names;
    }

    /** Slots that nothing of the distribution fills. */
    List<String> slotsOfPlugins() {
        return new TreeMap<>(slots)
                .entrySet().stream()
                        .filter(slot -> slot.getValue().stream().noneMatch(configurations::containsKey))
                        .map(Map.Entry::getKey)
                        .toList();
    }

    /** The plugin of that symbolic name; null if there is none. */
    @Nullable
    Plugin plugin(String bsn) {
        return plugins.stream()
                .filter(each -> each.bsn().equals(bsn))
                .findFirst()
                .orElse(null);
    }

    /**
     * The bundle that a configuration is for: the plugin that brings the instance; else the one with the longest symbolic
     * name that the PID begins with, a plugin before the distribution's own bundle of that name.
     *
     * @return its SHA-256; null if there is none
     */
    @Nullable
    String ownerOf(String pid) {
        for (Plugin plugin : plugins) {
            if (plugin.configurations().containsKey(pid)) {
                return plugin.sha256();
            }
        }
        String owner = null;
        int longest = -1;
        for (BundleEntry bundle : bundles) {
            if (isNamedAfter(pid, bundle.bsn()) && bundle.bsn().length() > longest) {
                owner = bundle.sha256();
                longest = bundle.bsn().length();
            }
        }
        for (Plugin plugin : plugins) {
            boolean own = configurations.containsKey(pid);
            if (isNamedAfter(pid, plugin.bsn())
                    && (plugin.bsn().length() > longest || plugin.bsn().length() == longest && !own)) {
                owner = plugin.sha256();
                longest = plugin.bsn().length();
            }
        }
        return owner;
    }

    /** Whether a bundle of the distribution is a provider, which a plugin of its name and a newer version may succeed. */
    boolean isReplaceable(String bsn) {
        return configurations.keySet().stream()
                .anyMatch(pid -> pid.indexOf('~') > 0 && !pid.startsWith(SLOT_FACTORY) && isNamedAfter(pid, bsn));
    }

    /** Symbolic name = root package = beginning of the PIDs. */
    static boolean isNamedAfter(String pid, String bsn) {
        int tilde = pid.indexOf('~');
        return ((tilde < 0 ? pid : pid.substring(0, tilde)) + ".").startsWith(bsn + ".");
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

    /** Every configuration, as it is in effect: of features and plugins, with the overrides, and the slots' selections. */
    Map<String, Map<String, Object>> complete() {
        Map<String, Map<String, Object>> all = merged();
        all.forEach((pid, properties) -> {
            if (pid.startsWith(SLOT_FACTORY)) {
                List<String> selected = slots.get(String.valueOf(properties.get(SLOT)));
                properties.put(SELECT, selected == null ? List.of() : selected);
            }
        });
        return all;
    }

    private Map<String, Map<String, Object>> merged() {
        Map<String, Map<String, Object>> all = new TreeMap<>();
        configurations.forEach((pid, properties) -> all.put(pid, new TreeMap<>(properties)));
        for (Plugin plugin : plugins) {
            plugin.configurations().forEach((pid, properties) -> all.put(pid, new TreeMap<>(properties)));
        }
        overrides.forEach((pid, properties) ->
                all.computeIfAbsent(pid, unused -> new TreeMap<>()).putAll(properties));
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
        root.put("defaults", new TreeMap<>(defaults));
        root.put("plugins", plugins.stream().map(Generation::entry).toList());
        root.put("overrides", new TreeMap<>(overrides));
        return Json.pretty(root);
    }

    /** A plugin as generations and stack files have it. */
    static Map<String, Object> entry(Plugin plugin) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("bsn", plugin.bsn());
        entry.put("version", plugin.version());
        entry.put("sha256", plugin.sha256());
        entry.put("configurations", new TreeMap<>(plugin.configurations()));
        return entry;
    }

    private static Map<String, Map<String, Object>> configurations(Map<String, Object> object, String name)
            throws IOException {
        Map<String, Map<String, Object>> configurations = new LinkedHashMap<>();
        Map<String, Object> written = Json.member(object, name);
        for (String pid : written.keySet()) {
            configurations.put(pid, Json.member(written, pid));
        }
        return configurations;
    }

    private static Map<String, List<String>> selections(Map<String, Object> object, String name) throws IOException {
        Map<String, List<String>> slots = new LinkedHashMap<>();
        Map<String, Object> selected = Json.member(object, name);
        for (String slot : selected.keySet()) {
            slots.put(slot, Json.texts(selected, slot));
        }
        return slots;
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
        List<Plugin> plugins = new ArrayList<>();
        for (Map<String, Object> plugin : Json.objects(root, "plugins")) {
            plugins.add(new Plugin(
                    Json.text(plugin, "bsn"),
                    Json.text(plugin, "version"),
                    Json.text(plugin, "sha256"),
                    configurations(plugin, "configurations")));
        }
        return new Generation(
                Json.text(root, "lock"),
                Json.texts(root, "features"),
                bundles,
                configurations(root, "configurations"),
                selections(root, "slots"),
                plugins,
                configurations(root, "overrides"),
                selections(root, "defaults"));
    }
}
