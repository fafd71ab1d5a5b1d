package im.parley.egress.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.egress.EgressControl.Entry;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** No test here leaves the machine: connects end in a recorder, or at a server socket of the test on loopback. */
class GuardedEgressTest {
    private static final Scope FAMILY = new Scope("family");
    private static final Duration SECOND = Duration.ofSeconds(1);
    private static final String PUBLIC = "93.184.215.14";

    @TempDir
    Path dir = Path.of("unset");

    private final SettableClock clock = SettableClock.atSecond(1_800_000_000);
    private final Map<String, Deque<List<InetAddress>>> answers = new HashMap<>();
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final List<InetSocketAddress> tried = new CopyOnWriteArrayList<>();
    private final List<Duration> granted = new CopyOnWriteArrayList<>();
    private GuardedEgress control;
    private Egress egress;

    @BeforeEach
    void open() {
        control = new GuardedEgress(clock, this::resolve, this::record, new EgressLog(dir, 5 << 20), SECOND);
        egress = control.egressFor(Scope.DEFAULT, "im.parley.transport.websocket~main", null);
    }

    @AfterEach
    void close() {
        control.deactivate();
    }

    private List<InetAddress> resolve(String host) throws UnknownHostException {
        asked.add(host);
        Deque<List<InetAddress>> rest = answers.get(host);
        if (rest == null) {
            throw new UnknownHostException(host);
        }
        return rest.size() > 1 ? rest.remove() : rest.element();
    }

    private SocketChannel record(InetSocketAddress address, Duration timeout) throws IOException {
        tried.add(address);
        granted.add(timeout);
        // A channel that leads nowhere: the recorder proves what would have been connected.
        return SocketChannel.open();
    }

    @SafeVarargs
    private void answer(String host, List<String>... inTurn) throws UnknownHostException {
        Deque<List<InetAddress>> all = new ArrayDeque<>();
        for (List<String> literals : inTurn) {
            List<InetAddress> addresses = new ArrayList<>();
            for (String literal : literals) {
                addresses.add(InetAddress.getByName(literal));
            }
            all.add(addresses);
        }
        answers.put(host, all);
    }

    private void connect(String host, int port) throws ProviderException, IOException {
        egress.connect(host, port, "relay", SECOND).close();
    }

    private ProviderException refused(String code, String host, int port) {
        int before = tried.size();
        ProviderException e = assertThrows(ProviderException.class, () -> connect(host, port), host);
        assertEquals(code, e.code(), host);
        assertEquals(before, tried.size(), "nothing may be connected for " + host);
        List<Entry> log = control.log(1);
        assertEquals(code, log.get(0).outcome());
        assertEquals("", log.get(0).address());
        return e;
    }

    // ---- The SSRF matrix

    @ParameterizedTest
    @ValueSource(
            strings = {
                "127.0.0.1",
                "127.255.255.254",
                "0.0.0.0",
                "0.1.2.3",
                "10.0.0.1",
                "10.255.255.255",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.0.1",
                "169.254.169.254",
                "100.64.0.1",
                "100.127.255.255",
                "192.0.0.8",
                "192.0.2.1",
                "192.88.99.1",
                "198.18.0.1",
                "198.19.255.255",
                "198.51.100.7",
                "203.0.113.7",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::1",
                "::7f00:1",
                "::10.0.0.1",
                "fc00::1",
                "fdff::1",
                "fe80::1",
                "febf::1",
                "fec0::1",
                "ff02::1",
                "2002:7f00:1::",
                "2001:0:4136:e378::1",
                "2001:2::1",
                "2001:10::1",
                "2001:db8::1",
                "64:ff9b::7f00:1",
                "64:ff9b::8.8.8.8",
                "64:ff9b:1::1",
                "100::1",
                "3fff::1",
                "5f00::1",
                "4000::1",
                "localhost",
                "LOCALHOST",
                "localhost.",
                "relay.localhost",
                "127.0.0.1."
            })
    void BL_01_specialLiteralsAreRefusedWithoutAConnect(String host) {
        assertEquals(Kind.REJECTED, refused("egress.private", host, 80).kind());
        assertEquals(List.of(), asked, "no resolver may be asked about " + host);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                "..",
                "a..b",
                ".a",
                "2130706433",
                "0x7f000001",
                "0x7f.1",
                "0177.0.0.1",
                "127.1",
                "127.0.1",
                "127.0.0.01",
                "1.2.3.256",
                "1.2.3.4.5",
                "1.2.3.0x4",
                "0x",
                "1e3.0",
                "a.0x7f",
                "a.123",
                "017700000001",
                "１２７.０.０.１",
                "127。0。0。1",
                "127．0．0．1",
                "lоcalhost",
                "exa mple.org",
                "example.org/",
                "a@b",
                "a%00b",
                "a\u0000b",
                "a\r\nb",
                "[::1]",
                "fe80::1%eth0",
                "::ffff:127.0.0.1",
                "::ffff:7f00:1",
                "::ffff:8.8.8.8",
                ":::",
                "1::2::3",
                "12345::",
                "1:2:3:4:5:6:7",
                "1:2:3:4:5:6:7:8:9",
                "1:2:3:4:5:6:7::8",
                "::1.2.3",
                "::0177.0.0.1",
                "::g",
                "example.org:80",
                "-1"
            })
    void BL_01_trickHostsAreRefusedWithoutAskingAnybody(String host) {
        if (host.equals("-1")) {
            refused("egress.bad-host", PUBLIC, -1);
            refused("egress.bad-host", PUBLIC, 0);
            refused("egress.bad-host", PUBLIC, 65_536);
        } else {
            assertEquals(Kind.REJECTED, refused("egress.bad-host", host, 80).kind());
        }
        assertEquals(List.of(), asked, "no resolver may be asked about " + host);
    }

    @Test
    void BL_01_tooLongNamesAreRefused() {
        refused("egress.bad-host", "a".repeat(64) + ".org", 80);
        refused("egress.bad-host", "a.".repeat(127) + "org", 80);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "93.184.215.14",
                "1.0.0.1",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.1.1.1",
                "128.0.0.1",
                "169.253.0.1",
                "172.15.255.255",
                "172.32.0.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "2606:4700::1",
                "2001:200::1",
                "2003::1",
                "3ffe::1"
            })
    void neighboursOfSpecialRangesAreConnectedTo(String host) throws Exception {
        connect(host, 443);
        assertEquals(List.of(new InetSocketAddress(InetAddress.getByName(host), 443)), tried);
        assertEquals("connected", control.log(1).get(0).outcome());
    }

    @Test
    void BL_03_anyPrivateAddressRefusesTheWholeName() throws Exception {
        List<String> twenty = new ArrayList<>();
        for (int i = 0; i < 19; i++) {
            twenty.add("93.184.215." + i);
        }
        twenty.add("10.0.0.1");
        answer("mixed.example", twenty);
        refused("egress.private", "mixed.example", 443);
        answer("six.example", List.of(PUBLIC, "fe80::1"));
        refused("egress.private", "six.example", 443);
    }

    @Test
    void BL_03_rebindingIsCheckedAgainAndOnlyTheCheckedAddressIsConnectedTo() throws Exception {
        answer("rebind.example", List.of(PUBLIC), List.of("127.0.0.1"));
        connect("rebind.example", 443);
        assertEquals(1, asked.size(), "one lookup for one connection");
        assertEquals(List.of(new InetSocketAddress(InetAddress.getByName(PUBLIC), 443)), tried);
        refused("egress.private", "rebind.example", 443);
        assertEquals(2, asked.size());
    }

    @Test
    void seededAddressesAgreeWithTheJdkWhereItHasAnOpinion() throws Exception {
        RandomGenerator random = Seeds.generator("egress.ranges");
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = new byte[random.nextBoolean() ? 4 : 16];
            random.nextBytes(bytes);
            if (random.nextInt(3) == 0) {
                int[] firsts = {0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 0xfc, 0xfe, 0xff, 0x20};
                bytes[0] = (byte) firsts[random.nextInt(firsts.length)];
                bytes[1] = (byte) (random.nextBoolean() ? bytes[1] : 168);
            }
            InetAddress address = InetAddress.getByAddress(bytes);
            boolean jdk = address.isAnyLocalAddress()
                    || address.isLoopbackAddress()
                    || address.isLinkLocalAddress()
                    || address.isSiteLocalAddress()
                    || address.isMulticastAddress();
            if (jdk) {
                assertTrue(SpecialRanges.contains(address), address.toString());
            }
            Host host = Host.parse(address.getHostAddress());
            if (host != null) {
                assertArrayEquals(address.getAddress(), host.literal().get(0).getAddress());
            }
        }
    }

    // ---- What the user named

    @Test
    void namedAddressesMayBePrivateInTheirScopeOnly() throws Exception {
        control.allow(Scope.DEFAULT, URI.create("ws://127.0.0.1:7470/"));
        connect("127.0.0.1", 7470);
        assertEquals(1, tried.size());
        assertTrue(control.log(1).get(0).named());
        refused("egress.private", "127.0.0.1", 7471);
        refused("egress.private", "127.0.0.2", 7470);
        Egress family = control.egressFor(FAMILY, "x", null);
        assertThrows(ProviderException.class, () -> family.connect("127.0.0.1", 7470, "relay", SECOND));
        assertEquals(1, tried.size());
        control.withdraw(Scope.DEFAULT, URI.create("ws://127.0.0.1:7470/other"));
        refused("egress.private", "127.0.0.1", 7470);
    }

    @Test
    void theNamesOfLoopbackAreNamedTogetherPortByPort() throws Exception {
        List<String> names = List.of("localhost", "127.0.0.1", "::1");
        for (String name : names) {
            URI address = URI.create(name.equals("::1") ? "ws://[::1]:7470" : "ws://" + name + ":7470");
            names.forEach(other -> refused("egress.private", other, 7470));
            control.allow(Scope.DEFAULT, address);
            for (String other : names) {
                connect(other, 7470);
                assertTrue(control.log(1).get(0).named(), name + " names " + other);
                refused("egress.private", other, 7471);
            }
            refused("egress.private", "127.0.0.2", 7470);
            refused("egress.private", "relay.localhost", 7470);
            refused("egress.private", "10.0.0.1", 7470);
            control.withdraw(Scope.DEFAULT, address);
        }
        control.allow(Scope.DEFAULT, URI.create("ws://localhost:7470"));
        control.allow(Scope.DEFAULT, URI.create("ws://127.0.0.1:7470"));
        control.withdraw(Scope.DEFAULT, URI.create("ws://localhost:7470"));
        connect("localhost", 7470);
    }

    @Test
    void namedNamesAreCanonical() throws Exception {
        answer("nas.lan", List.of("192.168.1.5"));
        refused("egress.private", "nas.lan", 443);
        control.allow(Scope.DEFAULT, URI.create("wss://NAS.lan"));
        connect("nas.lan.", 443);
        connect("Nas.LAN", 443);
        refused("egress.private", "nas.lan", 80);
        control.allow(Scope.DEFAULT, URI.create("ws://[0:0::1]:81"));
        connect("::1", 81);
        connect("0:0:0:0:0:0:0:1", 81);
        control.allow(Scope.DEFAULT, URI.create("ws://localhost"));
        connect("localhost", 80);
        assertEquals(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 80), tried.get(tried.size() - 1));
        for (String odd : List.of("ws://0x7f.1/", "mailto:a@b", "ftp://example.org", "ws:///x")) {
            assertThrows(IllegalArgumentException.class, () -> control.allow(Scope.DEFAULT, URI.create(odd)), odd);
        }
    }

    // ---- Connecting

    @Test
    void aPluginReachesWhatItDeclaredAndNothingElse() throws Exception {
        for (String name :
                List.of("a.example", "x.b.example", "y.x.b.example", "b.example", "other.example", "c.example")) {
            answer(name, List.of(PUBLIC));
        }
        egress = control.egressFor(
                Scope.DEFAULT,
                "org.example~main",
                Set.of("A.example.", "*.b.example", "c.example:443", PUBLIC + ":80", "[2606:4700::1111]:443"));
        connect("a.example", 1234);
        connect("A.EXAMPLE.", 443);
        connect("x.b.example", 443);
        connect("y.x.b.example", 443);
        connect("c.example", 443);
        connect(PUBLIC, 80);
        connect("2606:4700:0::1111", 443);
        int lookups = asked.size();
        for (String host : List.of(
                "b.example",
                "other.example",
                "xa.example",
                "a.example.evil.example",
                "xb.example",
                "unknown.example")) {
            refused("egress.host-not-declared", host, 443);
        }
        refused("egress.host-not-declared", "c.example", 80);
        refused("egress.host-not-declared", PUBLIC, 443);
        refused("egress.host-not-declared", "2606:4700::1111", 80);
        assertEquals(lookups, asked.size(), "no name server hears of what is refused");
        assertTrue(refused("egress.host-not-declared", "other.example", 443)
                .getMessage()
                .contains("other.example:443"));
    }

    @Test
    void aPluginThatDeclaredNothingReachesNothing() throws Exception {
        answer("a.example", List.of(PUBLIC));
        control.allow(Scope.DEFAULT, URI.create("ws://127.0.0.1:7470"));
        for (Set<String> hosts : List.of(
                Set.<String>of(),
                Set.of(
                        "*.*",
                        "",
                        "**",
                        "*example",
                        "a.example:0",
                        "a.example:x",
                        "a.example:70000",
                        "[::1",
                        "*.93.184.215.14"))) {
            egress = control.egressFor(Scope.DEFAULT, "org.example~main", hosts);
            refused("egress.host-not-declared", "a.example", 443);
            refused("egress.host-not-declared", "127.0.0.1", 7470);
            refused("egress.host-not-declared", PUBLIC, 443);
        }
    }

    /** Both have to admit it: a declaration opens nothing that the scope does not. */
    @Test
    void aDeclarationDoesNotWidenTheScope() throws Exception {
        answer("inside.example", List.of("10.0.0.1"));
        egress = control.egressFor(Scope.DEFAULT, "org.example~main", Set.of("*", "127.0.0.1"));
        refused("egress.private", "inside.example", 443);
        refused("egress.private", "127.0.0.1", 7470);
        control.allow(Scope.DEFAULT, URI.create("ws://127.0.0.1:7470"));
        connect("127.0.0.1", 7470);
        egress = control.egressFor(Scope.DEFAULT, "org.example~main", Set.of("127.0.0.1:7471"));
        refused("egress.host-not-declared", "127.0.0.1", 7470);
    }

    @Test
    void addressesAreTriedInOrderWithASharedTimeout() throws Exception {
        answer("many.example", List.of("93.184.215.1", "93.184.215.2", "93.184.215.3"));
        control.deactivate();
        control = new GuardedEgress(
                clock,
                this::resolve,
                (address, timeout) -> {
                    record(address, timeout).close();
                    if (tried.size() == 1) {
                        throw new SocketTimeoutException("planted");
                    }
                    if (tried.size() == 2) {
                        throw new ConnectException("planted");
                    }
                    return SocketChannel.open();
                },
                new EgressLog(dir, 5 << 20),
                SECOND);
        egress = control.egressFor(Scope.DEFAULT, "x", null);
        connect("many.example", 443);
        assertEquals(3, tried.size());
        assertEquals("/93.184.215.3:443", tried.get(2).toString());
        assertTrue(granted.get(0).toMillis() <= 334, granted.toString());
        assertTrue(granted.get(2).toMillis() > 500, granted.toString());
        Entry entry = control.log(1).get(0);
        assertEquals("93.184.215.3", entry.address());
        assertEquals("many.example", entry.host());
    }

    @Test
    void failuresHaveTheirCodes() throws Exception {
        refused("egress.unresolved", "nobody.example", 443);
        answers.put("empty.example", new ArrayDeque<>(List.of(List.of())));
        refused("egress.unresolved", "empty.example", 443);
        answer("down.example", List.of(PUBLIC));
        for (boolean timeout : List.of(false, true)) {
            GuardedEgress failing = new GuardedEgress(
                    clock,
                    this::resolve,
                    (address, granted) -> {
                        throw timeout ? new SocketTimeoutException("planted") : new ConnectException("planted");
                    },
                    new EgressLog(dir, 5 << 20),
                    SECOND);
            ProviderException e = assertThrows(
                    ProviderException.class,
                    () -> failing.egressFor(Scope.DEFAULT, "x", null)
                            .connect("down.example", 443, "relay", Duration.ZERO));
            assertEquals(timeout ? "egress.timeout" : "egress.refused", e.code());
            assertEquals(timeout ? Kind.TIMEOUT : Kind.UNAVAILABLE, e.kind());
            failing.deactivate();
        }
    }

    @Test
    void aHangingNameServerTimesOut() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        GuardedEgress hanging = new GuardedEgress(
                clock,
                host -> {
                    try {
                        never.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    throw new UnknownHostException(host);
                },
                this::record,
                new EgressLog(dir, 5 << 20),
                SECOND);
        long start = System.nanoTime();
        ProviderException e = assertThrows(
                ProviderException.class,
                () -> hanging.egressFor(Scope.DEFAULT, "x", null)
                        .connect("slow.example", 443, "relay", Duration.ofMillis(100)));
        assertEquals("egress.timeout", e.code());
        assertTrue(System.nanoTime() - start < 5_000_000_000L);
        assertEquals(List.of(), tried);
        hanging.deactivate();
    }

    @Test
    void reallyConnectsToANamedLoopbackServer() throws Exception {
        GuardedEgress real =
                new GuardedEgress(clock, this::resolve, Connector::tcp, new EgressLog(dir, 5 << 20), SECOND);
        int port;
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = server.getLocalPort();
            real.allow(Scope.DEFAULT, URI.create("ws://127.0.0.1:" + port));
            try (SocketChannel channel = real.egressFor(Scope.DEFAULT, "x", null)
                            .connect("127.0.0.1", port, "relay", Duration.ofSeconds(5));
                    Socket accepted = server.accept()) {
                assertTrue(channel.isBlocking() && channel.isConnected());
                channel.write(ByteBuffer.wrap("ping".getBytes(StandardCharsets.US_ASCII)));
                assertEquals("ping", new String(accepted.getInputStream().readNBytes(4), StandardCharsets.US_ASCII));
            }
        }
        ProviderException e = assertThrows(
                ProviderException.class,
                () -> real.egressFor(Scope.DEFAULT, "x", null)
                        .connect("127.0.0.1", port, "relay", Duration.ofSeconds(5)));
        assertEquals("egress.refused", e.code());
        assertEquals("127.0.0.1", real.log(1).get(0).address());
        real.deactivate();
    }

    // ---- The log

    @Test
    void everyAttemptIsOneLine() throws Exception {
        answer("relay.example", List.of(PUBLIC));
        connect("relay.example", 443);
        refused("egress.private", "10.0.0.1", 80);
        refused("egress.bad-host", "evil\"\r\nhost", 80);
        List<String> lines = Files.readAllLines(dir.resolve("egress.jsonl"));
        assertEquals(3, lines.size());
        assertEquals(
                "{\"at\":\"2027-01-15T08:00:00Z\",\"scope\":\"default\",\"by\":\"im.parley.transport.websocket~main\","
                        + "\"reason\":\"relay\",\"host\":\"relay.example\",\"port\":443,\"address\":\"93.184.215.14\","
                        + "\"outcome\":\"connected\",\"named\":false}",
                lines.get(0));
        assertTrue(lines.get(2).contains("evil\\\"??host"), lines.get(2));
        assertEquals(
                "rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(dir.resolve("egress.jsonl"))));
        assertEquals(3, control.log(100).size());
        assertEquals("egress.bad-host", control.log(1).get(0).outcome());
        assertEquals(List.of(), control.log(0));
    }

    @Test
    void theLogIsRotatedAndBounded() throws Exception {
        try (EgressLog log = new EgressLog(dir, 1_000)) {
            for (int i = 0; i < EgressLog.KEPT + 500; i++) {
                log.add(new Entry(clock.instant(), "default", "relay", "h" + i, 1, "", "connected", false), "x");
            }
            assertEquals(EgressLog.KEPT, log.newest(10_000).size());
        }
        try (var files = Files.list(dir)) {
            assertEquals(
                    List.of("egress.jsonl", "egress.jsonl.1", "egress.jsonl.2"),
                    files.map(file -> file.getFileName().toString()).sorted().toList());
        }
        List<String> newest = Files.readAllLines(dir.resolve("egress.jsonl"));
        assertTrue(newest.get(newest.size() - 1).contains("\"h" + (EgressLog.KEPT + 499) + "\""));
        for (String file : List.of("egress.jsonl", "egress.jsonl.1", "egress.jsonl.2")) {
            assertTrue(Files.size(dir.resolve(file)) <= 1_000);
        }
    }

    @Test
    void entriesFromBeforeTheStartAreListedToo() throws Exception {
        Entry refused = new Entry(clock.instant(), "work", "file", "a\"b", 8, "", "egress.private", true);
        Entry connected = new Entry(clock.instant(), "default", "relay", "h", 443, "93.184.215.14", "connected", false);
        try (EgressLog log = new EgressLog(dir, 5 << 20)) {
            log.add(refused, "x");
            log.add(connected, "x");
        }
        try (EgressLog log = new EgressLog(dir, 5 << 20)) {
            assertEquals(List.of(refused, connected), log.newest(10));
        }
        Files.move(dir.resolve("egress.jsonl"), dir.resolve("egress.jsonl.1"));
        try (EgressLog log = new EgressLog(dir, 5 << 20)) {
            log.add(refused, "x");
        }
        try (EgressLog log = new EgressLog(dir, 5 << 20)) {
            assertEquals(List.of(refused, connected, refused), log.newest(10));
            assertEquals(List.of(refused), log.newest(1));
        }
    }

    @Test
    void aScopeThatIsOverIsNamedNowhere() throws Exception {
        Scope over = new Scope("c1");
        control.allow(over, URI.create("ws://10.0.0.1:80"));
        control.allow(Scope.DEFAULT, URI.create("ws://10.0.0.2:80"));
        Entry kept = new Entry(clock.instant(), "default", "relay", "kept.example", 443, "", "connected", false);
        Entry gone = new Entry(clock.instant(), "c1", "relay", "gone.example", 443, "", "connected", false);
        try (EgressLog log = new EgressLog(dir, 400)) {
            for (int i = 0; i < 3; i++) {
                log.add(kept, "x");
                log.add(gone, "x");
            }
            Files.writeString(
                    dir.resolve("egress.jsonl"),
                    "{\"at\":\"2027\",\"scope\":\"c1\",\"host\":\"gone.exa",
                    StandardOpenOption.APPEND);
            log.forget("c1");
            assertEquals(List.of(kept, kept, kept), log.newest(10));
            log.add(gone, "x");
            log.add(kept, "x");
            assertEquals(4, log.newest(10).size(), "an attempt that ended later is not written either");
        }
        try (var files = Files.list(dir)) {
            for (Path file : files.toList()) {
                assertFalse(Files.readString(file).contains("gone"), file.toString());
                assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            }
        }
        try (EgressLog log = new EgressLog(dir, 400)) {
            assertEquals(kept, log.newest(1).get(0));
        }
        control.forget(over);
        ProviderException refused = assertThrows(
                ProviderException.class,
                () -> control.egressFor(over, "x", null).connect("10.0.0.1", 80, "relay", SECOND));
        assertEquals("egress.private", refused.code());
        connect("10.0.0.2", 80);
    }

    @Test
    void aLineThatAPowerCutHasCutShortSpoilsNoOther() throws Exception {
        Entry entry = new Entry(clock.instant(), "default", "relay", "h", 443, "", "connected", false);
        try (EgressLog log = new EgressLog(dir, 5 << 20)) {
            log.add(entry, "x");
        }
        Path file = dir.resolve("egress.jsonl");
        Files.writeString(file, "[[[\n{}\n{\"at\":{}}\n\0\0\n{\"at\":\"2027-01-1", StandardOpenOption.APPEND);
        try (EgressLog log = new EgressLog(dir, 5 << 20)) {
            assertEquals(List.of(entry), log.newest(10));
            log.add(entry, "x");
        }
        try (EgressLog log = new EgressLog(dir, 5 << 20)) {
            assertEquals(List.of(entry, entry), log.newest(10));
        }
    }

    @Test
    void aLogThatCannotBeWrittenStopsNoConnection() throws Exception {
        Path blocked = Files.createFile(dir.resolve("file"));
        GuardedEgress unlogged = new GuardedEgress(
                clock, this::resolve, this::record, new EgressLog(blocked.resolve("logs"), 5 << 20), SECOND);
        unlogged.egressFor(Scope.DEFAULT, "x", null)
                .connect(PUBLIC, 443, "relay", SECOND)
                .close();
        assertEquals(1, unlogged.log(10).size());
        unlogged.deactivate();
    }

    @Test
    void hostsAreCanonical() {
        assertEquals("example.org", canonical("EXAMPLE.org."));
        assertEquals("xn--bcher-kva.example", canonical("xn--bcher-kva.example"));
        assertEquals("0:0:0:0:0:0:0:1", canonical("::1"));
        assertEquals("1.2.3.4", canonical("1.2.3.4"));
        assertEquals("1a.2b", canonical("1a.2b"));
        assertNull(Host.parse("a\u3002b"));
    }

    private static String canonical(String host) {
        Host parsed = Host.parse(host);
        assertNotNull(parsed);
        return parsed == null ? "" : parsed.text();
    }
}
