package im.parley.launcher;

import im.parley.launcher.fence.Fence;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes what a running node is made of: plugins, configurations, selections of slots, each as one act that is planned,
 * agreed to, journalled and can be taken back.
 *
 * <p>An act checks everything first. Then it puts the new bundles beside the old ones, swaps, and makes the next stack
 * generation current; only then it takes the old ones away. Whatever fails before the generation is current is put back.
 * A kill at any instant leaves the old or the new generation current, and the next start builds all from it.
 *
 * <p>Bundles reach it as a {@code Function} between maps of JDK types. Operations, by {@code op}: {@code show}, {@code
 * export}, {@code plan} and {@code act} {act, file, signature, plugin, plan, who, why}, {@code undo} {who, why}. A refusal
 * answers {code, problem, next, kind}. Thread-safe; one plan or act at a time, others wait a while and are refused then.
 */
final class PluginDesk implements Function<Map<String, Object>, Map<String, Object>> {
    private static final Logger LOG = LoggerFactory.getLogger(PluginDesk.class);

    /** For all that an act waits for, of each kind; together they stay below five seconds. */
    private static final Duration START = Duration.ofSeconds(2);

    private static final Duration APPEAR = Duration.ofSeconds(2);
    /** For another plan or act to end. */
    private static final Duration WAIT = Duration.ofSeconds(10);

    private static final Set<String> UNAVAILABLE =
            Set.of("plan.not-tried", "stack.busy", "node.starting", "swap.not-written", "trust.not-written");
    private static final String ANY_BUNDLE = "?";
    private static final String FENCES =
            "A plugin runs inside the node. Its manifest says what it reaches, and fences hold it to that; they stop"
                    + " mistakes, not hostile code. Install it only if you trust its publisher with everything this node"
                    + " has.";

    private final StackFiles stack;
    private final StackDesk desk;
    private final JarStore jars;
    private final PluginGate gate;
    private final Path scratch;
    private final Placeholders placeholders;

    private final ReentrantLock acting = new ReentrantLock();
    private volatile Generation running;
    private volatile @Nullable RunningStack live;

    /** @param booted what runs after the start */
    PluginDesk(
            StackFiles stack,
            StackDesk desk,
            JarStore jars,
            PluginGate gate,
            Path scratch,
            Placeholders placeholders,
            Generation booted) {
        this.stack = stack;
        this.desk = desk;
        this.jars = jars;
        this.gate = gate;
        this.scratch = scratch;
        this.placeholders = placeholders;
        this.running = booted;
    }

    /** From now on it can act. */
    void attach(BundleContext framework, Fence fence) {
        this.live = new RunningStack(framework, fence);
    }

    @Override
    public Map<String, Object> apply(Map<String, Object> request) {
        try {
            return switch (text(request, "op")) {
                case "show" -> show();
                case "export" ->
                    Map.of("text", new String(StackFile.export(current().generation()), StandardCharsets.UTF_8));
                default -> alone(request);
            };
        } catch (LauncherException e) {
            return problem(e);
        } catch (IOException e) {
            LOG.error("The stack could not be read or written", e);
            return problem(NodeDirectory.unusable(scratch, e));
        } catch (RuntimeException e) {
            LOG.error("A change of the stack failed", e);
            return Map.of(
                    "code",
                    "internal.bug",
                    "problem",
                    "Something unexpected happened; the log tells more.",
                    "next",
                    "This is a fault of Parley: please report it with ./parley logs.",
                    "kind",
                    "INTERNAL");
        }
    }

    private Map<String, Object> alone(Map<String, Object> request) throws LauncherException, IOException {
        boolean mine = false;
        try {
            mine = acting.tryLock(WAIT.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (!mine) {
            throw new LauncherException(
                    "stack.busy",
                    "Nothing was changed.",
                    "Another change of the stack is under way.",
                    "Wait until it is done, then try again.");
        }
        try {
            return switch (text(request, "op")) {
                case "plan" -> told(text(request, "act"), noted(request));
                case "act" -> act(request);
                case "undo" -> undo(request);
                default -> throw new IllegalArgumentException("unknown op " + request.get("op"));
            };
        } finally {
            acting.unlock();
        }
    }

    private static Map<String, Object> problem(LauncherException e) {
        boolean unavailable = e.code().startsWith("data.") || UNAVAILABLE.contains(e.code());
        return Map.of(
                "code", e.code(),
                "problem", e.why(),
                "next", e.next(),
                "kind", unavailable ? "UNAVAILABLE" : "REJECTED");
    }

    private static String text(Map<String, Object> request, String name) {
        return request.get(name) instanceof String text ? text : "";
    }

    private StackFiles.Numbered current() throws LauncherException {
        StackFiles.Numbered current = stack.current();
        if (current == null || !stack.isApproved(current)) {
            throw new LauncherException(
                    "stack.tampered",
                    "Nothing was changed.",
                    "The current stack generation is not what this node wrote.",
                    "Find out who can write to the data directory, then start the node again.");
        }
        return current;
    }

    private RunningStack live() throws LauncherException {
        RunningStack now = live;
        if (now == null) {
            throw new LauncherException(
                    "node.starting", "Nothing was changed.", "The node is still starting.", "Try again in a moment.");
        }
        return now;
    }

    /** What runs, with the selections that swaps have made since; not with those that wait for the next start. */
    private Generation running(Generation now) {
        Map<String, List<String>> slots = new TreeMap<>(running.slots());
        RunningStack there = live;
        Map<String, RunningStack.SlotState> states = there == null ? Map.of() : there.slots();
        slots.replaceAll((slot, select) -> {
            List<String> selected = now.slots().get(slot);
            RunningStack.SlotState state = states.get(slot);
            boolean serves = selected != null
                    && running.complete().keySet().containsAll(selected)
                    && (state == null
                            || state.instance().isEmpty()
                            || selected.contains(state.instance())
                            || !select.contains(state.instance()));
            return serves ? Objects.requireNonNull(selected) : select;
        });
        return running.with(running.plugins(), running.overrides(), slots);
    }

    // ---- looking ----

    private Map<String, Object> show() throws LauncherException, IOException {
        StackFiles.Numbered current = current();
        Generation now = current.generation();
        List<Map<String, Object>> plugins = new ArrayList<>();
        for (Generation.Plugin plugin : now.plugins()) {
            plugins.add(shown(plugin, now));
        }
        List<Map<String, Object>> overrides = new ArrayList<>();
        new TreeMap<>(now.overrides())
                .forEach((pid, properties) -> overrides.add(Map.of(
                        "pid",
                        pid,
                        "properties",
                        new String(Json.compact(new TreeMap<>(properties)), StandardCharsets.UTF_8))));
        List<Map<String, Object>> slots = new ArrayList<>();
        new TreeMap<>(now.slots()).forEach((slot, select) -> slots.add(Map.of("slot", slot, "select", select)));
        StackDesk.Newest newest = desk.newest();
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("generation", current.number());
        shown.put("features", now.features());
        shown.put("plugins", plugins);
        shown.put("overrides", overrides);
        shown.put("slots", slots);
        shown.put("restartNeeded", !running(now).complete().equals(now.complete()) || !samePlugins(now));
        shown.put("undo", newest == null ? "" : newest.act());
        shown.put("undoWords", newest == null ? "" : newest.words());
        return shown;
    }

    private Map<String, Object> shown(Generation.Plugin plugin, Generation now) throws LauncherException {
        byte[] jar = jars.content(plugin.sha256());
        byte[] signature = jars.signature(plugin.sha256());
        Map<String, Object> shown;
        String refused = "";
        try {
            shown = StackPlan.reach(gate.keep(jar, signature, now));
        } catch (LauncherException e) {
            shown = StackPlan.reach(
                    PluginArchive.of(jar), "", PluginSignature.parse(signature).key());
            refused = ", not trusted any more (" + e.code() + ")";
        }
        shown.put(
                "instances", plugin.configurations().keySet().stream().sorted().toList());
        shown.put("state", state(plugin) + refused);
        return shown;
    }

    private boolean samePlugins(Generation now) {
        return running.plugins().equals(now.plugins());
    }

    private String state(Generation.Plugin plugin) throws LauncherException {
        Bundle bundle = live().at(jars.pathOf(plugin.sha256()));
        return switch (bundle == null ? Bundle.UNINSTALLED : bundle.getState()) {
            case Bundle.ACTIVE, Bundle.STARTING -> "active";
            case Bundle.RESOLVED, Bundle.STOPPING -> "stopped";
            case Bundle.INSTALLED -> "unresolved";
            default -> "not installed";
        };
    }

    // ---- planning ----

    private StackPlan plan(Map<String, Object> request) throws LauncherException {
        StackFiles.Numbered current = current();
        StackPlanner planner = new StackPlanner(jars, gate, scratch, live());
        return planner.plan(wanted(request, current.generation()), current, running(current.generation()));
    }

    private static StackFile wanted(Map<String, Object> request, Generation now) throws LauncherException {
        String act = text(request, "act");
        return switch (act) {
            case "apply" -> StackFile.read(path(request, "file"));
            case "install" -> StackFile.of(StackFile.Mode.INSTALL, List.of(file(request)));
            case "upgrade" -> StackFile.of(StackFile.Mode.UPGRADE, List.of(file(request)));
            case "remove" -> StackFile.of(StackFile.Mode.WHOLE, without(text(request, "plugin"), now));
            default -> throw new IllegalArgumentException("unknown act " + act);
        };
    }

    private static StackFile.Entry file(Map<String, Object> request) throws LauncherException {
        Path signature = request.containsKey("signature") ? path(request, "signature") : null;
        return new StackFile.Entry(path(request, "file"), signature, "", "", "", null);
    }

    private static List<StackFile.Entry> without(String bsn, Generation now) throws LauncherException {
        if (now.plugin(bsn) == null) {
            throw new LauncherException(
                    "plan.unknown-plugin",
                    "Nothing was changed.",
                    "No plugin " + bsn + " is installed.",
                    "./parley plugin list shows those there are.");
        }
        return now.plugins().stream()
                .filter(plugin -> !plugin.bsn().equals(bsn))
                .map(PluginDesk::same)
                .toList();
    }

    private static StackFile.Entry same(Generation.Plugin plugin) {
        return new StackFile.Entry(null, null, plugin.bsn(), plugin.version(), plugin.sha256(), null);
    }

    private static Path path(Map<String, Object> request, String name) throws LauncherException {
        try {
            Path path = Path.of(text(request, name));
            if (path.isAbsolute()) {
                return path;
            }
        } catch (InvalidPathException e) {
            LOG.debug("no path", e);
        }
        throw new LauncherException(
                "plan.bad-file", "Nothing was changed.", name + " is no absolute path.", "Name the file in full.");
    }

    private static Map<String, Object> told(String act, StackPlan plan) {
        Map<String, Object> told = new LinkedHashMap<>(plan.told());
        told.put("act", act);
        told.put("warning", plan.added().isEmpty() ? "" : FENCES);
        return told;
    }

    // ---- acting ----

    private Map<String, Object> act(Map<String, Object> request) throws LauncherException {
        String act = text(request, "act");
        String name = act.equals("apply") ? "stack.apply" : "plugin." + act;
        StackPlan plan = noted(request);
        return perform(name, plan, request, 0);
    }

    /** A plan; that one was refused is noted, but for looking at a stack file. */
    private StackPlan noted(Map<String, Object> request) throws LauncherException {
        String act = text(request, "act");
        boolean stackFile = act.equals("apply");
        try {
            StackPlan plan = plan(request);
            String agreed = text(request, "plan");
            if (!agreed.isEmpty() && !agreed.equals(plan.fingerprint())) {
                throw new LauncherException(
                        "plan.changed",
                        "Nothing was changed.",
                        "What would be done is no longer what was shown.",
                        "Look at the plan again, then decide.");
            }
            return plan;
        } catch (LauncherException e) {
            if (!stackFile || text(request, "op").equals("act")) {
                Map<String, Object> what = new LinkedHashMap<>();
                what.put("of", stackFile ? "stack.apply" : "plugin." + act);
                what.put("code", e.code());
                what.put("file", text(request, "file"));
                what.put("plugin", text(request, "plugin"));
                what.put("who", text(request, "who"));
                desk.refused(stackFile ? "stack.refused" : "plugin.refused", what);
            }
            throw e;
        }
    }

    private Map<String, Object> undo(Map<String, Object> request) throws LauncherException, IOException {
        StackDesk.Newest newest = desk.newest();
        StackFiles.Numbered earlier = newest == null ? null : stack.earlier(newest.previous());
        if (newest == null || earlier == null) {
            throw new LauncherException(
                    "stack.nothing-to-undo",
                    "Nothing was changed.",
                    newest == null
                            ? "Nothing was done that was not taken back."
                            : "Stack generation " + newest.previous() + " is no longer kept.",
                    "./parley stack show tells what runs; a stack file changes it.");
        }
        StackFiles.Numbered current = current();
        StackPlan plan =
                new StackPlanner(jars, gate, scratch, live()).back(earlier, current, running(current.generation()));
        Map<String, Object> done = new LinkedHashMap<>(perform("stack.undo", plan, request, newest.entry()));
        done.put("undone", newest.words());
        return done;
    }

    private Map<String, Object> perform(String name, StackPlan plan, Map<String, Object> request, long undoes)
            throws LauncherException {
        if (plan.isEmpty() && undoes == 0) {
            return report(name, plan, plan.before(), List.of());
        }
        boolean restart = plan.verdict() == StackPlan.Verdict.RESTART;
        Map<String, Object> what = new LinkedHashMap<>();
        what.put("who", text(request, "who"));
        what.put("why", text(request, "why"));
        what.put("changes", clipped(plan.words()));
        what.put("plugins", plan.added().stream().map(PluginDesk::identity).toList());
        what.put("verdict", plan.verdict().words());
        Undoing undoing = new Undoing();
        List<RunningStack.Swapped> swapped = new ArrayList<>();
        boolean begun = false;
        String problem = "plugin.failed";
        try {
            desk.begin(
                    name,
                    String.join("; ", clipped(plan.words())),
                    what,
                    plan.before(),
                    plan.target(),
                    restart ? Map.of() : plan.swaps(),
                    undoes);
            begun = true;
            for (TrustStore.Admitted plugin : plan.added()) {
                String sha256 = plugin.archive().sha256();
                if (!jars.holds(sha256)) {
                    undoing.add(() -> {
                        jars.discard(sha256);
                        gate.forget(sha256);
                    });
                    jars.admit(plugin);
                    gate.accept(plugin);
                }
            }
            if (!restart) {
                change(live(), plan, name, undoing, swapped);
            }
            StackFiles.Numbered committed = desk.commit();
            problem = "";
            if (!restart) {
                settle(live(), plan);
                running = plan.target();
            }
            LOG.info("{}: {}; stack generation {}", name, String.join("; ", plan.words()), committed.number());
            return report(name, plan, committed, swapped);
        } catch (LauncherException e) {
            problem = e.code();
            throw e;
        } catch (IOException e) {
            throw NodeDirectory.unusable(scratch, e);
        } finally {
            if (!problem.isEmpty()) {
                undoing.run();
            }
            if (begun) {
                desk.end(problem);
            }
        }
    }

    private static String identity(TrustStore.Admitted plugin) {
        PluginArchive archive = plugin.archive();
        return archive.bsn() + " " + archive.version() + " " + archive.sha256() + " signed by "
                + plugin.publisher().name() + " " + plugin.publisher().key();
    }

    /** A line of the audit log has an end. */
    private static List<String> clipped(List<String> words) {
        List<String> clipped = new ArrayList<>();
        for (String line : words.subList(0, Math.min(words.size(), 50))) {
            clipped.add(line.length() > 500 ? line.substring(0, 500) + "..." : line);
        }
        return clipped;
    }

    /** Steps back, the newest first; each is tried whatever becomes of the others. */
    private static final class Undoing {
        private final Deque<Step> steps = new ArrayDeque<>();

        private interface Step {
            void back() throws LauncherException;
        }

        void add(Step step) {
            steps.push(step);
        }

        void run() {
            while (!steps.isEmpty()) {
                try {
                    steps.pop().back();
                } catch (LauncherException | RuntimeException e) {
                    LOG.error("A step of the change could not be put back; the next start of the node does", e);
                }
            }
        }
    }

    /** Everything up to the switch; what is there is not touched but for configurations that change. */
    private void change(
            RunningStack live, StackPlan plan, String name, Undoing undoing, List<RunningStack.Swapped> swapped)
            throws LauncherException {
        List<Bundle> fresh = new ArrayList<>();
        undoing.add(() -> live.uninstall(fresh));
        for (TrustStore.Admitted plugin : plan.added()) {
            fresh.add(live.install(jars.verified(plugin.archive().sha256())));
        }
        live.resolve(fresh);
        for (Bundle bundle : fresh) {
            live.start(bundle, START);
        }
        Map<String, Map<String, Object>> before = running.complete();
        Map<String, Map<String, Object>> after = plan.target().complete();
        for (String pid : plan.created()) {
            String location = location(plan.target(), pid);
            undoing.add(() -> live.unconfigure(pid, location));
            live.configure(pid, location, resolved(pid, after));
        }
        for (String pid : plan.changed()) {
            String location = location(plan.target(), pid);
            boolean served = live.isServed(pid);
            Map<String, Object> old = resolved(pid, before);
            Map<String, Object> next = resolved(pid, after);
            undoing.add(() -> live.configure(pid, location, old));
            live.configure(pid, location, next);
            if (served && !RunningStack.within(APPEAR, () -> live.isServedWith(pid, next))) {
                throw failed("plugin.not-ready", pid + " does not run with its new configuration");
            }
        }
        checkFilled(live, plan);
        for (Map.Entry<String, String> swap : plan.swaps().entrySet()) {
            String slot = swap.getKey();
            String instance = swap.getValue();
            awaitCandidate(live, slot, instance);
            RunningStack.Swapped done = live.swap(slot, instance, name, String.join("; ", clipped(plan.words())));
            undoing.add(() -> live.swap(slot, done.from(), "rollback", name + " failed"));
            swapped.add(done);
        }
    }

    private static void awaitCandidate(RunningStack live, String slot, String instance) throws LauncherException {
        boolean there = RunningStack.within(APPEAR, () -> {
            RunningStack.SlotState state = live.slots().get(slot);
            return state != null && state.candidates().contains(instance);
        });
        if (!there) {
            throw failed(
                    "plan.unknown-instance",
                    instance + " did not become a candidate of slot " + slot
                            + ": its bundle has no such component for that slot, or the component does not start");
        }
    }

    /** A slot whose instance got another configuration, or that is new, has to be filled before anything is final. */
    private static void checkFilled(RunningStack live, StackPlan plan) throws LauncherException {
        for (Map.Entry<String, List<String>> slot : plan.target().slots().entrySet()) {
            boolean fresh = plan.created().stream()
                    .anyMatch(pid -> pid.startsWith(Generation.SLOT_FACTORY)
                            && slot.getKey()
                                    .equals(plan.target()
                                            .complete()
                                            .getOrDefault(pid, Map.of())
                                            .get(Generation.SLOT)));
            boolean touched = slot.getValue().stream().anyMatch(plan.changed()::contains);
            if (!fresh && !touched || plan.swaps().containsKey(slot.getKey())) {
                continue;
            }
            String[] problem = {"it is not there"};
            boolean filled = RunningStack.within(APPEAR, () -> {
                RunningStack.SlotState state = live.slots().get(slot.getKey());
                if (state != null) {
                    problem[0] = state.problem();
                }
                return state != null && state.filled();
            });
            if (!filled) {
                throw failed("plugin.not-ready", "Slot " + slot.getKey() + " is empty: " + problem[0]);
            }
        }
    }

    /** After the switch: takes away what nothing selects any more. A failure is logged, the next start does it. */
    private void settle(RunningStack live, StackPlan plan) {
        for (String pid : plan.deleted()) {
            try {
                live.unconfigure(pid, location(running, pid));
            } catch (LauncherException | RuntimeException e) {
                LOG.error("Configuration {} stays until the next start", pid, e);
            }
        }
        List<Bundle> gone = new ArrayList<>();
        for (Generation.Plugin plugin : plan.removed()) {
            Bundle bundle = live.at(jars.pathOf(plugin.sha256()));
            if (bundle != null) {
                gone.add(bundle);
            }
        }
        live.uninstall(gone);
    }

    private Map<String, Object> resolved(String pid, Map<String, Map<String, Object>> all) throws LauncherException {
        return placeholders.resolve(pid, all.getOrDefault(pid, Map.of()));
    }

    private String location(Generation generation, String pid) {
        String owner = generation.ownerOf(pid);
        return owner == null ? ANY_BUNDLE : RunningStack.location(jars.pathOf(owner));
    }

    private static LauncherException failed(String code, String why) {
        return new LauncherException(
                code,
                "Nothing was changed.",
                why.endsWith(".") ? why : why + ".",
                "./parley logs tells more; ask whoever made the plugin.");
    }

    private static Map<String, Object> report(
            String name, StackPlan plan, StackFiles.Numbered now, List<RunningStack.Swapped> swapped) {
        List<Map<String, Object>> swaps = new ArrayList<>();
        for (RunningStack.Swapped swap : swapped) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("slot", swap.slot());
            one.put("from", swap.from());
            one.put("to", swap.to());
            one.put("inFlight", swap.inFlight());
            one.put("cut", swap.cut());
            one.put("longestPauseMicros", swap.longestPauseMicros());
            swaps.add(one);
        }
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("act", name);
        report.put("generation", now.number());
        report.put("changes", plan.words());
        report.put("swaps", swaps);
        report.put("verdict", plan.verdict().words());
        report.put("words", words(plan, now, swapped));
        return report;
    }

    private static String words(StackPlan plan, StackFiles.Numbered now, List<RunningStack.Swapped> swapped) {
        if (plan.words().isEmpty() && now.number() == plan.before().number()) {
            return "Nothing to do: the node runs that already.";
        }
        StringBuilder words = new StringBuilder();
        for (RunningStack.Swapped swap : swapped) {
            words.append("Slot ")
                    .append(swap.slot())
                    .append(": ")
                    .append(swap.from().isEmpty() ? "nothing" : swap.from())
                    .append(" gave way to ")
                    .append(swap.to())
                    .append(", longest wait ")
                    .append(swap.longestPauseMicros() / 1000)
                    .append('.')
                    .append(swap.longestPauseMicros() / 100 % 10)
                    .append(" ms, cut ")
                    .append(swap.cut())
                    .append(". ");
        }
        words.append("Stack generation ").append(now.number()).append('.');
        if (plan.verdict() == StackPlan.Verdict.RESTART) {
            words.append(" It takes effect when the node starts anew: ./parley stop, then ./parley start.");
        }
        return words.toString();
    }
}
