package im.parley.outbox.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventTemplate;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.Purpose;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.EncryptionScheme;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Step;
import im.parley.envelope.Envelope;
import im.parley.outbox.CircleRecords;
import im.parley.outbox.LeasedSigner;
import im.parley.outbox.Ledger;
import im.parley.outbox.Ledger.State;
import im.parley.outbox.Outbox;
import im.parley.outbox.Outbox.Conversation;
import im.parley.outbox.OutboxHost;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.outbox.simulation.Life;
import im.parley.outbox.simulation.MemoryRecords;
import im.parley.outbox.simulation.NoContext;
import im.parley.outbox.simulation.OpenEnvelope;
import im.parley.outbox.simulation.SimulatedKeys;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.SimulatedSlot;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.scheme.nip17.Nip17;
import im.parley.testkit.SeededRandom;
import im.parley.testkit.Seeds;
import im.parley.vault.SealedSpace;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class StepOutboxTest {
    private static final Scope SCOPE = Scope.DEFAULT;
    private static final URI ONE = URI.create("wss://one.example");
    private static final URI TWO = URI.create("wss://two.example");

    private final VirtualTime time = new VirtualTime(Seeds.generator("outbox"));
    private final SimulatedRelays network = new SimulatedRelays(time);
    private final SimulatedKeys keys = new SimulatedKeys(time.random());
    private final MemoryRecords records = new MemoryRecords();
    private final MemoryRecords.Faults faults = new MemoryRecords.Faults();
    private final SimulatedSlot<EncryptionScheme> schemes = new SimulatedSlot<>("scheme", nip17());
    private final SimulatedSlot<IdentityProvider> identities = new SimulatedSlot<>("identity", keys);
    private final PublicKey alice = keys.create(null);
    private final PublicKey bob = keys.create(null);
    private final Host host = new Host(alice);
    private final Conversation conversation = new Conversation("a room", alice);
    private Life life = new Life();
    private StepOutbox outbox = boot();
    private int count;
    private @Nullable PublicKey badKey;
    private @Nullable PublicKey silent;
    private int linkageErrors;
    private final List<Runnable> unanswered = new ArrayList<>();

    /** Answers for the messenger. */
    private static final class Host implements OutboxHost {
        List<URI> bobs = List.of(ONE, TWO);
        List<URI> own = List.of(ONE);
        boolean unreachable;
        Set<URI> named = Set.of();
        final List<Rumor> delivered = new ArrayList<>();
        final Set<String> changed = new HashSet<>();
        final PublicKey self;

        Host(PublicKey self) {
            this.self = self;
        }

        @Override
        public CompletionStage<List<URI>> relaysOf(PublicKey sender, PublicKey recipient) {
            if (unreachable) {
                return CompletableFuture.failedFuture(
                        new ProviderException(Kind.TIMEOUT, "relay.timeout", "Nobody answered."));
            }
            return CompletableFuture.completedFuture(recipient.equals(self) ? own : bobs);
        }

        @Override
        public boolean named(PublicKey sender, URI relay) {
            return sender.equals(self) && named.contains(relay);
        }

        @Override
        public void deliver(SealedSpace.Tx tx, Conversation conversation, Effect.Deliver deliver) {
            delivered.add(deliver.rumor());
        }

        @Override
        public void changed(Set<String> messageIds) {
            changed.addAll(messageIds);
        }
    }

    @Test
    void aMessageGoesFromComposedToAtRelays() throws Exception {
        String id = send("hello");
        assertEquals(State.COMPOSED, entry(id).state());
        assertEquals(1, outbox.totals(SCOPE).sent());
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(2));
        assertEquals(new Ledger.Entry(id, bob.hex(), State.AT_RELAYS, 2, 2, "", 0), entry(id));
        assertEquals(State.AT_RELAYS, outbox.copies(SCOPE, id).get(0).state());
        assertEquals(1, outbox.totals(SCOPE).sent(), "the copy for other devices is no recipient");
        assertTrue(host.changed.contains(id));
        assertEquals(0, records(CircleRecords.QUEUE), "nothing is left to do");
        assertEquals(0, records(CircleRecords.PAYLOADS));
        assertEquals(0, identities.open());
    }

    @Test
    void aLockedSignerIsWaitedForAndTheOrderStays() throws Exception {
        keys.lock(alice);
        List<String> ids = List.of(send("one"), send("two"), send("three"));
        outbox.kick(SCOPE);
        time.run(Duration.ofHours(30));
        assertEquals(State.AWAITING_SIGNER, entry(ids.get(0)).state());
        assertEquals("signer.locked", entry(ids.get(0)).reason());
        assertTrue(outbox.totals(SCOPE).exact());

        keys.unlock(alice, new char[0]);
        time.run(Duration.ofSeconds(5));
        for (String id : ids) {
            assertEquals(State.AT_RELAYS, entry(id).state());
        }
        assertEquals(List.of("one", "two", "three"), textsAt(ONE, bob));
        assertEquals(List.of("one", "two", "three"), textsAt(TWO, bob));
    }

    @Test
    void refusedByAllIsFailedWithTheReasonAndLetsTheNextOnePass() throws Exception {
        network.relay(ONE.toString()).refuses = "blocked: not you";
        network.relay(TWO.toString()).refuses = "invalid: too old";
        String id = send("never");
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(5));
        assertEquals(State.FAILED, entry(id).state());
        assertTrue(
                Set.of("relay.blocked", "relay.invalid").contains(entry(id).reason()),
                entry(id).reason());

        network.relay(ONE.toString()).refuses = "";
        String next = send("next");
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(5));
        assertEquals(State.AT_RELAYS, entry(next).state());
        assertEquals(1, entry(next).relaysHave());
        assertEquals(2, entry(next).relaysAll());
        assertTrue(outbox.totals(SCOPE).exact());
    }

    @Test
    void noRelaysKnownIsNotLostAndGoesOnWhenTheyAreFound() throws Exception {
        host.bobs = List.of();
        String id = send("later");
        outbox.kick(SCOPE);
        time.run(Duration.ofDays(9));
        assertEquals(State.QUEUED, entry(id).state());
        assertEquals("recipient.no-relays", entry(id).reason());
        assertTrue(entry(id).nextTry() > 0);
        host.unreachable = true;
        time.run(Duration.ofMinutes(10));
        assertEquals("recipient.look-up", entry(id).reason());

        host.unreachable = false;
        host.bobs = List.of(TWO);
        outbox.hurry(SCOPE);
        time.run(Duration.ofSeconds(2));
        assertEquals(State.AT_RELAYS, entry(id).state());
        assertEquals(0, entry(id).nextTry());
    }

    @Test
    void NT_11_privateAddressWaitsForTheUserAndDoesNotHoldUpTheOthers() throws Exception {
        network.relay(ONE.toString()).refuses = "egress.private";
        String id = send("half");
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(5));
        assertEquals(new Ledger.Entry(id, bob.hex(), State.AT_RELAYS, 1, 2, "", 0), entry(id));

        host.bobs = List.of(ONE);
        String waiting = send("private");
        outbox.kick(SCOPE);
        time.run(Duration.ofHours(20));
        assertEquals(State.QUEUED, entry(waiting).state());
        assertEquals("relay.private", entry(waiting).reason());

        network.relay(ONE.toString()).refuses = "";
        outbox.hurry(SCOPE);
        time.run(Duration.ofSeconds(2));
        assertEquals(State.AT_RELAYS, entry(waiting).state());
    }

    @Test
    void aRelayThatAsksWhoPublishesIsToldWho() throws Exception {
        network.relay(ONE.toString()).wantsAuth = true;
        host.bobs = List.of(ONE);
        host.named = Set.of(ONE);
        String id = send("me");
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(3));
        assertEquals(State.AT_RELAYS, entry(id).state());
        assertEquals(Set.of(alice), network.relay(ONE.toString()).publishers);
    }

    @Test
    void aRelayThatOnlyTheRecipientChoseIsNeverToldWhoPublishes() throws Exception {
        network.relay(TWO.toString()).wantsAuth = true;
        host.bobs = List.of(TWO);
        String id = send("who");
        outbox.kick(SCOPE);
        time.run(Duration.ofHours(2));
        assertEquals(State.QUEUED, entry(id).state());
        assertEquals("relay.auth-required", entry(id).reason());
        assertTrue(entry(id).nextTry() > 0);
        assertEquals(Set.of(), network.relay(TWO.toString()).publishers);

        host.named = Set.of(TWO);
        outbox.hurry(SCOPE);
        time.run(Duration.ofSeconds(3));
        assertEquals(State.AT_RELAYS, entry(id).state());
        assertEquals(Set.of(alice), network.relay(TWO.toString()).publishers);
    }

    @Test
    void aRelayThatTheUserTookBackIsNoLongerToldWhoPublishes() throws Exception {
        network.relay(ONE.toString()).wantsAuth = true;
        host.bobs = List.of(ONE);
        host.named = Set.of(ONE);
        network.relay(ONE.toString()).down = true;
        String id = send("me");
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(5));
        network.relay(ONE.toString()).comeUp();
        network.faults.answerLost = 1;
        assertTrue(time.runUntil(() -> !network.relay(ONE.toString()).offered.isEmpty(), Duration.ofMinutes(10)));
        host.named = Set.of();
        network.relay(ONE.toString()).publishers.clear();
        network.faults.answerLost = 0;
        time.run(Duration.ofHours(1));
        assertEquals(Set.of(), network.relay(ONE.toString()).publishers);
        assertEquals("relay.auth-required", entry(id).reason());
    }

    @Test
    void aRelayThatAnotherIdentityChoseIsNeverToldWhoPublishes() throws Exception {
        PublicKey carol = keys.create(null);
        network.relay(ONE.toString()).wantsAuth = true;
        host.bobs = List.of(ONE);
        host.named = Set.of(ONE);
        Conversation hers = new Conversation("her room", carol);
        space().transact(tx -> id(outbox.step(
                tx, SCOPE, hers, new Input.Send(outbox.moment(), carol, List.of(bob), 14, List.of(), "hers", null))));
        outbox.kick(SCOPE);
        time.run(Duration.ofHours(1));
        assertEquals(Set.of(), network.relay(ONE.toString()).publishers);
    }

    @Test
    void messagesForRelaysSheHasLeftGoWhereTheNextOneGoesAndBeforeIt() throws Exception {
        host.bobs = List.of(TWO);
        network.relay(TWO.toString()).down = true;
        send("m0");
        send("m1");
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(5));
        host.bobs = List.of(ONE);
        send("m2");
        outbox.kick(SCOPE);
        assertTrue(time.runUntil(() -> uncheckedTextsAt(ONE).size() == 3, Duration.ofMinutes(30)));
        assertEquals(numbered(3), textsAt(ONE, bob));
        assertTrue(time.runUntil(() -> at(State.AT_RELAYS) == 3, Duration.ofMinutes(30)));
        time.run(Duration.ofHours(1));
        assertEquals(0, records(CircleRecords.QUEUE), "nothing waits for the relay she has left");
    }

    @Test
    void theLedgerDoesNotGoBackWhenTheRestIsMadeAnewAfterARestart() throws Exception {
        network.relay(TWO.toString()).down = true;
        String id = send("half");
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(1));
        assertEquals(State.AT_RELAYS, entry(id).state());
        life.end();
        time.run(Duration.ofDays(3));
        outbox = boot();
        for (int second = 0; second < 60; second++) {
            time.run(Duration.ofSeconds(1));
            assertEquals(State.AT_RELAYS, entry(id).state(), "after " + second + " s");
            assertEquals(1, entry(id).relaysHave());
        }
        network.relay(TWO.toString()).comeUp();
        assertTrue(time.runUntil(() -> uncheckedTextsAt(TWO).size() == 1, Duration.ofMinutes(10)));
    }

    @Test
    void aProviderThatIsLeavingAndFindsNoClassesCostsNoMessageItsTurn() throws Exception {
        linkageErrors = 5;
        List<String> ids = List.of(send("m0"), send("m1"));
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(10));
        assertEquals(0, linkageErrors);
        for (String id : ids) {
            assertEquals(State.AT_RELAYS, entry(id).state());
        }
        assertEquals(numbered(2), textsAt(ONE, bob));
        assertEquals(0, identities.open());
    }

    @Test
    void oneDeadRelayOfTwoDoesNotHoldUpTheOther() throws Exception {
        network.relay(TWO.toString()).down = true;
        for (int i = 0; i < 100; i++) {
            send("m" + i);
        }
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(1));
        assertEquals(100, at(State.AT_RELAYS));
        assertEquals(numbered(100), textsAt(ONE, bob));

        network.relay(TWO.toString()).comeUp();
        assertTrue(time.runUntil(() -> uncheckedTextsAt(TWO).size() == 100, Duration.ofMinutes(10)));
        assertEquals(numbered(100), textsAt(TWO, bob));
    }

    @Test
    void aWrapThatWaitedTooLongForReadersToFindItIsMadeAnew() throws Exception {
        host.bobs = List.of(TWO);
        network.relay(TWO.toString()).down = true;
        for (int i = 0; i < 40; i++) {
            send("m" + i);
        }
        outbox.kick(SCOPE);
        time.run(Duration.ofDays(3));
        life.end();
        outbox = boot();
        time.run(Duration.ofDays(3));
        assertEquals(0, at(State.FAILED), "nothing is given up yet");
        List<Event> offered = network.relay(TWO.toString()).offered;
        assertTrue(
                offered.size() > 1_000 && new HashSet<>(offered).size() < 20, "one event as long as it can be found");
        life.end();
        network.relay(TWO.toString()).comeUp();
        outbox = boot();
        long upAt = time.clock().instant().getEpochSecond();
        assertTrue(time.runUntil(() -> at(State.AT_RELAYS) == 40, Duration.ofMinutes(10)));
        time.run(Duration.ofSeconds(10));
        assertEquals(numbered(40), textsAt(TWO, bob));
        for (Event event : network.relay(TWO.toString()).events()) {
            long age = upAt - event.createdAt();
            assertTrue(age < Duration.ofDays(2).plusHours(1).toSeconds(), "age of a wrap when it arrives: " + age);
        }
        assertEquals(0, records(CircleRecords.QUEUE));
    }

    @Test
    void aWrapMadeAnewForOneRelayWaitsForTheSignerAndKeepsItsPlaceThere() throws Exception {
        network.relay(TWO.toString()).down = true;
        List<String> ids = List.of(send("m0"), send("m1"), send("m2"));
        outbox.kick(SCOPE);
        time.run(Duration.ofDays(3));
        keys.lock(alice);
        time.run(Duration.ofDays(2));
        network.relay(TWO.toString()).comeUp();
        time.run(Duration.ofHours(1));
        for (String id : ids) {
            assertEquals(State.AT_RELAYS, entry(id).state());
            assertEquals(1, entry(id).relaysHave());
        }
        keys.unlock(alice, new char[0]);
        String next = send("m3");
        outbox.kick(SCOPE);
        assertTrue(time.runUntil(() -> uncheckedTextsAt(TWO).size() == 4, Duration.ofMinutes(10)));
        time.run(Duration.ofSeconds(5));
        assertEquals(numbered(4), textsAt(TWO, bob));
        assertEquals(numbered(4), textsAt(ONE, bob), "who has it is not told again");
        assertEquals(2, entry(next).relaysHave());
        assertEquals(4, outbox.totals(SCOPE).sent());
    }

    @Test
    void crashesWhileWrapsAreMadeAnewLoseNothingAndKeepTheOrder() throws Exception {
        network.relay(TWO.toString()).down = true;
        for (int i = 0; i < 20; i++) {
            send("m" + i);
        }
        outbox.kick(SCOPE);
        time.run(Duration.ofDays(5));
        faults.crashBefore = 0.1;
        faults.crashAfter = 0.1;
        faults.twice = 0.1;
        faults.unavailable = 0.1;
        faults.unsure = 0.1;
        faults.broken = 0.05;
        network.faults.answerLost = 0.2;
        network.faults.eventLost = 0.1;
        network.relay(TWO.toString()).comeUp();
        int lives = 0;
        while (uncheckedTextsAt(TWO).stream().distinct().count() < 20 && lives++ < 2_000) {
            Life now = life;
            time.runUntil(() -> !now.alive(), Duration.ofMinutes(20));
            now.end();
            outbox = boot();
        }
        faults.crashBefore = 0;
        faults.crashAfter = 0;
        faults.unavailable = 0;
        faults.broken = 0;
        faults.unsure = 0;
        life.end();
        outbox = boot();
        time.run(Duration.ofHours(1));
        assertEquals(numbered(20), textsAt(TWO, bob).stream().distinct().toList());
        assertEquals(20, at(State.AT_RELAYS));
        assertTrue(outbox.totals(SCOPE).exact());
        assertEquals(0, records(CircleRecords.QUEUE));
        assertEquals(0, records(CircleRecords.PAYLOADS));
        assertEquals(0, identities.open());
    }

    @Test
    void aSilentSignerHoldsUpItsOwnMessagesOnlyAndMayAnswerLate() throws Exception {
        PublicKey carol = keys.create(null);
        silent = alice;
        for (int i = 0; i < 40; i++) {
            send("m" + i);
        }
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(1));
        Conversation other = new Conversation("another room", carol);
        String carols = space().transact(tx -> id(outbox.step(
                tx,
                SCOPE,
                other,
                new Input.Send(outbox.moment(), carol, List.of(bob), 14, List.of(), "from carol", null))));
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(10));
        assertEquals(State.AT_RELAYS, entry(carols).state());

        time.run(Duration.ofMinutes(3));
        Ledger.Entry oldest = outbox.entries(SCOPE, "", 100).get(40);
        assertEquals(State.AWAITING_SIGNER, oldest.state());
        assertEquals("signer.silent", oldest.reason());
        assertTrue(oldest.nextTry() > 0);

        silent = null;
        List.copyOf(unanswered).forEach(Runnable::run);
        assertTrue(time.runUntil(() -> at(State.AT_RELAYS) == 41, Duration.ofMinutes(10)));
        time.run(Duration.ofSeconds(10));
        List<String> texts = new ArrayList<>(textsAt(ONE, bob));
        texts.remove("from carol");
        assertEquals(numbered(40), texts);
        assertTrue(outbox.totals(SCOPE).exact());
        assertEquals(0, records(CircleRecords.QUEUE));
    }

    @Test
    void whatWaitsForOthersSaysSo() throws Exception {
        keys.lock(alice);
        for (int i = 0; i < 40; i++) {
            send("m" + i);
        }
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(1));
        Ledger.Entry newest = outbox.entries(SCOPE, "", 1).get(0);
        assertEquals(State.COMPOSED, newest.state());
        assertEquals("waits.order", newest.reason());
        assertTrue(newest.nextTry() > 0);

        network.relay(ONE.toString()).down = true;
        host.bobs = List.of(ONE);
        keys.unlock(alice, new char[0]);
        time.run(Duration.ofMinutes(2));
        List<Ledger.Entry> entries = outbox.entries(SCOPE, "", 100);
        assertEquals("relay.timeout", entries.get(39).reason());
        for (Ledger.Entry behind : entries.subList(0, 39)) {
            assertEquals("waits.order", behind.reason());
            assertEquals(entries.get(39).nextTry(), behind.nextTry());
        }
        network.relay(ONE.toString()).comeUp();
        assertTrue(time.runUntil(() -> at(State.AT_RELAYS) == 40, Duration.ofMinutes(10)));
        assertEquals("", outbox.entries(SCOPE, "", 1).get(0).reason());
        assertEquals(0, outbox.entries(SCOPE, "", 1).get(0).nextTry());
    }

    @Test
    void aFaultOfTheStoreIsNoFaultOfTheMessage() throws Exception {
        String id = send("patience");
        faults.broken = 0.9;
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(1));
        faults.broken = 0;
        time.run(Duration.ofMinutes(6));
        assertEquals(State.AT_RELAYS, entry(id).state());
        assertEquals(2, entry(id).relaysHave());
        assertEquals(0, records(CircleRecords.QUEUE));
    }

    @Test
    void anOutcomeWaitsUntilItsSchemeIsBack() throws Exception {
        String id = send("mine");
        schemes.fill(new Committing());
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(1));
        assertEquals(State.QUEUED, entry(id).state());
        schemes.fill(nip17());
        time.run(Duration.ofMinutes(6));
        assertEquals(State.AT_RELAYS, entry(id).state());
        assertEquals(0, records(CircleRecords.QUEUE));
    }

    @Test
    void aCommitThatWasReportedAsFailedIsNotSteppedAgain() throws Exception {
        schemes.fill(new Committing());
        space().transact(tx -> outbox.step(
                tx,
                SCOPE,
                conversation,
                new Input.Send(outbox.moment(), alice, List.of(bob), 445, List.of(), "", null)));
        faults.unsure = 1;
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(1));
        faults.unsure = 0;
        time.run(Duration.ofMinutes(1));
        assertEquals(1, host.delivered.size());
        assertEquals(List.of("merged"), textsAt(TWO, bob));
        assertEquals(1, outbox.totals(SCOPE).sent());
        assertEquals(0, records(CircleRecords.QUEUE));
    }

    @Test
    void aSilentRelayIsOfferedAMessageForSevenDaysAndOverRestarts() throws Exception {
        network.relay(ONE.toString()).down = true;
        host.bobs = List.of(ONE);
        String id = send("patience");
        outbox.kick(SCOPE);
        time.run(Duration.ofDays(3));
        assertEquals(State.QUEUED, entry(id).state());
        assertEquals("relay.timeout", entry(id).reason());
        life.end();
        outbox = boot();
        time.run(Duration.ofDays(3));
        assertEquals(State.QUEUED, entry(id).state());
        time.run(Duration.ofDays(2));
        assertEquals(State.FAILED, entry(id).state());
        assertEquals("relay.timeout", entry(id).reason());
        assertEquals(0, entry(id).nextTry());
        assertTrue(outbox.totals(SCOPE).exact());
    }

    @Test
    void aRelayThatComesBackGetsEverythingSoon() throws Exception {
        host.bobs = List.of(ONE);
        network.relay(ONE.toString()).goDown();
        for (int i = 0; i < 40; i++) {
            send("m" + i);
        }
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(3));
        network.relay(ONE.toString()).comeUp();
        assertTrue(
                time.runUntil(() -> at(State.AT_RELAYS) == 40, Duration.ofMinutes(3)),
                "all are there within three minutes");
        List<String> texts = textsAt(ONE, bob);
        for (int i = 0; i < 40; i++) {
            assertEquals("m" + i, texts.get(i));
        }
    }

    @Test
    void anUnusableKeyFailsAtOnce() throws Exception {
        PublicKey nobody = PublicKey.of(new byte[32]);
        badKey = nobody;
        String id = space().transact(tx -> id(outbox.step(
                tx,
                SCOPE,
                conversation,
                new Input.Send(outbox.moment(), alice, List.of(nobody), 14, List.of(), "hi", null))));
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(3));
        assertEquals(new Ledger.Entry(id, nobody.hex(), State.FAILED, 0, 0, "crypto.bad-pubkey", 0), entry(id));
        assertTrue(outbox.totals(SCOPE).exact());
    }

    @Test
    void PL_12_withoutASchemeNothingIsSentAndOutcomesWait() throws Exception {
        String id = send("there");
        schemes.fill(null);
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(10));
        assertTrue(Set.of(State.COMPOSED, State.QUEUED).contains(entry(id).state()), "not told, so not settled");
        ProviderException e = assertThrows(ProviderException.class, () -> send("more"));
        assertEquals("slot.empty", e.code());
        schemes.fill(nip17());
        time.run(Duration.ofSeconds(5));
        assertEquals(State.AT_RELAYS, entry(id).state());
        assertEquals(1, outbox.totals(SCOPE).sent(), "what was refused is not in the ledger");
    }

    @Test
    void aRefusedSendLeavesNoTrace() throws Exception {
        long before = records.commits();
        ProviderException e = assertThrows(ProviderException.class, () -> send("\ud800"));
        assertEquals("scheme.bad-text", e.code());
        assertEquals(before, records.commits());
        assertEquals(0, outbox.totals(SCOPE).sent());
    }

    @Test
    void anExpiredMessageIsNotSentAnyMore() throws Exception {
        keys.lock(alice);
        long now = time.clock().instant().getEpochSecond();
        String id = space().transact(tx -> id(outbox.step(
                tx,
                SCOPE,
                conversation,
                new Input.Send(outbox.moment(), alice, List.of(bob), 14, List.of(), "soon gone", now + 60))));
        outbox.kick(SCOPE);
        time.run(Duration.ofMinutes(2));
        assertEquals(State.FAILED, entry(id).state());
        assertEquals("message.expired", entry(id).reason());
    }

    @Test
    void theLedgerListsNewestFirstAndWithoutCopies() throws Exception {
        for (int i = 0; i < 150; i++) {
            send("m" + i);
        }
        List<Ledger.Entry> newest = outbox.entries(SCOPE, "", 100);
        assertEquals(100, newest.size());
        assertEquals(150, outbox.entries(SCOPE, "", 1_000).size());
        assertEquals(bob.hex(), newest.get(0).recipient());
        assertEquals(newest, outbox.entries(SCOPE, "", 1_000).subList(0, 100));
        assertEquals(150, outbox.totals(SCOPE).sent());
        assertThrows(IllegalArgumentException.class, () -> outbox.entries(SCOPE, "", 0));
    }

    /** A scheme as later ones will be: it waits for an outcome, then shows something and sends more. */
    private final class Committing implements EncryptionScheme {
        @Override
        public String schemeId() {
            return "committing";
        }

        @Override
        public String suiteId() {
            return "none";
        }

        @Override
        public int stateVersion() {
            return 1;
        }

        @Override
        public Set<Integer> rumorKinds() {
            return Set.of();
        }

        @Override
        public Step step(byte[] state, Input input) {
            if (input instanceof Input.Send) {
                Event commit = keysSigned("commit", input);
                return new Step(new byte[] {1}, List.of(new Effect.Publish("commit", commit, List.of(ONE.toString()))));
            }
            if (input instanceof Input.PublishOutcome outcome
                    && outcome.token().equals("commit")
                    && outcome.outcome() == Input.Outcome.ACCEPTED) {
                Rumor rumor = rumor("merged", outcome.at().epochSeconds());
                return new Step(
                        new byte[] {2},
                        List.of(
                                new Effect.Deliver(rumor, alice),
                                new Effect.SendWrapped("welcome", rumor, bob, false, null)));
            }
            return new Step(state, List.of());
        }
    }

    @Test
    void anOutcomeIsSteppedOnceAndItsEffectsArePerformed() throws Exception {
        schemes.fill(new Committing());
        space().transact(tx -> outbox.step(
                tx,
                SCOPE,
                conversation,
                new Input.Send(outbox.moment(), alice, List.of(bob), 445, List.of(), "", null)));
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(5));
        assertEquals(1, host.delivered.size());
        assertEquals(List.of("merged"), textsAt(TWO, bob));
        assertEquals(1, outbox.totals(SCOPE).sent(), "a published event has no recipient, the welcome has one");
        assertEquals(0, records(CircleRecords.QUEUE));

        schemes.fill(nip17());
        ProviderException e = assertThrows(ProviderException.class, () -> send("other scheme"));
        assertEquals("scheme.other", e.code());
    }

    @Test
    void unknownEffectsAreRefusedWhole() {
        schemes.fill(new EncryptionScheme() {
            @Override
            public String schemeId() {
                return "odd";
            }

            @Override
            public String suiteId() {
                return "none";
            }

            @Override
            public int stateVersion() {
                return 1;
            }

            @Override
            public Set<Integer> rumorKinds() {
                return Set.of();
            }

            @Override
            public Step step(byte[] state, Input input) {
                return new Step(state, List.of(new Effect.ScheduleTick(5)));
            }
        });
        long before = records.commits();
        ProviderException e = assertThrows(ProviderException.class, () -> send("x"));
        assertEquals("outbox.effect", e.code());
        assertEquals(before, records.commits());
    }

    @Test
    void oneHostPerCircle() {
        assertThrows(IllegalStateException.class, () -> outbox.attach(SCOPE, host));
    }

    @Test
    void recordsKnowTheirVersion() throws Exception {
        byte[] value = new RecordOutput(2)
                .number(7)
                .flag(true)
                .text("नमस्ते")
                .texts(List.of("a", ""))
                .done();
        RecordInput in = new RecordInput(value, 2);
        assertEquals(2, in.version());
        assertEquals(7, in.number());
        assertTrue(in.flag());
        assertEquals("नमस्ते", in.text());
        assertEquals(List.of("a", ""), in.texts());
        assertEquals(
                "store.too-new",
                assertThrows(ProviderException.class, () -> new RecordInput(value, 1))
                        .code());
        assertEquals(
                "store.bad-record",
                assertThrows(ProviderException.class, () -> new RecordInput(new byte[0], 1))
                        .code());
        for (int cut = 1; cut < value.length; cut++) {
            byte[] part = java.util.Arrays.copyOf(value, cut);
            assertThrows(ProviderException.class, () -> {
                RecordInput broken = new RecordInput(part, 2);
                broken.number();
                broken.flag();
                broken.text();
                broken.texts();
            });
        }
        assertEquals(
                "store.bad-text",
                assertThrows(ProviderException.class, () -> new RecordOutput(1).text("\udc00"))
                        .code());
        assertEquals(
                "store.too-large",
                assertThrows(
                                ProviderException.class,
                                () -> new RecordOutput(1)
                                        .bytes(new byte[1 << 20])
                                        .done())
                        .code());
    }

    @Test
    void payloadsReadBackAsTheyWereWritten() throws Exception {
        Rumor rumor = rumor("text\n\"quoted\"", 5);
        assertEquals(new Payload.Plain(rumor), Payload.read(Payload.write(new Payload.Plain(rumor))));
        Event event = keysSigned("e", new Input.Tick(outbox.moment()));
        for (Payload payload : List.of(new Payload.Finished(event, null), new Payload.Finished(event, rumor))) {
            byte[] written = Payload.write(payload);
            assertEquals(payload, Payload.read(written));
            assertArrayEquals(written, Payload.write(Payload.read(written)));
        }
        byte[] first = new RecordOutput(1)
                .flag(true)
                .bytes(event.id().bytes())
                .bytes(event.pubkey().bytes())
                .number(event.createdAt())
                .number(event.kind())
                .number(0)
                .text(event.content())
                .bytes(event.sig().bytes())
                .done();
        assertEquals(new Payload.Finished(event, null), Payload.read(first));
    }

    @Test
    void aLeaseLastsAsLongAsOneOperation() {
        LeasedSigner signer = new LeasedSigner(identities, alice, Purpose.SEAL);
        assertEquals(alice, signer.publicKey());
        assertEquals("x", signer.nip44Encrypt(bob, "x").toCompletableFuture().join());
        assertTrue(signer.sign(new EventTemplate(0, 1, List.of(), ""), Purpose.SEAL)
                .toCompletableFuture()
                .isCompletedExceptionally());
        identities.fill(null);
        assertTrue(signer.nip44Decrypt(bob, "x").toCompletableFuture().isCompletedExceptionally());
        assertEquals(0, identities.open());
        assertFalse(identities.status().filled());
    }

    // ---- the scene ----

    private StepOutbox boot() {
        life = new Life();
        Life mine = life;
        StepOutbox made = StepOutbox.on(
                circle -> new Threads(time.executor(mine), time.executor(mine), time::nanoTime),
                records.seenBy(life, time.random(), faults),
                schemes,
                identities,
                envelope(),
                network.seenBy(life),
                time.clock(),
                new SeededRandom(time.random().nextLong()));
        made.attach(SCOPE, host);
        return made;
    }

    private Envelope envelope() {
        Envelope open = new OpenEnvelope(time.clock(), time.random());
        return new Envelope() {
            @Override
            public CompletionStage<Event> wrap(
                    Signer author, Rumor rumor, PublicKey to, boolean ephemeral, @Nullable Long expiration) {
                if (linkageErrors > 0) {
                    linkageErrors--;
                    throw new NoClassDefFoundError("a class of a bundle that is leaving");
                }
                CompletionStage<Event> answer = Objects.equals(to, badKey)
                        ? CompletableFuture.failedFuture(new ProviderException(
                                Kind.REJECTED, "crypto.bad-pubkey", "This key is not on the curve."))
                        : open.wrap(author, rumor, to, ephemeral, expiration);
                if (!Objects.equals(silent, author.publicKey())) {
                    return answer;
                }
                CompletableFuture<Event> late = new CompletableFuture<>();
                unanswered.add(() -> answer.thenAccept(late::complete));
                return late;
            }

            @Override
            public CompletionStage<Opened> unwrap(Signer recipient, Event wrap) {
                return open.unwrap(recipient, wrap);
            }
        };
    }

    private static EncryptionScheme nip17() {
        return new Nip17().open(new NoContext());
    }

    private SealedSpace space() {
        return records.seenBy(life, time.random(), faults).open(CircleRecords.space(SCOPE));
    }

    private String send(String text) throws ProviderException {
        List<List<String>> tags = List.of(List.of("n", Integer.toString(count++)));
        return space().transact(tx -> id(outbox.step(
                tx, SCOPE, conversation, new Input.Send(outbox.moment(), alice, List.of(bob), 14, tags, text, null))));
    }

    private static String id(Outbox.Stepped stepped) {
        return ((Effect.SendWrapped) stepped.effects().get(0)).rumor().id().hex();
    }

    private Ledger.Entry entry(String id) throws ProviderException {
        List<Ledger.Entry> entries = outbox.entries(SCOPE, id, 10);
        assertEquals(1, entries.size());
        return entries.get(0);
    }

    private long at(State state) {
        try {
            Long count = outbox.totals(SCOPE).byState().get(state);
            return count == null ? 0 : count;
        } catch (ProviderException e) {
            throw new AssertionError(e);
        }
    }

    private int records(int table) throws ProviderException {
        return space().transact(tx -> tx.scan(im.parley.vault.RecordKey.all(table, ""), false, 1_000))
                .size();
    }

    private List<String> textsAt(URI relay, PublicKey to) throws Exception {
        List<String> texts = new ArrayList<>();
        for (Event event : network.relay(relay.toString()).events()) {
            if (event.kind() == 1059 && event.tagValues("p").contains(to.hex())) {
                texts.add(im.parley.protocol.EventReader.readRumor(event.content())
                        .content());
            }
        }
        return texts;
    }

    private List<String> uncheckedTextsAt(URI relay) {
        try {
            return textsAt(relay, bob);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static List<String> numbered(int count) {
        return java.util.stream.IntStream.range(0, count).mapToObj(i -> "m" + i).toList();
    }

    private Rumor rumor(String text, long at) {
        try {
            return im.parley.protocol.EventHash.rumor(alice, at, 14, List.of(List.of("p", bob.hex())), text);
        } catch (im.parley.protocol.ProtocolException e) {
            throw new AssertionError(e);
        }
    }

    private Event keysSigned(String content, Input input) {
        try {
            return new Event(
                    im.parley.protocol.EventHash.id(alice, input.at().epochSeconds(), 445, List.of(), content),
                    alice,
                    input.at().epochSeconds(),
                    445,
                    List.of(),
                    content,
                    im.parley.api.event.Signature.of(new byte[64]));
        } catch (im.parley.protocol.ProtocolException e) {
            throw new AssertionError(e);
        }
    }
}
