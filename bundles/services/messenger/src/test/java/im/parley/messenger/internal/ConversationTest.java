package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger.Message;
import im.parley.messenger.Messenger.Reaction;
import im.parley.messenger.Messenger.What;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Nip19;
import im.parley.testkit.Seeds;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rooms, answers, reactions, deletions. */
class ConversationTest {
    private static final Scope SCOPE = Scope.DEFAULT;

    private final VirtualTime time = new VirtualTime(Seeds.generator("conversation"));
    private final SimulatedRelays relays = new SimulatedRelays(time);
    private final SimulatedNode a = new SimulatedNode(time, relays, "ws://127.0.0.1:7470", true);
    private final SimulatedNode b = new SimulatedNode(time, relays, "ws://127.0.0.1:7570", true);
    private final SimulatedNode c = new SimulatedNode(time, relays, "ws://127.0.0.1:7670", true);
    private PublicKey alice;
    private PublicKey bob;
    private PublicKey carol;

    @BeforeEach
    void meet() throws Exception {
        relays.faults.instantFetch = true;
        alice = a.create("Alice");
        bob = b.create("Bob");
        carol = c.create("Carol");
        time.run(Duration.ofSeconds(3));
        for (SimulatedNode node : List.of(a, b, c)) {
            node.api().addContact(SCOPE, null, "alice", profile(alice, 7470));
            node.api().addContact(SCOPE, null, "bob", profile(bob, 7570));
            node.api().addContact(SCOPE, null, "carol", profile(carol, 7670));
        }
    }

    private static String profile(PublicKey key, int port) throws Exception {
        return Nip19.nprofile(key, List.of("ws://127.0.0.1:" + port));
    }

    private void settle() {
        time.run(Duration.ofSeconds(5));
    }

    private static List<Message> shown(SimulatedNode node) {
        return node.calm(() -> node.api().latest(SCOPE, null, 1_000));
    }

    private static Message only(SimulatedNode node) {
        List<Message> shown = shown(node);
        assertEquals(1, shown.size(), shown.toString());
        return shown.get(0);
    }

    private static void assertCode(String code, org.junit.jupiter.api.function.Executable act) {
        assertEquals(code, assertThrows(ProviderException.class, act).code());
    }

    // ---- rooms ----

    @Test
    void everybodyInARoomHasTheSameMessagesAndSeesWhoElseHas() throws Exception {
        Message sent = a.api().send(SCOPE, null, List.of("bob", "carol"), "all of you");
        assertEquals(List.of("bob", "carol"), sorted(sent.members()));
        settle();
        b.api().reply(SCOPE, null, sent.id(), "me too");
        settle();
        for (SimulatedNode node : List.of(a, b, c)) {
            List<Message> shown = shown(node);
            assertEquals(List.of("all of you", "me too"), texts(shown));
            assertEquals(1, shown.stream().map(Message::room).distinct().count());
            assertEquals(shown.get(0).id(), shown.get(1).about());
        }
        assertEquals(List.of("alice", "carol"), sorted(shown(b).get(0).members()));
        assertEquals("bob", shown(c).get(1).peerName());
        assertTrue(a.totals().exact());
        assertEquals(2, a.totals().sent(), "each of the others is told apart");
    }

    @Test
    void GR_02_oneMorePersonMakesAnotherRoomWithoutItsHistory() throws Exception {
        Message two = a.api().send(SCOPE, null, "bob", "only you");
        Message three = a.api().send(SCOPE, null, List.of("bob", "carol"), "both of you");
        settle();
        assertFalse(two.room().equals(three.room()));
        assertEquals(List.of("both of you"), texts(shown(c)));
        assertEquals(2, shown(b).stream().map(Message::room).distinct().count());
        c.api().reply(SCOPE, null, three.id(), "hello");
        settle();
        assertEquals(3, shown(b).size());
        assertCode("message.unknown", () -> c.api().reply(SCOPE, null, two.id(), "what?"));
    }

    @Test
    void GR_08_whoCannotBeReachedIsToldApart() throws Exception {
        relays.relay("ws://127.0.0.1:7670").goDown();
        a.api().send(SCOPE, null, List.of("bob", "carol"), "hi");
        settle();
        assertEquals("delivered, queued", firstWords(shown(a).get(0).state()));
        relays.relay("ws://127.0.0.1:7670").comeUp();
        time.run(Duration.ofMinutes(6));
        assertEquals("delivered", shown(a).get(0).state());
        assertEquals(List.of("hi"), texts(shown(c)));
    }

    private static String firstWords(String state) {
        return state.replaceAll(" \\([^)]*\\)", "");
    }

    @Test
    void roomsHaveAnEnd() throws Exception {
        List<String> many = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            many.add(Nip19.npub(PublicKey.ofHex("%02x".formatted(i + 16).repeat(32))));
        }
        assertCode("room.too-many", () -> a.api().send(SCOPE, null, many, "x"));
        assertCode("room.too-many", () -> a.api().send(SCOPE, null, List.of(), "x"));
        Message twice = a.api().send(SCOPE, null, List.of("bob", "bob", "Alice"), "once");
        assertEquals(List.of("bob"), twice.members());
    }

    // ---- answers ----

    @Test
    void anAnswerNamesWhatItAnswersAlsoByTheBeginningOfItsId() throws Exception {
        Message first = a.api().send(SCOPE, null, "bob", "question");
        settle();
        Message answer = b.api().reply(SCOPE, null, first.id().substring(0, 8), "answer");
        assertEquals(first.id(), answer.about());
        settle();
        assertEquals(first.id(), shown(a).get(1).about());
        assertCode("message.unknown", () -> b.api().reply(SCOPE, null, "abc", "too short"));
        assertCode("message.unknown", () -> b.api().reply(SCOPE, null, "f".repeat(64), "none"));
        assertCode("message.empty", () -> b.api().reply(SCOPE, null, first.id(), ""));
    }

    // ---- reactions ----

    @Test
    void aReactionStandsBesideItsMessageForEverybodyAndOnce() throws Exception {
        Message sent = a.api().send(SCOPE, null, List.of("bob", "carol"), "good news");
        settle();
        Message reaction = b.api().react(SCOPE, null, sent.id(), "\u2764\ufe0f");
        assertEquals(What.REACTION, reaction.what());
        settle();
        c.api().react(SCOPE, null, sent.id(), "+");
        settle();
        assertEquals(List.of(new Reaction("bob", "\u2764\ufe0f"), new Reaction("carol", "+")), only(a).reactions());
        assertEquals(List.of(new Reaction("bob", "\u2764\ufe0f"), new Reaction("carol", "+")), only(b).reactions());
        assertEquals(
                List.of(What.TEXT, What.REACTION, What.REACTION),
                a.messages().stream().map(Message::what).toList());
        assertCode("reaction.known", () -> b.api().react(SCOPE, null, sent.id(), "\u2764\ufe0f"));
        b.api().delete(SCOPE, null, reaction.id());
        settle();
        assertEquals(List.of(new Reaction("carol", "+")), only(a).reactions());
        assertEquals(List.of(new Reaction("carol", "+")), only(b).reactions());
        assertFalse(only(c).deleted());
        b.api().react(SCOPE, null, sent.id(), "\u2764\ufe0f");
        settle();
        assertEquals(2, only(a).reactions().size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a\nb", "a\u202eb", "\u0007", "\u200b", "\ud83d"})
    void whatWouldDisturbIsNoReaction(String bad) throws Exception {
        Message sent = a.api().send(SCOPE, null, "bob", "hi");
        assertCode("reaction.bad", () -> a.api().react(SCOPE, null, sent.id(), bad));
        assertCode("reaction.bad", () -> a.api().react(SCOPE, null, sent.id(), "x".repeat(65)));
    }

    // ---- deletions ----

    @Test
    void whatItsAuthorTakesBackIsGoneForEverybody() throws Exception {
        Message sent = a.api().send(SCOPE, null, List.of("bob", "carol"), "oh no");
        settle();
        b.api().react(SCOPE, null, sent.id(), "?");
        settle();
        Message deletion = a.api().delete(SCOPE, null, sent.id());
        assertEquals(sent.id(), deletion.about());
        settle();
        for (SimulatedNode node : List.of(a, b, c)) {
            Message gone = only(node);
            assertTrue(gone.deleted());
            assertEquals("", gone.text());
            assertEquals(
                    What.DELETION,
                    node.messages().get(node.messages().size() - 1).what());
            assertTrue(
                    node.messages().stream().noneMatch(message -> message.text().contains("oh no")));
        }
        assertCode("message.unknown", () -> a.api().delete(SCOPE, null, sent.id()));
        assertCode("message.unknown", () -> b.api().react(SCOPE, null, sent.id(), "!"));
    }

    @Test
    void onlyTheAuthorDeletesForEverybody() throws Exception {
        Message sent = a.api().send(SCOPE, null, "bob", "mine");
        settle();
        assertCode("message.not-yours", () -> b.api().delete(SCOPE, null, sent.id()));
        // A client that does not keep to that.
        deliver(bob, 5, sent.id(), "", alice);
        assertEquals("mine", only(a).text());
        assertEquals(1, a.api().drops(SCOPE).get("dm.not-author"));
    }

    @Test
    void CR_31_whatWasDeletedIsNotShownAgain() throws Exception {
        Message sent = a.api().send(SCOPE, null, "bob", "gone");
        settle();
        a.api().delete(SCOPE, null, sent.id());
        settle();
        b.kill();
        b.boot();
        time.run(Duration.ofMinutes(1));
        assertTrue(only(b).deleted());
        assertEquals(2, b.messages().size());
    }

    @Test
    void aDeletionThatComesFirstIsKeptForWhatItIsAbout() throws Exception {
        b.api().send(SCOPE, null, "alice", "we know each other");
        settle();
        long before = a.calm(() -> (long) a.messages().size());
        Rumor text = rumor(bob, 14, List.of(List.of("p", alice.hex())), "taken back");
        deliver(bob, 5, text.id().hex(), "", alice);
        assertEquals(before, a.messages().size());
        arrives(text);
        Message late = shown(a).get(1);
        assertTrue(late.deleted());
        assertEquals("", late.text());
    }

    @Test
    void GR_11_strangersReactToNothingThatIsNotThere() throws Exception {
        PublicKey stranger = PublicKey.ofHex("ab".repeat(32));
        int sent = a.ledger().size();
        for (int i = 0; i < 50; i++) {
            deliver(stranger, i % 2 == 0 ? 7 : 5, "%064x".formatted(i), "+", alice);
        }
        assertEquals(List.of(), a.messages());
        assertEquals(50, a.api().drops(SCOPE).get("dm.unknown-target"));
        assertEquals(sent, a.ledger().size(), "nothing is sent to strangers");
    }

    // ---- vanishing ----

    @Test
    void whatVanishesIsGoneOnBothSidesWithWhatWasSaidOfItAndOtherThingsStay() throws Exception {
        a.api().send(SCOPE, null, "bob", "stays");
        assertEquals(60, a.api().timer(SCOPE, null, List.of("bob"), Duration.ofMinutes(1)));
        assertEquals(60, a.api().timer(SCOPE, null, List.of("bob"), null));
        assertEquals(0, a.api().timer(SCOPE, null, List.of("carol"), null));
        Message sent = a.api().send(SCOPE, null, "bob", "soon gone");
        settle();
        b.api().react(SCOPE, null, sent.id(), "+");
        b.api().reply(SCOPE, null, sent.id(), "my answer stays, I set no timer");
        settle();
        assertEquals(sent.expires(), shown(b).get(1).expires());
        assertEquals(3, shown(a).size());
        time.run(Duration.ofSeconds(62));
        for (SimulatedNode node : List.of(a, b)) {
            assertEquals(List.of("stays", "my answer stays, I set no timer"), texts(shown(node)));
            assertEquals(2, node.messages().size(), "the reaction went with it: " + node.messages());
        }
        relays.relay("ws://127.0.0.1:7570").events().forEach(event -> {
            if (event.kind() == 1059 && !event.tagValues("expiration").isEmpty()) {
                assertTrue(Long.parseLong(event.tagValues("expiration").get(0)) >= sent.expires());
            }
        });
    }

    @Test
    void whatVanishesWhileTheNodeIsOffIsNeverShownAgain() throws Exception {
        a.api().timer(SCOPE, null, List.of("bob"), Duration.ofSeconds(30));
        a.api().send(SCOPE, null, "bob", "seen in time");
        settle();
        assertEquals(1, shown(b).size());
        b.kill();
        a.api().send(SCOPE, null, "bob", "comes too late");
        time.run(Duration.ofSeconds(60));
        b.boot();
        time.run(Duration.ofSeconds(10));
        assertEquals(List.of(), b.messages());
        b.kill();
        b.boot();
        time.run(Duration.ofMinutes(6));
        assertEquals(List.of(), b.messages(), "its wraps are known");
        assertEquals(List.of(), a.messages());
    }

    @Test
    void timersHaveLimitsAndCanBeTakenBack() throws Exception {
        assertCode("timer.out-of-range", () -> a.api().timer(SCOPE, null, List.of("bob"), Duration.ofSeconds(4)));
        assertCode("timer.out-of-range", () -> a.api().timer(SCOPE, null, List.of("bob"), Duration.ofDays(366)));
        a.api().timer(SCOPE, null, List.of("bob"), Duration.ofSeconds(5));
        a.api().timer(SCOPE, null, List.of("bob"), Duration.ZERO);
        assertEquals(0, a.api().send(SCOPE, null, "bob", "stays").expires());
    }

    @Test
    void aDeadlineThatIsNoneIsIgnored() throws Exception {
        for (String bad : List.of("", "-1", "1e9", "9".repeat(30))) {
            arrives(rumor(
                    bob, 14, List.of(List.of("p", alice.hex()), List.of("expiration", bad)), "text " + bad.length()));
        }
        assertEquals(4, shown(a).size());
        assertTrue(shown(a).stream().allMatch(message -> message.expires() == 0));
    }

    private Rumor rumor(PublicKey author, int kind, List<List<String>> tags, String content) throws Exception {
        return EventHash.rumor(author, time.clock().instant().getEpochSecond(), kind, tags, content);
    }

    private void deliver(PublicKey author, int kind, String target, String content, PublicKey to) throws Exception {
        List<List<String>> tags = List.of(List.of("p", to.hex()), List.of("e", target));
        arrives(rumor(author, kind, tags, content));
    }

    /** At Alice, in a wrap as the open envelope has it. */
    private void arrives(Rumor rumor) throws Exception {
        byte[] once = new byte[32];
        time.random().nextBytes(once);
        long at = time.clock().instant().getEpochSecond();
        String content = EventWriter.write(rumor);
        List<List<String>> tags = List.of(List.of("p", alice.hex()));
        PublicKey wrapper = PublicKey.of(once);
        relays.relay("ws://127.0.0.1:7470")
                .put(new Event(
                        EventHash.id(wrapper, at, 1059, tags, content),
                        wrapper,
                        at,
                        1059,
                        tags,
                        content,
                        Signature.of(new byte[64])));
        settle();
    }

    private static List<String> texts(List<Message> messages) {
        return messages.stream().map(Message::text).toList();
    }

    private static List<String> sorted(List<String> names) {
        return names.stream().sorted().collect(Collectors.toList());
    }
}
