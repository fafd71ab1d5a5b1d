package im.parley.itests.fault;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import im.parley.itests.fault.FaultProxy.Direction;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** The proxy itself, between the JDK's WebSocket client and an echo that is made of a bare socket. */
public class FaultProxyTest {
    private ServerSocket echo;
    private FaultProxy proxy;
    private final List<String> heads = new CopyOnWriteArrayList<>();

    @Before
    public void start() throws IOException {
        echo = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread thread = new Thread(this::echoAll, "echo");
        thread.setDaemon(true);
        thread.start();
        proxy = new FaultProxy("127.0.0.1", echo.getLocalPort(), 42);
    }

    @After
    public void stop() throws IOException {
        proxy.close();
        echo.close();
    }

    @Test
    public void withoutFaultsEverythingPassesInOrder() throws Exception {
        Client client = new Client(proxy.uri());
        List<String> sent = client.send(100);
        client.send("x".repeat(200_000));
        await(() -> client.texts.size() == 101);
        assertEquals(sent, client.texts.subList(0, 100));
        assertEquals(200_000, client.texts.get(100).length());
        assertEquals(101, proxy.forwarded(Direction.TO_RELAY));
        assertEquals(101, proxy.forwarded(Direction.TO_CLIENT));
        assertEquals(1, proxy.connections());
        assertTrue(heads.get(0), heads.get(0).contains("Host: 127.0.0.1:" + echo.getLocalPort() + "\r\n"));
    }

    @Test
    public void swallowsWhatMatchesAndCounts() throws Exception {
        proxy.swallow(Direction.TO_CLIENT, message -> message.startsWith("[\"OK\""));
        Client client = new Client(proxy.uri());
        client.send("[\"OK\",1]");
        client.send("[\"EOSE\"]");
        await(() -> client.texts.equals(List.of("[\"EOSE\"]")));
        assertEquals(1, proxy.swallowed(Direction.TO_CLIENT));
        assertEquals(0, proxy.swallowed(Direction.TO_RELAY));
        proxy.heal();
        client.send("[\"OK\",2]");
        await(() -> client.texts.contains("[\"OK\",2]"));
    }

    @Test
    public void reordersNeighboursAsTheSeedSays() throws Exception {
        proxy.reorder(Direction.TO_CLIENT, 0.5);
        Client client = new Client(proxy.uri());
        List<String> sent = client.send(50);
        await(() -> client.texts.size() == 50);
        assertNotEquals(sent, client.texts);
        List<String> sorted = new ArrayList<>(client.texts);
        sorted.sort((a, b) -> Integer.compare(sent.indexOf(a), sent.indexOf(b)));
        assertEquals(sent, sorted);
        assertTrue(proxy.reordered(Direction.TO_CLIENT) > 0);
        proxy.reorder(Direction.TO_CLIENT, 1);
        client.send("alone");
        await(() -> client.texts.contains("alone"));
    }

    @Test
    public void delaysKeepTheOrder() throws Exception {
        proxy.delay(Direction.TO_RELAY, Duration.ofMillis(20), Duration.ofMillis(60));
        Client client = new Client(proxy.uri());
        long start = System.nanoTime();
        List<String> sent = client.send(10);
        await(() -> client.texts.size() == 10);
        assertTrue(System.nanoTime() - start >= TimeUnit.MILLISECONDS.toNanos(20));
        assertEquals(sent, client.texts);
    }

    @Test
    public void silenceTellsNobodyAndHealingLetsThingsPass() throws Exception {
        Client client = new Client(proxy.uri());
        client.send("before");
        await(() -> client.texts.size() == 1);
        proxy.goSilent();
        client.send("during");
        Client.pause(300);
        assertEquals(List.of("before"), client.texts);
        assertFalse(client.ended);
        proxy.heal();
        await(() -> client.texts.equals(List.of("before", "during")));
    }

    @Test
    public void dripsByteByByte() throws Exception {
        Client client = new Client(proxy.uri());
        proxy.drip(Direction.TO_CLIENT, Duration.ofMillis(5));
        long start = System.nanoTime();
        client.send("twenty bytes of text");
        await(() -> client.texts.size() == 1);
        assertTrue(System.nanoTime() - start >= TimeUnit.MILLISECONDS.toNanos(100));
    }

    @Test
    public void cutsAndRefuses() throws Exception {
        Client client = new Client(proxy.uri());
        client.send("hello");
        await(() -> client.texts.size() == 1);
        proxy.cut();
        await(() -> client.ended);
        assertEquals(2, proxy.cuts());
        proxy.refuse();
        try {
            new Client(proxy.uri());
            throw new AssertionError("a refusing proxy let somebody in");
        } catch (java.util.concurrent.CompletionException e) {
            // The JDK's client may have tried more than once.
            assertTrue(proxy.connections() >= 2);
        }
        proxy.heal();
        Client again = new Client(proxy.uri());
        again.send("hello");
        await(() -> again.texts.size() == 1);
    }

    private static void await(BooleanSupplier condition) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.getAsBoolean()) {
            assertTrue("waited in vain", System.nanoTime() < end);
            Client.pause(2);
        }
    }

    private void echoAll() {
        while (!echo.isClosed()) {
            try {
                Socket socket = echo.accept();
                Thread thread = new Thread(() -> echo(socket), "echo-connection");
                thread.setDaemon(true);
                thread.start();
            } catch (IOException e) {
                return;
            }
        }
    }

    /** Sends back every frame unmasked. */
    private void echo(Socket socket) {
        try (socket) {
            java.io.DataInputStream in = new java.io.DataInputStream(socket.getInputStream());
            StringBuilder head = new StringBuilder();
            while (head.indexOf("\r\n\r\n") < 0) {
                head.append((char) in.readUnsignedByte());
            }
            heads.add(head.toString());
            int at = head.indexOf("Sec-WebSocket-Key: ") + 19;
            byte[] hash = MessageDigest.getInstance("SHA-1")
                    .digest((head.substring(at, head.indexOf("\r", at)) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
                            .getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream()
                    .write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                    + "Sec-WebSocket-Accept: "
                                    + Base64.getEncoder().encodeToString(hash)
                                    + "\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            while (true) {
                java.io.ByteArrayOutputStream out = new java.io.ByteArrayOutputStream();
                out.write(in.readUnsignedByte());
                int length = in.readUnsignedByte() & 0x7F;
                out.write(length);
                int more = length == 126 ? 2 : length == 127 ? 8 : 0;
                long size = more == 0 ? length : 0;
                for (int i = 0; i < more; i++) {
                    int octet = in.readUnsignedByte();
                    out.write(octet);
                    size = size << 8 | octet;
                }
                byte[] mask = in.readNBytes(4);
                byte[] payload = in.readNBytes((int) size);
                for (int i = 0; i < payload.length; i++) {
                    payload[i] ^= mask[i % 4];
                }
                out.write(payload);
                socket.getOutputStream().write(out.toByteArray());
            }
        } catch (IOException e) {
            // The other side went away.
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static final class Client implements WebSocket.Listener {
        final List<String> texts = new CopyOnWriteArrayList<>();
        volatile boolean ended;
        private final StringBuilder parts = new StringBuilder();
        private final WebSocket socket;

        Client(URI uri) {
            socket = HttpClient.newHttpClient()
                    .newWebSocketBuilder()
                    .buildAsync(uri, this)
                    .join();
        }

        List<String> send(int count) {
            List<String> sent = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                sent.add("message " + i);
                send("message " + i);
            }
            return sent;
        }

        void send(String text) {
            socket.sendText(text, true).join();
        }

        static void pause(long millis) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis));
        }

        @Override
        public CompletionStage<?> onText(WebSocket webSocket, CharSequence data, boolean last) {
            parts.append(data);
            if (last) {
                texts.add(parts.toString());
                parts.setLength(0);
            }
            webSocket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket webSocket, int statusCode, String reason) {
            ended = true;
            return null;
        }

        @Override
        public void onError(WebSocket webSocket, Throwable error) {
            ended = true;
        }
    }
}
