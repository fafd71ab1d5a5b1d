package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/**
 * Providers are replaced while people write: one node in this process, so that bundles can be put into it, writes to
 * another one in a process of its own, whose relay both use.
 */
public class SwapIT {
    private static final int CONVERSATIONS = 20;
    private static final int SENDERS = 4;
    /** Of each of three slots; 50 for the figures of the handbook. */
    private static final int SWAPS = Integer.getInteger("parley.swaps", 10);

    private static final int PER_SECOND = Integer.getInteger("parley.rate", 200);

    private DistributionNode bob;
    private Path base;
    private EmbeddedNode alice;
    private final List<String> names = new ArrayList<>();

    @Before
    public void start() throws Exception {
        bob = DistributionNode.create("swapb");
        bob.start();
        base = Files.createTempDirectory("p-swapa");
        alice = EmbeddedNode.start(base, "personal");
        try (ControlSocket control = control();
                ControlSocket his = ControlSocket.open(bob)) {
            control.call("identity.new", Peers.arguments().put("name", "alice"));
            control.call(
                    "relay.add", Peers.arguments().put("url", bob.relayUrl().toString()));
            for (int i = 0; i < CONVERSATIONS; i++) {
                String name = "bob" + i;
                JsonNode account = his.call("identity.new", Peers.arguments().put("name", name));
                control.call(
                        "contact.add",
                        Peers.arguments()
                                .put("name", name)
                                .put("address", account.path("nprofile").asText()));
                names.add(name);
            }
        }
    }

    @After
    public void stop() throws Exception {
        if (alice != null) {
            alice.close();
        }
        if (bob != null) {
            bob.close();
        }
    }

    @Test
    public void PL_09_swapsUnderLoadLoseNothingShowNothingTwiceAndLeaveNoLoader() throws Exception {
        long seed = Long.getLong("parley.seed", System.nanoTime());
        System.out.println("seed of SwapIT: -Dparley.seed=" + seed);
        Random random = new Random(seed);
        Map<String, String> slots = new LinkedHashMap<>();
        slots.put("curve", "im.parley.curve.secp256k1");
        slots.put("transport", "im.parley.transport.websocket");
        slots.put("scheme", "im.parley.scheme.nip17");

        AtomicBoolean over = new AtomicBoolean();
        ExecutorService executor = Executors.newFixedThreadPool(SENDERS);
        List<Future<Sent>> senders = new ArrayList<>();
        for (int i = 0; i < SENDERS; i++) {
            int number = i;
            senders.add(executor.submit(() -> send(number, over)));
        }
        List<Swap> swaps = new ArrayList<>();
        long[] early = null;
        int mostLeft = 0;
        try (ControlSocket control = control()) {
            for (int round = 0; round < SWAPS; round++) {
                List<String> order = new ArrayList<>(slots.keySet());
                Collections.shuffle(order, random);
                for (String slot : order) {
                    swaps.add(swap(control, slot, slots.get(slot)));
                }
                if (round % 5 == 4 || round == SWAPS - 1) {
                    JsonNode left = control.call("slots.leftovers", Peers.arguments());
                    mostLeft = Math.max(mostLeft, left.path("leftovers").size());
                    assertTrue(left.toString(), left.path("leftovers").size() <= 1);
                }
                if (round == SWAPS / 3) {
                    early = memory();
                }
            }
        }
        long[] late = memory();
        over.set(true);
        Sent all = new Sent();
        for (Future<Sent> sender : senders) {
            all.add(sender.get());
        }
        executor.shutdown();

        Waiting.until(
                "all of it is with bob",
                Duration.ofMinutes(4),
                () -> bob.received().size() >= all.count());
        Map<String, List<Integer>> received = new HashMap<>();
        for (String text : bob.received()) {
            String[] parts = text.split(" ");
            received.computeIfAbsent(parts[0], unused -> new ArrayList<>()).add(Integer.parseInt(parts[1]));
        }
        assertEquals("each conversation whole, each message once and in order", all.numbers, received);
        try (ControlSocket control = control()) {
            Waiting.until("the ledger has it", Duration.ofMinutes(2), () -> {
                JsonNode byState = control.call("ledger.get", Peers.arguments()).path("byState");
                return DistributionNode.arrived(byState) == all.count();
            });
            JsonNode ledger = control.call("ledger.get", Peers.arguments());
            assertTrue(ledger.path("exact").asBoolean());
            assertEquals(all.count(), ledger.path("sent").asLong());
        }
        // Under load the outbox holds what was not sent yet; with all of it gone, what is left is what swaps leave
        // behind.
        long[] settled = memory();
        System.out.println(report(swaps, all, early, late, mostLeft) + "; settled: heap KiB " + settled[0]
                + ", metaspace KiB " + settled[1]);
        for (Swap swap : swaps) {
            assertEquals(swap.slot + ": no call was cut", 0, swap.cut);
        }
    }

    private ControlSocket control() throws IOException, ReflectiveOperationException {
        return ControlSocket.open(alice.socket());
    }

    private Swap swap(ControlSocket control, String slot, String bundle) throws Exception {
        String instance = alice.install(bundle);
        Waiting.until(instance + " is a candidate", () -> {
            for (JsonNode each : control.call("slots.list", Peers.arguments()).path("slots")) {
                if (each.path("slot").asText().equals(slot)) {
                    return each.path("candidates").toString().contains("\"" + instance + "\"");
                }
            }
            return false;
        });
        JsonNode report = control.call(
                "slots.swap",
                Peers.arguments().put("slot", slot).put("instance", instance).put("why", "a new version"));
        assertEquals(instance, report.path("to").asText());
        assertEquals(
                "a guest lasts until the next start",
                0,
                report.path("generation").asInt());
        alice.uninstallOlder(bundle);
        return new Swap(
                slot,
                report.path("inFlight").asInt(),
                report.path("cut").asInt(),
                report.path("longestPauseMicros").asLong(),
                report.path("drainMicros").asLong());
    }

    private record Swap(String slot, int inFlight, int cut, long pauseMicros, long drainMicros) {}

    /** What was handed to the node, by conversation. */
    private static final class Sent {
        final Map<String, List<Integer>> numbers = new HashMap<>();
        final List<Long> delaysMicros = new ArrayList<>();

        void add(Sent other) {
            numbers.putAll(other.numbers);
            delaysMicros.addAll(other.delaysMicros);
        }

        int count() {
            return delaysMicros.size();
        }
    }

    /** Each sender has conversations of its own, so the order of each is the order of its calls. */
    private Sent send(int number, AtomicBoolean over) throws Exception {
        Sent sent = new Sent();
        long gap = 1_000_000_000L * SENDERS / PER_SECOND;
        try (ControlSocket control = control()) {
            long due = System.nanoTime();
            for (int i = 0; !over.get(); i++) {
                int conversation = number + SENDERS * (i % (CONVERSATIONS / SENDERS));
                String to = names.get(conversation);
                List<Integer> numbers = sent.numbers.computeIfAbsent(to, unused -> new ArrayList<>());
                long now = System.nanoTime();
                if (due > now) {
                    LockSupport.parkNanos(due - now);
                }
                long began = System.nanoTime();
                control.call("message.send", Peers.arguments().put("to", to).put("text", to + " " + numbers.size()));
                sent.delaysMicros.add((System.nanoTime() - began) / 1_000);
                numbers.add(numbers.size());
                // Behind time it does not try to catch up with a burst of more than a second.
                due = Math.max(due + gap, System.nanoTime() - 1_000_000_000L);
            }
        }
        return sent;
    }

    /** Heap and metaspace in use after a collection, in KiB. */
    private static long[] memory() {
        System.gc();
        long metaspace = 0;
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            if (pool.getName().equals("Metaspace")) {
                metaspace = pool.getUsage().getUsed() / 1024;
            }
        }
        return new long[] {
            ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() / 1024, metaspace
        };
    }

    private static String report(List<Swap> swaps, Sent all, long[] early, long[] late, int mostLeft) {
        List<Long> delays = new ArrayList<>(all.delaysMicros);
        Collections.sort(delays);
        StringBuilder text = new StringBuilder("swaps: ")
                .append(swaps.size())
                .append(", messages ")
                .append(all.count())
                .append(", 0 lost, 0 twice; send delay ms p50 ")
                .append(delays.get(delays.size() / 2) / 1000.0)
                .append(" p99 ")
                .append(delays.get(delays.size() * 99 / 100) / 1000.0)
                .append(" max ")
                .append(delays.get(delays.size() - 1) / 1000.0)
                .append("; retired loaders alive at most ")
                .append(mostLeft);
        if (early != null) {
            text.append("; heap KiB ")
                    .append(early[0])
                    .append(" -> ")
                    .append(late[0])
                    .append(", metaspace KiB ")
                    .append(early[1])
                    .append(" -> ")
                    .append(late[1]);
        }
        for (String slot : List.of("curve", "transport", "scheme")) {
            long pause = 0;
            long drain = 0;
            long inFlight = 0;
            for (Swap swap : swaps) {
                if (swap.slot.equals(slot)) {
                    pause = Math.max(pause, swap.pauseMicros);
                    drain = Math.max(drain, swap.drainMicros);
                    inFlight += swap.inFlight;
                }
            }
            text.append("; ")
                    .append(slot)
                    .append(": longest pause ms ")
                    .append(pause / 1000.0)
                    .append(", longest drain ms ")
                    .append(drain / 1000.0)
                    .append(", in flight in all ")
                    .append(inFlight);
        }
        return text.toString();
    }
}
