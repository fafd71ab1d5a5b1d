package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Two personal nodes that share nothing but a third one's relay, while that relay goes away and one of them is killed. */
public class ThreeNodesIT {
    /** 1,000 messages and 20 kills for the figures of the handbook. */
    private static final int MESSAGES = Integer.getInteger("parley.messages", 200);

    private static final int KILLS = Integer.getInteger("parley.node.kills", 5);
    private static final int RELAY_KILLS = Integer.getInteger("parley.relay.kills", 3);
    private static final Duration OUTAGE = Duration.ofSeconds(20);

    private DistributionNode relay;
    private DistributionNode alice;
    private DistributionNode bob;
    private String aliceAddress = "";
    private String bobAddress = "";

    @Before
    public void start() throws Exception {
        relay = DistributionNode.create("relay");
        relay.start("--only", "infrastructure");
        alice = DistributionNode.create("alice");
        alice.start("--only", "personal");
        bob = DistributionNode.create("bob");
        bob.start("--only", "personal");
        aliceAddress = alice.json("identity", "new", "alice").path("npub").asText();
        bobAddress = bob.json("identity", "new", "bob").path("npub").asText();
        alice.json("relay", "add", relay.relayUrl().toString());
        bob.json("relay", "add", relay.relayUrl().toString());
        alice.json("contact", "add", "bob", bobAddress);
        bob.json("contact", "add", "alice", aliceAddress);
    }

    @After
    public void stop() throws Exception {
        for (DistributionNode node : new DistributionNode[] {alice, bob, relay}) {
            if (node != null) {
                node.close();
            }
        }
    }

    @Test
    public void nothingIsLostTwiceShownOrOutOfOrder() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of ThreeNodesIT: -Dparley.seed=" + seed);
        Random random = new Random(seed);
        Set<Integer> killAt = new HashSet<>();
        while (killAt.size() < KILLS) {
            killAt.add(10 + random.nextInt(MESSAGES - 20));
        }
        List<String> fromAlice = new ArrayList<>();
        List<String> fromBob = new ArrayList<>();
        Thread outage = null;
        for (int i = 0; i < MESSAGES; i++) {
            if (i == MESSAGES / 2) {
                outage = stopTheRelayForAWhile();
            }
            boolean aliceSends = random.nextBoolean();
            String text = (aliceSends ? "a" : "b") + i;
            send(aliceSends ? alice : bob, aliceSends ? "bob" : "alice", text);
            (aliceSends ? fromAlice : fromBob).add(text);
            if (killAt.contains(i)) {
                DistributionNode victim = random.nextBoolean() ? bob : alice;
                victim.kill();
                victim.start("--only", "personal");
            }
        }
        if (outage != null) {
            outage.join();
        }

        Waiting.until("every message is shown on the other side", Duration.ofMinutes(5), () -> {
            return received(bob).containsAll(fromAlice) && received(alice).containsAll(fromBob);
        });
        System.out.println(MESSAGES + " messages, " + KILLS + " kills of either node, one outage of the relay");
        assertEquals("bob sees each once and in alice's order", fromAlice, received(bob));
        assertEquals("alice sees each once and in bob's order", fromBob, received(alice));
        assertExact(alice, fromAlice.size());
        assertExact(bob, fromBob.size());

        Set<String> named = Set.of("127.0.0.1:" + relay.relayUrl().getPort());
        for (DistributionNode node : List.of(alice, bob)) {
            Set<String> connected = new HashSet<>();
            List<JsonNode> log = node.egressLog();
            log.forEach(e ->
                    connected.add(e.path("host").asText() + ":" + e.path("port").asInt()));
            assertEquals("the egress log lists only what the user named", named, connected);
            assertEquals(
                    "the command shows what was before the last start too",
                    Math.min(log.size(), 1_000),
                    node.json("egress", "-n", "1000").path("entries").size());
        }
    }

    @Test
    public void NT_03_aRelayThatIsKilledAgainAndAgainLosesAndDoublesNothing() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of ThreeNodesIT: -Dparley.seed=" + seed);
        Random random = new Random(seed);
        List<String> sent = new ArrayList<>();
        for (int kill = 0; kill < RELAY_KILLS; kill++) {
            int before = 5 + random.nextInt(30);
            for (int i = 0; i < before; i++) {
                sent.add("m" + sent.size());
                send(alice, "bob", sent.get(sent.size() - 1));
            }
            relay.kill();
            for (int i = 0; i < 10; i++) {
                sent.add("m" + sent.size());
                send(alice, "bob", sent.get(sent.size() - 1));
            }
            relay.start("--only", "infrastructure");
        }
        Waiting.until(
                "every message is shown",
                Duration.ofMinutes(3),
                () -> received(bob).size() >= sent.size());
        assertEquals(sent, received(bob));
        assertExact(alice, sent.size());
        System.out.println(sent.size() + " messages, " + RELAY_KILLS + " kills of the relay");
    }

    @Test
    public void aWrapDated47HoursBackAndPublishedWhileAwayIsShown() throws Exception {
        Peers peers = Peers.install();
        JsonNode key = peers.run("key", Peers.arguments());
        String to = alice.json("identity", "list")
                .path("accounts")
                .get(0)
                .path("pubkey")
                .asText();
        peers.run("sendBackdated", wrap(key, to, "the newer wrap", 1));
        Waiting.until("the newer one is shown", () -> received(alice).contains("the newer wrap"));
        assertEquals(0, alice.run("", "stop").exit());
        peers.run("sendBackdated", wrap(key, to, "the older wrap", 47));
        alice.start("--only", "personal");
        Waiting.until("the older one is shown", () -> received(alice).contains("the older wrap"));
        assertEquals("each once", 2, received(alice).size());
    }

    private com.fasterxml.jackson.databind.node.ObjectNode wrap(JsonNode key, String to, String text, int hours) {
        return Peers.arguments()
                .put("url", relay.relayUrl().toString())
                .put("sk", key.path("sk").asText())
                .put("to", to)
                .put("text", text)
                .put("hours", hours);
    }

    /** The outage is the case: the relay process is gone for that long while people go on writing. */
    private Thread stopTheRelayForAWhile() throws Exception {
        assertEquals(0, relay.run("", "stop").exit());
        Thread back = new Thread(() -> {
            try {
                Thread.sleep(OUTAGE.toMillis());
                relay.start("--only", "infrastructure");
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        back.start();
        return back;
    }

    private static void assertExact(DistributionNode node, long sent) throws Exception {
        Waiting.until("all of it is at the relay", Duration.ofMinutes(2), () -> {
            JsonNode ledger = node.json("ledger");
            return DistributionNode.arrived(ledger.path("byState")) == sent;
        });
        JsonNode ledger = node.json("ledger");
        assertTrue(ledger.toString(), ledger.path("exact").asBoolean());
        assertEquals(sent, ledger.path("sent").asLong());
    }

    private static void send(DistributionNode node, String to, String text) throws IOException {
        try (ControlSocket control = ControlSocket.open(node)) {
            control.call("message.send", Peers.arguments().put("to", to).put("text", text));
        }
    }

    private static List<String> received(DistributionNode node) throws Exception {
        List<String> texts = new ArrayList<>();
        try (ControlSocket control = ControlSocket.open(node)) {
            JsonNode messages = control.call(
                            "message.list", Peers.arguments().put("after", 0).put("limit", 1000))
                    .path("messages");
            while (!messages.isEmpty()) {
                long last = 0;
                for (JsonNode message : messages) {
                    last = message.path("position").asLong();
                    if (!message.path("outgoing").asBoolean()) {
                        texts.add(message.path("text").asText());
                    }
                }
                messages = control.call(
                                "message.list",
                                Peers.arguments().put("after", last).put("limit", 1000))
                        .path("messages");
            }
        }
        return texts;
    }
}
