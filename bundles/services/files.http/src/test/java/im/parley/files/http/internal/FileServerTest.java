package im.parley.files.http.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.files.http.internal.World.Response;
import im.parley.protocol.EventWriter;
import im.parley.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class FileServerTest {
    private static final byte[] BYTES = "what a client has encrypted".getBytes(StandardCharsets.UTF_8);
    private static final String HASH = MemoryBlobs.hash(BYTES).hex();

    private final World world = new World();

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    // Upload and download

    @Test
    void aBlobIsUploadedServedListedAndDeleted() {
        Response created =
                world.upload(world.alice, BYTES, "content-type", "image/png").is(201);
        String url = "https://files.example.org/" + HASH + ".png";
        assertEquals(
                "{\"url\":\"" + url + "\",\"sha256\":\"" + HASH + "\",\"size\":" + BYTES.length
                        + ",\"type\":\"image/png\",\"uploaded\":" + World.NOW + ",\"nip94\":[[\"url\",\"" + url
                        + "\"],[\"m\",\"image/png\"],[\"x\",\"" + HASH + "\"],[\"size\",\"" + BYTES.length + "\"]]}",
                created.text());
        assertEquals("application/json", created.header("Content-Type"));
        Response got = world.ask("GET", "/" + HASH, null).is(200);
        assertArrayEquals(BYTES, got.body());
        assertEquals("image/png", got.header("Content-Type"));
        assertEquals("\"" + HASH + "\"", got.header("ETag"));
        assertEquals("public, max-age=31536000, immutable", got.header("Cache-Control"));
        assertEquals("bytes", got.header("Accept-Ranges"));
        for (String path : new String[] {"/" + HASH + ".png", "/" + HASH + ".pdf", "/" + HASH + ".tar.gz"}) {
            Response head = world.ask("HEAD", path, null).is(200);
            assertEquals("image/png", head.header("Content-Type"));
            assertEquals("" + BYTES.length, head.header("Content-Length"));
            assertEquals(got.headers(), head.headers());
        }
        assertTrue(world.list(world.alice, "").is(200).text().contains(HASH));
        assertEquals("[]", world.list(world.bob, "").text());
        world.delete(world.alice, HASH).is(204);
        world.ask("GET", "/" + HASH, null).refused(404, "blob.absent");
        world.ask("HEAD", "/" + HASH, null).is(404);
        assertEquals("[]", world.list(world.alice, "").text());
        assertTrue(world.blobs.blobs.isEmpty());
    }

    @Test
    void theUrlIsTheOneTheClientCameBy() {
        Response local =
                world.upload(world.alice, BYTES, "host", "127.0.0.1:7472").is(201);
        assertTrue(local.text().contains("\"http://127.0.0.1:7472/" + HASH + ".bin\""), local.text());
        Response other =
                world.upload(world.alice, BYTES, "host", "localhost:7472").is(200);
        assertTrue(other.text().contains("\"https://files.example.org/"), other.text());
    }

    @Test
    void whoHasItAlreadyIsToldByNotSendingItAgain() {
        world.upload(world.alice, BYTES);
        Response same = world.ask("GET", "/" + HASH, null, "if-none-match", "\"" + HASH + "\"")
                .is(304);
        assertEquals(0, same.body().length);
        world.ask("GET", "/" + HASH, null, "if-none-match", "\"other\", W/\"" + HASH + "\"")
                .is(304);
        world.ask("GET", "/" + HASH, null, "if-none-match", "\"other\"").is(200);
    }

    @Test
    void everyAnswerMayBeReadFromAnyOriginAndRunsNowhere() {
        world.upload(world.alice, BYTES, "content-type", "text/html");
        for (Response response : List.of(
                world.ask("GET", "/", null),
                world.ask("GET", "/" + HASH, null),
                world.ask("OPTIONS", "/upload", null),
                world.ask("OPTIONS", "/" + HASH, null),
                world.ask("PUT", "/upload", BYTES),
                world.ask("GET", "/nowhere", null),
                world.ask("POST", "/upload", null))) {
            assertEquals("*", response.header("Access-Control-Allow-Origin"));
            assertEquals("nosniff", response.header("X-Content-Type-Options"));
            assertEquals("default-src 'none'; sandbox", response.header("Content-Security-Policy"));
            assertEquals("", response.header("Set-Cookie"));
        }
        Response preflight = world.ask("OPTIONS", "/upload", null).is(204);
        assertEquals("Authorization, *", preflight.header("Access-Control-Allow-Headers"));
        assertEquals("GET, HEAD, PUT, PATCH, DELETE", preflight.header("Access-Control-Allow-Methods"));
    }

    @Test
    void theQuestionBeforeAnUploadIsAnsweredAsTheUploadWouldBe() {
        String token = world.alice.token(World.NOW, "upload", HASH);
        String[] asks = {"authorization", token, "x-sha-256", HASH, "x-content-length", "5", "x-content-type", "a/b"};
        world.ask("HEAD", "/upload", null, asks).is(200);
        world.ask("HEAD", "/upload", null, Arrays.copyOfRange(asks, 2, 8)).is(401);
        world.ask("HEAD", "/upload", null, "authorization", token, "x-sha-256", HASH)
                .is(411);
        world.ask("HEAD", "/upload", null, "authorization", token, "x-content-length", "5")
                .is(400);
        for (String[] change : new String[][] {
            {"x-content-length", "1000001", "413"},
            {"x-content-length", "+5", "400"},
            {"x-content-length", "9999999999999999999", "400"},
            {"x-content-type", "a,b", "400"},
            {"x-sha-256", "ab", "400"},
            {"x-sha-256", "ab".repeat(32), "409"}
        }) {
            String[] changed = asks.clone();
            changed[Arrays.asList(asks).indexOf(change[0]) + 1] = change[1];
            Response answer = world.ask("HEAD", "/upload", null, changed).is(Integer.parseInt(change[2]));
            assertNotEquals("", answer.header("X-Reason"));
        }
        String[] strangers = asks.clone();
        strangers[1] = world.stranger.token(World.NOW, "upload", HASH);
        world.ask("HEAD", "/upload", null, strangers).is(403);
    }

    @Test
    void whatThisServerDoesNotDoIsAbsent() {
        for (String path : List.of("/mirror", "/media")) {
            world.ask("PUT", path, bytes("{\"url\":\"http://127.0.0.1/\"}")).refused(404, "endpoint.absent");
        }
        world.ask("POST", "/upload", null).refused(405, "method.not-allowed");
        world.ask("PUT", "/" + HASH, null).refused(405, "method.not-allowed");
        world.ask("GET", "/upload", null).refused(405, "method.not-allowed");
    }

    // Who may

    @Test
    void BL_19_nobodyUploadsWhoWasNotNamed() {
        world.ask("PUT", "/upload", BYTES, "x-sha-256", HASH).refused(401, "auth.missing");
        assertEquals("Nostr", world.ask("PUT", "/upload", BYTES).header("WWW-Authenticate"));
        world.upload(world.stranger, BYTES).refused(403, "upload.not-allowed");
        world.server(World.settings(Set.of()));
        world.upload(world.alice, BYTES).refused(403, "upload.not-allowed");
        assertTrue(world.blobs.blobs.isEmpty());
    }

    @Test
    void BL_19_cheapKeysDoNotHelpAnAddress() {
        FilesSettings open = World.settings(Set.of());
        world.server(new FilesSettings(
                open.urls(),
                open.names(),
                true,
                Set.of(),
                1_000,
                3_000,
                20,
                Long.MAX_VALUE,
                50_000,
                600,
                open.longestToken(),
                open.longestPause(),
                open.piecesPerKey(),
                0,
                false));
        int taken = 0;
        int refused = 0;
        for (int i = 0; i < 100; i++) {
            byte[] bytes = new byte[1_000];
            world.random.nextBytes(bytes);
            Response response = world.upload(new TestKey(world.random), bytes);
            if (response.status() == 201) {
                taken++;
            } else {
                response.refused(429, "quota.exceeded");
                refused++;
            }
        }
        assertEquals(50, taken);
        assertEquals(50, refused);
        world.clock.advance(Duration.ofMinutes(12));
        byte[] later = new byte[1_000];
        world.upload(new TestKey(world.random), later).is(201);
    }

    @Test
    void BL_18_aKeyOwnsNoMoreThanItsQuota() {
        for (int i = 0; i < 3; i++) {
            byte[] bytes = new byte[900_000];
            bytes[0] = (byte) i;
            world.upload(world.alice, bytes).is(201);
        }
        byte[] more = new byte[900_000];
        more[0] = 99;
        world.upload(world.alice, more).refused(429, "quota.exceeded");
        // Also if the size is not told, and nothing is left of it.
        world.upload(world.alice, more, "x-test-chunked", "1").refused(429, "quota.exceeded");
        assertEquals(3, world.blobs.blobs.size());
        world.upload(world.bob, more).is(201);
        // What it owns already costs nothing again; what it gives up is free again.
        byte[] first = new byte[900_000];
        world.upload(world.alice, first).is(200);
        world.delete(world.alice, MemoryBlobs.hash(first).hex()).is(204);
        world.upload(world.alice, more).is(200);
        for (int i = 0; i < 17; i++) {
            world.upload(world.alice, new byte[] {(byte) i}).is(201);
        }
        world.upload(world.alice, bytes("the twenty-first")).refused(429, "quota.exceeded");
    }

    @Test
    void BL_18_onlyTheKeyItselfListsItsBlobs() {
        world.upload(world.alice, BYTES);
        world.ask("GET", "/list/" + world.alice.hex(), null).refused(401, "auth.missing");
        world.ask("GET", "/list/" + world.alice.hex(), null, "authorization", world.bob.token(World.NOW, "list"))
                .refused(403, "list.not-owner");
        world.ask("GET", "/list/" + "00".repeat(32), null, "authorization", world.bob.token(World.NOW, "list"))
                .refused(403, "list.not-owner");
    }

    @Test
    void BL_18_tooManyRequestsOfAnAddressAreRefused() {
        for (int i = 0; i < 600; i++) {
            world.ask("PUT", "/upload", BYTES).is(401);
        }
        world.ask("PUT", "/upload", BYTES).refused(429, "rate.limited");
        world.ask("DELETE", "/" + HASH, null).refused(429, "rate.limited");
        world.ask("203.0.113.8", "PUT", "/upload", BYTES).is(401);
        world.ask("127.0.0.1", "PUT", "/upload", BYTES).is(401);
        world.clock.advance(Duration.ofSeconds(1));
        world.ask("PUT", "/upload", BYTES).is(401);
        assertEquals("2001:db8:0:1", Allowances.network("2001:db8:0:1:2:3:4:5"));
        assertEquals("203.0.113.7", Allowances.network("203.0.113.7"));
    }

    // Tokens

    @Test
    void BL_06_tokensThatAreNotGoodAreRefused() {
        long now = World.NOW;
        TestKey alice = world.alice;
        List<List<String>> good = TestKey.tags(now, "upload", HASH);
        refused("auth.kind", TestKey.header(alice.event(now, 1, good, "")));
        refused("auth.created-at", TestKey.header(alice.event(now + 60, 24242, good, "")));
        refused("auth.expired", TestKey.header(alice.event(now, 24242, with(good, 1, "expiration", "" + now), "")));
        refused("auth.expired", TestKey.header(alice.event(now, 24242, with(good, 1, "expiration", "0"), "")));
        for (String value : List.of("", "soon", "-1", "+1900000000", "1e12", "\u0661\u0669", "9".repeat(20))) {
            refused("auth.expiration", TestKey.header(alice.event(now, 24242, with(good, 1, "expiration", value), "")));
        }
        refused("auth.expiration", TestKey.header(alice.event(now, 24242, List.of(good.get(0), good.get(2)), "")));
        refused(
                "auth.lives-too-long",
                TestKey.header(alice.event(now, 24242, with(good, 1, "expiration", "" + (now + 86_401)), "")));
        for (String verb : List.of("get", "list", "delete", "media", "UPLOAD", "")) {
            refused("auth.verb", TestKey.header(alice.event(now, 24242, with(good, 0, "t", verb), "")));
        }
        refused("auth.verb", TestKey.header(alice.event(now, 24242, plus(good, List.of("t", "delete")), "")));
        refused("auth.verb", TestKey.header(alice.event(now, 24242, good.subList(1, 3), "")));
        for (List<String> server : List.of(
                List.of("server", "cdn.example.com"),
                List.of("server", "Files.example.org"),
                List.of("server", "https://files.example.org"),
                List.of("server"))) {
            refused("auth.server", TestKey.header(alice.event(now, 24242, plus(good, server), "")));
        }
        refused("auth.hash", alice.token(now, "upload"));
        Event event = alice.event(now, 24242, good, "");
        Event forged = new Event(event.id(), world.bob.publicKey(), now, 24242, good, "", event.sig());
        refused("auth.signature", TestKey.header(forged));
        refused(
                "auth.signature",
                TestKey.header(new Event(event.id(), event.pubkey(), now, 24242, good, "other", event.sig())));
        byte[] json = bytes(EventWriter.write(event));
        refused(
                "auth.scheme",
                "Bearer " + Base64.getUrlEncoder().withoutPadding().encodeToString(json));
        refused("auth.encoding", "Nostr " + Base64.getEncoder().encodeToString(bytes("\u00ff\u00fe\u00fb" + "{}")));
        refused("auth.encoding", "Nostr " + Base64.getUrlEncoder().encodeToString(bytes("{}")));
        refused("auth.encoding", "Nostr e30\u00e9");
        refused("auth.encoding", "Nostr e31");
        refused("auth.event", "Nostr " + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes("{}")));
        refused("auth.event", "Nostr ");
        assertTrue(world.blobs.blobs.isEmpty());
        // And one that is good, from a clock a moment ahead, for several servers.
        List<List<String>> several =
                plus(plus(good, List.of("server", "cdn.example.com")), List.of("server", "files.example.org"));
        upload(TestKey.header(alice.event(now + 5, 24242, several, "Upload"))).is(201);
    }

    private static List<List<String>> with(List<List<String>> tags, int index, String... tag) {
        List<List<String>> changed = new ArrayList<>(tags);
        changed.set(index, List.of(tag));
        return changed;
    }

    private static List<List<String>> plus(List<List<String>> tags, List<String> tag) {
        List<List<String>> changed = new ArrayList<>(tags);
        changed.add(tag);
        return changed;
    }

    private Response upload(String authorization) {
        return world.ask("PUT", "/upload", BYTES, "authorization", authorization, "x-sha-256", HASH);
    }

    private void refused(String code, String authorization) {
        upload(authorization).refused(401, code);
        Response head = world.ask(
                "HEAD", "/upload", null, "authorization", authorization, "x-sha-256", HASH, "x-content-length", "1");
        assertEquals(401, head.status());
        assertTrue(head.header("X-Reason").contains(code), head.header("X-Reason"));
    }

    @Test
    void BL_06_aTokenWithoutTheHashDeletesNothing() {
        world.upload(world.alice, BYTES);
        world.ask("DELETE", "/" + HASH, null, "authorization", world.alice.token(World.NOW, "delete"))
                .refused(401, "auth.hash");
        world.ask("DELETE", "/" + HASH, null, "authorization", world.alice.token(World.NOW, "upload", HASH))
                .refused(401, "auth.verb");
        world.ask("GET", "/" + HASH, null).is(200);
    }

    @Test
    void BL_07_onlyAnOwnerDeletesAndATokenOnce() {
        world.upload(world.alice, BYTES);
        world.delete(world.bob, HASH).refused(403, "blob.not-owner");
        world.delete(world.alice, "ab".repeat(32)).refused(404, "blob.absent");
        String token = world.alice.token(World.NOW, "delete", HASH, "ab".repeat(32));
        world.ask("DELETE", "/" + HASH, null, "authorization", token).is(204);
        // Several x tags are not several deletions, and not several uses.
        world.upload(world.alice, BYTES).is(201);
        world.ask("DELETE", "/" + HASH, null, "authorization", token).refused(403, "auth.used");
        world.ask("GET", "/" + HASH, null).is(200);
        // Also after a restart, and until it has expired.
        world.server(World.settings(Set.of(world.alice.publicKey())));
        world.ask("DELETE", "/" + HASH, null, "authorization", token).refused(403, "auth.used");
        world.clock.advance(Duration.ofHours(2));
        world.ask("DELETE", "/" + HASH, null, "authorization", token).refused(401, "auth.expired");
        world.delete(world.alice, HASH).is(204);
    }

    @Test
    void BL_07_aTokenOfAnotherServerIsRefusedWhereThatIsAskedFor() {
        FilesSettings s = World.settings(Set.of(world.alice.publicKey()));
        world.server(new FilesSettings(
                s.urls(),
                s.names(),
                false,
                s.allowed(),
                s.maxBlobBytes(),
                s.quotaBytes(),
                s.quotaBlobs(),
                s.totalBytes(),
                s.addressBytesPerHour(),
                600,
                s.longestToken(),
                s.longestPause(),
                s.piecesPerKey(),
                0,
                true));
        world.upload(world.alice, BYTES).refused(403, "auth.server-required");
        List<List<String>> tags = plus(TestKey.tags(World.NOW, "upload", HASH), List.of("server", "files.example.org"));
        upload(TestKey.header(world.alice.event(World.NOW, 24242, tags, ""))).is(201);
    }

    @Test
    void aBlobOfSeveralOwnersGoesWithTheLast() {
        world.upload(world.alice, BYTES, "content-type", "image/png").is(201);
        Response second =
                world.upload(world.bob, BYTES, "content-type", "text/html").is(200);
        assertTrue(second.text().contains("image/png"), "the first one says the type: " + second.text());
        world.delete(world.alice, HASH).is(204);
        world.ask("GET", "/" + HASH, null).is(200);
        world.delete(world.alice, HASH).refused(403, "blob.not-owner");
        assertEquals("[]", world.list(world.alice, "").text());
        world.delete(world.bob, HASH).is(204);
        world.ask("GET", "/" + HASH, null).refused(404, "blob.absent");
        assertTrue(world.blobs.blobs.isEmpty());
    }

    // Hashes, types, sizes

    @Test
    void BL_05_hashesThatDoNotFitAreRefused() {
        String other = "ab".repeat(32);
        put(HASH, world.alice.token(World.NOW, "upload", other)).refused(409, "hash.mismatch");
        put(other, world.alice.token(World.NOW, "upload", other)).refused(409, "hash.mismatch");
        put(other, world.alice.token(World.NOW, "upload", other, HASH)).refused(409, "hash.mismatch");
        put(HASH.toUpperCase(java.util.Locale.ROOT), world.alice.token(World.NOW, "upload", HASH))
                .refused(409, "hash.mismatch");
        put(HASH, world.alice.token(World.NOW, "upload", HASH.toUpperCase(java.util.Locale.ROOT)))
                .refused(409, "hash.mismatch");
        for (String malformed : List.of("", "ab", HASH + "0", HASH + ", " + HASH, HASH.substring(1) + "g")) {
            put(malformed, world.alice.token(World.NOW, "upload", HASH)).refused(400, "hash.invalid");
        }
        world.ask("PUT", "/upload", BYTES, "authorization", world.alice.token(World.NOW, "upload", other))
                .refused(409, "hash.mismatch");
        assertTrue(world.blobs.blobs.isEmpty());
        assertEquals("[]", world.list(world.alice, "").text());
        // One of two is enough, and the header may be left out.
        put(HASH, world.alice.token(World.NOW, "upload", other, HASH)).is(201);
        world.ask("PUT", "/upload", BYTES, "authorization", world.alice.token(World.NOW, "upload", other, HASH))
                .is(200);
    }

    private Response put(String header, String authorization) {
        return world.ask("PUT", "/upload", BYTES, "authorization", authorization, "x-sha-256", header);
    }

    @Test
    void tooLargeIsTooLargeHoweverItComes() {
        byte[] large = new byte[1_000_001];
        world.upload(world.alice, large).refused(413, "blob.too-large");
        world.upload(world.alice, large, "x-test-chunked", "1").refused(413, "blob.too-large");
        assertTrue(world.blobs.blobs.isEmpty());
        world.upload(world.alice, new byte[1_000_000], "x-test-chunked", "1").is(201);
        world.upload(world.alice, new byte[0]).is(201);
        world.ask("GET", "/" + MemoryBlobs.hash(new byte[0]).hex(), null).is(200);
        world.upload(world.alice, BYTES, "content-encoding", "gzip").refused(415, "encoding.unsupported");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "text/html",
                "text/html;charset=utf-7",
                "image/svg+xml",
                "application/xhtml+xml",
                "application/xml",
                "text/xml",
                "application/pdf",
                "application/javascript",
                "text/css",
                "multipart/x-mixed-replace",
                ""
            })
    void BL_09_activeTypesAreForSavingOnly(String type) {
        world.upload(world.alice, BYTES, "content-type", type).is(201);
        Response got = world.ask("GET", "/" + HASH + ".png", null).is(200);
        assertTrue(
                got.header("Content-Disposition").startsWith("attachment; "),
                got.headers().toString());
        assertEquals("nosniff", got.header("X-Content-Type-Options"));
        assertEquals("default-src 'none'; sandbox", got.header("Content-Security-Policy"));
        assertFalse(got.header("Content-Type").contains("utf-7"));
        assertEquals(type.isEmpty() ? "application/octet-stream" : type.split(";")[0], got.header("Content-Type"));
    }

    @Test
    void BL_10_aTypeIsOneTypeAndNeverReflectedAsItCame() {
        for (String type : List.of(
                "text/plain\r\nSet-Cookie: a=b",
                "text/plain\nX: y",
                "a/" + "b".repeat(10_000),
                "image/png, text/html",
                "text/html, image/png;q=1",
                "image",
                "/png",
                "image/",
                "*/*",
                "image/p\"ng",
                "image/<b>",
                "\u0131mage/png")) {
            world.upload(world.alice, BYTES, "content-type", type).refused(400, "type.invalid");
        }
        assertTrue(world.blobs.blobs.isEmpty());
        world.upload(world.alice, BYTES, "content-type", " IMAGE/PNG ; a=b").is(201);
        assertEquals("image/png", world.ask("GET", "/" + HASH, null).header("Content-Type"));
    }

    @Test
    void BL_11_rangesNeverGiveMoreThanTheBlob() {
        byte[] bytes = new byte[1_000];
        new java.util.SplittableRandom(1).nextBytes(bytes);
        String hash = MemoryBlobs.hash(bytes).hex();
        world.upload(world.alice, bytes);
        for (String[] good : new String[][] {
            {"bytes=0-", "0", "1000"},
            {"bytes=0-0", "0", "1"},
            {"bytes=10-19", "10", "10"},
            {"bytes=990-2000", "990", "10"},
            {"bytes=999-9999999999999999999", "999", "1"},
            {"bytes=-5", "995", "5"},
            {"bytes=-5000", "0", "1000"}
        }) {
            Response part = world.ask("GET", "/" + hash, null, "range", good[0]).is(206);
            int from = Integer.parseInt(good[1]);
            int count = Integer.parseInt(good[2]);
            assertArrayEquals(Arrays.copyOfRange(bytes, from, from + count), part.body());
            assertEquals("bytes " + from + "-" + (from + count - 1) + "/1000", part.header("Content-Range"), good[0]);
        }
        for (String bad : List.of(
                "bytes=0-" + ",0-".repeat(1_000),
                "bytes=" + "0-500,".repeat(100) + "0-500",
                "bytes=-0",
                "bytes=9999999999999999999-",
                "bytes=1000-",
                "bytes=5-2",
                "bytes=a-b",
                "bytes=",
                "bytes=-",
                "bytes=0--1",
                "bytes=+1-2",
                "bytes=\u0661-2",
                "bytes=99999999999999999999999-")) {
            world.ask("GET", "/" + hash, null, "range", bad).refused(416, "range.invalid");
        }
        assertEquals(
                1_000,
                world.ask("GET", "/" + hash, null, "range", "pages=1-2").is(200).body().length);
        String[] other = {"range", "bytes=0-0", "if-range", "\"other\""};
        assertEquals(1_000, world.ask("GET", "/" + hash, null, other).is(200).body().length);
        String[] own = {"range", "bytes=0-0", "if-range", "\"" + hash + "\""};
        assertEquals(1, world.ask("GET", "/" + hash, null, own).is(206).body().length);
        // A range is for GET; HEAD tells of the whole.
        assertEquals(
                "1000",
                world.ask("HEAD", "/" + hash, null, "range", "bytes=0-0")
                        .is(200)
                        .header("Content-Length"));
        world.upload(world.alice, new byte[0]);
        String empty = MemoryBlobs.hash(new byte[0]).hex();
        world.ask("GET", "/" + empty, null, "range", "bytes=0-").refused(416, "range.invalid");
    }

    @Test
    void BL_08_onlyAHashNamesABlob() {
        world.upload(world.alice, BYTES);
        List<String> paths = new ArrayList<>(List.of(
                "/..%2f..%2fetc/passwd",
                "/%2e%2e/",
                "/%u002e%u002e/",
                "/..;/",
                "//",
                "/" + HASH + "/../x",
                "/" + HASH.substring(1),
                "/" + HASH + ".%00.html",
                "/" + HASH + ".a/b",
                "/" + HASH + "\\x",
                "/" + HASH + ".",
                "/" + HASH + "..",
                "/" + HASH + ".a.b.c",
                "/" + HASH + ".a b",
                "/" + HASH + HASH,
                "/x" + HASH,
                "/blobs/" + HASH,
                "/./" + HASH,
                "/" + HASH + "%2e",
                "/" + HASH.toUpperCase(java.util.Locale.ROOT),
                "/" + HASH + ";a",
                "/" + HASH + ".\u00e9"));
        RandomGenerator random = Seeds.generator("files paths");
        String alphabet = "./\\%2eEfF05;:\u0000 " + HASH.substring(0, 4);
        while (paths.size() < 500) {
            StringBuilder path = new StringBuilder("/").append(random.nextBoolean() ? HASH : "");
            for (int i = 1 + random.nextInt(12); i > 0; i--) {
                path.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            if (!path.toString().matches("/" + HASH + "(\\.[A-Za-z0-9]{1,16}){1,2}")) {
                paths.add(path.toString());
            }
        }
        for (String path : paths) {
            if (path.indexOf('?') < 0) {
                Response response = world.ask("GET", path, null);
                assertEquals(404, response.status(), path);
            }
        }
    }

    // Lists

    @Test
    void aListIsNewestFirstAndPaged() {
        List<String> newestFirst = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            byte[] bytes = {(byte) i};
            world.upload(world.alice, bytes).is(201);
            newestFirst.add(0, MemoryBlobs.hash(bytes).hex());
            world.clock.advance(Duration.ofSeconds(1));
        }
        assertEquals(newestFirst, hashes(world.list(world.alice, "")));
        List<String> paged = new ArrayList<>();
        String cursor = "";
        while (true) {
            List<String> page = hashes(world.list(world.alice, "?limit=5" + cursor));
            paged.addAll(page);
            if (page.size() < 5) {
                break;
            }
            cursor = "&cursor=" + page.get(4);
        }
        assertEquals(newestFirst, paged);
        assertEquals(
                newestFirst.subList(2, 5),
                hashes(world.list(world.alice, "?since=" + (World.NOW + 7) + "&until=" + (World.NOW + 9))));
        for (String bad : List.of("?limit=0", "?limit=-1", "?limit=x", "?since=", "?until=1e9")) {
            world.list(world.alice, bad).refused(400, "list.query");
        }
        world.list(world.alice, "?cursor=zz").refused(400, "list.cursor");
        world.list(world.alice, "?cursor=" + "ab".repeat(32)).refused(400, "list.cursor");
    }

    private static List<String> hashes(Response list) {
        List<String> hashes = new ArrayList<>();
        String text = list.is(200).text();
        for (int at = text.indexOf("\"sha256\":\""); at >= 0; at = text.indexOf("\"sha256\":\"", at + 1)) {
            hashes.add(text.substring(at + 10, at + 74));
        }
        return hashes;
    }

    @Test
    void BL_12_aClaimWithoutBytesIsNeitherListedNorCounted() {
        for (int i = 0; i < 5; i++) {
            byte[] bytes = new byte[600_000];
            bytes[0] = (byte) i;
            world.upload(world.alice, bytes).is(201);
            world.clock.advance(Duration.ofSeconds(1));
        }
        // What a power cut in the middle of an upload or of a deletion leaves.
        List<Sha256> lost = List.copyOf(world.blobs.blobs.keySet()).subList(0, 3);
        lost.forEach(world.blobs.blobs::remove);
        for (Sha256 hash : lost) {
            world.ask("GET", "/" + hash, null).refused(404, "blob.absent");
        }
        assertEquals(2, hashes(world.list(world.alice, "?limit=2")).size());
        assertEquals(2, hashes(world.list(world.alice, "")).size());
        world.list(world.alice, "");
        byte[] more = new byte[900_000];
        world.upload(world.alice, more).is(201);
        byte[] again = new byte[900_000];
        again[0] = 77;
        world.upload(world.alice, again).is(201);
    }

    // When the store fails

    @Test
    void BL_13_aFullDiskIsSaidAndLeavesNothing() {
        world.upload(world.alice, bytes("before")).is(201);
        world.blobs.failure = new ProviderException(Kind.EXHAUSTED, "storage.full", "Full.");
        world.upload(world.alice, BYTES).refused(507, "storage.full");
        world.blobs.failure = null;
        world.blobs.failureAfterAdmission = new ProviderException(Kind.EXHAUSTED, "storage.full", "Full.");
        world.upload(world.alice, BYTES).refused(507, "storage.full");
        assertEquals(1, hashes(world.list(world.alice, "")).size());
        world.ask("GET", "/" + MemoryBlobs.hash(bytes("before")), null).is(200);
        world.blobs.failureAfterAdmission = null;
        world.upload(world.alice, BYTES).is(201);
        assertEquals(2, hashes(world.list(world.alice, "")).size());
    }

    @Test
    void whatTheStoreCannotDoNowIsTriedAgainLater() {
        world.blobs.failure = new ProviderException(Kind.UNAVAILABLE, "storage.io-error", "A path of this machine.");
        Response refused = world.upload(world.alice, BYTES).refused(503, "storage.io-error");
        assertFalse(refused.text().contains("A path of this machine"), refused.text());
        assertEquals("60", refused.header("Retry-After"));
    }

    @Test
    void BL_15_aDamagedBlobIsRefusedAndCanBeUploadedAgain() {
        world.upload(world.alice, BYTES);
        Sha256 hash = MemoryBlobs.hash(BYTES);
        byte[] flipped = BYTES.clone();
        flipped[3] ^= 1;
        world.blobs.blobs.put(hash, flipped);
        world.ask("GET", "/" + HASH, null).refused(500, "blob.corrupt");
        world.ask("GET", "/" + HASH, null).refused(404, "blob.absent");
        world.upload(world.alice, BYTES).is(201);
        // One that lost its end is noticed before a part of it is served.
        world.blobs.blobs.put(hash, Arrays.copyOf(BYTES, 5));
        world.ask("GET", "/" + HASH, null, "range", "bytes=0-1").refused(500, "blob.corrupt");
    }

    @Test
    void BL_15_readingThroughFindsWhatNobodyAskedFor() throws Exception {
        for (int i = 0; i < 20; i++) {
            world.upload(world.alice, new byte[] {(byte) i}).is(201);
        }
        Sha256 damaged = MemoryBlobs.hash(new byte[] {7});
        world.blobs.blobs.put(damaged, new byte[] {8});
        try (Scrub scrub = new Scrub(World.slot("blobs", world.blobs), 1, world.random)) {
            int found = 0;
            // One blob is due each minute, and the round may begin in the middle of them.
            for (int turn = 0; turn < 42; turn++) {
                found += scrub.turn();
            }
            assertEquals(1, found);
        }
        world.ask("GET", "/" + damaged, null).refused(404, "blob.absent");
        assertEquals(19, hashes(world.list(world.alice, "")).size());
    }

    // Many at once

    @Test
    void BL_14_manyUploadsAndDeletionsAtOnceCountExactly() throws Exception {
        AtomicInteger created = new AtomicInteger();
        List<Integer> all = together(32, i -> {
            int status =
                    world.upload(i % 2 == 0 ? world.alice : world.bob, BYTES).status();
            created.addAndGet(status == 201 ? 1 : 0);
            return status;
        });
        assertTrue(all.stream().allMatch(status -> status == 201 || status == 200), all.toString());
        assertEquals(1, created.get());
        world.delete(world.alice, HASH).is(204);
        world.ask("GET", "/" + HASH, null).is(200);
        world.delete(world.bob, HASH).is(204);
        assertTrue(world.blobs.blobs.isEmpty());
        for (int round = 0; round < 20; round++) {
            together(8, i -> {
                TestKey key = i % 2 == 0 ? world.alice : world.bob;
                return i < 5
                        ? world.upload(key, BYTES).status()
                        : world.delete(key, HASH).status();
            });
            boolean listed = !hashes(world.list(world.alice, "")).isEmpty()
                    || !hashes(world.list(world.bob, "")).isEmpty();
            assertEquals(listed, world.blobs.blobs.size() == 1, "owners and bytes");
            assertEquals(listed ? 200 : 404, world.ask("GET", "/" + HASH, null).status());
        }
    }

    private interface Job {
        int run(int number);
    }

    private static List<Integer> together(int threads, Job job) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Callable<Integer>> tasks = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int number = i;
                tasks.add(() -> job.run(number));
            }
            List<Integer> results = new ArrayList<>();
            for (Future<Integer> future : pool.invokeAll(tasks)) {
                results.add(future.get());
            }
            return results;
        } finally {
            pool.shutdownNow();
        }
    }

    // Reports

    @Test
    void aReportIsTakenIfItIsSignedAndAboutABlobThatIsHere() {
        world.upload(world.alice, BYTES);
        List<List<String>> tags = List.of(List.of("x", HASH, "malware"), List.of("x", "ab".repeat(32), "spam"));
        report(world.stranger.event(World.NOW, 1984, tags, "Look")).is(200);
        world.ask("GET", "/" + HASH, null).is(200);
        report(world.stranger.event(World.NOW, 1, tags, "Look")).refused(400, "report.invalid");
        report(world.stranger.event(World.NOW - 700_000, 1984, tags, "")).refused(400, "report.invalid");
        report(world.stranger.event(World.NOW, 1984, List.of(List.of("x", "zz")), ""))
                .refused(400, "report.invalid");
        report(world.stranger.event(World.NOW, 1984, tags.subList(1, 2), "")).refused(404, "blob.absent");
        report(world.stranger.event(World.NOW, 1984, List.of(), "")).refused(404, "blob.absent");
        Event event = world.stranger.event(World.NOW, 1984, tags, "Look");
        report(new Event(event.id(), world.bob.publicKey(), World.NOW, 1984, tags, "Look", event.sig()))
                .refused(400, "report.invalid");
        world.ask("PUT", "/report", new byte[20_000]).refused(413, "report.too-large");
        world.ask("PUT", "/report", bytes("no event")).refused(400, "report.invalid");
        world.ask("GET", "/report", null).refused(405, "method.not-allowed");
    }

    private Response report(Event event) {
        return world.ask("PUT", "/report", bytes(EventWriter.write(event)));
    }
}
