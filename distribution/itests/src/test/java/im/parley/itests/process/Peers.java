package im.parley.itests.process;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.Assume;

/** Nostr software we did not write, run by node: {@code peers/peer.mjs} on nostr-tools, {@code peers/ndk.mjs} on NDK. */
final class Peers {
    static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;

    private Peers(Path folder) {
        this.folder = folder;
    }

    /** Installs the peers once per build folder; without node the calling test is skipped, or fails in CI. */
    static Peers install() throws IOException, InterruptedException {
        if (!isThere("node") || !isThere("npm")) {
            String notice = "SKIPPED: node and npm are not installed, so nothing is tested against nostr-tools";
            if ("true".equals(System.getenv("CI"))) {
                throw new AssertionError(notice);
            }
            System.out.println(notice);
            Assume.assumeTrue(notice, false);
        }
        Path root = Path.of(System.getProperty("parley.root"));
        Path source = root.resolve("distribution/itests/peers");
        Path target = root.resolve("distribution/itests/target/peers");
        Files.createDirectories(target);
        for (String file : List.of("package.json", "package-lock.json", ".npmrc", "peer.mjs", "ndk.mjs")) {
            Files.copy(source.resolve(file), target.resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }
        if (!Files.isDirectory(target.resolve("node_modules/@nostr-dev-kit/ndk"))) {
            Process npm = new ProcessBuilder("npm", "ci", "--silent")
                    .directory(target.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(target.resolve("npm.log").toFile())
                    .start();
            if (!npm.waitFor(5, TimeUnit.MINUTES) || npm.exitValue() != 0) {
                throw new AssertionError("npm ci failed: " + Files.readString(target.resolve("npm.log")));
            }
        }
        return new Peers(target);
    }

    private static boolean isThere(String program) {
        for (String dir : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator)) {
            if (Files.isExecutable(Path.of(dir, program))) {
                return true;
            }
        }
        return false;
    }

    /** Runs one command and returns what it printed. */
    JsonNode run(String command, ObjectNode arguments) throws IOException, InterruptedException {
        return run("peer.mjs", command, arguments);
    }

    /** As {@link #run(String, ObjectNode)}, of another script: {@code ndk.mjs} on NDK. */
    JsonNode run(String script, String command, ObjectNode arguments) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of("node", script, command, JSON.writeValueAsString(arguments)));
        Path errors = Files.createTempFile(folder, "peer", ".err");
        Process process = new ProcessBuilder(line)
                .directory(folder.toFile())
                .redirectError(errors.toFile())
                .start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(2, TimeUnit.MINUTES)) {
            process.destroyForcibly();
            throw new AssertionError("peer " + command + " did not end");
        }
        String err = Files.readString(errors);
        Files.delete(errors);
        if (process.exitValue() != 0) {
            throw new AssertionError("peer " + command + " failed: " + err);
        }
        return JSON.readTree(out);
    }

    static ObjectNode arguments() {
        return JSON.createObjectNode();
    }
}
