package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The script {@code ./parley} with a Java and a Maven that only tell how they were called. */
class ScriptTest {
    /** What the script may call besides Java, Maven and, if there is one, flock. */
    private static final List<String> TOOLS = List.of(
            "cat",
            "dirname",
            "find",
            "grep",
            "head",
            "ln",
            "locale",
            "mkdir",
            "readlink",
            "rm",
            "rmdir",
            "sed",
            "sleep",
            "tail",
            "tee");

    @TempDir
    Path temp;

    private Path home;
    private Path tools;

    private record Ended(int exit, List<String> out, String err) {}

    @BeforeEach
    void tools() throws IOException {
        home = temp.resolve("home");
        tools = Files.createDirectory(temp.resolve("bin"));
        for (String tool : TOOLS) {
            program(tools.resolve(tool), "exec " + toolFile(tool) + " \"$@\"");
        }
        Files.createDirectories(temp.resolve("java/bin"));
        Files.writeString(temp.resolve("java/release"), "JAVA_VERSION=\"17.0.1\"\n");
        program(temp.resolve("java/bin/java"), "echo \"LC_ALL=${LC_ALL-}\"", "printf '%s\\n' \"$@\"");
    }

    private static Path toolFile(String name) {
        for (String directory : List.of("/usr/bin", "/bin")) {
            if (Files.isExecutable(Path.of(directory, name))) {
                return Path.of(directory, name);
            }
        }
        throw new IllegalStateException("there is no " + name + " on this machine");
    }

    private static void program(Path file, String... lines) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + String.join("\n", lines) + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private void script(Path directory) throws IOException {
        Files.copy(Path.of(System.getProperty("parley.root"), "parley"), directory.resolve("parley"));
        Files.setPosixFilePermissions(directory.resolve("parley"), PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private Process begin(int number, Map<String, String> environment, String... arguments) throws IOException {
        List<String> line = new ArrayList<>(List.of(home.resolve("parley").toString()));
        line.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(line)
                .redirectOutput(temp.resolve("out" + number).toFile())
                .redirectError(temp.resolve("err" + number).toFile());
        builder.environment().clear();
        builder.environment().put("PATH", tools.toString());
        builder.environment().put("JAVA_HOME", temp.resolve("java").toString());
        builder.environment().putAll(environment);
        return builder.start();
    }

    private Ended end(int number, Process process) throws IOException, InterruptedException {
        assertTrue(process.waitFor(60, TimeUnit.SECONDS));
        return new Ended(
                process.exitValue(),
                Files.readAllLines(temp.resolve("out" + number), StandardCharsets.UTF_8),
                Files.readString(temp.resolve("err" + number)));
    }

    private Ended run(Map<String, String> environment, String... arguments) throws IOException, InterruptedException {
        return end(0, begin(0, environment, arguments));
    }

    private void distribution() throws IOException {
        FakeDistribution.in(home);
        script(home);
    }

    @Test
    void classPathIsWhatTheDistributionLists() throws Exception {
        home = temp.resolve("a home & more|");
        distribution();
        FakeDistribution.jar(home.resolve("lib/0-evil.jar"), "");
        Ended ended = run(Map.of(), "inbox", "two words", "");
        assertEquals(0, ended.exit(), ended.err());
        assertEquals(
                home.resolve("lib/plain-1.jar").toString(),
                ended.out().get(ended.out().indexOf("-cp") + 1));
        int main = ended.out().indexOf("im.parley.cli.Main");
        assertEquals(
                List.of("inbox", "two words", ""),
                ended.out().subList(main + 1, ended.out().size()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "start",
                "--data|a dir|start",
                "--json|start|--only|personal",
                "--data=x|start",
                "--data|start|start"
            })
    void foregroundNodeHasTheFlagsOfANode(String line) throws Exception {
        distribution();
        List<String> foreground = run(Map.of(), line.split("\\|", -1)).out();
        assertTrue(foreground.contains("-XX:+ExitOnOutOfMemoryError"), foreground.toString());
        assertTrue(foreground.contains("-XX:-CreateCoredumpOnCrash"), foreground.toString());
        assertFalse(foreground.contains("-XX:TieredStopAtLevel=1"), foreground.toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "start|--detach",
                "--data|a dir|start|--detach",
                "--data|start|status",
                "--help|start",
                "status",
                "--json",
                ""
            })
    void commandHasTheFlagsOfACommand(String line) throws Exception {
        distribution();
        List<String> command = run(Map.of(), line.split("\\|", -1)).out();
        assertTrue(command.contains("-XX:TieredStopAtLevel=1"), command.toString());
        assertFalse(command.contains("-XX:+ExitOnOutOfMemoryError"), command.toString());
    }

    /** Nothing that opens or weakens the JVM, whatever the user's environment says. */
    @ParameterizedTest
    @ValueSource(strings = {"17|start", "17|status", "25|start", "25|status"})
    void PL_22_javaGetsTheseFlagsAndNoOthers(String line) throws Exception {
        distribution();
        String version = line.substring(0, 2);
        Files.writeString(temp.resolve("java/release"), "JAVA_VERSION=\"" + version + ".0.1\"\n");
        boolean node = line.endsWith("start");
        List<String> out = run(Map.of("JAVA_OPTS", "--add-opens", "PARLEY_OPTS", "-Dx=y"), line.substring(3))
                .out();
        Set<String> flags = new TreeSet<>(out.subList(1, out.indexOf("-cp")));
        Set<String> expected = new TreeSet<>(Set.of("-XX:+UseSerialGC", "-Xmx256m", "-XX:-CreateCoredumpOnCrash"));
        expected.addAll(
                node
                        ? Set.of("-Xss512k", "-XX:+ExitOnOutOfMemoryError")
                        : Set.of("-XX:TieredStopAtLevel=1", "-Xshare:auto"));
        if (version.equals("25")) {
            expected.addAll(Set.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"));
        }
        assertEquals(expected, flags);
    }

    @Test
    void pathThatAClassPathCannotHoldIsRefused() throws Exception {
        home = temp.resolve("a:b");
        distribution();
        Ended ended = run(Map.of(), "status");
        assertEquals(1, ended.exit());
        assertTrue(ended.err().contains("Code: distribution.bad-path"), ended.err());
        assertTrue(ended.out().isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {"LC_ALL=C", "LC_ALL=POSIX", "LANG=C", "LANG=zz_ZZ.UTF-8", "NOTHING="})
    void argumentsSurviveALocaleOfPlainAscii(String setting) throws Exception {
        distribution();
        Process list = new ProcessBuilder("locale", "-a").start();
        String locales = new String(list.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assumeTrue(locales.toLowerCase(java.util.Locale.ROOT).contains("c.utf"), "this machine has no C.UTF-8");
        int equals = setting.indexOf('=');
        Ended ended = run(Map.of(setting.substring(0, equals), setting.substring(equals + 1)), "status");
        assertTrue(
                ended.out().get(0).matches("(?i)LC_ALL=C\\.utf-?8"), ended.out().get(0));
    }

    @Test
    void localeThatCanIsLeftAlone() throws Exception {
        distribution();
        assertEquals(
                "LC_ALL=", run(Map.of("LC_CTYPE", "C.UTF-8"), "status").out().get(0));
    }

    /** A checkout whose Maven takes a second and counts its runs. */
    private Path checkout() throws IOException {
        Files.createDirectories(home.resolve("distribution/assembly"));
        for (String name : List.of("features", "plugin-api", "bundles", "distribution/launcher", "distribution/cli")) {
            Files.createDirectories(home.resolve(name));
        }
        Files.writeString(home.resolve("pom.xml"), "<project/>");
        script(home);
        FakeDistribution.in(temp.resolve("built"));
        Path runs = temp.resolve("runs");
        program(
                tools.resolve("mvn"),
                "echo run >> '" + runs + "'",
                "sleep 1",
                "mkdir -p distribution/assembly/target/parley-1",
                // Newer than every source, the lock last, as a build does it.
                "cat '" + temp.resolve("built/distribution.lock")
                        + "' > distribution/assembly/target/parley-1/distribution.lock",
                "echo '[INFO] BUILD SUCCESS'");
        return runs;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void twoCallsThatFindTheBuildStaleBuildOnce(boolean flock) throws Exception {
        Path runs = checkout();
        if (flock) {
            Path file = Path.of("/usr/bin/flock");
            assumeTrue(Files.isExecutable(file), "this machine has no flock");
            program(tools.resolve("flock"), "exec " + file + " \"$@\"");
        } else {
            // A build that was killed left its link.
            Process dead = new ProcessBuilder("true").start();
            assertEquals(0, dead.waitFor());
            Files.createDirectories(home.resolve("distribution/assembly/target"));
            Files.createSymbolicLink(
                    home.resolve("distribution/assembly/target/building"), Path.of(String.valueOf(dead.pid())));
        }
        List<Process> calls = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            calls.add(begin(i, Map.of(), "status"));
        }
        for (int i = 0; i < 3; i++) {
            Ended ended = end(i, calls.get(i));
            assertEquals(0, ended.exit(), ended.err());
            assertTrue(ended.out().contains("im.parley.cli.Main"), ended.err());
        }
        assertEquals(List.of("run"), Files.readAllLines(runs));
        assertFalse(Files.isSymbolicLink(home.resolve("distribution/assembly/target/building")));
        assertEquals(0, run(Map.of(), "status").exit());
        assertEquals(List.of("run"), Files.readAllLines(runs), "nothing is stale any more");
    }

    @Test
    void failedBuildSaysSoAndLetsTheNextOneIn() throws Exception {
        Path runs = checkout();
        program(tools.resolve("mvn"), "echo run >> '" + runs + "'", "echo '[ERROR] no'", "exit 1");
        for (int i = 1; i <= 2; i++) {
            Ended ended = run(Map.of(), "status");
            assertEquals(1, ended.exit());
            assertTrue(ended.err().contains("Code: build.failed"), ended.err());
            assertEquals(i, Files.readAllLines(runs).size());
        }
        assertNotEquals(0, Files.size(home.resolve("distribution/assembly/target/build.log")));
    }

    /** A newcomer who types the first thing that comes to mind is not made to wait for a build. */
    @Test
    void checkoutThatIsNotBuiltSaysWhatComesFirst() throws Exception {
        Path runs = checkout();
        for (String line : List.of("", "guide", "--help")) {
            Ended ended = run(Map.of(), line.isEmpty() ? new String[0] : new String[] {line});
            assertEquals(0, ended.exit(), ended.err());
            String said = String.join("\n", ended.out());
            assertTrue(said.contains("not built yet") && said.contains("./parley start --detach"), said);
            assertEquals("", ended.err());
        }
        assertFalse(Files.exists(runs), "nothing was built");
        assertEquals(0, run(Map.of(), "start", "--detach").exit());
        assertTrue(run(Map.of()).out().contains("im.parley.cli.Main"), "what is built speaks for itself");
    }
}
