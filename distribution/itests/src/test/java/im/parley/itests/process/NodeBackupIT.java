package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** A personal node is backed up while people write, lost, and comes back on an empty machine. */
public class NodeBackupIT {
    private static final String PASSPHRASE = "a canary sits in no coal mine";
    private static final String KEY_PASSPHRASE = "and another one guards carol";

    private DistributionNode relay;
    private DistributionNode alice;
    private DistributionNode bob;
    private DistributionNode heir;
    private Path disk;

    @Before
    public void start() throws Exception {
        relay = DistributionNode.create("bkrelay");
        relay.start("--only", "infrastructure");
        alice = personal("bkalice");
        bob = personal("bkbob");
        String aliceAddress =
                alice.json("identity", "new", "alice").path("npub").asText();
        String bobAddress = bob.json("identity", "new", "bob").path("npub").asText();
        alice.json("relay", "add", relay.relayUrl().toString());
        bob.json("relay", "add", relay.relayUrl().toString());
        alice.json("contact", "add", "bob", bobAddress);
        bob.json("contact", "add", "alice", aliceAddress);
        disk = Files.createTempDirectory(Path.of(System.getProperty("java.io.tmpdir")), "p-bkdisk");
    }

    private static DistributionNode personal(String name) throws Exception {
        DistributionNode node = DistributionNode.create(name);
        node.start("--only", "personal");
        return node;
    }

    @After
    public void stop() throws Exception {
        for (DistributionNode node : new DistributionNode[] {heir, alice, bob, relay}) {
            if (node != null) {
                node.close();
            }
        }
        if (disk != null) {
            try (Stream<Path> all = Files.walk(disk)) {
                all.sorted(java.util.Comparator.reverseOrder())
                        .map(Path::toFile)
                        .forEach(File::delete);
            }
        }
    }

    private static void send(ControlSocket control, String to, String text) throws Exception {
        control.call("message.send", Peers.arguments().put("to", to).put("text", text));
    }

    /** Everything that a person sees, as of a position. */
    private static List<String> seen(DistributionNode node, long upTo) throws Exception {
        List<String> seen = new ArrayList<>();
        try (ControlSocket control = ControlSocket.open(node)) {
            for (String account : List.of("alice", "carol")) {
                long after = 0;
                while (true) {
                    JsonNode page = control.call(
                                    "message.list",
                                    Peers.arguments()
                                            .put("account", account)
                                            .put("after", after)
                                            .put("limit", 500))
                            .path("messages");
                    for (JsonNode message : page) {
                        after = Math.max(after, message.path("position").asLong());
                        if (after <= upTo) {
                            seen.add(message.toString());
                        }
                    }
                    if (page.isEmpty()) {
                        break;
                    }
                }
            }
            for (JsonNode account :
                    control.call("identity.list", Peers.arguments()).path("accounts")) {
                // A key with a passphrase is closed after every start.
                seen.add(((ObjectNode) account).without("locked").toString());
            }
            seen.add(control.call("contact.list", Peers.arguments().put("account", "alice"))
                    .toString());
            JsonNode ledger = control.call("ledger.get", Peers.arguments().put("limit", 1_000));
            seen.add(((ObjectNode) ledger).without("now").toString());
            seen.add(control.call(
                            "message.timer",
                            Peers.arguments().put("account", "alice").put("with", "bob"))
                    .toString());
        }
        return seen;
    }

    private static DistributionNode.Result run(DistributionNode node, int exit, String... line) throws Exception {
        DistributionNode.Result result = node.run(PASSPHRASE + "\n", line);
        assertEquals(String.join(" ", line) + ": " + result.out() + result.err(), exit, result.exit());
        return result;
    }

    private JsonNode backup(Path directory, String... more) throws Exception {
        String[] line = Stream.concat(Stream.of("backup", "now", directory.toString(), "--json"), Stream.of(more))
                .toArray(String[]::new);
        return Peers.JSON.readTree(run(alice, 0, line).out());
    }

    @Test
    public void DB_12_aLostNodeComesBackOnAnEmptyMachine() throws Exception {
        Path directory = disk.resolve("backup");
        try (ControlSocket control = ControlSocket.open(alice)) {
            control.call("identity.new", Peers.arguments().put("name", "carol").put("passphrase", KEY_PASSPHRASE));
            control.call(
                    "message.timer",
                    Peers.arguments().put("account", "alice").put("with", "bob").put("seconds", 86_400));
        }
        AtomicBoolean writing = new AtomicBoolean(true);
        AtomicInteger fromAlice = new AtomicInteger();
        AtomicInteger fromBob = new AtomicInteger();
        Thread writer = new Thread(() -> {
            try (ControlSocket first = ControlSocket.open(alice);
                    ControlSocket second = ControlSocket.open(bob)) {
                while (writing.get()) {
                    first.call(
                            "message.send",
                            Peers.arguments()
                                    .put("account", "alice")
                                    .put("to", "bob")
                                    .put("text", "canary-text-a" + fromAlice.getAndIncrement()));
                    send(second, "alice", "canary-text-b" + fromBob.getAndIncrement());
                }
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        writer.start();
        Waiting.until("people write", () -> fromAlice.get() > 100);
        JsonNode underLoad = backup(directory, "--stdin");
        int whenMade = fromAlice.get();
        Waiting.until("people write on", () -> fromAlice.get() > whenMade + 20);
        writing.set(false);
        writer.join();
        Waiting.until("everything has arrived", Duration.ofMinutes(2), () -> {
            JsonNode totals = alice.json("ledger").path("totals");
            return alice.received().size() == fromBob.get()
                    && bob.received().size() == fromAlice.get()
                    && totals.path("queued").asInt() + totals.path("composed").asInt() == 0;
        });
        JsonNode large = backup(directory);
        try (ControlSocket control = ControlSocket.open(alice)) {
            for (int i = 0; i < 3; i++) {
                control.call(
                        "message.send",
                        Peers.arguments()
                                .put("account", "alice")
                                .put("to", "bob")
                                .put("text", "canary-text-a" + fromAlice.getAndIncrement()));
            }
        }
        Waiting.until("three more", () -> bob.received().size() == fromAlice.get());
        Waiting.until(
                "settled",
                () -> alice.json("ledger").path("totals").path("queued").asInt() == 0);
        JsonNode small = backup(directory);
        System.out.println(
                "backups: under load " + underLoad + ", after " + large + ", after 3 more messages " + small);
        assertTrue(
                small.toString(),
                small.path("written").asInt() < large.path("chunks").asInt());

        long last = 0;
        try (ControlSocket control = ControlSocket.open(alice)) {
            for (JsonNode message : control.call(
                            "message.list",
                            Peers.arguments().put("account", "alice").put("limit", 1_000))
                    .path("messages")) {
                last = Math.max(last, message.path("position").asLong());
            }
        }
        List<String> before = seen(alice, last);
        assertEquals(0, alice.run("", "stop").exit());
        bob.json("send", "alice", "while she was gone");

        heir = personal("bkheir");
        DistributionNode.Result restored = run(heir, 0, "restore", directory.toString(), "--stdin", "--snapshot", "3");
        System.out.println(restored.out());
        List<String> after = seen(heir, last);
        assertEquals(before.size(), after.size());
        for (int i = 0; i < before.size(); i++) {
            assertEquals(before.get(i), after.get(i));
        }
        DistributionNode.Result again = run(heir, 1, "restore", directory.toString(), "--stdin", "--json");
        assertTrue(again.err() + again.out(), (again.err() + again.out()).contains("restore.not-empty"));
        Waiting.until("what came meanwhile", () -> heir.received().contains("while she was gone"));
        try (ControlSocket control = ControlSocket.open(heir)) {
            control.call(
                    "message.send",
                    Peers.arguments().put("account", "alice").put("to", "bob").put("text", "I am back"));
            control.call(
                    "identity.unlock", Peers.arguments().put("name", "carol").put("passphrase", KEY_PASSPHRASE));
        }
        Waiting.until("she writes again", () -> bob.received().contains("I am back"));
        assertEquals(
                "nothing was sent twice", fromAlice.get() + 1, bob.received().size());
        assertEquals(
                "nothing was shown twice", fromBob.get() + 1, heir.received().size());

        // A restored node starts again like any other, and goes on with the backup.
        heir.kill();
        heir.start("--only", "personal");
        assertEquals(fromBob.get() + 1, heir.received().size());
        JsonNode next = heir.json("backup", "now", directory.toString());
        assertEquals(4, next.path("number").asInt());

        // The copy made under load is whole, too: what was acknowledged before is in it, without holes.
        DistributionNode earlier = personal("bkearly");
        try {
            run(earlier, 0, "restore", directory.toString(), "--stdin", "--snapshot", "1");
            List<String> texts = new ArrayList<>();
            try (ControlSocket control = ControlSocket.open(earlier)) {
                for (JsonNode message : control.call(
                                "message.list",
                                Peers.arguments().put("account", "alice").put("limit", 1_000))
                        .path("messages")) {
                    if (message.path("outgoing").asBoolean()) {
                        texts.add(message.path("text").asText());
                    }
                }
            }
            assertTrue(texts.size() + " of " + whenMade, texts.size() >= 100);
            for (int i = 0; i < 100; i++) {
                assertEquals("canary-text-a" + i, texts.get(i));
            }
            // What came after it is fetched from the relay, and numbers that the lost node used are no trouble.
            Waiting.until("what came later", () -> earlier.received().contains("while she was gone"));
            assertEquals(fromBob.get() + 1, earlier.received().size());
            assertEquals(earlier.received().size(), new HashSet<>(earlier.received()).size());
            try (ControlSocket control = ControlSocket.open(earlier)) {
                control.call(
                        "message.send",
                        Peers.arguments()
                                .put("account", "alice")
                                .put("to", "bob")
                                .put("text", "from an old copy"));
            }
            Waiting.until("an old copy writes", () -> bob.received().contains("from an old copy"));
            assertEquals(
                    "nothing was sent twice",
                    fromAlice.get() + 2,
                    bob.received().size());
        } finally {
            earlier.close();
        }

        Canaries canaries = new Canaries()
                .text("texts", "canary-text")
                .text("contact", "bob")
                .text("passphrase", PASSPHRASE)
                .text("passphrase of a key", KEY_PASSPHRASE)
                .text("name of a space", "circle:default");
        List<File> files;
        try (Stream<Path> all = Files.walk(directory)) {
            files = all.filter(Files::isRegularFile).map(Path::toFile).toList();
        }
        List<String> hits = canaries.search(files).stream()
                // Three letters come up by chance.
                .filter(hit -> !hit.startsWith("contact"))
                .toList();
        assertEquals(List.of(), hits);
        List<File> ofHeir = heir.files();
        assertEquals(List.of(), new Canaries().text("passphrase", PASSPHRASE).search(ofHeir));
    }

    @Test
    public void damageIsFoundAndPlansAreKept() throws Exception {
        Path directory = disk.resolve("backup");
        JsonNode made = backup(directory, "--recovery-key");
        String key = made.path("recoveryKey").asText();
        assertTrue(made.toString(), key.length() > 40);
        run(alice, 0, "backup", "verify", directory.toString());
        run(alice, 0, "backup", "schedule", directory.toString(), "15m", "--keep", "3");
        JsonNode plan = alice.json("backup", "list").path("plans").get(0);
        assertEquals(900, plan.path("seconds").asInt());
        assertTrue(plan.path("nextAt").asLong() > 0);
        assertTrue(alice.run("", "backup", "list").out().contains("3 are kept"));
        assertTrue(alice.run("", "backup", "list", directory.toString()).out().contains("1 "));

        Path chunk;
        try (Stream<Path> all = Files.walk(directory.resolve("chunks"))) {
            chunk = all.filter(Files::isRegularFile).findFirst().orElseThrow();
        }
        byte[] content = Files.readAllBytes(chunk);
        content[500] ^= 1;
        Files.write(chunk, content);
        DistributionNode.Result found = run(alice, 1, "backup", "verify", directory.toString());
        assertTrue(found.out(), found.out().contains(chunk.getFileName().toString()));
        heir = personal("bkheir");
        DistributionNode.Result refused = heir.run(key + "\n", "restore", directory.toString(), "--stdin");
        assertEquals(1, refused.exit());
        assertTrue(refused.err(), refused.err().contains("backup.damaged"));
        DistributionNode.Result wrong = run(heir, 1, "restore", directory.toString(), "--stdin");
        assertTrue(wrong.err(), wrong.err().contains("backup.wrong-passphrase"));
        assertEquals(0, heir.json("identity", "list").path("accounts").size());

        backup(directory);
        run(alice, 0, "backup", "verify", directory.toString());
        run(alice, 0, "backup", "prune", directory.toString(), "--keep", "1");
        DistributionNode.Result back = heir.run(key + "\n", "restore", directory.toString(), "--stdin");
        assertEquals(back.err(), 0, back.exit());
        assertEquals(alice.npub(), heir.npub());
        run(alice, 0, "backup", "schedule", directory.toString(), "off");
        assertEquals(
                0,
                alice.json("backup", "list").path("plans").get(0).path("nextAt").asLong());
        assertFalse(Files.exists(alice.data().resolve("backup/spool")));
    }
}
