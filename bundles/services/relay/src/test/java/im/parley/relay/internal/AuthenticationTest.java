package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Frames;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AuthenticationTest {
    private final Bench bench = new Bench("AuthenticationTest");
    private final TestKey alice = bench.key();

    @AfterEach
    void stop() {
        bench.close();
    }

    private static List<String> relay(String url) {
        return List.of("relay", url);
    }

    private static List<String> challenge(String value) {
        return List.of("challenge", value);
    }

    @SafeVarargs
    private Event auth(long createdAt, int kind, List<String>... tags) {
        return alice.event(createdAt, kind, Arrays.asList(tags), "");
    }

    private static String send(TestClient client, Event event) {
        return client.answer(event, Frames.auth(event));
    }

    @Test
    void aChallengeIsSentFirstAndIsNeverTheSame() {
        TestClient one = bench.client();
        TestClient two = bench.client();
        assertEquals(64, one.challenge().length(), "256 bits as hex");
        assertNotEquals(one.challenge(), two.challenge());
        assertTrue(one.raw().get(0).startsWith("[\"AUTH\","));
    }

    @Test
    void RL_06_onlyThisRelayThisConnectionThisMomentThisKey() {
        TestClient listener = bench.client();
        listener.ask("all", "{}");
        TestClient client = bench.client();
        String own = client.challenge();
        String others = bench.client().challenge();
        long now = Bench.NOW;

        refused(client, "challenge", auth(now, 22242, relay(Bench.URL), challenge(others)));
        refused(client, "challenge", auth(now, 22242, relay(Bench.URL), challenge("stale")));
        refused(client, "challenge", auth(now, 22242, relay(Bench.URL), challenge("")));
        refused(client, "challenge", auth(now, 22242, relay(Bench.URL), challenge(own + " ")));
        refused(client, "challenge", auth(now, 22242, relay(Bench.URL)));
        refused(client, "challenge", auth(now, 22242, relay(Bench.URL), List.of("challenge")));
        refused(client, "challenge", auth(now, 22242, relay(Bench.URL), challenge(own), challenge(own)));
        refused(client, "challenge", auth(now, 22242, relay(Bench.URL), challenge(own), challenge(others)));
        refused(client, "challenge", auth(now, 22242, relay(Bench.URL), List.of("challenge"), challenge(own)));
        for (String url : List.of(
                "ws://127.0.0.1:7471",
                "ws://127.0.0.1",
                "wss://127.0.0.1:7470",
                "http://127.0.0.1:7470",
                "ws://127.0.0.1:7470/other",
                "ws://127.0.0.1:7470/?q",
                "ws://user@127.0.0.1:7470",
                "ws://user:pass@127.0.0.1:7470",
                "ws://127.0.0.1:7470@evil.example",
                "ws://127.0.0.1:7470#fragment",
                "ws://127.0.0.1.evil.example:7470",
                "ws://localhost:7470",
                "ws://2130706433:7470",
                "ws://127.1:7470",
                "ws://\uff11\uff12\uff17.0.0.1:7470",
                "ws://127\u30020.0.1:7470",
                " ws://127.0.0.1:7470",
                "127.0.0.1:7470",
                "")) {
            refused(client, "relay", auth(now, 22242, relay(url), challenge(own)));
        }
        refused(client, "relay", auth(now, 22242, challenge(own)));
        refused(client, "relay", auth(now, 22242, relay(Bench.URL), relay(Bench.URL), challenge(own)));
        refused(client, "relay", auth(now, 22242, relay(Bench.URL), relay("ws://evil.example"), challenge(own)));
        refused(client, "created-at", auth(now - 601, 22242, relay(Bench.URL), challenge(own)));
        refused(client, "created-at", auth(now + 601, 22242, relay(Bench.URL), challenge(own)));
        refused(client, "kind", auth(now, 1, relay(Bench.URL), challenge(own)));
        refused(client, "kind", auth(now, 27235, relay(Bench.URL), challenge(own)));

        Event good = auth(now, 22242, relay(Bench.URL), challenge(own));
        Event forged = auth(now - 1, 22242, relay(Bench.URL), challenge(own));
        String badSig =
                EventWriter.write(good).replace(good.sig().hex(), forged.sig().hex());
        String answer = client.answer(good, "[\"AUTH\"," + badSig + "]");
        assertTrue(answer.startsWith("false invalid: sig"), answer);
        String badId = EventWriter.write(good).replace("\"created_at\":" + now, "\"created_at\":" + (now - 5));
        answer = client.answer(good, "[\"AUTH\"," + badId + "]");
        assertTrue(answer.startsWith("false invalid: id"), answer);

        Event wrap = bench.wrap(alice);
        client.publish(wrap);
        assertTrue(client.ask("mine", "{\"kinds\":[1059]}").how().startsWith("auth-required:"), "still nobody");

        assertEquals("true ", send(client, auth(now - 600, 22242, relay(Bench.URL), challenge(own))));
        assertEquals(List.of(wrap), client.ask("mine", "{\"kinds\":[1059]}").events());
        TestClient other = bench.client();
        assertEquals(
                "true ",
                send(other, auth(now + 600, 22242, relay("WS://127.0.0.1:7470/"), challenge(other.challenge()))));

        assertEquals(1, bench.store.size(), "the wrap; no authentication event is stored");
        Event last = bench.note(alice, "last");
        client.publish(last);
        listener.awaitDelivered("all", last.id());
        assertEquals(List.of(last), listener.delivered("all"), "no authentication event is broadcast");
    }

    private static void refused(TestClient client, String token, Event event) {
        String answer = send(client, event);
        assertTrue(answer.startsWith("false invalid: " + token), event.tags() + " " + answer);
    }

    @Test
    void aKeyIsProvenToOneConnectionOnly() {
        Event wrap = bench.wrap(alice);
        bench.client(alice).publish(wrap);
        assertTrue(bench.client().ask("mine", "{\"kinds\":[1059]}").how().startsWith("auth-required:"));
    }

    @Test
    void RL_07_severalKeysHoldAtOnceUpToTwenty() {
        TestClient client = bench.client();
        List<TestKey> keys = new ArrayList<>();
        for (int i = 0; i < Authentication.MAX_KEYS; i++) {
            TestKey key = bench.key();
            keys.add(key);
            client.authenticate(key, Bench.NOW);
        }
        client.authenticate(keys.get(0), Bench.NOW + 1);
        Event another = alice.event(Bench.NOW, 22242, List.of(relay(Bench.URL), challenge(client.challenge())), "");
        assertTrue(send(client, another).startsWith("false rate-limited:"));
        Event first = bench.wrap(keys.get(0));
        Event twentieth = bench.wrap(keys.get(19));
        Event foreign = bench.wrap(alice);
        client.publish(first);
        client.publish(twentieth);
        client.publish(foreign);
        assertEquals(
                List.of(twentieth, first),
                client.ask("mine", "{\"kinds\":[1059]}").events());
    }
}
