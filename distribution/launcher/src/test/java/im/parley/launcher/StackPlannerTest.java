package im.parley.launcher;

import static im.parley.launcher.SampleStack.OWN;
import static im.parley.launcher.SampleStack.PLUGIN;
import static im.parley.launcher.SampleStack.SLOT;
import static im.parley.launcher.SampleStack.chess;
import static im.parley.launcher.SampleStack.entry;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.fence.Fence;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.felix.framework.FrameworkFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.launch.Framework;

/** Plans against the framework's own resolver and signatures that are real; nothing of a slot runs here. */
class StackPlannerTest {
    @TempDir
    Path dir;

    private SampleStack sample;
    private Framework framework;
    private StackPlanner planner;
    private StackFiles stack;
    private StackFiles.Numbered current;

    @BeforeEach
    void start() throws Exception {
        sample = new SampleStack(dir);
        framework = new FrameworkFactory().newFramework(Container.frameworkProperties(dir.resolve("cache")));
        framework.start();
        planner = new StackPlanner(
                sample.jars,
                sample.gate,
                sample.scratch,
                new RunningStack(framework.getBundleContext(), new Fence(Set.of(), (act, what) -> {})));
        stack = new StackFiles(
                Files.createDirectories(dir.resolve("stack")), ApprovedStack.open(dir.resolve("data"), sample.state));
        current = stack.append(sample.distribution("lock"));
    }

    @AfterEach
    void stop() throws Exception {
        framework.stop();
        framework.waitForStop(0);
        assertFalse(Files.exists(sample.scratch), "a plan leaves nothing");
    }

    private StackPlan plan(StackFile file) throws LauncherException {
        return planner.plan(file, current, current.generation());
    }

    private StackPlan plan(String members) throws Exception {
        return plan(StackFile.parse(("{\"format\":1," + members + "}").getBytes(StandardCharsets.UTF_8), dir));
    }

    private StackPlan install(PluginForge forge) throws Exception {
        return plan(StackFile.of(StackFile.Mode.INSTALL, List.of(entry(sample.signed(forge)))));
    }

    private StackPlan upgrade(PluginForge forge) throws Exception {
        return plan(StackFile.of(StackFile.Mode.UPGRADE, List.of(entry(sample.signed(forge)))));
    }

    private void done(StackPlan plan) throws LauncherException {
        sample.accept(plan);
        current = stack.append(plan.target());
    }

    private static void refused(String code, String why, org.junit.jupiter.api.function.Executable act) {
        LauncherException refused = assertThrows(LauncherException.class, act);
        assertEquals(code, refused.code(), refused.getMessage());
        assertTrue(refused.why().contains(why), refused.why());
    }

    private Map<String, Object> effective(String pid) {
        Map<String, Object> properties = current.generation().complete().get(pid);
        assertNotNull(properties, pid);
        return properties;
    }

    @Test
    void anInstalledPluginIsACandidateAndFillsNothing() throws Exception {
        StackPlan plan = install(chess("1.0.0"));
        assertEquals(StackPlan.Verdict.HOT, plan.verdict());
        assertEquals(Set.of(PLUGIN + "~main"), plan.created());
        assertEquals(Map.of(), plan.swaps());
        assertEquals(current.generation().slots(), plan.target().slots());
        assertEquals(
                List.of("plugin " + PLUGIN + " 1.0.0 comes", "configuration " + PLUGIN + "~main comes"), plan.words());
        done(plan);
        assertEquals(Map.of("size", 8L), effective(PLUGIN + "~main"));
        assertEquals(Hashes.sha256(chess("1.0.0").jar()), current.generation().ownerOf(PLUGIN + "~main"));
        refused("plugin.installed", "already", () -> install(chess("1.1.0")));
        refused("plugin.not-installed", "com.acme.go", () -> upgrade(PluginForge.plugin("com.acme.go", "1.0.0")));
    }

    @Test
    void aSuccessorHasTheSlotsTheOverridesAndTheDirectoryOfTheOneBefore() throws Exception {
        done(install(chess("1.0.0")));
        done(plan("\"slots\":{\"policy.limits\":[\"" + PLUGIN + "~main\"]},\"configurations\":{\"" + PLUGIN
                + "~main\":{\"level\":3}}"));
        StackPlan plan = upgrade(chess("1.1.0"));
        String next = PLUGIN + "~main-1.1.0";
        assertEquals(Map.of(SLOT, next), plan.swaps());
        assertEquals(Set.of(PLUGIN + "~main"), plan.deleted());
        assertEquals(1, plan.removed().size());
        done(plan);
        assertEquals(Map.of("size", 8L, "level", 3L, "parley.directory", PLUGIN + "~main"), effective(next));
        assertEquals(List.of(next), current.generation().slots().get(SLOT));

        done(upgrade(chess("2.0.0")));
        assertEquals(
                PLUGIN + "~main", effective(PLUGIN + "~main-2.0.0").get("parley.directory"), "not one version further");
        StackPlan same = plan("\"slots\":{\"policy.limits\":[\"" + PLUGIN + "~main\"]}");
        assertTrue(same.isEmpty(), "a stack file need not know what version an instance is of: " + same.words());
        refused("plugin.downgrade", "1.9.0", () -> upgrade(chess("1.9.0")));
        refused(
                "plugin.downgrade",
                "another content",
                () -> upgrade(chess("2.0.0").with("more.txt", "other bytes")));
    }

    @Test
    void whatIsRemovedGivesItsSlotBackToTheDistribution() throws Exception {
        done(install(chess("1.0.0")));
        done(plan("\"slots\":{\"policy.limits\":[\"" + PLUGIN + "~main\"]},\"configurations\":{\"" + PLUGIN
                + "~main\":{\"level\":3}}"));
        StackPlan plan = plan("\"plugins\":[]");
        assertEquals(Map.of(SLOT, OWN), plan.swaps());
        assertEquals(Map.of(), plan.target().overrides());
        StackFiles.Numbered before = current;
        done(plan);
        assertEquals(sample.distribution("lock"), current.generation());

        StackPlan back = planner.back(before, current, current.generation());
        assertEquals(1, back.added().size());
        assertEquals(before.generation(), back.target());
        sample.trust.revokeJar(Hashes.sha256(chess("1.0.0").jar()), "stolen", SampleStack.NOW);
        refused("plugin.revoked", "stolen", () -> planner.back(before, current, current.generation()));
    }

    @Test
    void aSlotOfItsOwnKeepsAPlugin() throws Exception {
        StackPlan plan = plan("\"plugins\":[{\"file\":\""
                + sample.signed(chess("1.0.0")) + "\"}],\"configurations\":{\"im.parley.slot~policy.chess\":"
                + "{\"parley.slot\":\"policy.chess\",\"handover\":\"none\"}},"
                + "\"slots\":{\"policy.chess\":[\"" + PLUGIN + "~main\"]}");
        assertEquals(StackPlan.Verdict.HOT, plan.verdict());
        assertEquals(Map.of(), plan.swaps(), "a new slot is not swapped");
        done(plan);
        refused("plan.slot-in-use", "policy.chess", () -> plan("\"plugins\":[]"));
        StackPlan both = plan("\"plugins\":[],\"configurations\":{\"im.parley.slot~policy.chess\":null}");
        done(both);
        assertEquals(sample.distribution("lock"), current.generation());
    }

    @Test
    void whatIsExportedChangesNothing() throws Exception {
        done(install(chess("1.0.0")));
        done(plan("\"slots\":{\"policy.limits\":[\"" + PLUGIN + "~main\"]},\"configurations\":{\"" + OWN
                + "\":{\"limit\":6}}"));
        done(upgrade(chess("1.1.0")));
        StackFile exported = StackFile.parse(StackFile.export(current.generation()), dir);
        StackPlan plan = plan(exported);
        assertTrue(plan.isEmpty(), plan.words().toString());
        assertEquals(List.of(), plan.words());
    }

    @Test
    void aNewerVersionOfABuiltInProviderRunsBesideIt() throws Exception {
        PluginForge newer = PluginForge.plugin("x.store", "1.0.1");
        refused("plugin.installed", "x.store", () -> install(newer));
        refused("plugin.downgrade", "1.0.0", () -> upgrade(PluginForge.plugin("x.store", "1.0.0")));
        StackPlan plan = upgrade(newer);
        assertEquals(Map.of(SLOT, OWN + "-1.0.1"), plan.swaps());
        assertEquals(Set.of(), plan.deleted(), "what the distribution brings stays");
        done(plan);
        assertEquals(Map.of("limit", 5L, "parley.directory", OWN), effective(OWN + "-1.0.1"));
        assertEquals(Map.of("limit", 5L), effective(OWN));
        assertEquals(Hashes.sha256(newer.jar()), current.generation().ownerOf(OWN + "-1.0.1"));
        assertFalse(Hashes.sha256(newer.jar()).equals(current.generation().ownerOf(OWN)));
        done(plan("\"plugins\":[]"));
        assertEquals(sample.distribution("lock"), current.generation());
    }

    @Test
    void onlyOneStoreMovesAtATimeAndOneWithoutHandoverNever() throws Exception {
        refused(
                "plan.several-stores",
                "kept.a, kept.b",
                () -> plan("\"slots\":{\"kept.a\":[\"x.keep~second\"],\"kept.b\":[\"x.keep~second\"]}"));
        refused("swap.no-handover", "fixed", () -> plan("\"slots\":{\"fixed\":[\"x.keep~second\"]}"));
        StackPlan plan = plan("\"slots\":{\"kept.a\":[\"x.keep~second\"],\"policy.limits\":[\"x.store~second\"]}");
        assertEquals(StackPlan.Verdict.PAUSE, plan.verdict());
        assertEquals(List.of(SLOT, "kept.a"), List.copyOf(plan.swaps().keySet()), "what keeps data comes last");
    }

    /** A start moves nothing: it would serve an empty store beside the full one. */
    @Test
    void noStoreMovesWithAChangeThatWaitsForTheNextStart() throws Exception {
        refused(
                "plan.move-alone",
                "kept.a",
                () -> plan("\"slots\":{\"kept.a\":[\"x.keep~second\"]},"
                        + "\"configurations\":{\"im.parley.egress\":{\"size\":9}}"));
        StackPlan stateless = plan("\"slots\":{\"policy.limits\":[\"x.store~second\"]},"
                + "\"configurations\":{\"im.parley.egress\":{\"size\":9}}");
        assertEquals(StackPlan.Verdict.RESTART, stateless.verdict());
    }

    @Test
    void howAStoreIsMovedAndWhenANodeIsReadyIsNotForAStackFile() throws Exception {
        refused(
                "plan.reserved",
                "handover",
                () -> plan("\"configurations\":{\"im.parley.slot~kept.a\":{\"handover\":\"none\"}}"));
        refused(
                "plan.reserved",
                "handover",
                () -> plan("\"configurations\":{\"im.parley.slot~fixed\":{\"handover\":\"none\"}}"));
        refused(
                "plan.duplicate-slot",
                "kept.a",
                () -> plan("\"configurations\":{\"im.parley.slot~other\":{\"parley.slot\":\"kept.a\","
                        + "\"handover\":\"none\"}},\"slots\":{\"kept.a\":[\"x.keep~main\"]}"));
    }

    /** All slots of one bundle change to its new version in one act, since nothing has to be copied. */
    @Test
    void severalStoresAreTakenOverAtOnce() throws Exception {
        StackPlan plan = upgrade(PluginForge.plugin("x.keep", "1.0.1"));
        String next = "x.keep~main-1.0.1";
        assertEquals(Map.of("kept.a", next, "kept.b", next, "fixed", next), plan.swaps());
        assertEquals(StackPlan.Verdict.PAUSE, plan.verdict());
        assertTrue(
                plan.reasons().toString().contains("writes wait"),
                plan.reasons().toString());
    }

    @Test
    void theVerdictSaysWhatPeopleNotice() throws Exception {
        StackPlan pause = plan("\"configurations\":{\"" + OWN + "\":{\"limit\":9}}");
        assertEquals(StackPlan.Verdict.PAUSE, pause.verdict());
        assertTrue(
                pause.words().toString().contains("limit 5 -> 9"), pause.words().toString());
        assertEquals(
                StackPlan.Verdict.HOT,
                plan("\"configurations\":{\"x.store~second\":{\"limit\":9}}").verdict());
        assertEquals(
                StackPlan.Verdict.HOT,
                plan("\"configurations\":{\"x.store~third\":{}}").verdict());
        StackPlan restart = plan("\"configurations\":{\"im.parley.egress\":{\"size\":9}}");
        assertEquals(StackPlan.Verdict.RESTART, restart.verdict());
        assertTrue(
                restart.reasons().toString().contains("im.parley.egress"),
                restart.reasons().toString());
        // What waits for a restart is not what runs.
        StackFiles.Numbered waiting = stack.append(restart.target());
        StackPlan back = planner.plan(
                StackFile.parse(
                        "{\"format\":1,\"configurations\":{\"im.parley.egress\":null}}"
                                .getBytes(StandardCharsets.UTF_8),
                        dir),
                waiting,
                current.generation());
        assertEquals(StackPlan.Verdict.HOT, back.verdict());
        assertFalse(back.isEmpty());
    }

    @Test
    void aPlanHasANameOfItsOwn() throws Exception {
        StackPlan one = plan("\"configurations\":{\"x.store~third\":{}}");
        assertEquals(
                one.fingerprint(),
                plan("\"configurations\":{\"x.store~third\":{}}").fingerprint());
        assertFalse(one.fingerprint()
                .equals(plan("\"configurations\":{\"x.store~fourth\":{}}").fingerprint()));
        current = stack.append(current.generation());
        assertFalse(one.fingerprint()
                .equals(plan("\"configurations\":{\"x.store~third\":{}}").fingerprint()));
    }

    @Test
    void PL_13_whatDoesNotResolveIsSaidInWords() throws Exception {
        refused(
                "plan.unresolved",
                "imports the package org.absent, which no bundle here exports",
                () -> install(chess("1.0.0").header("Import-Package", "org.absent")));
        refused(
                "plan.api-range",
                "needs im.parley.api.policy from 7.0.0 below 8.0.0; this node has 0.1.0",
                () -> install(chess("1.0.0").header("Import-Package", "im.parley.api.policy;version=\"[7,8)\"")));
        refused(
                "plan.rewires",
                "x.store 1.0.0 of the distribution would take a package from it",
                () -> install(chess("1.0.0").header("Export-Package", PLUGIN + ".api")));
    }

    @Test
    void configurationsThatMayNotBeAreRefused() {
        for (String[] wrong : new String[][] {
            {"plan.reserved", "\"im.parley.egress\":{\"logDir\":\"/tmp\"}"},
            {"plan.reserved", "\"im.parley.slot~policy.limits\":{\"select\":[\"a~b\"]}"},
            {"plan.reserved", "\"im.parley.slot~policy.limits\":{\"parley.slot\":\"other\"}"},
            {"plan.bad-configuration", "\"x.store~main\":{\"a\":\"${parley.data}\"}"},
            {"plan.bad-configuration", "\"x.store~main\":{\"a\":[\"b\",\"${\"]}"},
            {"plan.bad-configuration", "\"x.store~main\":{\"service.ranking\":7}"},
            {"plan.bad-configuration", "\"x.store~main\":{\"parley.directory\":\"im.parley.slot~main\"}"},
            {"plan.bad-configuration", "\"x.store~main\":{\"parley.directory\":\"x.store~../other\"}"},
            {"plan.bad-configuration", "\"x.store~ma/in\":{}"},
            {"plan.unknown-pid", "\"y.store~main\":{}"},
            {"plan.secret", "\"x.store~main\":{\"apiToken\":\"t\"}"},
            {"plan.secret", "\"x.store~main\":{\"k\":\"nsec1qqqq\"}"},
            {"plan.slot-empty", "\"im.parley.slot~new\":{\"parley.slot\":\"new\"}"}
        }) {
            refused(wrong[0], "", () -> plan("\"configurations\":{" + wrong[1] + "}"));
        }
    }
}
