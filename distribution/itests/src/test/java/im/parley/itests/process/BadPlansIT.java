package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import im.parley.launcher.PublisherKey;
import im.parley.launcher.TrustStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Whatever is wrong with a change of the stack is said with its code, and a running node stays what it was. */
public class BadPlansIT {
    private static final int PLANS = Integer.getInteger("parley.bad.plans", 100);
    private static final String OWN = "im.parley.policy.limits~main";

    private Path base;
    private Path folder;
    private EmbeddedNode node;
    private KeyPair publisher;
    private KeyPair revoked;
    private KeyPair stranger;
    private Random random;
    private Path installed;

    @Before
    public void start() throws Exception {
        base = Files.createTempDirectory("p-bad");
        folder = base.resolve("plugins");
        Path state = base.resolve("state");
        publisher = SamplePlugin.trusted(state, folder, "example", "org.example");
        revoked = SamplePlugin.trusted(state, folder, "gone", "org.example");
        Path file = folder.resolve("stranger.key");
        PublisherKey.generate(file);
        stranger = PublisherKey.read(file);
        node = EmbeddedNode.start(base, "infrastructure");
        installed = SamplePlugin.of(folder, "1.5.0").signedBy(publisher);
        try (ControlSocket control = ControlSocket.open(node.socket())) {
            control.call("plugin.install", Peers.arguments().put("file", installed.toString()));
        }
        TrustStore.open(state, (act, what) -> {})
                .revokeKey(PublisherKey.readPublic(folder.resolve("gone.key")), "stolen", Instant.now());
    }

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    /** A change that is refused. */
    private record Wrong(String method, ObjectNode params) {}

    @FunctionalInterface
    private interface Maker {
        Wrong make() throws Exception;
    }

    @Test
    public void PL_03_PL_13_aHundredBadPlansAreRefusedWithTheirCodesAndChangeNothing() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of BadPlansIT: -Dparley.seed=" + seed);
        random = new Random(seed);
        Map<String, List<Maker>> makers = makers();
        List<String> codes = new ArrayList<>();
        makers.forEach((code, ways) -> ways.forEach(way -> codes.add(code)));
        Map<String, Integer> refused = new TreeMap<>();
        try (ControlSocket control = ControlSocket.open(node.socket())) {
            String before = state(control);
            for (int i = 0; i < PLANS; i++) {
                // Each of them at least once, then as it comes.
                String code = codes.get(i < codes.size() ? i : random.nextInt(codes.size()));
                List<Maker> ways = makers.get(code);
                Wrong wrong = ways.get(i < codes.size() ? i - codes.indexOf(code) : random.nextInt(ways.size()))
                        .make();
                long began = System.nanoTime();
                String answer = refusal(control, wrong);
                assertTrue(
                        "plan " + i + ": " + code + " expected: " + answer,
                        answer.contains("\"code\":\"" + code + "\""));
                assertTrue(answer, (System.nanoTime() - began) / 1_000_000 < 10_000);
                assertEquals("plan " + i + ", " + code, before, state(control));
                refused.merge(code, 1, Integer::sum);
            }
        }
        System.out.println(PLANS + " bad plans refused: " + refused);
    }

    private static String refusal(ControlSocket control, Wrong wrong) throws Exception {
        try {
            JsonNode done = control.call(wrong.method(), wrong.params());
            fail(wrong + " was done: " + done);
            return "";
        } catch (IOException e) {
            return e.getMessage();
        }
    }

    private String state(ControlSocket control) throws Exception {
        StringBuilder state = new StringBuilder(node.bundles());
        for (JsonNode slot : control.call("slots.list", Peers.arguments()).path("slots")) {
            state.append(slot.path("slot"))
                    .append(slot.path("instance"))
                    .append(slot.path("filled"))
                    .append(slot.path("candidates"))
                    .append('\n');
        }
        for (String place : List.of("stack", "jars")) {
            try (Stream<Path> files = Files.list(base.resolve("data").resolve(place))) {
                for (Path file : files.sorted().toList()) {
                    state.append(file.getFileName())
                            .append(place.equals("stack") ? Files.readString(file) : Files.size(file) + "\n");
                }
            }
        }
        return state.toString();
    }

    private Map<String, List<Maker>> makers() {
        Map<String, List<Maker>> makers = new LinkedHashMap<>();
        makers.put(
                "plan.unresolved",
                List.of(
                        () -> install(fresh().header("Import-Package", "org.absent" + number() + ".api")
                                .signedBy(publisher)),
                        () -> install(fresh().header(
                                        "Require-Capability", "osgi.ee;filter:=\"(&(osgi.ee=JavaSE)(version=99))\"")
                                .signedBy(publisher)),
                        this::usesConflict,
                        this::cycle));
        makers.put(
                "plan.api-range",
                List.of(
                        () -> install(api("[7.1,8)").signedBy(publisher)),
                        () -> install(api("[0.0.1,0.0.2)").signedBy(publisher))));
        makers.put(
                "plan.slot-not-single",
                List.of(() ->
                        apply("\"slots\":{\"policy.limits\":[\"" + OWN + "\",\"" + SamplePlugin.NAME + "~main\"]}")));
        makers.put(
                "plan.unknown-instance",
                List.of(
                        () -> apply("\"slots\":{\"policy.limits\":[\"org.example.none~m" + number() + "\"]}"),
                        () -> apply("\"slots\":{\"curve\":[\"" + SamplePlugin.NAME + "~main\"]}")));
        makers.put("plan.unknown-slot", List.of(() -> apply("\"slots\":{\"s" + number() + "\":[\"" + OWN + "\"]}")));
        makers.put(
                "plan.unknown-pid",
                List.of(() -> apply("\"configurations\":{\"com.elsewhere.p" + number() + "~x\":{}}")));
        makers.put(
                "plan.secret",
                List.of(
                        () -> apply("\"configurations\":{\"" + OWN + "\":{\"password\":\"" + number() + "\"}}"),
                        () -> apply("\"configurations\":{\"" + OWN + "\":{\"name\":\"nsec1" + number() + "\"}}")));
        makers.put(
                "plan.reserved",
                List.of(
                        () -> apply(
                                "\"configurations\":{\"im.parley.vault\":{\"stateDir\":\"/tmp/" + number() + "\"}}"),
                        () -> apply("\"configurations\":{\"im.parley.slot~curve\":{\"select\":[\"x~" + number()
                                + "\"]}}")));
        makers.put(
                "plan.bad-configuration",
                List.of(() -> apply("\"configurations\":{\"" + SamplePlugin.NAME
                        + "~main\":{\"parley.directory\":\"im.parley.vault~" + number() + "\"}}")));
        makers.put("plan.bad-file", List.of(() -> apply("\"slotz\":" + number()), () -> apply("\"slots\":[]")));
        makers.put(
                "plan.wrong-hash",
                List.of(() -> apply(plugins("{\"file\":\"" + fresh().signedBy(publisher) + "\",\"sha256\":\""
                        + "0".repeat(60) + number() + "\"}"))));
        makers.put(
                "plan.unknown-plugin",
                List.of(
                        () -> apply(plugins("{\"bsn\":\"org.example.n" + number() + "\"}")),
                        () -> new Wrong("plugin.remove", Peers.arguments().put("plugin", "org.example.n" + number()))));
        makers.put("plan.duplicate-name", List.of(this::twice));
        makers.put(
                "plugin.downgrade",
                List.of(
                        () -> upgrade(SamplePlugin.of(folder, "1.4." + number()).signedBy(publisher)),
                        () -> upgrade(SamplePlugin.of(folder, "1.5.0")
                                .entry("note" + number(), "other bytes")
                                .signedBy(publisher))));
        makers.put("plugin.bad-signature", List.of(() -> {
            Path jar = fresh().signedBy(publisher);
            byte[] bytes = Files.readAllBytes(jar);
            bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            Files.write(jar, bytes);
            return install(jar);
        }));
        makers.put(
                "plugin.expired",
                List.of(() -> install(SamplePlugin.sign(
                        fresh().unsigned(), publisher, Instant.now().minus(Duration.ofHours(1 + number()))))));
        makers.put("plugin.revoked", List.of(() -> install(fresh().signedBy(revoked))));
        makers.put(
                "plugin.untrusted",
                List.of(
                        () -> install(fresh().signedBy(stranger)),
                        () -> install(SamplePlugin.of(folder, "com.elsewhere.p" + number(), "1.0.0")
                                .signedBy(publisher))));
        makers.put("plugin.unsigned", List.of(() -> install(fresh().unsigned())));
        makers.put(
                "plugin.installed",
                List.of(() -> install(SamplePlugin.of(folder, "1.6." + number()).signedBy(publisher))));
        makers.put("plugin.not-installed", List.of(() -> upgrade(fresh().signedBy(publisher))));
        makers.put(
                "plugin.bad-offer",
                List.of(() -> install(fresh().offer("{\"format\":1,\"configurations\":{\"" + OWN + "\":{}}}")
                        .signedBy(publisher))));
        makers.put(
                "plan.changed",
                List.of(() -> new Wrong(
                        "plugin.remove",
                        Peers.arguments().put("plugin", SamplePlugin.NAME).put("plan", "0".repeat(28) + number()))));
        return makers;
    }

    private int number() {
        return 1_000 + random.nextInt(9_000);
    }

    private SamplePlugin fresh() {
        return SamplePlugin.of(folder, "org.example.p" + number(), "1." + random.nextInt(50) + ".0");
    }

    private SamplePlugin api(String range) {
        return fresh().header(
                        "Import-Package",
                        "im.parley.api.event,im.parley.api.lifecycle;version=\"" + range + "\",im.parley.api.policy");
    }

    private static Wrong install(Path jar) {
        return new Wrong("plugin.install", Peers.arguments().put("file", jar.toString()));
    }

    private static Wrong upgrade(Path jar) {
        return new Wrong("plugin.upgrade", Peers.arguments().put("file", jar.toString()));
    }

    private Wrong apply(String members) throws IOException {
        Path file = Files.createTempFile(folder, "stack", ".json");
        Files.writeString(file, "{\"format\":1," + members + "}");
        return new Wrong("stack.apply", Peers.arguments().put("file", file.toString()));
    }

    private static String plugins(String... entries) {
        return "\"plugins\":[{\"bsn\":\"" + SamplePlugin.NAME + "\"}," + String.join(",", entries) + "]";
    }

    private static String file(Path jar) {
        return "{\"file\":\"" + jar + "\"}";
    }

    private Wrong twice() throws Exception {
        String name = "org.example.p" + number();
        return apply(plugins(
                file(SamplePlugin.of(folder, name, "1.0.0").signedBy(publisher)),
                file(SamplePlugin.of(folder, name, "1.1.0").signedBy(publisher))));
    }

    /** One needs a package in its second version, and something from a bundle that uses it in its first. */
    private Wrong usesConflict() throws Exception {
        String shared = "org.example.s" + number();
        String user = "org.example.u" + number();
        String api = shared + ".inner.p";
        return apply(plugins(
                file(SamplePlugin.of(folder, shared, "1.0.0")
                        .header("Export-Package", api + ";version=1")
                        .signedBy(publisher)),
                file(SamplePlugin.of(folder, shared + ".inner", "1.0.0")
                        .header("Export-Package", api + ";version=2")
                        .signedBy(publisher)),
                file(SamplePlugin.of(folder, user, "1.0.0")
                        .header("Import-Package", api + ";version=\"[1,1]\"")
                        .header("Export-Package", user + ".api;uses:=\"" + api + "\"")
                        .signedBy(publisher)),
                file(fresh().header("Import-Package", api + ";version=\"[2,2]\"," + user + ".api")
                        .signedBy(publisher))));
    }

    /** Two need each other, and one of them in a version that the other is not. */
    private Wrong cycle() throws Exception {
        String first = "org.example.a" + number();
        String second = "org.example.b" + number();
        return apply(plugins(
                file(SamplePlugin.of(folder, first, "1.0.0")
                        .header("Export-Package", first + ".api;version=1")
                        .header("Import-Package", second + ".api;version=\"[2,3)\"")
                        .signedBy(publisher)),
                file(SamplePlugin.of(folder, second, "1.0.0")
                        .header("Export-Package", second + ".api;version=1")
                        .header("Import-Package", first + ".api;version=\"[1,2)\"")
                        .signedBy(publisher))));
    }
}
