package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.Test;

/** Our relay and our messenger beside nostr-tools, which we did not write. */
public class NostrToolsIT {
    private static Peers peers;
    private static DistributionNode node;
    private static JsonNode alice;

    @BeforeClass
    public static void start() throws Exception {
        peers = Peers.install();
        node = DistributionNode.create("peers");
        node.start();
        alice = node.json("identity", "new", "alice");
    }

    @AfterClass
    public static void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void aKeyMovesToNostrToolsAndFromThereToAnotherNode() throws Exception {
        String ours = "a sentence of my own \u212b\n";
        DistributionNode.Result exported = node.run(ours, "identity", "export", "alice", "--stdin", "--json");
        assertEquals(exported.err(), 0, exported.exit());
        JsonNode resealed = peers.run(
                "reseal",
                Peers.arguments()
                        .put(
                                "ncryptsec",
                                Peers.JSON
                                        .readTree(exported.out())
                                        .path("ncryptsec")
                                        .asText())
                        .put("password", ours.strip())
                        .put("next", "theirs"));
        String alice = node.json("identity", "list")
                .path("accounts")
                .get(0)
                .path("pubkey")
                .asText();
        assertEquals(alice, resealed.path("pk").asText());

        String sealed = resealed.path("ncryptsec").asText();
        DistributionNode.Result known = node.run(sealed + "\ntheirs\n", "identity", "import", "again", "--stdin");
        assertTrue(known.err(), known.err().contains("Code: identity.known"));
        assertEquals(1, known.exit());
        DistributionNode other = DistributionNode.create("moved");
        try {
            other.start("--only", "personal");
            DistributionNode.Result wrong = other.run(sealed + "\nours\n", "identity", "import", "me", "--stdin");
            assertTrue(wrong.err(), wrong.err().contains("Code: key.wrong-password"));
            DistributionNode.Result moved = other.run(sealed + "\ntheirs\n", "identity", "import", "me", "--stdin");
            assertEquals(moved.err(), 0, moved.exit());
            assertEquals(
                    alice,
                    other.json("identity", "list")
                            .path("accounts")
                            .get(0)
                            .path("pubkey")
                            .asText());
            Canaries secrets = new Canaries().text("password", ours.strip()).text("sealed key", sealed);
            assertEquals(java.util.List.of(), secrets.search(other.files()));
            assertEquals(java.util.List.of(), secrets.search(node.files()));
        } finally {
            other.close();
        }
    }

    @Test
    public void nostrToolsPublishesAndQueries() throws Exception {
        JsonNode key = peers.run("key", Peers.arguments());
        JsonNode published =
                peers.run("publish", as(key).put("content", "from nostr-tools").put("count", 5));
        assertEquals(5, published.path("ids").size());
        ObjectNode query = at();
        query.set(
                "filter",
                Peers.JSON.readTree("{\"authors\":[\"" + key.path("pk").asText() + "\"],\"limit\":3}"));
        JsonNode found = peers.run("query", query);
        assertEquals(3, found.path("events").size());
        assertTrue(
                "nostr-tools verifies what our relay serves",
                found.path("verified").asBoolean());
    }

    @Test
    public void eventsMoveToAnotherRelayAsLines() throws Exception {
        JsonNode key = peers.run("key", Peers.arguments());
        peers.run("publish", as(key).put("content", "moves to another relay").put("count", 5));
        Path file = node.base().resolve("events.jsonl");
        JsonNode exported = node.json("relay", "export", file.toString());
        List<String> lines = Files.readAllLines(file);
        assertEquals(lines.size(), exported.path("events").asInt());
        lines.set(0, lines.get(0).replaceFirst("\"sig\":\"[0-9a-f]{8}", "\"sig\":\"00000000"));
        DistributionNode other = DistributionNode.create("archive");
        try {
            other.start("--only", "infrastructure");
            DistributionNode.Result first = other.run(String.join("\n", lines), "relay", "import", "-", "--json");
            assertEquals(first.err(), 1, first.exit());
            JsonNode report = Peers.JSON.readTree(first.out());
            assertEquals(lines.size() - 1, report.path("stored").asInt());
            assertEquals(1, report.path("byCode").path("invalid.sig").asInt());
            assertEquals(1, report.path("first").get(0).path("line").asInt());
            JsonNode whole = other.json("relay", "import", file.toString());
            assertEquals(1, whole.path("stored").asInt());
            assertEquals(lines.size() - 1, whole.path("known").asInt());
            Path back = other.base().resolve("back.jsonl");
            other.json("relay", "export", back.toString());
            assertEquals(new HashSet<>(Files.readAllLines(file)), new HashSet<>(Files.readAllLines(back)));
            ObjectNode query = Peers.arguments().put("url", other.relayUrl().toString());
            query.set(
                    "filter",
                    Peers.JSON.readTree("{\"authors\":[\"" + key.path("pk").asText() + "\"]}"));
            JsonNode found = peers.run("query", query);
            assertEquals(5, found.path("events").size());
            assertTrue(found.path("verified").asBoolean());
        } finally {
            other.close();
        }
    }

    @Test
    public void nostrToolsAuthenticatesAndReadsOnlyItsOwnWraps() throws Exception {
        JsonNode key = peers.run("key", Peers.arguments());
        ObjectNode query = as(key);
        query.set(
                "filter",
                Peers.JSON.readTree(
                        "{\"kinds\":[1059],\"#p\":[\"" + key.path("pk").asText() + "\"]}"));
        JsonNode mine = peers.run("query", query);
        assertTrue(mine.path("closed").isNull());
        ObjectNode foreign = as(key);
        foreign.set(
                "filter",
                Peers.JSON.readTree(
                        "{\"kinds\":[1059],\"#p\":[\"" + alice.path("pubkey").asText() + "\"]}"));
        assertTrue(peers.run("query", foreign).path("closed").asText().startsWith("restricted:"));
    }

    @Test
    public void aMessageFromNostrToolsIsAnsweredAndTheAnswerIsUnwrappedThere() throws Exception {
        JsonNode key = peers.run("key", Peers.arguments());
        ObjectNode lists = as(key);
        lists.putArray("relays").add(node.relayUrl().toString());
        peers.run("inboxRelays", lists);
        peers.run("send", as(key).put("to", alice.path("pubkey").asText()).put("text", "hello from nostr-tools ✓"));
        Waiting.until("it is shown", () -> texts().contains("hello from nostr-tools ✓"));

        node.json("send", "--as", "alice", key.path("npub").asText(), "hello back from Parley — नमस्ते");
        JsonNode inbox = peers.run("inbox", as(key).put("atLeast", 1));
        assertEquals(1, inbox.path("messages").size());
        JsonNode message = inbox.path("messages").get(0);
        assertEquals("hello back from Parley — नमस्ते", message.path("text").asText());
        assertEquals(alice.path("pubkey").asText(), message.path("from").asText());
        assertEquals(14, message.path("kind").asInt());
        assertTrue(message.path("wrapVerified").asBoolean());
        assertTrue(message.path("sealVerified").asBoolean());
        assertTrue(message.path("rumorIdOk").asBoolean());
        Waiting.until("the ledger says at relays", () -> {
            JsonNode ledger = node.json("ledger");
            return ledger.path("exact").asBoolean()
                    && ledger.path("sent").asLong() == DistributionNode.arrived(ledger.path("byState"));
        });
    }

    @Test
    public void answersReactionsAndDeletionsAreUnderstoodOnBothSides() throws Exception {
        JsonNode key = peers.run("key", Peers.arguments());
        ObjectNode lists = as(key);
        lists.putArray("relays").add(node.relayUrl().toString());
        peers.run("inboxRelays", lists);
        String to = alice.path("pubkey").asText();
        String question = rumor(key, to, 14, "a question from nostr-tools", "");
        Waiting.until("it is shown", () -> texts().contains("a question from nostr-tools"));

        JsonNode answer = node.json("reply", "--as", "alice", question.substring(0, 12), "an answer");
        node.json("react", "--as", "alice", question, "\uD83D\uDC4D");
        JsonNode slip = node.json("send", "--as", "alice", key.path("npub").asText(), "a slip");
        node.json("delete", "--as", "alice", slip.path("id").asText());
        JsonNode inbox = peers.run("inbox", as(key).put("atLeast", 4)).path("messages");
        assertEquals(inbox.toString(), 4, inbox.size());
        assertEquals(question, target(of(inbox, 14, "an answer")));
        assertEquals(question, target(of(inbox, 7, "\uD83D\uDC4D")));
        JsonNode deletion = of(inbox, 5, "");
        assertEquals(slip.path("id").asText(), target(deletion));
        for (JsonNode each : inbox) {
            assertTrue(
                    each.toString(),
                    each.path("rumorIdOk").asBoolean()
                            && each.path("sealVerified").asBoolean());
        }

        String theirs = rumor(key, to, 14, "their answer", answer.path("id").asText());
        rumor(key, to, 7, "+", answer.path("id").asText());
        Waiting.until(
                "their reaction stands beside it",
                () -> message(answer)
                        .path("reactions")
                        .path(0)
                        .path("content")
                        .asText()
                        .equals("+"));
        assertEquals(
                answer.path("id").asText(), byText("their answer").path("about").asText());
        rumor(key, to, 5, "", theirs);
        rumor(key, to, 5, "", answer.path("id").asText());
        Waiting.until("theirs is gone", () -> !texts().contains("their answer"));
        assertEquals(
                "ours is not theirs to delete",
                "an answer",
                message(answer).path("text").asText());
        assertTrue(message(slip).path("deleted").asBoolean());
    }

    /** Answers its id. */
    private static String rumor(JsonNode key, String to, int kind, String text, String about) throws Exception {
        ObjectNode arguments = as(key).put("to", to).put("kind", kind).put("text", text);
        if (!about.isEmpty()) {
            arguments.putArray("tags").addArray().add("e").add(about);
        }
        return peers.run("sendRumor", arguments).path("id").asText();
    }

    private static JsonNode of(JsonNode inbox, int kind, String text) {
        for (JsonNode each : inbox) {
            if (each.path("kind").asInt() == kind && each.path("text").asText().equals(text)) {
                return each;
            }
        }
        throw new AssertionError("none of kind " + kind + ": " + inbox);
    }

    private static String target(JsonNode rumor) {
        for (JsonNode tag : rumor.path("tags")) {
            if (tag.path(0).asText().equals("e")) {
                return tag.path(1).asText();
            }
        }
        return "";
    }

    private static JsonNode message(JsonNode sent) throws Exception {
        return found("id", sent.path("id").asText());
    }

    private static JsonNode byText(String text) throws Exception {
        return found("text", text);
    }

    private static JsonNode found(String member, String value) throws Exception {
        for (JsonNode message :
                node.json("inbox", "--as", "alice", "-n", "1000").path("messages")) {
            if (message.path(member).asText().equals(value)) {
                return message;
            }
        }
        return Peers.JSON.createObjectNode();
    }

    @Test
    public void aWrapDated47HoursBackAndPublishedAfterANewerOneIsShown() throws Exception {
        JsonNode key = peers.run("key", Peers.arguments());
        String to = alice.path("pubkey").asText();
        peers.run(
                "sendBackdated", as(key).put("to", to).put("text", "newer wrap").put("hours", 1));
        Waiting.until("the newer one is shown", () -> texts().contains("newer wrap"));
        assertEquals(0, node.run("", "stop").exit());
        node.start();
        peers.run(
                "sendBackdated",
                as(key).put("to", to).put("text", "older wrap, live").put("hours", 47));
        Waiting.until("live", () -> texts().contains("older wrap, live"));
    }

    private static ObjectNode at() {
        return Peers.arguments().put("url", node.relayUrl().toString());
    }

    private static ObjectNode as(JsonNode key) {
        return at().put("sk", key.path("sk").asText());
    }

    private static List<String> texts() throws Exception {
        List<String> texts = new ArrayList<>();
        node.json("inbox", "--as", "alice")
                .path("messages")
                .forEach(m -> texts.add(m.path("text").asText()));
        return texts;
    }
}
