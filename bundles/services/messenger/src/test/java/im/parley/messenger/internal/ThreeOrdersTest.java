package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger.Message;
import im.parley.outbox.simulation.SimulatedRelays;
import im.parley.outbox.simulation.VirtualTime;
import im.parley.protocol.Nip19;
import im.parley.testkit.Seeds;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Two people write to a third one whose three relays hand the same messages over in three orders, much too late. */
class ThreeOrdersTest {
    private static final int MESSAGES = 1_000;
    private static final Duration DELAY = Duration.ofSeconds(60);
    private static final List<String> INBOX = List.of("wss://one.example", "wss://two.example", "wss://three.example");

    private final VirtualTime time = new VirtualTime(Seeds.generator("three orders"));
    private final RandomGenerator random = time.random();
    private final SimulatedRelays relays = new SimulatedRelays(time);
    private final SimulatedNode alice = new SimulatedNode(time, relays, "ws://10.0.0.1:7470");
    private final SimulatedNode carol = new SimulatedNode(time, relays, "ws://10.0.0.2:7470");
    private final SimulatedNode bob = new SimulatedNode(time, relays, "");

    private List<Message> shown = List.of();
    private int late;

    @Test
    void NT_05_messagesInThreeOrdersAndUpToAMinuteLateStandInTheOrderOfWriting() throws Exception {
        alice.create("Alice");
        carol.create("Carol");
        PublicKey bobKey = bob.create("Bob");
        for (String relay : INBOX) {
            bob.api().addRelay(Scope.DEFAULT, null, relay);
        }
        alice.api().addRelay(Scope.DEFAULT, null, INBOX.get(0));
        carol.api().addRelay(Scope.DEFAULT, null, INBOX.get(0));
        time.run(Duration.ofSeconds(5));
        relays.faults.shuffle = DELAY;

        Set<Integer> restarts = new TreeSet<>();
        while (restarts.size() < 3) {
            restarts.add(100 + random.nextInt(MESSAGES - 200));
        }
        List<String> fromAlice = new ArrayList<>();
        List<String> fromCarol = new ArrayList<>();
        for (int i = 0; i < MESSAGES; i++) {
            boolean aliceWrites = random.nextInt(5) < 3;
            String text = (aliceWrites ? "a" : "c") + i;
            (aliceWrites ? alice : carol).api().send(Scope.DEFAULT, null, Nip19.npub(bobKey), text);
            (aliceWrites ? fromAlice : fromCarol).add(text);
            time.run(Duration.ofMillis(random.nextLong(400)));
            if (i % 25 == 0) {
                look();
            }
            if (restarts.contains(i)) {
                bob.kill();
                bob.boot();
                // From the store it is the same as it was.
                look();
            }
        }
        time.run(DELAY.multipliedBy(3));
        look();

        assertEquals(MESSAGES, shown.size());
        assertEquals(fromAlice, textsOf("a"), "each once, in the order of writing");
        assertEquals(fromCarol, textsOf("c"), "each once, in the order of writing");
        List<Message> before = shown;
        bob.stop();
        bob.boot();
        time.run(Duration.ofSeconds(30));
        look();
        assertEquals(before, shown, "the same after a restart");
        assertEquals(MESSAGES, bob.messages().size());
        long last = 0;
        for (Message message : bob.messages()) {
            assertTrue(message.position() > last, "who follows is told in the order of arrival");
            last = message.position();
        }
        // Otherwise nothing was proved.
        assertTrue(late > MESSAGES / 20, "messages came after their successors were shown: " + late);
        System.out.println(MESSAGES + " messages over three relays, up to " + DELAY.toSeconds() + " s late, " + late
                + " of them after a successor was shown, 4 restarts");
    }

    /** Whoever looks sees each sender's order, and nothing ever changes places with anything else. */
    private void look() {
        List<Message> now = bob.calm(() -> bob.api().latest(Scope.DEFAULT, null, 1_000));
        assertEquals(now.size(), new HashSet<>(now.stream().map(Message::id).toList()).size(), "each once");
        Set<String> known = new HashSet<>(shown.stream().map(Message::id).toList());
        assertEquals(shown, now.stream().filter(m -> known.contains(m.id())).toList(), "what was shown stays in place");
        long newest = shown.stream().mapToLong(Message::position).max().orElse(0);
        boolean shownBehind = false;
        for (int i = now.size() - 1; i >= 0; i--) {
            if (now.get(i).position() > newest) {
                late += shownBehind ? 1 : 0;
            } else {
                shownBehind = true;
            }
        }
        shown = now;
        for (String writer : List.of("a", "c")) {
            int previous = -1;
            for (String text : textsOf(writer)) {
                int number = Integer.parseInt(text.substring(1));
                assertTrue(number > previous, () -> "in the order of writing: " + textsOf(writer));
                previous = number;
            }
        }
    }

    private List<String> textsOf(String writer) {
        return shown.stream()
                .map(Message::text)
                .filter(text -> text.startsWith(writer))
                .toList();
    }
}
