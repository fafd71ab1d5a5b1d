package im.parley.itests.process;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.protocol.Nip19;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.FixMethodOrder;
import org.junit.Test;
import org.junit.runners.MethodSorters;

/** The first five minutes of a newcomer, on the real distribution, and what they leave behind on the disk. */
@FixMethodOrder(MethodSorters.NAME_ASCENDING)
public class FirstConversationIT {
    private static final List<String> TEXTS = List.of(
            "Hello Bob, canary-plaintext-7f3a91",
            "مرحبا بوب، كيف حالك؟",
            "नमस्ते बॉब, कैसे हो?",
            "👋🏽 emoji 👨‍👩‍👧‍👦 🏳️‍🌈");

    private static DistributionNode node;
    private static JsonNode alice;
    private static JsonNode bob;

    @BeforeClass
    public static void start() throws Exception {
        node = DistributionNode.create("first");
        node.start();
    }

    @AfterClass
    public static void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void a_twoIdentitiesTalkBothWays() throws Exception {
        alice = node.json("identity", "new", "alice");
        bob = node.json("identity", "new", "bob");
        for (String text : TEXTS) {
            node.json("send", "--as", "alice", "bob", text);
            node.json("send", "--as", "bob", "alice", "re: " + text);
        }
        Waiting.until(
                "all messages are on both sides",
                () -> received("bob").containsAll(TEXTS)
                        && received("alice")
                                .containsAll(TEXTS.stream().map(t -> "re: " + t).toList()));
        assertEquals("each is shown once, in order", TEXTS, received("bob"));
        assertEquals(TEXTS.stream().map(t -> "re: " + t).toList(), received("alice"));
    }

    @Test
    public void b_theLedgerIsExactAndNothingFailedOrWaits() throws Exception {
        Waiting.until("everything is at relays", () -> {
            JsonNode totals = totals();
            return DistributionNode.arrived(totals) == 2L * TEXTS.size();
        });
        JsonNode ledger = node.json("ledger");
        assertTrue(ledger.toString(), ledger.path("exact").asBoolean());
        assertEquals(2L * TEXTS.size(), ledger.path("sent").asLong());
        assertEquals(0, totals().path("failed").asLong());
        assertEquals(0, totals().path("queued").asLong());
    }

    @Test
    public void c_textFromStandardInputIsSentAsItIs() throws Exception {
        String text = "two lines\nand \"quotes\" from stdin";
        DistributionNode.Result sent = node.run(text, "send", "--as", "alice", "bob", "--stdin");
        assertEquals(sent.out() + sent.err(), 0, sent.exit());
        Waiting.until("it arrives", () -> received("bob").contains(text));
    }

    @Test
    public void d_everythingIsThereAfterARestart() throws Exception {
        List<String> before = received("bob");
        assertEquals(0, node.run("", "stop").exit());
        node.start();
        assertEquals(before, received("bob"));
        node.json("send", "--as", "alice", "bob", "after the restart");
        Waiting.until("the conversation goes on", () -> received("bob").contains("after the restart"));
        assertTrue(node.json("ledger").path("exact").asBoolean());
    }

    @Test
    public void g_DB_06_noPlaintextAndNoKeyOnDiskOrInLogs() throws Exception {
        Canaries canaries = new Canaries();
        for (String text : TEXTS) {
            canaries.text("message text " + TEXTS.indexOf(text), text);
        }
        List<File> files = node.files();
        assertTrue("there are files to search", files.size() > 20);
        assertEquals(List.of(), canaries.search(files));

        // The scanner finds what is there: the same text planted in a file, and through the API it is shown.
        Path planted = node.base().resolve("planted.bin");
        Files.writeString(planted, "xx" + TEXTS.get(1) + "yy");
        assertEquals(1, canaries.search(List.of(planted.toFile())).size());
        Files.delete(planted);
        assertTrue(received("bob").contains(TEXTS.get(1)));
    }

    @Test
    public void h_DB_06_PL_18_aKeyIsNowhereInTheClear() throws Exception {
        byte[] key = new byte[32];
        new SecureRandom().nextBytes(key);
        key[0] = 1;
        String hex = HexFormat.of().formatHex(key);
        String nsec = Nip19.nsec(key);
        DistributionNode.Result imported = node.run(nsec, "identity", "import", "known", "--stdin");
        assertEquals(imported.out() + imported.err(), 0, imported.exit());
        node.json("send", "--as", "known", "alice", "signed by a key that is known");
        // Mistakes that people make: each is refused, and none may repeat or log what was typed.
        for (String[] mistake : new String[][] {
            {"send", "--as", "known", nsec, "hi"},
            {"contact", "add", nsec},
            {"identity", "new", nsec},
            {"relay", "add", "ws://" + hex}
        }) {
            DistributionNode.Result refused = node.run("", mistake);
            assertNotEquals(0, refused.exit());
            assertFalse(refused.out() + refused.err(), (refused.out() + refused.err()).contains(nsec.substring(5)));
        }
        Canaries canaries = new Canaries()
                .bytes("the key", key)
                .text("the key in hex", hex)
                .text("the key as nsec", nsec.substring(5));
        assertEquals(0, node.run("", "stop").exit());
        assertEquals("stopped", List.of(), canaries.search(node.files()));
        node.start();
        Waiting.until("it arrives", () -> received("alice").contains("signed by a key that is known"));
        List<File> files = node.files();
        assertEquals("started again", List.of(), canaries.search(files));
        for (String place : List.of("/cache/.*\\.config", "/cache/bundle[0-9]+/", "/providers/", "/logs/")) {
            assertTrue(
                    place + " is among what was searched",
                    files.stream().anyMatch(file -> file.getPath().matches(".*" + place + ".*")));
        }

        Path planted = node.base().resolve("planted.bin");
        for (byte[] each : List.of(key, hex.getBytes(UTF_8), nsec.getBytes(UTF_8))) {
            Files.write(planted, each);
            assertEquals(1, canaries.search(List.of(planted.toFile())).size());
        }
        Files.delete(planted);
    }

    @Test
    public void e_nothingConnectedAnywhere() throws Exception {
        // One node alone reaches its own relay inside the process: the egress log must be empty.
        JsonNode log = node.json("egress");
        assertEquals(log.toString(), 0, log.path("entries").size());
        assertEquals(List.of(), node.egressLog());
    }

    @Test
    public void f_refusalsSayWhatWhyAndWhatNext() throws Exception {
        DistributionNode.Result unknown = node.run("", "send", "--as", "alice", "nobody-i-know", "hi", "--json");
        assertEquals(1, unknown.exit());
        assertTrue(unknown.out() + unknown.err(), (unknown.out() + unknown.err()).contains("recipient.unknown"));
        DistributionNode.Result usage = node.run("", "send");
        assertEquals(2, usage.exit());
        assertFalse(usage.err().contains("Exception"));
    }

    private static JsonNode totals() throws Exception {
        return node.json("ledger").path("byState");
    }

    private static List<String> received(String account) throws Exception {
        List<String> texts = new ArrayList<>();
        for (JsonNode message : node.json("inbox", "--as", account).path("messages")) {
            if (!message.path("outgoing").asBoolean()) {
                texts.add(message.path("text").asText());
            }
        }
        return texts;
    }
}
