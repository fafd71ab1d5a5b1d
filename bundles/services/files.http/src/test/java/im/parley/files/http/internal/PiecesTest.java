package im.parley.files.http.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.files.http.internal.World.Response;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code PATCH /upload}: a blob in pieces. */
@Timeout(60)
class PiecesTest {
    private static final byte[] BYTES = "a blob that comes in several pieces".getBytes(StandardCharsets.UTF_8);
    private static final String HASH = MemoryBlobs.hash(BYTES).hex();

    private final World world = new World();

    private Response patch(TestKey key, byte[] whole, int from, int to) {
        return patch(key, whole, MemoryBlobs.hash(whole).hex(), from, to, whole.length);
    }

    private Response patch(TestKey key, byte[] whole, String hash, int from, int to, long length) {
        return world.ask(
                "PATCH",
                "/upload",
                Arrays.copyOfRange(whole, from, to),
                "authorization",
                key.token(world.clock.epochSecond(), "upload", hash),
                "x-sha-256",
                hash,
                "upload-length",
                Long.toString(length),
                "upload-offset",
                Integer.toString(from),
                "upload-type",
                "image/png");
    }

    private String offset(TestKey key) {
        return world.ask(
                        "HEAD",
                        "/upload",
                        null,
                        "authorization",
                        key.token(world.clock.epochSecond(), "upload", HASH),
                        "x-sha-256",
                        HASH,
                        "x-content-length",
                        "" + BYTES.length)
                .is(200)
                .header("Upload-Offset");
    }

    @Test
    void aBlobInPiecesIsOneAtTheLastAndNoneBefore() {
        Response offer = world.ask("OPTIONS", "/upload", null).is(204);
        assertEquals("application/octet-stream", offer.header("Accept-Patch"));
        assertEquals("max-size=1000000", offer.header("Upload-Limit"));
        assertTrue(offer.header("Access-Control-Allow-Methods").contains("PATCH"));
        assertEquals("0", offset(world.alice));
        assertEquals("10", patch(world.alice, BYTES, 0, 10).is(204).header("Upload-Offset"));
        assertEquals("10", offset(world.alice));
        assertEquals("0", offset(world.bob));
        world.ask("GET", "/" + HASH, null).refused(404, "blob.absent");
        assertEquals("[]", world.list(world.alice, "").text());
        patch(world.alice, BYTES, 10, 20).is(204);
        Response done = patch(world.alice, BYTES, 20, BYTES.length).is(201);
        assertTrue(done.text().contains("\"sha256\":\"" + HASH + "\",\"size\":" + BYTES.length));
        assertTrue(done.text().contains("image/png"));
        assertArrayEquals(BYTES, world.ask("GET", "/" + HASH, null).is(200).body());
        assertTrue(world.list(world.alice, "").text().contains(HASH));
        assertTrue(world.blobs.begun.isEmpty());
        assertEquals("" + BYTES.length, offset(world.alice));
        patch(world.alice, BYTES, 20, BYTES.length).is(200);
        assertTrue(world.blobs.begun.isEmpty());
    }

    @Test
    void aWrongOffsetIsToldTheRightOne() {
        assertEquals(
                "0",
                patch(world.alice, BYTES, 5, 9).refused(409, "upload.offset").header("Upload-Offset"));
        patch(world.alice, BYTES, 0, 9).is(204);
        assertEquals(
                "9",
                patch(world.alice, BYTES, 0, 9).refused(409, "upload.offset").header("Upload-Offset"));
        // The answer to the last piece was lost with the connection, or the server died before it had made it a blob.
        world.blobs.begun.replaceAll((name, bytes) -> BYTES);
        patch(world.alice, BYTES, BYTES.length, BYTES.length).is(201);
    }

    @Test
    void BL_05_bytesOfAnotherHashAreRemoved() {
        byte[] other = BYTES.clone();
        other[3] ^= 1;
        patch(world.alice, other, HASH, 0, 10, BYTES.length).is(204);
        patch(world.alice, BYTES, 10, BYTES.length).refused(409, "hash.mismatch");
        assertTrue(world.blobs.begun.isEmpty());
        assertTrue(world.blobs.blobs.isEmpty());
        assertEquals("0", offset(world.alice));
        assertEquals("[]", world.list(world.alice, "").text());
    }

    @Test
    void nobodySpoilsThePiecesOfAnother() {
        patch(world.alice, BYTES, 0, 10).is(204);
        byte[] other = new byte[BYTES.length];
        patch(world.bob, other, HASH, 0, 10, BYTES.length).is(204);
        patch(world.alice, BYTES, 10, BYTES.length).is(201);
        patch(world.stranger, BYTES, 0, 10).refused(403, "upload.not-allowed");
        world.ask("PATCH", "/upload", BYTES).refused(401, "auth.missing");
    }

    @Test
    void whatIsNotAPieceIsRefused() {
        String token = world.alice.token(World.NOW, "upload", HASH);
        world.ask("PATCH", "/upload", BYTES, "authorization", token, "x-sha-256", HASH)
                .refused(400, "upload.header-missing");
        world.ask("PATCH", "/upload", BYTES, "authorization", token, "upload-length", "35", "upload-offset", "0")
                .refused(400, "hash.missing");
        world.ask("PATCH", "/upload", BYTES, "authorization", token, "x-test-chunked", "")
                .refused(411, "length.missing");
        patch(world.alice, BYTES, HASH, 0, 10, 5).refused(400, "length.invalid");
        patch(world.alice, BYTES, HASH, 0, 10, 1_000_001).refused(413, "blob.too-large");
        assertTrue(world.blobs.begun.isEmpty());
    }

    @Test
    void BL_18_piecesCountToWhatAKeyMayOwn() {
        for (int i = 0; i < 3; i++) {
            byte[] whole = {(byte) i, 1, 2};
            patch(world.alice, whole, 0, 1).is(204);
        }
        patch(world.alice, BYTES, 0, 1).refused(429, "quota.exceeded");
        patch(world.bob, BYTES, 0, 1).is(204);
        patch(world.alice, new byte[] {0, 1, 2}, 1, 3).is(201);
        patch(world.alice, BYTES, 0, 1).is(204);
        // What is announced counts, although next to nothing of it has come.
        byte[] tiny = {9};
        for (int i = 0; i < 2; i++) {
            String hash = (i + "f").repeat(32);
            patch(world.bob, tiny, hash, 0, 1, 1_000_000).is(204);
        }
        patch(world.bob, tiny, "ab".repeat(32), 0, 1, 1_000_000).refused(429, "quota.exceeded");
    }

    @Test
    void whatNobodyGoesOnWithIsSwept() throws Exception {
        patch(world.alice, BYTES, 0, 10).is(204);
        PieceSweep sweep = new PieceSweep(World.slot("blobs", world.blobs), Duration.ofHours(2), world.clock);
        assertEquals(0, sweep.sweep());
        world.blobs.changed = Instant.ofEpochSecond(World.NOW - 7_201);
        assertEquals(1, sweep.sweep());
        sweep.close();
        assertEquals("0", offset(world.alice));
    }

    @Test
    void BL_19_anAddressSendsOnlySoMuch() {
        FilesSettings few = World.settings(Set.of(world.alice.publicKey()));
        world.server(new FilesSettings(
                few.urls(),
                few.names(),
                false,
                few.allowed(),
                few.maxBlobBytes(),
                few.quotaBytes(),
                few.quotaBlobs(),
                few.totalBytes(),
                15,
                few.addressRequestsPerMinute(),
                few.longestToken(),
                few.longestPause(),
                few.piecesPerKey(),
                0,
                false));
        patch(world.alice, BYTES, 0, 10).is(204);
        patch(world.alice, BYTES, 10, 20).refused(429, "quota.exceeded");
    }
}
