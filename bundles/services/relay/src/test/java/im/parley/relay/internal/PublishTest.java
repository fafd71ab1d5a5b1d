package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Frames;
import im.parley.protocol.RelayFrame;
import im.parley.testkit.Await;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PublishTest {
    private final Bench bench = new Bench("PublishTest");
    private final TestKey alice = bench.key();

    @AfterEach
    void stop() {
        bench.close();
    }

    private static String changed(Event event, UnaryOperator<String> change) {
        String json = EventWriter.write(event);
        String other = change.apply(json);
        assertFalse(json.equals(other), "the test changed nothing");
        return "[\"EVENT\"," + other + "]";
    }

    private void refused(String token, Event event, UnaryOperator<String> change) {
        TestClient client = bench.client();
        String answer = client.answer(event, changed(event, change));
        assertTrue(answer.startsWith("false invalid: " + token), answer);
        assertEquals(0, bench.store.size());
    }

    @Test
    void anEventIsAnsweredTrueOnlyAfterTheStoreHasIt() {
        bench.store.gate = new CountDownLatch(1);
        TestClient client = bench.client();
        Event event = bench.note(alice, "kept");
        client.send(Frames.publish(event));
        Await.until("the commit waits", () -> bench.store.commits.get() == 1);
        assertEquals(0, client.countOk(event.id()));
        bench.store.gate.countDown();
        assertTrue(client.awaitOk(event.id()).accepted());
        assertTrue(bench.store.contains(event.id()));
        assertEquals(1, bench.relay.stored());
    }

    @Test
    void CR_09_loneSurrogateIsRefused() {
        Event event = bench.note(alice, "?");
        refused("bad-unicode", event, json -> json.replace("\"content\":\"?\"", "\"content\":\"\\ud800\""));
        refused("bad-unicode", event, json -> json.replace("\"content\":\"?\"", "\"content\":\"\ud800\""));
        assertEquals("true ", bench.client().publish(event));
    }

    @Test
    void CR_11_spellingsOfOneEventAreOneEvent() {
        Event event = bench.note(alice, "A/\u00e9");
        TestClient client = bench.client();
        assertEquals("true ", client.publish(event));
        List<String> spellings = List.of(
                changed(event, json -> json.replace("A/\u00e9", "\\u0041\\/\\u00e9")),
                changed(event, json -> json.replace(":", " :\t").replace(",", " ,\n")),
                "[\"EVENT\",{\"sig\":\"" + event.sig()
                        + "\",\"content\":\"A/\u00e9\",\"tags\":[],\"kind\":1,\"created_at\":" + event.createdAt()
                        + ",\"pubkey\":\"" + event.pubkey() + "\",\"id\":\"" + event.id() + "\"}]");
        for (String spelling : spellings) {
            String answer = client.answer(event, spelling);
            assertTrue(answer.startsWith("true duplicate:"), answer);
        }
        assertEquals(1, bench.store.size());
    }

    @Test
    void CR_13_duplicateKeysAreRefused() {
        Event event = bench.note(alice, "good");
        String id = event.id().hex();
        refused("duplicate-key", event, json -> json.replace("}", ",\"content\":\"evil\"}"));
        refused("duplicate-key", event, json -> json.replace("}", ",\"id\":\"" + id + "\"}"));
        refused("duplicate-key", event, json -> json.replace("}", ",\"pubkey\":\"" + event.pubkey() + "\"}"));
        refused("duplicate-key", event, json -> json.replace("}", ",\"ID\":\"" + id + "\"}"));
    }

    @Test
    void CR_14_deepNestingIsRefusedAndTheSessionLives() {
        TestClient client = bench.client();
        client.send("[".repeat(100_000));
        String notice = client.await(RelayFrame.Notice.class, n -> true).message();
        assertTrue(notice.startsWith("invalid: nesting"), notice);
        assertEquals("true ", client.publish(bench.note(alice, "still here")));
    }

    @Test
    void CR_15_createdAtAndKindAreStrictIntegers() {
        Event event = bench.note(alice, "x");
        String created = "\"created_at\":" + event.createdAt();
        for (String value : List.of(
                "-1",
                "-0",
                "1.0",
                "1e9",
                "1e400",
                "9007199254740992",
                "9223372036854775808",
                "\"1700000000\"",
                "null",
                "true")) {
            refused("created-at", event, json -> json.replace(created, "\"created_at\":" + value));
        }
        for (String value : List.of("-1", "65536", "1.5", "\"1\"")) {
            refused("kind", event, json -> json.replace("\"kind\":1,", "\"kind\":" + value + ","));
        }
        Event soon = alice.event(Bench.NOW + 900, 1, List.of(), "soon");
        Event late = alice.event(Bench.NOW + 901, 1, List.of(), "too soon");
        assertEquals("true ", bench.client().publish(soon));
        String answer = bench.client().publish(late);
        assertTrue(answer.startsWith("false invalid: created-at"), answer);
    }

    @Test
    void CR_16_hexIsLowerCaseAndComplete() {
        Event event = bench.note(alice, "x");
        String pubkey = event.pubkey().hex();
        String sig = event.sig().hex();
        for (String bad : List.of(
                pubkey.substring(1),
                pubkey + "0",
                "A" + pubkey.substring(1),
                "0x" + pubkey.substring(2),
                "\uff10" + pubkey.substring(1))) {
            refused("hex", event, json -> json.replace("\"" + pubkey + "\"", "\"" + bad + "\""));
        }
        refused("hex", event, json -> json.replace(sig, sig.substring(1)));
        refused("hex", event, json -> json.replace(sig, "F" + sig.substring(1)));
        // An id that is none cannot be answered under its name.
        TestClient client = bench.client();
        client.send(changed(
                event,
                json -> json.replace(event.id().hex(), "A" + event.id().hex().substring(1))));
        String notice = client.await(RelayFrame.Notice.class, n -> true).message();
        assertTrue(notice.startsWith("invalid: hex"), notice);
    }

    @Test
    void CR_18_idAndSignatureMustBeOfThisBody() {
        Event a = bench.note(alice, "body a");
        Event b = bench.note(alice, "body b");
        refused("id", a, json -> json.replace("body a", "body b"));
        refused("sig", b, json -> json.replace(b.sig().hex(), a.sig().hex()));
        Signature overHex = alice.sign(sha256(b.id().hex()));
        refused("sig", b, json -> json.replace(b.sig().hex(), overHex.hex()));
        TestClient client = bench.client();
        assertEquals("true ", client.publish(a));
        String answer = client.answer(a, changed(a, json -> json.replace("body a", "body b")));
        assertTrue(answer.startsWith("false invalid: id"), "a stored id with another body: " + answer);
    }

    private static byte[] sha256(String text) {
        try {
            return java.security.MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.US_ASCII));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void RL_08_kindsThatAreNotForRelaysAreBlocked() {
        TestClient listener = bench.client();
        listener.ask("all", "{}");
        for (int kind : List.of(13, 22242, 24242, 27235)) {
            Event event = alice.event(Bench.NOW, kind, List.of(), "");
            String answer = bench.client().publish(event);
            assertTrue(answer.startsWith("false blocked: kind-not-for-relays"), kind + ": " + answer);
        }
        Event after = bench.note(alice, "after");
        bench.client().publish(after);
        listener.awaitDelivered("all", after.id());
        assertEquals(List.of(after), listener.delivered("all"));
        assertEquals(1, bench.store.size());
        assertEquals(4L, bench.relay.drops().get("blocked.kind-not-for-relays"));
    }

    @Test
    void RL_21_duplicatesFromManySessionsAreStoredAndBroadcastOnce() {
        Event event = bench.note(alice, "once");
        TestClient listener = bench.client();
        listener.ask("live", "{\"kinds\":[1]}");
        bench.store.gate = new CountDownLatch(1);
        List<TestClient> publishers = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            publishers.add(bench.client());
        }
        publishers.forEach(client -> client.send(Frames.publish(event)));
        bench.store.gate.countDown();
        publishers.forEach(client -> assertTrue(client.awaitOk(event.id()).accepted()));
        Event last = bench.note(alice, "last");
        publishers.get(0).publish(last);
        listener.awaitDelivered("live", last.id());
        assertEquals(List.of(event, last), listener.delivered("live"));
        assertEquals(2, bench.relay.stored());
        long plain = publishers.stream()
                .filter(client -> client.awaitOk(event.id()).message().isEmpty())
                .count();
        assertEquals(1, plain, "all but one are told duplicate");
    }

    @Test
    void aStoreThatIsAwayIsAnsweredErrorAndTheRetrySucceeds() {
        TestClient client = bench.client();
        Event event = bench.note(alice, "retry me");
        bench.store.commitFailure = new ProviderException(Kind.UNAVAILABLE, "storage.io-error", "disk");
        assertTrue(client.publish(event).startsWith("false error: storage.io-error"));
        bench.store.commitFailure = null;
        bench.storeSlot.put(null);
        assertTrue(client.publish(event).startsWith("false error: slot.empty"));
        bench.storeSlot.put(bench.store);
        bench.curveSlot.put(null);
        assertTrue(client.publish(event).startsWith("false error: slot.empty"));
        bench.curveSlot.put(TestKey.CURVE);
        assertEquals("true ", client.publish(event));
        assertEquals(Map.of("error.slot.empty", 2L, "error.storage.io-error", 1L), bench.relay.drops());
    }

    @Test
    void oneEventTheStoreChokesOnDoesNotTakeOthersDown() {
        bench.store.gate = new CountDownLatch(1);
        TestClient client = bench.client();
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            events.add(bench.note(alice, "n" + i));
        }
        bench.store.poison = events.get(5).id();
        events.forEach(event -> client.send(Frames.publish(event)));
        Await.until("a commit waits", () -> bench.store.commits.get() >= 1);
        bench.store.gate.countDown();
        for (int i = 0; i < 10; i++) {
            assertEquals(i != 5, client.awaitOk(events.get(i).id()).accepted());
        }
        assertEquals(9, bench.store.size());
    }

    @Test
    void theOlderOfTwoReplaceableEventsIsAnsweredDuplicate() {
        TestClient client = bench.client();
        Event newer = alice.event(Bench.NOW, 10002, List.of(), "newer");
        Event older = alice.event(Bench.NOW - 1, 10002, List.of(), "older");
        assertEquals("true ", client.publish(newer));
        assertTrue(client.publish(older).startsWith("true duplicate:"));
        assertEquals(List.of(newer), client.ask("r", "{\"kinds\":[10002]}").events());
    }

    @Test
    void ephemeralEventsReachListenersAndAreNeverStored() {
        TestClient publisher = bench.client();
        Event unheard = alice.event(Bench.NOW, 20001, List.of(), "hello?");
        assertTrue(publisher.publish(unheard).startsWith("false mute:"));
        TestClient listener = bench.client();
        listener.ask("e", "{\"kinds\":[20001]}");
        assertEquals("true ", publisher.publish(unheard));
        assertTrue(publisher.publish(unheard).startsWith("true duplicate:"));
        listener.awaitDelivered("e", unheard.id());
        assertEquals(1, listener.delivered("e").size());
        assertEquals(0, bench.store.size());
    }

    @Test
    void limitsOfAnEventAreEnforced() {
        List<List<String>> tags = new ArrayList<>();
        for (int i = 0; i <= 2000; i++) {
            tags.add(List.of("x", "y"));
        }
        String tooMany = bench.client().publish(alice.event(Bench.NOW, 1, tags, ""));
        assertTrue(tooMany.startsWith("false invalid: tags"), tooMany);
        String tooLong = bench.client().publish(alice.event(Bench.NOW, 1, List.of(), "x".repeat(102_401)));
        assertTrue(tooLong.startsWith("false invalid: content"), tooLong);
        assertEquals("true ", bench.client().publish(alice.event(Bench.NOW, 1, List.of(), "x".repeat(102_400))));
    }

    @Test
    void aMessageAboveTheLimitEndsTheConnection() {
        TestClient client = bench.client();
        client.send("[\"EVENT\",\"" + "\u00e9".repeat(65_536) + "\"]");
        assertTrue(client.awaitEnd().startsWith("1009 "));
        Await.until("the relay forgot the client", () -> bench.relay.connections() == 0);
    }

    @Test
    void RL_15_anEventForItsAuthorOnlyNeedsItsAuthor() {
        Event event = alice.event(Bench.NOW, 1, List.of(List.of("-")), "protected");
        assertTrue(bench.client().publish(event).startsWith("false auth-required:"));
        assertTrue(bench.client(bench.key()).publish(event).startsWith("false restricted:"));
        assertEquals("true ", bench.client(alice).publish(event));
    }

    @Test
    void eightSessionsPublishTwoHundredEachAndNothingIsLostOrReordered() {
        TestClient listener = bench.client();
        listener.ask("live", "{\"kinds\":[1]}");
        int sessions = 8;
        int each = 200;
        List<List<Event>> batches = new ArrayList<>();
        List<TestClient> clients = new ArrayList<>();
        for (int s = 0; s < sessions; s++) {
            TestKey key = bench.key();
            List<Event> batch = new ArrayList<>();
            for (int i = 0; i < each; i++) {
                batch.add(bench.note(key, "event " + i));
            }
            batches.add(batch);
            clients.add(bench.client());
        }
        long start = System.nanoTime();
        for (int i = 0; i < each; i++) {
            for (int s = 0; s < sessions; s++) {
                clients.get(s).send(Frames.publish(batches.get(s).get(i)));
            }
        }
        for (int s = 0; s < sessions; s++) {
            for (Event event : batches.get(s)) {
                assertEquals("", clients.get(s).awaitOk(event.id()).message());
            }
        }
        long millis = (System.nanoTime() - start) / 1_000_000;
        Await.until("all were delivered", () -> listener.delivered("live").size() == sessions * each);
        for (List<Event> batch : batches) {
            List<Event> got = listener.delivered("live").stream()
                    .filter(event -> event.pubkey().equals(batch.get(0).pubkey()))
                    .toList();
            assertEquals(batch, got, "one session's events keep their order");
        }
        System.out.println(sessions * each + " events from " + sessions + " sessions in " + millis + " ms, "
                + bench.store.commits.get() + " commits, largest " + bench.store.largestBatch.get());
    }
}
