package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.storage.Batch;
import im.parley.protocol.Frames;
import im.parley.protocol.RelayFrame;
import im.parley.testkit.Await;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What one client, and all of them together, may cost in memory and work. */
class BudgetsTest {
    private static final int LARGE = 90_000;

    private static String values(int count) {
        return "{\"#t\":["
                + IntStream.range(0, count).mapToObj(i -> "\"v" + i + "\"").collect(Collectors.joining(","))
                + "],\"limit\":0}";
    }

    private static void store(Bench bench, List<Event> events) {
        List<Batch.Item> items = new ArrayList<>();
        events.forEach(event -> items.add(new Batch.Item.Put(event, 0)));
        bench.store.memory.commit(new Batch(items));
    }

    /** Gift wraps of one second. */
    private static List<Event> wraps(TestKey recipient, int count) {
        List<Event> wraps = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            wraps.add(recipient.event(Bench.NOW - 10, 1059, List.of(List.of("p", recipient.hex())), "w" + i));
        }
        return wraps;
    }

    // Filters kept

    @Test
    void RL_16_aFilterOfMoreThanThousandValuesIsInvalid() {
        try (Bench bench = new Bench("BudgetsTest.values")) {
            TestClient client = bench.client();
            assertEquals("EOSE", client.ask("a", values(1_000)).how());
            assertTrue(client.ask("a", values(1_001)).how().startsWith("invalid: filter "));
            assertEquals(0, bench.relay.filterBytes(), "the former went with it");
        }
    }

    @Test
    void theFiltersOfOneConnectionAreBounded() {
        try (Bench bench = new Bench("BudgetsTest.filters", Map.of("filterKib", 64))) {
            TestClient client = bench.client();
            assertEquals("EOSE", client.ask("a", values(150)).how());
            assertEquals("EOSE", client.ask("a", values(150)).how(), "it replaces the former");
            assertTrue(client.ask("b", values(150)).how().startsWith("rate-limited: "));
            assertEquals("EOSE", client.ask("c", values(10)).how());
            assertEquals("EOSE", bench.client().ask("b", values(150)).how(), "another connection has its own");
            client.send("[\"CLOSE\",\"a\"]");
            assertEquals("EOSE", client.ask("b", values(150)).how());
            assertTrue(client.ask("b", values(900)).how().startsWith("rate-limited: "));
            assertEquals("EOSE", client.ask("a", values(150)).how(), "a refused one ends its former");
            assertTrue(bench.localClient().ask("b", values(900)).how().startsWith("rate-limited: "));
        }
    }

    @Test
    void theFiltersOfAllConnectionsAreBoundedAndEverybodyHasALittle() {
        try (Bench bench = new Bench("BudgetsTest.allFilters", Map.of("allFiltersKib", 1_024))) {
            List<TestClient> clients = new ArrayList<>();
            String how = "EOSE";
            while (how.equals("EOSE")) {
                assertTrue(clients.size() < 20, "the bound was never met");
                TestClient client = bench.client();
                clients.add(client);
                how = client.ask("a", values(800)).how();
            }
            assertTrue(how.startsWith("rate-limited: all connections"), how);
            assertTrue(bench.relay.filterBytes() <= 1_024 * 1_024);
            assertEquals("EOSE", bench.client().ask("a", values(5)).how());
            assertEquals("EOSE", bench.localClient().ask("a", values(800)).how());
            clients.get(0).close();
            clients.get(0).awaitEnd();
            clients.get(1).close();
            clients.get(1).awaitEnd();
            assertEquals(
                    "EOSE",
                    clients.get(clients.size() - 1).ask("a", values(800)).how());
        }
    }

    @Test
    void whatIsCountedIsGivenBack() {
        try (Bench bench = new Bench("BudgetsTest.back")) {
            TestKey key = bench.key();
            store(bench, wraps(key, 100));
            TestClient client = bench.client(key);
            client.ask("a", "{\"kinds\":[1059]}", values(100));
            client.ask("b", "{}");
            client.ask("a", "{}");
            client.publish(bench.note(key, "live"));
            client.send("[\"CLOSE\",\"a\"]");
            client.send("not json");
            client.await(RelayFrame.Notice.class, n -> true);
            assertTrue(bench.relay.filterBytes() > 0);
            client.close();
            client.awaitEnd();
            assertEquals(0, bench.relay.filterBytes());
            Await.until("nothing is held", () -> bench.relay.backlog().bytes() == 0);
        }
    }

    // Slow readers

    @Test
    void anEventIsHeldOnceForAllWhoWaitForIt() {
        try (Bench bench = new Bench("BudgetsTest.shared", Map.of("backlogKib", 8_192))) {
            TestKey key = bench.key();
            List<TestClient> slow = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                TestClient client = bench.client();
                client.ask("a", "{\"kinds\":[1]}");
                client.ask("b", "{\"kinds\":[1],\"limit\":0}");
                client.pause();
                slow.add(client);
            }
            TestClient publisher = bench.client();
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                events.add(key.event(Bench.NOW - 100 + i, 1, List.of(), "x".repeat(LARGE) + i));
                assertEquals("true ", publisher.publish(events.get(i)));
            }
            Await.until("what is not read waits", () -> bench.relay.backlog().bytes() > 19L * 2 * LARGE);
            assertTrue(bench.relay.backlog().bytes() < 8 << 20, "80 copies would be 280 MB");
            slow.forEach(TestClient::resume);
            for (TestClient client : slow) {
                client.awaitDelivered("b", events.get(19).id());
                Await.until(
                        "both have all",
                        () -> client.delivered("a").equals(events)
                                && client.delivered("b").equals(events));
                assertNull(client.end());
            }
            Await.until("nothing is held", () -> bench.relay.backlog().bytes() == 0);
        }
    }

    @Test
    void whoHoldsMostIsCutOffWhenAllTogetherHoldTooMuch() {
        try (Bench bench = new Bench("BudgetsTest.cut", Map.of("backlogKib", 8_192))) {
            TestKey key = bench.key();
            TestClient most = bench.client();
            most.ask("a", "{\"kinds\":[7]}");
            most.pause();
            TestClient less = bench.client();
            less.ask("a", "{\"kinds\":[8]}");
            less.pause();
            TestClient own = bench.localClient();
            own.ask("a", "{\"kinds\":[7,8]}");
            own.pause();
            TestClient publisher = bench.client();
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < 54; i++) {
                Event event = key.event(Bench.NOW - 100 + i, i < 30 ? 7 : 8, List.of(), "x".repeat(LARGE) + i);
                events.add(event);
                assertEquals("true ", publisher.publish(event));
            }
            assertTrue(most.awaitEnd().startsWith("1008 too slow: "));
            assertEquals(1L, bench.relay.drops().get("slow-consumer"));
            own.resume();
            less.resume();
            Await.until("the other has all", () -> less.delivered("a").equals(events.subList(30, 54)));
            Await.until("the node itself too", () -> own.delivered("a").equals(events));
            assertNull(own.end());
            Await.until("nothing is held", () -> bench.relay.backlog().bytes() == 0);
        }
    }

    @Test
    void storedEventsAtHandCountToo() {
        try (Bench bench = new Bench("BudgetsTest.stored", Map.of("backlogKib", 8_192))) {
            TestKey key = bench.key();
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                events.add(key.event(Bench.NOW - i, 1000 + i, List.of(), "x".repeat(LARGE) + i));
            }
            store(bench, events);
            // One event at hand for each filter, before the first is sent.
            String filters = events.stream()
                    .map(event -> "{\"kinds\":[" + event.kind() + "]}")
                    .collect(Collectors.joining(","));
            TestClient slow = bench.client();
            slow.challenge();
            slow.pause();
            slow.send("[\"REQ\",\"a\"," + filters + "]");
            assertTrue(slow.awaitEnd().startsWith("1008 too slow: "));
            Await.until("nothing is held", () -> bench.relay.backlog().bytes() == 0);
        }
    }

    @Test
    void idsSentAsStoredCountUntilNoneOfThemCanComeAgain() {
        try (Bench bench = new Bench("BudgetsTest.ids", Map.of("backlogKib", 8_192))) {
            Session session = new Session(bench.relay, new TestClientSink(), "", "203.0.113.7");
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                events.add(bench.note(bench.key(), "n" + i));
            }
            for (String end : List.of("settled", "cancelled", "ended")) {
                Subscription subscription =
                        new Subscription(session, end, List.of(Filter.builder().build()));
                for (Event event : events) {
                    subscription.deliverStored(event, "{}");
                    subscription.deliverStored(event, "{}");
                    Await.until("it is read", () -> session.heldBytes() <= 300 * 200);
                }
                Await.until("only the ids are held", () -> bench.relay.backlog().bytes() == 300 * Weight.ID);
                assertEquals(300 * Weight.ID, session.heldBytes(), "whoever holds most is found by this");
                SharedText json = new SharedText("{}", bench.relay.backlog());
                assertEquals(Subscription.Delivery.NOT_WANTED, subscription.deliverNew(events.get(7), json));
                switch (end) {
                    case "settled" -> {
                        subscription.storedDone();
                        assertEquals(Subscription.Delivery.NOT_WANTED, subscription.deliverNew(events.get(8), json));
                        subscription.settled();
                        subscription.settled();
                        subscription.cancel();
                    }
                    case "cancelled" -> subscription.cancel();
                    default -> {
                        session.end(1000, "", false);
                        subscription.cancel();
                    }
                }
                Await.until("nothing is held", () -> bench.relay.backlog().bytes() == 0);
            }
        }
    }

    @Test
    void whoLetsTooManyIdsBeKeptIsCutOff() {
        try (Bench bench = new Bench("BudgetsTest.manyIds", Map.of("backlogKib", 8_192))) {
            TestClientSink sink = new TestClientSink();
            Session session = (Session) bench.relay.accept(sink, "203.0.113.7");
            TestClient other = bench.client();
            Subscription subscription =
                    new Subscription(session, "a", List.of(Filter.builder().build()));
            Event event = bench.note(bench.key(), "");
            byte[] id = new byte[EventId.LENGTH];
            for (int i = 0; i < 70_000 && sink.closed == 0; i++) {
                ByteBuffer.wrap(id).putInt(i);
                subscription.deliverStored(
                        new Event(EventId.of(id), event.pubkey(), 0, 1, List.of(), "", event.sig()), "{}");
                if (i % 500 == 0) {
                    int ids = i + 1;
                    Await.until(
                            "it is read",
                            () -> sink.closed != 0 || session.heldBytes() <= Math.max(10_000, ids * Weight.ID));
                }
            }
            Await.until("it is cut off", () -> sink.closed == 1008);
            assertEquals(1L, bench.relay.drops().get("slow-consumer"));
            assertEquals("EOSE", other.ask("a", "{}").how());
        }
    }

    // Work

    @Test
    void aTurnOfAQueryReadsOnePageWhateverTheNumberOfFilters() throws Exception {
        try (Bench bench = new Bench("BudgetsTest.turn")) {
            List<Filter> filters = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                filters.add(Filter.builder().until(Bench.NOW + i).build());
            }
            store(bench, List.of(bench.note(bench.key(), "one")));
            Session session = new Session(bench.relay, new TestClientSink(), "", "203.0.113.7");
            StoredQuery query = new StoredQuery(
                    new Subscription(session, "a", filters),
                    ProvenKeys.NONE,
                    new Expirations(bench.clock),
                    500,
                    rows -> true);
            int turns = 0;
            while (!query.turn(bench.store)) {
                turns++;
                assertTrue(bench.store.pages.get() <= turns, "more than one page in a turn");
            }
            assertEquals(200, bench.store.pages.get());
        }
    }

    @Test
    void eventsOfOneSecondAreNotReadAgainForEachPage() {
        try (Bench bench = new Bench("BudgetsTest.second")) {
            TestKey alice = bench.key();
            TestKey bob = bench.key();
            List<Event> all = wraps(alice, 3_000);
            List<Event> notes = IntStream.range(0, 300)
                    .mapToObj(i -> bob.event(Bench.NOW - 10, 1, List.of(), "n" + i))
                    .sorted(Comparator.comparing(Event::id))
                    .toList();
            all.addAll(notes);
            store(bench, all.subList(0, 1_650));
            store(bench, all.subList(1_650, 3_300));

            assertEquals(notes, bench.client().ask("a", "{}").events());
            assertEquals(300, bench.store.read.get(), "what an unknown reader cannot have is not read at all");
            assertTrue(bench.store.glanced.get() < 2 * 3_300, "rows looked at: " + bench.store.glanced);

            bench.store.read.set(0);
            assertEquals(notes, bench.client(bob).ask("a", "{}").events());
            assertEquals(3_300, bench.store.read.get(), "each is read once to see whom it is for");
        }
    }

    @Test
    void aCountReadsNothingThatAnUnknownReaderCannotHave() {
        try (Bench bench = new Bench("BudgetsTest.count")) {
            TestKey alice = bench.key();
            List<Event> all = wraps(alice, 1_200);
            for (int i = 0; i < 300; i++) {
                all.add(alice.event(Bench.NOW - i % 20, 1, List.of(), "n" + i));
            }
            store(bench, all);
            assertEquals("[\"COUNT\",\"c\",{\"count\":300}]", count(bench.client(), "{}"));
            assertEquals(300, bench.store.read.get());
            String toAlice = "{\"#p\":[\"" + alice.hex() + "\"]}";
            assertEquals("[\"COUNT\",\"c\",{\"count\":0}]", count(bench.client(), toAlice));
            assertEquals(300, bench.store.read.get());
            assertEquals("[\"COUNT\",\"c\",{\"count\":1500}]", count(bench.client(alice), "{}"));
        }
        try (Bench bench = new Bench("BudgetsTest.countGuarded", Map.of("maxGuardedRows", 1_000))) {
            store(bench, wraps(bench.key(), 600));
            assertEquals("[\"COUNT\",\"c\",{\"count\":0}]", count(bench.client(), "{}"));
            TestClient client = bench.client();
            assertEquals("[\"COUNT\",\"c\",{\"count\":0}]", count(client, "{}"));
            assertTrue(count(client, "{}").startsWith("[\"CLOSED\",\"c\",\"error: relay.too-wide"));
        }
    }

    private static String count(TestClient client, String filter) {
        int from = client.raw().size();
        client.send("[\"COUNT\",\"c\"," + filter + "]");
        return Await.value(
                "the count",
                () -> client.raw().stream()
                        .skip(from)
                        .filter(frame -> frame.contains("\"c\""))
                        .findFirst());
    }

    @Test
    void guardedEventsPassedOverAreBoundedForAConnectionOverTime() {
        try (Bench bench = new Bench("BudgetsTest.guarded", Map.of("maxGuardedRows", 1_000))) {
            TestKey alice = bench.key();
            store(bench, wraps(alice, 600));
            TestClient client = bench.client();
            assertEquals("EOSE", client.ask("a", "{}").how());
            String how = client.ask("b", "{}").how();
            assertTrue(how.startsWith("error: relay.too-wide"), how);
            int pages = bench.store.pages.get();
            assertTrue(client.ask("b", "{}", "{\"since\":5}").how().startsWith("error: relay.too-wide"));
            assertEquals(pages, bench.store.pages.get(), "once overdrawn nothing is looked up");
            assertEquals("EOSE", client.ask("c", "{\"kinds\":[1]}").how());
            assertEquals("EOSE", bench.client().ask("a", "{}").how(), "another connection has its own");
            bench.clock.advance(Duration.ofSeconds(20));
            assertEquals("EOSE", client.ask("b", "{}").how());
        }
    }

    @Test
    void guardedEventsPassedOverAreBoundedForAllConnections() {
        try (Bench bench = new Bench("BudgetsTest.allGuarded", Map.of("maxGuardedRows", 1_000))) {
            store(bench, wraps(bench.key(), 900));
            for (int i = 0; i < 11; i++) {
                assertEquals("EOSE", bench.client().ask("a", "{}").how(), "client " + i);
            }
            assertTrue(bench.client().ask("a", "{}").how().startsWith("error: relay.too-wide"));
            assertEquals("EOSE", bench.localClient().ask("a", "{}").how());
        }
    }

    @Test
    void eventsOfOneConnectionAreTakenAtARate() {
        try (Bench bench = new Bench("BudgetsTest.rate", Map.of("eventsAtOnce", 5, "eventsPerSecond", 2))) {
            TestKey key = bench.key();
            TestClient client = bench.client();
            for (int i = 0; i < 5; i++) {
                assertEquals("true ", client.publish(bench.note(key, "n" + i)));
            }
            Event sixth = bench.note(key, "sixth");
            assertTrue(client.publish(sixth).startsWith("false rate-limited: "));
            assertEquals("true ", bench.client().publish(sixth), "another connection has its own");
            bench.clock.advance(Duration.ofSeconds(1));
            assertEquals("true ", client.publish(bench.note(key, "a")));
            assertEquals("true ", client.publish(bench.note(key, "b")));
            assertTrue(client.publish(bench.note(key, "c")).startsWith("false rate-limited: "));
            Event proof = key.event(Bench.NOW, 22242, List.of(), "");
            assertTrue(client.answer(proof, Frames.auth(proof)).startsWith("false rate-limited: "));
            assertEquals(3L, bench.relay.drops().get("rate-limited"));
            TestClient own = bench.localClient();
            for (int i = 0; i < 20; i++) {
                assertEquals("true ", own.publish(bench.note(key, "own" + i)));
            }
        }
    }

    @Test
    void filtersOfOneConnectionAreTakenAtARate() {
        Map<String, Object> settings = Map.of("maxFilters", 3, "filtersAtOnce", 4, "filtersPerSecond", 1);
        try (Bench bench = new Bench("BudgetsTest.filterRate", settings)) {
            TestClient client = bench.client();
            assertEquals("EOSE", client.ask("a", "{}", "{}", "{}").how());
            assertTrue(client.ask("b", "{}", "{}").how().startsWith("rate-limited: "));
            assertEquals("EOSE", client.ask("b", "{}").how());
            assertTrue(client.ask("c", "{}").how().startsWith("rate-limited: "));
            bench.clock.advance(Duration.ofSeconds(2));
            assertEquals("EOSE", client.ask("c", "{}", "{}").how());
            TestClient own = bench.localClient();
            for (int i = 0; i < 20; i++) {
                assertEquals("EOSE", own.ask("a", "{}").how());
            }
        }
    }

    private static final class TestClientSink implements im.parley.api.transport.FrameSink {
        volatile int closed;

        @Override
        public void text(String frame) {}

        @Override
        public void closed(int code, String reason) {
            closed = code;
        }
    }
}
