package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.protocol.FilterMatch;
import im.parley.protocol.Frames;
import im.parley.protocol.RelayFrame;
import im.parley.testkit.Await;
import im.parley.testkit.Seeds;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SubscribeTest {
    private static final Comparator<Event> NEWEST_FIRST =
            Comparator.comparingLong(Event::createdAt).reversed().thenComparing(Event::id);

    private final Bench bench = new Bench("SubscribeTest");
    private final TestKey alice = bench.key();

    @AfterEach
    void stop() {
        bench.close();
    }

    /** Straight into the store. */
    private void store(List<Event> events) {
        for (int i = 0; i < events.size(); i += 1_000) {
            List<Batch.Item> items = new ArrayList<>();
            events.subList(i, Math.min(events.size(), i + 1_000)).forEach(e -> items.add(new Batch.Item.Put(e, 0)));
            bench.store.memory.commit(new Batch(items));
        }
    }

    private static List<Event> range(List<Event> events, int count) {
        return events.stream().sorted(NEWEST_FIRST).limit(count).toList();
    }

    @Test
    void storedEventsComeNewestFirstAndTiesByLowestId() {
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 700; i++) {
            events.add(alice.event(Bench.NOW - i % 3, 1, List.of(), "n" + i));
        }
        store(events);
        TestClient client = bench.client();
        assertEquals(range(events, 500), client.ask("a", "{\"kinds\":[1]}").events(), "the relay's own limit");
        assertEquals(
                range(events, 500),
                client.ask("b", "{\"kinds\":[1],\"limit\":5000}").events());
        assertEquals(
                range(events, 130),
                client.ask("c", "{\"kinds\":[1],\"limit\":130}").events());
        assertEquals(List.of(), client.ask("d", "{\"kinds\":[1],\"limit\":0}").events());
        assertEquals(List.of(), client.ask("e", "{\"kinds\":[],\"limit\":10}").events());
    }

    @Test
    void aLimitOfZeroStillBringsWhatIsNew() {
        TestClient client = bench.client();
        store(List.of(bench.note(alice, "old")));
        client.ask("a", "{\"kinds\":[1],\"limit\":0}");
        Event fresh = bench.note(alice, "new");
        client.publish(fresh);
        client.awaitDelivered("a", fresh.id());
        assertEquals(List.of(fresh), client.delivered("a"));
    }

    @Test
    void unionsOfRandomFiltersEqualADumbTwins() {
        RandomGenerator random = Seeds.generator("SubscribeTest.union");
        List<TestKey> keys = List.of(alice, bench.key(), bench.key());
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            List<List<String>> tags = random.nextBoolean()
                    ? List.of(List.of("t", "v" + random.nextInt(4)))
                    : List.of(List.of("t", "v" + random.nextInt(4)), List.of("r", "w" + random.nextInt(3)));
            events.add(keys.get(random.nextInt(3))
                    .event(Bench.NOW - random.nextInt(40), 1 + random.nextInt(3) * 6, tags, "e" + i));
        }
        store(events);
        TestClient client = bench.client();
        for (int round = 0; round < 120; round++) {
            List<Filter> filters = new ArrayList<>();
            int count = 1 + random.nextInt(6);
            for (int i = 0; i < count; i++) {
                filters.add(randomFilter(random, keys, events));
            }
            List<EventId> expected = filters.stream()
                    .flatMap(filter -> events.stream()
                            .filter(event -> FilterMatch.matches(filter, event))
                            .sorted(NEWEST_FIRST)
                            .limit(filter.limit().orElse(500)))
                    .distinct()
                    .sorted(NEWEST_FIRST)
                    .map(Event::id)
                    .toList();
            String json = filters.stream().map(Frames::writeFilter).collect(Collectors.joining(","));
            assertEquals(expected, client.ask("u" + round % 7, json).ids(), json);
        }
    }

    private static Filter randomFilter(RandomGenerator random, List<TestKey> keys, List<Event> events) {
        Filter.Builder filter = Filter.builder();
        if (random.nextInt(3) == 0) {
            filter.kinds(List.of(1 + random.nextInt(3) * 6));
        }
        if (random.nextInt(3) == 0) {
            filter.authors(List.of(keys.get(random.nextInt(3)).publicKey()));
        }
        if (random.nextInt(3) == 0) {
            filter.tag('t', List.of("v" + random.nextInt(4), "v" + random.nextInt(5)));
        }
        if (random.nextInt(6) == 0) {
            filter.tag('r', List.of("w" + random.nextInt(4)));
        }
        if (random.nextInt(6) == 0) {
            filter.ids(List.of(events.get(random.nextInt(events.size())).id()));
        }
        if (random.nextInt(4) == 0) {
            filter.since(Bench.NOW - random.nextInt(40));
        }
        if (random.nextInt(4) == 0) {
            filter.until(Bench.NOW - random.nextInt(40));
        }
        if (random.nextInt(2) == 0) {
            filter.limit(random.nextInt(150));
        }
        return filter.build();
    }

    @Test
    void aReqFindsWhatTheSameSessionPublishedJustBefore() {
        TestClient client = bench.client();
        bench.store.gate = new CountDownLatch(1);
        Event event = bench.note(alice, "mine");
        client.send(Frames.publish(event));
        client.send("[\"REQ\",\"a\",{\"kinds\":[1]}]");
        Await.until("the commit waits", () -> bench.store.commits.get() == 1);
        // A session of its own runs through meanwhile, so an unheld REQ would have been answered by now.
        assertEquals("EOSE", bench.client().ask("other", "{\"kinds\":[1]}").how());
        bench.store.gate.countDown();
        client.await(RelayFrame.Eose.class, eose -> true);
        List<RelayFrame> frames = client.frames();
        int delivered = frames.indexOf(new RelayFrame.Deliver("a", event));
        assertTrue(delivered > 0 && delivered < frames.indexOf(new RelayFrame.Eose("a")), "before EOSE");
        assertEquals(List.of(event), client.delivered("a"));
    }

    @Test
    void anEventThatIsStoredAndNewComesOnce() {
        // Many subscriptions race with many commits; each must see each event exactly once.
        TestClient publisher = bench.client();
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            events.add(bench.note(alice, "n" + i));
        }
        List<TestClient> listeners = new ArrayList<>();
        for (int i = 0; i < events.size(); i++) {
            publisher.send(Frames.publish(events.get(i))).join();
            if (i % 10 == 0) {
                TestClient listener = bench.client();
                listeners.add(listener);
                listener.send("[\"REQ\",\"a\",{\"kinds\":[1]}]");
            }
        }
        events.forEach(event -> publisher.awaitOk(event.id()));
        for (TestClient listener : listeners) {
            Await.until("all arrived", () -> listener.delivered("a").size() >= events.size());
        }
        Event last = bench.note(alice, "last");
        publisher.publish(last);
        for (TestClient listener : listeners) {
            listener.awaitDelivered("a", last.id());
            List<Event> got = listener.delivered("a");
            assertEquals(events.size() + 1, got.size());
            assertEquals(got.size(), got.stream().distinct().count());
        }
    }

    @Test
    void aReqUnderALiveIdReplacesIt() {
        TestClient client = bench.client();
        client.ask("a", "{\"kinds\":[1]}");
        client.ask("a", "{\"kinds\":[7]}");
        assertEquals(1, bench.relay.subscriptions());
        Event note = bench.note(alice, "no longer wanted");
        Event reaction = alice.event(Bench.NOW, 7, List.of(), "+");
        client.publish(note);
        client.publish(reaction);
        client.awaitDelivered("a", reaction.id());
        assertEquals(List.of(reaction), client.delivered("a"));
    }

    @Test
    void closeEndsASubscriptionAndARefusedReqEndsItsFormer() {
        TestClient client = bench.client();
        client.ask("a", "{\"kinds\":[1]}");
        client.ask("b", "{\"kinds\":[1]}");
        client.ask("c", "{\"kinds\":[1]}");
        client.ask("d", "{\"kinds\":[1]}");
        client.send("[\"CLOSE\",\"a\"]");
        assertTrue(client.ask("b", "{\"kinds\":[1059]}").how().startsWith("auth-required:"));
        assertTrue(client.ask("c", "{\"kinds\":[1],\"limit\":-1}").how().startsWith("invalid: filter"));
        Event note = bench.note(alice, "n");
        client.publish(note);
        client.awaitDelivered("d", note.id());
        assertEquals(
                0,
                client.delivered("a").size()
                        + client.delivered("b").size()
                        + client.delivered("c").size());
        assertEquals(1, bench.relay.subscriptions());
    }

    @Test
    void limitsOfSubscriptionsAreEnforced() {
        try (Bench small = new Bench("SubscribeTest.small", Map.of("maxSubscriptions", 3, "maxFilters", 2))) {
            TestClient client = small.client();
            for (String id : List.of("a", "b", "c", "a")) {
                assertEquals("EOSE", client.ask(id, "{}").how());
            }
            assertTrue(client.ask("d", "{}").how().startsWith("rate-limited:"));
            client.send("[\"CLOSE\",\"a\"]");
            assertEquals("EOSE", client.ask("d", "{}", "{}").how());
            assertTrue(client.ask("b", "{}", "{}", "{}").how().startsWith("invalid: filter"));
            client.send("[\"REQ\",\"\",{}]");
            String notice = client.await(RelayFrame.Notice.class, n -> true).message();
            assertTrue(notice.startsWith("invalid: subscription"), notice);
        }
    }

    @Test
    void reconciliationIsUnsupportedAndUnknownWordsGetANotice() {
        TestClient client = bench.client();
        client.send("[\"NEG-OPEN\",\"n\\\"1\",{},\"61\"]");
        client.await(RelayFrame.Unknown.class, unknown -> unknown.verb().equals("NEG-ERR"));
        assertTrue(
                client.raw().stream().anyMatch(frame -> frame.startsWith("[\"NEG-ERR\",\"n\\\"1\",\"unsupported: ")));
        client.send("[\"HELLO\",1]");
        assertTrue(client.await(RelayFrame.Notice.class, n -> true).message().startsWith("unsupported: "));
        client.send("no json");
        client.await(RelayFrame.Notice.class, n -> n.message().startsWith("invalid: "));
    }

    @Test
    void aStoreThatIsAwayClosesTheSubscription() {
        TestClient client = bench.client();
        bench.store.queryFailure = new ProviderException(Kind.UNAVAILABLE, "storage.io-error", "disk");
        assertTrue(client.ask("a", "{}").how().startsWith("error: storage.io-error"));
        assertEquals(0, bench.relay.subscriptions());
        bench.store.queryFailure = null;
        assertEquals("EOSE", client.ask("a", "{}").how());
    }

    @Test
    void aSlowReaderHoldsBackItsOwnStoredEventsOnly() {
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            events.add(alice.event(Bench.NOW - i, 1, List.of(), "x".repeat(90_000) + i));
        }
        store(events);
        TestClient slow = bench.client();
        slow.challenge();
        slow.pause();
        slow.send("[\"REQ\",\"a\",{\"kinds\":[1]}]");
        Await.until("the first event came", () -> slow.delivered("a").size() == 1);
        TestClient other = bench.client();
        assertEquals(300, other.ask("a", "{\"kinds\":[1]}").events().size());
        assertEquals(1, slow.delivered("a").size());
        slow.resume();
        slow.await(RelayFrame.Eose.class, eose -> true);
        assertEquals(events, slow.delivered("a"));
        assertEquals(null, slow.end());
    }

    @Test
    void aReaderThatNeverReadsIsCutOffWhenTooMuchIsNew() {
        try (Bench small = new Bench("SubscribeTest.slow", Map.of("outboundFrames", 256))) {
            TestClient slow = small.client();
            slow.ask("a", "{\"kinds\":[1]}");
            slow.pause();
            TestClient publisher = small.client();
            TestKey key = small.key();
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                events.add(small.note(key, "n" + i));
            }
            events.forEach(event -> publisher.send(Frames.publish(event)).join());
            events.forEach(event -> assertTrue(publisher.awaitOk(event.id()).accepted()));
            assertTrue(slow.awaitEnd().startsWith("1008 "));
            assertEquals(1L, small.relay.drops().get("slow-consumer"));
            Await.until("its subscription is gone", () -> small.relay.subscriptions() == 0);
            assertTrue(small.relay.index().isEmpty());
        }
    }

    @Test
    void aClientThatSendsFarAheadIsToldSo() {
        bench.store.gate = new CountDownLatch(1);
        TestClient client = bench.client();
        List<Event> events = new ArrayList<>();
        boolean full = false;
        for (int i = 0; i < 600 && !full; i++) {
            Event event = bench.note(alice, "n" + i);
            full = client.send(Frames.publish(event)).isCompletedExceptionally();
            if (!full) {
                events.add(event);
            }
        }
        assertTrue(full);
        assertTrue(events.size() >= 256, "what waits to be handled and what waits to be stored: " + events.size());
        bench.store.gate.countDown();
        events.forEach(event -> assertTrue(client.awaitOk(event.id()).accepted()));
    }

    @Test
    void aClientThatLeavesTakesItsSubscriptionsAlong() {
        TestClient client = bench.client();
        client.ask("a", "{\"kinds\":[1]}", "{\"#t\":[\"x\"]}", "{}");
        client.close();
        assertEquals("1000 bye", client.awaitEnd());
        assertEquals(0, bench.relay.connections());
        assertTrue(bench.relay.index().isEmpty());
        assertTrue(client.send("[\"CLOSE\",\"a\"]").isCompletedExceptionally());
    }

    @Test
    void stoppingAnswersWhatWasTakenAndClosesEveryoneWithGoingAway() {
        try (Bench other = new Bench("SubscribeTest.stop")) {
            TestClient client = other.client();
            other.store.gate = new CountDownLatch(1);
            Event event = other.note(alice, "in time");
            client.send(Frames.publish(event));
            Await.until("the commit waits", () -> other.store.commits.get() == 1);
            other.store.gate.countDown();
            other.relay.stop();
            assertTrue(client.awaitEnd().startsWith("1001 "));
            assertTrue(client.awaitOk(event.id()).accepted());
            TestClient late = new TestClient(other.relay);
            assertTrue(late.send("[\"CLOSE\",\"a\"]").isCompletedExceptionally());
            assertEquals(0, other.relay.connections());
        }
    }

    @Test
    void tooManyClientsAreTurnedAway() {
        try (Bench small = new Bench("SubscribeTest.many", Map.of("maxConnections", 2))) {
            TestClient first = small.client();
            small.client();
            TestClient third = small.client();
            assertTrue(third.awaitEnd().startsWith("1013 "));
            first.close();
            first.awaitEnd();
            assertEquals("EOSE", small.client().ask("a", "{}").how());
        }
    }

    @Test
    void theInformationDocumentSaysWhatIsEnforced() {
        String json = bench.relay.information();
        for (String part : List.of(
                "\"supported_nips\":[1,9,11,13,40,42,45,59,62,70]",
                "\"max_message_length\":131072",
                "\"max_subscriptions\":200",
                "\"max_limit\":500",
                "\"max_subid_length\":64",
                "\"max_event_tags\":2000",
                "\"max_content_length\":102400",
                "\"created_at_upper_limit\":900")) {
            assertTrue(json.contains(part), part + " in " + json);
        }
        assertFalse(json.contains("\"max_filters\""), "NIP-11 has no such limit");
        assertFalse(json.contains("\"pubkey\""), "an operator without a key has none");
        assertEquals(131_072, bench.relay.maxFrameBytes());
    }
}
