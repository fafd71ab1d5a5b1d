package im.parley.http.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.Channel;
import im.parley.testkit.Await;
import im.parley.testkit.Seeds;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SocketSessionTest {
    private static final int MAX = 128 * 1024;
    private static final String DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate";

    private final List<EchoRoute> routes = new ArrayList<>();
    private @Nullable HttpServer server;
    private InetSocketAddress address = InetSocketAddress.createUnresolved("unset", 0);

    private EchoRoute start(EchoRoute route) {
        return start(route, Settings.SocketLimits.DEFAULT);
    }

    private EchoRoute start(EchoRoute route, Settings.SocketLimits limits) {
        return start(route, limits, 64L << 20);
    }

    private EchoRoute start(EchoRoute route, Settings.SocketLimits limits, long heldBytes) {
        server = new HttpServer(new Settings(
                Settings.listeners(new String[] {"relay=127.0.0.1:0"}),
                Settings.hosts(new String[0]),
                100,
                16,
                Duration.ofSeconds(1),
                limits,
                heldBytes,
                Settings.Transfers.DEFAULT));
        server.bindRoute(route, EchoRoute.at("/"));
        address = java.util.Objects.requireNonNull(server.bound().get("relay"));
        routes.add(route);
        return route;
    }

    @AfterEach
    void stop() {
        if (server != null) {
            server.deactivate();
        }
        for (EchoRoute route : routes) {
            Await.until("every sink heard of its end", () -> route.closed.size() == route.channels.size());
            assertEquals(0, route.violations.get(), "the sink's contract was broken");
        }
    }

    private RawSocket connect(String... headers) throws IOException {
        return RawSocket.upgraded(address, "/", headers);
    }

    private static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    @Test
    void CR_10_malformedUtf8Closes1007() throws IOException {
        EchoRoute route = start(new EchoRoute(MAX));
        byte[][] bad = {
            bytes(0xC0, 0xAF),
            bytes(0xED, 0xA0, 0x80),
            bytes(0xF8, 0x88, 0x80, 0x80, 0x80),
            bytes(0xF4, 0x90, 0x80, 0x80),
            bytes(0xE2, 0x82),
            bytes('a', 0xFF),
            bytes(0x80)
        };
        for (byte[] text : bad) {
            try (RawSocket raw = connect()) {
                raw.frame(RawSocket.TEXT, true, text);
                assertEquals(1007, raw.closeCode());
            }
            try (RawSocket raw = connect()) {
                raw.frame(RawSocket.TEXT, false, text);
                raw.frame(RawSocket.CONTINUATION, true, new byte[0]);
                assertEquals(1007, raw.closeCode());
            }
        }
        assertEquals(List.of(), route.texts);
    }

    @Test
    void CR_10_codePointSplitAcrossFramesIsAccepted() throws IOException {
        start(new EchoRoute(MAX));
        String text = "Grüße مرحبا नमस्ते 👩‍🚀 \uFFFD end";
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        try (RawSocket raw = connect()) {
            for (int i = 0; i < utf8.length; i++) {
                raw.frame(i == 0 ? RawSocket.TEXT : RawSocket.CONTINUATION, i == utf8.length - 1, bytes(utf8[i]));
            }
            assertEquals(text, raw.read().text());
        }
    }

    @Test
    void aRouteWhoseClassesHaveGoneHearsOfTheEndToo() throws IOException {
        EchoRoute route = start(new EchoRoute(MAX, (channel, text) -> {
            throw new NoClassDefFoundError("its bundle was refreshed");
        }));
        try (RawSocket raw = connect()) {
            raw.frame(RawSocket.TEXT, true, bytes('a'));
            assertEquals(1011, raw.closeCode());
        }
        Await.until("the sink heard of its end", () -> route.closed.size() == 1);
    }

    @Test
    void seededTextsSurviveAnyFragmentation() throws IOException {
        start(new EchoRoute(MAX));
        RandomGenerator random = Seeds.generator("http.fragments");
        try (RawSocket raw = connect()) {
            for (int round = 0; round < 200; round++) {
                StringBuilder text = new StringBuilder();
                int length = random.nextInt(1, 2_000);
                for (int i = 0; i < length; i++) {
                    int c = random.nextInt(0x11_0000);
                    text.appendCodePoint(c >= 0xD800 && c < 0xE000 ? 'x' : c);
                }
                byte[] utf8 = text.toString().getBytes(StandardCharsets.UTF_8);
                ByteArrayOutputStream wire = new ByteArrayOutputStream();
                int at = 0;
                while (true) {
                    int size = Math.min(utf8.length - at, random.nextInt(1, 700));
                    byte[] part = java.util.Arrays.copyOfRange(utf8, at, at + size);
                    wire.writeBytes(RawSocket.encode(
                            at == 0 ? RawSocket.TEXT : RawSocket.CONTINUATION, at + size == utf8.length, false, part));
                    at += size;
                    if (at == utf8.length) {
                        break;
                    }
                    if (random.nextInt(4) == 0) {
                        wire.writeBytes(RawSocket.encode(RawSocket.PONG, true, false, new byte[0]));
                    }
                }
                raw.out.write(wire.toByteArray());
                raw.out.flush();
                assertEquals(text.toString(), raw.read().text());
            }
        }
    }

    private static byte[] deflated(byte[] plain) {
        Deflater deflater = new Deflater(9, true);
        deflater.setInput(plain);
        byte[] buffer = new byte[1 << 20];
        int length = deflater.deflate(buffer, 0, buffer.length, Deflater.SYNC_FLUSH);
        deflater.end();
        return java.util.Arrays.copyOf(buffer, length - 4);
    }

    private static long allocatedByServer() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long sum = 0;
        for (long id : threads.getAllThreadIds()) {
            var info = threads.getThreadInfo(id);
            if (info != null && info.getThreadName().startsWith("parley-http")) {
                sum += threads.getThreadAllocatedBytes(id);
            }
        }
        return sum;
    }

    @Test
    void WS_01_deflateBombCloses1009AndTheHeapStaysFlat() throws IOException {
        EchoRoute route = start(new EchoRoute(MAX));
        byte[] plain = new byte[100 << 20];
        java.util.Arrays.fill(plain, (byte) 'a');
        byte[] bomb = RawSocket.encode(RawSocket.TEXT, true, true, deflated(plain));
        assertTrue(bomb.length > 90_000 && bomb.length < 120_000, "frame of " + bomb.length + " bytes");
        try (RawSocket warm = connect(DEFLATE)) {
            warm.out.write(
                    RawSocket.encode(RawSocket.TEXT, true, true, deflated("hello".getBytes(StandardCharsets.UTF_8))));
            assertTrue(warm.read().rsv1());
        }
        long before = allocatedByServer();
        try (RawSocket raw = connect(DEFLATE)) {
            raw.out.write(bomb);
            raw.out.flush();
            assertEquals(1009, raw.closeCode());
        }
        // All that was allocated, garbage included, so the peak is lower still.
        long allocated = allocatedByServer() - before;
        System.out.println(
                "WS-01: " + bomb.length + " bytes inflating to 100 MiB, server threads allocated " + allocated);
        assertTrue(allocated < 5 << 20, "allocated " + allocated);
        assertEquals(List.of("hello"), route.texts);
    }

    @Test
    void compressesWhenAskedTo() throws Exception {
        EchoRoute route = start(new EchoRoute(MAX));
        try (RawSocket raw = new RawSocket(address)) {
            String head = raw.upgrade(address, "/", DEFLATE + "; client_max_window_bits");
            assertTrue(head.contains("permessage-deflate"), head);
            assertTrue(head.contains("server_no_context_takeover"), head);
            assertTrue(head.contains("client_no_context_takeover"), head);
            String text = "compress me ".repeat(8_000);
            for (int i = 0; i < 2; i++) {
                raw.out.write(
                        RawSocket.encode(RawSocket.TEXT, true, true, deflated(text.getBytes(StandardCharsets.UTF_8))));
                ByteArrayOutputStream answer = new ByteArrayOutputStream();
                RawSocket.Frame frame;
                do {
                    frame = raw.read();
                    answer.writeBytes(frame.payload());
                } while (!frame.fin());
                answer.writeBytes(bytes(0, 0, 0xff, 0xff));
                Inflater inflater = new Inflater(true);
                inflater.setInput(answer.toByteArray());
                byte[] plain = new byte[MAX];
                int length = inflater.inflate(plain);
                inflater.end();
                assertEquals(text, new String(plain, 0, length, StandardCharsets.UTF_8));
            }
        }
        assertEquals(2, route.texts.size());
    }

    @Test
    void compressedRubbishCloses1007() throws IOException {
        start(new EchoRoute(MAX));
        try (RawSocket raw = connect(DEFLATE)) {
            raw.out.write(RawSocket.encode(RawSocket.TEXT, true, true, bytes(0xff, 0xff, 0xff, 0xff)));
            assertEquals(1007, raw.closeCode());
        }
    }

    @Test
    void aFrameOfTheLimitPassesAndOneByteMoreCloses1009() throws IOException {
        start(new EchoRoute(MAX));
        try (RawSocket raw = connect()) {
            raw.text("x".repeat(MAX));
            assertEquals(MAX, raw.read().payload().length);
            raw.text("x".repeat(MAX + 1));
            assertEquals(1009, raw.closeCode());
        }
        try (RawSocket raw = connect()) {
            raw.frame(RawSocket.TEXT, false, new byte[MAX]);
            raw.frame(RawSocket.CONTINUATION, false, new byte[1]);
            assertEquals(1009, raw.closeCode());
        }
    }

    @Test
    void WS_02_thousandAndTwentyFourFragmentsPassAndOneMoreCloses1008() throws IOException {
        start(new EchoRoute(MAX));
        try (RawSocket raw = connect()) {
            raw.out.write(fragments(1024, 1, true));
            assertEquals(1024, raw.read().payload().length);
            raw.out.write(fragments(1025, 1, true));
            assertEquals(1008, raw.closeCode());
        }
        try (RawSocket raw = connect()) {
            raw.out.write(fragments(2000, 0, false));
            assertEquals(1008, raw.closeCode());
        }
    }

    private static byte[] fragments(int count, int size, boolean finished) {
        ByteArrayOutputStream wire = new ByteArrayOutputStream();
        for (int i = 0; i < count; i++) {
            wire.writeBytes(RawSocket.encode(
                    i == 0 ? RawSocket.TEXT : RawSocket.CONTINUATION,
                    finished && i == count - 1,
                    false,
                    "x".repeat(size).getBytes(StandardCharsets.UTF_8)));
        }
        return wire.toByteArray();
    }

    @Test
    void WS_02_WS_04_aMessageThatIsNotFinishedInTimeCloses1008() throws IOException {
        start(
                new EchoRoute(MAX),
                new Settings.SocketLimits(
                        Duration.ofSeconds(60),
                        Duration.ofSeconds(120),
                        Duration.ofMillis(200),
                        Duration.ofSeconds(1)));
        try (RawSocket raw = connect()) {
            raw.frame(RawSocket.TEXT, false, bytes('a'));
            assertEquals(1008, raw.closeCode());
        }
        // One frame whose header promises more than ever comes.
        try (RawSocket raw = connect()) {
            byte[] whole = RawSocket.encode(RawSocket.TEXT, true, false, new byte[100]);
            raw.out.write(whole, 0, 12);
            assertEquals(1008, raw.closeCode());
        }
    }

    @Test
    void silenceIsPingedAndThenClosed() throws IOException {
        EchoRoute route = start(
                new EchoRoute(MAX),
                new Settings.SocketLimits(
                        Duration.ofMillis(200),
                        Duration.ofMillis(1200),
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(1)));
        try (RawSocket raw = connect()) {
            // Longer than the HTTP idle time of 1 s in all: a WebSocket is kept by pongs alone.
            for (int i = 0; i < 7; i++) {
                assertEquals(RawSocket.PING, raw.read().opcode());
                raw.frame(RawSocket.PONG, true, new byte[0]);
            }
            raw.text("still here");
            assertEquals("still here", raw.read().text());
            assertEquals(RawSocket.PING, raw.read().opcode());
            assertEquals(1001, raw.closeCode());
        }
        Await.until("the sink heard of it", () -> route.closed.equals(List.of(1001)));
    }

    @Test
    void pingsAreAnsweredWithTheirPayloadAlsoInsideAMessage() throws IOException {
        start(new EchoRoute(MAX));
        try (RawSocket raw = connect()) {
            raw.frame(RawSocket.TEXT, false, bytes('a'));
            raw.frame(RawSocket.PING, true, bytes(1, 2, 3));
            RawSocket.Frame pong = raw.read();
            assertEquals(RawSocket.PONG, pong.opcode());
            assertArrayEquals(bytes(1, 2, 3), pong.payload());
            raw.frame(RawSocket.CONTINUATION, true, bytes('b'));
            assertEquals("ab", raw.read().text());
        }
    }

    @Test
    void WS_06_floodsOfControlFramesClose1008() throws IOException {
        start(new EchoRoute(MAX));
        for (int opcode : new int[] {RawSocket.PING, RawSocket.PONG}) {
            try (RawSocket raw = connect()) {
                byte[] one = RawSocket.encode(opcode, true, false, bytes(1));
                ByteArrayOutputStream flood = new ByteArrayOutputStream();
                // Few beyond the limit: what the server has not read when it hangs up makes the kernel take its answer
                // away.
                for (int i = 0; i < 1_010; i++) {
                    flood.writeBytes(one);
                }
                raw.sendDespiteHangUp(flood.toByteArray());
                assertEquals(1008, raw.closeCode(), "opcode " + opcode);
            }
        }
    }

    @Test
    void aFloodOfPingsEndsInTheNewestPong() throws IOException {
        start(new EchoRoute(MAX));
        try (RawSocket raw = connect()) {
            ByteArrayOutputStream flood = new ByteArrayOutputStream();
            for (int i = 0; i <= 900; i++) {
                flood.writeBytes(RawSocket.encode(RawSocket.PING, true, false, bytes(i >> 8, i)));
            }
            raw.out.write(flood.toByteArray());
            byte[] last;
            do {
                last = raw.read().payload();
            } while ((last[0] & 0xff) << 8 < (900 & 0xff00) || (last[1] & 0xff) != (900 & 0xff));
            raw.text("alive");
            RawSocket.Frame answer = raw.read();
            assertEquals("alive", answer.text());
        }
    }

    @Test
    void WS_05_protocolErrorsClose1002And1003() throws IOException {
        start(new EchoRoute(MAX));
        byte[][] wrong = {
            bytes(0x81, 0x01, 'a'), // not masked
            RawSocket.encode(RawSocket.TEXT, true, true, bytes('a')), // RSV1 without an extension
            RawSocket.encode(3, true, false, bytes('a')), // unknown opcode
            RawSocket.encode(RawSocket.CONTINUATION, true, false, bytes('a')), // continues nothing
            RawSocket.encode(RawSocket.PING, true, false, new byte[126]),
            RawSocket.encode(RawSocket.PING, false, false, new byte[1])
        };
        List<byte[]> all = new ArrayList<>(List.of(wrong));
        for (int opcode = 3; opcode < 16; opcode++) {
            if (opcode < 8 || opcode > 10) {
                all.add(RawSocket.encode(opcode, true, false, bytes('a'))); // reserved
                all.add(RawSocket.encode(opcode, false, false, bytes('a')));
            }
        }
        for (int bits : new int[] {0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70}) {
            for (int opcode : new int[] {0, 1, 8, 9, 10}) {
                byte[] frame = RawSocket.encode(opcode, true, false, bytes('a', 'b'));
                frame[0] |= (byte) bits; // RSV without an extension
                all.add(frame);
            }
        }
        for (int opcode : new int[] {8, 9, 10}) {
            all.add(RawSocket.encode(opcode, false, false, bytes(3, 232))); // control frames are never fragmented
            all.add(RawSocket.encode(opcode, true, false, new byte[126]));
        }
        all.add(RawSocket.encode(RawSocket.CLOSE, true, false, bytes(3))); // half a code
        for (int code : new int[] {0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535}) {
            all.add(RawSocket.encode(RawSocket.CLOSE, true, false, bytes(code >> 8, code)));
        }
        // A second message inside an unfinished one.
        ByteArrayOutputStream two = new ByteArrayOutputStream();
        two.writeBytes(RawSocket.encode(RawSocket.TEXT, false, false, bytes('a')));
        two.writeBytes(RawSocket.encode(RawSocket.TEXT, true, false, bytes('b')));
        all.add(two.toByteArray());
        for (byte[] frame : all) {
            try (RawSocket raw = connect()) {
                raw.out.write(frame);
                assertEquals(1002, raw.closeCode(), HexFormat.of().formatHex(frame, 0, Math.min(16, frame.length)));
            }
        }
        assertTrue(all.size() > 60, all.size() + " cases");
        try (RawSocket raw = connect()) {
            // A length of 64 bits with the top one set: too big before it is wrong.
            raw.out.write(new byte[] {(byte) 0x81, (byte) 0xff, (byte) 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0});
            assertEquals(1009, raw.closeCode());
        }
        try (RawSocket raw = connect()) {
            // A reason that is not UTF-8.
            raw.out.write(RawSocket.encode(RawSocket.CLOSE, true, false, bytes(3, 232, 0xc0, 0xaf)));
            int code = raw.closeCode();
            assertTrue(code == 1002 || code == 1007, "" + code);
        }
        for (int code : new int[] {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999}) {
            try (RawSocket raw = connect()) {
                raw.out.write(RawSocket.encode(RawSocket.CLOSE, true, false, bytes(code >> 8, code)));
                assertEquals(code, raw.closeCode(), "echoed");
                // Data after a close is thrown away, and the connection ends.
                raw.sendDespiteHangUp(RawSocket.encode(RawSocket.TEXT, true, false, bytes('x')));
                assertEquals("", raw.rest());
            }
        }
        try (RawSocket raw = connect()) {
            raw.frame(RawSocket.BINARY, true, bytes(1));
            assertEquals(1003, raw.closeCode());
        }
    }

    @Test
    void whoeverClosesTheSinkHearsTheCodeOnce() throws IOException {
        EchoRoute route = start(new EchoRoute(MAX, (channel, text) -> channel.close(4000, "é".repeat(100))));
        try (RawSocket raw = connect()) {
            raw.frame(RawSocket.CLOSE, true, bytes(3, 0xE8));
            assertEquals(1000, raw.closeCode());
        }
        Await.until("the peer's close was heard", () -> route.closed.equals(List.of(1000)));
        try (RawSocket raw = connect()) {
            raw.socket.close();
        }
        Await.until("the lost connection was heard", () -> route.closed.equals(List.of(1000, 1006)));
        try (RawSocket raw = connect()) {
            raw.text("x");
            RawSocket.Frame close = raw.read();
            assertEquals(4000, close.closeCode());
            assertEquals(2 + 122, close.payload().length);
            raw.frame(RawSocket.CLOSE, true, close.payload());
        }
        Await.until("our close was heard", () -> route.closed.equals(List.of(1000, 1006, 4000)));
    }

    @Test
    void aPeerThatNeverAnswersTheCloseIsCutOff() throws IOException {
        EchoRoute route = start(
                new EchoRoute(MAX, (channel, text) -> channel.close(1000, "")),
                new Settings.SocketLimits(
                        Duration.ofSeconds(60),
                        Duration.ofSeconds(120),
                        Duration.ofSeconds(10),
                        Duration.ofMillis(200)));
        try (RawSocket raw = connect()) {
            raw.text("x");
            assertEquals(1000, raw.read().closeCode());
            Await.until("the sink heard of it", () -> route.closed.equals(List.of(1000)));
            assertEquals(-1, raw.in.read());
        }
    }

    @Test
    void framesSentBeforeCloseArriveAndLaterOnesFail() throws IOException {
        List<CompletionStage<Void>> sent = new CopyOnWriteArrayList<>();
        start(new EchoRoute(MAX, (channel, text) -> {
            sent.add(channel.send("one"));
            sent.add(channel.send("two"));
            channel.close(1008, "enough");
            channel.close(1000, "not this");
            sent.add(channel.send("three"));
        }));
        try (RawSocket raw = connect()) {
            raw.text("go");
            assertEquals("one", raw.read().text());
            assertEquals("two", raw.read().text());
            assertEquals(1008, raw.closeCode());
        }
        sent.get(0).toCompletableFuture().join();
        sent.get(1).toCompletableFuture().join();
        assertEquals("channel.closed", failure(sent.get(2)));
    }

    private static String failure(CompletionStage<Void> stage) {
        CompletionException e = assertThrows(
                CompletionException.class, () -> stage.toCompletableFuture().join());
        return assertInstanceOf(ProviderException.class, e.getCause()).code();
    }

    @Test
    void aLoneSurrogateIsNotSent() throws IOException {
        List<CompletionStage<Void>> sent = new CopyOnWriteArrayList<>();
        start(new EchoRoute(MAX, (channel, text) -> {
            sent.add(channel.send("a\uD800b"));
            sent.add(channel.send("\uDC00"));
            sent.add(channel.send("😀"));
        }));
        try (RawSocket raw = connect()) {
            raw.text("go");
            assertEquals("😀", raw.read().text());
        }
        assertEquals("channel.bad-text", failure(sent.get(0)));
        assertEquals("channel.bad-text", failure(sent.get(1)));
    }

    @Test
    void aRouteThatThrowsClosesWith1011() throws IOException {
        EchoRoute route = start(new EchoRoute(MAX, (channel, text) -> {
            throw new IllegalStateException("planted");
        }));
        try (RawSocket raw = connect()) {
            raw.text("x");
            assertEquals(1011, raw.closeCode());
        }
        Await.until("the sink heard of it", () -> route.closed.equals(List.of(1011)));
    }

    @Test
    void framesOfOneThreadKeepTheirOrderAndAllArrive() throws Exception {
        int threads = 4;
        int each = 5_000;
        EchoRoute route = start(new EchoRoute(MAX));
        try (RawSocket raw = connect()) {
            Await.until("the socket is open", () -> route.channels.size() == 1);
            Channel channel = route.channels.get(0);
            List<Thread> senders = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int id = t;
                Thread sender = new Thread(() -> {
                    for (int i = 0; i < each; i++) {
                        CompletionStage<Void> sent = channel.send(id + ":" + i + ":" + "y".repeat(i % 300));
                        if (i % 256 == 255) {
                            // All at once would be more than is kept for one client.
                            sent.toCompletableFuture().join();
                        }
                    }
                });
                senders.add(sender);
                sender.start();
            }
            int[] next = new int[threads];
            for (int i = 0; i < threads * each; i++) {
                String[] parts = raw.read().text().split(":");
                int id = Integer.parseInt(parts[0]);
                assertEquals(next[id]++, Integer.parseInt(parts[1]));
            }
            for (Thread sender : senders) {
                sender.join();
            }
        }
    }

    @Test
    void aClientThatDoesNotReadIsClosedAndMemoryStaysBounded() throws Exception {
        EchoRoute route = start(
                new EchoRoute(MAX),
                new Settings.SocketLimits(
                        Duration.ofSeconds(60),
                        Duration.ofSeconds(120),
                        Duration.ofSeconds(10),
                        Duration.ofMillis(300)));
        try (RawSocket raw = new RawSocket(address, 4096)) {
            assertTrue(raw.upgrade(address, "/").startsWith("HTTP/1.1 101 "));
            Await.until("the socket is open", () -> route.channels.size() == 1);
            Channel channel = route.channels.get(0);
            String text = "z".repeat(64 * 1024);
            long accepted = 0;
            String code = "";
            for (int i = 0; i < 1_000 && code.isEmpty(); i++) {
                CompletableFuture<Void> sent = channel.send(text).toCompletableFuture();
                if (sent.isCompletedExceptionally()) {
                    code = failure(sent);
                } else {
                    accepted += text.length();
                }
            }
            assertEquals("channel.full", code);
            // The queue, and what the kernel took before it was full.
            assertTrue(accepted < 32 << 20, "accepted " + accepted);
            Await.until("the sink heard of it", () -> route.closed.equals(List.of(1008)));
        }
    }

    @Test
    void whoHoldsMostIsCutOffWhenAllSocketsTogetherHoldTooMuch() throws Exception {
        EchoRoute route = start(new EchoRoute(MAX), Settings.SocketLimits.DEFAULT, 4L << 20);
        List<RawSocket> slow = new ArrayList<>();
        try (RawSocket reader = connect()) {
            Await.until("the reader is open", () -> route.channels.size() == 1);
            Channel toReader = route.channels.get(0);
            for (int i = 0; i < 20; i++) {
                RawSocket raw = new RawSocket(address, 4096);
                slow.add(raw);
                assertTrue(raw.upgrade(address, "/").startsWith("HTTP/1.1 101 "));
            }
            Await.until("all are open", () -> route.channels.size() == 21);
            // Spread evenly, so that all together are over the bound long before any one is over its own.
            String text = "z".repeat(64 * 1024);
            for (int round = 0; round < 400 && route.closed.isEmpty(); round++) {
                for (Channel channel : route.channels.subList(1, 21)) {
                    var unused = channel.send(text);
                }
            }
            Await.until("somebody was cut off", () -> !route.closed.isEmpty());
            assertTrue(route.closed.stream().allMatch(code -> code == 1008), route.closed.toString());
            HttpServer running = java.util.Objects.requireNonNull(server);
            assertTrue(running.heldBytes() <= 4L << 20, "held: " + running.heldBytes());
            toReader.send("still here").toCompletableFuture().join();
            assertEquals("still here", reader.read().text());
        } finally {
            for (RawSocket raw : slow) {
                raw.close();
            }
        }
        HttpServer running = java.util.Objects.requireNonNull(server);
        Await.until("nothing is held for those who left", () -> running.heldBytes() == 0);
    }

    @Test
    void unfinishedMessagesCountToo() throws Exception {
        EchoRoute route = start(new EchoRoute(MAX), Settings.SocketLimits.DEFAULT, 1L << 20);
        List<RawSocket> all = new ArrayList<>();
        try {
            for (int i = 0; i < 20 && route.closed.isEmpty(); i++) {
                RawSocket raw = connect();
                all.add(raw);
                raw.frame(RawSocket.TEXT, false, new byte[100 * 1024]);
            }
            Await.until("somebody was cut off", () -> !route.closed.isEmpty());
            assertEquals(1008, route.closed.get(0));
        } finally {
            for (RawSocket raw : all) {
                raw.close();
            }
        }
    }

    @Test
    void aSlowSinkHoldsTheClientBack() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        EchoRoute route = start(new EchoRoute(MAX, (channel, text) -> {
            try {
                release.await(10, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        try (RawSocket raw = connect()) {
            raw.text("1");
            raw.text("2");
            Await.until("the first is inside", () -> route.texts.size() == 1);
            // The end comes while the sink is busy and must wait its turn; EchoRoute counts an overlap.
            route.channels.get(0).close(1000, "");
            release.countDown();
            assertEquals(1000, raw.closeCode());
        }
    }

    @Test
    void aSinkThatIsNotReadyHoldsTheClientBackWithoutAThread() throws Exception {
        EchoRoute route = start(new EchoRoute(MAX));
        route.ready = new CompletableFuture<>();
        try (RawSocket raw = connect()) {
            raw.text("1");
            raw.text("2");
            Await.until("the first was taken", () -> route.texts.size() == 1);
            // Another socket still works, and what the first sent stays in its buffers meanwhile.
            try (RawSocket other = connect()) {
                other.text("3");
                Await.until("the other's was taken", () -> route.texts.size() == 2);
            }
            assertEquals(List.of("1", "3"), route.texts);
            route.ready.complete(null);
            Await.until("the second was taken", () -> route.texts.size() == 3);
            assertEquals(List.of("1", "3", "2"), route.texts);
        }
    }

    @Test
    void upgradesOnlyWhereARouteHasAWebSocket() throws IOException {
        EchoRoute route = start(new EchoRoute(MAX));
        HttpServer running = java.util.Objects.requireNonNull(server);
        running.bindRoute(request -> route.handle(request), EchoRoute.at("/plain"));
        try (RawSocket raw = new RawSocket(address)) {
            assertTrue(raw.upgrade(address, "/plain").startsWith("HTTP/1.1 404 "));
        }
        try (RawSocket raw = new RawSocket(address)) {
            assertTrue(raw.upgrade(address, "/none").startsWith("HTTP/1.1 404 "));
        }
        String host = "Host: 127.0.0.1:" + address.getPort() + "\r\n";
        try (RawSocket raw = new RawSocket(address)) {
            String answer = raw.ask("GET / HTTP/1.1\r\n" + host
                    + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    + "Sec-WebSocket-Version: 12\r\n\r\n");
            assertTrue(answer.startsWith("HTTP/1.1 426 ") && answer.contains("Sec-WebSocket-Version: 13"), answer);
        }
        try (RawSocket raw = new RawSocket(address)) {
            String answer = raw.ask("GET / HTTP/1.1\r\n" + host
                    + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n");
            assertTrue(answer.startsWith("HTTP/1.1 400 "), answer);
        }
        try (RawSocket raw = new RawSocket(address)) {
            String answer = raw.ask("GET / HTTP/1.1\r\nHost: evil.test\r\n"
                    + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    + "Sec-WebSocket-Version: 13\r\n\r\n");
            assertTrue(answer.startsWith("HTTP/1.1 421 "), answer);
        }
        assertEquals(0, route.channels.size());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "permessage-deflate; client_max_window_bits=7",
                "permessage-deflate; client_max_window_bits=99",
                "permessage-deflate; unknown=1",
                "constructor",
                "permessage-deflate, permessage-deflate, x-webkit-deflate-frame",
                "fragment; maxLength=1, identity, @validation"
            })
    void oddExtensionsAreDeclinedOrRefused(String offer) throws IOException {
        start(new EchoRoute(MAX));
        try (RawSocket raw = new RawSocket(address)) {
            String answer = raw.upgrade(address, "/", "Sec-WebSocket-Extensions: " + offer);
            assertTrue(answer.startsWith("HTTP/1.1 101 ") || answer.startsWith("HTTP/1.1 400 "), answer);
            assertTrue(!answer.contains("fragment") && !answer.contains("validation"), answer);
            assertTrue(!offer.contains("=") || !answer.contains("permessage-deflate"), answer);
            if (answer.startsWith("HTTP/1.1 101 ")) {
                raw.text("works");
                RawSocket.Frame echo = raw.read();
                assertEquals(RawSocket.TEXT, echo.opcode());
            }
        }
    }

    @Test
    void stoppingSays1001AndARouteThatGoesToo() throws IOException {
        EchoRoute route = start(new EchoRoute(MAX));
        HttpServer running = java.util.Objects.requireNonNull(server);
        try (RawSocket raw = connect();
                RawSocket other = connect()) {
            Await.until("both are open", () -> route.channels.size() == 2);
            running.unbindRoute(route);
            assertEquals(1001, raw.closeCode());
            assertEquals(1001, other.closeCode());
            Await.until("both sinks heard", () -> route.closed.equals(List.of(1001, 1001)));
            running.bindRoute(route, EchoRoute.at("/"));
        }
        try (RawSocket raw = connect()) {
            Await.until("it is open", () -> route.channels.size() == 3);
            running.deactivate();
            assertEquals(1001, raw.closeCode());
            assertEquals(0, running.openSockets());
        }
    }

    @Test
    void javaClientTalksBothWays() throws Exception {
        EchoRoute route = start(new EchoRoute(1 << 20));
        CompletableFuture<String> answer = new CompletableFuture<>();
        CompletableFuture<Integer> code = new CompletableFuture<>();
        WebSocket client = HttpClient.newHttpClient()
                .newWebSocketBuilder()
                .buildAsync(URI.create("ws://localhost:" + address.getPort() + "/"), new WebSocket.Listener() {
                    private final StringBuilder text = new StringBuilder();

                    @Override
                    public @Nullable CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
                        text.append(data);
                        if (last) {
                            answer.complete(text.toString());
                        }
                        socket.request(1);
                        return null;
                    }

                    @Override
                    public @Nullable CompletionStage<?> onClose(WebSocket socket, int status, String reason) {
                        code.complete(status);
                        return null;
                    }
                })
                .get(10, TimeUnit.SECONDS);
        String text = "مرحبا नमस्ते 👋 ".repeat(20_000);
        client.sendText(text, true).get(10, TimeUnit.SECONDS);
        assertEquals(text, answer.get(10, TimeUnit.SECONDS));
        route.channels.get(0).close(1008, "done");
        assertEquals(1008, code.get(10, TimeUnit.SECONDS));
    }
}
