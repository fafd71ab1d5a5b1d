package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.EventWriter;
import im.parley.relay.RelayArchive.Page;
import im.parley.relay.RelayArchive.Report;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ArchiveTest {
    private final Bench bench = new Bench("ArchiveTest");

    @AfterEach
    void close() {
        bench.close();
    }

    private List<String> everything(Bench from) throws ProviderException {
        List<String> events = new ArrayList<>();
        long position = 0;
        while (true) {
            Page page = from.relay.after(position);
            events.addAll(page.events());
            if (page.last()) {
                return events;
            }
            assertTrue(page.next() > position, "it goes on");
            position = page.next();
        }
    }

    @Test
    void whatIsTakenOutOfOneRelayAndBroughtIntoAnotherIsTheSame() throws ProviderException {
        TestKey alice = bench.key();
        TestClient client = bench.client(alice);
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            // Twenty pages or so, and one event that is larger than a page.
            Event note = bench.note(
                    alice, i == 7 ? "x".repeat(100_000) : "note " + i + " \u0634 \" \\ " + "y".repeat(i * 100));
            assertEquals("true ", client.publish(note));
            expected.add(EventWriter.write(note));
        }
        Event wrap = bench.wrap(alice);
        Event own = alice.event(Bench.NOW, 1, List.of(List.of("-")), "by me only");
        for (Event each : List.of(wrap, own)) {
            assertEquals("true ", client.publish(each));
            expected.add(EventWriter.write(each));
        }
        assertEquals(expected, everything(bench));

        try (Bench other = new Bench("ArchiveTest other")) {
            assertEquals(new Report(302, 0, 0, List.of()), other.relay.take(expected));
            assertEquals(expected, everything(other));
            assertEquals(new Report(0, 302, 0, List.of()), other.relay.take(expected));
            assertEquals(302, other.store.size());
        }
    }

    @Test
    void whatIsDeletedReplacedOrEndedStaysBehind() throws ProviderException {
        TestKey alice = bench.key();
        TestClient client = bench.client(alice);
        Event gone = bench.note(alice, "gone");
        Event oldProfile = alice.event(Bench.NOW - 100, 0, List.of(), "{}");
        Event profile = alice.event(Bench.NOW - 50, 0, List.of(), "{\"name\":\"a\"}");
        Event ending = alice.event(
                Bench.NOW - 10, 1, List.of(List.of("expiration", Long.toString(Bench.NOW + 60))), "soon gone");
        Event deletion =
                alice.event(Bench.NOW, 5, List.of(List.of("e", gone.id().hex())), "");
        for (Event each : List.of(gone, oldProfile, profile, ending, deletion)) {
            assertEquals("true ", client.publish(each));
        }
        assertEquals(3, everything(bench).size());
        bench.clock.advance(Duration.ofSeconds(61));
        List<String> left = List.of(EventWriter.write(profile), EventWriter.write(deletion));
        assertEquals(left, everything(bench));

        Report again = bench.relay.take(List.of(
                EventWriter.write(gone), EventWriter.write(oldProfile), EventWriter.write(ending), left.get(0)));
        assertEquals(0, again.stored());
        assertEquals(2, again.known());
        assertEquals(2, again.gone(), "an old copy is no error, and brings nothing back");
        assertEquals(List.of(), again.refused());
    }

    @Test
    void whatIsWrongIsRefusedWithItsCodeAndTheRestIsStored() throws ProviderException {
        TestKey alice = bench.key();
        String good = EventWriter.write(bench.note(alice, "good"));
        String other = EventWriter.write(bench.note(alice, "other"));
        Report report = bench.relay.take(List.of(
                "",
                "not json",
                good,
                other.replace("\"other\"", "\"forged\""),
                other.replaceFirst("\"sig\":\"[0-9a-f]{8}", "\"sig\":\"00000000"),
                EventWriter.write(alice.event(Bench.NOW, 20_001, List.of(), "")),
                EventWriter.write(alice.event(Bench.NOW, 22_242, List.of(), "")),
                EventWriter.write(alice.event(Bench.NOW + 901, 1, List.of(), "")),
                other));
        assertEquals(2, report.stored());
        assertEquals(
                List.of(
                        "0 invalid.json",
                        "1 invalid.json",
                        "3 invalid.id",
                        "4 invalid.sig",
                        "5 invalid.ephemeral",
                        "6 blocked.kind-not-for-relays",
                        "7 invalid.created-at-future"),
                report.refused().stream()
                        .map(refusal -> refusal.index() + " " + refusal.code())
                        .toList());
        assertEquals(2, bench.store.size());
    }

    @Test
    void connectedClientsAreNotToldButFindItWhenTheyAsk() throws ProviderException {
        TestKey alice = bench.key();
        TestClient client = bench.client();
        client.ask("live", "{\"kinds\":[1]}");
        Event brought = bench.note(alice, "brought in");
        bench.relay.take(List.of(EventWriter.write(brought)));
        Event published = bench.note(alice, "published");
        assertEquals("true ", bench.client().publish(published));
        client.awaitDelivered("live", published.id());
        assertEquals(List.of(published), client.delivered("live"));
        assertEquals(2, client.ask("later", "{\"kinds\":[1]}").events().size());
    }

    @Test
    void aStoreThatFailsIsToldPerLineAndTheNextImportStoresIt() throws ProviderException {
        String note = EventWriter.write(bench.note(bench.key(), "hi"));
        bench.storeSlot.put(null);
        Report report = bench.relay.take(List.of(note));
        assertEquals("error.slot.empty", report.refused().get(0).code());
        assertThrows(ProviderException.class, () -> bench.relay.after(0));
        bench.storeSlot.put(bench.store);
        assertEquals(new Report(1, 0, 0, List.of()), bench.relay.take(List.of(note)));
    }

    @Test
    void anEmptyRelayHasOneEmptyPageAndTooManyLinesAreTheCallersFault() throws ProviderException {
        assertEquals(new Page(List.of(), 0, true), bench.relay.after(0));
        assertFalse(bench.relay.after(5).next() < 5);
        assertThrows(IllegalArgumentException.class, () -> bench.relay.take(Collections.nCopies(501, "")));
    }
}
