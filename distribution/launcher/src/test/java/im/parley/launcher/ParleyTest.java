package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ParleyTest {
    @TempDir
    Path temp;

    private Path home;
    private Path data;

    @BeforeEach
    void distribution() throws IOException {
        home = FakeDistribution.in(temp.resolve("home"));
        data = temp.resolve("data");
    }

    private LauncherException refusedStart() {
        ParleyConfig config = ParleyConfig.builder(home, data)
                .stateDir(temp.resolve("state"))
                .runtimeDir(temp.resolve("run"))
                .build();
        return assertThrows(LauncherException.class, () -> Parley.start(config));
    }

    @ParameterizedTest
    @ValueSource(strings = {FakeDistribution.BUNDLE, "lib/plain-1.jar", "features/base.json"})
    void oneFlippedByteIsRefusedBeforeTheFrameworkStarts(String file) throws IOException {
        FakeDistribution.flip(home.resolve(file));
        LauncherException refused = refusedStart();
        assertEquals("distribution.tampered", refused.code());
        assertTrue(refused.what().contains(file), refused.what());
        assertFalse(Files.exists(data.resolve("cache")), "no framework was started");
    }

    @Test
    void missingJarIsNamed() throws IOException {
        Files.delete(home.resolve(FakeDistribution.BUNDLE));
        LauncherException refused = refusedStart();
        assertEquals("distribution.tampered", refused.code());
        assertTrue(refused.what().contains(FakeDistribution.BUNDLE));
    }

    @Test
    void lockThatLeavesTheDistributionIsRefused() throws IOException {
        Path lock = home.resolve(DistributionLock.FILE);
        Files.writeString(lock, Files.readString(lock).replace(FakeDistribution.BUNDLE, "../outside.jar"));
        assertEquals("distribution.invalid", refusedStart().code());
    }

    @Test
    void noDistributionIsSaid() {
        home = temp.resolve("nothing");
        assertEquals("distribution.missing", refusedStart().code());
    }

    @Test
    void secondNodeOnTheSameDataIsRefusedAndLeavesTheFirstAlone() throws LauncherException {
        try (NodeDirectory first = NodeDirectory.open(data)) {
            first.writeCard(new NodeDirectory.Card(Path.of("/x.sock"), 4711, "1"));
            LauncherException refused = refusedStart();
            assertEquals("node.running", refused.code());
            assertTrue(refused.why().contains("4711"), refused.why());
            assertTrue(Files.exists(data.resolve("node.json")));
        }
        assertFalse(Files.exists(data.resolve("node.json")));
    }

    @Test
    void failedStartGivesTheLockBack() throws Exception {
        FakeDistribution.flip(home.resolve(FakeDistribution.BUNDLE));
        refusedStart();
        NodeDirectory.open(data).close();
    }

    @Test
    void jarThatChangedInTheStoreIsRefused() throws Exception {
        // Bundles without Configuration Admin cannot boot, but they are admitted before that is noticed.
        assertEquals("bundle.failed", refusedStart().code());
        Path stored;
        try (Stream<Path> jars = Files.list(data.resolve("jars"))) {
            stored = jars.findFirst().orElseThrow();
        }
        FakeDistribution.flip(stored);
        LauncherException refused = refusedStart();
        assertEquals("distribution.tampered", refused.code());
        assertTrue(refused.what().contains(String.valueOf(stored.getFileName())), refused.what());
    }

    @Test
    void changedDistributionGetsANewGenerationAndAnEqualOneDoesNot() throws Exception {
        refusedStart();
        refusedStart();
        StackFiles stack = new StackFiles(data.resolve("stack"));
        assertEquals(1, Objects.requireNonNull(stack.current()).number());
        FakeDistribution.jar(home.resolve(FakeDistribution.BUNDLE), "x.part.next");
        im.parley.launcher.assemble.SealDistribution.seal(home, "1.2.4");
        refusedStart();
        assertEquals(2, Objects.requireNonNull(stack.current()).number());
        assertTrue(Objects.requireNonNull(stack.current()).generation().bundles().stream()
                .anyMatch(bundle -> bundle.bsn().equals("x.part.next")));
    }
}
