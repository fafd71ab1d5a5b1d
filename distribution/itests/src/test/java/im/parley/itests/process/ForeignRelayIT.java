package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Two personal nodes whose only relay is one that we did not write. */
public class ForeignRelayIT {
    private static final int MESSAGES = 10;
    private static final Duration PATIENCE = Duration.ofMinutes(3);

    private Peers peers;
    private ForeignRelay relay;
    private DistributionNode alice;
    private DistributionNode bob;
    private final List<String> fromAlice = new ArrayList<>();
    private final List<String> fromBob = new ArrayList<>();

    @Before
    public void start() throws Exception {
        peers = Peers.install();
        relay = ForeignRelay.create(peers);
        relay.start();
        alice = personal("alice");
        bob = personal("bob");
        alice.json("contact", "add", "bob", account(bob).path("npub").asText());
        bob.json("contact", "add", "alice", account(alice).path("npub").asText());
    }

    private DistributionNode personal(String name) throws Exception {
        DistributionNode node = DistributionNode.create(name);
        node.start("--only", "personal");
        node.json("identity", "new", name);
        // Every wrap that this counts is a message's.
        node.json("settings", "--receipts", "off");
        node.json("relay", "add", relay.url().toString());
        return node;
    }

    @After
    public void stop() throws Exception {
        for (AutoCloseable each : new AutoCloseable[] {alice, bob, relay}) {
            if (each != null) {
                each.close();
            }
        }
    }

    @Test
    public void twoNodesTalkThroughItAlsoWhenItWasKilledInBetween() throws Exception {
        talk("first ");
        assertShownOnceInOrder("live");
        assertTrue("who reads has authenticated", closedForStrangers().startsWith("auth-required:"));

        relay.kill();
        talk("while it is down ");
        relay.start();
        talk("after it is back ");
        assertShownOnceInOrder("after the relay was killed");
        assertExact(alice, fromAlice.size());
        assertExact(bob, fromBob.size());

        // A node that starts asks for everything of the last two days again.
        assertEquals(0, bob.run("", "stop").exit());
        bob.start("--only", "personal");
        talk("after bob's restart ");
        assertShownOnceInOrder("after bob's restart");
        assertExact(alice, fromAlice.size());
        assertExact(bob, fromBob.size());

        Set<String> reached = alice.egressLog().stream()
                .map(e -> e.path("host").asText() + ":" + e.path("port").asInt())
                .collect(Collectors.toSet());
        assertEquals("nothing else was asked", Set.of("127.0.0.1:" + relay.url().getPort()), reached);
        relay.kill();
        long wraps = relay.kept(1059);
        assertEquals(
                "one wrap for the recipient, one for other devices", 2L * (fromAlice.size() + fromBob.size()), wraps);
        System.out.println(
                fromAlice.size() + " + " + fromBob.size() + " messages, " + wraps + " wraps at the foreign relay");
    }

    private void talk(String prefix) throws Exception {
        try (ControlSocket toAlice = ControlSocket.open(alice);
                ControlSocket toBob = ControlSocket.open(bob)) {
            for (int i = 0; i < MESSAGES; i++) {
                fromAlice.add("a " + prefix + i);
                toAlice.call("message.send", Peers.arguments().put("to", "bob").put("text", "a " + prefix + i));
                fromBob.add("b " + prefix + i);
                toBob.call("message.send", Peers.arguments().put("to", "alice").put("text", "b " + prefix + i));
            }
        }
    }

    private void assertShownOnceInOrder(String when) throws Exception {
        Waiting.until(
                "all are shown " + when,
                PATIENCE,
                () -> received(bob).containsAll(fromAlice) && received(alice).containsAll(fromBob));
        assertEquals(when, fromAlice, received(bob));
        assertEquals(when, fromBob, received(alice));
    }

    private String closedForStrangers() throws Exception {
        ObjectNode query = Peers.arguments().put("url", relay.url().toString());
        query.set(
                "filter",
                Peers.JSON.readTree("{\"kinds\":[1059],\"#p\":[\""
                        + account(bob).path("pubkey").asText() + "\"]}"));
        return peers.run("query", query).path("closed").asText();
    }

    private static void assertExact(DistributionNode node, long sent) throws Exception {
        Waiting.until(
                "all of it is at the relay",
                PATIENCE,
                () -> DistributionNode.arrived(node.json("ledger").path("byState")) == sent);
        JsonNode ledger = node.json("ledger");
        assertTrue(ledger.toString(), ledger.path("exact").asBoolean());
        assertEquals(sent, ledger.path("sent").asLong());
    }

    private static JsonNode account(DistributionNode node) throws Exception {
        return node.json("identity", "list").path("accounts").get(0);
    }

    private static List<String> received(DistributionNode node) throws Exception {
        List<String> texts = new ArrayList<>();
        for (JsonNode message : node.json("inbox", "-n", "1000").path("messages")) {
            if (!message.path("outgoing").asBoolean()) {
                texts.add(message.path("text").asText());
            }
        }
        return texts;
    }
}
