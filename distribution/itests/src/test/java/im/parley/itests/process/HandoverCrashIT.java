package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.After;
import org.junit.Test;

/** A node is killed somewhere in a move of a store or in an undo of one; it boots with one of the two, and has it all. */
public class HandoverCrashIT {
    /** 20 for the figures of the handbook. */
    private static final int KILLS = Integer.getInteger("parley.kills", 6);

    private static final int EVENTS = 400;

    private DistributionNode node;
    private final TestKey author = key();
    private final Set<String> acknowledged = new HashSet<>();
    private final List<String> sent = new ArrayList<>();
    private int number;

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    private static TestKey key() {
        try {
            return new TestKey();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    public void aKillInAMoveLeavesOneOfTheTwoStoresWithAllOfIt() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of HandoverCrashIT: -Dparley.seed=" + seed);
        Random random = new Random(seed);
        node = DistributionNode.create("movekill");
        node.start();
        node.json("identity", "new", "alice");
        node.json("identity", "new", "bob");
        publish(EVENTS);
        send(30);
        Map<String, Integer> outcomes = new TreeMap<>();
        for (int kill = 0; kill < KILLS; kill++) {
            String slot = kill % 2 == 0 ? "storage.events" : "storage.records";
            String before = instance(slot);
            boolean window = moved().contains(slot);
            String after = before.contains(".derby.")
                    ? before.replace(".derby.", ".lmdb.")
                    : before.replace(".lmdb.", ".derby.");
            AtomicBoolean over = new AtomicBoolean();
            CompletableFuture<Boolean> traffic = CompletableFuture.supplyAsync(() -> write(over));
            CompletableFuture<Boolean> swapped = CompletableFuture.supplyAsync(() -> swap(slot, after));
            int wait = random.nextInt(1_500);
            String phase = phaseAfter(wait, slot);
            node.kill();
            over.set(true);
            traffic.get();
            boolean answered = swapped.get();
            node.start();
            String found = instance(slot);
            assertTrue(found, Set.of(before, after).contains(found));
            if (answered) {
                assertEquals("a move that was reported lasts", after, found);
            }
            String direction = window ? "back" : "there";
            outcomes.merge(
                    direction + ", killed while " + phase + ": " + (found.equals(before) ? "old" : "new"),
                    1,
                    Integer::sum);
            check();
            if (kill % 4 == 3 && moved().contains(slot)) {
                node.json("handover", "compare", slot);
            }
        }
        System.out.println(KILLS + " kills: " + outcomes);
        Waiting.until("every message is at its relay", Duration.ofMinutes(2), () -> {
            return DistributionNode.arrived(node.json("ledger").path("byState")) == sent.size();
        });
        assertTrue(node.json("ledger").path("exact").asBoolean());
        assertEquals(0, node.run("", "audit", "verify").exit());
        // Whatever it stands at, it can still be moved.
        for (String slot : List.of("storage.events", "storage.records")) {
            String now = instance(slot);
            node.json(
                    "swap",
                    slot,
                    now.contains(".derby.") ? now.replace(".derby.", ".lmdb.") : now.replace(".lmdb.", ".derby."));
        }
        check();
    }

    /** Waits and says what the move was doing then. */
    private String phaseAfter(int millis, String slot) {
        AtomicReference<String> phase = new AtomicReference<>("starting");
        long end = System.nanoTime() + millis * 1_000_000L;
        try (ControlSocket control = ControlSocket.open(node)) {
            while (System.nanoTime() < end) {
                String seen = "starting or done";
                for (JsonNode moving :
                        control.call("slots.progress", Peers.arguments()).path("slots")) {
                    if (moving.path("slot").asText().equals(slot)) {
                        seen = moving.path("phase").asText();
                    }
                }
                phase.set(seen);
                LockSupport.parkNanos(2_000_000);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return phase.get();
    }

    private Set<String> moved() throws Exception {
        Set<String> moved = new HashSet<>();
        for (JsonNode moving : node.json("handover", "status").path("slots")) {
            if (moving.path("phase").asText().equals("window")) {
                moved.add(moving.path("slot").asText());
            }
        }
        return moved;
    }

    private String instance(String name) throws Exception {
        for (JsonNode slot : node.json("slots").path("slots")) {
            if (slot.path("slot").asText().equals(name)) {
                return slot.path("instance").asText();
            }
        }
        throw new AssertionError("no slot " + name);
    }

    private void publish(int count) throws Exception {
        try (RelaySocket socket = RelaySocket.open(node.relayUrl())) {
            for (int i = 0; i < count; i++) {
                acknowledged.add(socket.publish(author.sign(1, List.of(), "note " + number++))
                        .get(1)
                        .asText());
            }
        }
    }

    private void send(int count) throws IOException {
        try (ControlSocket control = ControlSocket.open(node)) {
            for (int i = 0; i < count; i++) {
                sendOne(control);
            }
        }
    }

    private void sendOne(ControlSocket control) throws IOException {
        String text = "message " + sent.size();
        control.call(
                "message.send",
                Peers.arguments().put("account", "alice").put("to", "bob").put("text", text));
        sent.add(text);
    }

    /** Writes until the node is gone; what it acknowledged is remembered. */
    private boolean write(AtomicBoolean over) {
        try (ControlSocket control = ControlSocket.open(node);
                RelaySocket socket = RelaySocket.open(node.relayUrl())) {
            while (!over.get()) {
                sendOne(control);
                String event = author.sign(1, List.of(), "note " + number++);
                socket.sendDespiteHangUp("[\"EVENT\"," + event + "]");
                JsonNode ok = socket.nextWithin(1, java.util.concurrent.TimeUnit.SECONDS);
                if (ok != null && ok.get(0).asText().equals("OK") && ok.get(2).asBoolean()) {
                    acknowledged.add(ok.get(1).asText());
                }
                LockSupport.parkNanos(3_000_000);
            }
            return true;
        } catch (Exception gone) {
            return false;
        }
    }

    /** False if the node died before it answered. */
    private boolean swap(String slot, String instance) {
        try (ControlSocket control = ControlSocket.open(node)) {
            JsonNode report = control.call(
                    "slots.swap", Peers.arguments().put("slot", slot).put("instance", instance));
            return report.path("generation").asLong() > 0;
        } catch (IOException e) {
            return false;
        }
    }

    private void check() throws Exception {
        Set<String> lost = new HashSet<>(acknowledged);
        List<String> ids = new ArrayList<>(acknowledged);
        try (RelaySocket socket = RelaySocket.open(node.relayUrl())) {
            for (int from = 0; from < ids.size(); from += 200) {
                String list = String.join("\",\"", ids.subList(from, Math.min(ids.size(), from + 200)));
                RelaySocket.Answer answer = socket.request("check", "{\"ids\":[\"" + list + "\"]}");
                assertEquals("", answer.closed());
                answer.events().forEach(event -> lost.remove(event.get("id").asText()));
            }
        }
        assertEquals("acknowledged and lost", Set.of(), lost);
        // A message whose answer was cut off may be there too, and then belongs to what was sent.
        Set<String> written = new HashSet<>();
        try (ControlSocket control = ControlSocket.open(node)) {
            long after = 0;
            while (true) {
                JsonNode page = control.call(
                                "message.list",
                                Peers.arguments().put("after", after).put("limit", 1000))
                        .path("messages");
                if (page.isEmpty()) {
                    break;
                }
                for (JsonNode message : page) {
                    after = Math.max(after, message.path("position").asLong());
                    if (message.path("outgoing").asBoolean()) {
                        assertTrue("once", written.add(message.path("text").asText()));
                    }
                }
            }
        }
        assertTrue("sent and lost", written.containsAll(sent));
        for (String text : written) {
            if (!sent.contains(text)) {
                sent.add(text);
            }
        }
    }
}
