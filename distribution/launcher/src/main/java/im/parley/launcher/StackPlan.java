package im.parley.launcher;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * What an act would change, checked: from the stack as it is to another one. Immutable.
 *
 * @param before the current generation
 * @param target the one that the act makes
 * @param added plugins that come, checked
 * @param removed plugins that go
 * @param created configurations that come
 * @param changed configurations that are there and become other ones
 * @param deleted configurations that go
 * @param swaps slot to the instance that takes it over, the one that keeps data last
 * @param words each change as one line
 * @param refreshed running bundles that are bound anew
 * @param verdict how much of it the people who use the node notice
 * @param reasons why it is not {@link Verdict#HOT}
 */
record StackPlan(
        StackFiles.Numbered before,
        Generation target,
        List<TrustStore.Admitted> added,
        List<Generation.Plugin> removed,
        Set<String> created,
        Set<String> changed,
        Set<String> deleted,
        Map<String, String> swaps,
        List<String> words,
        List<String> refreshed,
        Verdict verdict,
        List<String> reasons) {
    /** How much of it is noticed. */
    enum Verdict {
        /** Nothing stops: what is new runs beside the old, then takes over. */
        HOT,
        /** Some part is away for a moment, and what needs it waits. */
        PAUSE,
        /** It is written down, and the next start of the node has it. */
        RESTART;

        String words() {
            return this == PAUSE ? "brief pause" : name().toLowerCase(Locale.ROOT);
        }
    }

    StackPlan {
        added = List.copyOf(added);
        removed = List.copyOf(removed);
        created = Set.copyOf(created);
        changed = Set.copyOf(changed);
        deleted = Set.copyOf(deleted);
        words = List.copyOf(words);
        refreshed = List.copyOf(refreshed);
        reasons = List.copyOf(reasons);
    }

    /** Whether there is anything to do. */
    boolean isEmpty() {
        return target.equals(before.generation());
    }

    /** Names exactly this plan from exactly this stack: whoever agreed to it agreed to no other. */
    String fingerprint() {
        byte[] whole = (before.number() + before.sha256() + Hashes.sha256(target.toJson()) + verdict)
                .getBytes(StandardCharsets.UTF_8);
        return Hashes.sha256(whole).substring(0, 32);
    }

    /** Who signed a plugin and what it says that it reaches, in types of the JDK. */
    static Map<String, Object> reach(TrustStore.Admitted plugin) {
        return reach(
                plugin.archive(), plugin.publisher().name(), plugin.publisher().key());
    }

    /** @param signer empty if it is nobody who is trusted now */
    static Map<String, Object> reach(PluginArchive archive, String signer, String key) {
        Capabilities capabilities = archive.capabilities();
        Map<String, Object> reach = new LinkedHashMap<>();
        reach.put("bsn", archive.bsn());
        reach.put("version", archive.version());
        reach.put("sha256", archive.sha256());
        reach.put("signer", signer);
        reach.put("key", key);
        reach.put("services", capabilities.services());
        reach.put("hosts", capabilities.hosts());
        reach.put("files", capabilities.files().name().toLowerCase(Locale.ROOT));
        reach.put("nativeCode", capabilities.nativeCode());
        return reach;
    }

    /** In types of the JDK. */
    Map<String, Object> told() {
        List<Map<String, Object>> reach = new ArrayList<>();
        added.forEach(plugin -> reach.add(reach(plugin)));
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("plan", fingerprint());
        told.put("generation", before.number());
        told.put("empty", isEmpty());
        told.put("changes", words);
        told.put("refreshes", refreshed);
        told.put("verdict", verdict.words());
        told.put("reasons", reasons);
        told.put("plugins", reach);
        return told;
    }
}
