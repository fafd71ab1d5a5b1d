package im.parley.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.Version;

/**
 * Makes a plan of what is wanted, or says why it cannot be. Everything that can be known beforehand is checked here, and
 * nothing is changed: no bundle, no configuration, no file but in a directory for the trial that is removed again.
 */
final class StackPlanner {
    static final String WHAT = "Nothing was changed.";
    private static final String SLOT_WITH_PREFERENCES = "curve";

    private static final String NODE_READY = "im.parley.control";
    /** What a start waits for: with a typo in it no node would be ready again, and none could undo it. */
    private static final Set<String> READY_KEYS = Set.of("ready", "tolerated");
    /** What a slot of the distribution is and how its contents are moved. */
    private static final Set<String> SLOT_KEYS = Set.of(Generation.SLOT, "handover");

    private final JarStore jars;
    private final PluginGate gate;
    private final Path scratch;
    private final RunningStack live;

    /** @param scratch a directory that does not exist, beside those of the node */
    StackPlanner(JarStore jars, PluginGate gate, Path scratch, RunningStack live) {
        this.jars = jars;
        this.gate = gate;
        this.scratch = scratch;
        this.live = live;
    }

    /** What becomes of the plugins. */
    private static final class Wanted {
        final List<Generation.Plugin> plugins = new ArrayList<>();
        final Map<String, TrustStore.Admitted> checked = new LinkedHashMap<>();
        /** Instances that an upgrade gives another name. */
        final Map<String, String> renamed = new HashMap<>();
    }

    /**
     * Plans what a stack file wants.
     *
     * @param running what runs now, which a change that waits for a restart is not part of
     * @throws LauncherException {@code plan.…}, {@code plugin.…}, {@code swap.…}
     */
    StackPlan plan(StackFile file, StackFiles.Numbered current, Generation running) throws LauncherException {
        Generation now = current.generation();
        Wanted wanted = plugins(file, now);
        Map<String, Map<String, Object>> overrides = overrides(file, now, wanted);
        Generation configured = now.with(wanted.plugins, overrides, now.slots());
        check(file, configured);
        Generation target = now.with(wanted.plugins, overrides, slots(file, configured, wanted));
        return plan(current, target, running, wanted.checked);
    }

    /** Plans the way back to an earlier generation. */
    StackPlan back(StackFiles.Numbered earlier, StackFiles.Numbered current, Generation running)
            throws LauncherException {
        Generation target = earlier.generation();
        Generation now = current.generation();
        if (!target.lock().equals(now.lock()) || !target.features().equals(now.features())) {
            throw refused(
                    "stack.other-distribution",
                    "Stack generation " + earlier.number() + " belongs to another distribution or other features",
                    "Start the node with those, or change the stack with a stack file.");
        }
        Map<String, TrustStore.Admitted> checked = new LinkedHashMap<>();
        for (Generation.Plugin plugin : target.plugins()) {
            if (!shas(now).contains(plugin.sha256()) || !shas(running).contains(plugin.sha256())) {
                checked.put(plugin.sha256(), kept(plugin.sha256(), now));
            }
        }
        return plan(current, target, running, checked);
    }

    private TrustStore.Admitted kept(String sha256, Generation now) throws LauncherException {
        return gate.keep(jars.content(sha256), jars.signature(sha256), now);
    }

    private static Set<String> shas(Generation generation) {
        Set<String> shas = new HashSet<>();
        generation.plugins().forEach(plugin -> shas.add(plugin.sha256()));
        return shas;
    }

    // ---- plugins ----

    private Wanted plugins(StackFile file, Generation now) throws LauncherException {
        Wanted wanted = new Wanted();
        List<StackFile.Entry> entries = file.plugins();
        if (entries == null) {
            wanted.plugins.addAll(now.plugins());
            return wanted;
        }
        Set<String> names = new HashSet<>();
        for (StackFile.Entry entry : entries) {
            Generation.Plugin plugin = plugin(entry, now, wanted);
            checkMode(file.mode(), plugin, now);
            if (!names.add(plugin.bsn())) {
                throw refused(
                        "plan.duplicate-name",
                        "Two plugins are called " + plugin.bsn(),
                        "Choose one of them; two versions run side by side only while one takes over from the other.");
            }
            wanted.plugins.add(plugin);
        }
        if (file.mode() != StackFile.Mode.WHOLE) {
            List<Generation.Plugin> others = now.plugins().stream()
                    .filter(plugin -> !names.contains(plugin.bsn()))
                    .toList();
            wanted.plugins.addAll(0, others);
        }
        return wanted;
    }

    private static void checkMode(StackFile.Mode mode, Generation.Plugin plugin, Generation now)
            throws LauncherException {
        boolean there = now.plugin(plugin.bsn()) != null
                || now.bundles().stream().anyMatch(bundle -> bundle.bsn().equals(plugin.bsn()));
        if (mode == StackFile.Mode.INSTALL && there) {
            throw refused(
                    "plugin.installed",
                    "There is a " + plugin.bsn() + " already",
                    "A newer version takes its place with ./parley plugin upgrade FILE.");
        }
        if (mode == StackFile.Mode.UPGRADE && !there) {
            throw refused(
                    "plugin.not-installed",
                    "There is no " + plugin.bsn() + " that could be upgraded",
                    "Install it with ./parley plugin install FILE.");
        }
    }

    private Generation.Plugin plugin(StackFile.Entry entry, Generation now, Wanted wanted) throws LauncherException {
        Path jar = entry.file();
        if (jar == null) {
            Generation.Plugin installed = now.plugin(entry.bsn());
            if (installed != null && agrees(entry, installed.bsn(), installed.version(), installed.sha256())) {
                return with(installed, entry);
            }
            if (entry.sha256().isEmpty() || !jars.holds(entry.sha256())) {
                throw refused(
                        "plan.unknown-plugin",
                        (entry.bsn() + " " + entry.version()).strip()
                                + (entry.sha256().isEmpty() ? "" : " with SHA-256 " + entry.sha256())
                                + " is not on this node",
                        "Give its file in the stack file, or install it with ./parley plugin install.");
            }
            return fresh(entry, kept(entry.sha256(), now), now, wanted);
        }
        return fresh(entry, gate.admit(jar, entry.signature(), now), now, wanted);
    }

    private static boolean agrees(StackFile.Entry entry, String bsn, String version, String sha256) {
        return (entry.bsn().isEmpty() || entry.bsn().equals(bsn))
                && (entry.version().isEmpty() || entry.version().equals(version))
                && (entry.sha256().isEmpty() || entry.sha256().equals(sha256));
    }

    private static Generation.Plugin with(Generation.Plugin installed, StackFile.Entry entry) throws LauncherException {
        Map<String, Map<String, Object>> configurations = entry.configurations();
        return configurations == null
                ? installed
                : new Generation.Plugin(
                        installed.bsn(), installed.version(), installed.sha256(), own(configurations, installed.bsn()));
    }

    private static Map<String, Map<String, Object>> own(Map<String, Map<String, Object>> configurations, String bsn)
            throws LauncherException {
        for (String pid : configurations.keySet()) {
            if (pid.indexOf('~') < 0 || !Generation.isNamedAfter(pid, bsn)) {
                throw refused(
                        "plan.bad-configuration",
                        pid + " is no instance of " + bsn + ", whose PIDs begin with its symbolic name",
                        "Correct the stack file.");
            }
        }
        return configurations;
    }

    private Generation.Plugin fresh(StackFile.Entry entry, TrustStore.Admitted admitted, Generation now, Wanted wanted)
            throws LauncherException {
        PluginArchive checked = admitted.archive();
        String bsn = checked.bsn();
        if (!agrees(entry, bsn, checked.version(), checked.sha256())) {
            throw refused(
                    "plan.wrong-hash",
                    "The file is " + bsn + " " + checked.version() + " with SHA-256 " + checked.sha256()
                            + ", and the stack file says otherwise",
                    "Get the file that was meant, or correct the stack file.");
        }
        Generation.Plugin installed = now.plugin(bsn);
        if (installed != null && installed.sha256().equals(checked.sha256())) {
            return with(installed, entry);
        }
        wanted.checked.put(checked.sha256(), admitted);
        String builtIn = builtIn(now, bsn);
        String older = installed != null ? installed.version() : builtIn;
        if (older != null && new Version(checked.version()).compareTo(new Version(older)) <= 0) {
            throw refused(
                    "plugin.downgrade",
                    bsn + " " + checked.version() + " is not newer than " + older + ", which is installed",
                    "Get a newer one; ./parley stack undo goes back to what ran before.");
        }
        Map<String, Map<String, Object>> offer = PluginOffer.read(checked.bytes(), bsn);
        if (entry.configurations() != null) {
            offer = own(Objects.requireNonNull(entry.configurations()), bsn);
        } else if (older != null) {
            offer = succeeding(offer, installed, bsn, older, checked.version(), now, wanted);
        }
        return new Generation.Plugin(bsn, checked.version(), checked.sha256(), offer);
    }

    /**
     * The version of a provider of the distribution that is called so; null if there is none.
     *
     * @throws LauncherException {@code plan.duplicate-name} if it is another bundle of the distribution
     */
    private static @Nullable String builtIn(Generation now, String bsn) throws LauncherException {
        for (Generation.BundleEntry bundle : now.bundles()) {
            if (bundle.bsn().equals(bsn)) {
                if (!now.isReplaceable(bsn)) {
                    throw refused(
                            "plan.duplicate-name",
                            "The distribution has a bundle " + bsn + ", and it is no provider that could be replaced",
                            "Its author has to give the plugin a name of its own.");
                }
                return bundle.version();
            }
        }
        return null;
    }

    /** The instances of an upgraded plugin: each old one has a successor under a new name, which gets its directory. */
    private static Map<String, Map<String, Object>> succeeding(
            Map<String, Map<String, Object>> offer,
            Generation.@Nullable Plugin installed,
            String bsn,
            String oldVersion,
            String version,
            Generation now,
            Wanted wanted) {
        Map<String, Map<String, Object>> all = now.complete();
        Map<String, Map<String, Object>> fresh = new TreeMap<>();
        Set<String> succeeded = new HashSet<>();
        Set<String> selected = new HashSet<>();
        now.slots().values().forEach(selected::addAll);
        for (Map.Entry<String, Map<String, Object>> old : all.entrySet()) {
            String pid = old.getKey();
            boolean belongs = pid.indexOf('~') > 0
                    && !pid.startsWith(Generation.SLOT_FACTORY)
                    && (installed != null
                            ? installed.sha256().equals(now.ownerOf(pid))
                            : Generation.isNamedAfter(pid, bsn)
                                    && now.configurations().containsKey(pid));
            if (!belongs) {
                continue;
            }
            String base =
                    pid.endsWith("-" + oldVersion) ? pid.substring(0, pid.length() - oldVersion.length() - 1) : pid;
            if (!offer.containsKey(base) && !selected.contains(pid) && installed != null) {
                continue;
            }
            String name = base + "-" + version;
            Map<String, Object> properties = new TreeMap<>(offer.containsKey(base) ? offer.get(base) : base(now, pid));
            properties.put(Overrides.DIRECTORY, old.getValue().getOrDefault(Overrides.DIRECTORY, pid));
            fresh.put(name, properties);
            succeeded.add(base);
            wanted.renamed.put(pid, name);
        }
        offer.forEach((pid, properties) -> {
            if (!succeeded.contains(pid)) {
                fresh.put(pid, properties);
            }
        });
        return fresh;
    }

    /** Without what somebody changed. */
    private static Map<String, Object> base(Generation now, String pid) {
        for (Generation.Plugin plugin : now.plugins()) {
            Map<String, Object> properties = plugin.configurations().get(pid);
            if (properties != null) {
                return properties;
            }
        }
        return now.configurations().getOrDefault(pid, Map.of());
    }

    // ---- configurations ----

    private static Map<String, Map<String, Object>> overrides(StackFile file, Generation now, Wanted wanted) {
        Map<String, Map<String, Object>> overrides = new TreeMap<>();
        Generation bare = now.with(wanted.plugins, Map.of(), now.slots());
        now.overrides().forEach((pid, properties) -> {
            String renamed = wanted.renamed.get(pid);
            boolean stays = renamed == null || now.configurations().containsKey(pid);
            if (renamed != null) {
                overrides.put(renamed, properties);
            }
            // What belonged to a plugin that goes, goes with it.
            if (stays && bare.ownerOf(pid) != null) {
                overrides.put(pid, properties);
            }
        });
        file.configurations().forEach((pid, properties) -> {
            String named = instance(pid, bare, wanted);
            if (properties == null) {
                overrides.remove(named);
            } else {
                overrides.put(named, properties);
            }
        });
        return overrides;
    }

    /** A plugin's instance may be called without the version that an upgrade added, so that a stack file stays good. */
    private static String instance(String pid, Generation generation, Wanted wanted) {
        String renamed = wanted.renamed.get(pid);
        if (renamed != null && !generation.configurations().containsKey(pid)) {
            return renamed;
        }
        for (Generation.Plugin plugin : generation.plugins()) {
            String versioned = pid + "-" + plugin.version();
            if (!plugin.configurations().containsKey(pid)
                    && !generation.configurations().containsKey(pid)
                    && plugin.configurations().containsKey(versioned)) {
                return versioned;
            }
        }
        return pid;
    }

    private static void check(StackFile file, Generation target) throws LauncherException {
        for (Generation.Plugin plugin : target.plugins()) {
            for (Map.Entry<String, Map<String, Object>> each :
                    plugin.configurations().entrySet()) {
                check(each.getKey(), each.getValue());
            }
        }
        for (Map.Entry<String, Map<String, Object>> override :
                target.overrides().entrySet()) {
            String pid = override.getKey();
            check(pid, override.getValue());
            if (target.ownerOf(pid) == null) {
                throw refused(
                        "plan.unknown-pid",
                        "No bundle here has a configuration " + pid + ": a PID begins with the bundle's symbolic name",
                        "Correct the stack file, or install the plugin that has it in the same one.");
            }
            Map<String, Object> written = target.configurations().getOrDefault(pid, Map.of());
            for (String key : override.getValue().keySet()) {
                boolean ofSlot = pid.startsWith(Generation.SLOT_FACTORY);
                boolean built = target.configurations().containsKey(pid);
                if (String.valueOf(written.get(key)).contains("${")
                        || NODE_READY.equals(pid) && READY_KEYS.contains(key)
                        || ofSlot && (key.equals(Generation.SELECT) || built && SLOT_KEYS.contains(key))) {
                    throw refused(
                            "plan.reserved",
                            pid + " " + key
                                    + " is not for a stack file: it belongs to the start of the node, or to slots",
                            "Use the options of ./parley start, or the member slots of the stack file.");
                }
            }
        }
        for (String pid : file.configurations().keySet()) {
            check(pid, Map.of());
        }
        Map<String, String> slots = new HashMap<>();
        target.complete().forEach((pid, properties) -> {
            if (pid.startsWith(Generation.SLOT_FACTORY)) {
                slots.merge(String.valueOf(properties.get(Generation.SLOT)), pid, (one, other) -> one + ", " + other);
            }
        });
        for (Map.Entry<String, String> slot : slots.entrySet()) {
            if (slot.getValue().indexOf(',') >= 0) {
                throw refused(
                        "plan.duplicate-slot",
                        "The slot " + slot.getKey() + " would be there more than once: " + slot.getValue(),
                        "Give the new slot another name.");
            }
        }
    }

    private static void check(String pid, Map<String, Object> properties) throws LauncherException {
        String refused = Overrides.refused(pid, properties);
        if (!refused.isEmpty()) {
            throw refused("plan.bad-configuration", pid + ": " + refused, "Correct the stack file.");
        }
        String secret = Overrides.secret(pid, properties);
        if (!secret.isEmpty()) {
            throw refused(
                    "plan.secret",
                    secret + " looks like a secret, and what a stack file holds is readable in many places",
                    "Take it out; secrets are kept by the vault, and configurations name them.");
        }
    }

    // ---- slots ----

    private static Map<String, List<String>> slots(StackFile file, Generation configured, Wanted wanted)
            throws LauncherException {
        Set<String> names = configured.slotNames();
        Set<String> instances = configured.complete().keySet();
        Map<String, List<String>> slots = new TreeMap<>();
        for (String name : file.slots().keySet()) {
            if (!names.contains(name)) {
                throw refused(
                        "plan.unknown-slot",
                        "There is no slot " + name + "; there are " + String.join(", ", names),
                        "Correct the stack file; a new slot is a configuration im.parley.slot~NAME.");
            }
        }
        for (String name : names) {
            List<String> asked = file.slots().get(name);
            slots.put(
                    name,
                    asked == null
                            ? staying(name, configured, wanted, instances)
                            : asked(name, asked, configured, wanted, instances));
        }
        return slots;
    }

    private static List<String> asked(
            String slot, List<String> asked, Generation configured, Wanted wanted, Set<String> instances)
            throws LauncherException {
        List<String> select = new ArrayList<>();
        for (String name : asked) {
            String instance = instance(name, configured, wanted);
            if (!instances.contains(instance) || instance.indexOf('~') < 0) {
                throw refused(
                        "plan.unknown-instance",
                        "Slot " + slot + " is to be filled by " + name + ", which nothing configures",
                        "Correct the stack file; ./parley slots --json lists the candidates of each slot.");
            }
            select.add(instance);
        }
        if (select.size() > 1 && !slot.equals(SLOT_WITH_PREFERENCES) || new HashSet<>(select).size() != select.size()) {
            throw refused(
                    "plan.slot-not-single",
                    "Slot " + slot + " is to be filled by " + String.join(", ", select) + "; it takes "
                            + (slot.equals(SLOT_WITH_PREFERENCES) ? "each once" : "one"),
                    "Choose one; only the slot " + SLOT_WITH_PREFERENCES + " takes several, each once.");
        }
        if (select.isEmpty()) {
            throw refused("plan.slot-empty", "Nothing is to fill slot " + slot, "Name an instance for it.");
        }
        return select;
    }

    private static List<String> staying(String slot, Generation configured, Wanted wanted, Set<String> instances)
            throws LauncherException {
        List<String> before = configured.slots().getOrDefault(slot, List.of());
        List<String> select = new ArrayList<>();
        for (String instance : before) {
            String renamed = wanted.renamed.getOrDefault(instance, instance);
            if (instances.contains(renamed)) {
                select.add(renamed);
            }
        }
        if (select.isEmpty()) {
            configured.defaults().getOrDefault(slot, List.of()).stream()
                    .filter(instances::contains)
                    .forEach(select::add);
        }
        if (select.isEmpty()) {
            throw before.isEmpty()
                    ? refused("plan.slot-empty", "Nothing is to fill slot " + slot, "Name an instance under slots.")
                    : refused(
                            "plan.slot-in-use",
                            String.join(", ", before) + " fills slot " + slot + " and would be gone",
                            "Let something else fill it first, or take the slot away in the same stack file.");
        }
        return select;
    }

    // ---- what it means for what runs ----

    private StackPlan plan(
            StackFiles.Numbered current,
            Generation target,
            Generation running,
            Map<String, TrustStore.Admitted> checked)
            throws LauncherException {
        Map<String, Map<String, Object>> before = running.complete();
        Map<String, Map<String, Object>> after = target.complete();
        Set<String> created = new TreeSet<>(after.keySet());
        created.removeAll(before.keySet());
        Set<String> deleted = new TreeSet<>(before.keySet());
        deleted.removeAll(after.keySet());
        Set<String> changed = new TreeSet<>();
        for (String pid : after.keySet()) {
            if (before.containsKey(pid) && !unselected(before, pid).equals(unselected(after, pid))) {
                changed.add(pid);
            }
        }
        List<TrustStore.Admitted> added = new ArrayList<>();
        for (Generation.Plugin plugin : target.plugins()) {
            if (!shas(running).contains(plugin.sha256())) {
                TrustStore.Admitted known = checked.get(plugin.sha256());
                added.add(known == null ? kept(plugin.sha256(), target) : known);
            }
        }
        List<Generation.Plugin> removed = running.plugins().stream()
                .filter(plugin -> !shas(target).contains(plugin.sha256()))
                .toList();
        StackChange change = new StackChange(running, target);
        Map<String, String> swaps = change.swaps(after);
        change.plugins(added, removed);
        change.configurations(created, changed, deleted, before, after);
        change.slots(after);
        List<String> refreshed = refreshed(removed, running, change);
        change.refuseMoves(swaps, after);
        checkCandidates(swaps, target, created, changed);
        if (!added.isEmpty() || !removed.isEmpty()) {
            tryOut(target, checked);
        }
        return new StackPlan(
                current,
                target,
                added,
                removed,
                created,
                changed,
                deleted,
                swaps,
                change.words(),
                refreshed,
                change.verdict(),
                change.reasons());
    }

    private static Map<String, Object> unselected(Map<String, Map<String, Object>> all, String pid) {
        Map<String, Object> properties = new TreeMap<>(all.getOrDefault(pid, Map.of()));
        if (pid.startsWith(Generation.SLOT_FACTORY)) {
            properties.remove(Generation.SELECT);
        }
        return properties;
    }

    private List<String> refreshed(List<Generation.Plugin> removed, Generation running, StackChange change) {
        List<Bundle> going = new ArrayList<>();
        for (Generation.Plugin plugin : removed) {
            Bundle bundle = live.at(jars.pathOf(plugin.sha256()));
            if (bundle != null) {
                going.add(bundle);
            }
        }
        List<String> refreshed = new ArrayList<>();
        Set<String> ofDistribution = new HashSet<>();
        running.bundles().forEach(bundle -> ofDistribution.add(bundle.bsn() + " " + bundle.version()));
        for (Bundle bundle : going.isEmpty() ? List.<Bundle>of() : live.dependents(going)) {
            String name = bundle.getSymbolicName() + " " + bundle.getVersion();
            refreshed.add(name);
            if (ofDistribution.contains(name) || bundle.getBundleId() == 0) {
                change.needs(StackPlan.Verdict.RESTART, name + " is bound to a plugin that goes");
            } else {
                change.needs(StackPlan.Verdict.PAUSE, name + " is bound anew");
            }
        }
        return refreshed;
    }

    /** An instance that runs unchanged either is a candidate of the slot, or never will be. */
    private void checkCandidates(Map<String, String> swaps, Generation target, Set<String> created, Set<String> changed)
            throws LauncherException {
        Map<String, RunningStack.SlotState> slots = swaps.isEmpty() ? Map.of() : live.slots();
        for (Map.Entry<String, String> swap : swaps.entrySet()) {
            RunningStack.SlotState slot = slots.get(swap.getKey());
            String instance = swap.getValue();
            if (slot != null
                    && !slot.candidates().contains(instance)
                    && !created.contains(instance)
                    && !changed.contains(instance)) {
                throw refused(
                        "plan.unknown-instance",
                        instance + " is no candidate for the slot " + swap.getKey() + "; there are "
                                + String.join(", ", slot.candidates()),
                        "Correct the stack file; ./parley slots --json lists the candidates of each slot.");
            }
        }
        for (Map.Entry<String, List<String>> slot : target.slots().entrySet()) {
            for (String instance : slot.getValue()) {
                if (target.ownerOf(instance) == null) {
                    throw refused(
                            "plan.unknown-instance",
                            "Slot " + slot.getKey() + " is to be filled by " + instance + ", which no bundle here has",
                            "Correct the stack file.");
                }
            }
        }
    }

    private void tryOut(Generation target, Map<String, TrustStore.Admitted> checked) throws LauncherException {
        ResolveTrial.remove(scratch);
        try {
            Files.createDirectories(
                    scratch, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            List<ResolveTrial.Part> parts = new ArrayList<>();
            for (Generation.BundleEntry bundle : target.bundles()) {
                parts.add(new ResolveTrial.Part(
                        bundle.bsn() + " " + bundle.version(), jars.pathOf(bundle.sha256()), false));
            }
            for (Generation.Plugin plugin : target.plugins()) {
                TrustStore.Admitted fresh = checked.get(plugin.sha256());
                Path jar = jars.pathOf(plugin.sha256());
                if (fresh != null) {
                    jar = scratch.resolve(plugin.sha256() + ".jar");
                    Files.write(jar, fresh.archive().bytes());
                }
                parts.add(new ResolveTrial.Part(plugin.words(), jar, true));
            }
            List<ResolveTrial.Problem> problems = ResolveTrial.of(parts, scratch);
            if (!problems.isEmpty()) {
                ResolveTrial.Problem first = problems.get(0);
                throw refused(
                        first.code(),
                        "Plugin " + first.plugin() + ": " + first.why(),
                        first.code().equals("plan.api-range")
                                ? "Get a version of the plugin that was built for this node's plugin API, or a node of"
                                        + " the version it was built for."
                                : "Install what it needs in the same stack file, or ask its author.");
            }
        } catch (IOException e) {
            throw NodeDirectory.unusable(scratch, e);
        } finally {
            ResolveTrial.remove(scratch);
        }
    }

    private static LauncherException refused(String code, String why, String next) {
        return new LauncherException(code, WHAT, why + ".", next);
    }
}
