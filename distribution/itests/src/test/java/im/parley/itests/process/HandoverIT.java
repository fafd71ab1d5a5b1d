package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Test;

/**
 * Both stores of a node move to LMDB, back, and there again, while people write; nothing is lost, nothing is shown twice,
 * and both sides have the same hash each time.
 */
public class HandoverIT {
    /** 200,000 for the figures of the handbook, from a file of lines. */
    private static final int EVENTS = Integer.getInteger("parley.handover.events", 3_000);

    private static final String EVENTS_FILE = System.getProperty("parley.handover.file", "");
    /** Before the moves; 50,000 for the figures. */
    private static final int RECORDS = Integer.getInteger("parley.handover.records", 1_500);

    private static final int PER_SECOND = Integer.getInteger("parley.rate", 200);
    private static final int SENDERS = 2;

    private DistributionNode node;

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    @Test
    public void bothStoresMoveThereAndBackAndThereAgainUnderTraffic() throws Exception {
        node = DistributionNode.create("move");
        node.start();
        node.json("identity", "new", "alice");
        node.json("identity", "new", "bob");
        fill();
        Traffic traffic = new Traffic();
        traffic.start();
        try {
            for (String slot : List.of("storage.events", "storage.records")) {
                String derby = slot.replace("storage.", "im.parley.storage.derby.") + "~main";
                String lmdb = slot.replace("storage.", "im.parley.storage.lmdb.") + "~main";
                move(slot, lmdb, traffic);
                undo(slot, derby, traffic);
                move(slot, lmdb, traffic);
            }
        } finally {
            traffic.over.set(true);
        }
        traffic.end();
        // On two cores more is taken than is sent meanwhile.
        Duration patience = Duration.ofMinutes(5).plusSeconds(traffic.messages.get() / 20);
        Waiting.until("every message is at its relay", patience, () -> {
            return DistributionNode.arrived(node.json("ledger").path("byState"))
                    == traffic.messages.get() + RECORDS / 10;
        });
        assertTrue(node.json("ledger").path("exact").asBoolean());
        for (String slot : List.of("storage.events", "storage.records")) {
            JsonNode compared = comparedWhenQuiet(slot);
            System.out.println(slot + ": " + compared.path("rows").asLong() + " rows and "
                    + compared.path("marks").asLong() + " marks, "
                    + compared.path("serving").asText().substring(0, 16) + " = "
                    + compared.path("former").asText().substring(0, 16));
        }
        traffic.check();
        try (Stream<String> log = Files.lines(node.data().resolve("logs/parley.log"))) {
            log.filter(line -> line.contains("writers waited")).forEach(System.out::println);
        }

        node.run("", "stop");
        node.start();
        assertEquals(2, node.json("handover", "status").path("slots").size());
        traffic.check();
        assertTrue(comparedWhenQuiet("storage.records").path("equal").asBoolean());
        for (String name : List.of(
                "im.parley.storage.derby.events~main",
                "im.parley.storage.lmdb.events~main",
                "im.parley.storage.derby.records~main",
                "im.parley.storage.lmdb.records~main")) {
            System.out.println(
                    name + ": " + size(node.data().resolve("providers").resolve(name)) + " KiB");
        }
        // Behind the end of the window the way back is a copy, and loses nothing either.
        node.json("handover", "finish", "storage.events");
        assertEquals(1, node.json("handover", "status").path("slots").size());
        node.json("swap", "storage.events", "im.parley.storage.derby.events~main");
        traffic.check();
        node.json("handover", "finish", "storage.events");
        node.json("undo");
        traffic.check();
        assertEquals(
                "nothing takes an undo back, so nothing is kept up to date for one",
                1,
                node.json("handover", "status").path("slots").size());
    }

    private void fill() throws Exception {
        long begun = System.nanoTime();
        Path file = EVENTS_FILE.isEmpty() ? written() : Path.of(EVENTS_FILE);
        JsonNode imported = node.json("relay", "import", file.toString());
        assertEquals(imported.toString(), EVENTS, imported.path("stored").asInt());
        try (ControlSocket control = ControlSocket.open(node)) {
            // A message is some ten records on a node that has both ends of it.
            for (int i = 0; i < RECORDS / 10; i++) {
                control.call(
                        "message.send",
                        Peers.arguments()
                                .put("account", "bob")
                                .put("to", "alice")
                                .put("text", "before " + i));
            }
        }
        System.out.println("filled in " + (System.nanoTime() - begun) / 1_000_000 + " ms");
    }

    private Path written() throws Exception {
        TestKey author = new TestKey();
        List<String> lines = new ArrayList<>(EVENTS);
        for (int i = 0; i < EVENTS; i++) {
            lines.add(author.sign(1_700_000_000L + i, 1, List.of(List.of("t", "tag" + i % 50)), "event " + i));
        }
        return Files.write(node.base().resolve("events.jsonl"), lines);
    }

    private void move(String slot, String to, Traffic traffic) throws Exception {
        tell(slot + " to " + to, call("slots.swap", slot, to), traffic);
    }

    private void undo(String slot, String to, Traffic traffic) throws Exception {
        JsonNode report = call("slots.undo", slot, to);
        assertEquals(to, report.path("to").asText());
        tell(slot + " back to " + to, report, traffic);
    }

    private JsonNode call(String method, String slot, String instance) throws IOException {
        try (ControlSocket control = ControlSocket.open(node)) {
            return control.call(
                    method,
                    method.equals("slots.undo")
                            ? Peers.arguments().put("why", slot)
                            : Peers.arguments().put("slot", slot).put("instance", instance));
        }
    }

    private static void tell(String what, JsonNode report, Traffic traffic) {
        JsonNode moved = report.path("moved");
        System.out.printf(
                "%s: %,d rows, %,d changes meanwhile, copied in %,d ms, compared in %,d ms (%,d looked at again),"
                        + " writers waited %d ms; %,d messages and %,d events so far%n",
                what,
                moved.path("rows").asLong(),
                moved.path("changes").asLong(),
                moved.path("copyMillis").asLong(),
                moved.path("compareMillis").asLong(),
                moved.path("rechecked").asLong(),
                moved.path("pauseMicros").asLong() / 1000,
                traffic.messages.get(),
                traffic.published.size());
        assertTrue(moved.path("rows").asLong() > 0);
        assertEquals("nobody was cut", 0, report.path("cut").asInt());
    }

    /** The former store is a moment behind; then both are equal. */
    private JsonNode comparedWhenQuiet(String slot) throws Exception {
        JsonNode[] compared = new JsonNode[1];
        try (ControlSocket control = ControlSocket.open(node)) {
            Waiting.until(slot + " is equal on both sides", Duration.ofMinutes(2), () -> {
                compared[0] = control.call("slots.compare", Peers.arguments().put("slot", slot));
                return compared[0].path("equal").asBoolean();
            });
        }
        return compared[0];
    }

    private static long size(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            long sum = 0;
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                sum += kibibytes(file);
            }
            return sum;
        }
    }

    /** What a sparse file takes of the disk, not what it could. */
    private static long kibibytes(Path file) throws IOException {
        Process du = new ProcessBuilder("du", "-k", file.toString()).start();
        String[] parts =
                new String(du.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8).split("\\s+");
        return Long.parseLong(parts[0]);
    }

    /** Messages from alice to bob, and notes that a stranger publishes, replaces and deletes. */
    private final class Traffic {
        final AtomicBoolean over = new AtomicBoolean();
        final AtomicInteger messages = new AtomicInteger();
        final Set<String> published = java.util.Collections.synchronizedSet(new HashSet<>());
        private final Set<String> deleted = java.util.Collections.synchronizedSet(new HashSet<>());
        private final List<String> texts = new ArrayList<>();
        private final ExecutorService executor = Executors.newFixedThreadPool(SENDERS + 1);
        private final List<Future<?>> running = new ArrayList<>();

        void start() {
            for (int i = 0; i < SENDERS; i++) {
                running.add(executor.submit(this::send));
            }
            running.add(executor.submit(this::publish));
        }

        void end() throws Exception {
            for (Future<?> each : running) {
                each.get();
            }
            executor.shutdown();
        }

        private boolean send() throws IOException {
            long pause = 1_000_000_000L * SENDERS * 10 / 9 / PER_SECOND;
            try (ControlSocket control = ControlSocket.open(node)) {
                long next = System.nanoTime();
                while (!over.get()) {
                    String text = "message " + messages.incrementAndGet();
                    control.call(
                            "message.send",
                            Peers.arguments()
                                    .put("account", "alice")
                                    .put("to", "bob")
                                    .put("text", text));
                    synchronized (texts) {
                        texts.add(text);
                    }
                    next += pause;
                    LockSupport.parkNanos(Math.max(0, next - System.nanoTime()));
                }
            }
            return true;
        }

        private boolean publish() throws Exception {
            long pause = 10_000_000_000L / PER_SECOND;
            TestKey author = new TestKey();
            List<String> mine = new ArrayList<>();
            try (RelaySocket socket = RelaySocket.open(node.relayUrl())) {
                for (int i = 0; !over.get(); i++) {
                    String event = i % 5 == 4 && !mine.isEmpty()
                            ? author.sign(5, List.of(List.of("e", mine.get(0))), "")
                            : author.sign(1, List.of(), "note " + i);
                    JsonNode ok = socket.publish(event);
                    assertTrue(ok.toString(), ok.get(2).asBoolean());
                    String id = ok.get(1).asText();
                    published.add(id);
                    if (i % 5 == 4 && !mine.isEmpty()) {
                        String gone = mine.remove(0);
                        published.remove(gone);
                        deleted.add(gone);
                    } else {
                        mine.add(id);
                    }
                    LockSupport.parkNanos(pause);
                }
            }
            return true;
        }

        /** Everything acknowledged is there, once, and nothing that was deleted. */
        void check() throws Exception {
            Set<String> stored = stored(published);
            Set<String> lost = new HashSet<>(published);
            lost.removeAll(stored);
            assertEquals("acknowledged and lost", Set.of(), lost);
            assertEquals("deleted and back", Set.of(), stored(deleted));
            List<String> received = new ArrayList<>();
            long after = 0;
            try (ControlSocket control = ControlSocket.open(node)) {
                while (true) {
                    JsonNode page = control.call(
                                    "message.list",
                                    Peers.arguments().put("after", after).put("limit", 1000))
                            .path("messages");
                    if (page.isEmpty()) {
                        break;
                    }
                    for (JsonNode message : page) {
                        after = Math.max(after, message.path("position").asLong());
                        if (!message.path("outgoing").asBoolean()
                                && message.path("text").asText().startsWith("message")) {
                            received.add(message.path("text").asText());
                        }
                    }
                }
            }
            assertEquals("each once", new HashSet<>(texts), new HashSet<>(received));
            assertEquals("none twice", texts.size(), received.size());
        }

        private Set<String> stored(Set<String> wanted) throws Exception {
            Set<String> stored = new HashSet<>();
            List<String> ids = new ArrayList<>(wanted);
            try (RelaySocket socket = RelaySocket.open(node.relayUrl())) {
                for (int from = 0; from < ids.size(); from += 200) {
                    String list = String.join("\",\"", ids.subList(from, Math.min(ids.size(), from + 200)));
                    RelaySocket.Answer answer = socket.request("check", "{\"ids\":[\"" + list + "\"]}");
                    assertEquals("", answer.closed());
                    answer.events().forEach(event -> stored.add(event.get("id").asText()));
                }
            }
            return stored;
        }
    }
}
