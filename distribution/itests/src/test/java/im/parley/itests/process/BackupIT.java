package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.After;
import org.junit.Test;

/** A relay's events are taken away as a file while people write and delete, and are brought to another machine. */
public class BackupIT {
    private static final int WRITERS = 2;
    /** Of each writer; 500 of them come in a second in all. */
    private static final int EVENTS = Integer.getInteger("parley.backup.events", 1_000);

    private static final long GAP_NANOS = 1_000_000_000L / 500 * WRITERS;
    /** Every so many events the writer takes back an earlier one. */
    private static final int DELETES_EVERY = 10;

    private final List<DistributionNode> nodes = new ArrayList<>();

    @After
    public void stop() throws Exception {
        for (DistributionNode node : nodes) {
            node.close();
        }
    }

    private DistributionNode relay(String name) throws Exception {
        DistributionNode node = DistributionNode.create(name);
        nodes.add(node);
        node.start("--only", "infrastructure");
        return node;
    }

    /** One writer's events in their order, signed beforehand so that signing does not slow it down. */
    private static final class Writer {
        final List<String> events = new ArrayList<>();
        /** Deleting event to the one that it deletes. */
        final Map<String, String> deletions = new LinkedHashMap<>();
        /** How many were acknowledged, which they are in their order. */
        final AtomicInteger acknowledged = new AtomicInteger();

        Writer() throws Exception {
            TestKey key = new TestKey();
            for (int i = 0; i < EVENTS; i++) {
                if (i % DELETES_EVERY == DELETES_EVERY - 1) {
                    String target = id(events.get(i - DELETES_EVERY / 2));
                    events.add(key.sign(5, List.of(List.of("e", target), List.of("k", "1")), ""));
                    deletions.put(id(events.get(i)), target);
                } else {
                    events.add(key.sign(1, List.of(), "event " + i));
                }
            }
        }

        Void write(DistributionNode node) throws Exception {
            try (RelaySocket socket = RelaySocket.open(node.relayUrl())) {
                long due = System.nanoTime();
                for (String event : events) {
                    JsonNode answer = socket.publish(event);
                    assertTrue(answer.toString(), answer.get(2).asBoolean());
                    acknowledged.incrementAndGet();
                    due += GAP_NANOS;
                    LockSupport.parkNanos(due - System.nanoTime());
                }
            }
            return null;
        }
    }

    private static String id(String event) throws Exception {
        return Peers.JSON.readTree(event).path("id").asText();
    }

    private static Set<String> exported(DistributionNode node, Path file) throws Exception {
        Files.deleteIfExists(file);
        node.json("relay", "export", file.toString());
        Set<String> ids = new HashSet<>();
        for (String line : Files.readAllLines(file)) {
            assertTrue("no event is in the file twice", ids.add(id(line)));
        }
        return ids;
    }

    @Test
    public void DB_12_aCopyMadeUnderLoadIsAPrefixAndBringsNothingBackThatWasDeleted() throws Exception {
        DistributionNode first = relay("backa");
        List<Writer> writers = new ArrayList<>();
        for (int i = 0; i < WRITERS; i++) {
            writers.add(new Writer());
        }
        ExecutorService executor = Executors.newFixedThreadPool(WRITERS);
        List<Future<Void>> writing = new ArrayList<>();
        writers.forEach(writer -> writing.add(executor.submit(() -> writer.write(first))));
        Waiting.until("half is written", () -> writers.get(0).acknowledged.get() > EVENTS / 2);
        List<Integer> before =
                writers.stream().map(writer -> writer.acknowledged.get()).toList();
        Path file = first.base().resolve("backup.jsonl");
        exported(first, file);
        assertTrue("people wrote meanwhile", writers.get(0).acknowledged.get() > before.get(0));
        for (Future<Void> each : writing) {
            each.get();
        }
        executor.shutdown();

        DistributionNode second = relay("backb");
        JsonNode restored = second.json("relay", "import", file.toString());
        assertEquals(restored.toString(), 0, restored.path("refused").size());
        Set<String> found = exported(second, second.base().resolve("found.jsonl"));
        JsonNode again = second.json("relay", "import", file.toString());
        assertEquals("restored twice", 0, again.path("stored").asInt());
        assertEquals(found, exported(second, second.base().resolve("found.jsonl")));

        int all = 0;
        for (int i = 0; i < WRITERS; i++) {
            Writer writer = writers.get(i);
            int last = -1;
            for (int at = 0; at < EVENTS; at++) {
                last = found.contains(id(writer.events.get(at))) ? at : last;
            }
            assertTrue("what was acknowledged before is in it", last >= before.get(i) - 1);
            Set<String> deleted = new HashSet<>();
            for (String event : writer.events.subList(0, last + 1)) {
                if (writer.deletions.containsKey(id(event))) {
                    deleted.add(writer.deletions.get(id(event)));
                }
            }
            for (int at = 0; at <= last; at++) {
                String id = id(writer.events.get(at));
                assertEquals("event " + at + " of " + last, !deleted.contains(id), found.contains(id));
                all++;
            }
        }
        assertTrue("a copy of the middle", found.size() < EVENTS * WRITERS);

        // The node that went on gets its own old copy back.
        Set<String> whole = exported(first, first.base().resolve("whole.jsonl"));
        first.json("relay", "import", file.toString());
        assertEquals("nothing comes back", whole, exported(first, first.base().resolve("whole.jsonl")));
        for (Writer writer : writers) {
            for (String deleted : writer.deletions.values()) {
                assertFalse(whole.contains(deleted));
            }
        }
        System.out.println("DB-12: a copy of " + found.size()
                + " events made while 500 a second were written holds the first " + all
                + " without what was deleted among them; restored twice, 0 more; into the first node, 0 back");
    }
}
