package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import im.parley.api.event.Event;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.Outcome;
import im.parley.protocol.Frames;
import im.parley.protocol.RelayFrame;
import im.parley.testkit.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the relay owes to those who publish and those who read, beyond passing events on: NIP-09, 11, 13, 40, 45, 62, 70. */
class DutiesTest {
    private static final long NOW = Bench.NOW;

    private final Bench bench = new Bench("DutiesTest");
    private final TestKey alice = bench.key();
    private final TestKey bob = bench.key();
    private final TestKey mallory = bench.key();

    @AfterEach
    void stop() {
        bench.close();
    }

    private static Event deletion(TestKey author, long at, List<String>... tags) {
        return author.event(at, 5, List.of(tags), "");
    }

    private static List<String> e(Event event) {
        return List.of("e", event.id().hex());
    }

    private boolean served(TestClient client, Event event) {
        return client.ask("is it there", "{\"ids\":[\"" + event.id().hex() + "\"]}")
                .ids()
                .contains(event.id());
    }

    // NIP-09

    @Test
    @SuppressWarnings("unchecked")
    void RL_09_onlyTheAuthorDeletes() {
        TestClient client = bench.client();
        Event note = bench.note(alice, "mine");
        Event article = alice.event(NOW - 5, 30_023, List.of(List.of("d", "x:y")), "one");
        client.publish(note);
        client.publish(article);
        String coordinate = "30023:" + alice.hex() + ":x:y";
        client.publish(deletion(mallory, NOW, e(note), List.of("a", coordinate), List.of("k", "1")));
        client.publish(
                deletion(mallory, NOW, List.of("a", "30023:" + mallory.hex() + ":x:y"), List.of("p", alice.hex())));
        assertTrue(served(client, note) && served(client, article));

        Event own = deletion(alice, NOW, e(note), List.of("a", coordinate), List.of("k", "9999"));
        assertEquals("true ", client.publish(own));
        assertFalse(served(client, note) || served(client, article), "a lying k tag changes nothing");
        assertTrue(served(client, own), "the request is kept and served");
        assertTrue(client.publish(note).startsWith("false blocked: deleted"));
        assertTrue(client.publish(article).startsWith("false blocked: deleted"));
        Event older = alice.event(NOW - 50, 30_023, List.of(List.of("d", "x:y")), "older");
        Event newer = alice.event(NOW + 1, 30_023, List.of(List.of("d", "x:y")), "newer");
        assertTrue(client.publish(older).startsWith("false blocked: deleted"));
        assertEquals("true ", client.publish(newer));
        bench.restart();
        TestClient again = bench.client();
        assertTrue(again.publish(note).startsWith("false blocked: deleted"));
        assertTrue(again.publish(older).startsWith("false blocked: deleted"));
        assertTrue(served(again, newer));
    }

    @Test
    @SuppressWarnings("unchecked")
    void RL_09_aProfileIsDeletedByItsAddressInBothSpellings() {
        TestClient client = bench.client();
        for (String end : List.of("", ":")) {
            TestKey author = bench.key();
            Event profile = author.event(NOW - 5, 0, List.of(), "{}");
            client.publish(profile);
            client.publish(deletion(author, NOW, List.of("a", "0:" + author.hex() + end)));
            assertFalse(served(client, profile), "with '" + end + "'");
            assertTrue(client.publish(profile).startsWith("false blocked: deleted"));
        }
    }

    @Test
    @SuppressWarnings("unchecked")
    void RL_10_aRequestMayComeBeforeItsTargetAndDeletesNoRequest() {
        TestClient client = bench.client();
        Event late = bench.note(alice, "late");
        Event request = deletion(alice, NOW, e(late));
        client.publish(request);
        assertTrue(client.publish(late).startsWith("false blocked: deleted"));
        Event undo = deletion(alice, NOW + 1, e(request));
        assertEquals("true ", client.publish(undo));
        assertTrue(served(client, request));
        assertTrue(client.publish(late).startsWith("false blocked: deleted"), "no effect");

        try (Bench small = new Bench("DutiesTest.many", Map.of("maxEventTags", 1_000))) {
            List<List<String>> many = new ArrayList<>();
            for (int i = 0; i < 1_000; i++) {
                many.add(e(late));
            }
            assertEquals("true ", small.client().publish(alice.event(NOW, 5, many, "")));
            many.add(e(late));
            assertTrue(small.client().publish(alice.event(NOW, 5, many, "")).startsWith("false invalid: tags"));
        }
    }

    @Test
    void aRequestThatNamesManyAddressesDoesNotHoldUpTheWriter() throws Exception {
        List<Batch.Item> items = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            items.add(new Batch.Item.Put(
                    alice.event(NOW - 9, 30_023, List.of(List.of("d", "own " + i)), ""), NOW * 1000));
        }
        for (int i = 0; i < 100; i++) {
            List<List<String>> tags = new ArrayList<>();
            tags.add(List.of("d", "other " + i));
            for (int j = 0; j < 60; j++) {
                tags.add(List.of("d", "second " + j));
            }
            items.add(new Batch.Item.Put(alice.event(NOW - 9, 30_023, tags, ""), NOW * 1000));
        }
        bench.store.commit(new Batch(items));
        TestClient client = bench.client();
        List<List<String>> addresses = new ArrayList<>();
        for (int i = 150; i < 350; i++) {
            addresses.add(List.of("a", "30023:" + alice.hex() + ":own " + i));
        }
        int before = bench.store.walked.get();
        assertEquals("true ", client.publish(alice.event(NOW, 5, addresses, "")));
        assertEquals(50, bench.store.walked.get() - before, "only what is named is looked at");
        assertEquals(250, count(client, "{\"kinds\":[30023]}"));

        List<List<String>> others = new ArrayList<>();
        for (int j = 0; j < 60; j++) {
            others.add(List.of("a", "30023:" + alice.hex() + ":second " + j));
        }
        String answer = client.publish(alice.event(NOW + 1, 5, others, ""));
        assertTrue(answer.startsWith("false error: relay.too-wide This request"), answer);
    }

    @Test
    @SuppressWarnings("unchecked")
    void RL_11_aWrapIsDeletedByItsReaderOrItsOwnKey() {
        TestKey oneTime = bench.key();
        List<List<String>> toBob = List.of(List.of("p", bob.hex()));
        Event first = oneTime.event(NOW - 3, 1059, toBob, "sealed");
        Event second = oneTime.event(NOW - 2, 1059, toBob, "sealed too");
        TestClient reader = bench.client(bob);
        reader.publish(first);
        reader.publish(second);
        TestClient other = bench.client(alice);
        other.publish(deletion(alice, NOW, e(first), e(second)));
        other.publish(deletion(mallory, NOW, e(first), e(second)));
        assertTrue(served(reader, first) && served(reader, second), "neither the sender's own key nor a stranger");
        reader.publish(deletion(bob, NOW, e(first)));
        other.publish(deletion(oneTime, NOW, e(second)));
        assertFalse(served(reader, first) || served(reader, second));
        assertTrue(other.publish(first).startsWith("false blocked: deleted"));
        assertTrue(other.publish(second).startsWith("false blocked: deleted"));
    }

    // NIP-62

    @Test
    void RL_12_whoVanishesIsForgottenHereAndStaysSo() {
        TestClient client = bench.client(bob);
        Event note = bench.note(bob, "mine");
        Event foreign = bench.note(alice, "not his");
        Event deletion = bob.event(NOW - 900, 5, List.of(e(foreign)), "");
        Event wrap = bench.wrap(bob);
        Event later = bob.event(NOW + 5, 1, List.of(), "after it");
        for (Event event : List.of(note, foreign, deletion, wrap)) {
            client.publish(event);
        }
        for (String relay : List.of("wss://other.example", "all_relays", "", "ws://127.0.0.1:7471")) {
            Event elsewhere = bob.event(NOW, 62, List.of(List.of("relay", relay)), "");
            assertTrue(client.publish(elsewhere).startsWith("false invalid: vanish"), relay);
        }
        assertTrue(served(client, note));
        Event request = bob.event(NOW, 62, List.of(List.of("relay", Bench.URL)), "bye");
        assertEquals("true ", client.publish(request));
        assertFalse(served(client, note) || served(client, deletion) || served(client, wrap));
        assertTrue(served(client, foreign));
        for (int i = 0; i < 2; i++) {
            for (Event event : List.of(note, deletion, wrap)) {
                String answer = client.publish(event);
                assertTrue(answer.startsWith("false blocked: vanished"), answer);
            }
            bench.restart();
            client = bench.client(bob);
        }
        assertEquals("true ", client.publish(later), "what comes after it is welcome");

        TestKey carol = bench.key();
        Event hers = bench.note(carol, "hers");
        client.publish(hers);
        client.publish(carol.event(NOW, 62, List.of(List.of("relay", "ALL_RELAYS")), ""));
        assertFalse(served(client, hers));
        Event undo = carol.event(NOW + 1, 5, List.of(List.of("e", request.id().hex())), "");
        assertEquals("true ", client.publish(undo));
        assertTrue(served(client, request), "a deletion has no effect on a request to vanish");
    }

    @Test
    void RL_12_aRequestIsKeptWhileTheStoreFailsAndCarriedOutLater() throws Exception {
        TestClient client = bench.client();
        Event note = bench.note(bob, "mine");
        client.publish(note);
        bench.store.removalsFail = true;
        assertEquals("true ", client.publish(bob.event(NOW, 62, List.of(List.of("relay", Bench.URL)), "bye")));
        assertEquals("true ", client.publish(bench.note(alice, "others go on")));
        assertTrue(bench.store.contains(note.id()));
        bench.store.removalsFail = false;
        Await.until("it is erased without anybody asking again", () -> !bench.store.contains(note.id()));
    }

    // NIP-40

    @Test
    void RL_13_whatHasExpiredIsNeverServedAgain() throws Exception {
        TestClient client = bench.client();
        for (String value : List.of("", "-1", "1e3", "18446744073709551616", "1800000000.5", "+1800000009", " 5")) {
            Event bad = alice.event(NOW, 1, List.of(List.of("expiration", value)), value);
            assertTrue(client.publish(bad).startsWith("false invalid: expiration"), value);
        }
        Event twice = alice.event(
                NOW, 1, List.of(List.of("expiration", "" + (NOW + 9)), List.of("expiration", "" + (NOW + 9))), "two");
        assertTrue(client.publish(twice).startsWith("false invalid: expiration"));
        assertTrue(client.publish(expiring(NOW)).startsWith("false invalid: expired"));
        assertTrue(client.publish(expiring(NOW - 1)).startsWith("false invalid: expired"));

        Event soon = expiring(NOW + 2);
        assertEquals("true ", client.publish(soon));
        assertTrue(served(client, soon));
        assertEquals(1, count(client, "{\"kinds\":[1]}"));
        bench.clock.advance(Duration.ofSeconds(3));
        assertFalse(served(client, soon));
        assertEquals(0, count(client, "{\"kinds\":[1]}"));
        assertTrue(client.publish(soon).startsWith("false "));
        bench.clock.advance(Duration.ofHours(-1));
        assertFalse(served(client, soon), "a clock that is set back brings nothing back");
        Await.until("it is removed", () -> !bench.store.contains(soon.id()));
        bench.restart();
        assertFalse(served(bench.client(), soon));
    }

    @Test
    void whatWasStoredBeforeARestartExpiresAndIsRemoved() throws Exception {
        Event soon = expiring(NOW + 2);
        List<Batch.Item> items = new ArrayList<>();
        for (int i = 0; i < 1_200; i++) {
            items.add(new Batch.Item.Put(bench.note(alice, "n" + i), NOW * 1000));
        }
        items.add(new Batch.Item.Put(soon, NOW * 1000));
        assertEquals(Outcome.STORED, bench.store.commit(new Batch(items)).get(1_200));
        bench.restart();
        bench.clock.advance(Duration.ofSeconds(3));
        assertFalse(served(bench.client(), soon));
        Await.until("it is removed", () -> !bench.store.contains(soon.id()));
    }

    @Test
    void whatCouldNotBeRemovedIsRemovedBesideEventsThatEndLater() throws Exception {
        Expirations expirations = new Expirations(bench.clock);
        Event soon = expiring(NOW + 2);
        Event far = expiring(NOW + 9_999);
        bench.store.commit(
                new Batch(List.of(new Batch.Item.Put(soon, NOW * 1000), new Batch.Item.Put(far, NOW * 1000))));
        expirations.sweep(bench.store);
        bench.clock.advance(Duration.ofSeconds(3));
        bench.store.removalsFail = true;
        assertThrows(ProviderException.class, () -> expirations.sweep(bench.store));
        assertTrue(expirations.isBehind());
        bench.store.removalsFail = false;
        expirations.sweep(bench.store);
        assertFalse(bench.store.contains(soon.id()));
        assertTrue(bench.store.contains(far.id()));
        assertTrue(bench.store.largestScan.get() <= 20, "rows of the largest size, held at once");
    }

    private Event expiring(long at) {
        return alice.event(NOW, 1, List.of(List.of("expiration", Long.toString(at))), "until " + at);
    }

    // NIP-70

    @Test
    void RL_15_aRepostDoesNotCarryAProtectedEvent() {
        TestClient client = bench.client(alice);
        Event secret = alice.event(NOW, 1, List.of(List.of("-")), "protected");
        Event open = alice.event(NOW, 1, List.of(), "open");
        for (int kind : new int[] {6, 16}) {
            Event bad = bob.event(NOW, kind, List.of(), json(secret));
            assertTrue(client.publish(bad).startsWith("false blocked: embeds-protected"));
            assertEquals("true ", client.publish(bob.event(NOW, kind, List.of(), json(open))));
        }
    }

    private static String json(Event event) {
        String frame = Frames.publish(event);
        return frame.substring("[\"EVENT\",".length(), frame.length() - 1);
    }

    // NIP-45

    @Test
    void RL_03_aCountTellsNobodyOfMessagesThatAreNotTheirs() {
        TestClient stranger = bench.client();
        TestClient reader = bench.client(bob);
        Event note = bench.note(alice, "open");
        Event wrap = bench.wrap(bob);
        stranger.publish(note);
        stranger.publish(wrap);
        stranger.publish(bench.wrap(alice));
        String toBob = "{\"#p\":[\"" + bob.hex() + "\"]}";
        assertEquals(0, count(stranger, toBob));
        assertEquals(1, count(reader, toBob));
        assertEquals(0, count(stranger, "{\"ids\":[\"" + wrap.id().hex() + "\"]}"));
        assertEquals(1, count(stranger, "{}"));
        assertEquals(2, count(reader, "{}"));
        assertEquals(1, count(stranger, "{\"since\":0}"));
        assertEquals(0, count(stranger, "{\"authors\":[\"" + wrap.pubkey().hex() + "\"]}"));
        assertEquals(1, count(stranger, "{\"kinds\":[1,1059]}"));
        assertEquals(2, count(reader, "{\"kinds\":[1]}", toBob, "{\"kinds\":[1,1059]}"), "a union");
        assertEquals(1, count(stranger, "{\"kinds\":[1],\"limit\":0}"), "a limit does not limit a count");
        assertTrue(refusedCount(stranger, "{\"kinds\":[1059]}").startsWith("auth-required: "));
        assertTrue(refusedCount(reader, "{\"kinds\":[1059],\"#p\":[\"" + alice.hex() + "\"]}")
                .startsWith("restricted: "));
    }

    @Test
    void aCountIsExactOverManyPagesAndRefusedWhenItIsTooWide() throws Exception {
        List<Batch.Item> items = new ArrayList<>();
        for (int i = 0; i < 2_345; i++) {
            items.add(new Batch.Item.Put(alice.event(NOW - i % 7, i % 3, List.of(), "n" + i), NOW * 1000));
        }
        bench.store.commit(new Batch(items));
        long ones = count(bench.client(), "{\"kinds\":[1]}");
        assertEquals(782, ones);
        try (Bench small = new Bench("DutiesTest.guarded", Map.of("maxGuardedRows", 1_000))) {
            List<Batch.Item> wraps = new ArrayList<>();
            for (int i = 0; i < 1_100; i++) {
                wraps.add(new Batch.Item.Put(bench.wrap(bob), NOW * 1000));
            }
            small.store.commit(new Batch(wraps));
            assertTrue(refusedCount(small.client(), "{}").startsWith("error: relay.too-wide"));
        }
        try (Bench small = new Bench("DutiesTest.wide", Map.of("maxCountRows", 1_000))) {
            small.store.commit(new Batch(items));
            assertTrue(refusedCount(small.client(), "{\"kinds\":[2]}", "{\"kinds\":[1]}")
                    .startsWith("error: relay.too-wide"));
            assertEquals(1, count(small.client(), "{\"kinds\":[0]}"));
        }
    }

    private static long count(TestClient client, String... filters) {
        int from = client.raw().size();
        client.send("[\"COUNT\",\"c\"," + String.join(",", filters) + "]");
        String answer = Await.value(
                "the count",
                () -> client.raw().stream()
                        .skip(from)
                        .filter(frame ->
                                frame.startsWith("[\"COUNT\",\"c\",") || frame.startsWith("[\"CLOSED\",\"c\","))
                        .findFirst());
        assertTrue(answer.startsWith("[\"COUNT\",\"c\",{\"count\":"), answer);
        return Long.parseLong(answer.replaceAll("\\D+", ""));
    }

    private static String refusedCount(TestClient client, String... filters) {
        int from = client.frames().size();
        client.send("[\"COUNT\",\"refused\"," + String.join(",", filters) + "]");
        return Await.value(
                "the refusal",
                () -> client.frames().stream()
                        .skip(from)
                        .filter(RelayFrame.Closed.class::isInstance)
                        .map(frame -> ((RelayFrame.Closed) frame).message())
                        .findFirst());
    }

    // NIP-13

    @Test
    void workIsRequiredAndMustBeCommittedTo() {
        try (Bench strict = new Bench("DutiesTest.pow", Map.of("minPowDifficulty", 8))) {
            TestClient client = strict.client();
            boolean enough = false;
            boolean tooLittle = false;
            boolean lucky = false;
            for (int nonce = 0; !(enough && tooLittle && lucky) && nonce < 20_000; nonce++) {
                for (int target : new int[] {8, 4}) {
                    Event event = alice.event(NOW, 1, List.of(List.of("nonce", "" + nonce, "" + target)), "worked for");
                    boolean has = event.id().hex().startsWith("00");
                    if (has && target == 8 && !enough) {
                        assertEquals("true ", client.publish(event));
                        enough = true;
                    } else if (has && target == 4 && !lucky) {
                        assertTrue(client.publish(event).startsWith("false pow: difficulty 8"));
                        lucky = true;
                    } else if (!has && !tooLittle) {
                        assertTrue(client.publish(event).startsWith("false pow: difficulty 8"));
                        tooLittle = true;
                    }
                }
            }
            assertTrue(enough && tooLittle && lucky);
        }
    }

    // NIP-11, NIP-22 bounds

    @Test
    void RL_20_createdAtIsBoundedToTheSecond() {
        TestClient client = bench.client();
        String late = client.publish(alice.event(NOW + 901, 1, List.of(), "late"));
        assertTrue(late.startsWith("false invalid: created-at-future"), late);
        assertEquals("true ", client.publish(alice.event(NOW + 900, 1, List.of(), "just")));
        assertEquals("true ", client.publish(alice.event(NOW - 3 * 365 * 86_400L, 1, List.of(), "old")));
        TestClient listener = bench.client();
        listener.ask("live", "{\"kinds\":[20001]}");
        assertEquals("true ", client.publish(alice.event(NOW - 61, 20_001, List.of(), "a minute ago")));
    }

    @Test
    void RL_24_everyLimitOfTheDocumentHoldsAtItsValueAndOneBeyond() throws Exception {
        Map<String, Object> small = Map.of(
                "maxMessageLength", 16_384,
                "maxSubscriptions", 7,
                "maxLimit", 11,
                "maxEventTags", 13,
                "maxContentLength", 1_024,
                "createdAtUpperLimit", 60);
        try (Bench limited = new Bench("DutiesTest.limits", small)) {
            for (int i = 0; i < 20; i++) {
                limited.client().publish(alice.event(NOW - i, 1, List.of(), "n" + i));
            }
            Map<String, String> limits = limitation(limited.relay.information());
            assertTrue(limits.size() >= 11, limits.toString());
            for (Map.Entry<String, String> each : limits.entrySet()) {
                check(limited, each.getKey(), each.getValue());
            }
        }
    }

    private void check(Bench limited, String name, String value) {
        int n = value.equals("true") || value.equals("false") ? 0 : Integer.parseInt(value);
        TestClient client = limited.client();
        switch (name) {
            case "max_message_length" -> {
                String head = "[\"REQ\",\"m\",{\"#t\":[\"";
                String tail = "\"]}]";
                int room = n - head.length() - tail.length();
                StringBuilder values = new StringBuilder();
                while (room - values.length() > 600) {
                    values.append("y".repeat(500)).append("\",\"");
                }
                values.append("y".repeat(room - values.length()));
                String full = head + values + tail;
                assertEquals(n, full.length());
                client.send(full);
                client.await(RelayFrame.Eose.class, eose -> eose.subscription().equals("m"));
                client.send(full + " ");
                assertTrue(client.awaitEnd().startsWith("1009 "), name);
            }
            case "max_subscriptions" -> {
                for (int i = 0; i < n; i++) {
                    assertEquals("EOSE", client.ask("s" + i, "{\"limit\":0}").how());
                }
                assertTrue(client.ask("beyond", "{\"limit\":0}").how().startsWith("rate-limited: "), name);
            }
            case "max_limit" -> {
                assertEquals(
                        n, client.ask("at", "{\"limit\":" + n + "}").events().size());
                assertEquals(
                        n,
                        client.ask("above", "{\"limit\":" + (n + 1) + "}")
                                .events()
                                .size(),
                        "clamped");
            }
            case "default_limit" ->
                assertEquals(n, client.ask("none", "{}").events().size());
            case "max_subid_length" -> {
                assertEquals("EOSE", client.ask("i".repeat(n), "{\"limit\":0}").how());
                client.send("[\"REQ\",\"" + "i".repeat(n + 1) + "\",{\"limit\":0}]");
                String notice =
                        client.await(RelayFrame.Notice.class, any -> true).message();
                assertTrue(notice.startsWith("invalid: subscription"), notice);
            }
            case "max_event_tags" -> {
                assertEquals("true ", client.publish(tagged(n)));
                assertTrue(client.publish(tagged(n + 1)).startsWith("false invalid: tags"), name);
            }
            case "max_content_length" -> {
                // Characters, not bytes or UTF-16 units.
                assertEquals("true ", client.publish(alice.event(NOW, 1, List.of(), "😀".repeat(n))));
                assertTrue(client.publish(alice.event(NOW, 1, List.of(), "a".repeat(n + 1)))
                        .startsWith("false invalid: content"));
            }
            case "created_at_upper_limit" -> {
                assertEquals("true ", client.publish(alice.event(NOW + n, 1, List.of(), "at")));
                assertTrue(client.publish(alice.event(NOW + n + 1, 1, List.of(), "above"))
                        .startsWith("false invalid: created-at-future"));
            }
            case "min_pow_difficulty" -> assertEquals(0, n, "shown above for others");
            case "auth_required", "payment_required", "restricted_writes" -> assertEquals("false", value, name);
            default -> fail("nobody checks " + name);
        }
    }

    private Event tagged(int count) {
        List<List<String>> tags = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tags.add(List.of("x", "y"));
        }
        return alice.event(NOW, 1, tags, "tags");
    }

    private static Map<String, String> limitation(String document) throws Exception {
        Map<String, String> limits = new LinkedHashMap<>();
        try (JsonParser json = new JsonFactory().createParser(document)) {
            String field = "";
            boolean inside = false;
            for (JsonToken token = json.nextToken(); token != null; token = json.nextToken()) {
                if (token == JsonToken.FIELD_NAME) {
                    field = json.currentName();
                } else if (token == JsonToken.START_OBJECT) {
                    inside = field.equals("limitation");
                } else if (token == JsonToken.END_OBJECT) {
                    inside = false;
                } else if (inside) {
                    limits.put(field, json.getText());
                }
            }
        }
        return limits;
    }

    // Hostile requests

    @Test
    void RL_16_filtersThatAskTooMuchAreRefusedOrClamped() {
        TestClient client = bench.client();
        client.publish(bench.note(alice, "one"));
        assertTrue(ask(client, "{},".repeat(200) + "{}").startsWith("invalid: filter"));
        String ids = "\"" + "ab".repeat(32) + "\"";
        assertTrue(ask(client, "{\"ids\":[" + (ids + ",").repeat(1_000) + ids + "]}")
                .startsWith("invalid: filter"));
        StringBuilder letters = new StringBuilder("{\"kinds\":[1]");
        for (char c = 'a'; c <= 'z'; c++) {
            letters.append(",\"#").append(c).append("\":[");
            letters.append("e".equals("" + c) || "p".equals("" + c) ? ids : "\"v\"");
            letters.append((",\"w\"").repeat("e".equals("" + c) || "p".equals("" + c) ? 0 : 100))
                    .append(']');
        }
        assertTrue(ask(client, letters + "}").startsWith("invalid: filter"));
        for (String limit : List.of("-1", "\"5\"", "1.5", "null")) {
            assertTrue(ask(client, "{\"limit\":" + limit + "}").startsWith("invalid: "), limit);
        }
        assertEquals(0, client.ask("zero", "{\"limit\":0}").events().size());
        assertEquals(1, client.ask("huge", "{\"limit\":1000000000}").events().size());
        assertEquals(
                0, client.ask("never", "{\"since\":5,\"until\":4}").events().size());
        assertTrue(ask(client, "{\"ids\":[\"abcd\"]}").startsWith("invalid: "), "no prefixes");
    }

    private static String ask(TestClient client, String filters) {
        return client.ask("q" + client.frames().size(), filters).how();
    }

    @Test
    void RL_17_subscriptionIdsAreCheckedAndCannotForgeALine() {
        TestClient client = bench.client();
        assertEquals("EOSE", client.ask("😀".repeat(32), "{\"limit\":0}").how());
        for (String bad : List.of("\"\"", "\"" + "s".repeat(65) + "\"", "5", "null", "{}", "[]")) {
            int from = client.frames().size();
            client.send("[\"REQ\"," + bad + ",{}]");
            String notice = Await.value(
                    "a notice about " + bad,
                    () -> client.frames().stream()
                            .skip(from)
                            .filter(RelayFrame.Notice.class::isInstance)
                            .map(frame -> ((RelayFrame.Notice) frame).message())
                            .findFirst());
            assertTrue(notice.startsWith("invalid: subscription"), notice);
        }
        client.send("[\"REQ\",\"\\n[FAKE LOG]\",{\"limit\":0}]");
        Await.value(
                "an answer on one line",
                () -> client.raw().stream()
                        .filter(frame -> frame.contains("FAKE LOG"))
                        .findFirst()
                        .map(frame -> {
                            assertFalse(frame.contains("\n"), frame);
                            return frame;
                        }));
    }

    @Test
    void RL_18_subscriptionsAreBoundedAndReplacingOneKeepsNothing() {
        try (Bench fast =
                new Bench("DutiesTest.replace", Map.of("filtersPerSecond", 1_000_000, "filtersAtOnce", 1_000_000))) {
            TestClient client = fast.client();
            for (int i = 0; i < 200; i++) {
                client.ask("s" + i, "{\"limit\":0}");
            }
            assertTrue(client.ask("s200", "{\"limit\":0}").how().startsWith("rate-limited: "));
            long held = fast.relay.filterBytes();
            for (int i = 0; i < 20_000; i++) {
                client.send("[\"REQ\",\"s0\",{\"limit\":0}]").join();
            }
            client.ask("s0", "{\"limit\":0}");
            assertEquals(200, fast.relay.subscriptions());
            assertEquals(held, fast.relay.filterBytes());
        }
    }

    @Test
    void RL_22_tagsAreStringsWithANameAndKeysAreKeys() {
        TestClient client = bench.client();
        Event good = alice.event(NOW, 1, List.of(List.of("x", "y")), "tags");
        String frame = Frames.publish(good);
        Map<String, String> bad = new LinkedHashMap<>();
        bad.put("[[]]", "tags");
        bad.put("[null]", "");
        bad.put("[[null]]", "");
        bad.put("[1]", "");
        bad.put("[[1]]", "");
        bad.put("[[[\"x\"]]]", "");
        bad.put("{}", "");
        bad.put("[[\"p\",\"" + "a".repeat(63) + "\"]]", "tags");
        bad.put("[[\"t\",\"" + "a".repeat(1_025) + "\"]]", "tags");
        bad.forEach((tags, token) -> {
            String answer = client.answer(good, frame.replace("[[\"x\",\"y\"]]", tags));
            assertTrue(answer.startsWith("false invalid: " + token), tags + " " + answer);
        });
        assertEquals("true ", client.publish(good));
        assertEquals("true ", client.publish(alice.event(NOW, 1, List.of(List.of("t", "a".repeat(1_024))), "fits")));
    }

    @Test
    void RL_14_ofEqualVersionsTheLowestIdWinsWhoeverComesFirst() {
        List<TestClient> clients = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            clients.add(bench.client());
        }
        List<Event> versions = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            List<List<String>> tags = switch (i % 3) {
                case 0 -> List.of();
                case 1 -> List.of(List.of("d", ""));
                default -> List.of(List.of("d"), List.of("d", "second"));
            };
            versions.add(alice.event(NOW, 30_000, tags, "v" + i));
        }
        for (int i = 0; i < versions.size(); i++) {
            clients.get(i % 8).send(Frames.publish(versions.get(i)));
        }
        for (int i = 0; i < versions.size(); i++) {
            assertTrue(clients.get(i % 8).awaitOk(versions.get(i).id()).accepted());
        }
        Event best =
                versions.stream().min(java.util.Comparator.comparing(Event::id)).orElseThrow();
        assertEquals(
                List.of(best),
                clients.get(0).ask("all", "{\"kinds\":[30000]}").events(),
                "no d, an empty d and a d without value are one address");
        assertEquals(Optional.of("v" + versions.indexOf(best)), Optional.of(best.content()));
    }
}
