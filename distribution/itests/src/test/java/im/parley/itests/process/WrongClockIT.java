package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** A node whose clock is set by days and years while it runs, by libfaketime. */
public class WrongClockIT {
    /** What a back-off of half a second, doubled up to a minute, may come to in the time of a test. */
    private static final int MOST_CONNECTIONS = 40;

    private DistributionNode relay;
    private DistributionNode alice;
    private DistributionNode bob;
    private Path clock;

    @Before
    public void start() throws Exception {
        Optional<Path> library = library();
        if (library.isEmpty()) {
            Peers.skip("libfaketime is not installed (package faketime)");
        }
        relay = DistributionNode.create("relay");
        relay.start("--only", "infrastructure");
        bob = personal(DistributionNode.create("bob"), "bob");
        alice = DistributionNode.create("alice");
        clock = alice.base().resolve("clock");
        setClock("+0");
        alice.with("LD_PRELOAD", library.orElseThrow().toString())
                .with("FAKETIME_TIMESTAMP_FILE", clock.toString())
                .with("FAKETIME_CACHE_DURATION", "1")
                .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .with("FAKETIME_FORCE_MONOTONIC_FIX", "0");
        personal(alice, "alice");
        alice.json("contact", "add", "bob", bob.npub());
        bob.json("contact", "add", "alice", alice.npub());
    }

    private static Optional<Path> library() throws IOException {
        for (Path folder : List.of(Path.of("/usr/lib"), Path.of("/usr/local/lib"))) {
            if (Files.isDirectory(folder)) {
                try (Stream<Path> files =
                        Files.find(folder, 4, (file, attributes) -> file.endsWith("faketime/libfaketimeMT.so.1"))) {
                    Optional<Path> found = files.findFirst();
                    if (found.isPresent()) {
                        return found;
                    }
                }
            }
        }
        return Optional.empty();
    }

    private DistributionNode personal(DistributionNode node, String name) throws Exception {
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

    /** As a person or a time server sets it: in one step. */
    private void setClock(String offset) throws IOException {
        Path next = alice.base().resolve("clock.new");
        Files.writeString(next, offset + "\n");
        Files.move(next, clock, StandardCopyOption.ATOMIC_MOVE);
    }

    @Test
    public void DB_10_aClockThatJumpsLosesNothingAndKeepsTheOrder() throws Exception {
        List<String> sent = new ArrayList<>();
        int connectionsBefore = alice.egressLog().size();
        for (String offset : List.of("+1d", "+3650d", "-20000d", "-1d", "+1d", "+0")) {
            setClock(offset);
            Waiting.until("the node's clock is at " + offset, () -> isAt(offset));
            for (int i = 0; i < 3; i++) {
                sent.add("m" + sent.size() + " at " + offset);
                send(alice, sent.get(sent.size() - 1));
            }
            if (offset.equals("+3650d")) {
                Waiting.until(
                        "the ledger says why",
                        () -> alice.run("", "ledger").out().contains("[clock.skew]"));
            }
        }
        Waiting.until(
                "all is shown", Duration.ofSeconds(90), () -> bob.received().size() >= sent.size());
        assertEquals("each once, in the order of writing", sent, bob.received());
        Waiting.until(
                "the ledger knows",
                () -> DistributionNode.arrived(alice.json("ledger").path("byState")) == sent.size());
        assertTrue(alice.json("ledger").path("exact").asBoolean());
        int connections = alice.egressLog().size() - connectionsBefore;
        assertTrue("no storm: " + connections, connections < MOST_CONNECTIONS);
        System.out.println("DB-10: " + sent.size() + " messages over six jumps of the clock, in order, each once, "
                + connections + " connections");
    }

    @Test
    public void DB_10_aRelayThatDisagreesAboutTheTimeIsToldAndComesBackByItself() throws Exception {
        setClock("+1d");
        assertEquals(0, alice.run("", "stop").exit());
        alice.start("--only", "personal");
        Waiting.until(
                "the inbox waits for the clock",
                () -> alice.json("relay", "list")
                        .path("health")
                        .findValuesAsText("problem")
                        .contains("clock.skew"));
        setClock("+0");
        send(bob, "alice", "now you can");
        Waiting.until("the inbox is back", () -> alice.received().contains("now you can"));
    }

    private boolean isAt(String offset) throws Exception {
        Duration days = Duration.ofDays(Long.parseLong(offset.replace("d", "")));
        Instant wanted = Instant.now().plus(days);
        Instant shown =
                Instant.ofEpochMilli(alice.json("relay", "list").path("now").asLong());
        return Duration.between(shown, wanted).abs().toMinutes() < 1;
    }

    private static void send(DistributionNode node, String text) throws IOException {
        send(node, "bob", text);
    }

    private static void send(DistributionNode node, String to, String text) throws IOException {
        try (ControlSocket control = ControlSocket.open(node)) {
            control.call("message.send", Peers.arguments().put("to", to).put("text", text));
        }
    }
}
