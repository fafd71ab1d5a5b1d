package im.parley.launcher;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a change from one generation to another means for what runs: in words, how it is done and why, and which slots are
 * swapped. For one thread.
 */
final class StackChange {
    /** What everything else hangs on; a change to these makes the whole node start anew anyway. */
    private static final Set<String> RESTARTING =
            Set.of("im.parley.slot.host", "im.parley.vault", "im.parley.egress", "im.parley.control");

    private final Generation running;
    private final Generation target;
    private final List<String> words = new ArrayList<>();
    private final Set<String> reasons = new LinkedHashSet<>();
    private StackPlan.Verdict verdict = StackPlan.Verdict.HOT;

    StackChange(Generation running, Generation target) {
        this.running = running;
        this.target = target;
    }

    List<String> words() {
        return words;
    }

    StackPlan.Verdict verdict() {
        return verdict;
    }

    /** Why it is not hot. */
    List<String> reasons() {
        return List.copyOf(reasons);
    }

    void needs(StackPlan.Verdict least, String reason) {
        verdict = verdict.compareTo(least) < 0 ? least : verdict;
        reasons.add(reason);
    }

    void plugins(List<TrustStore.Admitted> added, List<Generation.Plugin> removed) {
        Map<String, String> old = new HashMap<>();
        removed.forEach(plugin -> old.put(plugin.bsn(), plugin.version()));
        for (TrustStore.Admitted each : added) {
            PluginArchive plugin = each.archive();
            String version = old.remove(plugin.bsn());
            words.add(
                    version == null
                            ? "plugin " + plugin.bsn() + " " + plugin.version() + " comes"
                            : "plugin " + plugin.bsn() + " " + plugin.version() + " takes the place of " + version);
        }
        old.forEach((bsn, version) -> words.add("plugin " + bsn + " " + version + " goes"));
    }

    void configurations(
            Set<String> created,
            Set<String> changed,
            Set<String> deleted,
            Map<String, Map<String, Object>> before,
            Map<String, Map<String, Object>> after) {
        Set<String> filling = new HashSet<>();
        running.slots().values().forEach(filling::addAll);
        created.forEach(pid -> words.add("configuration " + pid + " comes"));
        for (String pid : changed) {
            words.add("configuration " + pid + ": "
                    + difference(before.getOrDefault(pid, Map.of()), after.getOrDefault(pid, Map.of())));
            if (RESTARTING.contains(pid) || pid.startsWith(Generation.SLOT_FACTORY)) {
                needs(StackPlan.Verdict.RESTART, pid + " is read when the node starts");
            } else if (filling.contains(pid)) {
                needs(StackPlan.Verdict.PAUSE, pid + " is opened anew while its slot waits");
            } else if (pid.indexOf('~') < 0) {
                needs(StackPlan.Verdict.PAUSE, pid + " starts anew with its configuration");
            }
        }
        for (String pid : deleted) {
            words.add("configuration " + pid + " goes");
            if (pid.startsWith(Generation.SLOT_FACTORY)) {
                needs(StackPlan.Verdict.PAUSE, "whoever uses the slot of " + pid + " has none any more");
            }
        }
    }

    private static String difference(Map<String, Object> before, Map<String, Object> after) {
        Set<String> keys = new TreeSet<>(before.keySet());
        keys.addAll(after.keySet());
        List<String> parts = new ArrayList<>();
        for (String key : keys) {
            Object old = before.get(key);
            Object value = after.get(key);
            if (!Objects.equals(old, value)) {
                parts.add(key + " " + (old == null ? "unset" : old) + " -> " + (value == null ? "unset" : value));
            }
        }
        return String.join(", ", parts);
    }

    void slots(Map<String, Map<String, Object>> after) {
        Map<String, Map<String, Object>> before = running.complete();
        target.slots().forEach((slot, select) -> {
            List<String> old = running.slots().getOrDefault(slot, List.of());
            if (old.equals(select)) {
                return;
            }
            words.add("slot " + slot + ": " + (old.isEmpty() ? "nothing" : String.join(", ", old)) + " -> "
                    + String.join(", ", select));
            if (!old.isEmpty()
                    && !old.get(0).equals(select.get(0))
                    && !handover(slot, after).equals("none")) {
                boolean stays = sameDirectory(old.get(0), before, select.get(0), after);
                needs(
                        StackPlan.Verdict.PAUSE,
                        "what slot " + slot + " keeps is "
                                + (stays ? "taken over, and writes wait for it" : "moved, and writes wait at the end"));
            }
        });
    }

    // ---- slots ----

    private static String handover(String slot, Map<String, Map<String, Object>> all) {
        for (Map.Entry<String, Map<String, Object>> configuration : all.entrySet()) {
            if (configuration.getKey().startsWith(Generation.SLOT_FACTORY)
                    && slot.equals(configuration.getValue().get(Generation.SLOT))) {
                return String.valueOf(configuration.getValue().getOrDefault("handover", ""));
            }
        }
        return "";
    }

    /** Slots that run and get another first instance; one whose data is moved last, since its switch decides. */
    Map<String, String> swaps(Map<String, Map<String, Object>> after) throws LauncherException {
        Map<String, Map<String, Object>> before = running.complete();
        Map<String, String> swaps = new LinkedHashMap<>();
        Map<String, String> takenOver = new TreeMap<>();
        Map<String, String> moving = new TreeMap<>();
        for (Map.Entry<String, List<String>> slot : new TreeMap<>(target.slots()).entrySet()) {
            List<String> old = running.slots().getOrDefault(slot.getKey(), List.of());
            if (old.isEmpty() || old.get(0).equals(slot.getValue().get(0))) {
                continue;
            }
            String handover = handover(slot.getKey(), after);
            if (handover.isEmpty()
                    && !sameDirectory(old.get(0), before, slot.getValue().get(0), after)) {
                throw refused(
                        "swap.no-handover",
                        "What fills the slot " + slot.getKey()
                                + " keeps data that this version cannot move to another provider",
                        "Wait for a version that can move it.");
            }
            if (handover.equals("none")) {
                swaps.put(slot.getKey(), slot.getValue().get(0));
            } else if (sameDirectory(old.get(0), before, slot.getValue().get(0), after)) {
                takenOver.put(slot.getKey(), slot.getValue().get(0));
            } else {
                moving.put(slot.getKey(), slot.getValue().get(0));
            }
        }
        if (moving.size() > 1) {
            throw refused(
                    "plan.several-stores",
                    "The slots " + String.join(", ", moving.keySet())
                            + " keep data that has to be moved, and only one can be moved at a time",
                    "Do it one after the other.");
        }
        swaps.putAll(takenOver);
        swaps.putAll(moving);
        return swaps;
    }

    /** With a change that waits for the next start; that moves nothing: it would serve an empty store while the full one lies beside it. */
    void refuseMoves(Map<String, String> swaps, Map<String, Map<String, Object>> after) throws LauncherException {
        if (verdict != StackPlan.Verdict.RESTART) {
            return;
        }
        Map<String, Map<String, Object>> before = running.complete();
        for (Map.Entry<String, String> swap : swaps.entrySet()) {
            String slot = swap.getKey();
            String old = running.slots().getOrDefault(slot, List.of("")).get(0);
            if (!handover(slot, before).equals("none") && !sameDirectory(old, before, swap.getValue(), after)) {
                throw refused(
                        "plan.move-alone",
                        "The slot " + slot
                                + " keeps data that has to be moved while the node runs, and the rest of this"
                                + " change needs the node to start anew",
                        "Move it first with ./parley swap " + slot + " " + swap.getValue() + ", then apply the rest.");
            }
        }
    }

    /** Whether a new version goes on with what the old one keeps. */
    private static boolean sameDirectory(
            String old, Map<String, Map<String, Object>> before, String next, Map<String, Map<String, Object>> after) {
        return directory(old, before).equals(directory(next, after));
    }

    private static Object directory(String instance, Map<String, Map<String, Object>> all) {
        return all.getOrDefault(instance, Map.of()).getOrDefault(Overrides.DIRECTORY, instance);
    }

    private static LauncherException refused(String code, String why, String next) {
        return new LauncherException(code, StackPlanner.WHAT, why + ".", next);
    }
}
