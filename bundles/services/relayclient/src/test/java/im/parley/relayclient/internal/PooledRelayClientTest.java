package im.parley.relayclient.internal;

import static im.parley.relayclient.internal.World.NOW;
import static im.parley.relayclient.internal.World.TIMEOUT;
import static im.parley.relayclient.internal.World.now;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.RelayEndpoint;
import im.parley.protocol.Frames;
import im.parley.relayclient.InboxListener;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.relayclient.PublishResult.State;
import im.parley.relayclient.RelayClient;
import im.parley.relayclient.RelayHealth;
import im.parley.testkit.Seeds;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class PooledRelayClientTest {
    private static final URI RELAY = URI.create("wss://relay.example");
    private static final Persona NOBODY = Persona.anonymous(Scope.DEFAULT, "out");

    private final World world = new World();

    // Publishing.

    @Test
    void publishesInCallOrderOverOneConnection() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity author = world.identity();
        List<CompletionStage<PublishResult>> results = new ArrayList<>();
        List<EventId> order = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            Event event = author.event(NOW + 50 - i, 1, List.of(), "n" + i);
            order.add(event.id());
            results.add(world.client.publish(NOBODY, URI.create("WSS://Relay.example:443/"), event, TIMEOUT));
        }
        world.run();
        results.forEach(result -> assertEquals(State.ACCEPTED, now(result).state()));
        assertEquals(order, List.copyOf(relay.stored.keySet()));
        assertEquals(List.of("sockets default wss://relay.example"), world.opened);
    }

    @Test
    void NT_04_aSwallowedOkIsUnknownAndTheRetrySeesADuplicateAsSuccess() {
        for (boolean asFalse : new boolean[] {true, false}) {
            FakeRelay relay = world.relay("wss://relay.example");
            relay.duplicateIsFalse = asFalse;
            relay.swallows = frame -> frame.startsWith("[\"OK\"");
            Event event = world.identity().event(NOW, 1, List.of(), "once " + asFalse);
            CompletionStage<PublishResult> first = world.client.publish(NOBODY, RELAY, event, TIMEOUT);
            world.advance(TIMEOUT.minusMillis(1));
            assertFalse(first.toCompletableFuture().isDone());
            world.advance(Duration.ofMillis(1));
            assertEquals(new PublishResult(State.UNKNOWN, "relay.timeout"), now(first));

            relay.swallows = frame -> false;
            CompletionStage<PublishResult> second = world.client.publish(NOBODY, RELAY, event, TIMEOUT);
            world.run();
            assertEquals(new PublishResult(State.ACCEPTED, "duplicate: have it"), now(second));
            assertEquals(1, relay.stored.size());
            world.advance(Duration.ofSeconds(61));
        }
    }

    @Test
    void refusalsAreToldFromTrouble() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity author = world.identity();
        String[][] table = {
            {"invalid: x", "REFUSED"},
            {"blocked: x", "REFUSED"},
            {"restricted: x", "REFUSED"},
            {"pow: 20 bits", "REFUSED"},
            {"auth-required: x", "REFUSED"},
            {"rate-limited: slow down", "UNKNOWN"},
            {"error: disk", "UNKNOWN"},
            {"no prefix at all", "UNKNOWN"},
            {"", "UNKNOWN"},
            {"duplicate: had it", "ACCEPTED"}
        };
        for (String[] row : table) {
            relay.okFalse = row[0];
            CompletionStage<PublishResult> result =
                    world.client.publish(NOBODY, RELAY, author.event(NOW, 1, List.of(), row[0]), TIMEOUT);
            world.run();
            assertEquals(new PublishResult(State.valueOf(row[1]), row[0]), now(result));
        }
        for (String refusal : List.of(
                "invalid: created-at-future more than 900 s ahead of this relay's clock",
                "invalid: created_at too late",
                "invalid: event is too far in the future")) {
            relay.okFalse = refusal;
            CompletionStage<PublishResult> result =
                    world.client.publish(NOBODY, RELAY, author.event(NOW, 1, List.of(), refusal), TIMEOUT);
            world.run();
            assertEquals(new PublishResult(State.UNKNOWN, "clock.skew"), now(result), refusal);
        }
        relay.okFalse = "blocked: a\u0007\n\u202Eb" + "z".repeat(5000);
        CompletionStage<PublishResult> result =
                world.client.publish(NOBODY, RELAY, author.event(NOW, 1, List.of(), "long"), TIMEOUT);
        world.run();
        assertTrue(
                now(result).message().startsWith("blocked: a   bzz"),
                now(result).message());
        assertEquals(256, now(result).message().length());
    }

    @Test
    void anEventWaitsForTheRelayToComeBackAndIsSentAgainInOrder() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.down = true;
        World.Identity author = world.identity();
        Event one = author.event(NOW, 1, List.of(), "one");
        Event two = author.event(NOW, 1, List.of(), "two");
        CompletionStage<PublishResult> first = world.client.publish(NOBODY, RELAY, one, Duration.ofMinutes(2));
        CompletionStage<PublishResult> second = world.client.publish(NOBODY, RELAY, two, Duration.ofMinutes(2));
        CompletionStage<PublishResult> hasty = world.client.publish(NOBODY, RELAY, two, Duration.ofSeconds(5));
        world.advance(Duration.ofSeconds(10));
        assertEquals(new PublishResult(State.UNKNOWN, "egress.refused"), now(hasty));
        relay.down = false;
        relay.swallows = frame -> true;
        world.advance(Duration.ofSeconds(20));
        assertEquals(List.of("EVENT", "EVENT"), relay.receivedVerbs());
        assertFalse(first.toCompletableFuture().isDone());
        relay.swallows = frame -> false;
        relay.drop();
        world.advance(Duration.ofSeconds(60));
        assertEquals(State.ACCEPTED, now(first).state());
        assertEquals(State.ACCEPTED, now(second).state());
        assertEquals(4, relay.received.size());
        assertEquals(relay.received.subList(0, 2), relay.received.subList(2, 4));
    }

    @Test
    void whatTheEgressRefusesForGoodIsRefused() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.refusesConnections = new ProviderException(Kind.REJECTED, "egress.private", "no");
        CompletionStage<PublishResult> result =
                world.client.publish(NOBODY, RELAY, world.identity().event(NOW, 1, List.of(), "x"), TIMEOUT);
        world.run();
        assertEquals(new PublishResult(State.REFUSED, "egress.private"), now(result));
        CompletionStage<PublishResult> bad = world.client.publish(
                NOBODY, URI.create("http://relay.example"), world.identity().event(NOW, 1, List.of(), "x"), TIMEOUT);
        assertEquals(new PublishResult(State.REFUSED, "relay.bad-url"), now(bad));
    }

    @Test
    void moreThanTheWindowIsNotUnderWayAtOnce() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.swallows = frame -> frame.startsWith("[\"OK\"");
        World.Identity author = world.identity();
        for (int i = 0; i < 40; i++) {
            world.client.publish(NOBODY, RELAY, author.event(NOW + i, 1, List.of(), "x".repeat(60_000)), TIMEOUT);
        }
        world.run();
        int underWay = relay.received.size();
        assertTrue(underWay >= 16 && underWay <= 18, underWay + " under way");
        relay.swallows = frame -> false;
        relay.stored.values().forEach(event -> relay.last().say(Frames.ok(event.id(), true, "")));
        world.run();
        assertEquals(40, relay.received.size());
    }

    @Test
    void personasAndScopesNeverShareAConnection() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Event event = ana.event(NOW, 1, List.of(), "x");
        world.client.publish(NOBODY, RELAY, event, TIMEOUT);
        world.client.publish(Persona.anonymous(Scope.DEFAULT, "other"), RELAY, event, TIMEOUT);
        world.client.publish(Persona.anonymous(new Scope("work"), "out"), RELAY, event, TIMEOUT);
        world.client.publish(ana.persona("out"), RELAY, event, TIMEOUT);
        world.client.publish(ana.persona("out"), RELAY, event, TIMEOUT);
        world.run();
        assertEquals(4, relay.wires.size());
        assertEquals(4, world.client.health().size());
    }

    @Test
    void theConnectionsOfACircleThatIsOverEndAtOnce() {
        FakeRelay relay = world.relay("wss://relay.example");
        Scope work = new Scope("work");
        Persona over = Persona.anonymous(work, "out");
        Event event = world.identity().event(NOW, 1, List.of(), "x");
        world.client.publish(NOBODY, RELAY, event, TIMEOUT);
        world.client.publish(over, RELAY, event, TIMEOUT);
        world.run();
        relay.swallows = frame -> frame.startsWith("[\"OK\"");
        CompletionStage<PublishResult> waiting = world.client.publish(over, RELAY, event, TIMEOUT);
        world.run();
        world.client.end(work);
        world.run();
        assertEquals(State.UNKNOWN, now(waiting).state(), "who waited is told");
        assertEquals(
                List.of(false, true),
                relay.wires.stream().map(wire -> wire.closed).toList());
        assertEquals(
                List.of("default"),
                world.client.health().stream().map(RelayHealth::scope).toList());
    }

    // AUTH.

    @Test
    void aChallengeIsAnsweredBeforeAnythingElse() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.sendsChallenge = true;
        relay.authRequired = true;
        World.Identity ana = world.identity();
        CompletionStage<PublishResult> result =
                world.client.publish(ana.persona("out"), RELAY, ana.event(NOW, 1, List.of(), "x"), TIMEOUT);
        world.run();
        assertEquals(State.ACCEPTED, now(result).state());
        assertEquals(List.of("AUTH", "EVENT"), relay.receivedVerbs());
        Event auth = ana.signed.get(0);
        assertEquals(22242, auth.kind());
        assertEquals(
                List.of(List.of("relay", "wss://relay.example"), List.of("challenge", "challenge-1")), auth.tags());
        assertEquals(NOW, auth.createdAt());
    }

    @Test
    void authRequiredOnAnEventOrQueryIsAnsweredAndTheRequestRepeated() throws Exception {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.authRequired = true;
        World.Identity ana = world.identity();
        CompletionStage<PublishResult> result =
                world.client.publish(ana.persona("out"), RELAY, ana.event(NOW, 1, List.of(), "x"), TIMEOUT);
        CompletionStage<List<Event>> events = world.client.fetch(
                ana.persona("out"), RELAY, Filter.builder().kinds(List.of(1)).build(), TIMEOUT);
        world.run();
        assertTrue(relay.received.isEmpty(), "spoke before the relay had time to ask");
        world.advance(RelayConnection.CHALLENGE_GRACE);
        assertEquals(State.ACCEPTED, now(result).state());
        assertEquals(1, ana.signed.size());
        assertTrue(events.toCompletableFuture().isDone());
    }

    @Test
    void nobodyStaysNobody() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.sendsChallenge = true;
        relay.authRequired = true;
        CompletionStage<PublishResult> result =
                world.client.publish(NOBODY, RELAY, world.identity().event(NOW, 1, List.of(), "x"), TIMEOUT);
        CompletionStage<List<Event>> events = world.client.fetch(
                NOBODY, RELAY, Filter.builder().kinds(List.of(1)).build(), TIMEOUT);
        world.run();
        assertEquals(State.REFUSED, now(result).state());
        assertTrue(now(result).message().startsWith("auth-required"));
        assertCode("relay.closed", Kind.REJECTED, events);
        assertFalse(relay.receivedVerbs().contains("AUTH"));
    }

    @Test
    void DB_10_aClockThatTheRelayDisagreesWithIsToldAndNotFinal() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.sendsChallenge = true;
        relay.authRequired = true;
        relay.refusesAuth = true;
        World.Identity ana = world.identity();
        for (String refusal : List.of(
                "invalid: created-at more than 600 s away from this relay's clock",
                "invalid: created_at too late",
                "invalid: event timestamp is in the future")) {
            relay.refusal = refusal;
            CompletionStage<PublishResult> result =
                    world.client.publish(ana.persona("out"), RELAY, ana.event(NOW, 1, List.of(), refusal), TIMEOUT);
            world.run();
            assertEquals(new PublishResult(State.UNKNOWN, "clock.skew"), now(result), refusal);
        }
        relay.refusesAuth = false;
        CompletionStage<PublishResult> set =
                world.client.publish(ana.persona("other"), RELAY, ana.event(NOW, 1, List.of(), "set"), TIMEOUT);
        world.run();
        assertEquals(State.ACCEPTED, now(set).state());
    }

    @Test
    void aLockedKeyIsTroubleAndARefusedIdentityIsFinal() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.sendsChallenge = true;
        relay.authRequired = true;
        World.Identity ana = world.identity();
        ana.failure = new ProviderException(Kind.AUTHENTICATION, "vault.locked", "locked");
        CompletionStage<PublishResult> locked =
                world.client.publish(ana.persona("out"), RELAY, ana.event(NOW, 1, List.of(), "x"), TIMEOUT);
        world.run();
        assertEquals(new PublishResult(State.UNKNOWN, "vault.locked"), now(locked));
        ana.failure = null;
        CompletionStage<PublishResult> unlocked =
                world.client.publish(ana.persona("out"), RELAY, ana.event(NOW, 1, List.of(), "x"), TIMEOUT);
        world.run();
        assertEquals(State.ACCEPTED, now(unlocked).state());

        relay.refusesAuth = true;
        relay.drop();
        CompletionStage<PublishResult> refused =
                world.client.publish(ana.persona("out"), RELAY, ana.event(NOW, 1, List.of(), "y"), TIMEOUT);
        world.advance(Duration.ofSeconds(2));
        assertEquals(State.REFUSED, now(refused).state());
    }

    @Test
    void challengeStormsDoNotMakeTheSignerWork() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.sendsChallenge = true;
        relay.swallowsAuthOk = true;
        World.Identity ana = world.identity();
        world.client.inbox(ana.persona("inbox"), RELAY, new Inbox());
        world.run();
        for (int i = 0; i < 500 && relay.open() > 0; i++) {
            relay.last().challenge();
            world.run();
        }
        assertEquals(0, relay.open());
        assertTrue(ana.signed.size() <= 8, ana.signed.size() + " signatures");
    }

    // Fetching.

    @Test
    void fetchesOverCutPagesWithTiesAtTheEdges() {
        RandomGenerator random = Seeds.generator("relayclient.paging");
        for (int cap : new int[] {4, 5, 7, 100}) {
            FakeRelay relay = world.relay("wss://relay.example");
            relay.cap = cap;
            World.Identity author = world.identity();
            int count = 1 + random.nextInt(60);
            for (int i = 0; i < count; i++) {
                // Fewer events in one second than the smallest cap: more cannot be fetched by anybody.
                relay.stored(author.event(NOW - i / 3, 1, List.of(), "p" + i));
            }
            CompletionStage<List<Event>> events = world.client.fetch(
                    NOBODY, RELAY, Filter.builder().kinds(List.of(1)).build(), TIMEOUT);
            world.run();
            List<Event> got = now(events);
            assertEquals(count, got.size(), "cap " + cap);
            assertEquals(new HashSet<>(relay.stored.values()), new HashSet<>(got));
            assertEquals(got.stream().sorted(Paging.NEWEST_FIRST).toList(), got);
            world.advance(Duration.ofSeconds(61));
        }
    }

    @Test
    void aQueryForOneReplaceableEventIsOneRequest() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity author = world.identity();
        relay.stored(author.event(NOW, 10050, List.of(List.of("relay", "wss://x.example")), ""));
        Filter filter = Filter.builder()
                .authors(List.of(author.publicKey()))
                .kinds(List.of(10050))
                .build();
        CompletionStage<List<Event>> events = world.client.fetch(NOBODY, RELAY, filter, TIMEOUT);
        world.run();
        assertEquals(1, now(events).size());
        assertEquals(List.of("REQ", "CLOSE"), relay.receivedVerbs());
    }

    @Test
    void aLimitIsKept() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.cap = 3;
        World.Identity author = world.identity();
        for (int i = 0; i < 20; i++) {
            relay.stored(author.event(NOW - i, 1, List.of(), "p" + i));
        }
        CompletionStage<List<Event>> events = world.client.fetch(
                NOBODY, RELAY, Filter.builder().kinds(List.of(1)).limit(7).build(), TIMEOUT);
        CompletionStage<List<Event>> none = world.client.fetch(
                NOBODY, RELAY, Filter.builder().kinds(List.of(1)).limit(0).build(), TIMEOUT);
        world.run();
        assertEquals(7, now(events).size());
        assertEquals(NOW - 6, now(events).get(6).createdAt());
        assertEquals(List.of(), now(none));
    }

    @Test
    void fetchFailsWithTheReason() {
        Filter filter = Filter.builder().kinds(List.of(1)).build();
        CompletionStage<List<Event>> nowhere = world.client.fetch(NOBODY, RELAY, filter, TIMEOUT);
        world.run();
        assertCode("egress.unresolved", Kind.UNAVAILABLE, nowhere);
        CompletionStage<List<Event>> badUrl =
                world.client.fetch(NOBODY, URI.create("https://relay.example"), filter, TIMEOUT);
        assertCode("relay.bad-url", Kind.REJECTED, badUrl);

        FakeRelay relay = world.relay("wss://mute.example");
        relay.swallows = frame -> frame.startsWith("[\"EOSE\"");
        CompletionStage<List<Event>> mute =
                world.client.fetch(NOBODY, URI.create("wss://mute.example"), filter, TIMEOUT);
        world.advance(TIMEOUT);
        assertCode("relay.timeout", Kind.TIMEOUT, mute);

        relay.swallows = frame -> false;
        relay.closesSubscriptions = "restricted: members only";
        CompletionStage<List<Event>> closed =
                world.client.fetch(NOBODY, URI.create("wss://mute.example"), filter, TIMEOUT);
        world.run();
        assertCode("relay.closed", Kind.REJECTED, closed);

        relay.closesSubscriptions = null;
        relay.swallows = frame -> true;
        CompletionStage<List<Event>> cut =
                world.client.fetch(NOBODY, URI.create("wss://mute.example"), filter, TIMEOUT);
        world.run();
        relay.drop();
        world.run();
        assertCode("relay.lost", Kind.UNAVAILABLE, cut);
    }

    // Lying relays.

    @Test
    void CR_18_eventsThatAreNotWhatTheirIdOrSignatureSaysAreDropped() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity author = world.identity();
        Event a = author.event(NOW, 1, List.of(), "a");
        Event b = author.event(NOW, 1, List.of(), "b");
        Event good = author.event(NOW, 1, List.of(), "good");
        Event bodyOfB = new Event(a.id(), b.pubkey(), b.createdAt(), b.kind(), b.tags(), b.content(), a.sig());
        Event sigOfA = new Event(b.id(), b.pubkey(), b.createdAt(), b.kind(), b.tags(), b.content(), a.sig());
        Event sigOverHex = new Event(
                b.id(),
                b.pubkey(),
                b.createdAt(),
                b.kind(),
                b.tags(),
                b.content(),
                author.signature(java.util.Arrays.copyOf(
                        b.id().hex().getBytes(java.nio.charset.StandardCharsets.US_ASCII), 32)));
        for (Event event : List.of(bodyOfB, sigOfA, good)) {
            relay.stored(event);
        }
        CompletionStage<List<Event>> first = world.client.fetch(
                NOBODY, RELAY, Filter.builder().kinds(List.of(1)).build(), TIMEOUT);
        world.run();
        assertEquals(List.of(good), now(first));
        assertTrue(count("event.bad-id") >= 1);
        assertTrue(count("event.bad-sig") >= 1);
        long before = count("event.bad-sig");
        relay.stored.clear();
        relay.stored(sigOverHex);
        CompletionStage<List<Event>> second = world.client.fetch(
                NOBODY, RELAY, Filter.builder().kinds(List.of(1)).build(), TIMEOUT);
        world.run();
        assertEquals(List.of(), now(second));
        assertTrue(count("event.bad-sig") > before);
    }

    @Test
    void CR_19_aVerifiedIdDoesNotVouchForAnotherBody() {
        FakeRelay honest = world.relay("wss://relay.example");
        FakeRelay liar = world.relay("wss://liar.example");
        World.Identity ana = world.identity();
        Event wrap = ana.wrap(NOW - 10);
        Event twin = new Event(
                wrap.id(), wrap.pubkey(), wrap.createdAt(), wrap.kind(), wrap.tags(), "other content", wrap.sig());
        Event moved = new Event(
                wrap.id(), wrap.pubkey(), wrap.createdAt() + 1, wrap.kind(), wrap.tags(), wrap.content(), wrap.sig());
        honest.stored(wrap);
        liar.stored(twin);
        Inbox first = new Inbox();
        Inbox second = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, first);
        world.advance(Duration.ofSeconds(2));
        world.client.inbox(ana.persona("inbox"), URI.create("wss://liar.example"), second);
        world.advance(Duration.ofSeconds(2));
        assertEquals(List.of(wrap), first.all());
        assertEquals(List.of(), second.all());
        assertTrue(count("event.bad-id") > 0);

        // The same relay, the same connection, the id it has just been believed for.
        long before = count("event.bad-id");
        honest.publish(moved);
        world.run();
        assertEquals(List.of(wrap), first.all());
        assertEquals(before + 1, count("event.bad-id"));
    }

    @Test
    void NT_07_whatNobodyAskedForIsCountedAndALoudRelayIsLeft() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(2));
        assertEquals(1, relay.open());
        FakeRelay.Wire wire = relay.last();
        Event note = ana.event(NOW, 1, List.of(), "not a wrap");
        String live = liveSubscription(relay);
        wire.say(Frames.deliver("nobody", note));
        wire.say(Frames.deliver(live, note));
        wire.say(Frames.deliver(live, world.identity().wrap(NOW)));
        wire.say("[\"NOTICE\",\"" + "n".repeat(100_000) + "\"]");
        wire.say("[\"AUTH\",\"" + "c".repeat(100_000) + "\"]");
        wire.say("[\"OK\",\"" + "0".repeat(64) + "\",true,\"\"]");
        wire.say("[\"HELLO\"]");
        wire.say("not json");
        wire.say("[".repeat(100_000));
        world.run();
        assertEquals(List.of(), inbox.all());
        assertEquals(1, count("event.unasked"));
        assertEquals(2, count("event.unmatched"));
        assertEquals(1, count("notice"));
        assertEquals(1, count("challenge.too-long"));
        assertEquals(1, count("ok.unasked"));
        assertEquals(1, count("frame.unknown"));
        assertEquals(2, count("frame.invalid"));
        assertEquals(1, relay.open());

        for (int i = 0; i < 1000; i++) {
            wire.say(Frames.deliver(live, note));
        }
        world.run();
        assertEquals(0, relay.open());
        assertEquals("relay.misbehaving", world.client.health().get(0).problem());
        assertEquals("waiting", world.client.health().get(0).state());
        assertEquals(1, count("relay.misbehaving"));
    }

    @Test
    void NT_07_closedStormsBackOff() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.closesSubscriptions = "error: go away";
        world.client.inbox(world.identity().persona("inbox"), RELAY, new Inbox());
        world.advance(Duration.ofMinutes(30));
        assertTrue(relay.wires.size() < 70, relay.wires.size() + " connections in half an hour");
        for (int i = 0; i < 10 && !world.client.health().get(0).state().equals("waiting"); i++) {
            // It may be in the middle of one more try.
            world.advance(Duration.ofSeconds(1));
        }
        assertEquals("relay.closed", world.client.health().get(0).problem());
    }

    @Test
    void NT_07_aRelayWithoutEoseIsGivenUp() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.swallows = frame -> frame.startsWith("[\"EOSE\"");
        Inbox inbox = new Inbox();
        world.client.inbox(world.identity().persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(42));
        assertEquals("relay.silent", world.client.health().get(0).problem());
        assertEquals(List.of(), inbox.syncs);
    }

    @Test
    void NT_07_aPageWithoutEndIsLeftWhenItIsTwiceWhatWasAskedFor() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.ignoresLimits = true;
        World.Identity ana = world.identity();
        for (int i = 0; i < 1_100; i++) {
            relay.stored(ana.wrap(NOW - i));
        }
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(RelayConnection.CHALLENGE_GRACE);
        assertEquals("relay.misbehaving", world.client.health().get(0).problem());
        assertEquals(1, count("relay.misbehaving"));
        assertEquals(List.of(), inbox.calls);
    }

    @Test
    void NT_07_aLookUpTakesAFewSmallEventsFromARelayThatAStrangerNamed() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity author = world.identity();
        Filter filter = Filter.builder()
                .authors(List.of(author.publicKey()))
                .kinds(List.of(10050))
                .build();
        Event list = author.event(NOW - 10, 10050, List.of(List.of("relay", "wss://x.example")), "");
        relay.stored(list);
        relay.stored(author.event(NOW, 10050, List.of(), "x".repeat(70_000)));
        relay.ignoresLimits = true;
        CompletionStage<List<Event>> events = world.client.fetch(NOBODY, RELAY, filter, TIMEOUT);
        world.run();
        assertEquals(List.of(list), now(events));
        assertEquals(1, count("event.too-large"));

        for (int i = 1; i < 10; i++) {
            relay.stored(author.event(NOW - 10 - i, 10050, List.of(), "x".repeat(60_000)));
        }
        CompletionStage<List<Event>> many = world.client.fetch(NOBODY, RELAY, filter, TIMEOUT);
        world.run();
        assertCode("relay.misbehaving", Kind.UNAVAILABLE, many);
    }

    @Test
    void NT_07_aPageOfLargeEventsIsAskedForInSmallerPagesAndARelayThatKnowsNoBoundIsLeft() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        // More than a page may take, less than what may wait for the loop.
        for (int i = 0; i < 55; i++) {
            relay.stored(world.identity()
                    .event(
                            NOW - i / 3,
                            1059,
                            List.of(List.of("p", ana.publicKey().hex())),
                            i + "x".repeat(100_000)));
        }
        Inbox inbox = new Inbox();
        RelayClient.Subscription subscription = world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(RelayConnection.CHALLENGE_GRACE);
        assertEquals(new HashSet<>(relay.stored.values()), new HashSet<>(inbox.all()));
        assertEquals(55, inbox.all().size());
        assertEquals(1, inbox.syncs.size());
        assertEquals(1, relay.wires.size());
        subscription.close();

        relay.ignoresLimits = true;
        Inbox other = new Inbox();
        world.client.inbox(ana.persona("other"), RELAY, other);
        world.advance(RelayConnection.CHALLENGE_GRACE);
        assertEquals("relay.misbehaving", health("other").problem());
        assertEquals(List.of(), other.calls);
    }

    @Test
    void NT_07_whatWaitsForTheLoopIsBoundedInBytes() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(3));
        String live = liveSubscription(relay);
        for (int i = 0; i < 40; i++) {
            relay.last()
                    .say(Frames.deliver(
                            live,
                            world.identity()
                                    .event(
                                            NOW,
                                            1059,
                                            List.of(List.of("p", ana.publicKey().hex())),
                                            i + "x".repeat(500_000))));
        }
        assertTrue(count("frame.overrun") >= 20, count("frame.overrun") + " frames were not taken");
        world.run();
        assertEquals("relay.overrun", health("inbox").problem());
        world.advance(Duration.ofSeconds(5));
        assertEquals("connected", health("inbox").state());
    }

    // Inbox.

    @Test
    void aPageThatTheConnectionDoesNotSurviveIsAskedForInSmallerPages() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        // More than may wait for the loop, and this relay sends all of a page before the loop sees any.
        for (int i = 0; i < 120; i++) {
            relay.stored(world.identity()
                    .event(
                            NOW - i / 3,
                            1059,
                            List.of(List.of("p", ana.publicKey().hex())),
                            i + "x".repeat(100_000)));
        }
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofMinutes(3));
        assertTrue(count("frame.overrun") > 0);
        assertEquals(new HashSet<>(relay.stored.values()), new HashSet<>(inbox.all()));
        assertEquals(1, inbox.syncs.size());
        assertTrue(relay.wires.size() <= 5, relay.wires.size() + " connections");
    }

    @Test
    void NT_07_aRelayThatPutsANewEventIntoEveryPageIsLeft() {
        World here = new World();
        FakeRelay relay = here.relay("wss://relay.example");
        relay.cap = 5;
        relay.lateToLive = true;
        World.Identity ana = here.identity();
        for (int i = 0; i < 300; i++) {
            relay.stored(ana.wrap(NOW - 10 * i));
        }
        int[] made = {0};
        int[] requests = {0};
        relay.onRequest = () -> {
            requests[0]++;
            relay.duringStored = () -> relay.publish(ana.wrap(NOW - 90_000 - ++made[0]));
        };
        Inbox inbox = new Inbox();
        here.client.inbox(ana.persona("inbox"), RELAY, inbox);
        here.advance(RelayConnection.CHALLENGE_GRACE.plusMillis(1));
        assertEquals(1L, here.client.drops().getOrDefault("relay.misbehaving", 0L));
        assertTrue(requests[0] < 100, requests[0] + " requests");
    }

    @Test
    void aSyncOfAnySizeEndsAndLiveWrapsDoNotWaitForIt() {
        World here = new World(new Bounds(20, 1L << 40, 10, 1L << 40));
        FakeRelay relay = here.relay("wss://relay.example");
        relay.cap = 7;
        World.Identity ana = here.identity();
        for (int i = 0; i < 200; i++) {
            relay.stored(ana.wrap(NOW - 1000 * i));
        }
        List<Event> flood = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            flood.add(ana.wrap(NOW - 100_000 + i));
        }
        relay.duringStored = () -> flood.forEach(relay::publish);
        Inbox inbox = new Inbox();
        here.client.inbox(ana.persona("inbox"), RELAY, inbox);
        here.advance(Duration.ofSeconds(3));
        int live = inbox.calls.indexOf("live");
        assertTrue(live >= 0 && live < inbox.calls.indexOf("synced"), "live beside the sync: " + inbox.calls);
        here.advance(Duration.ofMinutes(1));
        assertEquals(new HashSet<>(relay.stored.values()), new HashSet<>(inbox.all()));
        assertEquals(250, inbox.all().size(), "each once");
        assertEquals(1, relay.wires.size(), "nothing of this ends the connection");
    }

    @Test
    void aSyncThatWasCutOffGoesOnWhereItsLastChunkEnded() {
        World here = new World(new Bounds(20, 1L << 40, 10, 1L << 40));
        FakeRelay relay = here.relay("wss://relay.example");
        relay.cap = 10;
        World.Identity ana = here.identity();
        for (int i = 0; i < 300; i++) {
            relay.stored(ana.wrap(NOW - 7_200L * i));
        }
        int[] pages = {0};
        relay.onRequest = () -> {
            if (++pages[0] == 25) {
                relay.drop();
            }
        };
        Inbox inbox = new Inbox();
        here.client.inbox(ana.persona("inbox"), RELAY, inbox);
        here.advance(RelayConnection.CHALLENGE_GRACE.plusMillis(1));
        assertEquals(0, relay.open());
        assertEquals(List.of(), inbox.syncs);
        int before = inbox.all().size();
        assertTrue(before > 150, before + " were handed over");
        Event between = ana.wrap(NOW - 47 * 3_600);
        relay.stored(between);
        long second = here.clock.epochSecond();
        here.advance(Duration.ofSeconds(5));
        assertEquals(1, inbox.syncs.size());
        assertTrue(inbox.syncs.get(0) >= second, "the frontier is the time of the second sync");
        assertEquals(new HashSet<>(relay.stored.values()), new HashSet<>(inbox.all()));
        assertEquals(301, inbox.all().size());
        // A whole sync asks about 36 times.
        assertTrue(pages[0] < 25 + 24, pages[0] + " requests: what was handed over is not asked for again");
    }

    @Test
    void whatComesFasterThanItCanBeKeptIsFoundByAnotherSync() {
        World here = new World(new Bounds(1_000, 1L << 40, 10, 1L << 40));
        FakeRelay relay = here.relay("wss://relay.example");
        World.Identity ana = here.identity();
        Inbox inbox = new Inbox();
        here.client.inbox(ana.persona("inbox"), RELAY, inbox);
        here.advance(Duration.ofSeconds(3));
        // All of these are handed to the loop before any reaches the owner.
        for (int i = 0; i < 40; i++) {
            relay.publish(ana.wrap(NOW - i));
        }
        here.run();
        here.advance(Duration.ofSeconds(20));
        assertEquals(40, inbox.all().size());
        assertEquals(1, relay.wires.size());
        assertTrue(here.client.drops().getOrDefault("inbox.overrun", 0L) > 0);
    }

    @Test
    void anOwnerThatFailsWithAnErrorIsAskedAgain() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Event wrap = ana.wrap(NOW - 1);
        relay.stored(wrap);
        Inbox inbox = new Inbox();
        inbox.failures = 2;
        inbox.error = true;
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(20));
        assertEquals(List.of(wrap), inbox.all());
        inbox.failures = 1;
        Event live = ana.wrap(NOW - 2);
        relay.publish(live);
        world.advance(Duration.ofSeconds(20));
        assertEquals(List.of(wrap, live), inbox.all());
    }

    @Test
    void aWrapDated47HoursBackAndPublishedAfterANewerOneIsFound() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Inbox inbox = new Inbox();
        Event newer = ana.wrap(NOW - 60);
        relay.stored(newer);
        RelayClient.Subscription subscription = world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(5));
        assertEquals(List.of(newer), inbox.all());
        assertEquals(1, inbox.syncs.size());
        subscription.close();
        world.advance(Duration.ofSeconds(70));

        Event late = ana.wrap(world.clock.epochSecond() - 47 * 3600);
        Event tooOld = ana.wrap(inbox.frontier() - InboxSession.OVERLAP_SECONDS - 1);
        relay.stored(late);
        relay.stored(tooOld);
        Inbox again = new Inbox();
        again.frontier = inbox.frontier();
        world.client.inbox(ana.persona("inbox"), RELAY, again);
        world.advance(Duration.ofSeconds(5));
        assertEquals(List.of(newer, late), again.all());
        assertTrue(again.frontier > inbox.frontier);
    }

    @Test
    void theFrontierIsTheTimeTheSyncBegan() {
        FakeRelay relay = world.relay("wss://relay.example");
        Inbox inbox = new Inbox();
        relay.swallows = frame -> frame.startsWith("[\"EOSE\"");
        world.client.inbox(world.identity().persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(3));
        long before = world.clock.epochSecond();
        relay.swallows = frame -> false;
        world.advance(Duration.ofSeconds(10));
        assertEquals(1, inbox.syncs.size());
        assertTrue(inbox.syncs.get(0) < before, inbox.syncs + " is not before " + before);
    }

    @Test
    void nothingFallsBetweenStoredAndLiveAndNothingComesTwice() {
        for (int order = 0; order < 3; order++) {
            for (int cap : new int[] {4, 5, 29, 30, 500}) {
                World here = new World();
                FakeRelay relay = here.relay("wss://relay.example");
                relay.cap = cap;
                relay.youngestFirst = order == 1;
                relay.lateToLive = order == 2;
                World.Identity ana = here.identity();
                List<Event> stored = new ArrayList<>();
                for (int i = 0; i < 30; i++) {
                    Event wrap = ana.wrap(NOW - 1000 - i / 2);
                    stored.add(wrap);
                    relay.stored(wrap);
                }
                // Older than all that is stored, and put among the events of the first page.
                Event meanwhile = ana.wrap(NOW - 5000);
                relay.duringStored = () -> relay.publish(meanwhile);
                Inbox inbox = new Inbox();
                here.client.inbox(ana.persona("inbox"), RELAY, inbox);
                here.advance(Duration.ofSeconds(2));
                relay.lateToLive = false;
                Event live = ana.wrap(NOW - 90_000);
                relay.publish(live);
                here.run();
                assertEquals("stored", inbox.calls.get(0));
                assertEquals("synced", inbox.calls.get(1));
                List<Event> all = inbox.all();
                assertEquals(32, all.size(), "order " + order + ", cap " + cap);
                assertEquals(32, new HashSet<>(all).size());
                assertTrue(all.containsAll(stored) && all.contains(meanwhile));
                assertEquals(live, all.get(31));
            }
        }
    }

    @Test
    void aLiveWrapOfTheTimeOfTheSyncComesWithTheStoredOnes() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.cap = 3;
        World.Identity ana = world.identity();
        for (int i = 0; i < 6; i++) {
            relay.stored(ana.wrap(NOW - 1000 * i));
        }
        Event newest = ana.wrap(NOW);
        Event backDated = ana.wrap(NOW - 100_000);
        int[] pages = {0};
        relay.onRequest = () -> {
            if (++pages[0] == 3) {
                // One belongs on the page that was read, the other, sent after it, on one that comes.
                relay.publish(newest);
                relay.publish(backDated);
            }
        };
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(3));
        assertEquals(List.of("stored", "synced"), inbox.calls);
        assertEquals(8, inbox.all().size());
        assertTrue(inbox.all().containsAll(List.of(newest, backDated)));
    }

    @Test
    void afterAReconnectOnlyNewWrapsAreHandedOverAndTheFrontierMoves() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        relay.stored(ana.wrap(NOW - 1));
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(120));
        relay.drop();
        Event missed = ana.wrap(NOW - 100_000);
        relay.stored(missed);
        world.advance(Duration.ofSeconds(10));
        assertEquals(2, inbox.syncs.size());
        assertTrue(inbox.syncs.get(1) > inbox.syncs.get(0));
        assertEquals(2, inbox.all().size());
        assertTrue(inbox.all().contains(missed));
    }

    @Test
    void anInboxIsSyncedAgainNowAndThen() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(5));
        Event unheard = ana.wrap(NOW - 7);
        relay.stored(unheard);
        world.advance(InboxSession.RESYNC);
        assertEquals(2, inbox.syncs.size());
        assertEquals(List.of(unheard), inbox.all());
        assertEquals(1, relay.wires.size());
    }

    @Test
    void aRelayThatHidesWrapsFromStrangersIsAskedAgainAfterAuth() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.hidesWraps = true;
        World.Identity ana = world.identity();
        Event wrap = ana.wrap(NOW - 1);
        relay.stored(wrap);
        Inbox inbox = new Inbox();
        // It asks who we are only when it sees what we want.
        relay.duringStored = () -> relay.last().challenge();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(3));
        assertEquals(List.of(wrap), inbox.all());
        assertEquals(1, inbox.syncs.size());
    }

    @Test
    void withoutAuthThatWasAskedForNoSyncIsComplete() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.hidesWraps = true;
        relay.sendsChallenge = true;
        World.Identity ana = world.identity();
        ana.failure = new ProviderException(Kind.AUTHENTICATION, "vault.locked", "locked");
        relay.stored(ana.wrap(NOW - 1));
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(30));
        assertEquals(List.of(), inbox.calls);
        assertEquals("vault.locked", world.client.health().get(0).problem());
        ana.failure = null;
        world.client.inbox(ana.persona("inbox"), RELAY, new Inbox());
        world.advance(Duration.ofSeconds(1));
        assertEquals(1, inbox.all().size());
    }

    @Test
    void anOwnerThatFailsIsAskedAgainAndNothingCountsAsKept() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Event wrap = ana.wrap(NOW - 1);
        relay.stored(wrap);
        Inbox inbox = new Inbox();
        inbox.failures = 2;
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(2));
        assertEquals(List.of(), inbox.syncs);
        world.advance(Duration.ofSeconds(20));
        assertEquals(List.of(wrap), inbox.all());
        inbox.failures = 1;
        Event live = ana.wrap(NOW - 2);
        relay.publish(live);
        world.advance(Duration.ofSeconds(20));
        assertEquals(List.of(wrap, live), inbox.all());
    }

    @Test
    void aClosedInboxHearsNothingMore() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Inbox inbox = new Inbox();
        RelayClient.Subscription subscription = world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(3));
        relay.publish(ana.wrap(NOW));
        subscription.close();
        subscription.close();
        world.run();
        assertEquals(List.of(), inbox.all());
        assertEquals(0, relay.open(), "nobody reads there any more, so it ends at once");
        assertEquals(Channel.NORMAL, relay.last().closeCode);
        assertEquals(List.of(), world.client.health());
        world.client.inbox(ana.persona("inbox"), RELAY, inbox).close();
        world.advance(Duration.ofSeconds(3));
        assertEquals(1, inbox.syncs.size());
        assertThrows(IllegalArgumentException.class, () -> world.client.inbox(NOBODY, RELAY, inbox));
    }

    // Connections.

    @Test
    void backOffDoublesToAMinuteWithJitterAndStartsAnewAfterAGoodMinute() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.down = true;
        world.client.inbox(world.identity().persona("inbox"), RELAY, new Inbox());
        world.advance(Duration.ofMinutes(10));
        List<Instant> tries = world.attempts;
        long[] most = {1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000};
        Set<Long> pauses = new LinkedHashSet<>();
        for (int i = 0; i < most.length; i++) {
            long pause = Duration.between(tries.get(i), tries.get(i + 1)).toMillis();
            pauses.add(pause);
            assertTrue(pause >= most[i] / 2 && pause <= most[i], "pause " + i + " was " + pause);
        }
        assertTrue(pauses.size() > 5, "no jitter in " + pauses);
        assertEquals("egress.refused", world.client.health().get(0).problem());
        assertTrue(world.client.health().get(0).retryAt().isAfter(world.clock.instant()));

        relay.down = false;
        world.advance(Duration.ofMinutes(3));
        assertEquals("connected", world.client.health().get(0).state());
        relay.drop();
        Instant lost = world.clock.instant();
        int before = tries.size();
        world.advance(Duration.ofSeconds(2));
        assertTrue(tries.size() > before);
        assertTrue(Duration.between(lost, tries.get(before)).toMillis() <= 1_000);
    }

    @Test
    void anIdleConnectionIsClosedAndForgotten() {
        FakeRelay relay = world.relay("wss://relay.example");
        Event event = world.identity().event(NOW, 1, List.of(), "x");
        world.client.publish(NOBODY, RELAY, event, TIMEOUT);
        world.run();
        world.advance(RelayConnection.IDLE.minusMillis(1));
        assertEquals(1, relay.open());
        world.advance(Duration.ofMillis(1));
        assertEquals(0, relay.open());
        assertEquals(0, world.sockets.inFlight);
        assertEquals(List.of(), world.client.health());
        CompletionStage<PublishResult> again = world.client.publish(NOBODY, RELAY, event, TIMEOUT);
        world.run();
        assertEquals(State.ACCEPTED, now(again).state());
        assertEquals(2, relay.wires.size());
    }

    @Test
    void theOwnRelayIsReachedWithoutASocket() {
        world.relay("ws://127.0.0.1:7470");
        world.client.endpoint = new RelayEndpoint() {
            @Override
            public Channel accept(FrameSink toClient, String remote) {
                throw new UnsupportedOperationException();
            }

            @Override
            public Set<URI> urls() {
                return Set.of(URI.create("ws://127.0.0.1:7470/"));
            }

            @Override
            public String information() {
                return "{}";
            }

            @Override
            public int maxFrameBytes() {
                return 1 << 17;
            }
        };
        Event event = world.identity().event(NOW, 1, List.of(), "x");
        world.client.publish(NOBODY, URI.create("ws://127.0.0.1:7470"), event, TIMEOUT);
        world.run();
        assertEquals(List.of("local default ws://127.0.0.1:7470"), world.opened);
    }

    @Test
    void aRetiringTransportIsLeftForTheNewOne() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(Duration.ofSeconds(5));
        world.sockets.retiring = true;
        // The slot waits 4 s for what is under way.
        world.advance(Duration.ofSeconds(3));
        assertEquals(2, relay.wires.size());
        assertEquals(1, relay.open());
        assertEquals(1, world.sockets.inFlight);
        assertEquals(2, inbox.syncs.size());
    }

    @Test
    void whatAPluginThrewIsHandedOnWithoutItsObjects() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.refusesConnections =
                new ProviderException(Kind.UNAVAILABLE, "egress.refused", "no", new IllegalStateException("inside"));
        CompletionStage<List<Event>> events = world.client.fetch(
                NOBODY, RELAY, Filter.builder().kinds(List.of(1)).build(), TIMEOUT);
        world.run();
        assertCode("egress.refused", Kind.UNAVAILABLE, events);
        CompletionException failure = assertThrows(
                CompletionException.class, () -> events.toCompletableFuture().join());
        assertNull(assertInstanceOf(ProviderException.class, failure.getCause()).getCause());
    }

    @Test
    void leasesOfTheCurveAreReturnedAndAnEmptySlotIsTrouble() {
        FakeRelay relay = world.relay("wss://relay.example");
        World.Identity ana = world.identity();
        relay.stored(ana.wrap(NOW - 1));
        world.curves.empty = new ProviderException(Kind.UNAVAILABLE, "slot.empty", "no curve");
        Inbox inbox = new Inbox();
        world.client.inbox(ana.persona("inbox"), RELAY, inbox);
        world.advance(RelayConnection.CHALLENGE_GRACE.plusMillis(1));
        assertEquals("slot.empty", world.client.health().get(0).problem());
        assertEquals(List.of(), inbox.syncs);
        world.curves.empty = null;
        world.advance(Duration.ofSeconds(60));
        assertEquals(1, inbox.all().size());
        assertTrue(world.curves.leased > 0);
        assertEquals(0, world.curves.inFlight);
    }

    @Test
    void stoppingAnswersEverybody() {
        FakeRelay relay = world.relay("wss://relay.example");
        relay.swallows = frame -> true;
        CompletionStage<PublishResult> result =
                world.client.publish(NOBODY, RELAY, world.identity().event(NOW, 1, List.of(), "x"), TIMEOUT);
        CompletionStage<List<Event>> events = world.client.fetch(
                NOBODY, RELAY, Filter.builder().kinds(List.of(1)).build(), TIMEOUT);
        world.run();
        world.client.stop();
        world.client.stop();
        world.run();
        assertEquals(new PublishResult(State.UNKNOWN, "relayclient.stopped"), now(result));
        assertCode("relayclient.stopped", Kind.UNAVAILABLE, events);
        assertEquals(0, relay.open());
        assertEquals(0, world.sockets.inFlight);
        CompletionStage<PublishResult> late =
                world.client.publish(NOBODY, RELAY, world.identity().event(NOW, 1, List.of(), "y"), TIMEOUT);
        assertEquals("relayclient.stopped", now(late).message());
    }

    private RelayHealth health(String lane) {
        return world.client.health().stream()
                .filter(health -> health.lane().equals(lane))
                .findFirst()
                .orElseThrow();
    }

    private long count(String code) {
        return world.client.drops().getOrDefault(code, 0L);
    }

    /** The id of the newest REQ with limit 0. */
    private static String liveSubscription(FakeRelay relay) {
        String id = null;
        for (String frame : relay.received) {
            if (frame.startsWith("[\"REQ\"") && frame.contains("\"limit\":0}")) {
                id = frame.substring(8, frame.indexOf('"', 8));
            }
        }
        if (id == null) {
            throw new AssertionError("no live subscription in " + relay.received);
        }
        return id;
    }

    private static void assertCode(String code, Kind kind, CompletionStage<?> stage) {
        assertTrue(stage.toCompletableFuture().isDone(), "not decided yet");
        CompletionException failure = assertThrows(
                CompletionException.class, () -> stage.toCompletableFuture().join());
        ProviderException reason = assertInstanceOf(ProviderException.class, failure.getCause());
        assertEquals(code, reason.code());
        assertEquals(kind, reason.kind());
    }

    /** Keeps what it is given, like an owner would. */
    private static final class Inbox implements InboxListener {
        final List<String> calls = new ArrayList<>();
        final List<Long> syncs = new ArrayList<>();
        private final List<Event> events = new ArrayList<>();
        long frontier;
        int failures;
        boolean error;

        List<Event> all() {
            return List.copyOf(events);
        }

        @Override
        public long frontier() {
            return frontier;
        }

        @Override
        public void stored(List<Event> wraps) {
            calls.add("stored");
            failIfTold();
            events.addAll(wraps);
        }

        @Override
        public void synced(long startedAt) {
            calls.add("synced");
            syncs.add(startedAt);
            frontier = startedAt;
        }

        @Override
        public void live(Event wrap) {
            calls.add("live");
            failIfTold();
            events.add(wrap);
        }

        private void failIfTold() {
            if (failures > 0) {
                failures--;
                if (error) {
                    throw new NoClassDefFoundError("a plugin is broken");
                }
                throw new IllegalStateException("the disk is full");
            }
        }
    }
}
