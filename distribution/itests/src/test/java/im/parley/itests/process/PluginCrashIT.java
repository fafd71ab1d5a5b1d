package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.junit.After;
import org.junit.Test;

/** A node is killed somewhere in an upgrade, an apply or a takeover of a store; it boots with the old stack or the new one, whole. */
public class PluginCrashIT {
    private static final String SLOT = "policy.limits";
    private static final String STORE = "storage.events";
    private static final String DERBY = "im.parley.storage.derby";
    private static final String OWN = "im.parley.policy.limits~main";
    /** Of each; more for the figures of the handbook. */
    private static final int KILLS = Integer.getInteger("parley.stack.kills", 5);

    private DistributionNode node;
    private Path folder;
    private KeyPair publisher;
    private Random random;
    /** How long after the beginning of an act a kill comes at most; it follows what was met, so that both sides are. */
    private double spanMillis = 300;

    private final Set<String> stored = new HashSet<>();

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void PL_11_aKillInAnUpgradeOrAnApplyLeavesTheOldOrTheNewStack() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of PluginCrashIT: -Dparley.seed=" + seed);
        random = new Random(seed);
        node = DistributionNode.create("plugkill");
        folder = node.base().resolve("plugins");
        publisher = SamplePlugin.trusted(node.stateDir(), folder, "example", "org.example");
        node.start("--only", "infrastructure");
        node.json(
                "plugin",
                "install",
                SamplePlugin.of(folder, "1.0.0").refusing(7).signedBy(publisher).toString(),
                "--yes");
        node.json("swap", SLOT, SamplePlugin.NAME + "~main");
        int oldOnes = 0;
        int newOnes = 0;
        for (int kill = 0; kill < KILLS; kill++) {
            String version = "1." + (kill + 1) + ".0";
            Path jar = SamplePlugin.of(folder, version).refusing(7).signedBy(publisher);
            String before = filling();
            String after = SamplePlugin.NAME + "~main-" + version;
            boolean isNew = killed("plugin.upgrade", jar, SLOT, before, after);
            assertEquals(
                    "the plugin is the one whose instance is selected",
                    isNew ? version : versionOf(before),
                    node.json("plugin", "list")
                            .path("plugins")
                            .get(0)
                            .path("version")
                            .asText());
            newOnes += isNew ? 1 : 0;
            oldOnes += isNew ? 0 : 1;
        }
        for (int kill = 0; kill < KILLS; kill++) {
            String before = filling();
            boolean leave = !before.equals(OWN);
            String after = leave ? OWN : plugin();
            Path file = Files.createTempFile(folder, "stack", ".json");
            Files.writeString(
                    file,
                    "{\"format\":1,\"configurations\":{\"" + OWN + "\":{\"refusedKinds\":[\"" + (17 + 10 * kill)
                            + "\",\"7\"]}},\"slots\":{\"" + SLOT + "\":[\"" + after + "\"]}}");
            boolean isNew = killed("stack.apply", file, SLOT, before, after);
            String overrides = node.json("stack", "show").path("overrides").toString();
            assertEquals(overrides, isNew, overrides.contains("\\\"" + (17 + 10 * kill) + "\\\",\\\"7\\\""));
            newOnes += isNew ? 1 : 0;
            oldOnes += isNew ? 0 : 1;
        }
        KeyPair house = SamplePlugin.trustedHouse(node.stateDir(), folder);
        for (int kill = 0; kill < KILLS; kill++) {
            String version = "0.1." + (kill + 1);
            Path jar = SamplePlugin.ofDistribution(folder, DERBY, version, house);
            boolean isNew = killed("plugin.upgrade", jar, STORE, filling(STORE), DERBY + ".events~main-" + version);
            newOnes += isNew ? 1 : 0;
            oldOnes += isNew ? 0 : 1;
        }
        System.out.println(3 * KILLS + " kills in upgrades, applies and takeovers of a store: " + oldOnes
                + " booted the old stack, " + newOnes + " the new one, " + stored.size() + " events are there");
        JsonNode undone = node.json("stack", "undo");
        assertTrue(undone.toString(), undone.path("generation").asLong() > 0);
        assertTrue(node.json("audit", "verify").path("attested").asBoolean());
    }

    /** Whether the node is the new one after it was killed somewhere in the act. */
    private boolean killed(String method, Path file, String slot, String before, String after) throws Exception {
        publish();
        Path journal = node.data().resolve("stack/journal.jsonl");
        long length = Files.size(journal);
        CompletableFuture<Boolean> done = CompletableFuture.supplyAsync(() -> act(method, file));
        if (random.nextBoolean()) {
            // From the first line on that says what is meant.
            while (!done.isDone() && Files.size(journal) == length) {
                LockSupport.parkNanos(200_000);
            }
        }
        LockSupport.parkNanos((long) (random.nextDouble() * spanMillis * 1_000_000));
        node.kill();
        boolean answered = done.get();
        node.start("--only", "infrastructure");
        String found = filling(slot);
        spanMillis *= found.equals(after) ? 0.8 : 1.25;
        assertTrue(found, found.equals(before) || found.equals(after));
        if (answered) {
            assertEquals("what was reported lasts", after, found);
        }
        assertStored();
        return found.equals(after);
    }

    private static boolean act(String method, Path file, Path socket) {
        try (ControlSocket control = ControlSocket.open(socket)) {
            control.call(method, Peers.arguments().put("file", file.toString()));
            return true;
        } catch (IOException e) {
            if (!e.getMessage().contains("the node is gone")) {
                System.out.println(method + ": " + e.getMessage());
            }
            return false;
        }
    }

    /** False if the node died before it answered. */
    private boolean act(String method, Path file) {
        try {
            JsonNode card = Peers.JSON.readTree(node.data().resolve("node.json").toFile());
            return act(method, file, Path.of(card.path("socket").asText()));
        } catch (IOException e) {
            return false;
        }
    }

    private void publish() throws Exception {
        TestKey author = new TestKey();
        try (RelaySocket client = RelaySocket.open(node.relayUrl())) {
            JsonNode answer = client.publish(author.sign(1, List.of(), "event " + stored.size()));
            assertEquals(answer.toString(), "", answer.get(3).asText());
            stored.add(answer.get(1).asText());
            assertTrue(client.publish(author.sign(7, List.of(), "-"))
                    .get(3)
                    .asText()
                    .startsWith("blocked: "));
        }
    }

    private void assertStored() throws Exception {
        try (RelaySocket client = RelaySocket.open(node.relayUrl())) {
            Set<String> found = new HashSet<>();
            client.request("all", "{\"kinds\":[1]}")
                    .events()
                    .forEach(event -> found.add(event.path("id").asText()));
            assertEquals("what was acknowledged is there", stored, found);
        }
    }

    private static String versionOf(String instance) {
        int dash = instance.indexOf("~main-");
        return dash < 0 ? "1.0.0" : instance.substring(dash + "~main-".length());
    }

    private String plugin() throws Exception {
        return node.json("plugin", "list")
                .path("plugins")
                .get(0)
                .path("instances")
                .get(0)
                .asText();
    }

    private String filling() throws Exception {
        return filling(SLOT);
    }

    private String filling(String name) throws Exception {
        for (JsonNode slot : node.json("slots").path("slots")) {
            if (slot.path("slot").asText().equals(name)) {
                return slot.path("instance").asText();
            }
        }
        throw new AssertionError("no slot " + name);
    }
}
