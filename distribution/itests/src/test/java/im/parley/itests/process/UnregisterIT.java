package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Store, curve and transport go away and come back, again and again, while somebody writes. */
public class UnregisterIT {
    /** 1,000 for the figures of the handbook. */
    private static final int TIMES = Integer.getInteger("parley.unregister", 45);

    /** The storage of a node that runs takes the longest to come back. */
    private static final List<String> BUNDLES = List.of(
            "im.parley.curve.secp256k1",
            "im.parley.transport.websocket",
            "im.parley.scheme.nip17",
            "im.parley.curve.secp256k1",
            "im.parley.transport.websocket",
            "im.parley.scheme.nip17",
            "im.parley.identity.local",
            "im.parley.storage.derby");

    private final AtomicInteger taken = new AtomicInteger();
    private DistributionNode bob;
    private Path base;
    private EmbeddedNode alice;

    @Before
    public void start() throws Exception {
        bob = DistributionNode.create("unregb");
        bob.start();
        base = Files.createTempDirectory("p-unrega");
        alice = EmbeddedNode.start(base, "personal");
        try (ControlSocket control = control();
                ControlSocket his = ControlSocket.open(bob)) {
            control.call("identity.new", Peers.arguments().put("name", "alice"));
            control.call(
                    "relay.add", Peers.arguments().put("url", bob.relayUrl().toString()));
            JsonNode account = his.call("identity.new", Peers.arguments().put("name", "bob"));
            control.call(
                    "contact.add",
                    Peers.arguments()
                            .put("name", "bob")
                            .put("address", account.path("nprofile").asText()));
        }
    }

    @After
    public void stop() throws Exception {
        if (alice != null) {
            alice.close();
        }
        if (bob != null) {
            bob.close();
        }
    }

    private ControlSocket control() throws IOException, ReflectiveOperationException {
        return ControlSocket.open(alice.socket());
    }

    /** What the node took, and the codes with which it took nothing. */
    private record Sent(Set<String> taken, Map<String, Integer> refusals, Set<String> doubtful) {}

    @Test
    public void PL_12_whatWasTakenIsDeliveredWhateverGoesAndComesBack() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of UnregisterIT: -Dparley.seed=" + seed);
        Random random = new Random(seed);
        AtomicBoolean over = new AtomicBoolean();
        ExecutorService executor = Executors.newSingleThreadExecutor();
        Future<Sent> sender = executor.submit(() -> send(over));
        long began = System.nanoTime();
        Map<String, Integer> times = new TreeMap<>();
        for (int i = 0; i < TIMES; i++) {
            String bundle = BUNDLES.get(random.nextInt(BUNDLES.size()));
            alice.bounce(bundle);
            times.merge(bundle, 1, Integer::sum);
            LockSupport.parkNanos(random.nextInt(50_000_000));
            if (i % 10 == 9) {
                // On a busy machine everything may be away most of the time.
                int before = taken.get();
                Waiting.until("a message is taken", () -> taken.get() > before);
            }
        }
        long took = System.nanoTime() - began;
        over.set(true);
        Sent sent = sender.get();
        executor.shutdown();
        assertFalse("nothing was sent", sent.taken().isEmpty());
        for (String code : sent.refusals().keySet()) {
            assertTrue(sent.refusals().toString(), code.matches("[a-z]+(\\.[a-z-]+)+") && !code.equals("internal.bug"));
        }

        Waiting.until(
                "all of it is with bob",
                Duration.ofMinutes(4),
                () -> bob.received().containsAll(sent.taken()));
        List<String> received = bob.received();
        Set<String> once = new LinkedHashSet<>(received);
        assertEquals("nothing is shown twice", once.size(), received.size());
        once.removeAll(sent.taken());
        once.removeAll(sent.doubtful());
        assertEquals("nothing that was not written", Set.of(), once);
        try (ControlSocket control = control()) {
            Waiting.until("nothing waits in the ledger", Duration.ofMinutes(2), () -> {
                JsonNode byState = control.call("ledger.get", Peers.arguments()).path("byState");
                return byState.path("queued").asLong() == 0
                        && byState.path("composed").asLong() == 0;
            });
            JsonNode ledger = control.call("ledger.get", Peers.arguments());
            assertTrue(ledger.toString(), ledger.path("exact").asBoolean());
            assertEquals(
                    ledger.toString(), 0, ledger.path("byState").path("failed").asLong());
        }
        System.out.println("unregistered " + times + " in " + took / 1_000_000 + " ms; messages "
                + sent.taken().size() + ", 0 lost; not taken meanwhile " + sent.refusals());
    }

    private Sent send(AtomicBoolean over) throws Exception {
        Sent sent = new Sent(new LinkedHashSet<>(), new TreeMap<>(), new LinkedHashSet<>());
        try (ControlSocket control = control()) {
            for (int i = 0; !over.get(); i++) {
                String text = "number " + i;
                try {
                    control.call(
                            "message.send", Peers.arguments().put("to", "bob").put("text", text));
                    sent.taken().add(text);
                    taken.incrementAndGet();
                } catch (IOException refused) {
                    // Taken or not: what it was refused for may have struck after the commit.
                    sent.doubtful().add(text);
                    JsonNode error = Peers.JSON.readTree(refused.getMessage());
                    sent.refusals().merge(error.path("data").path("code").asText(), 1, Integer::sum);
                }
                LockSupport.parkNanos(10_000_000);
            }
        }
        return sent;
    }
}
