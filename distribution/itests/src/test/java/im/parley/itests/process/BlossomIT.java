package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.Test;

/** The file server of the real distribution, with the Blossom client of the protocol's author, and with a raw socket. */
public class BlossomIT {
    private static DistributionNode node;
    private static Peers peers;
    private static JsonNode key;
    private static JsonNode stranger;

    @BeforeClass
    public static void start() throws Exception {
        peers = Peers.install();
        key = peers.run("key", Peers.arguments());
        stranger = peers.run("key", Peers.arguments());
        node = DistributionNode.create("blossom");
        node.start("--only", "infrastructure");
        assertTrue(
                "nobody may upload before somebody is named",
                failures().path("ownServer").path("reason").asText().contains("upload.not-allowed"));
        Path stack = node.base().resolve("files.json");
        Files.writeString(
                stack,
                "{\"format\":1,\"plugins\":[],\"configurations\":{\"im.parley.files.http\":{\"allowed\":[\""
                        + key.path("npub").asText() + "\"],\"maxBlobMiB\":64}}}");
        node.json("stack", "apply", stack.toString(), "--yes");
    }

    @AfterClass
    public static void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    private static String url() {
        return "http://127.0.0.1:" + (node.port() + 2);
    }

    private static ObjectNode as(JsonNode who) {
        return Peers.arguments()
                .put("url", url())
                .put("sk", who.path("sk").asText())
                .put("pk", who.path("pk").asText());
    }

    private static JsonNode blossom(String command, ObjectNode arguments) throws Exception {
        return peers.run("blossom.mjs", command, arguments);
    }

    private static JsonNode failures() throws Exception {
        return blossom(
                "failures",
                as(key).put("stranger", stranger.path("sk").asText()).put("hash", "ab".repeat(32)));
    }

    private static List<Path> files(String folder) throws IOException {
        try (Stream<Path> all = Files.walk(
                node.data().resolve("providers/im.parley.blobs.disk~main").resolve(folder))) {
            return all.filter(Files::isRegularFile).toList();
        }
    }

    @Test
    public void theOfficialClientDoesEverythingItDoes() throws Exception {
        assertTrue(node.json("status").path("urls").toString().contains(url()));
        JsonNode done = blossom("cycle", as(key));
        String hash = done.path("hash").asText();
        assertFalse(done.path("before").asBoolean());
        assertEquals(hash, done.path("first").path("sha256").asText());
        assertEquals(url() + "/" + hash + ".png", done.path("first").path("url").asText());
        assertEquals(1_000_000, done.path("first").path("size").asInt());
        assertEquals(done.path("first"), done.path("second"));
        assertTrue(done.path("after").asBoolean());
        assertEquals(hash, done.path("downloaded").asText());
        assertEquals("image/png", done.path("type").asText());
        assertEquals(206, done.path("range").asInt());
        assertEquals("bytes 10-19/1000000", done.path("contentRange").asText());
        assertTrue("the ten bytes", done.path("part").asBoolean());
        assertEquals(1_000_000, done.path("length").asInt());
        assertEquals("bytes", done.path("acceptRanges").asText());
        assertTrue(done.path("listed").toString().contains(hash));
        assertTrue(done.path("deleted").asBoolean());
        assertTrue(done.path("gone").asBoolean());
    }

    @Test
    public void theOfficialClientIsToldWhatItMayNotDo() throws Exception {
        String hash = blossom("upload", as(key).put("size", 10).put("number", 20))
                .path("sha256")
                .asText();
        JsonNode failed = blossom(
                "failures",
                as(key).put("stranger", stranger.path("sk").asText()).put("hash", hash));
        String[][] expected = {
            {"stranger", "403", "upload.not-allowed"},
            {"expired", "401", "auth.expired"},
            {"otherHash", "409", "hash.mismatch"},
            {"otherServer", "401", "auth.server"},
            {"wrongVerb", "401", "auth.verb"},
            {"foreignDelete", "403", "blob.not-owner"},
            {"foreignList", "403", "list.not-owner"},
            {"absent", "404", "blob.absent"}
        };
        for (String[] each : expected) {
            JsonNode answer = failed.path(each[0]);
            assertEquals(failed.toString(), each[1], answer.path("status").asText());
            assertTrue(failed.toString(), answer.path("reason").asText().contains("(" + each[2] + ")"));
        }
        assertFalse(failed.path("unsigned").path("ok").asBoolean());
        assertFalse(failed.path("mirror").path("ok").asBoolean());
        assertEquals(201, failed.path("ownServer").path("status").asInt());
        assertTrue(
                blossom("report", as(stranger).put("hash", hash)).path("taken").asBoolean());
        assertTrue(
                "an infrastructure node never reaches out for a file server",
                node.egressLog().isEmpty());
    }

    @Test
    public void aListIsPagedAndWhatIsThereOutlivesARestart() throws Exception {
        JsonNode other = peers.run("key", Peers.arguments());
        Path stack = node.base().resolve("both.json");
        Files.writeString(
                stack,
                "{\"format\":1,\"plugins\":[],\"configurations\":{\"im.parley.files.http\":{\"allowed\":[\""
                        + key.path("npub").asText() + "\",\"" + other.path("pk").asText()
                        + "\"],\"maxBlobMiB\":64}}}");
        node.json("stack", "apply", stack.toString(), "--yes");
        for (int i = 0; i < 5; i++) {
            blossom("upload", as(other).put("size", 100 + i).put("number", 30 + i));
        }
        JsonNode before = blossom("list", as(other).put("limit", 2)).path("pages");
        assertEquals(3, before.size());
        assertEquals(1, before.get(2).size());
        // As a power button would end it, and in the middle of another upload.
        try (Socket half = half("im.parley.half", 5_000_000)) {
            Waiting.until("the upload has begun", () -> !files("incoming").isEmpty());
            node.kill();
            assertTrue(half.isConnected());
        }
        assertFalse("what the kill left", files("incoming").isEmpty());
        node.start("--only", "infrastructure");
        assertEquals(List.of(), files("incoming"));
        assertEquals(before, blossom("list", as(other).put("limit", 2)).path("pages"));
    }

    @Test
    public void BL_12_aClientThatGoesAwayLeavesNothing() throws Exception {
        int kept = files("blobs").size();
        for (int i = 0; i < 3; i++) {
            Socket half = half("gone " + i, 5_000_000);
            Waiting.until("the upload has begun", () -> !files("incoming").isEmpty());
            half.close();
            Waiting.until("nothing is left of it", () -> files("incoming").isEmpty());
        }
        assertEquals(kept, files("blobs").size());
    }

    /** Half an upload that is allowed, of bytes that nobody else sends. */
    private static Socket half(String content, int announced) throws Exception {
        String hash = "cd".repeat(32);
        long now = System.currentTimeMillis() / 1000;
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), node.port() + 2);
        socket.setSoTimeout(20_000);
        OutputStream out = socket.getOutputStream();
        String token = token("upload", hash, now);
        out.write(("PUT /upload HTTP/1.1\r\nHost: 127.0.0.1:" + (node.port() + 2) + "\r\nAuthorization: Nostr " + token
                        + "\r\nContent-Length: " + announced + "\r\n\r\n" + content)
                .getBytes(StandardCharsets.US_ASCII));
        out.flush();
        return socket;
    }

    private static String token(String verb, String hash, long now) throws Exception {
        JsonNode event = peers.run(
                "blossom.mjs",
                "token",
                as(key).put("verb", verb).put("hash", hash).put("now", now));
        return Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString(event.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static String raw(String request) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), node.port() + 2)) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            socket.getOutputStream().flush();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }

    private static String get(String path) throws IOException {
        return raw(
                "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + (node.port() + 2) + "\r\nConnection: close\r\n\r\n");
    }

    @Test
    public void BL_08_noPathLeadsOutOfTheStore() throws Exception {
        String hash = "ab".repeat(32);
        for (String path : new String[] {
            "/..%2f..%2fetc/passwd",
            "/%2e%2e/",
            "/%u002e%u002e/",
            "/..;/",
            "//",
            "/" + hash + "/../x",
            "/" + hash.substring(1),
            "/" + hash + ".%00.html",
            "/" + hash + ".a/b",
            "/" + hash + "\\x",
            "/../../../../etc/passwd",
            "/../format",
            "/lock"
        }) {
            String answer = get(path);
            assertTrue(path + " " + answer, answer.startsWith("HTTP/1.1 400 ") || answer.startsWith("HTTP/1.1 404 "));
            assertFalse(answer, answer.contains("root:"));
        }
        assertTrue(raw("GET /" + hash + " HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n")
                .startsWith("HTTP/1.1 421 "));
    }

    @Test
    public void BL_10_aTypeWithALineBreakIsNoRequest() throws Exception {
        String token = token("upload", "ab".repeat(32), System.currentTimeMillis() / 1000);
        String head = "PUT /upload HTTP/1.1\r\nHost: 127.0.0.1:" + (node.port() + 2)
                + "\r\nConnection: close\r\nAuthorization: Nostr " + token + "\r\nContent-Length: 1\r\n";
        String answer = raw(head + "Content-Type: text/plain\r\n Set-Cookie: a=b\r\n\r\nx");
        assertTrue(answer, answer.startsWith("HTTP/1.1 400 "));
        assertFalse(answer, answer.contains("Set-Cookie"));
        String large = raw(head + "Content-Type: a/" + "b".repeat(10_240) + "\r\n\r\nx");
        assertTrue(large, large.startsWith("HTTP/1.1 431 "));
        String list = raw(head + "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\nx");
        assertTrue(list, list.startsWith("HTTP/1.1 400 ") && list.contains("type.invalid"));
    }

    @Test
    public void BL_15_aByteThatFlippedOnTheDiskIsNoticed() throws Exception {
        String hash = blossom("upload", as(key).put("size", 3_000_000).put("number", 50))
                .path("sha256")
                .asText();
        Path file = files("blobs").stream()
                .filter(each -> each.getFileName().toString().equals(hash))
                .findFirst()
                .orElseThrow();
        byte[] bytes = Files.readAllBytes(file);
        bytes[1_500_000] ^= 1;
        Files.write(file, bytes);
        String answer = get("/" + hash);
        int body = answer.length() - answer.indexOf("\r\n\r\n") - 4;
        assertTrue("cut before its end: " + body, answer.startsWith("HTTP/1.1 200 ") && body < 3_000_000);
        assertTrue(get("/" + hash).startsWith("HTTP/1.1 404 "));
        blossom("upload", as(key).put("size", 3_000_000).put("number", 50));
        assertTrue(get("/" + hash).startsWith("HTTP/1.1 200 "));
    }

    @Test
    public void largeBlobsPassThroughASmallHeap() throws Exception {
        JsonNode done = blossom("cycle", as(key).put("size", 60_000_000).put("number", 60));
        assertEquals(done.path("hash"), done.path("downloaded"));
        assertTrue(done.path("gone").asBoolean());
    }
}
