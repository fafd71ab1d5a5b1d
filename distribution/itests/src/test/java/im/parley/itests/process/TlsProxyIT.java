package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** What the handbook says about several machines: a relay on loopback, a TLS proxy before it, and people elsewhere. */
public class TlsProxyIT {
    private static final char[] PASSWORD = "changeit".toCharArray();

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private SSLServerSocket proxy;
    private DistributionNode relay;
    private DistributionNode alice;
    private DistributionNode bob;

    @Before
    public void start() throws Exception {
        relay = DistributionNode.create("proxied");
        Path keys = relay.base().resolve("keys.p12");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-keyalg",
                        "EC",
                        "-alias",
                        "proxy",
                        "-dname",
                        "CN=localhost",
                        "-ext",
                        "san=dns:localhost",
                        "-keystore",
                        keys.toString(),
                        "-storepass",
                        new String(PASSWORD))
                .inheritIO()
                .start();
        assertTrue(keytool.waitFor(60, TimeUnit.SECONDS));
        assertEquals(0, keytool.exitValue());
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(keys)) {
            store.load(in, PASSWORD);
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(store, PASSWORD);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        proxy = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0);
        threads.execute(this::accept);
        relay.start("--only", "infrastructure", "--relay-url", url());
        alice = person("alice", keys);
        bob = person("bob", keys);
    }

    private static DistributionNode person(String name, Path keys) throws Exception {
        DistributionNode node = DistributionNode.create(name)
                .with(
                        "JAVA_TOOL_OPTIONS",
                        "-Djavax.net.ssl.trustStore=" + keys + " -Djavax.net.ssl.trustStorePassword="
                                + new String(PASSWORD));
        node.start("--only", "personal");
        return node;
    }

    private String url() {
        return "wss://localhost:" + proxy.getLocalPort();
    }

    private void accept() {
        while (!proxy.isClosed()) {
            try {
                Socket outside = proxy.accept();
                Socket inside = new Socket("127.0.0.1", relay.port());
                threads.execute(() -> forward(outside, inside));
                threads.execute(() -> forward(inside, outside));
            } catch (IOException closed) {
                return;
            }
        }
    }

    /** Everything as it is, the Host header too. */
    private static void forward(Socket from, Socket to) {
        try (from;
                to) {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException ended) {
            assertTrue(from.isClosed());
        }
    }

    @After
    public void stop() throws Exception {
        for (DistributionNode node : new DistributionNode[] {alice, bob, relay}) {
            if (node != null) {
                node.close();
            }
        }
        proxy.close();
        threads.shutdownNow();
    }

    @Test
    public void peopleElsewhereTalkThroughARelayBehindAProxy() throws Exception {
        String alicesKey = alice.json("identity", "new", "alice").path("npub").asText();
        String bobsKey = bob.json("identity", "new", "bob").path("npub").asText();
        alice.json("relay", "add", url());
        bob.json("relay", "add", url());
        alice.json("contact", "add", "bob", bobsKey);
        bob.json("contact", "add", "alice", alicesKey);
        alice.json("send", "bob", "through the proxy");
        Waiting.until("it arrives", () -> texts(bob).equals(List.of("through the proxy")));
        bob.json("send", "alice", "and back");
        Waiting.until("it arrives", () -> texts(alice).contains("and back"));
    }

    private static List<String> texts(DistributionNode node) throws Exception {
        return node.json("inbox").path("messages").findValuesAsText("text");
    }
}
