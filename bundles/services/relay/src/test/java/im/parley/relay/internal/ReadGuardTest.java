package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.protocol.FilterMatch;
import im.parley.protocol.Frames;
import im.parley.testkit.Await;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ReadGuardTest {
    private final Bench bench = new Bench("ReadGuardTest");
    private final TestKey alice = bench.key();
    private final TestKey bob = bench.key();
    private final TestKey mallory = bench.key();

    @AfterEach
    void stop() {
        bench.close();
    }

    @Test
    void RL_01_wrapsNeedTheirRecipientsProof() {
        Event wrap = bench.wrap(alice);
        bench.client().publish(wrap);
        TestClient nobody = bench.client();
        TestClient.Answer answer = nobody.ask("a", "{\"kinds\":[1059]}");
        assertTrue(answer.how().startsWith("auth-required: "));
        answer = nobody.ask("b", "{\"kinds\":[1059],\"#p\":[\"" + alice.hex() + "\"]}");
        assertTrue(answer.how().startsWith("auth-required: "));
        TestClient asBob = bench.client(bob);
        answer = asBob.ask("a", "{\"kinds\":[1059],\"#p\":[\"" + alice.hex() + "\"]}");
        assertTrue(answer.how().startsWith("restricted: "));
        assertEquals(List.of(), answer.events());
        TestClient asAlice = bench.client(alice);
        assertEquals(
                List.of(wrap),
                asAlice.ask("a", "{\"kinds\":[1059],\"#p\":[\"" + alice.hex() + "\"]}")
                        .events());

        Event fresh = bench.wrap(alice);
        bench.client().publish(fresh);
        asAlice.awaitDelivered("a", fresh.id());
        assertEquals(
                0,
                nobody.delivered("a").size()
                        + nobody.delivered("b").size()
                        + asBob.delivered("a").size());
        assertEquals(1, bench.relay.subscriptions(), "what was closed is not live");
    }

    @Test
    void RL_02_twelveFiltersFourIdentities() {
        List<Event> stored = events("stored");
        TestClient publisher = bench.client();
        stored.forEach(event -> assertEquals("true ", publisher.publish(event)));
        Event wrapForAlice = stored.get(0);

        // a: auth-required, r: restricted, o: open; for nobody, Alice, Bob, Mallory
        Map<String, String> filters = new LinkedHashMap<>();
        filters.put("{\"#p\":[\"" + alice.hex() + "\"]}", "oooo");
        filters.put("{\"ids\":[\"" + wrapForAlice.id() + "\"]}", "oooo");
        filters.put("{}", "oooo");
        filters.put("{\"since\":0}", "oooo");
        filters.put("{\"authors\":[\"" + wrapForAlice.pubkey() + "\"]}", "oooo");
        filters.put("{\"kinds\":[1,1059]}", "oooo");
        filters.put("{\"kinds\":[1059]},{\"kinds\":[1]}", "oooo");
        filters.put("{\"kinds\":[1059,21059],\"#p\":[\"" + alice.hex() + "\"]}", "aorr");
        filters.put("{\"kinds\":[1059]}", "aooo");
        filters.put("{\"kinds\":[4],\"#p\":[\"" + alice.hex() + "\"],\"authors\":[\"" + bob.hex() + "\"]}", "aoor");
        filters.put("{\"kinds\":[4,1059,21059],\"ids\":[\"" + wrapForAlice.id() + "\"]}", "aooo");
        filters.put("{\"kinds\":[1,4,1059,21059],\"limit\":50}", "oooo");
        assertEquals(12, filters.size());
        List<@Nullable TestKey> identities = new ArrayList<>();
        identities.add(null);
        identities.addAll(List.of(alice, bob, mallory));

        record Cell(
                TestClient client,
                List<Filter> filters,
                @Nullable TestKey identity,
                boolean open,
                String name) {}
        List<Cell> cells = new ArrayList<>();
        int served = 0;
        for (Map.Entry<String, String> row : filters.entrySet()) {
            for (int i = 0; i < identities.size(); i++) {
                TestKey identity = identities.get(i);
                TestClient client = identity == null ? bench.client() : bench.client(identity);
                List<Filter> read = filters(row.getKey());
                TestClient.Answer answer = client.ask("s", row.getKey());
                String name = row.getKey() + " as "
                        + List.of("nobody", "Alice", "Bob", "Mallory").get(i);
                char expected = row.getValue().charAt(i);
                if (expected == 'o') {
                    assertNull(answer.closed(), name);
                    assertEquals(visible(stored, read, identity), answer.events(), name);
                    served += answer.events().size();
                } else {
                    String prefix = expected == 'a' ? "auth-required: " : "restricted: ";
                    assertTrue(answer.how().startsWith(prefix), name + " " + answer.how());
                    assertEquals(List.of(), answer.events(), name);
                }
                cells.add(new Cell(client, read, identity, expected == 'o', name));
            }
        }
        assertTrue(served > 40, "the allowed part is served: " + served);

        List<Event> live = events("live");
        Event sentinel = bench.note(mallory, "sentinel");
        cells.forEach(cell -> cell.client().ask("sentinel", "{\"ids\":[\"" + sentinel.id() + "\"]}"));
        List<Integer> before =
                cells.stream().map(cell -> cell.client().delivered("s").size()).toList();
        live.forEach(event -> assertTrue(publisher.publish(event).startsWith("true"), event.toString()));
        publisher.publish(sentinel);
        for (int i = 0; i < cells.size(); i++) {
            Cell cell = cells.get(i);
            cell.client().awaitDelivered("sentinel", sentinel.id());
            List<EventId> got = cell.client().delivered("s").stream()
                    .skip(before.get(i))
                    .map(Event::id)
                    .toList();
            List<EventId> expected = new ArrayList<>();
            List<Event> all = new ArrayList<>(live);
            all.add(sentinel);
            for (Event event : all) {
                if (cell.open() && matches(event, cell.filters()) && mayRead(event, cell.identity())) {
                    expected.add(event.id());
                }
            }
            assertEquals(expected, got, cell.name());
        }
    }

    /** One event of each sort a relay may see, the guarded ones for and from several people. */
    private List<Event> events(String label) {
        List<Event> events = new ArrayList<>();
        events.add(bench.wrap(alice));
        events.add(bench.wrap(bob));
        events.add(
                bob.event(Bench.NOW - 500 + events.size(), 4, List.of(List.of("p", alice.hex())), label + " old dm"));
        events.add(
                alice.event(Bench.NOW - 500 + events.size(), 4, List.of(List.of("p", bob.hex())), label + " answer"));
        events.add(bench.note(bob, label + " note"));
        events.add(mallory.event(
                Bench.NOW - 400, 1, List.of(List.of("p", alice.hex())), label + " note that names Alice"));
        // No recipient at all: nobody's.
        events.add(bench.key().event(Bench.NOW - 300, 1059, List.of(List.of("q", alice.hex())), label));
        if (label.equals("live")) {
            events.add(bench.key().event(Bench.NOW, 21059, List.of(List.of("p", alice.hex())), label));
        }
        return events;
    }

    private static List<Filter> filters(String json) {
        try {
            List<Filter> read = new ArrayList<>();
            for (String one : json.split("(?<=}),")) {
                read.add(Frames.readFilter(one));
            }
            return read;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static List<Event> visible(List<Event> events, List<Filter> filters, @Nullable TestKey reader) {
        return events.stream()
                .filter(event -> matches(event, filters) && mayRead(event, reader))
                .sorted(Comparator.comparingLong(Event::createdAt).reversed().thenComparing(Event::id))
                .toList();
    }

    private static boolean matches(Event event, List<Filter> filters) {
        return filters.stream().anyMatch(filter -> FilterMatch.matches(filter, event));
    }

    /** The rule once more, written differently. */
    private static boolean mayRead(Event event, @Nullable TestKey reader) {
        return switch (event.kind()) {
            case 1059, 21059 -> reader != null && event.tagValues("p").contains(reader.hex());
            case 4 ->
                reader != null
                        && (event.tagValues("p").contains(reader.hex())
                                || event.pubkey().equals(reader.publicKey()));
            default -> true;
        };
    }

    @Test
    void RL_04_whoProvesAKeyLaterGetsWhatComesLater() {
        TestClient client = bench.client();
        assertNull(client.ask("s", "{\"#p\":[\"" + alice.hex() + "\"]}").closed());
        TestClient publisher = bench.client();
        Event early = bench.wrap(alice);
        Event earlyCall = bench.key().event(Bench.NOW, 21059, List.of(List.of("p", alice.hex())), "ring");
        Event open = mallory.event(Bench.NOW, 1, List.of(List.of("p", alice.hex())), "open");
        publisher.publish(early);
        publisher.publish(earlyCall);
        publisher.publish(open);
        client.awaitDelivered("s", open.id());
        assertEquals(List.of(open), client.delivered("s"));

        client.authenticate(alice, Bench.NOW);
        Event late = bench.wrap(alice);
        Event lateCall = bench.key().event(Bench.NOW, 21059, List.of(List.of("p", alice.hex())), "ring again");
        Event foreign = bench.wrap(bob);
        publisher.publish(foreign);
        publisher.publish(late);
        assertEquals("true ", publisher.publish(lateCall));
        client.awaitDelivered("s", lateCall.id());
        assertEquals(List.of(open, late, lateCall), client.delivered("s"));
        assertEquals(0, client.ask("calls", "{\"kinds\":[21059]}").events().size());
        assertEquals(4, bench.store.size(), "no 21059 is stored");
    }

    @Test
    void nobodyLearnsFromTheAnswerWhetherTheRecipientOfACallIsOnline() {
        Event unheard = bench.key().event(Bench.NOW, 21059, List.of(List.of("p", alice.hex())), "ring");
        assertEquals("true ", bench.client().publish(unheard));
        assertEquals("true ", bench.client().publish(unheard));
        TestClient callee = bench.client(alice);
        callee.ask("calls", "{\"kinds\":[21059]}");
        Event heard = bench.key().event(Bench.NOW, 21059, List.of(List.of("p", alice.hex())), "ring");
        TestClient caller = bench.client();
        assertEquals("true ", caller.publish(heard));
        callee.awaitDelivered("calls", heard.id());
        assertEquals("true ", caller.publish(heard), "the same as when nobody heard the first");
        assertEquals(List.of(heard), callee.delivered("calls"));
    }

    @Test
    void theLimitCountsOnlyWhatMayBeServed() {
        TestClient publisher = bench.client();
        List<Event> notes = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            notes.add(0, bench.note(bob, "note " + i));
            publisher.publish(notes.get(0));
        }
        for (int i = 0; i < 300; i++) {
            publisher.publish(bench.wrap(alice));
        }
        TestClient nobody = bench.client();
        assertEquals(notes.subList(0, 3), nobody.ask("a", "{\"limit\":3}").events());
        assertEquals(
                notes, nobody.ask("b", "{\"kinds\":[1,1059],\"limit\":100}").events());
        assertEquals(0, nobody.ask("c", "{\"limit\":0}").events().size());
    }

    @Test
    void aQueryThatPassesOverTooMuchIsRefused() {
        try (Bench small = new Bench("ReadGuardTest.small", Map.of("maxGuardedRows", 1_000))) {
            TestClient publisher = small.client();
            TestKey key = small.key();
            for (int i = 0; i < 1_100; i++) {
                Event wrap = key.event(Bench.NOW - i, 1059, List.of(List.of("p", key.hex())), "");
                publisher.send(Frames.publish(wrap)).join();
            }
            Await.until("all are stored", () -> small.relay.stored() == 1_100);
            String closed = small.client().ask("a", "{}").how();
            assertTrue(closed.startsWith("error: relay.too-wide"), closed);
            assertNull(small.client(key).ask("a", "{}").closed());
        }
    }
}
