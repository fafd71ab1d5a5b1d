package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.junit.After;
import org.junit.Test;

/** A node is killed somewhere in a swap; it boots with the old or the new provider and has lost nothing. */
public class SwapCrashIT {
    private static final String NATIVE = "im.parley.curve.secp256k1~main";
    private static final String JAVA = "im.parley.curve.bouncycastle~main";
    /** 20 for the figures of the handbook. */
    private static final int KILLS = Integer.getInteger("parley.kills", 5);

    private DistributionNode node;

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void aKillInASwapLeavesTheOldOrTheNewOne() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of SwapCrashIT: -Dparley.seed=" + seed);
        Random random = new Random(seed);
        node = DistributionNode.create("swapkill");
        node.start();
        node.json("identity", "new", "alice");
        node.json("identity", "new", "bob");
        List<String> sent = new ArrayList<>();
        int oldOnes = 0;
        int newOnes = 0;
        for (int kill = 0; kill < KILLS; kill++) {
            String before = curve();
            String after = before.equals(NATIVE) ? JAVA : NATIVE;
            // One is under way when the swap begins, so that there is something to drain.
            CompletableFuture<Boolean> swapped = CompletableFuture.supplyAsync(() -> swap(after));
            String text = "message " + kill;
            send(text);
            sent.add(text);
            LockSupport.parkNanos(random.nextInt(60) * 1_000_000L);
            node.kill();
            boolean answered = swapped.get();
            node.start();
            String found = curve();
            assertTrue(found, Set.of(before, after).contains(found));
            if (answered) {
                assertEquals("a swap that was reported lasts", after, found);
            }
            if (found.equals(before)) {
                oldOnes++;
            } else {
                newOnes++;
            }
        }
        System.out.println(KILLS + " kills in a swap: " + oldOnes + " booted the old one, " + newOnes + " the new one");
        Waiting.until("every message is at its relay", Duration.ofMinutes(2), () -> {
            return DistributionNode.arrived(node.json("ledger").path("byState")) == sent.size();
        });
        assertTrue(node.json("ledger").path("exact").asBoolean());
        List<String> texts = new ArrayList<>();
        node.json("inbox", "-n", "1000").path("messages").forEach(message -> {
            if (!message.path("outgoing").asBoolean()) {
                texts.add(message.path("text").asText());
            }
        });
        assertEquals("bob sees each once and in order", sent, texts);

        JsonNode undone = node.json("undo", "--why", "enough");
        assertEquals(undone.path("to").asText(), curve());
        assertEquals(
                undone.path("generation").asLong(),
                node.json("status").path("generation").asLong());
        String journal = Files.readString(node.data().resolve("stack/journal.jsonl"));
        assertTrue(journal, journal.contains("\"why\":\"enough\""));

        JsonNode whole = node.json("audit", "verify");
        assertTrue(whole.toString(), whole.path("attested").asBoolean());
        JsonNode newest = node.json("audit", "list", "-n", "2").path("entries").get(0);
        assertEquals("swap", newest.path("act").asText());
        assertEquals("enough", newest.path("what").path("why").asText());
        Path log = node.data().resolve("audit.jsonl");
        Files.writeString(log, Files.readString(log).replace("\"why\":\"enough\"", "\"why\":\"nothing\""));
        DistributionNode.Result forged = node.run("", "audit", "verify");
        assertEquals(1, forged.exit());
        assertTrue(forged.err(), forged.err().contains("Code: audit.chain-broken"));
    }

    private String curve() throws Exception {
        for (JsonNode slot : node.json("slots").path("slots")) {
            if (slot.path("slot").asText().equals("curve")) {
                return slot.path("instance").asText();
            }
        }
        throw new AssertionError("no slot curve");
    }

    private void send(String text) throws IOException {
        try (ControlSocket control = ControlSocket.open(node)) {
            control.call(
                    "message.send",
                    Peers.arguments().put("account", "alice").put("to", "bob").put("text", text));
        }
    }

    /** False if the node died before it answered. */
    private boolean swap(String instance) {
        try (ControlSocket control = ControlSocket.open(node)) {
            JsonNode report = control.call(
                    "slots.swap", Peers.arguments().put("slot", "curve").put("instance", instance));
            return report.path("generation").asLong() > 0;
        } catch (IOException e) {
            return false;
        }
    }
}
