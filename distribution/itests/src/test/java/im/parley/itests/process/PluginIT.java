package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** A plugin from outside comes, is upgraded while people write, goes, and comes back: the real distribution and command. */
public class PluginIT {
    private static final String SLOT = "policy.limits";
    private static final String OWN = "im.parley.policy.limits~main";
    private static final String FIRST = SamplePlugin.NAME + "~main";
    private static final String SECOND = SamplePlugin.NAME + "~main-1.1.0";
    private static final int CLIENTS = 3;
    private static final long GAP_NANOS = 10_000_000;

    private DistributionNode node;
    private Path folder;
    private KeyPair publisher;

    @Before
    public void start() throws Exception {
        node = DistributionNode.create("plug");
        folder = node.base().resolve("plugins");
        publisher = SamplePlugin.trusted(node.stateDir(), folder, "example", "org.example");
        node.start("--only", "infrastructure");
    }

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void PL_10_aPluginIsInstalledUpgradedUnderLoadRemovedAndAllOfItIsTakenBack() throws Exception {
        Path first = SamplePlugin.of(folder, "1.0.0").refusing(7).signedBy(publisher);
        Path second = SamplePlugin.of(folder, "1.1.0").refusing(8).signedBy(publisher);

        DistributionNode.Result asked = node.run("", "plugin", "install", first.toString());
        assertEquals(1, asked.exit());
        assertTrue(asked.out(), asked.out().contains("plugin org.example.gate 1.0.0 comes"));
        assertTrue(asked.out(), asked.out().contains("How it is done: hot"));
        assertTrue(asked.out(), asked.out().contains("signed by     example"));
        assertTrue(asked.out(), asked.out().contains("stop mistakes, not hostile code"));
        assertTrue(asked.err(), asked.err().contains("Code: cli.not-confirmed"));
        assertEquals(0, node.json("plugin", "list").path("plugins").size());

        JsonNode installed = node.json("plugin", "install", first.toString(), "--yes");
        assertEquals(2, installed.path("generation").asInt());
        JsonNode listed = node.json("plugin", "list").path("plugins").get(0);
        assertEquals("active", listed.path("state").asText());
        assertEquals(FIRST, listed.path("instances").get(0).asText());
        assertTrue(node.json("slots").toString(), node.json("slots").toString().contains(FIRST));
        assertEquals("it fills no slot by itself", OWN, filling());

        node.json("swap", SLOT, FIRST);
        assertEquals(FIRST, filling());
        assertRefusedKind(7);
        restart();
        assertEquals("also after a restart", FIRST, filling());
        assertRefusedKind(7);
        Files.writeString(node.data().resolve("providers").resolve(FIRST).resolve("mine"), "kept");

        AtomicBoolean over = new AtomicBoolean();
        ExecutorService executor = Executors.newFixedThreadPool(CLIENTS);
        List<Future<Set<String>>> publishers = new ArrayList<>();
        try (RelaySocket reader = RelaySocket.open(node.relayUrl())) {
            reader.request("all", "{\"kinds\":[1]}");
            for (int i = 0; i < CLIENTS; i++) {
                publishers.add(executor.submit(() -> publish(over)));
            }
            JsonNode upgraded = node.json("plugin", "upgrade", second.toString(), "--yes", "--why", "newer");
            assertEquals("hot", upgraded.path("verdict").asText());
            JsonNode swap = upgraded.path("swaps").get(0);
            assertEquals(SECOND, swap.path("to").asText());
            assertEquals(FIRST, swap.path("from").asText());
            assertEquals("no call was cut", 0, swap.path("cut").asInt());
            over.set(true);
            Set<String> published = new HashSet<>();
            for (Future<Set<String>> each : publishers) {
                published.addAll(each.get());
            }
            List<String> delivered = new ArrayList<>();
            while (delivered.size() < published.size()) {
                delivered.add(reader.next(frame -> frame.get(0).asText().equals("EVENT"))
                        .get(2)
                        .path("id")
                        .asText());
            }
            assertEquals("each is delivered once", published, new HashSet<>(delivered));
            System.out.println("upgrade under load: " + published.size() + " events, " + upgraded.path("words"));
        } finally {
            executor.shutdownNow();
        }
        assertEquals(SECOND, filling());
        assertRefusedKind(8);
        listed = node.json("plugin", "list").path("plugins");
        assertEquals(listed.toString(), 1, listed.size());
        assertEquals("1.1.0", listed.get(0).path("version").asText());
        restart();
        assertEquals(SECOND, filling());
        assertRefusedKind(8);
        assertTrue(
                "it goes on with the directory of the one before",
                Files.notExists(node.data().resolve("providers").resolve(SECOND)));

        node.json("plugin", "remove", SamplePlugin.NAME, "--yes");
        assertEquals("back to what the distribution selects", OWN, filling());
        assertEquals(0, node.json("plugin", "list").path("plugins").size());

        node.json("undo", "--why", "it was good");
        assertEquals(SECOND, filling());
        assertRefusedKind(8);
        node.json("plugin", "undo");
        assertEquals(FIRST, filling());
        assertRefusedKind(7);
        restart();
        assertEquals(FIRST, filling());
        node.json("undo");
        assertEquals("the swap", OWN, filling());
        node.json("undo");
        assertEquals(0, node.json("plugin", "list").path("plugins").size());
        DistributionNode.Result nothing = node.run("", "stack", "undo");
        assertEquals(1, nothing.exit());
        assertTrue(nothing.err(), nothing.err().contains("Code: stack.nothing-to-undo"));

        assertTrue(node.json("audit", "verify").path("attested").asBoolean());
        List<String> acts = new ArrayList<>();
        node.json("audit", "list", "-n", "1000")
                .path("entries")
                .forEach(entry -> acts.add(entry.path("act").asText()));
        assertTrue(
                acts.toString(),
                acts.containsAll(List.of(
                        "plugin.install", "plugin.upgrade", "plugin.remove", "stack.undo", "stack.done", "swap")));
    }

    /** What a part does not take is put back, whether or not anybody uses that part at the moment. */
    @Test
    public void aConfigurationThatAPartRefusesChangesNothing() throws Exception {
        String before = stack();
        for (String wrong : new String[] {
            "\"im.parley.files.http\":{\"maxBlobMiB\":-1}",
            "\"im.parley.files.http\":{\"allowed\":[\"npub1zzz\"]}",
            "\"im.parley.relay\":{\"maxMessageLength\":-5}",
            "\"im.parley.http\":{\"transfers\":-1}",
            "\"im.parley.control\":{\"ready\":[\"(objectClass=nope)\"]}"
        }) {
            Path file = Files.writeString(
                    folder.resolve("wrong.json"), "{\"format\":1,\"configurations\":{" + wrong + "}}");
            DistributionNode.Result refused = node.run("", "stack", "apply", file.toString(), "--yes");
            assertEquals(wrong + refused.out(), 1, refused.exit());
            assertEquals(wrong, before, stack());
        }
        assertRefusedKindNone();
        assertEquals(1, node.json("status").path("generation").asLong());
        Path right = Files.writeString(
                folder.resolve("right.json"),
                "{\"format\":1,\"configurations\":{\"im.parley.files.http\":{\"maxBlobMiB\":7}}}");
        node.json("stack", "apply", right.toString(), "--yes");
        assertEquals(
                "it is told at once", 2, node.json("status").path("generation").asLong());
    }

    private void assertRefusedKindNone() throws Exception {
        try (RelaySocket client = RelaySocket.open(node.relayUrl())) {
            assertEquals(
                    "",
                    client.publish(new TestKey().sign(1, List.of(), "the relay serves on"))
                            .get(3)
                            .asText());
        }
    }

    /** Both slots of the bundle change hands in one act; the files stay where they are. */
    @Test
    public void PL_10_aNewVersionOfAStoreThatIsBuiltInTakesItsFilesOverWhilePeopleWrite() throws Exception {
        node.json("stop");
        node.start("--only", "all");
        node.json("identity", "new", "alice");
        node.json("identity", "new", "bob");
        KeyPair house = SamplePlugin.trustedHouse(node.stateDir(), folder);
        Path newer = SamplePlugin.ofDistribution(folder, "im.parley.storage.derby", "0.1.1", house);
        assertEquals(
                "house",
                node.json("trust", "check", newer.toString()).path("publisher").asText());
        AtomicBoolean over = new AtomicBoolean();
        ExecutorService executor = Executors.newFixedThreadPool(CLIENTS);
        Set<String> published = new HashSet<>();
        int sent = 0;
        try (ControlSocket control = ControlSocket.open(node)) {
            List<Future<Set<String>>> publishers = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                publishers.add(executor.submit(() -> publish(over)));
            }
            while (sent < 10) {
                send(control, "before " + sent++);
            }
            JsonNode upgraded = node.json("plugin", "upgrade", newer.toString(), "--yes");
            assertEquals(2, upgraded.path("swaps").size());
            for (JsonNode swap : upgraded.path("swaps")) {
                long micros = swap.path("longestPauseMicros").asLong();
                System.out.println(
                        "upgrade of " + swap.path("slot").asText() + ": writes waited " + micros / 1000 + " ms");
            }
            while (sent < 20) {
                send(control, "after " + sent++);
            }
            over.set(true);
            for (Future<Set<String>> each : publishers) {
                published.addAll(each.get());
            }
        } finally {
            executor.shutdownNow();
        }
        assertStored(published);
        assertFilled("-0.1.1");
        assertTrue(
                "the files are where they were",
                Files.notExists(node.data().resolve("providers/im.parley.storage.derby.events~main-0.1.1")));
        int all = sent;
        Waiting.until(
                "all is sent",
                () -> DistributionNode.arrived(node.json("ledger").path("byState")) == all);
        node.json("stop");
        node.start();
        assertFilled("-0.1.1");
        assertStored(published);
        assertEquals(all, DistributionNode.arrived(node.json("ledger").path("byState")));
        node.json("undo");
        assertFilled("");
        assertStored(published);
        assertEquals(all, DistributionNode.arrived(node.json("ledger").path("byState")));
        assertEquals(0, node.json("plugin", "list").path("plugins").size());
    }

    private static void send(ControlSocket control, String text) throws Exception {
        control.call(
                "message.send",
                Peers.arguments().put("account", "bob").put("to", "alice").put("text", text));
    }

    private void assertFilled(String version) throws Exception {
        List<String> filled = new ArrayList<>();
        node.json("slots")
                .path("slots")
                .forEach(slot -> filled.add(slot.path("instance").asText()));
        assertTrue(
                filled.toString(),
                filled.containsAll(List.of(
                        "im.parley.storage.derby.events~main" + version,
                        "im.parley.storage.derby.records~main" + version)));
    }

    private void assertStored(Set<String> ids) throws Exception {
        Path file = Files.createTempFile(folder, "events", ".jsonl");
        Files.delete(file);
        node.json("relay", "export", file.toString());
        Set<String> found = new HashSet<>();
        for (String line : Files.readAllLines(file)) {
            found.add(Peers.JSON.readTree(line).path("id").asText());
        }
        assertTrue("what was acknowledged is there", found.containsAll(ids));
    }

    @Test
    public void PL_10_whatFailsIsRolledBackAndTheOldOneServesOn() throws Exception {
        Path first = SamplePlugin.of(folder, "1.0.0").refusing(7).signedBy(publisher);
        node.json("plugin", "install", first.toString(), "--yes");
        node.json("swap", SLOT, FIRST);
        String before = stack();

        Path unopened = SamplePlugin.of(folder, "1.1.0")
                .opening("if (true) throw new IllegalStateException(\"no\");")
                .signedBy(publisher);
        Path noComponent = SamplePlugin.of(folder, "1.2.0")
                .header("Service-Component", "OSGI-INF/none.xml")
                .signedBy(publisher);
        Path otherSlot = SamplePlugin.of(folder, "1.3.0")
                .header("Import-Package", "org.example.absent")
                .signedBy(publisher);
        for (String[] wrong : new String[][] {
            {unopened.toString(), "slot.provider-bug"},
            {noComponent.toString(), "plan.unknown-instance"},
            {otherSlot.toString(), "plan.unresolved"}
        }) {
            DistributionNode.Result refused = node.run("", "plugin", "upgrade", wrong[0], "--yes");
            assertEquals(refused.err(), 1, refused.exit());
            assertTrue(refused.err(), refused.err().contains("Code: " + wrong[1]));
            assertEquals(before, stack());
            assertEquals(FIRST, filling());
            assertRefusedKind(7);
            JsonNode listed = node.json("plugin", "list").path("plugins");
            assertEquals(1, listed.size());
            assertEquals("1.0.0", listed.get(0).path("version").asText());
            assertEquals("active", listed.get(0).path("state").asText());
        }
        Instant began = Instant.MAX;
        int rolledBack = 0;
        JsonNode audit = node.json("audit", "list", "-n", "20").path("entries");
        for (JsonNode entry : audit) {
            Instant at = Instant.parse(entry.path("at").asText());
            if (entry.path("act").asText().equals("plugin.upgrade")) {
                began = at;
            } else if (entry.path("act").asText().equals("plugin.rollback")) {
                assertTrue(audit.toString(), Duration.between(began, at).toSeconds() < 5);
                rolledBack++;
            }
        }
        assertEquals(audit.toString(), 2, rolledBack);
        assertTrue(audit.toString(), audit.toString().contains("plugin.refused"));
    }

    @Test
    public void aStackIsExportedChangedAppliedAndTakenBack() throws Exception {
        Path first = SamplePlugin.of(folder, "1.0.0").refusing(7).signedBy(publisher);
        Path file = folder.resolve("stack.json");
        node.json("stack", "export", file.toString());
        JsonNode same = node.json("stack", "plan", file.toString());
        assertTrue(same.toString(), same.path("empty").asBoolean());
        Path wanted = folder.resolve("wanted.json");
        Files.writeString(
                wanted,
                "{\"format\":1,\"plugins\":[{\"file\":\"" + first.getFileName() + "\"}],"
                        + "\"configurations\":{\"im.parley.slot~policy.gate\":{\"parley.slot\":\"policy.gate\","
                        + "\"handover\":\"none\"},\"im.parley.policy.limits~main\":{\"refusedKinds\":[\"6\"]}},"
                        + "\"slots\":{\"policy.limits\":[\"" + FIRST + "\"],"
                        + "\"policy.gate\":[\"im.parley.policy.limits~main\"]}}");
        DistributionNode.Result refused = node.run("", "stack", "apply", wanted.toString(), "--yes");
        assertTrue(
                "a component of slot policy.limits is no candidate of another one: " + refused.err(),
                refused.err().contains("Code: plugin.not-ready"));
        Files.writeString(
                wanted,
                "{\"format\":1,\"plugins\":[{\"file\":\"" + first.getFileName() + "\"}],"
                        + "\"configurations\":{\"im.parley.policy.limits~main\":{\"refusedKinds\":[\"6\"]}},"
                        + "\"slots\":{\"policy.limits\":[\"" + FIRST + "\"]}}");
        node.json("stack", "apply", wanted.toString(), "--yes");
        assertEquals(FIRST, filling());
        assertTrue(node.json("stack", "plan", wanted.toString()).path("empty").asBoolean());
        node.json("swap", SLOT, OWN);
        assertRefusedKind(6);
        restart();
        assertRefusedKind(6);
        Path back = folder.resolve("back.json");
        Files.writeString(
                back, "{\"format\":1,\"plugins\":[],\"configurations\":{\"im.parley.policy.limits~main\":null}}");
        JsonNode applied = node.json("stack", "apply", back.toString(), "--yes");
        assertEquals("brief pause", applied.path("verdict").asText());
        assertTrue(node.json("stack", "show").path("overrides").isEmpty());
        try (RelaySocket client = RelaySocket.open(node.relayUrl())) {
            assertEquals(
                    "",
                    client.publish(new TestKey().sign(6, List.of(), "x")).get(3).asText());
        }
        node.json("stack", "undo");
        assertRefusedKind(6);
        assertEquals(1, node.json("plugin", "list").path("plugins").size());
    }

    @Test
    public void PL_03_aPluginThatIsRevokedStaysOutOfTheNextStartAndItsSlotIsEmpty() throws Exception {
        Path first = SamplePlugin.of(folder, "1.0.0").refusing(7).signedBy(publisher);
        node.json("plugin", "install", first.toString(), "--yes");
        node.json("swap", SLOT, FIRST);
        node.json("trust", "revoke", "example", "--why", "stolen");
        restart();
        assertEquals("nothing takes its place by itself", "", filling());
        assertTrue(node.json("status").path("degraded").toString().contains("slot " + SLOT));
        JsonNode listed = node.json("plugin", "list").path("plugins").get(0);
        assertEquals(
                "not installed, not trusted any more (plugin.revoked)",
                listed.path("state").asText());
        assertEquals("", listed.path("signer").asText());
        node.json("plugin", "remove", SamplePlugin.NAME, "--yes");
        assertEquals(OWN, filling());
        DistributionNode.Result back = node.run("", "undo");
        assertEquals(1, back.exit());
        assertTrue(back.err(), back.err().contains("Code: plugin.revoked"));
        assertEquals(OWN, filling());
    }

    private void restart() throws Exception {
        node.json("stop");
        node.start("--only", "infrastructure");
    }

    private String stack() throws Exception {
        StringBuilder all = new StringBuilder();
        try (java.util.stream.Stream<Path> files = Files.list(node.data().resolve("stack"))) {
            for (Path file : files.filter(each -> !each.endsWith("journal.jsonl"))
                    .sorted()
                    .toList()) {
                all.append(file.getFileName()).append(Files.readString(file));
            }
        }
        return all.toString();
    }

    private String filling() throws Exception {
        for (JsonNode slot : node.json("slots").path("slots")) {
            if (slot.path("slot").asText().equals(SLOT)) {
                return slot.path("instance").asText();
            }
        }
        throw new AssertionError("no slot " + SLOT);
    }

    private void assertRefusedKind(int kind) throws Exception {
        TestKey author = new TestKey();
        try (RelaySocket client = RelaySocket.open(node.relayUrl())) {
            JsonNode refused = client.publish(author.sign(kind, List.of(), "x"));
            assertTrue(refused.toString(), refused.get(3).asText().startsWith("blocked: "));
            assertEquals(
                    "", client.publish(author.sign(1, List.of(), "hi")).get(3).asText());
        }
    }

    private Set<String> publish(AtomicBoolean over) throws Exception {
        TestKey author = new TestKey();
        Set<String> ids = new HashSet<>();
        try (RelaySocket client = RelaySocket.open(node.relayUrl())) {
            for (int i = 0; !over.get(); i++) {
                long due = System.nanoTime() + GAP_NANOS;
                JsonNode answer = client.publish(author.sign(1, List.of(), "event " + i));
                assertEquals(answer.toString(), "", answer.get(3).asText());
                assertTrue(ids.add(answer.get(1).asText()));
                LockSupport.parkNanos(due - System.nanoTime());
            }
        }
        return ids;
    }
}
