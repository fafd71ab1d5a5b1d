package im.parley.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which stack generation a start takes. The data directory alone has no say in it: a generation is one that this node
 * wrote itself, or exactly what the distribution makes of its features but for slots that select another of its
 * instances; its bundles are the distribution's, or plugins whose bytes are those that were installed.
 *
 * <p>A plugin that is no longer trusted does not run, and the node starts without it. It stays in the generation and the
 * slots that select it are empty: what kept data must not give way to something else by itself.
 */
final class BootStack {
    private static final Logger LOG = LoggerFactory.getLogger(BootStack.class);

    /** Somebody decided so, beside the device key. */
    private static final Set<String> WITHDRAWN =
            Set.of("plugin.revoked", "plugin.untrusted", "plugin.downgrade", "trust.unreadable");

    private final StackFiles stack;
    private final DistributionLock lock;
    private final JarStore jars;
    private final PluginGate gate;
    private final Path scratch;

    BootStack(StackFiles stack, DistributionLock lock, JarStore jars, PluginGate gate, Path scratch) {
        this.stack = stack;
        this.lock = lock;
        this.jars = jars;
        this.gate = gate;
        this.scratch = scratch;
    }

    /**
     * What runs.
     *
     * @param dropped what a new distribution or other features have no place for, a sentence each
     * @param leftOut plugins that are not trusted any more, by their SHA-256, and the code that says why
     */
    record Chosen(StackFiles.Numbered current, List<String> dropped, Map<String, String> leftOut) {}

    /**
     * The current generation, or a new one if there is none or the distribution or the wanted features changed. A new one
     * keeps plugins, configurations and selections that were made, where they fit.
     *
     * @param expected what the distribution makes of the wanted features
     * @throws LauncherException {@code stack.tampered}, {@code stack.untrusted-bundle}
     */
    Chosen choose(Generation expected, StackFiles.@Nullable Numbered current) throws LauncherException {
        if (current == null) {
            return new Chosen(stack.append(expected), List.of(), Map.of());
        }
        Generation found = current.generation();
        boolean same = found.lock().equals(lock.hash()) && found.features().equals(expected.features());
        boolean ours = stack.isApproved(current);
        if (same) {
            refuseUnlisted(current);
        }
        if (same && !ours) {
            refuseOthers(current, expected);
            stack.approve(current);
        }
        if (same) {
            return new Chosen(current, List.of(), leftOut(current, found));
        }
        return ours
                ? carried(expected, current)
                : new Chosen(stack.append(expected.selectingAs(found)), List.of(), Map.of());
    }

    private Chosen carried(Generation expected, StackFiles.Numbered current) throws LauncherException {
        List<String> dropped = new ArrayList<>();
        List<Generation.Plugin> fitting = new ArrayList<>();
        Map<String, String> leftOut = leftOut(current, expected);
        for (Generation.Plugin plugin : current.generation().plugins()) {
            boolean named = expected.bundles().stream()
                    .anyMatch(bundle -> bundle.bsn().equals(plugin.bsn()) && !isOlder(bundle.version(), plugin));
            if (named) {
                dropped.add("plugin " + plugin.words() + ", because the distribution has its own " + plugin.bsn());
            } else {
                fitting.add(plugin);
            }
        }
        for (ResolveTrial.Problem bad = trial(expected, fitting, leftOut.keySet());
                bad != null;
                bad = trial(expected, fitting, leftOut.keySet())) {
            String name = bad.plugin();
            fitting.removeIf(plugin -> plugin.words().equals(name));
            dropped.add("plugin " + name + ": " + bad.why());
        }
        Generation.Carried carried = expected.carrying(current.generation(), fitting);
        dropped.addAll(carried.dropped());
        dropped.forEach(what -> LOG.warn("Not taken over from stack generation {}: {}", current.number(), what));
        return new Chosen(stack.append(carried.generation()), dropped, leftOut);
    }

    private static boolean isOlder(String version, Generation.Plugin plugin) {
        return new org.osgi.framework.Version(version).compareTo(new org.osgi.framework.Version(plugin.version())) < 0;
    }

    /** The first plugin that does not run with the distribution; null if all do. */
    private ResolveTrial.@Nullable Problem trial(
            Generation expected, List<Generation.Plugin> plugins, Set<String> leftOut) throws LauncherException {
        if (leftOut.containsAll(plugins.stream().map(Generation.Plugin::sha256).toList())) {
            return null;
        }
        ResolveTrial.remove(scratch);
        try {
            Files.createDirectories(
                    scratch, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw NodeDirectory.unusable(scratch, e);
        }
        List<ResolveTrial.Part> parts = new ArrayList<>();
        for (Generation.BundleEntry bundle : expected.bundles()) {
            parts.add(
                    new ResolveTrial.Part(bundle.bsn() + " " + bundle.version(), jars.pathOf(bundle.sha256()), false));
        }
        for (Generation.Plugin plugin : plugins) {
            if (!leftOut.contains(plugin.sha256())) {
                parts.add(new ResolveTrial.Part(plugin.words(), jars.pathOf(plugin.sha256()), true));
            }
        }
        List<ResolveTrial.Problem> problems = ResolveTrial.of(parts, scratch);
        return problems.isEmpty() ? null : problems.get(0);
    }

    private void refuseUnlisted(StackFiles.Numbered current) throws LauncherException {
        Set<String> trusted = lock.jars().stream()
                .filter(DistributionLock.Jar::bundle)
                .map(DistributionLock.Jar::sha256)
                .collect(Collectors.toSet());
        for (Generation.BundleEntry bundle : current.generation().bundles()) {
            if (!trusted.contains(bundle.sha256())) {
                throw untrusted(
                        current.number(),
                        bundle.bsn(),
                        bundle.sha256(),
                        "which " + DistributionLock.FILE + " does not list",
                        null);
            }
        }
    }

    /** Before the framework exists: SHA-256 of what does not run, and why. */
    private Map<String, String> leftOut(StackFiles.Numbered current, Generation generation) throws LauncherException {
        Map<String, String> leftOut = new TreeMap<>();
        for (Generation.Plugin plugin : current.generation().plugins()) {
            String code = verified(plugin, current.number(), generation);
            if (!code.isEmpty()) {
                leftOut.put(plugin.sha256(), code);
            }
        }
        return leftOut;
    }

    /** Empty if it may run, else the code that says why it is not trusted; bytes that changed end the start. */
    private String verified(Generation.Plugin plugin, long number, Generation generation) throws LauncherException {
        try {
            PluginArchive checked = gate.keep(
                            jars.content(plugin.sha256()), jars.signature(plugin.sha256()), generation)
                    .archive();
            if (!checked.bsn().equals(plugin.bsn()) || !checked.version().equals(plugin.version())) {
                throw untrusted(
                        number,
                        plugin.bsn(),
                        plugin.sha256(),
                        "which is " + checked.bsn() + " " + checked.version(),
                        null);
            }
            return "";
        } catch (LauncherException e) {
            if (WITHDRAWN.contains(e.code())) {
                LOG.error("The plugin {} does not run ({}): {}", plugin.words(), e.code(), e.why());
                return e.code();
            }
            if (e.code().equals("stack.untrusted-bundle")) {
                throw e;
            }
            throw untrusted(
                    number,
                    plugin.bsn(),
                    plugin.sha256(),
                    "which was refused (" + e.code() + "): " + e.why().replaceFirst("\\.$", ""),
                    e);
        }
    }

    private static LauncherException untrusted(
            long number, String bsn, String sha256, String why, @Nullable Throwable cause) {
        return new LauncherException(
                "stack.untrusted-bundle",
                "The node was told to run a part that is not trusted; nothing was started.",
                "stack/" + number + ".json names " + bsn + " with SHA-256 " + sha256 + ", " + why + ".",
                next(),
                cause);
    }

    private static String next() {
        return "If the data was moved or restored from elsewhere, that is why. Else find out who can write to the data directory. Then move its folder stack"
                + " away: the node starts with the distribution's own parts and keeps its messages.";
    }

    private static void refuseOthers(StackFiles.Numbered current, Generation expected) throws LauncherException {
        Generation found = current.generation().defaults().isEmpty()
                ? current.generation().knowing(expected.defaults())
                : current.generation();
        if (!found.equals(expected.selectingAs(found))) {
            throw new LauncherException(
                    "stack.tampered",
                    "The description of what this node runs was changed; nothing was started.",
                    "stack/" + current.number() + ".json is not what this node wrote, and differs from what the"
                            + " distribution makes of " + String.join(", ", expected.features()) + ": "
                            + difference(found, expected) + ".",
                    next());
        }
    }

    private static String difference(Generation found, Generation expected) {
        if (!found.bundles().equals(expected.bundles())) {
            return "other bundles, versions or start levels";
        }
        if (!found.plugins().isEmpty()) {
            return "plugins";
        }
        Set<String> pids = new TreeSet<>(found.configurations().keySet());
        pids.addAll(expected.configurations().keySet());
        pids.removeIf(pid -> Objects.equals(
                found.configurations().get(pid), expected.configurations().get(pid)));
        pids.addAll(found.overrides().keySet());
        return pids.isEmpty()
                ? "slots that select what is not there"
                : "the configuration of " + String.join(", ", pids);
    }
}
