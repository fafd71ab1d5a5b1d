package im.parley.itests.process;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.Test;

/** The relay cases on the real relay over real sockets: who may read a wrap, who may authenticate, what is refused. */
public class RelaySocketIT {
    private static DistributionNode node;
    private static URI url;
    private static TestKey alice;
    private static TestKey bob;
    private static TestKey sender;
    private static JsonNode wrap;
    private static JsonNode note;

    @BeforeClass
    public static void publishAWrapForAlice() throws Exception {
        node = DistributionNode.create("relay-sockets");
        node.start("--only", "infrastructure");
        url = node.relayUrl();
        alice = new TestKey();
        bob = new TestKey();
        sender = new TestKey();
        try (RelaySocket socket = RelaySocket.open(url)) {
            String wrapJson =
                    sender.sign(1059, List.of(List.of("p", alice.pubkey().hex())), "opaque");
            String noteJson = sender.sign(1, List.of(), "public");
            assertTrue(socket.publish(wrapJson).get(2).asBoolean());
            assertTrue(socket.publish(noteJson).get(2).asBoolean());
            wrap = Peers.JSON.readTree(wrapJson);
            note = Peers.JSON.readTree(noteJson);
        }
    }

    @AfterClass
    public static void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void RL_01_wrapsAreNotServedToNobodyNorToSomebodyElse() throws Exception {
        try (RelaySocket socket = RelaySocket.open(url)) {
            RelaySocket.Answer unauthenticated = socket.request("a", "{\"kinds\":[1059]}");
            assertTrue(unauthenticated.closed(), unauthenticated.closed().startsWith("auth-required:"));
            assertTrue(unauthenticated.events().isEmpty());

            assertTrue(socket.authenticate(bob, url).get(2).asBoolean());
            RelaySocket.Answer asBob = socket.request(
                    "b", "{\"kinds\":[1059],\"#p\":[\"" + alice.pubkey().hex() + "\"]}");
            assertTrue(asBob.closed(), asBob.closed().startsWith("restricted:"));
            assertTrue(asBob.events().isEmpty());
        }
    }

    @Test
    public void RL_02_noFilterLeaksAWrapAndTheAllowedPartIsServed() throws Exception {
        String wrapId = wrap.get("id").asText();
        String noteId = note.get("id").asText();
        String a = alice.pubkey().hex();
        Map<String, String[]> filters = new LinkedHashMap<>();
        filters.put("kindless p", new String[] {"{\"#p\":[\"" + a + "\"]}"});
        filters.put("ids of the wrap", new String[] {"{\"ids\":[\"" + wrapId + "\"]}"});
        filters.put("everything", new String[] {"{}"});
        filters.put("since 0", new String[] {"{\"since\":0}"});
        filters.put("author", new String[] {"{\"authors\":[\"" + sender.pubkey().hex() + "\"]}"});
        filters.put("mixed kinds", new String[] {"{\"kinds\":[1,1059]}"});
        filters.put("two filters", new String[] {"{\"kinds\":[1]}", "{\"kinds\":[1059]}"});
        filters.put("both ids", new String[] {"{\"ids\":[\"" + wrapId + "\",\"" + noteId + "\"]}"});
        filters.put("limit 1", new String[] {"{\"limit\":1}"});
        filters.put("kinds 1059 and 21059", new String[] {"{\"kinds\":[1059,21059]}"});
        filters.put("p and author", new String[] {
            "{\"#p\":[\"" + a + "\"],\"authors\":[\"" + sender.pubkey().hex() + "\"]}"
        });
        filters.put("until far", new String[] {"{\"until\":4000000000}"});

        for (String who : List.of("nobody", "bob", "sender", "alice")) {
            try (RelaySocket socket = RelaySocket.open(url)) {
                switch (who) {
                    case "bob" ->
                        assertTrue(socket.authenticate(bob, url).get(2).asBoolean());
                    case "sender" ->
                        assertTrue(socket.authenticate(sender, url).get(2).asBoolean());
                    case "alice" ->
                        assertTrue(socket.authenticate(alice, url).get(2).asBoolean());
                    default -> {}
                }
                for (Map.Entry<String, String[]> filter : filters.entrySet()) {
                    String label = who + " with " + filter.getKey();
                    List<String> ids = ids(socket.request("s", filter.getValue()));
                    boolean couldMatchWrap = !filter.getKey().equals("limit 1");
                    if (who.equals("alice") && couldMatchWrap) {
                        assertTrue(label + " misses her own wrap", ids.contains(wrapId));
                    }
                    if (!who.equals("alice")) {
                        assertFalse(label + " leaks the wrap", ids.contains(wrapId));
                    }
                    if (List.of(
                                    "everything",
                                    "since 0",
                                    "author",
                                    "mixed kinds",
                                    "two filters",
                                    "both ids",
                                    "until far")
                            .contains(filter.getKey())) {
                        assertTrue(label + " misses the public note", ids.contains(noteId));
                    }
                }
            }
        }
    }

    @Test
    public void RL_04_liveWrapsWaitForAuthenticationAndEphemeralOnesAreNeverStored() throws Exception {
        TestKey carol = new TestKey();
        String filter = "{\"#p\":[\"" + carol.pubkey().hex() + "\"]}";
        try (RelaySocket reader = RelaySocket.open(url);
                RelaySocket writer = RelaySocket.open(url)) {
            reader.request("live", filter);
            reader.request(
                    "fence", "{\"kinds\":[1],\"authors\":[\"" + sender.pubkey().hex() + "\"],\"limit\":0}");
            String before =
                    sender.sign(1059, List.of(List.of("p", carol.pubkey().hex())), "before");
            assertTrue(writer.publish(before).get(2).asBoolean());
            // An OK may come a moment before live delivery: what is published behind it shows that it has passed.
            assertTrue(writer.publish(sender.sign(1, List.of(), "fence")).get(2).asBoolean());
            JsonNode fence = reader.next(f -> f.get(0).asText().equals("EVENT"));
            assertEquals("fence", fence.get(2).get("content").asText());
            assertTrue(reader.authenticate(carol, url).get(2).asBoolean());
            assertTrue(
                    "nothing was delivered before AUTH",
                    reader.drain().stream().noneMatch(f -> f.get(0).asText().equals("EVENT")));

            String after = sender.sign(1059, List.of(List.of("p", carol.pubkey().hex())), "after");
            assertTrue(writer.publish(after).get(2).asBoolean());
            JsonNode live = reader.next(f -> f.get(0).asText().equals("EVENT"));
            assertEquals("after", live.get(2).get("content").asText());

            String ephemeral =
                    sender.sign(21059, List.of(List.of("p", carol.pubkey().hex())), "gone");
            writer.publish(ephemeral);
            JsonNode delivered = reader.next(f -> f.get(0).asText().equals("EVENT"));
            assertEquals("gone", delivered.get(2).get("content").asText());
            List<String> stored = ids(reader.request("again", filter));
            assertEquals("the two kind 1059 wraps and not the ephemeral one", 2, stored.size());
        }
    }

    @Test
    public void RL_06_authenticationThatDoesNotFitIsRefused() throws Exception {
        try (RelaySocket other = RelaySocket.open(url);
                RelaySocket socket = RelaySocket.open(url)) {
            long now = java.time.Instant.now().getEpochSecond();
            List<String> mine = List.of("challenge", socket.challenge());
            List<String> here = List.of("relay", url.toString());
            record Attempt(String what, long at, int kind, List<List<String>> tags) {}
            int port = url.getPort();
            List<Attempt> attempts = List.of(
                    new Attempt(
                            "other connection's challenge",
                            now,
                            22242,
                            List.of(here, List.of("challenge", other.challenge()))),
                    new Attempt("made-up challenge", now, 22242, List.of(here, List.of("challenge", "stale"))),
                    new Attempt(
                            "other port", now, 22242, List.of(List.of("relay", "ws://127.0.0.1:" + (port + 1)), mine)),
                    new Attempt("other path", now, 22242, List.of(List.of("relay", url + "/other"), mine)),
                    new Attempt("userinfo", now, 22242, List.of(List.of("relay", "ws://x@127.0.0.1:" + port), mine)),
                    new Attempt("other host", now, 22242, List.of(List.of("relay", "ws://relay.example.com"), mine)),
                    new Attempt(
                            "look-alike host",
                            now,
                            22242,
                            List.of(List.of("relay", "ws://127.0.0.\u0661:" + port), mine)),
                    new Attempt("601 s old", now - 602, 22242, List.of(here, mine)),
                    new Attempt("601 s ahead", now + 603, 22242, List.of(here, mine)),
                    new Attempt("kind 1", now, 1, List.of(here, mine)),
                    new Attempt("two challenges", now, 22242, List.of(here, mine, List.of("challenge", "x"))));
            for (Attempt attempt : attempts) {
                String event = alice.sign(attempt.at(), attempt.kind(), attempt.tags(), "");
                String id = Peers.JSON.readTree(event).get("id").asText();
                socket.send("[\"AUTH\"," + event + "]");
                JsonNode ok = socket.next(
                        f -> f.get(0).asText().equals("OK") && f.get(1).asText().equals(id));
                assertFalse(attempt.what(), ok.get(2).asBoolean());
                assertTrue(attempt.what() + ": " + ok, ok.get(3).asText().startsWith("invalid:"));
                assertTrue(
                        attempt.what() + " was stored",
                        ids(socket.request("x", "{\"ids\":[\"" + id + "\"]}")).isEmpty());
            }
            String good = alice.sign(22242, List.of(here, mine), "");
            String badSig =
                    good.replaceAll("\"sig\":\"..", "\"sig\":\"" + (good.contains("\"sig\":\"00") ? "11" : "00"));
            socket.send("[\"AUTH\"," + badSig + "]");
            JsonNode ok = socket.next(f -> f.get(0).asText().equals("OK"));
            assertFalse("bad signature", ok.get(2).asBoolean());
            assertTrue(socket.authenticate(alice, url).get(2).asBoolean());
        }
    }

    @Test
    public void RL_08_kindsThatAreNotForRelaysAreBlocked() throws Exception {
        try (RelaySocket socket = RelaySocket.open(url)) {
            for (int kind : new int[] {13, 22242, 24242, 27235}) {
                JsonNode ok = socket.publish(sender.sign(kind, List.of(), ""));
                assertFalse("kind " + kind, ok.get(2).asBoolean());
                assertTrue(ok.get(3).asText(), ok.get(3).asText().startsWith("blocked: kind-not-for-relays"));
            }
        }
    }

    @Test
    public void RL_03_RL_09_RL_11_RL_12_requestsAreHonouredOnDiskAndOverARestart() throws Exception {
        TestKey writer = new TestKey();
        TestKey carol = new TestKey();
        TestKey once = new TestKey();
        String mine = "{\"authors\":[\"" + writer.pubkey().hex() + "\"],\"kinds\":[0,1]}";
        String toCarol = "{\"kinds\":[1059],\"#p\":[\"" + carol.pubkey().hex() + "\"]}";
        String note = writer.sign(1, List.of(), "delete me");
        String profile = writer.sign(0, List.of(), "{}");
        String forCarol = once.sign(1059, List.of(List.of("p", carol.pubkey().hex())), "opaque");
        try (RelaySocket socket = RelaySocket.open(url)) {
            for (String event : List.of(note, profile, forCarol)) {
                assertTrue(socket.publish(event).get(2).asBoolean());
            }
            assertEquals(2, count(socket, mine));
            assertEquals(0, count(socket, "{\"#p\":[\"" + carol.pubkey().hex() + "\"]}"));
            socket.authenticate(carol, url);
            assertEquals(1, count(socket, toCarol));
            String noteId = Peers.JSON.readTree(note).path("id").asText();
            String wrapId = Peers.JSON.readTree(forCarol).path("id").asText();
            socket.publish(writer.sign(
                    5,
                    List.of(
                            List.of("e", noteId),
                            List.of("a", "0:" + writer.pubkey().hex() + ":")),
                    ""));
            socket.publish(carol.sign(5, List.of(List.of("e", wrapId)), ""));
            assertEquals(0, count(socket, mine));
            assertEquals(0, count(socket, toCarol));
        }
        assertEquals(0, node.run("", "stop").exit());
        node.start("--only", "infrastructure");
        try (RelaySocket socket = RelaySocket.open(url)) {
            for (String event : List.of(note, profile, forCarol)) {
                JsonNode answer = socket.publish(event);
                assertTrue(answer.toString(), answer.get(3).asText().startsWith("blocked: deleted"));
            }
            assertTrue(
                    socket.publish(writer.sign(1, List.of(), "another")).get(2).asBoolean());
            socket.publish(writer.sign(62, List.of(List.of("relay", url.toString())), ""));
            assertEquals(0, count(socket, mine));
        }
        node.kill();
        node.start("--only", "infrastructure");
        try (RelaySocket socket = RelaySocket.open(url)) {
            assertEquals(0, count(socket, mine));
            JsonNode answer = socket.publish(note);
            assertTrue(answer.toString(), answer.get(3).asText().startsWith("blocked: "));
        }
    }

    private static int count(RelaySocket socket, String filter) throws Exception {
        socket.send("[\"COUNT\",\"c\"," + filter + "]");
        return socket.next(frame -> frame.get(0).asText().equals("COUNT"))
                .get(2)
                .path("count")
                .asInt();
    }

    @Test
    public void CR_11_oneEventInManySpellingsIsOneEvent() throws Exception {
        String event = sender.sign(1, List.of(), "A/\u00e9");
        JsonNode parsed = Peers.JSON.readTree(event);
        String reordered = "{\"content\" : \"\\u0041\\/\\u00e9\", \"sig\":" + parsed.get("sig")
                + ",\"tags\":[ ],\"kind\":1,"
                + "\"created_at\":" + parsed.get("created_at") + ",\"pubkey\":" + parsed.get("pubkey") + ",\"id\":"
                + parsed.get("id") + "}";
        try (RelaySocket socket = RelaySocket.open(url)) {
            assertEquals("", socket.publish(event).get(3).asText());
            JsonNode second = socket.publish(reordered);
            assertTrue(second.get(2).asBoolean());
            assertTrue(second.toString(), second.get(3).asText().startsWith("duplicate:"));
        }
    }

    @Test
    public void CR_09_CR_13_CR_15_CR_16_CR_18_badEventsGetTheirCode() throws Exception {
        String event = sender.sign(1, List.of(), "good?");
        Map<String, String> bad = new LinkedHashMap<>();
        bad.put("bad-unicode", event.replace("good?", "good\\ud800"));
        bad.put("duplicate-key", event.replace("\"content\":", "\"content\":\"evil\",\"content\":"));
        bad.put("created-at", event.replaceFirst("\"created_at\":\\d+", "\"created_at\":1.0"));
        bad.put("kind", event.replaceFirst("\"kind\":1", "\"kind\":65536"));
        bad.put("hex", event.replaceFirst("\"pubkey\":\"[0-9a-f]{2}", "\"pubkey\":\"AB"));
        bad.put("id", event.replace("good?", "evil!"));
        try (RelaySocket socket = RelaySocket.open(url)) {
            for (Map.Entry<String, String> each : bad.entrySet()) {
                socket.send("[\"EVENT\"," + each.getValue() + "]");
                JsonNode answer = socket.next(
                        f -> List.of("OK", "NOTICE").contains(f.get(0).asText()));
                String text = answer.get(answer.size() - 1).asText();
                assertTrue(each.getKey() + " got " + answer, text.startsWith("invalid: " + each.getKey()));
            }
            assertTrue(
                    "the connection still works", socket.publish(event).get(2).asBoolean());
        }
    }

    @Test
    public void WS_01_CR_10_hostileFramesCloseTheSocketWithTheirCode() throws Exception {
        // By hand: a library that is still writing when the relay hangs up may never read the code.
        byte[] tooLong = ("[\"REQ\",\"x\",{\"ids\":[\"" + "a".repeat(3 << 20) + "\"]}]").getBytes(US_ASCII);
        assertEquals(1009, RawWebSocket.closeCodeFor(url, tooLong));
        assertEquals(1007, RawWebSocket.closeCodeFor(url, new byte[] {(byte) 0xC0, (byte) 0xAF}));
        assertEquals(1007, RawWebSocket.closeCodeFor(url, new byte[] {(byte) 0xED, (byte) 0xA0, (byte) 0x80}));
        assertEquals(1009, RawWebSocket.closeCodeForInflating(url, 100 << 20));
        try (RelaySocket socket = RelaySocket.open(url)) {
            assertTrue(
                    "others are still served",
                    socket.publish(sender.sign(1, List.of(), "still here"))
                            .get(2)
                            .asBoolean());
        }
    }

    private static List<String> ids(RelaySocket.Answer answer) {
        List<String> ids = new ArrayList<>();
        answer.events().forEach(event -> ids.add(event.get("id").asText()));
        return ids;
    }
}
