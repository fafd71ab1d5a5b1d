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

    /** Answers for the messenger. */
    private static final class Host implements OutboxHost {
        List<URI> bobs = List.of(ONE, TWO);
        List<URI> own = List.of(ONE);
        boolean unreachable;
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
        String id = send("me");
        outbox.kick(SCOPE);
        time.run(Duration.ofSeconds(3));
        assertEquals(State.AT_RELAYS, entry(id).state());
    }

    @Test
    void aSilentRelayIsOfferedTheSameEventForSevenDaysAndOverRestarts() throws Exception {
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
        byte[] written = Payload.write(new Payload.Finished(event));
        assertEquals(new Payload.Finished(event), Payload.read(written));
        assertArrayEquals(written, Payload.write(Payload.read(written)));
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
                return Objects.equals(to, badKey)
                        ? CompletableFuture.failedFuture(new ProviderException(
                                Kind.REJECTED, "crypto.bad-pubkey", "This key is not on the curve."))
                        : open.wrap(author, rumor, to, ephemeral, expiration);
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
