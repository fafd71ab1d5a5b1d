package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger.Account;
import im.parley.messenger.Messenger.Contact;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.Ledger.State;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.testkit.Seeds;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class MessengerTest {
    private static final Scope SCOPE = Scope.DEFAULT;
    private static final String OWN_A = "ws://127.0.0.1:7470";
    private static final String OWN_B = "ws://127.0.0.1:7570";
    private static final String SHARED = "wss://relay.example";

    private final VirtualTime time = new VirtualTime(Seeds.generator("messenger"));
    private final SimulatedRelays relays = new SimulatedRelays(time);
    private final SimulatedNode a = new SimulatedNode(time, relays, OWN_A);
    private final SimulatedNode b = new SimulatedNode(time, relays, OWN_B);

    // ---- accounts, names, relays ----

    @Test
    void aNewAccountHasTheOwnRelayAndPublishesItsList() throws Exception {
        Account alice = a.api().createAccount(SCOPE, "Alice", null);
        assertEquals(List.of(URI.create(OWN_A)), alice.relays());
        assertEquals(Nip19.npub(alice.pubkey()), alice.npub());
        assertEquals(new Nip19.Profile(alice.pubkey(), List.of(OWN_A)), Nip19.decode(alice.nprofile()));
        assertFalse(alice.locked());
        time.run(Duration.ofSeconds(3));
        assertEquals(List.of(OWN_A), list(OWN_A, alice.pubkey()));
        assertEquals(Set.of(), a.allowed, "the own relay is no address the user named");
        assertEquals(List.of(alice), a.api().accounts(SCOPE));
    }

    @Test
    void theListIsPublishedWhenARelayComesBackEvenAfterAKill() throws Exception {
        PublicKey alice = a.create("Alice");
        relays.relay(SHARED).goDown();
        a.api().addRelay(SCOPE, null, SHARED);
        time.run(Duration.ofMinutes(1));
        a.kill();
        a.boot();
        assertEquals(List.of(OWN_A, SHARED), list(OWN_A, alice));
        relays.relay(SHARED).comeUp();
        time.run(Duration.ofMinutes(6));
        assertEquals(List.of(OWN_A, SHARED), list(SHARED, alice));
    }

    @Test
    void relaysAreNormalisedNamedAndLimited() throws Exception {
        a.create("Alice");
        a.create("Work");
        List<Account> both = a.api().addRelay(SCOPE, null, "WSS://Relay.Example:443/");
        assertEquals(2, both.size());
        assertEquals(List.of(URI.create(OWN_A), URI.create(SHARED)), both.get(1).relays());
        assertEquals(Set.of(SHARED), a.allowed);

        a.api().addRelay(SCOPE, "Alice", SHARED);
        a.api().addRelay(SCOPE, "Alice", "ws://10.1.1.1:7470");
        assertCode("relay.too-many", () -> a.api().addRelay(SCOPE, "Alice", "wss://fourth.example"));
        assertCode("relay.bad-url", () -> a.api().addRelay(SCOPE, "Alice", "http://relay.example"));
        assertEquals(Set.of(SHARED, "ws://10.1.1.1:7470"), a.allowed);

        a.api().removeRelay(SCOPE, "Alice", SHARED);
        assertTrue(a.allowed.contains(SHARED), "the other account still uses it");
        a.api().removeRelay(SCOPE, null, SHARED);
        assertEquals(Set.of("ws://10.1.1.1:7470"), a.allowed);

        a.allowed.clear();
        a.kill();
        a.boot();
        time.run(Duration.ofSeconds(1));
        assertEquals(Set.of("ws://10.1.1.1:7470"), a.allowed, "what the user named is repeated at start");
    }

    @Test
    void theOwnRelayMayListenElsewhereAfterARestart() throws Exception {
        PublicKey alice = a.create("Alice");
        a.api().addRelay(SCOPE, null, SHARED);
        time.run(Duration.ofSeconds(3));
        a.stop();
        a.ownRelay = "ws://127.0.0.1:8470";
        a.boot();
        time.run(Duration.ofSeconds(5));
        assertEquals(
                List.of(URI.create("ws://127.0.0.1:8470"), URI.create(SHARED)),
                a.api().accounts(SCOPE).get(0).relays());
        assertEquals(List.of("ws://127.0.0.1:8470", SHARED), list(SHARED, alice));
        a.stop();
        a.ownRelay = "";
        a.boot();
        time.run(Duration.ofSeconds(5));
        assertEquals(2, a.api().accounts(SCOPE).get(0).relays().size(), "a node without a relay forgets nothing");
    }

    @Test
    void aChangedListIsNewerThanTheOneBeforeWithinTheSameSecond() throws Exception {
        PublicKey alice = a.create("Alice");
        a.api().addRelay(SCOPE, null, SHARED);
        a.api().removeRelay(SCOPE, null, OWN_A);
        time.run(Duration.ofSeconds(10));
        assertEquals(List.of(SHARED), list(SHARED, alice));
    }

    @Test
    void namesAreComposedUniqueAndHarmless() throws Exception {
        Account jose = a.api().createAccount(SCOPE, "Jose\u0301", null);
        assertEquals("Jos\u00e9", jose.name());
        assertCode("identity.name-taken", () -> a.api().createAccount(SCOPE, "Jos\u00e9", null));
        for (String bad : List.of(
                "",
                " x",
                "x ",
                "a\nb",
                "a\u0007",
                "a\u202eb",
                "a\u2066b",
                "a\u200fb",
                "a\u061cb",
                "a\u2028b",
                "a\u200bb",
                "\u200d",
                "a\ud800",
                "\udc00a",
                "x".repeat(65),
                "npub1abc",
                "Nprofile1abc",
                "NSEC1abc",
                "ncryptsec1abc",
                "nostr:nsec1abc",
                "0123456789abcdeF".repeat(4))) {
            assertCode("identity.bad-name", () -> a.api().createAccount(SCOPE, bad, null));
        }
        for (String good : List.of("عائشة", "क्‍ष", "نمی‌خواهم", "\uD83D\uDC69\u200D\uD83D\uDCBB", "x".repeat(64))) {
            a.api().createAccount(SCOPE, good, null);
        }
        assertEquals(6, a.api().accounts(SCOPE).size());
    }

    @Test
    void whoIsMeantMustBeClear() throws Exception {
        assertCode("account.none", () -> a.api().send(SCOPE, null, "x", "hi"));
        PublicKey alice = a.create("Alice");
        assertCode("recipient.unknown", () -> a.api().send(SCOPE, null, "Nobody", "hi"));
        a.create("Work");
        assertCode("account.ambiguous", () -> a.api().send(SCOPE, null, "Alice", "hi"));
        assertCode("account.unknown", () -> a.api().send(SCOPE, "Bob", "Alice", "hi"));
        assertCode("circle.unknown", () -> a.api().accounts(new Scope("family")));
        assertEquals("Alice", a.api().send(SCOPE, "Work", "Alice", "hi").peerName());
        assertEquals(
                "Alice", a.api().send(SCOPE, Nip19.npub(alice), "Work", "hi").account());
    }

    @Test
    void textsAreCheckedBeforeAnythingIsWritten() throws Exception {
        a.create("Alice");
        long before = a.records.commits();
        assertCode("message.empty", () -> a.api().send(SCOPE, null, "Alice", ""));
        assertCode("message.bad-text", () -> a.api().send(SCOPE, null, "Alice", "a\u0000"));
        assertCode("message.bad-text", () -> a.api().send(SCOPE, null, "Alice", "\ud83d"));
        assertCode("message.too-long", () -> a.api().send(SCOPE, null, "Alice", "x".repeat(32_769)));
        assertCode("message.too-long", () -> a.api().send(SCOPE, null, "Alice", "\u0928".repeat(10_923)));
        assertCode("message.too-long", () -> a.api().send(SCOPE, null, "Alice", "\n".repeat(32_000)));
        assertEquals(before, a.records.commits());
        a.api().send(SCOPE, null, "Alice", "x".repeat(32_768));
    }

    // ---- contacts ----

    @Test
    void aContactsRelaysAreFoundAndANewListReplacesThem() throws Exception {
        relays.faults.instantFetch = true;
        SimulatedNode quick = new SimulatedNode(time, relays, OWN_A, true);
        quick.create("Alice");
        quick.api().addRelay(SCOPE, null, SHARED);
        PublicKey bob = b.create("Bob");
        b.api().addRelay(SCOPE, null, SHARED);
        time.run(Duration.ofSeconds(3));

        Contact contact = quick.api().addContact(SCOPE, null, "Bob", Nip19.npub(bob));
        assertEquals(List.of(URI.create(OWN_B), URI.create(SHARED)), contact.relays());
        assertEquals(List.of(contact), quick.api().contacts(SCOPE, null));

        b.api().removeRelay(SCOPE, null, OWN_B);
        time.run(Duration.ofMinutes(20));
        quick.api().send(SCOPE, null, "Bob", "hi");
        time.run(Duration.ofSeconds(3));
        assertEquals(
                List.of(URI.create(SHARED)),
                quick.api().contacts(SCOPE, null).get(0).relays());
    }

    @Test
    void contactsAreNamedOnceAndAddressesAreAddresses() throws Exception {
        relays.faults.instantFetch = true;
        SimulatedNode quick = new SimulatedNode(time, relays, "", true);
        quick.create("Alice");
        PublicKey bob = b.create("Bob");
        quick.api().addContact(SCOPE, null, "Bob", "nostr:" + Nip19.npub(bob));
        assertCode(
                "contact.name-taken", () -> quick.api().addContact(SCOPE, null, "Bob", Nip19.npub(b.create("Carol"))));
        assertCode("contact.name-taken", () -> quick.api().addContact(SCOPE, null, "Alice", Nip19.npub(bob)));
        for (String bad : List.of(
                "", "bob", Nip19.note(im.parley.api.event.EventId.of(new byte[32])), Nip19.nsec(new byte[32]))) {
            assertCode("contact.bad-address", () -> quick.api().addContact(SCOPE, null, "Dave", bad));
        }
        assertCode("contact.bad-name", () -> quick.api().addContact(SCOPE, null, "a\u202e", Nip19.npub(bob)));
        quick.api().addContact(SCOPE, null, "Bobby", Nip19.npub(bob));
        assertEquals(
                List.of("Bobby"),
                quick.api().contacts(SCOPE, null).stream().map(Contact::name).toList(),
                "the same key again is a new name for it");
    }

    @Test
    void NT_11_aContactsListIsCutAndJunkIsPassedOver() throws Exception {
        relays.faults.instantFetch = true;
        SimulatedNode quick = new SimulatedNode(time, relays, OWN_A, true);
        quick.create("Alice");
        PublicKey mallory = b.create("Mallory");
        List<List<String>> tags = new ArrayList<>();
        for (String junk : List.of("http://x", "ws://user@host", "ws://" + "x".repeat(3_000), "", "wss://0x7f.1")) {
            tags.add(List.of("relay", junk));
        }
        for (int i = 0; i < 10_000; i++) {
            tags.add(List.of("relay", "wss://relay" + i + ".example"));
        }
        relays.relay(OWN_A).put(signed(mallory, time.clock().instant().getEpochSecond(), 10050, tags, ""));
        Contact contact = quick.api().addContact(SCOPE, null, "Mallory", Nip19.npub(mallory));
        assertEquals(5, contact.relays().size());
        assertEquals(Set.of(), quick.allowed, "an address somebody else named is never allowed");
    }

    @Test
    void anUnreachableContactIsAddedAndWrittenToLater() throws Exception {
        relays.faults.instantFetch = true;
        SimulatedNode quick = new SimulatedNode(time, relays, OWN_A, true);
        quick.create("Alice");
        quick.api().addRelay(SCOPE, null, SHARED);
        PublicKey bob = b.create("Bob");
        assertEquals(
                List.of(),
                quick.api().addContact(SCOPE, null, "Bob", Nip19.npub(bob)).relays());
        Message message = quick.api().send(SCOPE, null, "Bob", "are you there?");
        time.run(Duration.ofMinutes(2));
        assertEquals("queued (recipient.no-relays)", only(quick, message.id()).state());
        b.api().addRelay(SCOPE, null, SHARED);
        time.run(Duration.ofMinutes(6));
        assertEquals("at relays 2/2", only(quick, message.id()).state());
        assertEquals(List.of("are you there?"), b.texts(false));
    }

    // ---- messages ----

    @Test
    void twoAccountsOfOneNodeWriteToEachOther() throws Exception {
        a.create("Alice");
        a.create("Work");
        Message sent = a.api().send(SCOPE, "Alice", "Work", "a note");
        assertTrue(sent.outgoing());
        assertEquals("composed", sent.state());
        time.run(Duration.ofSeconds(5));
        List<Message> all = a.messages();
        assertEquals(2, all.size());
        assertEquals(sent.id(), all.get(1).id());
        assertEquals("Work", all.get(1).account());
        assertEquals("Alice", all.get(1).peerName());
        assertEquals("received", all.get(1).state());
        assertEquals("delivered", all.get(0).state());
        assertEquals(all.get(0).sentAt(), all.get(1).sentAt());
        assertEquals(List.of(all.get(1)), a.api().messages(SCOPE, "Work", 0, 10));
        assertEquals(
                List.of(all.get(1)), a.api().messages(SCOPE, null, all.get(0).position(), 10));
        assertEquals(List.of(all.get(1)), a.api().latest(SCOPE, null, 1));
        assertEquals(
                all.stream().map(Message::position).toList(),
                a.told.stream().map(Message::position).toList());
    }

    @Test
    void aNoteToOneselfIsShownOnceAndCounted() throws Exception {
        a.create("Alice");
        a.api().send(SCOPE, null, "Alice", "buy milk");
        time.run(Duration.ofSeconds(5));
        assertEquals(
                List.of("buy milk"), a.messages().stream().map(Message::text).toList());
        assertEquals(1, a.totals().sent());
        assertEquals(State.AT_RELAYS, a.ledger().get(0).state());
    }

    @Test
    void pagesAndLatestCutAtBothEnds() throws Exception {
        a.create("Alice");
        for (int i = 0; i < 25; i++) {
            a.api().send(SCOPE, null, "Alice", "m" + i);
        }
        assertEquals(
                List.of("m0", "m1", "m2"),
                a.api().messages(SCOPE, null, 0, 3).stream().map(Message::text).toList());
        assertEquals(
                List.of("m23", "m24"),
                a.api().latest(SCOPE, null, 2).stream().map(Message::text).toList());
        assertThrows(IllegalArgumentException.class, () -> a.api().latest(SCOPE, null, 0));
        assertThrows(IllegalArgumentException.class, () -> a.api().messages(SCOPE, null, 0, 1_001));
    }

    @Test
    void aWrapFrom47HoursBackIsShownAfterANewerOne() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        long now = time.clock().instant().getEpochSecond();
        relays.relay(OWN_A).put(wrap(alice, rumor(stranger, now, "newer wrap"), now));
        time.run(Duration.ofSeconds(5));
        a.kill();
        relays.relay(OWN_A).put(wrap(alice, rumor(stranger, now + 1, "47 hours back"), now - 47 * 3_600));
        a.boot();
        time.run(Duration.ofSeconds(5));
        assertEquals(List.of("newer wrap", "47 hours back"), a.texts(false));
        relays.relay(OWN_A).put(wrap(alice, rumor(stranger, now + 2, "live and back"), now - 47 * 3_600));
        time.run(Duration.ofSeconds(5));
        assertEquals("live and back", a.texts(false).get(2));
    }

    @Test
    void storedForeignRumorsAreOrderedByTheirOwnDateNotTheWraps() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        a.kill();
        long now = time.clock().instant().getEpochSecond();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            expected.add("m" + i);
            relays.relay(OWN_A)
                    .put(wrap(
                            alice,
                            rumor(stranger, now - 1_000 + i, "m" + i),
                            now - time.random().nextLong(172_800)));
        }
        a.boot();
        time.run(Duration.ofSeconds(5));
        assertEquals(expected, a.texts(false));
    }

    @Test
    void CR_31_theSameRumorInAnotherWrapIsShownOnce() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        long now = time.clock().instant().getEpochSecond();
        Rumor rumor = rumor(stranger, now, "once");
        for (int i = 0; i < 3; i++) {
            relays.relay(OWN_A).put(wrap(alice, rumor, now - i));
            time.run(Duration.ofSeconds(5));
        }
        a.kill();
        a.boot();
        relays.relay(OWN_A).put(wrap(alice, rumor, now - 9));
        time.run(Duration.ofSeconds(5));
        assertEquals(List.of("once"), a.texts(false));
    }

    @Test
    void CR_32_ownMessagesComeBackOnceAsMineAndFromAnotherDeviceAsOutgoing() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey bob = b.create("Bob");
        b.api().addRelay(SCOPE, null, SHARED);
        a.api().addRelay(SCOPE, null, SHARED);
        time.run(Duration.ofSeconds(2));
        a.api().send(SCOPE, null, Nip19.npub(bob), "mine");
        time.run(Duration.ofSeconds(10));
        assertEquals(List.of("mine"), a.texts(true));
        assertEquals(List.of(), a.texts(false));
        assertTrue(relays.relay(OWN_A).events().stream()
                .anyMatch(event -> event.kind() == 1059 && event.tagValues("p").contains(alice.hex())));

        long now = time.clock().instant().getEpochSecond();
        Rumor elsewhere = EventHash.rumor(
                alice,
                now,
                14,
                List.of(List.of("p", bob.hex()), new ParleyTag("ff", 1, HybridClock.of(now * 1000)).tag()),
                "from my phone");
        relays.relay(OWN_A).put(wrap(alice, elsewhere, now));
        time.run(Duration.ofSeconds(5));
        Message message = a.messages().get(1);
        assertTrue(message.outgoing());
        assertEquals("from my phone", message.text());
        assertEquals(bob, message.peer());
        assertEquals("sent from another device", message.state());
        assertEquals(1, a.totals().sent(), "what another device sent is in its ledger");
    }

    @Test
    void aGapIsWaitedForAndThenGivenUp() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        live(alice, stranger, 1);
        live(alice, stranger, 4);
        live(alice, stranger, 3);
        time.run(Duration.ofMillis(1_500));
        assertEquals(List.of("s1"), a.texts(false));
        live(alice, stranger, 2);
        time.run(Duration.ofMillis(500));
        assertEquals(List.of("s1", "s2", "s3", "s4"), a.texts(false), "the gap was filled");
        live(alice, stranger, 6);
        time.run(Duration.ofMillis(2_000));
        assertEquals(4, a.texts(false).size());
        time.run(Duration.ofMillis(1_500));
        assertEquals(List.of("s1", "s2", "s3", "s4", "s6"), a.texts(false), "three seconds are enough");
        live(alice, stranger, 5);
        time.run(Duration.ofMillis(500));
        assertEquals("s5", a.texts(false).get(5), "late is better than never");
        assertEquals(List.of("s1", "s2", "s3", "s4", "s5", "s6"), read(a), "and is read where it belongs");
        a.kill();
        a.boot();
        time.run(Duration.ofSeconds(5));
        assertEquals(List.of("s1", "s2", "s3", "s4", "s5", "s6"), read(a));
    }

    @Test
    void aNumberThatIsUsedAgainHidesNothingInThePast() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        for (int seq : List.of(1, 2, 5, 6)) {
            live(alice, stranger, seq);
            time.run(Duration.ofSeconds(4));
        }
        // A device that was set back to an old state counts from there again.
        live(alice, stranger, 2, "again 2");
        live(alice, stranger, 6, "again 6");
        time.run(Duration.ofSeconds(5));
        assertEquals(List.of("s1", "s2", "s5", "s6", "again 2", "again 6"), read(a));
        live(alice, stranger, 4);
        time.run(Duration.ofSeconds(5));
        assertEquals(List.of("s1", "s2", "s4", "s5", "s6", "again 2", "again 6"), read(a));
        assertEquals(
                List.of("s4", "again 6"),
                a.api().latest(SCOPE, null, 2).stream().map(Message::text).toList(),
                "what came last is among the newest wherever it stands");
    }

    @Test
    void aHeldMessageSurvivesAKill() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        live(alice, stranger, 1);
        live(alice, stranger, 3);
        time.run(Duration.ofMillis(800));
        assertEquals(List.of("s1"), a.texts(false));
        a.kill();
        a.boot();
        time.run(Duration.ofSeconds(5));
        assertEquals(List.of("s1", "s3"), a.texts(false));
    }

    @Test
    void whatIsRefusedIsCountedOnceAndOpensNothing() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        long now = time.clock().instant().getEpochSecond();
        relays.relay(OWN_A).put(signed(stranger, now, 1059, List.of(List.of("p", alice.hex())), "junk"));
        relays.relay(OWN_A)
                .put(wrap(alice, EventHash.rumor(stranger, now, 444, List.of(), "a welcome of another scheme"), now));
        relays.relay(OWN_A).put(wrap(alice, EventHash.rumor(stranger, now, 7, List.of(), "+"), now));
        relays.relay(OWN_A).put(wrap(alice, rumor(stranger, now, "after the junk"), now));
        time.run(Duration.ofSeconds(5));
        assertEquals(List.of("after the junk"), a.texts(false));
        assertEquals(1, a.api().drops(SCOPE).get("dm.bad-seal"));
        assertEquals(1, a.api().drops(SCOPE).get("scheme.unsupported"));
        a.kill();
        a.boot();
        time.run(Duration.ofSeconds(5));
        assertFalse(a.api().drops(SCOPE).containsKey("dm.bad-seal"), "it is not even opened again");
        assertEquals(1, a.api().drops(SCOPE).get("scheme.unsupported"), "another scheme may want this one");
    }

    @Test
    void aLockedAccountReceivesAndSendsAfterItsUnlock() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        a.keys().lock(alice);
        time.run(Duration.ofSeconds(3));
        assertTrue(a.api().accounts(SCOPE).get(0).locked());
        long now = time.clock().instant().getEpochSecond();
        relays.relay(OWN_A).put(wrap(alice, rumor(stranger, now, "while locked"), now));
        Message note = a.api().send(SCOPE, null, "Alice", "note");
        time.run(Duration.ofMinutes(5));
        assertEquals(List.of(), a.texts(false));
        assertEquals("awaiting signer (signer.locked)", only(a, note.id()).state());
        assertFalse(a.api().unlockAccount(SCOPE, "Alice", new char[0]).locked());
        time.run(Duration.ofSeconds(5));
        assertEquals(List.of("while locked"), a.texts(false));
        assertEquals("at relays 1/1", only(a, note.id()).state());
    }

    @Test
    void aStoreThatIsGoneForAWhileLosesNothing() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        a.faults.unavailable = 1;
        for (int i = 1; i <= 5; i++) {
            live(alice, stranger, i);
        }
        time.run(Duration.ofMinutes(1));
        a.faults.unavailable = 0;
        time.run(Duration.ofMinutes(3));
        assertEquals(List.of("s1", "s2", "s3", "s4", "s5"), a.texts(false));
    }

    @Test
    void aStoredMessageWaitsForThePredecessorThatComesLive() throws Exception {
        PublicKey alice = a.create("Alice");
        PublicKey stranger = b.create("Stranger");
        time.run(Duration.ofSeconds(2));
        live(alice, stranger, 1);
        time.run(Duration.ofSeconds(2));
        a.life.end();
        live(alice, stranger, 3);
        a.boot();
        assertTrue(time.runUntil(() -> a.records.commits() > 0, Duration.ofSeconds(1)));
        time.run(Duration.ofMillis(2_500));
        live(alice, stranger, 2);
        time.run(Duration.ofSeconds(10));
        assertEquals(List.of("s1", "s2", "s3"), a.texts(false));

        // Its predecessor never comes: it is shown all the same, and after a restart as well.
        a.life.end();
        live(alice, stranger, 5);
        a.boot();
        time.run(Duration.ofSeconds(10));
        assertEquals(List.of("s1", "s2", "s3", "s5"), a.texts(false));
    }

    @Test
    void nothingHappensAfterTheEnd() throws Exception {
        a.create("Alice");
        a.api().send(SCOPE, null, "Alice", "unsent");
        a.messenger.close();
        a.outbox.close();
        long commits = a.records.commits();
        time.run(Duration.ofMinutes(10));
        assertEquals(commits, a.records.commits());
        a.life.end();
        a.boot();
        time.run(Duration.ofSeconds(10));
        assertEquals("at relays 1/1", a.messages().get(0).state());
    }

    // ---- clock and tag ----

    @Test
    void DB_10_theClockNeverTurnsBack() throws Exception {
        var space = a.space();
        long first = space.transact(tx -> HybridClock.tick(tx, 1_000_000));
        long second = space.transact(tx -> HybridClock.tick(tx, 500));
        assertTrue(second > first);
        space.transact(tx -> {
            HybridClock.observe(tx, HybridClock.of(9_000_000), 1_000_000);
            return true;
        });
        assertTrue(
                space.transact(tx -> HybridClock.tick(tx, 1_000_000)) < HybridClock.of(2_000_000), "a lie is ignored");
        space.transact(tx -> {
            HybridClock.observe(tx, HybridClock.of(1_100_000), 1_000_000);
            return true;
        });
        assertTrue(space.transact(tx -> HybridClock.tick(tx, 1_000_000)) > HybridClock.of(1_100_000));
        assertEquals(second, HybridClock.parse(HybridClock.text(second)));
    }

    @Test
    void onlyATrueTagCounts() throws Exception {
        PublicKey key = b.create("Bob");
        long at = 1_790_000_000;
        String clock = HybridClock.text(HybridClock.of(at * 1000));
        assertEquals(
                new ParleyTag("a1", 7, HybridClock.of(at * 1000)),
                ParleyTag.of(EventHash.rumor(key, at, 14, List.of(List.of("parley", "a1", "7", clock)), "x")));
        for (List<String> tag : List.of(
                List.of("parley", "a1", "7"),
                List.of("parley", "", "7", clock),
                List.of("parley", "A1", "7", clock),
                List.of("parley", "a1", "0", clock),
                List.of("parley", "a1", "-1", clock),
                List.of("parley", "a1", "07", clock),
                List.of("parley", "a1", "9007199254740992", clock),
                List.of("parley", "a1", "7", clock.toUpperCase(java.util.Locale.ROOT) + "0"),
                List.of("parley", "a1", "7", "f" + clock.substring(1)),
                List.of("parley", "a1", "7", HybridClock.text(HybridClock.of((at + 3_600) * 1000))),
                List.of("parley", "a1", "7", clock, "more"))) {
            assertNull(ParleyTag.of(EventHash.rumor(key, at, 14, List.of(tag), "x")), tag.toString());
        }
    }

    // ---- the scene ----

    private static List<String> read(SimulatedNode node) {
        return node.calm(() -> node.api().latest(SCOPE, null, 1_000)).stream()
                .map(Message::text)
                .toList();
    }

    private void live(PublicKey to, PublicKey from, long seq) throws ProtocolException {
        live(to, from, seq, "s" + seq);
    }

    private void live(PublicKey to, PublicKey from, long seq, String text) throws ProtocolException {
        long now = 1_790_000_000;
        Rumor rumor = EventHash.rumor(
                from,
                now + seq,
                14,
                List.of(List.of("p", to.hex()), new ParleyTag("d1", seq, HybridClock.of((now + seq) * 1000)).tag()),
                text);
        relays.relay(OWN_A).put(wrap(to, rumor, now));
    }

    private static Rumor rumor(PublicKey author, long at, String text) throws ProtocolException {
        return EventHash.rumor(author, at, 14, List.of(), text);
    }

    /** As the open envelope has it: what is inside can be seen. */
    private Event wrap(PublicKey to, Rumor rumor, long at) throws ProtocolException {
        byte[] once = new byte[32];
        time.random().nextBytes(once);
        return signed(PublicKey.of(once), at, 1059, List.of(List.of("p", to.hex())), EventWriter.write(rumor));
    }

    private static Event signed(PublicKey author, long at, int kind, List<List<String>> tags, String content)
            throws ProtocolException {
        EventTemplate template = new EventTemplate(at, kind, tags, content);
        return new Event(
                EventHash.id(author, at, kind, template.tags(), content),
                author,
                at,
                kind,
                template.tags(),
                content,
                Signature.of(new byte[64]));
    }

    /** The newest list that relay has. */
    private List<String> list(String relay, PublicKey author) {
        @Nullable Event newest = null;
        for (Event event : relays.relay(relay).events()) {
            if (event.kind() == 10050
                    && event.pubkey().equals(author)
                    && (newest == null || event.createdAt() > newest.createdAt())) {
                newest = event;
            }
        }
        return newest == null ? List.of() : newest.tagValues("relay");
    }

    private static Message only(SimulatedNode node, String id) {
        return node.messages().stream()
                .filter(message -> message.id().equals(id))
                .findFirst()
                .orElseThrow();
    }

    private static void assertCode(String code, org.junit.jupiter.api.function.Executable call) {
        assertEquals(code, assertThrows(ProviderException.class, call).code());
    }
}
