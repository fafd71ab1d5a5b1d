package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Test;

/** The launcher as a process: what it refuses to start, and that a node comes back after it was killed. */
public class LauncherIT {
    private DistributionNode node;

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void aJarThatIsNotTheLockedOneIsRefusedByName() throws Exception {
        Path copy = Files.createTempDirectory("p-dist");
        copyTree(Path.of(System.getProperty("parley.dist")), copy);
        Path jar = find(copy.resolve("bundles"), "im.parley.relay-");
        byte[] bytes = Files.readAllBytes(jar);
        bytes[bytes.length / 2] ^= 1;
        Files.write(jar, bytes);
        node = DistributionNode.create("tampered", copy);
        JsonNode error = refused("start", "--detach", "--port-base", Integer.toString(node.port()));
        assertEquals("distribution.tampered", error.path("code").asText());
        assertTrue(error.toString(), error.toString().contains(jar.getFileName().toString()));
    }

    @Test
    public void aBundleThatSomebodyPutIntoTheStackIsRefused() throws Exception {
        node = DistributionNode.create("forged");
        node.start();
        assertEquals(0, node.run("", "stop").exit());
        Path stack = node.data().resolve("stack");
        Path generation = find(stack, "1.json");
        byte[] jar = Files.readAllBytes(
                find(Path.of(System.getProperty("parley.dist")).resolve("lib"), "slf4j-api"));
        String sha256 =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(jar));
        Files.write(node.data().resolve("jars").resolve(sha256 + ".jar"), jar);
        ObjectNode forged = (ObjectNode) Peers.JSON.readTree(generation.toFile());
        forged.withArray("bundles")
                .addObject()
                .put("bsn", "evil")
                .put("version", "1.0.0")
                .put("sha256", sha256)
                .put("startLevel", 20);
        Files.write(generation, Peers.JSON.writeValueAsBytes(forged));
        JsonNode error = refused("start", "--detach");
        assertTrue(error.toString(), error.path("code").asText().startsWith("stack."));
    }

    @Test
    public void withoutItsDeviceKeyAVaultIsRefusedAtOnceAndNothingIsReplaced() throws Exception {
        node = DistributionNode.create("nokey");
        node.start();
        node.json("identity", "new", "alice");
        assertEquals(0, node.run("", "stop").exit());
        Path key;
        try (Stream<Path> files = Files.walk(node.base().resolve("state"))) {
            key = files.filter(file -> file.toString().endsWith(".key"))
                    .findFirst()
                    .orElseThrow();
        }
        Path away = node.base().resolve("key-elsewhere");
        Files.move(key, away);
        long begun = System.nanoTime();
        JsonNode error = refused("start", "--detach");
        assertEquals("vault.no-device-key", error.path("code").asText());
        assertTrue("told at once", System.nanoTime() - begun < 60_000_000_000L);
        assertFalse("no new key over existing data", Files.exists(key));
        Files.move(away, key);
        node.start();
        assertEquals(
                "alice",
                node.json("identity", "list")
                        .path("accounts")
                        .get(0)
                        .path("name")
                        .asText());
    }

    @Test
    public void aKilledNodeComesBackOnTheSameDataWithoutHelp() throws Exception {
        node = DistributionNode.create("killed");
        for (int i = 0; i < 3; i++) {
            node.start();
            node.json("identity", "new", "person " + i);
            node.kill();
        }
        node.start();
        assertEquals(3, node.json("identity", "list").path("accounts").size());
        DistributionNode.Result second = node.run("", "start", "--detach");
        assertEquals("a second start finds the running node", 0, second.exit());
    }

    @Test
    public void aDetachedNodeCanBeToldToStopWhateverALogoutRemoved() throws Exception {
        node = DistributionNode.create("logout");
        Path runtime = node.base().resolve("run");
        node.start();
        try (Stream<Path> left = Files.list(runtime)) {
            assertEquals("nothing of a node lies where a logout removes it", List.of(), left.toList());
        }
        Files.delete(runtime);
        assertEquals(node.pid(), node.json("status").path("pid").asLong());
        Files.delete(node.data().resolve("node.sock"));
        assertEquals("node.unreachable", refused("status").path("code").asText());
        assertEquals(
                "node.unreachable", refused("start", "--detach").path("code").asText());
        assertEquals(0, node.run("", "stop").exit());
        Optional<ProcessHandle> process = ProcessHandle.of(node.pid());
        if (process.isPresent()) {
            process.get().onExit().get(30, TimeUnit.SECONDS);
        }
        node.start();
    }

    private JsonNode refused(String... line) throws Exception {
        String[] withJson = java.util.Arrays.copyOf(line, line.length + 1);
        withJson[line.length] = "--json";
        DistributionNode.Result result = node.run("", withJson);
        assertFalse(result.out() + result.err(), result.exit() == 0);
        String text = result.out().isBlank() ? result.err() : result.out();
        return Peers.JSON
                .readTree(
                        text.lines().filter(l -> l.startsWith("{")).findFirst().orElseThrow())
                .path("error");
    }

    private static Path find(Path dir, String prefix) throws IOException {
        try (Stream<Path> files = Files.list(dir)) {
            List<Path> found = files.filter(
                            file -> file.getFileName().toString().startsWith(prefix))
                    .toList();
            assertEquals(prefix + " in " + dir, 1, found.size());
            return found.get(0);
        }
    }

    private static void copyTree(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Path target = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else {
                    Files.copy(file, target, java.nio.file.StandardCopyOption.COPY_ATTRIBUTES);
                }
            }
        }
    }
}
