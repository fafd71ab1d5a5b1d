package im.parley.http.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.http.ContentRoute;
import im.parley.http.HttpRoute;
import im.parley.testkit.Await;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ContentRouteTest {
    private static final Map<String, Object> FILES = Map.of(HttpRoute.LISTENER, "files");

    private final HttpServer server = new HttpServer(new Settings(
            Settings.listeners(new String[] {"files=127.0.0.1:0", "relay=127.0.0.1:0"}),
            Map.of(),
            100,
            8,
            Duration.ofSeconds(5),
            Settings.SocketLimits.DEFAULT,
            64L << 20,
            new Settings.Transfers(2, 1, 8_192)));
    private final Files files = new Files();
    private InetSocketAddress address = InetSocketAddress.createUnresolved("unset", 0);
    private String host = "";

    @BeforeEach
    void start() {
        server.bindContentRoute(files, FILES);
        address = Objects.requireNonNull(server.bound().get("files"));
        host = "Host: 127.0.0.1:" + address.getPort() + "\r\nConnection: close\r\n";
    }

    @AfterEach
    void stop() {
        files.go.countDown();
        server.deactivate();
    }

    private String ask(String request) throws IOException {
        try (RawSocket raw = new RawSocket(address)) {
            return raw.ask(request) + raw.rest();
        }
    }

    @Test
    void everyPathOfTheListenerComesAsItWasSent() throws IOException {
        for (String path : new String[] {"/", "/a", "/a.b/c", "/x%20y"}) {
            String answer = ask("GET " + path + "?q=%2f HTTP/1.1\r\n" + host + "\r\n");
            assertTrue(answer.startsWith("HTTP/1.1 200 "), answer);
            assertTrue(answer.endsWith("GET " + path + " q=%2f 0"), answer);
        }
        InetSocketAddress relay = Objects.requireNonNull(server.bound().get("relay"));
        try (RawSocket raw = new RawSocket(relay)) {
            String answer = raw.ask("GET /a HTTP/1.1\r\nHost: 127.0.0.1:" + relay.getPort() + "\r\n\r\n");
            assertTrue(answer.startsWith("HTTP/1.1 404 "), "another listener has none of it: " + answer);
        }
        assertTrue(ask("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n").startsWith("HTTP/1.1 421 "));
    }

    @Test
    void aRouteOfItsOwnComesFirst() throws IOException {
        server.bindRoute(
                request -> new HttpRoute.Answer(200, Map.of(), "own".getBytes(StandardCharsets.UTF_8)),
                Map.of(HttpRoute.LISTENER, "files", HttpRoute.PATH, "/own"));
        assertTrue(ask("GET /own HTTP/1.1\r\n" + host + "\r\n").endsWith("own"));
        assertTrue(ask("GET /other HTTP/1.1\r\n" + host + "\r\n").contains("GET /other"));
    }

    @Test
    void BL_08_pathsThatCanBeReadInTwoWaysDoNotComeThisFar() throws IOException {
        for (String path : new String[] {
            "/..%2f..%2fetc/passwd", "/%2e%2e/", "/%u002e%u002e/", "/..;/", "//", "/a//b", "/a/%2e%2e/b", "/%00", "/a%"
        }) {
            String answer = ask("GET " + path + " HTTP/1.1\r\n" + host + "\r\n");
            assertTrue(answer.startsWith("HTTP/1.1 400 "), path + " " + answer);
        }
        assertEquals(0, files.served.get());
    }

    @Test
    void bodiesStreamBothWays() throws Exception {
        byte[] block = new byte[64 * 1024];
        long size = 200L * block.length;
        try (RawSocket raw = new RawSocket(address)) {
            raw.out.write(("PUT /count HTTP/1.1\r\n" + host + "Content-Length: " + size + "\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            for (long sent = 0; sent < size; sent += block.length) {
                raw.out.write(block);
            }
            assertTrue(raw.head().startsWith("HTTP/1.1 200 "));
            assertEquals("PUT /count  " + size, raw.rest());
        }
        String chunked = ask("PUT /count HTTP/1.1\r\n" + host
                + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
        assertTrue(chunked.endsWith("PUT /count  7"), chunked);
        try (RawSocket raw = new RawSocket(address)) {
            String head = raw.ask("GET /large HTTP/1.1\r\n" + host + "\r\n");
            assertTrue(head.contains("Content-Length: 20000000\r\n"), head);
            assertEquals(20_000_000, raw.in.readAllBytes().length);
        }
        String head = ask("HEAD /large HTTP/1.1\r\n" + host + "\r\n");
        assertTrue(head.contains("Content-Length: 20000000\r\n") && head.endsWith("\r\n\r\n"), head);
    }

    @Test
    void whoIsRefusedWhileSendingGetsToReadWhy() throws Exception {
        try (RawSocket raw = new RawSocket(address)) {
            raw.out.write(("PUT /refuse HTTP/1.1\r\n" + host + "Content-Length: 600000\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            raw.sendDespiteHangUp(new byte[600_000]);
            assertTrue(raw.head().startsWith("HTTP/1.1 403 "));
            assertTrue(raw.rest().contains("test.refused"));
        }
        // Asked first, nothing is sent at all.
        String asked =
                ask("PUT /refuse HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 600000\r\n\r\n");
        assertTrue(asked.startsWith("HTTP/1.1 403 ") && !asked.contains("100 Continue"), asked);
        String welcome = ask("PUT /count HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
        assertTrue(welcome.contains(" 200 "), welcome);
    }

    @Test
    void whatIsMissingOrTooMuchIsNeverTakenForTheWhole() throws Exception {
        for (String path : new String[] {"/short", "/breaks"}) {
            try (RawSocket raw = new RawSocket(address)) {
                String head = raw.ask("GET " + path + " HTTP/1.1\r\n" + host + "\r\n");
                assertTrue(head.contains("Content-Length: 100000\r\n"), head);
                int got;
                try {
                    got = raw.in.readAllBytes().length;
                } catch (IOException cut) {
                    got = -1;
                }
                assertTrue(got < 100_000, path);
            }
        }
        for (String path : new String[] {"/nothing", "/bug"}) {
            String answer = ask("GET " + path + " HTTP/1.1\r\n" + host + "\r\n");
            assertTrue(answer.startsWith("HTTP/1.1 500 ") && answer.contains("http.internal"), answer);
            assertFalse(answer.contains("planted"), answer);
        }
    }

    @Test
    void tooManyAtOnceAreAskedToComeAgain() throws Exception {
        try (RawSocket one = new RawSocket(address);
                RawSocket two = new RawSocket(address)) {
            one.out.write(("GET /wait HTTP/1.1\r\n" + host + "\r\n").getBytes(StandardCharsets.US_ASCII));
            two.out.write(("GET /wait HTTP/1.1\r\n" + host + "\r\n").getBytes(StandardCharsets.US_ASCII));
            Await.until("both are served", () -> server.openTransfers() == 2);
            String third = ask("GET /a HTTP/1.1\r\n" + host + "\r\n");
            assertTrue(third.startsWith("HTTP/1.1 503 ") && third.contains("http.busy"), third);
            assertTrue(third.contains("Retry-After: "), third);
            files.go.countDown();
            assertTrue(one.head().startsWith("HTTP/1.1 200 "));
            assertTrue(two.head().startsWith("HTTP/1.1 200 "));
        }
        Await.until("both have ended", () -> server.openTransfers() == 0);
        assertTrue(ask("GET /a HTTP/1.1\r\n" + host + "\r\n").startsWith("HTTP/1.1 200 "));
    }

    @Test
    void aRouteThatGoesIsNotCalledAnyMore() throws Exception {
        try (RawSocket raw = new RawSocket(address)) {
            raw.out.write(("PUT /count HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\nabc")
                    .getBytes(StandardCharsets.US_ASCII));
            Await.until("it is served", () -> server.openTransfers() == 1);
            server.unbindContentRoute(files);
            assertEquals(0, server.openTransfers());
            assertEquals("", raw.head());
        }
        assertTrue(ask("GET /a HTTP/1.1\r\n" + host + "\r\n").startsWith("HTTP/1.1 404 "));
    }

    @Test
    void whoIsSlowInTheLongRunIsCut() throws IOException {
        long second = 1_000_000_000L;
        ContentExchange.Pace pace = new ContentExchange.Pace(8_192);
        // Whoever waits a moment, or has been quick before, is borne.
        pace.moved(1, ContentExchange.Pace.GRACE_NANOS);
        ContentExchange.Pace quick = new ContentExchange.Pace(8_192);
        quick.moved(10_000_000, second);
        quick.moved(1, 600 * second);
        assertThrows(IOException.class, () -> pace.moved(1, second));
        assertThrows(IOException.class, () -> quick.moved(1, 700 * second));
        ContentExchange.Pace any = new ContentExchange.Pace(0);
        any.moved(1, 10_000 * second);
    }

    /** Says what was asked and how long the body was, or misbehaves as the path says. */
    private static final class Files implements ContentRoute {
        final CountDownLatch go = new CountDownLatch(1);
        final AtomicLong served = new AtomicLong();

        @Override
        public void serve(Exchange exchange) throws IOException {
            served.incrementAndGet();
            HttpRoute.Request request = exchange.request();
            switch (request.path()) {
                case "/refuse" -> exchange.answer(HttpRoute.Answer.problem(403, "test.refused", "No."));
                case "/large" -> {
                    OutputStream out = exchange.answer(200, Map.of(), 20_000_000);
                    for (int i = 0; i < 200; i++) {
                        out.write(new byte[100_000]);
                    }
                }
                case "/short" -> exchange.answer(200, Map.of(), 100_000).write(new byte[99_999]);
                case "/breaks" -> {
                    exchange.answer(200, Map.of(), 100_000).write(new byte[10]);
                    throw new IOException("planted");
                }
                case "/nothing" -> {}
                case "/bug" -> throw new IllegalStateException("planted");
                case "/wait" -> {
                    await();
                    exchange.answer(200, Map.of(), 0);
                }
                default -> {
                    String said = request.method() + " " + request.path() + " " + exchange.query() + " "
                            + count(exchange.body());
                    exchange.answer(new HttpRoute.Answer(200, Map.of(), said.getBytes(StandardCharsets.UTF_8)));
                }
            }
        }

        private void await() {
            try {
                assertTrue(go.await(20, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private static long count(InputStream body) throws IOException {
            byte[] buffer = new byte[8_192];
            long size = 0;
            for (int n = body.read(buffer); n >= 0; n = body.read(buffer)) {
                size += n;
            }
            return size;
        }
    }
}
