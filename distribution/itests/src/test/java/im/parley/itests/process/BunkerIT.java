package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** NIP-46 in both directions beside nostr-tools, which we did not write. */
public class BunkerIT {
    private Peers peers;
    private DistributionNode node;

    @Before
    public void start() throws Exception {
        peers = Peers.install();
        node = DistributionNode.create("bunker");
        node.start();
    }

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void nostrToolsActsWithAnIdentityOfOurs() throws Exception {
        String alice = node.json("identity", "new", "alice").path("pubkey").asText();
        String url = node.json("bunker", "new", "--as", "alice", "--for", "a client")
                .path("url")
                .asText();
        JsonNode first = client(Peers.arguments().put("bunker", url));
        String all = first.toString();
        assertTrue(all, first.path("connected").path("ok").asBoolean());
        assertEquals(all, alice, first.path("user").asText());
        assertFalse(all, alice.equals(first.path("signer").asText()));
        assertTrue(all, first.path("verified").asBoolean());
        assertEquals(
                all, alice, first.path("signed").path("value").path("pubkey").asText());
        assertEquals(
                "signed \"elsewhere\" \u2713\n",
                first.path("signed").path("value").path("content").asText());
        assertEquals(all, "for a peer", first.path("encrypted").asText());
        assertEquals(all, "for the user", first.path("decrypted").path("value").asText());
        assertTrue(all, first.path("seal").path("error").asText().startsWith("sign.kind-denied"));
        assertTrue(all, first.path("other").path("error").asText().startsWith("sign.other-identity"));
        assertTrue(all, first.path("legacy").path("error").asText().contains("nip44"));
        assertEquals(
                all, "unsupported method", first.path("unknown").path("error").asText());

        JsonNode second = client(Peers.arguments().put("bunker", url).put("patience", 4_000));
        assertFalse(
                "the secret admits once", second.path("connected").path("ok").asBoolean());
        JsonNode listed = node.json("bunker", "list").path("clients");
        assertEquals(listed.toString(), 1, listed.size());
        assertFalse(listed.toString(), listed.get(0).path("client").asText().isEmpty());

        assertEquals(0, node.run("", "stop").exit());
        node.start();
        ObjectNode again = Peers.arguments()
                .put("bunker", url)
                .put("sk", first.path("sk").asText())
                .put("connect", false);
        JsonNode third = client(again);
        assertTrue("after a restart: " + third, third.path("verified").asBoolean());

        node.json("bunker", "revoke", "a client");
        JsonNode fourth = client(again.deepCopy().put("patience", 4_000));
        assertFalse(
                "after it was revoked: " + fourth,
                fourth.path("ping").path("ok").asBoolean());
        assertEquals(0, node.json("bunker", "list").path("clients").size());
        Canaries secrets = new Canaries().text("secret", first.path("secret").asText());
        assertEquals(List.of(), secrets.search(node.files()));
    }

    @Test
    public void kindsAreGrantedByNameAndAClientMayLeave() throws Exception {
        node.json("identity", "new", "alice");
        String url = node.json("bunker", "new", "--for", "seals", "--kinds", "13", "--sign-only")
                .path("url")
                .asText();
        JsonNode told = client(Peers.arguments().put("bunker", url).put("logout", true));
        String all = told.toString();
        assertTrue(all, told.path("seal").path("ok").asBoolean());
        assertTrue(all, told.path("signed").path("error").asText().startsWith("sign.kind-denied"));
        assertTrue(all, told.path("decrypted").path("error").asText().startsWith("nip44.denied"));
        assertTrue(all, told.path("logout").path("ok").asBoolean());
        Waiting.until(
                "it left", () -> node.json("bunker", "list").path("clients").isEmpty());
        DistributionNode.Result bad = node.run("", "bunker", "new", "--for", "x", "--kinds", "13,99999");
        assertTrue(bad.err(), bad.err().contains("Code: bunker.bad-kinds"));
    }

    @Test
    public void anIdentityAtNostrToolsWritesAndReads() throws Exception {
        JsonNode alice = node.json("identity", "new", "alice");
        JsonNode signer = peers.run("key", Peers.arguments());
        JsonNode user = peers.run("key", Peers.arguments());
        String approval = "https://signer.example/approve?id=1";
        try (Peers.Bunker bunker = peers.bunker(at(signer, user).put("approval", approval))) {
            DistributionNode.Result connected = node.run(bunker.url() + "\n", "identity", "connect", "bob", "--stdin");
            assertEquals(connected.err(), 0, connected.exit());
            assertTrue(connected.err(), connected.err().contains(approval));
            JsonNode listed = node.json("identity", "list").path("accounts");
            assertEquals(listed.toString(), 2, listed.size());
            assertEquals(
                    user.path("pk").asText(),
                    account(listed, "bob").path("pubkey").asText());
            DistributionNode.Result export = node.run("a sentence of my own\n", "identity", "export", "bob", "--stdin");
            assertTrue(export.err(), export.err().contains("Code: identity.no-export"));
            exchange(alice, "before");

            assertEquals(0, node.run("", "stop").exit());
            node.start();
        }
        // The same signer again: the connection is restored without a new invitation.
        try (Peers.Bunker bunker = peers.bunker(at(signer, user).put("known", true))) {
            assertFalse(bunker.url().isEmpty());
            exchange(alice, "after");
        }
        Canaries secrets = new Canaries().text("secret", "a-secret-that-admits-once");
        assertEquals(List.of(), secrets.search(node.files()));
    }

    @Test
    public void aSignerThatChangesWhatItSignsIsNotUsed() throws Exception {
        node.json("identity", "new", "alice");
        JsonNode signer = peers.run("key", Peers.arguments());
        JsonNode user = peers.run("key", Peers.arguments());
        try (Peers.Bunker bunker = peers.bunker(at(signer, user).put("change", "!"))) {
            DistributionNode.Result connected = node.run(bunker.url() + "\n", "identity", "connect", "bob", "--stdin");
            assertEquals(connected.err(), 0, connected.exit());
            DistributionNode.Result twice = node.run(bunker.url() + "\n", "identity", "connect", "carol", "--stdin");
            assertEquals("the secret admits once: " + twice.err(), 1, twice.exit());
            assertTrue(twice.err(), twice.err().contains("Code: nip46.refused"));
            node.json(
                    "send",
                    "--as",
                    "bob",
                    node.json("identity", "list")
                            .path("accounts")
                            .get(0)
                            .path("npub")
                            .asText(),
                    "never signed");
            Waiting.until(
                    "the ledger says why", () -> node.json("ledger").toString().contains("nip46.result-mismatch"));
            assertFalse(texts("alice").contains("never signed"));
        }
    }

    private void exchange(JsonNode alice, String when) throws Exception {
        node.json("send", "--as", "bob", alice.path("npub").asText(), when + ": signed elsewhere");
        Waiting.until(when + ": alice has it", () -> texts("alice").contains(when + ": signed elsewhere"));
        node.json("send", "--as", "alice", "bob", when + ": opened elsewhere");
        Waiting.until(when + ": bob has it", () -> texts("bob").contains(when + ": opened elsewhere"));
    }

    private JsonNode client(ObjectNode arguments) throws Exception {
        return peers.run("nip46.mjs", "client", arguments);
    }

    private ObjectNode at(JsonNode signer, JsonNode user) {
        return Peers.arguments()
                .put("relay", node.relayUrl().toString())
                .put("sk", signer.path("sk").asText())
                .put("user", user.path("sk").asText())
                .put("secret", "a-secret-that-admits-once");
    }

    private static JsonNode account(JsonNode accounts, String name) {
        for (JsonNode account : accounts) {
            if (account.path("name").asText().equals(name)) {
                return account;
            }
        }
        throw new AssertionError("no " + name + " in " + accounts);
    }

    private List<String> texts(String account) throws Exception {
        List<String> texts = new ArrayList<>();
        node.json("inbox", "--as", account)
                .path("messages")
                .forEach(m -> texts.add(m.path("text").asText()));
        return texts;
    }
}
