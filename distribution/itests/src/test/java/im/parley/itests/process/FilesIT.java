package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/**
 * A file goes from one node over a file server to another, each with a heap that is smaller than it, and each of the three is
 * killed in the middle. {@code -Dparley.files.mib=5000} for the figures of the handbook.
 */
public class FilesIT {
    private static final int MIB = Integer.getInteger("parley.files.mib", 96);
    private static final long SIZE = (long) MIB << 20;
    private static final Duration PATIENCE = Duration.ofSeconds(60 + MIB / 4);

    private DistributionNode server;
    private DistributionNode alice;
    private DistributionNode bob;

    @Before
    public void start() throws Exception {
        server = DistributionNode.create("fserv").with("_JAVA_OPTIONS", "-Xmx64m");
        alice = DistributionNode.create("fali").with("_JAVA_OPTIONS", "-Xmx64m");
        bob = DistributionNode.create("fbob").with("_JAVA_OPTIONS", "-Xmx64m");
        server.start("--only", "infrastructure");
        alice.start("--only", "personal");
        bob.start("--only", "personal");
        alice.json("identity", "new", "alice");
        bob.json("identity", "new", "bob");
        Path stack = server.base().resolve("files.json");
        Files.writeString(
                stack,
                "{\"format\":1,\"plugins\":[],\"configurations\":{\"im.parley.files.http\":{\"allowed\":[\""
                        + alice.npub() + "\"],\"maxBlobMiB\":" + (MIB + 1) + ",\"quotaMiB\":" + (2 * MIB + 100)
                        + "}}}");
        server.json("stack", "apply", stack.toString(), "--yes");
    }

    @After
    public void stop() throws Exception {
        for (DistributionNode node : new DistributionNode[] {alice, bob, server}) {
            if (node != null) {
                node.close();
            }
        }
    }

    private String url() {
        return "http://127.0.0.1:" + (server.port() + 2);
    }

    private static String random(Path file, long size) throws Exception {
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        Random random = new Random(MIB);
        byte[] buffer = new byte[1 << 20];
        try (OutputStream out = Files.newOutputStream(file)) {
            for (long done = 0; done < size; done += buffer.length) {
                random.nextBytes(buffer);
                int n = (int) Math.min(buffer.length, size - done);
                sha256.update(buffer, 0, n);
                out.write(buffer, 0, n);
            }
        }
        return HexFormat.of().formatHex(sha256.digest());
    }

    private static String hash(Path file) throws Exception {
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        byte[] buffer = new byte[1 << 20];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                sha256.update(buffer, 0, n);
            }
        }
        return HexFormat.of().formatHex(sha256.digest());
    }

    /** Of all files in a folder. */
    private static long bytes(Path folder) throws IOException {
        long sum = 0;
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                sum += Files.size(file);
            }
        } catch (NoSuchFileException e) {
            return sum;
        }
        return sum;
    }

    private static boolean holds(Path folder, String name) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.anyMatch(file -> String.valueOf(file.getFileName()).startsWith(name));
        }
    }

    private static void awaitBytes(String what, Path folder, long least) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (bytes(folder) < least) {
            assertTrue(what, System.nanoTime() < deadline);
            Thread.sleep(2);
        }
    }

    private static JsonNode job(DistributionNode node, String id) throws Exception {
        try (ControlSocket control = ControlSocket.open(node)) {
            return control.call("file.jobs", Peers.arguments().put("job", id))
                    .path("jobs")
                    .get(0);
        }
    }

    private static JsonNode until(DistributionNode node, String id, String state) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            JsonNode job = job(node, id);
            if (job.path("state").asText().equals(state)) {
                return job;
            }
            assertFalse(job.toString(), job.path("state").asText().equals("failed"));
            assertTrue(job.toString(), System.nanoTime() < deadline);
            Thread.sleep(100);
        }
    }

    private static String memory(DistributionNode node) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + node.pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmHWM"))
                .findFirst()
                .orElse("")
                .replaceAll("\\s+", " ");
    }

    @Test
    public void S8_aFileOutlivesTheDeathOfEverybodyWhoCarriesIt() throws Exception {
        assertEquals(
                url(),
                alice.json("files", "server", "add", url())
                        .path("servers")
                        .get(0)
                        .asText());
        JsonNode probe = alice.json("files", "server", "probe", url());
        assertTrue(probe.toString(), probe.path("takesCiphertext").asBoolean());
        assertTrue(probe.toString(), probe.path("resumes").asBoolean());
        assertEquals((long) (MIB + 1) << 20, probe.path("largestBytes").asLong());
        Path source = alice.base().resolve("film.bin");
        String hash = random(source, SIZE);

        long begun = System.nanoTime();
        String put = alice.json("files", "put", source.toString(), "--no-wait")
                .path("job")
                .asText();
        Path partial = server.data().resolve("providers/im.parley.blobs.disk~main/partial");
        awaitBytes("the upload has begun", partial, SIZE / 8);
        server.kill();
        long kept = bytes(partial);
        assertTrue("killed in the middle: " + kept, kept > 0 && kept < SIZE);
        alice.kill();
        alice.start("--only", "personal");
        Waiting.until("it waits", () -> job(alice, put).path("nextTry").asLong() > 0);
        assertTrue("what came is still there", bytes(partial) >= kept);
        server.start("--only", "infrastructure");
        alice.json("files", "retry", put);
        until(alice, put, "done");
        long putMillis = (System.nanoTime() - begun) / 1_000_000;
        assertEquals("nothing is left of it", 0, bytes(partial));
        assertEquals(0, bytes(alice.data().resolve("files/default")));

        String description;
        try (ControlSocket control = ControlSocket.open(alice)) {
            description = control.call("file.describe", Peers.arguments().put("job", put))
                    .path("description")
                    .asText();
        }
        bob.json("files", "server", "add", url());
        Path target = bob.base().resolve("got.bin");
        begun = System.nanoTime();
        DistributionNode.Result asked =
                bob.run(description, "files", "get", "-", target.toString(), "--no-wait", "--json");
        assertEquals(asked.err(), 0, asked.exit());
        String get = Peers.JSON.readTree(asked.out()).path("job").asText();
        awaitBytes("the download has begun", bob.data().resolve("files/default"), SIZE / 8);
        bob.kill();
        assertFalse("nothing is seen before it is checked", Files.exists(target));
        bob.start("--only", "personal");
        until(bob, get, "done");
        long getMillis = (System.nanoTime() - begun) / 1_000_000;
        assertEquals(hash, hash(target));
        assertEquals(SIZE, Files.size(target));
        assertEquals(0, bytes(bob.data().resolve("files/default")));
        System.out.println(MIB + " MiB, heaps of 64 MiB: put " + putMillis + " ms with two deaths, get " + getMillis
                + " ms with one; alice " + memory(alice) + ", bob " + memory(bob) + ", server " + memory(server));

        Path described = alice.base().resolve("film.parley");
        Files.writeString(described, description);
        JsonNode deleted = alice.json("files", "delete", described.toString());
        assertEquals("deleted", deleted.path("results").get(0).path("outcome").asText());
        DistributionNode.Result gone = bob.run(description, "files", "get", "-", target + ".again", "--json");
        assertEquals(1, gone.exit());
        assertTrue(gone.err(), gone.err().contains("blob.absent"));
        List<JsonNode> egress = bob.egressLog();
        assertTrue(
                egress.toString(),
                egress.stream()
                        .allMatch(each -> each.path("reason").asText().equals("files")
                                && each.path("port").asInt() == server.port() + 2));
    }

    @Test
    public void nobodyUploadsWhoWasNotNamedAndIsToldWhy() throws Exception {
        bob.json("files", "server", "add", url());
        Path source = bob.base().resolve("note.txt");
        Files.writeString(source, "a note");
        DistributionNode.Result refused = bob.run("", "files", "put", source.toString(), "--json");
        assertEquals(1, refused.exit());
        assertTrue(refused.err(), refused.err().contains("fileserver.forbidden"));
    }

    @Test
    public void aFileIsAMessageThatIsSavedAndTakenBack() throws Exception {
        String relay = "ws://127.0.0.1:" + server.port();
        for (DistributionNode node : new DistributionNode[] {alice, bob}) {
            node.json("relay", "add", relay);
        }
        alice.json("contact", "add", "bob", bob.npub());
        bob.json("contact", "add", "alice", alice.npub());
        alice.json("files", "server", "add", url());
        Path source = alice.base().resolve("note.bin");
        String hash = random(source, 3 << 20);
        alice.json("files", "put", source.toString(), "--to", "bob");
        Waiting.until(
                "Bob has the message", () -> bob.json("inbox").path("messages").size() == 1);
        JsonNode message = bob.json("inbox").path("messages").get(0);
        assertEquals("file", message.path("what").asText());
        assertEquals("note.bin", message.path("file").get(0).path("name").asText());
        Path target = bob.base().resolve("saved.bin");
        // A server in the own network is spoken to only by who named it.
        assertEquals(
                1,
                bob.run("", "files", "save", message.path("id").asText(), target.toString())
                        .exit());
        bob.json("files", "server", "add", url());
        bob.json("files", "save", message.path("id").asText(), target.toString());
        assertEquals(hash, hash(target));

        Path blobs = server.data().resolve("providers/im.parley.blobs.disk~main");
        String blob = message.path("file").get(0).path("sha256").asText();
        assertTrue(holds(blobs, blob));
        String mine = alice.json("inbox").path("messages").get(0).path("id").asText();
        alice.json("delete", mine);
        Waiting.until("the server has it no more", () -> !holds(blobs, blob));
        Waiting.until(
                "Bob has it no more",
                () -> bob.json("inbox").path("messages").get(0).path("deleted").asBoolean());
    }
}
