package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Test;

/** Nodes with a heap of 64 MiB page through more than fits into it. */
public class SmallHeapIT {
    private static final String HEAP = "-Xmx64m";
    /** 100,000 for the figures of the handbook. */
    private static final int EVENTS = Integer.getInteger("parley.smallheap.events", 4_000);

    private static final int MESSAGES = Integer.getInteger("parley.smallheap.messages", 300);
    /** So that what is asked for is larger than the heap long before the number is. */
    private static final int EVENT_BYTES = 20_000;

    private static final int MESSAGE_CHARACTERS = 10_000;

    private final List<DistributionNode> nodes = new ArrayList<>();

    @After
    public void stop() throws Exception {
        for (DistributionNode node : nodes) {
            node.close();
        }
    }

    private DistributionNode node(String name) throws Exception {
        DistributionNode node = DistributionNode.create(name).with("_JAVA_OPTIONS", HEAP);
        nodes.add(node);
        return node;
    }

    @Test
    public void DB_13_aRelayHandsOutMoreThanItsHeapHolds() throws Exception {
        DistributionNode relay = node("smallr");
        relay.start("--only", "infrastructure");
        TestKey author = new TestKey();
        Path file = relay.base().resolve("events.jsonl");
        String text = "x".repeat(EVENT_BYTES);
        Set<String> written = new HashSet<>();
        try (java.io.BufferedWriter out = Files.newBufferedWriter(file)) {
            for (int i = 0; i < EVENTS; i++) {
                String event = author.sign(1_700_000_000L + i, 1, List.of(), i + text);
                written.add(Peers.JSON.readTree(event).path("id").asText());
                out.write(event);
                out.write('\n');
            }
        }
        assertEquals(
                EVENTS,
                relay.json("relay", "import", file.toString()).path("stored").asInt());
        Set<String> read = new HashSet<>();
        try (RelaySocket reader = RelaySocket.open(relay.relayUrl())) {
            long until = 1_700_000_000L + EVENTS;
            while (read.size() < EVENTS) {
                int before = read.size();
                for (JsonNode event : reader.request("page", "{\"kinds\":[1],\"until\":" + until + "}")
                        .events()) {
                    read.add(event.path("id").asText());
                    until = Math.min(until, event.path("created_at").asLong());
                }
                assertTrue("it goes on", read.size() > before);
            }
        }
        assertEquals(written, read);
        assertAlive(relay, EVENTS + " events of " + (long) EVENTS * EVENT_BYTES / 1_000_000 + " MB");
    }

    @Test
    public void DB_13_anInboxThatIsLargerThanTheHeapArrivesWhole() throws Exception {
        DistributionNode alice = DistributionNode.create("smalla");
        nodes.add(alice);
        alice.start();
        DistributionNode bob = node("smallb");
        bob.start("--only", "personal");
        alice.json("identity", "new", "alice");
        bob.json("identity", "new", "bob");
        bob.json("relay", "add", alice.relayUrl().toString());
        alice.json(
                "contact",
                "add",
                "bob",
                bob.json("identity", "list")
                        .path("accounts")
                        .get(0)
                        .path("nprofile")
                        .asText());
        bob.json("stop");
        String text = "y".repeat(MESSAGE_CHARACTERS);
        try (ControlSocket control = ControlSocket.open(alice)) {
            for (int i = 0; i < MESSAGES; i++) {
                control.call("message.send", Peers.arguments().put("to", "bob").put("text", i + " " + text));
            }
        }
        Waiting.until(
                "all of it is at the relay",
                Duration.ofMinutes(10),
                () -> DistributionNode.arrived(alice.json("ledger").path("byState")) == MESSAGES);
        long began = System.nanoTime();
        bob.start("--only", "personal");
        Waiting.until("all of it is here", Duration.ofMinutes(20), () -> received(bob, seen -> true) == MESSAGES);
        long millis = (System.nanoTime() - began) / 1_000_000;
        assertEquals("whole", MESSAGES, received(bob, each -> each.length() > MESSAGE_CHARACTERS));
        assertAlive(
                bob,
                MESSAGES + " messages of " + (long) MESSAGES * MESSAGE_CHARACTERS / 1_000_000 + " MB in " + millis
                        + " ms");
    }

    private static int received(DistributionNode node, Predicate<String> fits) throws Exception {
        Set<String> ids = new HashSet<>();
        try (ControlSocket control = ControlSocket.open(node)) {
            long after = 0;
            while (true) {
                JsonNode page = control.call(
                                "message.list",
                                Peers.arguments().put("after", after).put("limit", 100))
                        .path("messages");
                for (JsonNode message : page) {
                    after = Math.max(after, message.path("position").asLong());
                    if (fits.test(message.path("text").asText())) {
                        ids.add(message.path("text").asText().split(" ", 2)[0]);
                    }
                }
                if (page.isEmpty()) {
                    return ids.size();
                }
            }
        }
    }

    /** The same process, with no word of a full heap in its log. */
    private static void assertAlive(DistributionNode node, String what) throws Exception {
        assertEquals(node.pid(), node.json("status").path("pid").asLong());
        try (Stream<Path> logs = Files.list(node.data().resolve("logs"))) {
            for (Path log : logs.toList()) {
                assertFalse(log.toString(), Files.readString(log).contains("OutOfMemoryError"));
            }
        }
        System.out.println("DB-13: " + what + ", " + HEAP + ", no full heap");
    }
}
