package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger.Message;
import im.parley.messenger.Messenger.Version;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.Nip19;
import im.parley.testkit.Seeds;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is taken away is gone for good, and nothing else is. */
class ErasingTest {
    private static final Scope SCOPE = Scope.DEFAULT;

    private final VirtualTime time = new VirtualTime(Seeds.generator("erasing"));
    private final SimulatedRelays relays = new SimulatedRelays(time);
    private final SimulatedNode a = new SimulatedNode(time, relays, "ws://127.0.0.1:7470", true);
    private final SimulatedNode b = new SimulatedNode(time, relays, "ws://127.0.0.1:7570", true);
    private PublicKey alice;
    private PublicKey bob;

    @BeforeEach
    void meet() throws Exception {
        relays.faults.instantFetch = true;
        alice = a.create("Alice");
        bob = b.create("Bob");
        time.run(Duration.ofSeconds(3));
        a.api().addContact(SCOPE, null, "bob", Nip19.nprofile(bob, List.of("ws://127.0.0.1:7570")));
        b.api().addContact(SCOPE, null, "alice", Nip19.nprofile(alice, List.of("ws://127.0.0.1:7470")));
    }

    private static long bucket(SimulatedNode node, PublicKey account, String id) {
        return node.calm(() -> node.space().transact(tx -> {
            Line line = java.util.Objects.requireNonNull(Book.line(tx, account, id));
            return java.util.Objects.requireNonNull(tx.item(im.parley.vault.RecordKey.of(
                            im.parley.outbox.CircleRecords.MESSAGES, account.hex(), line.position())))
                    .bucket();
        }));
    }

    private static List<String> latest(SimulatedNode node) {
        return node.calm(() -> node.api().latest(SCOPE, null, 1_000)).stream()
                .map(Message::text)
                .toList();
    }

    @Test
    void aDeletedMessageTakesItsSecretAndTheOthersMoveToANewOne() throws Exception {
        List<Message> sent = new ArrayList<>();
        for (int i = 0; i < 150; i++) {
            sent.add(a.api().send(SCOPE, null, "bob", "text " + i));
        }
        a.api().edit(SCOPE, null, sent.get(10).id(), "changed");
        time.run(Duration.ofSeconds(20));
        String id = sent.get(11).id();
        long here = bucket(a, alice, id);
        long there = bucket(b, bob, id);
        assertTrue(here != 0 && there != 0);
        a.api().delete(SCOPE, null, id);
        time.run(Duration.ofSeconds(10));
        assertTrue(a.records.shredded.contains(here));
        assertTrue(b.records.shredded.contains(there));
        for (SimulatedNode node : List.of(a, b)) {
            List<String> texts = latest(node);
            assertEquals(150, texts.size());
            assertEquals("", texts.get(11));
            assertEquals("changed", texts.get(10));
            assertEquals("text 149", texts.get(149));
            assertEquals(
                    List.of("text 10", "changed"),
                    node.api().history(SCOPE, null, sent.get(10).id()).stream()
                            .map(Version::text)
                            .toList());
        }
    }

    @Test
    void aMessageThatVanishesTakesItsSecretAtItsDeadline() throws Exception {
        a.api().send(SCOPE, null, "bob", "stays");
        a.api().timer(SCOPE, null, List.of("bob"), Duration.ofMinutes(5));
        String first = a.api().send(SCOPE, null, "bob", "goes").id();
        String second = a.api().send(SCOPE, null, "bob", "goes, too").id();
        time.run(Duration.ofSeconds(10));
        long bucket = bucket(a, alice, first);
        assertEquals(bucket, bucket(a, alice, second));
        a.api().delete(SCOPE, null, first);
        assertTrue(a.records.shredded.contains(bucket), "at once, not at the deadline");
        assertEquals(List.of("stays", "", "goes, too"), latest(a));
        a.records.shredded.clear();
        time.run(Duration.ofMinutes(6));
        assertTrue(a.records.shredded.contains(bucket));
        assertTrue(b.records.shredded.stream().anyMatch(one -> one >>> 62 == 1));
        assertEquals(List.of("stays"), latest(a));
        assertEquals(List.of("stays"), latest(b));
    }

    @Test
    void whatWasSentIsGoneFromTheQueue() throws Exception {
        a.api().send(SCOPE, null, "bob", "a text");
        assertFalse(a.records.shredded.stream().anyMatch(one -> one >>> 60 == 1));
        time.run(Duration.ofSeconds(10));
        assertTrue(a.records.shredded.stream().anyMatch(one -> one >>> 60 == 1));
    }

    @Test
    void aConversationIsTakenAwayWithItsSecrets() throws Exception {
        for (int i = 0; i < 130; i++) {
            a.api().send(SCOPE, null, "bob", "text " + i);
            a.api().send(SCOPE, null, "Alice", "note " + i);
        }
        time.run(Duration.ofSeconds(20));
        a.chats().remove(SCOPE, null, List.of("bob"));
        assertTrue(a.records.shredded.stream()
                        .filter(one -> one >>> 61 == 1)
                        .distinct()
                        .count()
                >= 4);
        assertEquals(130, latest(a).size());
        assertEquals("note 129", latest(a).get(129));
    }
}
