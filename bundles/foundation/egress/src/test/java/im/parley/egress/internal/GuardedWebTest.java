package im.parley.egress.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.egress.Web;
import im.parley.testkit.Seeds;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a server with a certificate for localhost; the names of the tests lead there without a look-up. */
class GuardedWebTest {
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    @TempDir
    static Path temp;

    private static final List<String> asked = new CopyOnWriteArrayList<>();
    private static final List<String> reasons = new CopyOnWriteArrayList<>();
    private static KeyStore store;
    private static SSLServerSocket server;
    private static volatile String answer = "";
    private static volatile boolean silent;

    @BeforeAll
    static void start() throws Exception {
        Path file = temp.resolve("own.p12");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keystore",
                file.toString(),
                "-storetype",
                "PKCS12",
                "-storepass",
                "changeit",
                "-keyalg",
                "EC",
                "-alias",
                "own",
                "-dname",
                "CN=localhost",
                "-ext",
                "san=dns:localhost"));
        Process keytool = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, keytool.waitFor(), output);
        store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(file)) {
            store.load(in, "changeit".toCharArray());
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, "changeit".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, Seeds.secureRandom("GuardedWebTest"));
        server = (SSLServerSocket)
                context.getServerSocketFactory().createServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread thread = new Thread(GuardedWebTest::serve, "web");
        thread.setDaemon(true);
        thread.start();
    }

    @AfterAll
    static void stop() throws IOException {
        server.close();
    }

    private static void serve() {
        while (!server.isClosed()) {
            try (Socket socket = server.accept()) {
                StringBuilder request = new StringBuilder();
                while (request.indexOf("\r\n\r\n") < 0) {
                    int b = socket.getInputStream().read();
                    if (b < 0) {
                        break;
                    }
                    request.append((char) b);
                }
                asked.add(request.toString());
                socket.getOutputStream().write(answer.getBytes(StandardCharsets.UTF_8));
                socket.getOutputStream().flush();
                if (silent) {
                    Thread.sleep(3_000);
                }
            } catch (IOException | InterruptedException e) {
                // The client went away, as some of the tests want it.
                continue;
            }
        }
    }

    private static KeyStore anchors() throws Exception {
        KeyStore anchors = KeyStore.getInstance("PKCS12");
        anchors.load(null, null);
        anchors.setCertificateEntry("own", store.getCertificate("own"));
        return anchors;
    }

    private static GuardedWeb web() throws Exception {
        return new GuardedWeb(
                (scope, instance, hosts) -> (host, port, reason, timeout) -> {
                    reasons.add(reason + " " + host + " " + port);
                    try {
                        return SocketChannel.open(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), server.getLocalPort()));
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                },
                Seeds.secureRandom("GuardedWebTest"),
                anchors());
    }

    private static Web.Answer get(String address, Duration timeout) throws Exception {
        return web().get(Scope.DEFAULT, URI.create(address), 1_000, "nip05", timeout);
    }

    private static String body(String answered) throws Exception {
        answer = answered;
        return new String(get("https://localhost/x?name=bob", PATIENCE).body(), StandardCharsets.UTF_8);
    }

    private static String code(String answered) {
        return assertThrows(ProviderException.class, () -> body(answered)).code();
    }

    @Test
    void aDocumentComesInEveryFraming() throws Exception {
        assertEquals("{}", body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}and more"));
        assertEquals(
                "{\"a\"}",
                body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n3;x\r\na\"}\r\n0\r\n\r\n"));
        assertEquals("{}", body("HTTP/1.0 200 OK\r\n\r\n{}"));
        String last = asked.get(asked.size() - 1);
        assertTrue(last.startsWith("GET /x?name=bob HTTP/1.1\r\nHost: localhost\r\n"), last);
        assertTrue(reasons.contains("nip05 localhost 443"));
    }

    @Test
    void aRedirectIsAnAnswerAndIsNotFollowed() throws Exception {
        int before = asked.size();
        answer = "HTTP/1.1 302 Found\r\nLocation: https://localhost/other\r\nContent-Length: 0\r\n\r\n";
        assertEquals(302, get("https://localhost/", PATIENCE).status());
        assertEquals(before + 1, asked.size());
    }

    @Test
    void whatIsTooLargeOrNoHttpIsRefused() {
        assertEquals("web.too-large", code("HTTP/1.1 200 OK\r\n\r\n" + "x".repeat(2_000)));
        assertEquals("web.too-large", code("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + "x".repeat(2_000)));
        assertEquals("web.failed", code("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"));
        assertEquals("web.failed", code("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"));
        assertEquals("web.failed", code("SSH-2.0-x\r\n\r\n"));
        assertEquals("web.failed", code("HTTP/1.1 200 OK\r\n" + "a: b\r\n".repeat(200) + "\r\n"));
        assertEquals("web.failed", code("HTTP/1.1 200 OK\r\na: " + "x".repeat(10_000) + "\r\n\r\n"));
    }

    @Test
    void whoIsSilentIsCutAndAnotherNameIsNotTrusted() {
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{";
        silent = true;
        try {
            assertEquals(
                    "web.timeout",
                    assertThrows(ProviderException.class, () -> get("https://localhost/", Duration.ofMillis(700)))
                            .code());
        } finally {
            silent = false;
        }
        assertEquals(
                "tls.untrusted",
                assertThrows(ProviderException.class, () -> get("https://example.org/", PATIENCE))
                        .code());
    }
}
