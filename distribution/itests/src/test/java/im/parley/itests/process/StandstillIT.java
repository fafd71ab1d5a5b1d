package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Processes that stand still for a while, as when a laptop sleeps or a virtual machine is paused. */
public class StandstillIT {
    /** What the cases ask for is 30 s; a connection is asked for a sign of life more often than that. */
    private static final Duration STANDSTILL = Duration.ofSeconds(Integer.getInteger("parley.standstill.seconds", 6));

    private static final Duration RECONNECT = Duration.ofSeconds(10);

    private DistributionNode relay;
    private DistributionNode alice;
    private DistributionNode bob;

    @Before
    public void start() throws Exception {
        relay = DistributionNode.create("relay");
        relay.start("--only", "infrastructure");
        alice = personal("alice");
        bob = personal("bob");
        alice.json("contact", "add", "bob", bob.npub());
        bob.json("contact", "add", "alice", alice.npub());
        send(alice, "before");
        Waiting.until("the first arrives", () -> bob.received().size() == 1);
    }

    private DistributionNode personal(String name) throws Exception {
        DistributionNode node = DistributionNode.create(name);
        node.start("--only", "personal");
        node.json("identity", "new", name);
        node.json("relay", "add", relay.relayUrl().toString());
        return node;
    }

    @After
    public void stop() throws Exception {
        for (DistributionNode each : new DistributionNode[] {alice, bob, relay}) {
            if (each != null) {
                each.close();
            }
        }
    }

    @Test
    public void DB_15_aRelayThatStoodStillIsFoundAgainAndNothingIsShownTwice() throws Exception {
        standsStill(relay, "relay");
    }

    @Test
    public void DB_15_aNodeThatStoodStillCatchesUpAndShowsNothingTwice() throws Exception {
        standsStill(bob, "node");
    }

    private void standsStill(DistributionNode frozen, String what) throws Exception {
        List<String> sent = new ArrayList<>(List.of("before"));
        signal("-STOP", frozen.pid());
        long until = System.nanoTime() + STANDSTILL.toNanos();
        while (System.nanoTime() < until) {
            sent.add("meanwhile " + sent.size());
            send(alice, sent.get(sent.size() - 1));
            TimeUnit.MILLISECONDS.sleep(200);
        }
        signal("-CONT", frozen.pid());
        long start = System.nanoTime();
        Waiting.until(
                "all that was written meanwhile is shown",
                RECONNECT,
                () -> bob.received().size() >= sent.size());
        long millis = (System.nanoTime() - start) / 1_000_000;
        sent.add("after");
        send(alice, "after");
        Waiting.until(
                "what comes after is shown", RECONNECT, () -> bob.received().contains("after"));
        assertEquals("each once, in order", sent, bob.received());
        Waiting.until(
                "the ledger knows",
                () -> DistributionNode.arrived(alice.json("ledger").path("byState")) == sent.size());
        assertTrue(alice.json("ledger").path("exact").asBoolean());
        System.out.println("DB-15 " + what + " stood still for " + STANDSTILL.toSeconds() + " s: " + sent.size()
                + " messages, each shown once, all shown " + millis + " ms after it went on");
    }

    private static void signal(String signal, long pid) throws Exception {
        assertEquals(
                0,
                new ProcessBuilder("kill", signal, Long.toString(pid)).start().waitFor());
    }

    private static void send(DistributionNode node, String text) throws IOException {
        try (ControlSocket control = ControlSocket.open(node)) {
            control.call("message.send", Peers.arguments().put("to", "bob").put("text", text));
        }
    }
}
