package im.parley.http.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.http.HttpRoute;
import im.parley.http.Listeners;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HttpServerTest {
    private final EchoRoute route = new EchoRoute(1024);
    private HttpServer server = server("relay=127.0.0.1:0");
    private InetSocketAddress address = InetSocketAddress.createUnresolved("unset", 0);

    static HttpServer server(String... listeners) {
        return new HttpServer(new Settings(
                Settings.listeners(listeners),
                Settings.hosts(new String[] {"relay=relay.example.org", "relay=exact.example.org:9"}),
                100,
                16,
                Duration.ofSeconds(5),
                Settings.SocketLimits.DEFAULT,
                64L << 20,
                Settings.Transfers.DEFAULT));
    }

    @BeforeEach
    void start() {
        server.bindRoute(route, EchoRoute.at("/"));
        address = java.util.Objects.requireNonNull(server.bound().get("relay"));
    }

    @AfterEach
    void stop() {
        server.deactivate();
        assertEquals(0, route.violations.get(), "the sink's contract was broken");
    }

    private String ask(String request) throws IOException {
        try (RawSocket raw = new RawSocket(address)) {
            return raw.ask(request) + raw.rest();
        }
    }

    private String get(String path, String host) throws IOException {
        return ask("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
    }

    @Test
    void servesTheExactPathOnly() throws IOException {
        String own = "127.0.0.1:" + address.getPort();
        assertTrue(get("/", own).startsWith("HTTP/1.1 200 "));
        assertTrue(get("/?q=1", own).startsWith("HTTP/1.1 200 "));
        for (String path : new String[] {"/x", "//", "/%2e", "/.", "/;a=b", "/%2F", "/index.html"}) {
            String answer = get(path, own);
            assertTrue(answer.startsWith("HTTP/1.1 404 ") || answer.startsWith("HTTP/1.1 400 "), path + " " + answer);
            assertTrue(answer.contains("application/problem+json"), answer);
        }
        String missing = get("/x", own);
        assertTrue(missing.contains("\"code\":\"http.not-found\""), missing);
    }

    @Test
    void saysNothingAboutItself() throws IOException {
        String answer = get("/", "127.0.0.1:" + address.getPort());
        assertFalse(answer.toLowerCase(java.util.Locale.ROOT).contains("jetty"), answer);
        assertFalse(answer.contains("\r\nServer:"), answer);
    }

    @Test
    void headHasTheLengthAndNoBody() throws IOException {
        String answer =
                ask("HEAD / HTTP/1.1\r\nHost: 127.0.0.1:" + address.getPort() + "\r\nConnection: close\r\n\r\n");
        assertTrue(answer.contains("Content-Length: 5\r\n"), answer);
        assertTrue(answer.endsWith("\r\n\r\n"), answer);
    }

    @Test
    void passesHeadersAndPeerToTheRoute() throws IOException {
        ask("GET / HTTP/1.1\r\nHost: 127.0.0.1:" + address.getPort()
                + "\r\nAccept: a\r\nACCEPT: b\r\nConnection: close\r\n\r\n");
        HttpRoute.Request seen = route.last;
        assertEquals("a, b", seen == null ? "" : seen.headers().get("accept"));
        assertEquals("127.0.0.1", seen == null ? "" : seen.remote());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "evil.test",
                "127.0.0.1.nip.io",
                "localhost.",
                "localhost",
                "127.0.0.1:1",
                "[::1]",
                "relay.example.org:80",
                "exact.example.org",
                "127.0.0.1.:PORT",
                "0x7f.1:PORT",
                "localhost.:PORT",
                "user@127.0.0.1:PORT",
                ""
            })
    void UI_01_foreignHostIsMisdirected(String host) throws IOException {
        String answer = get("/", host.replace("PORT", "" + address.getPort()));
        assertTrue(answer.startsWith("HTTP/1.1 421 ") || answer.startsWith("HTTP/1.1 400 "), answer);
        assertFalse(answer.contains("hello"), answer);
        if (answer.startsWith("HTTP/1.1 421 ")) {
            assertTrue(answer.contains("\"code\":\"host.denied\""), answer);
        }
    }

    @Test
    void UI_01_noHostIsMisdirected() throws IOException {
        assertTrue(ask("GET / HTTP/1.0\r\n\r\n").startsWith("HTTP/1.1 421 "));
        assertTrue(ask("GET / HTTP/1.1\r\n\r\n").startsWith("HTTP/1.1 400 "));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "127.0.0.1:PORT",
                "localhost:PORT",
                "LocalHost:PORT",
                "[::1]:PORT",
                "relay.example.org",
                "relay.example.org:PORT",
                "exact.example.org:9"
            })
    void UI_01_ownHostIsServed(String host) throws IOException {
        String answer = get("/", host.replace("PORT", "" + address.getPort()));
        assertTrue(answer.startsWith("HTTP/1.1 200 "), answer);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: 127.0.0.1:PORT\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.test\r\n\r\n",
                "GET http://evil.test/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
                "GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
                "GET / HTTP/1.1\nHost: 127.0.0.1:PORT\n\n",
                "GET / HTTP/1.1\r\nHost : 127.0.0.1:PORT\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX: a\r\n b\r\n\r\n",
                "POST / HTTP/1.1\r\n"
                        + "Host: 127.0.0.1:PORT\r\n"
                        + "Content-Length: 3\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n"
                        + "0\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: -1\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nTransfer-Encoding: xchunked\r\n\r\n"
            })
    void WS_07_ambiguousRequestsAreRefusedAndTheConnectionEnds(String request) throws IOException {
        String answer = ask(request.replace("PORT", "" + address.getPort()));
        assertTrue(answer.startsWith("HTTP/1.1 400 ") || answer.startsWith("HTTP/1.1 421 "), answer);
        assertTrue(answer.contains("application/problem+json"), answer);
        assertFalse(answer.contains("hello"), answer);
    }

    @Test
    void boundsHeadersBodiesAndMethods() throws IOException {
        String host = "Host: 127.0.0.1:" + address.getPort() + "\r\nConnection: close\r\n";
        String large = ask("GET / HTTP/1.1\r\n" + host + "X: " + "a".repeat(9_000) + "\r\n\r\n");
        assertTrue(large.startsWith("HTTP/1.1 431 ") && large.contains("http.header-too-large"), large);
        String path = ask("GET /" + "a".repeat(3_000) + " HTTP/1.1\r\n" + host + "\r\n");
        assertTrue(path.startsWith("HTTP/1.1 414 ") && path.contains("http.path-too-long"), path);
        String body = ask("POST / HTTP/1.1\r\n" + host + "Content-Length: 65537\r\n\r\n");
        assertTrue(body.startsWith("HTTP/1.1 413 ") && body.contains("http.body-too-large"), body);
        assertTrue(ask("TRACE / HTTP/1.1\r\n" + host + "\r\n").startsWith("HTTP/1.1 405 "));
    }

    @Test
    void aRouteThatThrowsIsAnswered500() throws IOException {
        server.bindRoute(
                request -> {
                    throw new IllegalStateException("planted");
                },
                EchoRoute.at("/broken"));
        String answer = get("/broken", "127.0.0.1:" + address.getPort());
        assertTrue(answer.startsWith("HTTP/1.1 500 ") && answer.contains("http.internal"), answer);
        assertFalse(answer.contains("planted"), answer);
    }

    @Test
    void aRouteThatGoesIsGone() throws IOException {
        server.unbindRoute(route);
        assertTrue(get("/", "127.0.0.1:" + address.getPort()).startsWith("HTTP/1.1 404 "));
        server.bindRoute(route, EchoRoute.at("/"));
        assertTrue(get("/", "127.0.0.1:" + address.getPort()).startsWith("HTTP/1.1 200 "));
    }

    @Test
    void theHigherRankingIsServed() throws IOException {
        HttpRoute better = request -> HttpRoute.Answer.problem(503, "test.better", "\"quoted\" \u0001 \\");
        server.bindRoute(better, Map.of(HttpRoute.LISTENER, "relay", HttpRoute.PATH, "/", "service.ranking", 5));
        String answer = get("/", "127.0.0.1:" + address.getPort());
        assertTrue(answer.contains("\"detail\":\"\\\"quoted\\\" \\u0001 \\\\\""), answer);
        server.unbindRoute(better);
        assertTrue(get("/", "127.0.0.1:" + address.getPort()).startsWith("HTTP/1.1 200 "));
    }

    @Test
    void aTakenPortIsAProblemAndTheOthersListen() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            HttpServer second = server("relay=127.0.0.1:" + taken.getLocalPort(), "web=127.0.0.1:0");
            try {
                assertEquals(1, second.problems().size());
                Listeners.Problem problem = second.problems().get(0);
                assertEquals("http.port-in-use", problem.code());
                assertEquals("relay", problem.listener());
                assertEquals(java.util.Set.of("web"), second.bound().keySet());
            } finally {
                second.deactivate();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "relay",
                "relay=127.0.0.1",
                "relay=example.org:1",
                "=127.0.0.1:1",
                "relay=127.0.0.1:65536",
                "a=1.2.3:1"
            })
    void badListenersAreNamed(String entry) {
        String message = String.valueOf(
                assertThrows(IllegalArgumentException.class, () -> Settings.listeners(new String[] {entry}))
                        .getMessage());
        assertTrue(message.contains("im.parley.http listeners=" + entry), message);
    }
}
