package im.parley.transport.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.Limits;
import im.parley.testkit.Await;
import im.parley.testkit.Seeds;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WebSocketTransportTest {
    private static final Limits LIMITS = new Limits(64 * 1024, Duration.ofSeconds(10), Duration.ofSeconds(60));
    private static final char[] STORE_PASSWORD = "changeit".toCharArray();

    /** The egress of the tests: sends every name to the loopback port and writes down who asked. */
    private final List<String> connects = new CopyOnWriteArrayList<>();

    private final ExecutorService executor = Executors.newFixedThreadPool(4);
    private final List<AutoCloseable> opened = new ArrayList<>();
    private volatile @Nullable ProviderException egressFailure;

    @AfterEach
    void closeAll() throws Exception {
        Collections.reverse(opened);
        for (AutoCloseable resource : opened) {
            resource.close();
        }
        executor.shutdownNow();
    }

    @Test
    void framesGoBothWaysInOrderThroughTheEgressOfTheScope() throws Exception {
        CompletableFuture<String> head = new CompletableFuture<>();
        RawRelay relay = relay(wire -> {
            head.complete(wire.upgrade());
            for (int i = 0; i < 200; i++) {
                RawRelay.Frame frame = wire.read();
                wire.text("echo " + frame.text());
            }
            wire.drain();
        });
        Sink sink = new Sink();
        Channel channel = await(transport().open(new Scope("work"), relay.uri(), sink, LIMITS));
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            sent.add(channel.send("سلام " + i).toCompletableFuture());
        }
        for (CompletableFuture<Void> one : sent) {
            one.get(10, TimeUnit.SECONDS);
        }
        Await.until("all echoes are back", () -> sink.texts.size() == 200);
        for (int i = 0; i < 200; i++) {
            assertEquals("echo سلام " + i, sink.texts.get(i));
        }
        assertEquals(List.of("work 127.0.0.1 " + relay.port() + " relay"), connects);
        String request = head.get(1, TimeUnit.SECONDS).toLowerCase(java.util.Locale.ROOT);
        assertTrue(request.startsWith("get / http/1.1\r\nhost: 127.0.0.1:" + relay.port() + "\r\n"), request);
        for (String header : List.of("user-agent", "cookie", "origin", "authorization", "extensions", "referer")) {
            assertFalse(request.contains(header), header);
        }
        channel.close(Channel.NORMAL, "bye");
        Await.until("the sink heard of the end", () -> sink.ends.size() == 1);
        assertEquals(List.of("1000 bye"), sink.ends);
        assertCode(Kind.UNAVAILABLE, "channel.closed", channel.send("late"));
        assertTrue(relay.failures.isEmpty(), relay.failures.toString());
    }

    @Test
    void queuedFramesAreSentBeforeTheCloseFrame() throws Exception {
        List<String> seen = new CopyOnWriteArrayList<>();
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            while (true) {
                RawRelay.Frame frame = wire.read();
                seen.add(frame.opcode() + (frame.opcode() == RawRelay.CLOSE ? "" : " " + frame.text()));
                if (frame.opcode() == RawRelay.CLOSE) {
                    wire.frame(0x88, frame.payload());
                    return;
                }
            }
        });
        Sink sink = new Sink();
        Channel channel = await(transport().open(Scope.DEFAULT, relay.uri(), sink, LIMITS));
        for (int i = 0; i < 20; i++) {
            channel.send("f" + i);
        }
        channel.close(Channel.NORMAL, "");
        channel.close(Channel.NORMAL, "again");
        Await.until("the sink heard of the end", () -> !sink.ends.isEmpty());
        assertEquals(21, seen.size(), seen.toString());
        assertEquals("1 f19", seen.get(19));
        assertEquals("8", seen.get(20));
        assertEquals(List.of("1000 "), sink.ends);
    }

    @Test
    void bytesRightBehindTheUpgradeAreNotLost() throws Exception {
        RawRelay relay = relay(wire -> {
            String head = wire.requestHead();
            wire.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: " + RawRelay.Wire.accept(head) + "\r\n\r\n" + "\u0081\u0003abc");
            wire.drain();
        });
        Sink sink = new Sink();
        await(transport().open(Scope.DEFAULT, relay.uri(), sink, LIMITS));
        Await.until("the early frame arrived", () -> sink.texts.equals(List.of("abc")));
    }

    @Test
    void fragmentsAreJoinedAlsoWithinACharacter() throws Exception {
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            byte[] euro = {(byte) 0xE2, (byte) 0x82, (byte) 0xAC};
            wire.frame(RawRelay.TEXT, new byte[] {'a', euro[0]});
            wire.frame(0x80 | RawRelay.PING, new byte[] {7});
            wire.frame(0, new byte[] {euro[1]});
            wire.frame(0x80, new byte[] {euro[2], 'b'});
            assertEquals(RawRelay.PONG, wire.read().opcode());
            wire.drain();
        });
        Sink sink = new Sink();
        await(transport().open(Scope.DEFAULT, relay.uri(), sink, LIMITS));
        Await.until("the joined frame arrived", () -> sink.texts.equals(List.of("a€b")));
        assertTrue(relay.failures.isEmpty(), relay.failures.toString());
    }

    @Test
    void CR_10_badUtf8EndsTheChannelWith1007() throws Exception {
        byte[][] bad = {
            {(byte) 0xC0, (byte) 0xAF},
            {(byte) 0xED, (byte) 0xA0, (byte) 0x80},
            {(byte) 0xF8, (byte) 0x88, (byte) 0x80, (byte) 0x80, (byte) 0x80},
            {(byte) 0xF4, (byte) 0x90, (byte) 0x80, (byte) 0x80},
            {'a', (byte) 0xE2}
        };
        for (byte[] bytes : bad) {
            assertEquals(1007, codeAfter(wire -> wire.frame(0x81, bytes)));
        }
    }

    @Test
    void WS_01_aFrameOverTheLimitEndsTheChannelWith1009() throws Exception {
        assertEquals(1009, codeAfter(wire -> wire.frame(0x81, new byte[LIMITS.maxFrameBytes() + 1])));
        assertEquals(1009, codeAfter(wire -> {
            wire.frame(RawRelay.TEXT, new byte[40_000]);
            wire.frame(0x80, new byte[40_000]);
        }));
    }

    @Test
    void WS_01_compressionThatNobodyOfferedIsAProtocolError() throws Exception {
        assertEquals(1002, codeAfter(wire -> wire.frame(0xC1, new byte[] {1, 2, 3})));
        RawRelay relay = relay(wire -> {
            wire.upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n");
            wire.drain();
        });
        assertCode(Kind.UNAVAILABLE, "relay.not-websocket", open(relay.uri()));
    }

    @Test
    void endlessEmptyFragmentsEndTheChannelWith1008() throws Exception {
        assertEquals(1008, codeAfter(wire -> {
            wire.frame(RawRelay.TEXT, new byte[] {'a'});
            for (int i = 0; i < 2000; i++) {
                wire.frame(0, new byte[0]);
            }
        }));
    }

    @Test
    void binaryFramesAreRefused() throws Exception {
        assertEquals(1003, codeAfter(wire -> wire.frame(0x80 | RawRelay.BINARY, new byte[] {1})));
    }

    @Test
    void theEndIsToldOnceAndAfterTheLastFrame() throws Exception {
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            for (int i = 0; i < 50; i++) {
                wire.text("t" + i);
            }
            wire.close(4001);
            wire.drain();
        });
        Sink sink = new Sink();
        sink.slow = true;
        await(transport().open(Scope.DEFAULT, relay.uri(), sink, LIMITS));
        Await.until("the sink heard of the end", () -> !sink.ends.isEmpty());
        assertEquals(50, sink.texts.size());
        assertEquals(List.of("4001 "), sink.ends);
        assertEquals(0, sink.overlaps.get());
    }

    @Test
    void anAbruptEndIsToldAs1006() throws Exception {
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            wire.socket.setSoLinger(true, 0);
        });
        Sink sink = new Sink();
        await(transport().open(Scope.DEFAULT, relay.uri(), sink, LIMITS));
        Await.until("the sink heard of the end", () -> !sink.ends.isEmpty());
        assertTrue(sink.ends.get(0).startsWith("1006"), sink.ends.toString());
    }

    @Test
    void aRelayThatDoesNotReadFillsTheChannelAndNoMore() throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            done.await();
        });
        Sink sink = new Sink();
        Channel channel = await(transport().open(Scope.DEFAULT, relay.uri(), sink, LIMITS));
        String block = "x".repeat(256 * 1024);
        CompletableFuture<Void> refused = null;
        int taken = 0;
        while (refused == null && taken < 200) {
            CompletableFuture<Void> left = channel.send(block).toCompletableFuture();
            if (left.isCompletedExceptionally()) {
                refused = left;
            } else {
                taken++;
            }
        }
        assertTrue(refused != null, "200 blocks were taken");
        assertCode(Kind.EXHAUSTED, "channel.full", refused);
        CompletableFuture<Void> small = channel.send("y").toCompletableFuture();
        done.countDown();
        assertThrows(ExecutionException.class, () -> small.get(10, TimeUnit.SECONDS));
        Await.until("the sink heard of the end", () -> sink.ends.size() == 1);
    }

    @Test
    void silenceIsPingedAndThenGivenUp() throws Exception {
        AtomicInteger pings = new AtomicInteger();
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            while (true) {
                if (wire.read().opcode() == RawRelay.PING) {
                    pings.incrementAndGet();
                }
            }
        });
        Sink sink = new Sink();
        Limits limits = new Limits(1024, Duration.ofSeconds(10), Duration.ofMillis(300));
        await(transport().open(Scope.DEFAULT, relay.uri(), sink, limits));
        Await.until("the transport gave up", () -> !sink.ends.isEmpty());
        assertEquals(1, pings.get());
        assertTrue(sink.ends.get(0).startsWith("1006"), sink.ends.toString());
    }

    @Test
    void pongsKeepASilentChannelAlive() throws Exception {
        AtomicInteger pings = new AtomicInteger();
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            while (true) {
                RawRelay.Frame frame = wire.read();
                if (frame.opcode() == RawRelay.PING) {
                    pings.incrementAndGet();
                    wire.frame(0x80 | RawRelay.PONG, frame.payload());
                }
            }
        });
        Sink sink = new Sink();
        Limits limits = new Limits(1024, Duration.ofSeconds(10), Duration.ofMillis(200));
        await(transport().open(Scope.DEFAULT, relay.uri(), sink, limits));
        Await.until("five pings were answered", () -> pings.get() >= 5);
        assertEquals(List.of(), sink.ends);
    }

    @Test
    void NT_08_redirectsAreNotFollowed() throws Exception {
        AtomicInteger reached = new AtomicInteger();
        RawRelay other = relay(wire -> reached.incrementAndGet());
        RawRelay relay = relay(wire -> {
            wire.requestHead();
            wire.write("HTTP/1.1 302 Found\r\nLocation: " + other.uri() + "\r\nContent-Length: 0\r\n\r\n");
        });
        assertCode(Kind.REJECTED, "relay.redirect", open(relay.uri()));
        assertEquals(1, connects.size());
        assertEquals(0, reached.get());
    }

    @Test
    void NT_09_whatIsNoRelayIsToldApart() throws Exception {
        assertAnswer("relay.not-websocket", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>");
        assertAnswer("relay.not-websocket", "SSH-2.0-OpenSSH_9.2\r\n\r\n");
        assertAnswer("relay.overloaded", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
        assertAnswer("relay.forbidden", "HTTP/1.1 407 Proxy\r\nContent-Length: 0\r\n\r\n");
        assertAnswer(
                "relay.not-websocket",
                "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n");
        assertAnswer("relay.not-websocket", "HTTP/1.1 101 S\r\nX: " + "y".repeat(20_000) + "\r\n\r\n");
        RawRelay gone = relay(wire -> wire.requestHead());
        assertCode(Kind.UNAVAILABLE, "relay.lost", open(gone.uri()));
    }

    @Test
    void aRelayThatNeverAnswersTimesOutAndItsSocketIsClosed() throws Exception {
        CompletableFuture<Integer> afterwards = new CompletableFuture<>();
        RawRelay relay = relay(wire -> {
            wire.requestHead();
            afterwards.complete(wire.in.read());
        });
        Limits limits = new Limits(1024, Duration.ofMillis(300), Duration.ofSeconds(60));
        Sink sink = new Sink();
        assertCode(Kind.TIMEOUT, "relay.timeout", transport().open(Scope.DEFAULT, relay.uri(), sink, limits));
        assertEquals(-1, afterwards.get(10, TimeUnit.SECONDS));
        assertEquals(List.of(), sink.ends);
    }

    @Test
    void whatTheEgressRefusesIsHandedOnUnchanged() throws Exception {
        egressFailure = new ProviderException(Kind.REJECTED, "egress.private", "no");
        assertCode(Kind.REJECTED, "egress.private", open(URI.create("ws://10.0.0.1/")));
    }

    @Test
    void badAddressesNeverReachTheEgress() throws Exception {
        for (String bad : List.of(
                "http://relay.example/",
                "wss:///path",
                "wss://user:pw@relay.example/",
                "wss://relay.example/#x",
                "wss://relay.example:0/",
                "wss://relay.example:70000/",
                "wss://relay.example/" + "a".repeat(3000),
                "relay.example")) {
            assertCode(Kind.REJECTED, "relay.bad-url", open(URI.create(bad)));
        }
        assertEquals(List.of(), connects);
    }

    @Test
    void addressesAreReadAsTheEgressWantsThem() throws Exception {
        RelayAddress six = RelayAddress.of(URI.create("ws://[::1]:7470/a?b=c"));
        assertEquals("::1", six.host());
        assertEquals("[::1]:7470", six.authority());
        assertEquals("/a?b=c", six.target());
        RelayAddress plain = RelayAddress.of(URI.create("WSS://Relay.Example"));
        assertEquals(443, plain.port());
        assertEquals("Relay.Example", plain.authority());
        assertEquals("/", plain.target());
    }

    @Test
    void NT_08_certificatesAreChecked(@TempDir Path dir) throws Exception {
        KeyStore good = certificate(dir.resolve("good.p12"), "localhost", null);
        KeyStore expired = certificate(dir.resolve("old.p12"), "localhost", "-400d");
        TrustManager[] trustGood = trust(good);
        RawRelay.Script echo = wire -> {
            wire.upgrade();
            wire.text(wire.read().text());
            wire.drain();
        };
        RawRelay relay = tlsRelay(good, echo, "TLSv1.3", "TLSv1.2");
        RawRelay old = tlsRelay(expired, echo, "TLSv1.3");
        RawRelay ancient = tlsRelay(good, echo, "TLSv1.1");
        RawRelay noTls = relay(wire -> wire.write("HTTP/1.1 400 Bad Request\r\n\r\n"));

        WebSocketTransport trusting = transport(trustGood);
        Sink sink = new Sink();
        Channel channel = await(trusting.open(Scope.DEFAULT, relay.uri("wss://localhost"), sink, LIMITS));
        channel.send("over TLS");
        Await.until("the echo is back", () -> sink.texts.equals(List.of("over TLS")));

        assertCode(
                Kind.AUTHENTICATION,
                "tls.untrusted",
                trusting.open(Scope.DEFAULT, relay.uri("wss://relay.example"), new Sink(), LIMITS));
        assertCode(
                Kind.AUTHENTICATION,
                "tls.untrusted",
                trusting.open(Scope.DEFAULT, relay.uri("wss://127.0.0.1"), new Sink(), LIMITS));
        assertCode(
                Kind.AUTHENTICATION,
                "tls.untrusted",
                transport(TlsEngines.systemTrust())
                        .open(Scope.DEFAULT, relay.uri("wss://localhost"), new Sink(), LIMITS));
        assertCode(
                Kind.AUTHENTICATION,
                "tls.untrusted",
                transport(trust(expired)).open(Scope.DEFAULT, old.uri("wss://localhost"), new Sink(), LIMITS));
        assertCode(
                Kind.AUTHENTICATION,
                "tls.failed",
                trusting.open(Scope.DEFAULT, ancient.uri("wss://localhost"), new Sink(), LIMITS));
        assertCode(
                Kind.AUTHENTICATION,
                "tls.failed",
                trusting.open(Scope.DEFAULT, noTls.uri("wss://localhost"), new Sink(), LIMITS));
    }

    @Test
    void twoConnectionsToOneRelayResumeNoTlsSession(@TempDir Path dir) throws Exception {
        KeyStore store = certificate(dir.resolve("good.p12"), "localhost", null);
        List<String> sessions = new CopyOnWriteArrayList<>();
        RawRelay relay = tlsRelay(
                store,
                wire -> {
                    wire.upgrade();
                    var session = ((javax.net.ssl.SSLSocket) wire.socket).getSession();
                    sessions.add(java.util.HexFormat.of().formatHex(session.getId()));
                    wire.text("hello");
                    wire.drain();
                },
                "TLSv1.2");
        WebSocketTransport transport = transport(trust(store));
        for (int i = 0; i < 2; i++) {
            Sink sink = new Sink();
            Channel channel = await(transport.open(Scope.DEFAULT, relay.uri("wss://localhost"), sink, LIMITS));
            Await.until("the relay said hello", () -> !sink.texts.isEmpty());
            channel.close(Channel.NORMAL, "");
            Await.until("the channel is closed", () -> !sink.ends.isEmpty());
        }
        assertEquals(2, sessions.size());
        assertFalse(sessions.get(0).equals(sessions.get(1)), "the second handshake resumed the first session");
    }

    @Test
    void closingTheTransportEndsChannelsAndAttempts() throws Exception {
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            wire.drain();
        });
        RawRelay mute = relay(wire -> wire.in.read(new byte[1 << 16]));
        WebSocketTransport transport = transport();
        Sink sink = new Sink();
        Channel channel = await(transport.open(Scope.DEFAULT, relay.uri(), sink, LIMITS));
        CompletionStage<Channel> waiting = transport.open(Scope.DEFAULT, mute.uri(), new Sink(), LIMITS);
        transport.close();
        transport.close();
        assertCode(Kind.UNAVAILABLE, "transport.closed", waiting);
        assertEquals(1, sink.ends.size());
        assertCode(Kind.UNAVAILABLE, "channel.closed", channel.send("x"));
        assertCode(
                Kind.UNAVAILABLE, "transport.closed", transport.open(Scope.DEFAULT, relay.uri(), new Sink(), LIMITS));
    }

    @Test
    void settingsOutOfRangeAreRefusedByName() {
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> new WebSocketProvider.Settings(3, 1 << 20));
        assertTrue(refused.toString().contains("threads is 3, allowed is 4 to 64"), refused.toString());
        assertThrows(IllegalArgumentException.class, () -> new WebSocketProvider.Settings(8, 1));
    }

    private int codeAfter(RawRelay.Script script) throws Exception {
        CompletableFuture<Integer> code = new CompletableFuture<>();
        RawRelay relay = relay(wire -> {
            wire.upgrade();
            try {
                script.run(wire);
            } catch (IOException e) {
                // The client may hang up while the script is still sending; its close frame is read below.
            }
            RawRelay.Frame frame = wire.read();
            code.complete(frame.opcode() == RawRelay.CLOSE ? frame.closeCode() : -frame.opcode());
        });
        Sink sink = new Sink();
        await(transport().open(Scope.DEFAULT, relay.uri(), sink, LIMITS));
        Await.until("the sink heard of the end", () -> sink.ends.size() == 1);
        assertEquals(List.of(), sink.texts);
        int told = Integer.parseInt(sink.ends.get(0).substring(0, 4));
        try {
            assertEquals(told, code.get(2, TimeUnit.SECONDS));
        } catch (java.util.concurrent.TimeoutException e) {
            // The reset overtook the close frame; the sink's word counts.
        }
        return told;
    }

    private void assertAnswer(String code, String answer) throws Exception {
        RawRelay relay = relay(wire -> {
            wire.requestHead();
            wire.write(answer);
            wire.in.read();
        });
        assertCode(Kind.UNAVAILABLE, code, open(relay.uri()));
    }

    private CompletionStage<Channel> open(URI uri) throws Exception {
        return transport().open(Scope.DEFAULT, uri, new Sink(), LIMITS);
    }

    private RawRelay relay(RawRelay.Script script) throws IOException {
        RawRelay relay = new RawRelay(script);
        opened.add(relay);
        return relay;
    }

    private RawRelay tlsRelay(KeyStore store, RawRelay.Script script, String... protocols) throws Exception {
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        own.setKeyEntry(
                "relay", store.getKey("relay", STORE_PASSWORD), STORE_PASSWORD, store.getCertificateChain("relay"));
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, STORE_PASSWORD);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        ServerSocket socket =
                context.getServerSocketFactory().createServerSocket(0, 50, InetAddress.getLoopbackAddress());
        ((SSLServerSocket) socket).setEnabledProtocols(protocols);
        RawRelay relay = new RawRelay(socket, script);
        opened.add(relay);
        return relay;
    }

    /** A key with a certificate for that name, signed by an authority that is in the store as {@code ca}. */
    private static KeyStore certificate(Path file, String name, @Nullable String start) throws Exception {
        keytool(file, "-alias", "ca", "-dname", "CN=test authority", "-ext", "bc:c", "-validity", "3650");
        List<String> leaf = new ArrayList<>(List.of(
                "-alias",
                "relay",
                "-dname",
                "CN=" + name,
                "-ext",
                "SAN=dns:" + name,
                "-signer",
                "ca",
                "-validity",
                "30"));
        if (start != null) {
            leaf.addAll(List.of("-startdate", start));
        }
        keytool(file, leaf.toArray(new String[0]));
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(file)) {
            store.load(in, STORE_PASSWORD);
        }
        return store;
    }

    private static void keytool(Path file, String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keyalg",
                "EC",
                "-groupname",
                "secp256r1",
                "-storetype",
                "PKCS12",
                "-keystore",
                file.toString(),
                "-storepass",
                new String(STORE_PASSWORD)));
        command.addAll(List.of(options));
        Process keytool = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(keytool.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertEquals(0, keytool.waitFor(), output);
    }

    /** Trusts the authority of that store and nobody else. */
    private static TrustManager[] trust(KeyStore store) throws Exception {
        KeyStore anchors = KeyStore.getInstance("PKCS12");
        anchors.load(null, null);
        anchors.setCertificateEntry("ca", store.getCertificate("ca"));
        return TlsEngines.trust(anchors);
    }

    private WebSocketTransport transport() throws Exception {
        return transport(TlsEngines.systemTrust());
    }

    private WebSocketTransport transport(TrustManager[] trust) throws Exception {
        WebSocketTransport transport =
                new WebSocketTransport(new Context(), new WebSocketProvider.Settings(4, 4 << 20), trust);
        opened.add(transport);
        return transport;
    }

    private static <T> T await(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private static void assertCode(Kind kind, String code, CompletionStage<?> stage) {
        ExecutionException failure = assertThrows(
                ExecutionException.class, () -> stage.toCompletableFuture().get(10, TimeUnit.SECONDS));
        ProviderException reason = assertInstanceOf(ProviderException.class, failure.getCause());
        assertEquals(code, reason.code(), reason.toString());
        assertSame(kind, reason.kind());
    }

    /** Writes down what it hears and whether calls overlap. */
    private static final class Sink implements FrameSink {
        final List<String> texts = new CopyOnWriteArrayList<>();
        final List<String> ends = new CopyOnWriteArrayList<>();
        final AtomicInteger overlaps = new AtomicInteger();
        private final AtomicInteger inside = new AtomicInteger();
        volatile boolean slow;

        @Override
        public void text(String frame) {
            enter();
            if (slow) {
                java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
            }
            texts.add(frame);
            inside.decrementAndGet();
        }

        @Override
        public void closed(int code, String reason) {
            enter();
            ends.add(code + " " + reason);
            inside.decrementAndGet();
        }

        private void enter() {
            if (inside.getAndIncrement() != 0 || !ends.isEmpty()) {
                overlaps.incrementAndGet();
            }
        }
    }

    private final class Context implements ProviderContext {
        private final SecureRandom random = Seeds.secureRandom("transport.websocket");

        @Override
        public String instance() {
            return "im.parley.transport.websocket~test";
        }

        @Override
        public InstantSource clock() {
            return InstantSource.system();
        }

        @Override
        public SecureRandom random() {
            return random;
        }

        @Override
        public Secrets secrets() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Egress egress(Scope scope) {
            return (host, port, reason, timeout) -> {
                connects.add(scope.circle() + " " + host + " " + port + " " + reason);
                ProviderException failure = egressFailure;
                if (failure != null) {
                    throw failure;
                }
                try {
                    return SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
                } catch (IOException e) {
                    throw new ProviderException(Kind.UNAVAILABLE, "egress.refused", "nobody answers", e);
                }
            };
        }

        @Override
        public Path dataDir() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Executor executor() {
            return executor;
        }
    }
}
