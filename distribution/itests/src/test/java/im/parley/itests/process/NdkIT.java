package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.Test;

/** NDK, another Nostr library that we did not write, with our relay and with our people. */
public class NdkIT {
    private static DistributionNode node;
    private static Peers peers;
    private static JsonNode alice;

    @BeforeClass
    public static void start() throws Exception {
        peers = Peers.install();
        node = DistributionNode.create("ndk");
        node.start();
        alice = node.json("identity", "new", "alice");
    }

    @AfterClass
    public static void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    private static ObjectNode as(JsonNode key) {
        return Peers.arguments()
                .put("url", node.relayUrl().toString())
                .put("sk", key.path("sk").asText());
    }

    @Test
    public void ndkPublishesAndFetches() throws Exception {
        JsonNode answer = peers.run(
                "ndk.mjs",
                "publishAndFetch",
                as(peers.run("key", Peers.arguments())).put("content", "from NDK \u0645"));
        assertEquals(1, answer.path("published").asInt());
        assertEquals(1, answer.path("found").size());
        assertEquals(answer.path("id"), answer.path("found").get(0).path("id"));
        assertTrue(
                "NDK verifies what our relay serves",
                answer.path("found").get(0).path("ok").asBoolean());
    }

    @Test
    public void aMessageFromNdkIsAnsweredAndTheAnswerIsUnwrappedThere() throws Exception {
        JsonNode key = peers.run("key", Peers.arguments());
        JsonNode sent = peers.run(
                "ndk.mjs",
                "sendMessage",
                as(key).put("to", alice.path("pubkey").asText()).put("text", "wrapped by NDK \ud83d\udc4b"));
        Waiting.until(
                "the message is shown",
                () -> node.json("inbox").path("messages").toString().contains("wrapped by NDK \ud83d\udc4b"));
        String npub = key.path("npub").asText();
        DistributionNode.Result reply = node.run("", "send", "--as", "alice", npub, "answered by Parley");
        assertEquals(reply.err(), 0, reply.exit());
        JsonNode read = peers.run("ndk.mjs", "readMessages", as(key).put("count", 1));
        assertEquals(
                "answered by Parley", read.path("texts").get(0).path("text").asText());
        assertEquals(14, read.path("texts").get(0).path("kind").asInt());
        assertEquals(
                alice.path("pubkey").asText(),
                read.path("texts").get(0).path("from").asText());
        assertEquals(sent.path("pk").asText(), key.path("pk").asText());
    }
}
