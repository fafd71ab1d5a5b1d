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

/**
 * Nostr software we did not write, run by node: {@code peers/peer.mjs} and
 * {@code peers/nip46.mjs} on nostr-tools, {@code peers/ndk.mjs} on NDK,
 * {@code peers/relay.mjs} on @nostr-relay, {@code peers/blossom.mjs} on blossom-client-sdk.
 */
final class Peers {
    static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;

    private Peers(Path folder) {
        this.folder = folder;
    }

    /** Installs the peers once per build folder; without node the calling test is skipped, or fails in CI. */
    static Peers install() throws IOException, InterruptedException {
        if (!isThere("node") || !isThere("npm")) {
            skip("node and npm are not installed, so nothing is tested against other software");
        }
        Path root = Path.of(System.getProperty("parley.root"));
        Path source = root.resolve("distribution/itests/peers");
        Path target = root.resolve("distribution/itests/target/peers");
        Files.createDirectories(target);
        for (String file : List.of(
                "package.json",
                "package-lock.json",
                ".npmrc",
                "peer.mjs",
                "nip46.mjs",
                "ndk.mjs",
                "relay.mjs",
                "blossom.mjs")) {
            Files.copy(source.resolve(file), target.resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }
        Path installed = target.resolve("installed.json");
        if (!Files.exists(installed) || Files.mismatch(installed, target.resolve("package-lock.json")) >= 0) {
            Process npm = new ProcessBuilder("npm", "ci", "--silent")
                    .directory(target.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(target.resolve("npm.log").toFile())
                    .start();
            if (!npm.waitFor(5, TimeUnit.MINUTES) || npm.exitValue() != 0) {
                throw new AssertionError("npm ci failed: " + Files.readString(target.resolve("npm.log")));
            }
            Files.copy(target.resolve("package-lock.json"), installed, StandardCopyOption.REPLACE_EXISTING);
        }
        return new Peers(target);
    }

    /** Ends the calling test: as skipped, or in CI as failed. */
    static void skip(String why) {
        String notice = "SKIPPED: " + why;
        if ("true".equals(System.getenv("CI"))) {
            throw new AssertionError(notice);
        }
        System.out.println(notice);
        Assume.assumeTrue(notice, false);
    }

    /** Whether npm had a package of that name for this machine. */
    boolean has(String dependency) {
        return Files.isDirectory(folder.resolve("node_modules").resolve(dependency));
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

    /** A bunker on nostr-tools that goes on until it is destroyed. */
    Bunker bunker(ObjectNode arguments) throws IOException {
        Path errors = Files.createTempFile(folder, "peer", ".err");
        Process process = new ProcessBuilder("node", "nip46.mjs", "serve", JSON.writeValueAsString(arguments))
                .directory(folder.toFile())
                .redirectError(errors.toFile())
                .start();
        String first = process.inputReader(StandardCharsets.UTF_8).readLine();
        if (first == null) {
            throw new AssertionError("the bunker failed: " + Files.readString(errors));
        }
        return new Bunker(process, JSON.readTree(first).path("url").asText());
    }

    /** @param url admits one client */
    record Bunker(Process process, String url) implements AutoCloseable {
        @Override
        public void close() {
            process.destroyForcibly();
        }
    }

    /** Starts a command that goes on, such as {@code relay.mjs serve}; returns when it has printed its first line. */
    Process start(String script, String command, ObjectNode arguments) throws IOException {
        Path errors = Files.createTempFile(folder, "peer", ".err");
        Process process = new ProcessBuilder("node", script, command, JSON.writeValueAsString(arguments))
                .directory(folder.toFile())
                .redirectError(errors.toFile())
                .start();
        String first = process.inputReader(StandardCharsets.UTF_8).readLine();
        if (first == null) {
            throw new AssertionError("peer " + command + " failed: " + Files.readString(errors));
        }
        return process;
    }

    static ObjectNode arguments() {
        return JSON.createObjectNode();
    }
}
