package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.felix.framework.FrameworkFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.SynchronousBundleListener;
import org.osgi.framework.launch.Framework;

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
        return refusedStart(temp.resolve("state"));
    }

    private LauncherException refusedStart(Path state) {
        ParleyConfig config = ParleyConfig.builder(home, data)
                .stateDir(state)
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

    @ParameterizedTest
    @ValueSource(strings = {"lib/0-evil.jar", "bundles/evil-1.jar", "lib/folder", "bundles/notes.txt"})
    void unlistedFileBesideTheJarsIsRefused(String file) throws IOException {
        Files.writeString(home.resolve(file), "x");
        LauncherException refused = refusedStart();
        assertEquals("distribution.tampered", refused.code());
        assertTrue(refused.what().contains(file), refused.what());
        assertEquals(
                "distribution.tampered",
                assertThrows(LauncherException.class, () -> NodeProcess.classPath(home))
                        .code());
    }

    @Test
    void classPathIsWhatTheDistributionListsAndNothingElse() throws Exception {
        assertEquals(home.resolve("lib/plain-1.jar").toString(), NodeProcess.classPath(home));
        FakeDistribution.flip(home.resolve("lib/plain-1.jar"));
        assertEquals(
                "distribution.tampered",
                assertThrows(LauncherException.class, () -> NodeProcess.classPath(home))
                        .code());
        Path colon = FakeDistribution.in(temp.resolve("a:b"));
        LauncherException refused = assertThrows(LauncherException.class, () -> NodeProcess.classPath(colon));
        assertEquals("distribution.bad-path", refused.code());
        assertTrue(refused.why().contains("a:b"), refused.why());
    }

    private Path generationFile() throws IOException {
        Path file = data.resolve("stack/1.json");
        if (Files.notExists(file)) {
            // No Configuration Admin among the bundles, so it fails, after the generation was written.
            assertEquals("bundle.failed", refusedStart().code());
        }
        return file;
    }

    @Test
    void bundleThatTheDistributionDoesNotListIsRefused() throws Exception {
        Path file = generationFile();
        Path evil = temp.resolve("evil.jar");
        FakeDistribution.jar(evil, "x.evil");
        byte[] content = Files.readAllBytes(evil);
        String sha256 = Hashes.sha256(content);
        Files.write(data.resolve("jars").resolve(sha256 + ".jar"), content);
        String added = "\"bundles\" : [ { \"bsn\" : \"x.evil\", \"version\" : \"1.0.0\", \"sha256\" : \"" + sha256
                + "\", \"startLevel\" : 1 },";
        String changed = Files.readString(file).replaceFirst("\"bundles\" : \\[", added);
        assertTrue(changed.contains("x.evil"), changed);
        Files.writeString(file, changed);
        LauncherException refused = refusedStart();
        assertEquals("stack.untrusted-bundle", refused.code());
        assertTrue(refused.why().contains("x.evil") && refused.why().contains(sha256), refused.why());
        assertTrue(refused.why().contains("stack/1.json"), refused.why());
        try (Stream<Path> cached = Files.list(data.resolve("cache"))) {
            assertTrue(cached.noneMatch(path -> path.toString().contains("evil")), "it was not installed");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"configurations\" : {| \"configurations\" : { \"im.parley.x\" : { \"k\" : \"v\" }",
                "\"slots\" : {| \"slots\" : { \"curve\" : [ \"other~main\" ]",
                "\"startLevel\" : 20|\"startLevel\" : 21"
            })
    void generationThatSaysOtherThanTheFeaturesIsRefused(String change) throws Exception {
        Path file = generationFile();
        String written = Files.readString(file);
        int bar = change.indexOf('|');
        String changed = written.replace(change.substring(0, bar), change.substring(bar + 1));
        assertFalse(changed.equals(written), written);
        Files.writeString(file, changed);
        LauncherException refused = refusedStart();
        assertEquals("stack.tampered", refused.code());
        assertTrue(refused.next().contains("stack"), refused.next());
        // What it advises helps.
        Files.move(data.resolve("stack"), temp.resolve("stack.aside"));
        assertEquals("bundle.failed", refusedStart().code());
    }

    @Test
    void generationOfAnotherDistributionIsReplacedAndNeverRun() throws Exception {
        Path file = generationFile();
        String written = Files.readString(file);
        Files.writeString(file, written.replaceFirst("\"lock\" : \"..", "\"lock\" : \"zz"));
        assertEquals("bundle.failed", refusedStart().code());
        assertEquals(
                2,
                Objects.requireNonNull(new StackFiles(data.resolve("stack")).current())
                        .number());
    }

    @Test
    void jarInTheStoreThatIsALinkIsRefused() throws Exception {
        generationFile();
        Path stored;
        try (Stream<Path> jars = Files.list(data.resolve("jars"))) {
            stored = jars.findFirst().orElseThrow();
        }
        Path elsewhere = Files.move(stored, temp.resolve("elsewhere.jar"));
        Files.createSymbolicLink(stored, elsewhere);
        assertEquals("distribution.tampered", refusedStart().code());
    }

    @Test
    void keyWithinTheDataIsRefusedBeforeAnythingIsWritten() throws Exception {
        for (Path state : new Path[] {data, data.resolve("state"), data.resolve("a/b")}) {
            assertEquals("data.unsafe", refusedStart(state).code());
            assertFalse(Files.exists(data));
        }
        Path link = Files.createSymbolicLink(temp.resolve("link"), temp);
        assertEquals("data.unsafe", refusedStart(link.resolve("data/state")).code());
        assertFalse(Files.exists(data));
    }

    @Test
    void foreignDirectoryIsRefusedAndLeftAlone() throws Exception {
        Files.createDirectory(data, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        Files.writeString(data.resolve("letters.txt"), "mine");
        assertEquals("data.not-parley", refusedStart().code());
        try (Stream<Path> files = Files.list(data)) {
            assertEquals(1, files.count());
        }
        assertEquals("rwxr-xr-x", PosixFilePermissions.toString(Files.getPosixFilePermissions(data)));
        // A new file system is not somebody's directory.
        Files.delete(data.resolve("letters.txt"));
        Files.createDirectory(data.resolve("lost+found"));
        assertEquals("bundle.failed", refusedStart().code());
    }

    @ParameterizedTest
    @ValueSource(strings = {"a:b", "a;b", "a\nb"})
    void pathThatDatabasesCannotTakeIsRefused(String name) {
        data = temp.resolve(name);
        assertEquals("data.bad-path", refusedStart().code());
        assertFalse(Files.exists(data));
    }

    @Test
    void whatWillNotHealIsSaidInItsOwnWords() {
        String taken = "Listener relay cannot open 127.0.0.1:31000: another program has that port.";
        LauncherException port = Container.lasting("http.port-in-use", taken, 31000);
        assertEquals("Port 31000 is taken, so the node was not started.", port.what());
        assertEquals(taken, port.why());
        assertEquals("Free it, or try --port-base 31010.", port.next());
        assertEquals(
                "Port 31001 is taken, so the node was not started.",
                Container.lasting("http.port-in-use", "[::1]:31001", 31000).what());
        assertEquals(
                "Free it, or try --port-base 65522.",
                Container.lasting("http.port-in-use", "", 65532).next());
        LauncherException key = Container.lasting("vault.no-device-key", "The key /k is not here.", 31000);
        assertEquals("vault.no-device-key", key.code());
        assertTrue(key.next().contains("--state"), key.next());
        assertEquals("other", Container.lasting("other", "x", 1).code());
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
            assertTrue(
                    refused.why()
                            .contains(String.valueOf(ProcessHandle.current().pid())),
                    refused.why());
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

    private Parley running(Framework framework, Duration stopWithin) throws Exception {
        framework.start();
        return new Parley(
                NodeDirectory.open(data),
                new Container(framework, new LogBridge(), stopWithin),
                temp.resolve("s"),
                "1",
                1,
                1);
    }

    private Framework framework() {
        return new FrameworkFactory().newFramework(Container.frameworkProperties(temp.resolve("cache")));
    }

    /** Two processes on one database would be the end of it. */
    @Test
    void lockIsKeptWhileAPartOfTheNodeStillRuns() throws Exception {
        Framework framework = framework();
        Parley parley = running(framework, Duration.ofMillis(100));
        CountDownLatch stuck = new CountDownLatch(1);
        framework.getBundleContext().addBundleListener((SynchronousBundleListener) event -> {
            if (event.getType() == BundleEvent.STOPPING) {
                awaitQuietly(stuck);
            }
        });
        parley.close();
        assertEquals(
                "node.running",
                assertThrows(LauncherException.class, () -> NodeDirectory.open(data))
                        .code());
        stuck.countDown();
        parley.await();
        parley.close();
        NodeDirectory.open(data).close();
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            assertTrue(latch.await(30, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void interruptedCloseStillWaits() throws Exception {
        Framework framework = framework();
        Parley parley = running(framework, Duration.ofSeconds(30));
        Thread.currentThread().interrupt();
        parley.close();
        assertTrue(Thread.interrupted(), "the interrupt is for the caller");
        assertEquals(Bundle.RESOLVED, framework.getState());
        NodeDirectory.open(data).close();
    }

    @Test
    void closesFromTwoThreadsAreOne() throws Exception {
        Framework framework = framework();
        Parley parley = running(framework, Duration.ofSeconds(30));
        CountDownLatch closing = new CountDownLatch(1);
        CountDownLatch stuck = new CountDownLatch(1);
        framework.getBundleContext().addBundleListener((SynchronousBundleListener) event -> {
            if (event.getType() == BundleEvent.STOPPING) {
                closing.countDown();
                awaitQuietly(stuck);
            }
        });
        Thread other = new Thread(parley::close);
        other.start();
        awaitQuietly(closing);
        stuck.countDown();
        parley.close();
        assertEquals(Bundle.RESOLVED, framework.getState());
        other.join();
        try (NodeDirectory next = NodeDirectory.open(data)) {
            parley.close();
            assertTrue(Files.exists(next.sub("node.pid")), "what was closed leaves its successor alone");
        }
    }
}
