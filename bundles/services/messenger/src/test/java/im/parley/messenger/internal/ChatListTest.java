package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Conversations;
import im.parley.messenger.Messenger.Mention;
import im.parley.messenger.Messenger.Message;
import im.parley.messenger.Messenger.Version;
import im.parley.messenger.Messenger.What;
import im.parley.outbox.Ledger;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.Nip19;
import im.parley.testkit.Seeds;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The list of conversations, requests, receipts, typing, edits, mentions, pins. */
class ChatListTest {
    private static final Scope SCOPE = Scope.DEFAULT;

    private final VirtualTime time = new VirtualTime(Seeds.generator("chats"));
    private final SimulatedRelays relays = new SimulatedRelays(time);
    private final SimulatedNode a = new SimulatedNode(time, relays, "ws://127.0.0.1:7470", true);
    private final SimulatedNode b = new SimulatedNode(time, relays, "ws://127.0.0.1:7570", true);
    private final SimulatedNode c = new SimulatedNode(time, relays, "ws://127.0.0.1:7670", true);
    private PublicKey alice;
    private PublicKey bob;
    private PublicKey carol;

    /** Alice and Bob know each other; Carol knows both, and nobody knows her. */
    @BeforeEach
    void meet() throws Exception {
        relays.faults.instantFetch = true;
        alice = a.create("Alice");
        bob = b.create("Bob");
        carol = c.create("Carol");
        settle();
        a.api().addContact(SCOPE, null, "bob", profile(bob, 7570));
        b.api().addContact(SCOPE, null, "alice", profile(alice, 7470));
        c.api().addContact(SCOPE, null, "alice", profile(alice, 7470));
        c.api().addContact(SCOPE, null, "bob", profile(bob, 7570));
    }

    private static String profile(PublicKey key, int port) throws Exception {
        return Nip19.nprofile(key, List.of("ws://127.0.0.1:" + port));
    }

    private void settle() {
        time.run(Duration.ofSeconds(8));
    }

    private static Conversations.Chat with(SimulatedNode node, String... people) {
        return node.calm(() -> node.chats().chat(SCOPE, null, List.of(people)));
    }

    private static Ledger.State state(SimulatedNode node, Message message) {
        return node.calm(() -> node.outbox.entries(SCOPE, message.id(), 10))
                .get(0)
                .state();
    }

    private static void assertCode(String code, org.junit.jupiter.api.function.Executable act) {
        assertEquals(code, assertThrows(ProviderException.class, act).code());
    }

    @Test
    void aConversationCountsWhatIsNewUntilItIsRead() throws Exception {
        a.api().send(SCOPE, null, "bob", "one");
        Message two = a.api().send(SCOPE, null, "bob", "two");
        settle();
        Conversations.Chat chat = with(b, "alice");
        assertEquals(2, chat.unread());
        assertFalse(chat.request());
        assertEquals("two", assertNotNullMessage(chat).text());
        assertEquals(Ledger.State.DELIVERED, state(a, two));

        assertEquals(0, b.chats().read(SCOPE, null, List.of("alice")).unread());
        settle();
        assertEquals(Ledger.State.READ, state(a, two));
        assertTrue(a.totals().exact());
        a.api().send(SCOPE, null, "bob", "three");
        settle();
        assertEquals(1, with(b, "alice").unread());
    }

    private static Message assertNotNullMessage(Conversations.Chat chat) {
        Message last = chat.last();
        assertNotNull(last);
        return last;
    }

    @Test
    void whatIsDeletedIsNotNew() throws Exception {
        Message one = a.api().send(SCOPE, null, "bob", "one");
        a.api().send(SCOPE, null, "bob", "two");
        settle();
        assertEquals(2, with(b, "alice").unread());
        a.api().delete(SCOPE, null, one.id());
        settle();
        assertEquals(1, with(b, "alice").unread());
    }

    @Test
    void aStrangerAsksAndLearnsNothing() throws Exception {
        Message hello = c.api().send(SCOPE, null, "bob", "hello from a stranger");
        settle();
        Conversations.Chat chat = b.chats().chats(SCOPE, null).get(0);
        assertTrue(chat.request());
        assertEquals(1, chat.unread());
        b.chats().read(SCOPE, null, List.of(Nip19.npub(carol)));
        b.chats().typing(SCOPE, null, List.of(Nip19.npub(carol)));
        settle();
        assertEquals(Ledger.State.AT_RELAYS, state(c, hello));

        assertFalse(b.chats().accept(SCOPE, null, List.of(profile(carol, 7670))).request());
        Message again = c.api().send(SCOPE, null, "bob", "may I?");
        settle();
        assertEquals(Ledger.State.AT_RELAYS, state(c, hello));
        assertEquals(Ledger.State.DELIVERED, state(c, again));
    }

    @Test
    void anAnswerAndAContactLetARequestIn() throws Exception {
        c.api().send(SCOPE, null, "bob", "hello");
        c.api().send(SCOPE, null, "alice", "hello");
        settle();
        assertTrue(with(b, Nip19.npub(carol)).request());
        b.api().send(SCOPE, null, Nip19.npub(carol), "who is it?");
        a.api().addContact(SCOPE, null, "carol", profile(carol, 7670));
        assertFalse(with(b, Nip19.npub(carol)).request());
        assertFalse(with(a, "carol").request());
    }

    @Test
    void whoIsBlockedIsNotLetIn() throws Exception {
        a.api().send(SCOPE, null, "bob", "before");
        settle();
        b.chats().block(SCOPE, null, "alice");
        assertEquals(List.of("alice"), b.chats().blocked(SCOPE, null));
        Message lost = a.api().send(SCOPE, null, "bob", "meanwhile");
        settle();
        assertEquals(1, with(b, "alice").unread());
        assertEquals(Ledger.State.AT_RELAYS, state(a, lost));
        assertEquals(1, b.messenger.drops(SCOPE).get("contact.blocked"));
        b.chats().unblock(SCOPE, null, "alice");
        a.api().send(SCOPE, null, "bob", "after");
        settle();
        assertEquals(List.of("before", "after"), b.texts(false).stream().toList());
        assertCode("block.unknown", () -> b.chats().unblock(SCOPE, null, "alice"));
        assertCode("block.self", () -> b.chats().block(SCOPE, null, "Bob"));
    }

    @Test
    void receiptsCanBeOff() throws Exception {
        b.chats().settings(SCOPE, null, false, null);
        assertEquals(new Conversations.Settings("Bob", false, true), b.chats().settings(SCOPE, null));
        Message message = a.api().send(SCOPE, null, "bob", "one");
        settle();
        b.chats().read(SCOPE, null, List.of("alice"));
        settle();
        assertEquals(Ledger.State.AT_RELAYS, state(a, message));
    }

    @Test
    void receiptsOfOthersForOthersMessagesAreIgnored() throws Exception {
        Message message = a.api().send(SCOPE, null, "bob", "one");
        settle();
        assertEquals(Ledger.State.DELIVERED, state(a, message));
        // Carol says that she has read what was never sent to her.
        c.api().send(SCOPE, null, "alice", "hello");
        settle();
        a.chats().accept(SCOPE, null, List.of(Nip19.npub(carol)));
        im.parley.api.scheme.Moment moment = c.outbox.moment();
        c.space()
                .transact(tx -> c.outbox.signal(
                        tx,
                        SCOPE,
                        Room.with(carol, List.of(alice)).conversation(),
                        new im.parley.api.scheme.Input.Send(
                                moment,
                                carol,
                                List.of(alice),
                                78,
                                List.of(
                                        List.of("t", Signals.RECEIPT),
                                        List.of("status", "read"),
                                        List.of("e", message.id())),
                                "",
                                null)));
        c.outbox.kick(SCOPE);
        settle();
        assertEquals(Ledger.State.DELIVERED, state(a, message));
        assertEquals(1, a.messenger.drops(SCOPE).get("group.unrequested"));
    }

    @Test
    void typingIsToldToFriendsAndKeptNowhere() throws Exception {
        a.api().send(SCOPE, null, "bob", "one");
        settle();
        List<Conversations.Typing> heard = new ArrayList<>();
        try (AutoCloseable listening = b.chats().onTyping(SCOPE, heard::add)) {
            a.chats().typing(SCOPE, null, List.of("bob"));
            a.chats().typing(SCOPE, null, List.of("bob"));
            settle();
            assertEquals(1, heard.size());
            assertEquals("alice", heard.get(0).name());
            a.chats().settings(SCOPE, null, null, false);
            a.chats().typing(SCOPE, null, List.of("bob"));
            settle();
            assertEquals(1, heard.size());
        }
        assertEquals(1, a.totals().sent());
    }

    @Test
    void anEditTakesTheTextsPlaceEverywhereAndKeepsTheOldOnes() throws Exception {
        Message first = a.api().send(SCOPE, null, "bob", "one");
        settle();
        time.run(Duration.ofHours(3));
        a.api().edit(SCOPE, null, first.id(), "two");
        Message third = a.api().edit(SCOPE, null, first.id(), "three");
        assertEquals("three", third.text());
        assertEquals(2, third.edits());
        settle();
        Message there = b.calm(() -> b.api().latest(SCOPE, null, 10)).get(0);
        assertEquals("three", there.text());
        assertEquals(2, there.edits());
        assertEquals(1, b.calm(() -> b.api().latest(SCOPE, null, 10)).size());
        List<String> texts = List.of("one", "two", "three");
        assertEquals(
                texts,
                b.api().history(SCOPE, null, first.id()).stream()
                        .map(Version::text)
                        .toList());
        assertEquals(
                texts,
                a.api().history(SCOPE, null, first.id()).stream()
                        .map(Version::text)
                        .toList());
        List<Message> all = b.messages();
        assertEquals(
                List.of(What.TEXT, What.EDIT, What.EDIT),
                all.stream().map(Message::what).toList());
        assertTrue(a.totals().exact());
        assertCode("edit.same", () -> a.api().edit(SCOPE, null, first.id(), "three"));
        assertCode("message.not-yours", () -> b.api().edit(SCOPE, null, first.id(), "four"));

        a.api().delete(SCOPE, null, first.id());
        settle();
        assertTrue(b.calm(() -> b.api().latest(SCOPE, null, 10)).get(0).deleted());
        assertCode("message.unknown", () -> b.api().history(SCOPE, null, first.id()));
        b.space().transact(tx -> {
            assertEquals(List.of(), Versions.of(tx, bob, first.id()));
            return true;
        });
    }

    @Test
    void whatIsSaidAboutAnEditIsSaidAboutItsMessage() throws Exception {
        Message first = a.api().send(SCOPE, null, "bob", "one");
        a.api().edit(SCOPE, null, first.id(), "two");
        settle();
        String edit = b.messages().stream()
                .filter(message -> message.what() == What.EDIT)
                .findFirst()
                .orElseThrow()
                .id();
        // As a client does that knows no edits: for it the second text is a message of its own.
        im.parley.api.scheme.Moment moment = b.outbox.moment();
        b.space()
                .transact(tx -> b.outbox.step(
                        tx,
                        SCOPE,
                        Room.with(bob, List.of(alice)).conversation(),
                        new im.parley.api.scheme.Input.Send(
                                moment,
                                bob,
                                List.of(alice),
                                7,
                                List.of(List.of("e", edit), List.of("k", "14")),
                                "+",
                                null)));
        b.outbox.kick(SCOPE);
        settle();
        Message shown = a.calm(() -> a.api().latest(SCOPE, null, 10)).get(0);
        assertEquals("two", shown.text());
        assertEquals(1, shown.reactions().size());
    }

    @Test
    void whoIsNamedIsToldSo() throws Exception {
        Message sent = a.api().send(SCOPE, null, "bob", "@bob, and not me@bob.org: are you there @bobby?");
        settle();
        String address = "nostr:" + Nip19.npub(bob);
        assertEquals(address + ", and not me@bob.org: are you there @bobby?", sent.text());
        assertEquals(List.of(new Mention(address, "bob", false)), sent.mentions());
        Conversations.Chat chat = with(b, "alice");
        assertTrue(chat.mentioned());
        assertEquals(
                List.of(new Mention(address, "Bob", true)),
                assertNotNullMessage(chat).mentions());
        assertFalse(b.chats().read(SCOPE, null, List.of("alice")).mentioned());
    }

    @Test
    void pinsMutesAndDraftsAreKeptAndStayHere() throws Exception {
        Message message = a.api().send(SCOPE, null, "bob", "one");
        a.api().send(SCOPE, null, Nip19.npub(carol), "one");
        settle();
        List<String> bobs = List.of("bob");
        a.chats().pin(SCOPE, null, bobs, true);
        a.chats().draft(SCOPE, null, bobs, "not yet");
        a.chats().mute(SCOPE, null, bobs, Duration.ofHours(8));
        a.chats().pin(SCOPE, null, message.id(), true);
        a.stop();
        a.boot();
        settle();
        Conversations.Chat first = a.chats().chats(SCOPE, null).get(0);
        assertEquals(List.of("bob"), first.members());
        assertTrue(first.pinned());
        assertEquals("not yet", first.draft());
        assertTrue(first.mutedUntil() > 0);
        assertEquals(
                List.of("one"),
                a.chats().pins(SCOPE, null, bobs).stream().map(Message::text).toList());
        time.run(Duration.ofHours(9));
        assertEquals(0, with(a, "bob").mutedUntil());
        a.chats().draft(SCOPE, null, bobs, "");
        assertEquals("", with(a, "bob").draft());
        assertEquals(2, a.totals().sent());
    }

    @Test
    void aConversationIsReadPageByPageAndCanBeTakenAway() throws Exception {
        for (int i = 0; i < 25; i++) {
            a.api().send(SCOPE, null, "bob", "to bob " + i);
            a.api().send(SCOPE, null, Nip19.npub(carol), "to carol " + i);
        }
        settle();
        List<String> read = new ArrayList<>();
        long before = 0;
        List<Message> page = b.chats().page(SCOPE, null, List.of("alice"), before, 10);
        while (!page.isEmpty()) {
            read.addAll(0, page.stream().map(Message::text).toList());
            before = page.get(0).position();
            page = b.chats().page(SCOPE, null, List.of("alice"), before, 10);
        }
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 25; i++) {
            expected.add("to bob " + i);
        }
        assertEquals(expected, read);
        assertEquals(25, a.chats().remove(SCOPE, null, List.of("bob")));
        assertEquals(1, a.chats().chats(SCOPE, null).size());
        assertNull(with(a, "bob").last());
        assertEquals(25, b.texts(false).size());
        assertTrue(a.totals().exact());
    }

    @Test
    void aNodeThatNobodyUsedKeepsNothing() {
        SimulatedNode unused = new SimulatedNode(time, relays, "ws://127.0.0.1:7999", true);
        settle();
        assertTrue(unused.records.texts().values().stream().allMatch(String::isEmpty));
    }

    @Test
    void messagesFromBeforeThereWereConversationsAreFoundInThem() throws Exception {
        for (int i = 0; i < 1_203; i++) {
            a.api().send(SCOPE, null, i % 3 == 0 ? Nip19.npub(carol) : "bob", "text " + i);
        }
        Map<String, Integer> sizes = sizes();
        a.space().transact(tx -> {
            for (Chat chat : ChatBook.chats(tx, alice)) {
                for (ChatBook.Entry entry : ChatBook.before(tx, chat.id(), 0, 10_000)) {
                    ChatBook.removeEntry(tx, chat.id(), entry.position());
                }
                ChatBook.remove(tx, alice, chat);
            }
            tx.delete(im.parley.vault.RecordKey.of(im.parley.outbox.CircleRecords.COUNTERS, "chats-indexed"));
            return true;
        });
        assertEquals(Map.of(), sizes());
        a.stop();
        a.boot();
        settle();
        assertEquals(sizes, sizes());
        assertEquals(
                List.of(false, false),
                a.chats().chats(SCOPE, null).stream()
                        .map(Conversations.Chat::request)
                        .toList());
    }

    private Map<String, Integer> sizes() {
        return a.calm(() -> a.space().transact(tx -> {
            Map<String, Integer> sizes = new java.util.TreeMap<>();
            for (Chat chat : ChatBook.chats(tx, alice)) {
                sizes.put(chat.id(), ChatBook.before(tx, chat.id(), 0, 10_000).size());
            }
            return sizes;
        }));
    }
}
