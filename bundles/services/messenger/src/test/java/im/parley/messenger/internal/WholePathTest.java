package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.EncryptionScheme;
import im.parley.api.transport.RelayEndpoint;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.egress.EgressControl;
import im.parley.envelope.internal.GiftEnvelope;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.Ledger.State;
import im.parley.outbox.internal.StepOutbox;
import im.parley.outbox.simulation.Life;
import im.parley.outbox.simulation.MemoryRecords;
import im.parley.outbox.simulation.NoContext;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.SimulatedSlot;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventWriter;
import im.parley.protocol.Nip19;
import im.parley.relayclient.InboxListener;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.relayclient.RelayClient;
import im.parley.relayclient.RelayHealth;
import im.parley.scheme.nip17.Nip17;
import im.parley.testkit.Await;
import im.parley.testkit.Seeds;
import im.parley.testkit.Vectors;
import java.net.URI;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** From the messenger through outbox and envelope to the relay and back, with real keys and real wraps. */
class WholePathTest {
    private static final Scope SCOPE = Scope.DEFAULT;
    private static final String SHARED = "wss://relay.example";

    private final Secp256k1 curve = new BouncyCastleSecp256k1();

    @Test
    void realWrapsSurviveFaultsAndKills() throws Exception {
        for (int run = 0; run < 4; run++) {
            VirtualTime time = new VirtualTime(
                    new SplittableRandom(Seeds.generator("whole path " + run).nextLong()));
            SimulatedRelays relays = new SimulatedRelays(time);
            SimulatedNode a = node(time, relays, "ws://127.0.0.1:7470");
            SimulatedNode b = node(time, relays, "ws://127.0.0.1:7570");
            a.create("Alice");
            PublicKey bob = b.create("Bob");
            a.api().addRelay(SCOPE, null, SHARED);
            b.api().addRelay(SCOPE, null, SHARED);
            time.run(Duration.ofSeconds(3));
            relays.faults.answerLost = 0.1;
            relays.faults.eventLost = 0.1;
            List<String> texts =
                    List.of("Hello", "مرحبا بالعالم", "नमस्ते दुनिया", "\uD83D\uDC69\u200D\uD83D\uDCBB\n\"x\"", "end");
            for (String text : texts) {
                a.api().send(SCOPE, null, Nip19.npub(bob), text);
                time.run(Duration.ofMillis(300));
                SimulatedNode killed = time.random().nextBoolean() ? a : b;
                killed.kill();
                killed.boot();
            }
            relays.faults.answerLost = 0;
            relays.faults.eventLost = 0;
            assertTrue(time.runUntil(() -> b.texts(false).size() == texts.size(), Duration.ofMinutes(10)));
            time.run(Duration.ofMinutes(6));
            assertEquals(texts, b.texts(false));
            assertEquals(texts, a.texts(true));
            assertTrue(a.totals().exact());
            for (Event event : relays.accepted) {
                String json = EventWriter.write(event);
                assertFalse(json.contains("Hello") || json.contains("end\""), "no text on the wire");
                assertTrue(event.createdAt() <= time.clock().instant().getEpochSecond());
            }
        }
    }

    @Test
    void theOfficialNip17MessageIsShown() throws Exception {
        JsonNode vectors = Vectors.json("nips/nip17.json");
        VirtualTime time = new VirtualTime(Seeds.generator("official"));
        SimulatedRelays relays = new SimulatedRelays(time);
        byte[] receiver =
                ((Nip19.Nsec) Nip19.decode(vectors.get("receiver_nsec").asText())).secret();
        RealKeys keys = new RealKeys(curve, Seeds.secureRandom("official")) {
            @Override
            public PublicKey create(char @Nullable [] passphrase) throws im.parley.api.lifecycle.ProviderException {
                return importKey(receiver, passphrase);
            }
        };
        SimulatedNode node = new SimulatedNode(
                time,
                relays,
                SHARED,
                keys,
                random -> new GiftEnvelope(new SimulatedSlot<>("curve", curve), time.clock(), random),
                false);
        node.create("Receiver");
        JsonNode expected = vectors;
        for (JsonNode row : vectors.get("wraps")) {
            relays.relay(SHARED).put(EventReader.read(row.get("gift_wrap").toString()));
            expected = row.get("recipient").asText().equals("receiver") ? row.get("rumor") : expected;
        }
        time.run(Duration.ofSeconds(10));
        assertEquals(1, node.messages().size(), "the sender's copy is for somebody else");
        assertEquals(expected.get("content").asText(), node.messages().get(0).text());
        assertEquals(expected.get("id").asText(), node.messages().get(0).id());
    }

    private SimulatedNode node(VirtualTime time, SimulatedRelays relays, String own) {
        SecureRandom random = new im.parley.testkit.SeededRandom(time.random().nextLong());
        return new SimulatedNode(
                time,
                relays,
                own,
                new RealKeys(curve, random),
                r -> new GiftEnvelope(new SimulatedSlot<>("curve", curve), time.clock(), r),
                false);
    }

    // ---- on real threads ----

    /** A relay in the same process that answers on threads of its own. */
    private static final class Loopback implements RelayClient, AutoCloseable {
        private final ExecutorService network = Executors.newFixedThreadPool(3);
        private final List<Event> events = new CopyOnWriteArrayList<>();
        private final Map<PublicKey, Serial> inboxes = new java.util.concurrent.ConcurrentHashMap<>();
        private final AtomicInteger calls = new AtomicInteger();

        private record Serial(InboxListener listener, ExecutorService thread) {}

        @Override
        public CompletionStage<PublishResult> publish(Persona persona, URI relay, Event event, Duration timeout) {
            return CompletableFuture.supplyAsync(
                    () -> {
                        if (calls.incrementAndGet() % 7 == 0) {
                            return new PublishResult(PublishResult.State.UNKNOWN, "relay.timeout");
                        }
                        boolean fresh;
                        synchronized (events) {
                            fresh = events.stream()
                                    .noneMatch(other -> other.id().equals(event.id()));
                            if (fresh) {
                                events.add(event);
                            }
                        }
                        if (fresh && event.kind() == 1059) {
                            Serial inbox = inboxes.get(
                                    PublicKey.ofHex(event.tagValues("p").get(0)));
                            if (inbox != null) {
                                inbox.thread().execute(() -> inbox.listener().live(event));
                            }
                        }
                        return new PublishResult(PublishResult.State.ACCEPTED, "");
                    },
                    network);
        }

        @Override
        public CompletionStage<List<Event>> fetch(Persona persona, URI relay, Filter filter, Duration timeout) {
            return CompletableFuture.supplyAsync(
                    () -> events.stream()
                            .filter(event -> Objects.requireNonNull(filter.authors())
                                            .contains(event.pubkey())
                                    && Objects.requireNonNull(filter.kinds()).contains(event.kind()))
                            .toList(),
                    network);
        }

        @Override
        public Subscription inbox(Persona persona, URI relay, InboxListener listener) {
            Serial inbox = new Serial(listener, Executors.newSingleThreadExecutor());
            inbox.thread().execute(() -> {
                listener.stored(List.of());
                listener.synced(0);
            });
            inboxes.put(Objects.requireNonNull(persona.identity()), inbox);
            return () -> inbox.thread().shutdown();
        }

        @Override
        public void end(Scope scope) {}

        @Override
        public List<RelayHealth> health() {
            return List.of();
        }

        @Override
        public Map<String, Long> drops() {
            return Map.of();
        }

        @Override
        public void close() {
            network.shutdownNow();
        }
    }

    @Test
    void manyThreadsAtOnceKeepOrderAndLedger() throws Exception {
        SecureRandom random = Seeds.secureRandom("threads");
        InstantSource clock =
                () -> java.time.Instant.ofEpochSecond(1_790_000_000L).plusNanos(System.nanoTime());
        MemoryRecords records = new MemoryRecords();
        var spaces = records.seenBy(new Life(), new SplittableRandom(1), new MemoryRecords.Faults());
        SimulatedSlot<EncryptionScheme> schemes = new SimulatedSlot<>("scheme", new Nip17().open(new NoContext()));
        SimulatedSlot<im.parley.api.identity.IdentityProvider> keys =
                new SimulatedSlot<>("identity", new RealKeys(curve, random));
        GiftEnvelope envelope = new GiftEnvelope(new SimulatedSlot<>("curve", curve), clock, random);
        try (Loopback network = new Loopback()) {
            StepOutbox outbox = new StepOutbox(spaces, schemes, keys, envelope, network, clock, random, quick());
            NodeMessenger messenger = new NodeMessenger(
                    spaces, outbox, envelope, network, closedEgress(), keys, clock, random, endpoint(), null);
            List<Message> told = new CopyOnWriteArrayList<>();
            messenger.onMessage(SCOPE, told::add);
            messenger.createAccount(SCOPE, "Alice", null);
            PublicKey bob = messenger.createAccount(SCOPE, "Bob", null).pubkey();
            assertEquals(2, messenger.accounts(SCOPE).size());
            assertEquals(
                    bob,
                    messenger
                            .addContact(SCOPE, "Alice", "Bobby", Nip19.npub(bob))
                            .pubkey());
            Await.until("both inboxes are open", () -> network.inboxes.size() == 2);

            ExecutorService senders = Executors.newFixedThreadPool(4);
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                String from = t % 2 == 0 ? "Alice" : "Bob";
                String to = t % 2 == 0 ? "Bob" : "Alice";
                int thread = t;
                all.add(CompletableFuture.runAsync(
                        () -> {
                            for (int i = 0; i < 20; i++) {
                                try {
                                    messenger.send(SCOPE, from, to, thread + "." + i);
                                } catch (im.parley.api.lifecycle.ProviderException e) {
                                    throw new AssertionError(e);
                                }
                            }
                        },
                        senders));
            }
            CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)).join();
            senders.shutdown();
            Await.until("all 80 are delivered", Duration.ofSeconds(60), () -> {
                var totals = outbox.totals(SCOPE);
                assertTrue(totals.exact());
                return Long.valueOf(80).equals(totals.byState().get(State.DELIVERED));
            });
            Await.until("all are shown and told", Duration.ofSeconds(20), () -> told.size() == 160);
            for (String name : List.of("Alice", "Bob")) {
                List<Message> mine = messenger.messages(SCOPE, name, 0, 1_000);
                List<String> written =
                        messenger.messages(SCOPE, name.equals("Bob") ? "Alice" : "Bob", 0, 1_000).stream()
                                .filter(Message::outgoing)
                                .map(Message::text)
                                .toList();
                assertEquals(
                        written,
                        mine.stream()
                                .filter(m -> !m.outgoing())
                                .map(Message::text)
                                .toList());
            }
            List<Long> positions = told.stream().map(Message::position).toList();
            assertEquals(positions.stream().sorted().toList(), positions);
            messenger.close();
            outbox.close();
            messenger.close();
            outbox.close();
            Await.until("every lease is closed", () -> keys.open() == 0 && schemes.open() == 0);
        }
    }

    private static RelayEndpoint endpoint() {
        return new RelayEndpoint() {
            @Override
            public im.parley.api.transport.Channel accept(im.parley.api.transport.FrameSink toClient, String remote) {
                throw new UnsupportedOperationException();
            }

            @Override
            public java.util.Set<URI> urls() {
                return java.util.Set.of(URI.create("ws://127.0.0.1:7470"));
            }

            @Override
            public String information() {
                return "{}";
            }

            @Override
            public int maxFrameBytes() {
                return 131_072;
            }
        };
    }

    private static EgressControl closedEgress() {
        return new EgressControl() {
            @Override
            public void allow(Scope scope, URI address) {}

            @Override
            public void withdraw(Scope scope, URI address) {}

            @Override
            public void forget(Scope scope) {}

            @Override
            public List<Entry> log(int limit) {
                return List.of();
            }
        };
    }

    private static StepOutbox.Config quick() {
        return new StepOutbox.Config() {
            @Override
            public Class<? extends java.lang.annotation.Annotation> annotationType() {
                return StepOutbox.Config.class;
            }

            @Override
            public boolean equals(@Nullable Object other) {
                return this == other;
            }

            @Override
            public int hashCode() {
                return 1;
            }

            @Override
            public long retry_min_millis() {
                return 10;
            }

            @Override
            public long retry_max_millis() {
                return 50;
            }

            @Override
            public long publish_timeout_millis() {
                return 1_000;
            }

            @Override
            public int give_up_days() {
                return 7;
            }
        };
    }
}
