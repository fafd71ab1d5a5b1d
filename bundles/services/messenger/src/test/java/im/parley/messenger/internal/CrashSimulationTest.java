package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.Ledger;
import im.parley.outbox.Ledger.State;
import im.parley.outbox.simulation.SimulatedCrash;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.EventReader;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.testkit.Seeds;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * Two nodes write to each other while relays fail and the nodes are killed at random points, inside transactions and
 * between them. Afterwards the history is checked: nothing lost, nothing twice, nothing that nobody wrote, every sender's
 * order kept, and a ledger that was exact at every instant.
 */
class CrashSimulationTest {
    private static final int RUNS = Integer.getInteger("parley.simulations", 40);
    private static final String OWN_A = "ws://10.0.0.1:7470";
    private static final String OWN_B = "ws://10.0.0.2:7470";
    private static final String SHARED = "wss://relay.example";

    private interface Weather {
        void apply(SimulatedRelays relays, SimulatedNode a, SimulatedNode b);
    }

    @Test
    void killedAtRandomPointsWithEventsAndAnswersLost() {
        run("killed", (relays, a, b) -> {
            relays.faults.eventLost = 0.1;
            relays.faults.answerLost = 0.1;
            relays.faults.rateLimited = 0.05;
            relays.faults.cut = 0.03;
            for (SimulatedNode node : List.of(a, b)) {
                node.faults.crashBefore = 0.01;
                node.faults.crashAfter = 0.01;
                node.faults.unavailable = 0.02;
                node.faults.twice = 0.05;
            }
        });
    }

    @Test
    void liveEventsPassEachOther() {
        run("shuffled", (relays, a, b) -> {
            relays.faults.shuffle = Duration.ofMillis(1_200);
            relays.faults.answerLost = 0.05;
            for (SimulatedNode node : List.of(a, b)) {
                node.faults.crashBefore = 0.003;
                node.faults.crashAfter = 0.003;
                node.faults.twice = 0.05;
            }
        });
    }

    @Test
    void NT_04_noAnswerEverComesAtFirst() {
        run("silent", (relays, a, b) -> relays.faults.answerLost = 0.7);
    }

    @Test
    void aRelayIsGoneForTwentySeconds() {
        run("gone", (relays, a, b) -> {
            a.time.after(
                    Duration.ofSeconds(8),
                    new im.parley.outbox.simulation.Life(),
                    () -> relays.relay(SHARED).goDown());
            a.time.after(
                    Duration.ofSeconds(28),
                    new im.parley.outbox.simulation.Life(),
                    () -> relays.relay(SHARED).comeUp());
            for (SimulatedNode node : List.of(a, b)) {
                node.faults.crashBefore = 0.004;
                node.faults.crashAfter = 0.004;
            }
        });
    }

    private static void run(String name, Weather weather) {
        RandomGenerator seeds = Seeds.generator("simulation " + name);
        Map<String, Long> seen = new HashMap<>();
        for (int i = 0; i < RUNS; i++) {
            long seed = seeds.nextLong();
            try {
                new Run(seed, weather, seen).play();
            } catch (AssertionError | RuntimeException | ProviderException e) {
                throw new AssertionError("run " + i + " of " + name + ", seed " + seed + ": " + e.getMessage(), e);
            }
        }
        System.out.println("simulation " + name + ": " + RUNS + " runs, " + seen);
        assertTrue(seen.getOrDefault("messages", 0L) > RUNS * 10L, "the runs had something to check");
        assertTrue(seen.getOrDefault("delivered", 0L) > RUNS * 5L, "receipts came");
    }

    /** One history. */
    private static final class Run {
        private final VirtualTime time;
        private final RandomGenerator random;
        private final SimulatedRelays relays;
        private final SimulatedNode a;
        private final SimulatedNode b;
        private final Map<String, Long> seen;
        /** What send() promised, per node. */
        private final Map<SimulatedNode, List<String>> acknowledged = new HashMap<>();
        /** What send() was asked for, whether or not it lived to promise. */
        private final Set<String> asked = new HashSet<>();

        Run(long seed, Weather weather, Map<String, Long> seen) {
            time = new VirtualTime(new SplittableRandom(seed));
            random = time.random();
            relays = new SimulatedRelays(time);
            a = new SimulatedNode(time, relays, OWN_A);
            b = new SimulatedNode(time, relays, OWN_B);
            this.seen = seen;
            this.weather = weather;
        }

        private final Weather weather;

        void play() throws ProviderException {
            PublicKey alice = a.create("Alice");
            PublicKey bob = b.create("Bob");
            a.api().addRelay(Scope.DEFAULT, null, SHARED);
            b.api().addRelay(Scope.DEFAULT, null, SHARED);
            weather.apply(relays, a, b);
            acknowledged.put(a, new ArrayList<>());
            acknowledged.put(b, new ArrayList<>());

            int messages = 15 + random.nextInt(15);
            for (int i = 0; i < messages; i++) {
                SimulatedNode from = random.nextBoolean() ? a : b;
                int burst = 1 + random.nextInt(4);
                for (int j = 0; j < burst; j++) {
                    send(from, from == a ? bob : alice, (from == a ? "a" : "b") + i + "." + j);
                }
                time.run(Duration.ofMillis(random.nextLong(3_000)));
                check(a);
                check(b);
                if (random.nextInt(12) == 0) {
                    (random.nextBoolean() ? a : b).kill();
                }
                reboot();
            }
            quiet();
            compare(a, b);
            compare(b, a);
            wraps();
        }

        /** What the relays took: one wrap per rumor and recipient for ever, and each lane in the order of writing. */
        private void wraps() {
            Map<String, EventId> wrapOf = new HashMap<>();
            for (String url : List.of(OWN_A, OWN_B, SHARED)) {
                Map<String, Long> last = new HashMap<>();
                for (Event event : relays.relay(url).events()) {
                    if (event.kind() == 1059) {
                        Rumor rumor = rumor(event);
                        String to = event.tagValues("p").get(0);
                        EventId before = wrapOf.putIfAbsent(rumor.id() + to, event.id());
                        assertTrue(before == null || before.equals(event.id()), "a retry publishes the same wrap");
                        if (rumor.kind() == 78) {
                            // A receipt has no place among the messages.
                            continue;
                        }
                        long seq = Objects.requireNonNull(ParleyTag.of(rumor)).seq();
                        Long previous = last.put(rumor.pubkey() + to, seq);
                        assertTrue(
                                previous == null || previous == seq - 1,
                                () -> "at one relay " + seq + " was taken after " + previous);
                    }
                }
            }
        }

        private static Rumor rumor(Event wrap) {
            try {
                return EventReader.readRumor(wrap.content());
            } catch (ProtocolException e) {
                throw new AssertionError(e);
            }
        }

        private void send(SimulatedNode from, PublicKey to, String text) {
            if (!from.life.alive()) {
                return;
            }
            asked.add(text);
            try {
                from.api().send(Scope.DEFAULT, null, Nip19.npub(to), text);
                Objects.requireNonNull(acknowledged.get(from)).add(text);
            } catch (SimulatedCrash e) {
                count("info");
            } catch (ProviderException e) {
                // Refused, so nothing may come of it.
                asked.remove(text);
                count("refused");
            }
        }

        private void reboot() {
            for (SimulatedNode node : List.of(a, b)) {
                if (!node.life.alive()) {
                    count("kills");
                    time.run(Duration.ofMillis(random.nextLong(4_000)));
                    node.boot();
                }
            }
        }

        /** The faults end; everything comes to rest. */
        private void quiet() {
            relays.faults.eventLost = 0;
            relays.faults.answerLost = 0;
            relays.faults.rateLimited = 0;
            relays.faults.cut = 0;
            for (SimulatedNode node : List.of(a, b)) {
                node.faults.crashBefore = 0;
                node.faults.crashAfter = 0;
                node.faults.unavailable = 0;
            }
            reboot();
            boolean settled = time.runUntil(() -> settled(a) && settled(b), Duration.ofMinutes(20));
            assertTrue(settled, () -> "everything is delivered: " + a.ledger() + " " + b.ledger());
            time.run(Duration.ofSeconds(20));
        }

        private boolean settled(SimulatedNode node) {
            Ledger.Totals totals = node.totals();
            // What came before the first answer was a request, of whose receipt nobody is told.
            long there = totals.byState().getOrDefault(State.DELIVERED, 0L)
                    + totals.byState().getOrDefault(State.AT_RELAYS, 0L);
            return there == totals.sent() && node.ledger().stream().allMatch(e -> e.relaysHave() == 2);
        }

        private void check(SimulatedNode node) {
            if (node.life.alive()) {
                Ledger.Totals totals = node.totals();
                assertTrue(totals.exact(), () -> "the ledger adds up: " + totals);
                assertEquals(node.texts(true).size(), totals.sent(), "every written message is in the ledger");
            }
        }

        private void compare(SimulatedNode from, SimulatedNode to) {
            check(from);
            List<String> written = from.texts(true);
            List<String> shown = to.texts(false);
            assertEquals(written, shown, "each message is shown once, in the order of writing");
            assertTrue(asked.containsAll(written), "nothing was sent that nobody wrote");
            List<String> promised = new ArrayList<>(written);
            List<String> promises = Objects.requireNonNull(acknowledged.get(from));
            promised.retainAll(promises);
            assertEquals(promises, promised, "every promise was kept, in order");
            assertEquals(written.size(), new HashSet<>(written).size());

            long last = 0;
            for (Message message : from.messages()) {
                assertTrue(message.position() > last, "positions grow");
                last = message.position();
            }
            Set<String> told = new HashSet<>();
            to.told.forEach(message -> told.add(message.text()));
            assertTrue(told.containsAll(shown.subList(shown.size() / 2, shown.size())) || to.boots > 1);
            for (Message message : from.messages()) {
                if (message.outgoing()) {
                    assertTrue(Set.of("delivered", "at relays 2/2").contains(message.state()), message.state());
                    seen.merge(message.state(), 1L, Long::sum);
                    List<Ledger.Entry> copies = from.calm(() -> from.outbox.copies(Scope.DEFAULT, message.id()));
                    assertEquals(1, copies.size());
                    assertEquals(State.AT_RELAYS, copies.get(0).state(), "the copy for other devices is there too");
                }
            }
            assertEquals(0, from.identities.open(), "no lease stays open");
            assertEquals(0, from.schemes.open());
            count("messages", written.size());
        }

        private void count(String what) {
            count(what, 1);
        }

        private void count(String what, long by) {
            seen.merge(what, by, Long::sum);
        }
    }
}
