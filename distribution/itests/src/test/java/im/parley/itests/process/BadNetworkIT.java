package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.itests.fault.FaultProxy;
import im.parley.itests.fault.FaultProxy.Direction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Two personal nodes whose only way to the relay goes through a proxy that misbehaves. */
public class BadNetworkIT {
    private static final int MESSAGES = 20;

    private DistributionNode relay;
    private FaultProxy proxy;
    private DistributionNode alice;
    private DistributionNode bob;

    @Before
    public void start() throws Exception {
        relay = DistributionNode.create("relay");
        proxy = new FaultProxy("127.0.0.1", relay.port());
        relay.start("--only", "infrastructure", "--relay-url", proxy.uri().toString());
        alice = personal("alice");
        bob = personal("bob");
        alice.json(
                "contact",
                "add",
                "bob",
                bob.json("identity", "list")
                        .path("accounts")
                        .get(0)
                        .path("npub")
                        .asText());
        bob.json(
                "contact",
                "add",
                "alice",
                alice.json("identity", "list")
                        .path("accounts")
                        .get(0)
                        .path("npub")
                        .asText());
    }

    private DistributionNode personal(String name) throws Exception {
        DistributionNode node = DistributionNode.create(name);
        node.start("--only", "personal");
        node.json("identity", "new", name);
        node.json("relay", "add", proxy.uri().toString());
        return node;
    }

    @After
    public void stop() throws Exception {
        for (AutoCloseable each : new AutoCloseable[] {alice, bob, proxy, relay}) {
            if (each != null) {
                each.close();
            }
        }
    }

    @Test
    public void NT_04_swallowedOksAreRetriedAndADuplicateCountsAsSuccess() throws Exception {
        proxy.swallow(Direction.TO_CLIENT, frame -> frame.startsWith("[\"OK\""));
        List<String> sent = send("unacknowledged ");
        Waiting.until(
                "the first arrives although its OK does not",
                () -> received(bob).contains(sent.get(0)));
        Waiting.until("OKs were swallowed", () -> proxy.swallowed(Direction.TO_CLIENT) >= 2);
        assertEquals("the sender does not believe it", 0, ledger("at relays"));
        proxy.heal();
        assertDelivered(sent);
    }

    @Test
    public void delaysReorderedFramesAndCutsLoseNothing() throws Exception {
        for (Direction direction : Direction.values()) {
            proxy.delay(direction, Duration.ofMillis(5), Duration.ofMillis(120));
        }
        proxy.reorder(Direction.TO_CLIENT, 0.2);
        List<String> sent = send("delayed ");
        proxy.cut();
        List<String> more = send("after the cut ");
        proxy.goSilent();
        List<String> silent = send("into silence ");
        proxy.heal();
        proxy.cut();
        List<String> all = new ArrayList<>(sent);
        all.addAll(more);
        all.addAll(silent);
        assertDelivered(all);
    }

    private List<String> send(String prefix) throws Exception {
        List<String> texts = new ArrayList<>();
        try (ControlSocket control = ControlSocket.open(alice)) {
            for (int i = 0; i < MESSAGES; i++) {
                texts.add(prefix + i);
                control.call("message.send", Peers.arguments().put("to", "bob").put("text", prefix + i));
            }
        }
        return texts;
    }

    private void assertDelivered(List<String> sent) throws Exception {
        Waiting.until("all arrive", Duration.ofMinutes(3), () -> received(bob).containsAll(sent));
        assertEquals("each once, in order", sent, received(bob));
        Waiting.until(
                "the ledger knows",
                Duration.ofMinutes(3),
                () -> DistributionNode.arrived(alice.json("ledger").path("byState")) == sent.size());
        assertTrue(alice.json("ledger").path("exact").asBoolean());
    }

    private long ledger(String state) throws Exception {
        return alice.json("ledger").path("byState").path(state).asLong();
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
