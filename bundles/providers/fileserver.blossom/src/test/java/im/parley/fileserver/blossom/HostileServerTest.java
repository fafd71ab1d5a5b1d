package im.parley.fileserver.blossom;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.blobs.FileServer;
import im.parley.api.blobs.FileServer.Access;
import im.parley.api.blobs.FileServer.Content;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Servers that refuse, lie, lead elsewhere, break off or never end. */
@Timeout(60)
class HostileServerTest {
    private static final byte[] BYTES = new byte[3_000_000];
    private static final Sha256 HASH = Sha256.ofHex(StubServer.hash(BYTES));

    private final FakeContext context = new FakeContext();
    private StubServer stub;
    private BlossomFileServer blossom;

    HostileServerTest() throws Exception {
        stub = new StubServer();
        blossom = new BlossomFileServer(
                context,
                new BlossomProvider.Settings(1 << 20, Duration.ofSeconds(2)),
                Tls.systemTrust(context.random()));
    }

    @BeforeEach
    void name() {
        context.named.add(stub.port());
    }

    @AfterEach
    void close() throws Exception {
        blossom.close();
        stub.close();
    }

    private Access access() {
        return new Access(Scope.DEFAULT, stub.url(), context);
    }

    private FileServer.Stored upload() throws ProviderException {
        return blossom.upload(access(), new Content(HASH, BYTES.length, "application/octet-stream", source()));
    }

    private static FileServer.Source source() {
        return new FileServer.Source() {
            private int at;

            @Override
            public void seek(long offset) {
                at = (int) offset;
            }

            @Override
            public int read(byte[] buffer, int from, int length) {
                int n = Math.min(length, BYTES.length - at);
                System.arraycopy(BYTES, at, buffer, from, n);
                at += n;
                return n;
            }

            @Override
            public void progress(long sentBytes) {}
        };
    }

    private byte[] download(URI url) throws ProviderException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        blossom.download(new Access(Scope.DEFAULT, url, context), HASH, 0, BYTES.length, out::write);
        return out.toByteArray();
    }

    private static ProviderException fails(String code, org.junit.jupiter.api.function.Executable call) {
        ProviderException e = assertThrows(ProviderException.class, call);
        assertEquals(code, e.code());
        return e;
    }

    @ParameterizedTest
    @CsvSource({
        "400, REJECTED, fileserver.refused",
        "401, AUTHENTICATION, fileserver.unauthorized",
        "402, REJECTED, fileserver.payment",
        "403, REJECTED, fileserver.forbidden",
        "411, REJECTED, fileserver.refused",
        "413, REJECTED, blob.too-large",
        "415, REJECTED, fileserver.type-refused",
        "429, EXHAUSTED, fileserver.busy",
        "500, UNAVAILABLE, fileserver.unavailable",
        "503, UNAVAILABLE, fileserver.unavailable",
        "507, EXHAUSTED, fileserver.full"
    })
    void aRefusalIsSaidForWhatItIs(int status, Kind kind, String code) {
        for (boolean before : new boolean[] {true, false}) {
            stub.questions = before;
            stub.trick = (request, out) -> {
                if (!request.path().equals("/upload")
                        || !before && request.method().equals("HEAD")) {
                    return false;
                }
                StubServer.text(out, status, "No. <script>\r\n", "X-Reason: because");
                return true;
            };
            ProviderException e = fails(code, this::upload);
            assertEquals(kind, e.kind());
            assertFalse(e.getMessage().contains("script"));
        }
    }

    @Test
    void aTokenIsForOneVerbOneBlobAndOneServer() throws Exception {
        stub.pieces = true;
        upload();
        assertEquals(1, context.signed.size(), "one token is good for all pieces");
        EventTemplate token = context.signed.get(0);
        assertEquals(24_242, token.kind());
        assertEquals(
                List.of(
                        List.of("t", "upload"),
                        List.of("x", HASH.hex()),
                        List.of("expiration", "1800003600"),
                        List.of("server", "127.0.0.1")),
                token.tags());
        assertTrue(token.createdAt() < 1_800_000_000L);
        assertTrue(context.connected.stream().allMatch(each -> each.equals("127.0.0.1:" + stub.port() + " files")));
    }

    @Test
    void anUploadGoesOnWhereItBrokeOff() throws Exception {
        stub.pieces = true;
        AtomicInteger patches = new AtomicInteger();
        stub.trick = (request, out) -> {
            if (!request.method().equals("PATCH") || patches.incrementAndGet() != 2) {
                return false;
            }
            // Half a piece comes, then the line breaks.
            byte[] there = stub.begun.getOrDefault(HASH.hex(), new byte[0]);
            byte[] more = request.in().readNBytes(300_000);
            byte[] all = Arrays.copyOf(there, there.length + more.length);
            System.arraycopy(more, 0, all, there.length, more.length);
            stub.begun.put(HASH.hex(), all);
            return true;
        };
        fails("fileserver.cut", this::upload);
        assertEquals((1 << 20) + 300_000, stub.begun.getOrDefault(HASH.hex(), new byte[0]).length);
        upload();
        assertArrayEquals(BYTES, stub.blobs.get(HASH.hex()));
        assertEquals(4, patches.get(), "what was there was not sent again");
    }

    @Test
    void aServerThatNeverGetsOnIsGivenUp() {
        stub.pieces = true;
        stub.trick = (request, out) -> {
            if (!request.method().equals("PATCH")) {
                return false;
            }
            request.body();
            StubServer.text(out, 409, "", "Upload-Offset: 0");
            return true;
        };
        fails("fileserver.unavailable", this::upload);
    }

    @Test
    void BL_02_aRedirectLeadsOnlyWhereTheEgressLets() throws Exception {
        upload();
        try (StubServer other = new StubServer()) {
            other.blobs.put(HASH.hex(), BYTES);
            stub.trick = (request, out) -> {
                StubServer.head(out, 302, "Location: " + other.url() + "/" + HASH.hex(), "Content-Length: 0");
                return true;
            };
            fails("egress.private", () -> download(stub.url()));
            assertEquals(List.of(), other.asked);
            context.named.add(other.port());
            assertArrayEquals(BYTES, download(stub.url()));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/elsewhere",
                "file:///etc/passwd#HASH",
                "gopher://127.0.0.1/HASH",
                "http://ok@127.0.0.1/HASH",
                "http:///HASH",
                "::HASH",
                "/HASH"
            })
    void BL_02_aRedirectThatIsNoneIsNotFollowed(String location) {
        AtomicInteger asked = new AtomicInteger();
        stub.trick = (request, out) -> {
            asked.incrementAndGet();
            StubServer.head(out, 307, "Location: " + location.replace("HASH", HASH.hex()), "Content-Length: 0");
            return true;
        };
        ProviderException e = assertThrows(ProviderException.class, () -> download(stub.url()));
        assertEquals(Kind.REJECTED, e.kind());
        assertTrue(e.code().startsWith("fileserver."), e.code());
        assertTrue(asked.get() <= 4, asked + " hops");
    }

    @Test
    void anUploadIsNotSentAfterARedirect() {
        stub.trick = (request, out) -> {
            StubServer.head(out, 307, "Location: http://127.0.0.1:1/upload", "Content-Length: 0");
            return true;
        };
        fails("fileserver.redirect", this::upload);
    }

    @Test
    void BL_04_anEndlessBodyEndsWithTheBlob() {
        stub.trick = (request, out) -> {
            StubServer.head(out, 200);
            byte[] zeros = new byte[65_536];
            for (int i = 0; i < 100_000; i++) {
                out.write(zeros);
            }
            return true;
        };
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        fails("blob.too-large", () -> blossom.download(access(), HASH, 0, BYTES.length, out::write));
        assertEquals(BYTES.length, out.size());
    }

    @Test
    void BL_04_aBodyThatBreaksOffIsCut() {
        stub.trick = (request, out) -> {
            StubServer.head(out, 200, "Content-Length: " + BYTES.length);
            out.write(BYTES, 0, 1_000_000);
            return true;
        };
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        fails("fileserver.cut", () -> blossom.download(access(), HASH, 0, BYTES.length, out::write));
        assertEquals(1_000_000, out.size(), "what came can be gone on with");
    }

    @Test
    void BL_04_aSilentServerIsGivenUp() {
        stub.trick = (request, out) -> {
            try {
                Thread.sleep(20_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return true;
        };
        assertEquals(
                Kind.TIMEOUT,
                fails("fileserver.timeout", () -> download(stub.url())).kind());
    }

    @Test
    void aServerThatStopsReadingIsGivenUp() {
        stub.questions = false;
        stub.trick = (request, out) -> {
            if (!request.method().equals("PUT")) {
                return false;
            }
            try {
                Thread.sleep(30_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return true;
        };
        byte[] zeros = new byte[1 << 16];
        FileServer.Source endless = new FileServer.Source() {
            @Override
            public void seek(long offset) {}

            @Override
            public int read(byte[] buffer, int from, int length) {
                System.arraycopy(zeros, 0, buffer, from, length);
                return length;
            }

            @Override
            public void progress(long sentBytes) {}
        };
        fails(
                "fileserver.timeout",
                () -> blossom.upload(access(), new Content(HASH, 1L << 40, "application/octet-stream", endless)));
    }

    @Test
    void BL_04_whatIsPackedIsNotUnpacked() {
        stub.trick = (request, out) -> {
            StubServer.text(out, 200, "bomb", "Content-Encoding: gzip");
            return true;
        };
        fails("fileserver.bad-answer", () -> download(stub.url()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "SSH-2.0-whatever\r\n\r\n",
                "HTTP/1.1 abc\r\n\r\n",
                "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                "HTTP/1.1 206 Part\r\nContent-Range: bytes 7-9/10\r\nContent-Length: 3\r\n\r\nabc",
                "HTTP/1.1 204 No Content\r\n\r\n"
            })
    void whatIsNotHttpIsSaidToBe(String answer) {
        stub.trick = (request, out) -> {
            out.write(answer.getBytes(StandardCharsets.ISO_8859_1));
            return true;
        };
        ProviderException e = assertThrows(ProviderException.class, () -> download(stub.url()));
        assertEquals(Kind.UNAVAILABLE, e.kind());
        assertTrue(e.code().startsWith("fileserver."), e.code().toLowerCase(Locale.ROOT));
    }

    @Test
    void aHeadWithoutEndIsNotRead() {
        stub.trick = (request, out) -> {
            StubServer.head(out, 200, "X-Long: " + "a".repeat(100_000));
            return true;
        };
        fails("fileserver.bad-answer", () -> download(stub.url()));
    }

    @Test
    void chunkedBodiesAreReadAsTheyAre() throws Exception {
        stub.trick = (request, out) -> {
            StubServer.head(out, 200, "Transfer-Encoding: chunked");
            for (int at = 0; at < BYTES.length; at += 100_000) {
                out.write("186A0;ext=1\r\n".getBytes(StandardCharsets.ISO_8859_1));
                out.write(BYTES, at, 100_000);
                out.write("\r\n".getBytes(StandardCharsets.ISO_8859_1));
            }
            out.write("0\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
            return true;
        };
        assertArrayEquals(BYTES, download(stub.url()));
    }

    @Test
    void aServerThatRefusesBeforeTheEndIsHeard() {
        stub.questions = false;
        stub.trick = (request, out) -> {
            if (!request.method().equals("PUT")) {
                return false;
            }
            StubServer.text(out, 413, "");
            return true;
        };
        fails("blob.too-large", this::upload);
    }

    @Test
    void whatTheServerSaysItStoredIsCompared() {
        stub.trick = (request, out) -> {
            if (!request.method().equals("PUT")) {
                return false;
            }
            request.body();
            StubServer.text(out, 201, "{\"url\":\"http://x/\",\"sha256\":\"" + "ab".repeat(32) + "\"}");
            return true;
        };
        fails("blob.hash-mismatch", this::upload);
    }

    @Test
    void anAddressThatIsNoneIsRefused() {
        for (String url : List.of("ftp://a.example/", "http://u:p@a.example/", "http:/x", "http://a.example:99999/")) {
            fails("fileserver.bad-url", () -> download(URI.create(url)));
        }
        assertEquals(List.of(), context.connected);
    }

    @Test
    void aProbeSaysWhatAServerTakes() throws Exception {
        stub.trick = (request, out) -> {
            if (request.method().equals("HEAD") && request.path().equals("/upload")) {
                boolean small = Long.parseLong(request.header("x-content-length")) <= 200L << 20;
                StubServer.head(out, small ? 200 : 413);
                return true;
            }
            return false;
        };
        assertEquals(new FileServer.Probe(true, "", 100L << 20, false), blossom.probe(access()));
        stub.trick = null;
        stub.questions = false;
        assertEquals(new FileServer.Probe(false, "fileserver.does-not-say", -1, false), blossom.probe(access()));
        assertTrue(stub.blobs.isEmpty());
    }
}
