package im.parley.launcher;

import static im.parley.launcher.SampleStack.OWN;
import static im.parley.launcher.SampleStack.PLUGIN;
import static im.parley.launcher.SampleStack.SLOT;
import static im.parley.launcher.SampleStack.chess;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a start takes from a data directory in which anybody may have written. */
class BootStackTest {
    @TempDir
    Path dir;

    private SampleStack sample;
    private Path stackDir;
    private Generation changed;

    @BeforeEach
    void oneGeneration() throws Exception {
        sample = new SampleStack(dir);
        stackDir = Files.createDirectories(dir.resolve("data/stack"));
        Generation plain = sample.distribution("lock");
        Path jar = sample.signed(chess("1.0.0"));
        TrustStore.Admitted admitted = sample.gate.admit(jar, null, plain);
        sample.jars.admit(admitted);
        sample.gate.accept(admitted);
        changed = plain.with(
                List.of(new Generation.Plugin(
                        PLUGIN, "1.0.0", admitted.archive().sha256(), Map.of(PLUGIN + "~main", Map.of("size", 8L)))),
                Map.of(OWN, Map.of("limit", 6L)),
                selecting(plain, PLUGIN + "~main"));
        stack().append(changed);
    }

    private static Map<String, List<String>> selecting(Generation generation, String instance) {
        return generation.selecting(SLOT, List.of(instance)).slots();
    }

    private StackFiles stack() throws LauncherException {
        return new StackFiles(stackDir, ApprovedStack.open(dir.resolve("data"), sample.state));
    }

    private BootStack.Chosen boot(Generation expected) throws LauncherException {
        StackFiles stack = stack();
        DistributionLock lock = new DistributionLock(
                "1",
                expected.lock(),
                expected.bundles().stream()
                        .map(bundle -> new DistributionLock.Jar(
                                "g:" + bundle.bsn(), bundle.bsn(), bundle.version(), bundle.sha256(), "b", 20))
                        .toList(),
                Map.of());
        return new BootStack(stack, lock, sample.jars, sample.gate, sample.scratch).choose(expected, stack.current());
    }

    private void refused(String code, String why) {
        LauncherException refused = assertThrows(LauncherException.class, () -> boot(sample.distribution("lock")));
        assertEquals(code, refused.code(), refused.getMessage());
        assertTrue(refused.why().contains(why), refused.why());
    }

    @Test
    void whatThisNodeWroteRuns() throws Exception {
        BootStack.Chosen chosen = boot(sample.distribution("lock"));
        assertEquals(1, chosen.current().number());
        assertEquals(changed, chosen.current().generation());
        try (Stream<Path> notes = Files.list(sample.state.resolve("stack"))) {
            Path note = notes.findFirst().orElseThrow();
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(note)));
        }
    }

    @Test
    void whatSomebodyElseWroteDoesNot() throws Exception {
        Path file = stackDir.resolve("1.json");
        String written = Files.readString(file);
        Files.writeString(file, written.replace("\"limit\" : 6", "\"limit\" : 7"));
        refused("stack.tampered", "plugins");
        Files.writeString(file, written + " ");
        refused("stack.tampered", "not what this node wrote");
        Files.writeString(file, written);
        boot(sample.distribution("lock"));
        // Nor what it wrote for another data directory, or before it wrote something newer.
        stack().append(sample.distribution("lock"));
        Files.writeString(stackDir.resolve("current"), "1\n");
        refused("stack.tampered", "not what this node wrote");
    }

    @Test
    void withoutItsNotesOnlyTheDistributionsOwnRuns() throws Exception {
        sample.distribution("lock");
        try (Stream<Path> notes = Files.list(sample.state.resolve("stack"))) {
            Files.delete(notes.findFirst().orElseThrow());
        }
        refused("stack.tampered", "plugins");
        Generation swapped = sample.distribution("lock").selecting(SLOT, List.of("x.store~second"));
        new StackFiles(stackDir).append(swapped);
        assertEquals(swapped, boot(sample.distribution("lock")).current().generation());
        StackFiles.Numbered current = stack().current();
        assertNotNull(current);
        assertTrue(stack().isApproved(current), "and from now on it is its own");
    }

    @Test
    void aKillBetweenTheStepsOfASwitchIsNoHarm() throws Exception {
        ApprovedStack notes = ApprovedStack.open(dir.resolve("data"), sample.state);
        Generation next = changed.selecting(SLOT, List.of(OWN));
        String hash = Hashes.sha256(next.toJson());
        notes.approve(2, hash);
        assertEquals(1, boot(sample.distribution("lock")).current().number(), "approved, not written");
        Files.write(stackDir.resolve("2.json"), next.toJson());
        assertEquals(1, boot(sample.distribution("lock")).current().number(), "written, not current");
        Files.writeString(stackDir.resolve("current"), "2\n");
        assertEquals(next, boot(sample.distribution("lock")).current().generation(), "current, not noted");
    }

    @Test
    void aPluginRunsOnAfterItsSignatureRanOutButNotOnceItIsRevoked() throws Exception {
        sample.laterBy(Duration.ofDays(400));
        boot(sample.distribution("lock"));
        Path jar = sample.jars.pathOf(changed.plugins().get(0).sha256());
        byte[] content = Files.readAllBytes(jar);
        Files.write(jar, new byte[] {1});
        refused("stack.untrusted-bundle", PLUGIN);
        Files.write(jar, content);
        sample.trust.revokeKey(Ed25519.hex(sample.acme.getPublic()), "stolen", SampleStack.NOW);
        BootStack.Chosen chosen = boot(sample.distribution("lock"));
        assertEquals(Map.of(changed.plugins().get(0).sha256(), "plugin.revoked"), chosen.leftOut());
        assertEquals(changed, chosen.current().generation(), "what selects it stays empty and falls back to nothing");
        assertEquals(
                changed.plugins(),
                boot(sample.distribution("next")).current().generation().plugins(),
                "also with another distribution");
    }

    @Test
    void anotherDistributionKeepsWhatFitsAndSaysWhatDoesNot() throws Exception {
        BootStack.Chosen chosen = boot(sample.distribution("next"));
        assertEquals(2, chosen.current().number());
        assertEquals(List.of(), chosen.dropped());
        assertEquals("next", chosen.current().generation().lock());
        assertEquals(changed.plugins(), chosen.current().generation().plugins());
        assertEquals(changed.overrides(), chosen.current().generation().overrides());
        assertEquals(changed.slots(), chosen.current().generation().slots());

        BootStack.Chosen other = boot(sample.distribution("later", "0.2.0"));
        assertEquals(List.of(), other.current().generation().plugins());
        assertEquals(List.of(OWN), other.current().generation().slots().get(SLOT));
        assertEquals(changed.overrides(), other.current().generation().overrides());
        assertTrue(
                other.dropped().get(0).contains("needs im.parley.api.policy from 0.1.0 below 0.2.0"),
                other.dropped().toString());
        assertTrue(
                other.dropped().get(1).contains("slot " + SLOT), other.dropped().toString());
    }

    @Test
    void whatNobodyChangedFollowsTheDistribution() throws Exception {
        Generation old = sample.distribution("lock");
        Generation next = old.selecting("kept.a", List.of("x.keep~second"));
        next = new Generation(
                "next",
                next.features(),
                next.bundles(),
                next.configurations(),
                next.slots(),
                List.of(),
                Map.of(),
                next.slots());
        Generation carried = next.carrying(old, List.of()).generation();
        assertEquals(List.of("x.keep~second"), carried.slots().get("kept.a"), "a new selection of the features");
        Generation chosen = old.selecting("kept.b", List.of("x.keep~second"));
        assertEquals(
                List.of("x.keep~second"),
                next.carrying(chosen, List.of()).generation().slots().get("kept.b"),
                "a selection that somebody made");
        assertEquals(
                List.of("the configuration gone~x, because no bundle has it any more"),
                next.carrying(old.with(List.of(), Map.of("gone~x", Map.of()), old.slots()), List.of())
                        .dropped());
    }

    @Test
    void signaturesStayWithTheirJars() throws Exception {
        String sha256 = changed.plugins().get(0).sha256();
        sample.jars.keepOnly(Set.of(sha256));
        assertTrue(sample.jars.signature(sha256).length > 0);
        sample.jars.keepOnly(Set.of());
        assertEquals(0, sample.jars.signature(sha256).length);
    }
}
