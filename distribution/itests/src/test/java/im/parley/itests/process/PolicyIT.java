package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Policies of the relay are replaced while clients publish: a relay in this process, so that bundles can be put into it. */
public class PolicyIT {
    private static final String BUNDLE = "im.parley.policy.limits";
    private static final String SLOT = "policy.limits";
    private static final int SWAPS = 30;
    private static final int CLIENTS = 4;
    /** Of each client: together 200 events a second. */
    private static final long GAP_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private EmbeddedNode node;

    @Before
    public void start() throws Exception {
        Path base = Files.createTempDirectory("p-policy");
        node = EmbeddedNode.start(base, "infrastructure");
    }

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void PL_09_aPolicyIsReplacedUnderLoadAndNoEventIsLost() throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        ExecutorService executor = Executors.newFixedThreadPool(CLIENTS);
        try (RelaySocket reader = RelaySocket.open(node.relayUrl());
                ControlSocket control = ControlSocket.open(node.socket())) {
            reader.request("all", "{\"kinds\":[1]}");
            List<Future<Set<String>>> publishers = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                publishers.add(executor.submit(() -> publish(over)));
            }
            swapToNewVersion(control);
            Set<String> before = threads();
            int most = 0;
            for (int i = 1; i < SWAPS; i++) {
                swapToNewVersion(control);
                if (i % 10 == 9) {
                    JsonNode left = control.call("slots.leftovers", Peers.arguments());
                    most = Math.max(most, left.path("leftovers").size());
                }
            }
            Set<String> more = threads();
            more.removeAll(before);
            over.set(true);
            Set<String> published = new HashSet<>();
            for (Future<Set<String>> publisher : publishers) {
                published.addAll(publisher.get());
            }
            List<String> delivered = new ArrayList<>();
            while (delivered.size() < published.size()) {
                JsonNode event = reader.next(frame -> frame.get(0).asText().equals("EVENT"));
                delivered.add(event.get(2).path("id").asText());
            }
            System.out.println(
                    SWAPS + " swaps of a policy, " + published.size() + " events answered and delivered, new threads "
                            + more + ", retired loaders alive at most " + most);
            assertEquals("each is delivered once", published, new HashSet<>(delivered));
            assertEquals(published.size(), delivered.size());
            assertTrue("something was published meanwhile", published.size() > SWAPS);
            assertTrue("retired loaders", most <= 1);
            // Pools may grow by a few under load; one per swap would be a leak.
            assertTrue(more.toString(), more.size() < SWAPS / 2);
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    public void anotherPolicyRefusesAtOnceAndUndoTakesItBack() throws Exception {
        node.configure(BUNDLE, "strict", "refusedKinds", "7", "20000-29999");
        TestKey author = new TestKey();
        try (RelaySocket client = RelaySocket.open(node.relayUrl());
                ControlSocket control = ControlSocket.open(node.socket())) {
            assertEquals(
                    "", client.publish(author.sign(7, List.of(), "+")).get(3).asText());
            swap(control, BUNDLE + "~strict");
            JsonNode refused = client.publish(author.sign(7, List.of(), "-"));
            assertEquals(
                    "blocked: kind-not-taken this relay takes no events of kind 7",
                    refused.get(3).asText());
            assertEquals(false, refused.get(2).asBoolean());
            assertEquals(
                    "", client.publish(author.sign(1, List.of(), "hi")).get(3).asText());
            control.call("slots.undo", Peers.arguments().put("why", "too strict"));
            assertEquals(
                    "", client.publish(author.sign(7, List.of(), "-")).get(3).asText());
        }
    }

    private static Set<String> threads() {
        Set<String> names = new HashSet<>();
        Thread.getAllStackTraces().keySet().forEach(thread -> names.add(thread.getName()));
        return names;
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
                java.util.concurrent.locks.LockSupport.parkNanos(due - System.nanoTime());
            }
        }
        return ids;
    }

    private void swapToNewVersion(ControlSocket control) throws Exception {
        swap(control, node.install(BUNDLE));
        node.uninstallOlder(BUNDLE);
    }

    private static void swap(ControlSocket control, String instance) throws Exception {
        Waiting.until(instance + " is a candidate", () -> {
            for (JsonNode each : control.call("slots.list", Peers.arguments()).path("slots")) {
                if (each.path("slot").asText().equals(SLOT)) {
                    return each.path("candidates").toString().contains("\"" + instance + "\"");
                }
            }
            return false;
        });
        JsonNode report =
                control.call("slots.swap", Peers.arguments().put("slot", SLOT).put("instance", instance));
        assertEquals(instance, report.path("to").asText());
        assertEquals("no call was cut", 0, report.path("cut").asInt());
    }
}
