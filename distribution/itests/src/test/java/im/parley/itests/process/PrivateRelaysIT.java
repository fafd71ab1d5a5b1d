package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import im.parley.api.event.PublicKey;
import im.parley.protocol.Nip19;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** People whose lists of inbox relays lead into the machine of whoever writes to them. */
public class PrivateRelaysIT {
    private static final int ENDLESS = 10_000;
    /** Below the 64 KiB that a list may have. */
    private static final int LONG = 1_000;

    private Peers peers;
    private ForeignRelay relay;
    private DistributionNode alice;
    private ConnectionCanary four;
    private ConnectionCanary six;

    @Before
    public void start() throws Exception {
        peers = Peers.install();
        twoCanariesOnOnePort();
        // Not ours, because ours would not take such a list.
        relay = ForeignRelay.create(peers);
        relay.start();
        alice = DistributionNode.create("alice");
        alice.start("--only", "personal");
        alice.json("identity", "new", "alice");
        alice.json("relay", "add", relay.url().toString());
    }

    private void twoCanariesOnOnePort() throws IOException {
        for (int attempt = 0; attempt < 100 && six == null; attempt++) {
            four = new ConnectionCanary("127.0.0.1", 0);
            try {
                six = new ConnectionCanary("::1", four.port());
            } catch (IOException taken) {
                four.close();
            }
        }
        if (six == null) {
            Peers.skip("this machine has no IPv6 loopback, so nothing watches [::1]");
        }
    }

    @After
    public void stop() throws Exception {
        for (AutoCloseable each : new AutoCloseable[] {alice, relay, four, six}) {
            if (each != null) {
                each.close();
            }
        }
    }

    @Test
    public void NT_11_noListOfAContactLeadsIntoThisMachine() throws Exception {
        int port = four.port();
        String tooLong = "ws://127.0.0.1:" + port + "/" + "x".repeat(2_048);
        List<String> junk = List.of(
                "http://127.0.0.1:" + port,
                "https://127.0.0.1:" + port + "/",
                "ws://user@127.0.0.1:" + port,
                "ws://user:secret@[::1]:" + port,
                tooLong,
                "ws://127.1:" + port,
                "ws://0x7f000001:" + port,
                "ws://2130706433:" + port,
                "ws://0177.0.0.1:" + port,
                "ws://[::1%25lo]:" + port,
                "ws://127.0.0.1:" + port + "#",
                "127.0.0.1:" + port,
                "");

        List<String> lead = with(junk, "ws://127.0.0.1:1527", "ws://[::1]:" + port);
        contact("endless", lead, ENDLESS);
        PublicKey longKey = contact("long", lead, LONG);
        List<String> spelled = List.of(
                "ws://127.0.0.1:" + port,
                "ws://[::1]:" + port,
                "wss://LOCALHOST:" + port,
                "ws://[::ffff:127.0.0.1]:" + port + "/mapped",
                "ws://0.0.0.0:" + port);
        contact("spelled", spelled, 0);
        contact("nothing", junk, 0);
        contact("named", with(junk, "ws://127.0.0.1:" + port, relay.url().toString()), 0);

        for (String to : List.of("endless", "long", "spelled", "nothing", "named")) {
            alice.json("send", to, "hello");
        }
        awaitLedger("endless", "queued recipient.no-relays");
        awaitLedger("long", "queued relay.private");
        awaitLedger("spelled", "queued relay.private");
        awaitLedger("nothing", "queued recipient.no-relays");
        // The relay the user added is used, private as it is.
        awaitLedger("named", "at relays");
        assertEquals("a list of 64 KiB is no list", List.of(), relays("endless"));
        assertTrue(alice.json("drops").path("drops").path("event.too-large").asLong() > 0);
        assertEquals(5, relays("long").size());
        assertEquals(
                List.of("ws://127.0.0.1:1527", "ws://[::1]:" + port),
                relays("long").subList(0, 2));
        assertEquals(5, relays("spelled").size());
        assertEquals(List.of(), relays("nothing"));
        assertEquals(List.of("ws://127.0.0.1:" + port, relay.url().toString()), relays("named"));
        // Who is looked up again is looked up at what was learned, too.
        alice.json("identity", "new", "work");
        alice.json("contact", "add", "--as", "work", "again", Nip19.npub(longKey));

        // One visit is the test's own: without it a canary that sees nothing would prove nothing.
        assertEquals("nobody came to 127.0.0.1", 1, four.visitsWithMine());
        assertEquals("nobody came to ::1", 1, six.visitsWithMine());
        Set<String> refused = new HashSet<>();
        for (JsonNode entry : alice.egressLog()) {
            String outcome = entry.path("outcome").asText();
            if (entry.path("port").asInt() == relay.url().getPort()) {
                assertEquals("connected", outcome);
            } else {
                assertEquals(entry.toString(), "egress.private", outcome);
                refused.add(
                        entry.path("host").asText() + ":" + entry.path("port").asInt());
            }
        }
        assertEquals(
                Set.of(
                        "127.0.0.1:1527",
                        "127.0.0.1:" + port,
                        "0:0:0:0:0:0:0:1:" + port,
                        "localhost:" + port,
                        "0.0.0.0:" + port),
                refused);
        System.out.println("lists of " + ENDLESS + ", " + LONG + ", " + spelled.size() + ", " + junk.size() + " and "
                + (junk.size() + 2) + " addresses: " + refused.size() + " private ones refused, no visit");

        // The same address, and the node does go there once the user says so.
        alice.json("relay", "add", "ws://127.0.0.1:" + port);
        Waiting.until("the node came to 127.0.0.1", () -> four.visits() > 1);
        alice.json("relay", "add", "ws://[::1]:" + port);
        Waiting.until("the node came to ::1", () -> six.visits() > 1);
    }

    /** Somebody who publishes that list, and more of it up to that length, and whom alice then adds with a bad hint. */
    private PublicKey contact(String name, List<String> addresses, int length) throws Exception {
        JsonNode key = peers.run("key", Peers.arguments());
        ObjectNode list = Peers.arguments()
                .put("url", relay.url().toString())
                .put("sk", key.path("sk").asText())
                .put("more", "ws://127.0.0.1:" + four.port() + "/")
                .put("total", length);
        addresses.forEach(list.putArray("relays")::add);
        peers.run("longInboxRelays", list);
        PublicKey pubkey = PublicKey.ofHex(key.path("pk").asText());
        String hint = "ws://127.0.0.1:" + four.port() + "/hint";
        alice.json("contact", "add", name, Nip19.nprofile(pubkey, List.of(hint)));
        return pubkey;
    }

    private List<String> relays(String contact) throws Exception {
        List<String> relays = new ArrayList<>();
        for (JsonNode each : alice.json("contact", "list").path("contacts")) {
            if (each.path("name").asText().equals(contact)) {
                each.path("relays").forEach(relay -> relays.add(relay.asText()));
            }
        }
        return relays;
    }

    /** Waits until the one message to that contact is in that state for that reason. */
    private void awaitLedger(String contact, String wanted) throws Exception {
        Waiting.until(contact + ": " + wanted, () -> {
            for (JsonNode entry : alice.json("ledger").path("entries")) {
                if (entry.path("recipientName").asText().equals(contact)) {
                    return (entry.path("state").asText() + " "
                                    + entry.path("reason").asText())
                            .startsWith(wanted);
                }
            }
            return false;
        });
    }

    private static List<String> with(List<String> junk, String... more) {
        List<String> all = new ArrayList<>(junk);
        all.addAll(List.of(more));
        return all;
    }
}
