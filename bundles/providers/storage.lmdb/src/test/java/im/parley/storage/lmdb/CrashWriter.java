package im.parley.storage.lmdb;

import im.parley.api.event.Event;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.tck.storage.SampleEvents;
import im.parley.testkit.Seeds;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The process that is killed: opens a store, says what is in it, and then writes numbered batches from four threads until
 * it dies, saying each number only after the store did. Lines: {@code open <ms>}, {@code present <number>}…, {@code
 * ready}, {@code ack <number>}….
 */
final class CrashWriter {
    private static final int THREADS = 4;
    private static final int EVENTS_PER_BATCH = 3;
    private static final SpaceId SPACE = new SpaceId("crash");

    private CrashWriter() {}

    /** Arguments: {@code events|records}, home, first number, {@code write|look}. */
    public static void main(String[] args) throws Exception {
        TestContext context = new TestContext(Path.of(args[1]), Seeds.secureRandom("crash"));
        LmdbEngine engine = new LmdbEngine();
        long start = System.nanoTime();
        Numbered store = args[0].equals("events") ? events(engine, context) : records(engine, context);
        say("open " + (System.nanoTime() - start) / 1_000_000);
        store.present().stream().forEach(number -> say("present " + number));
        say("ready");
        if (args[3].equals("look")) {
            engine.close();
            return;
        }
        AtomicInteger next = new AtomicInteger(Integer.parseInt(args[2]));
        for (int i = 0; i < THREADS; i++) {
            Thread thread = new Thread(() -> {
                try {
                    while (true) {
                        int number = next.getAndIncrement();
                        store.write(number);
                        say("ack " + number);
                    }
                } catch (Exception e) {
                    say("failed " + e);
                }
            });
            thread.start();
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private interface Numbered {
        /** Numbers that are there whole; throws if one is there in part. */
        BitSet present() throws Exception;

        void write(int number) throws Exception;
    }

    private static Numbered events(LmdbEngine engine, TestContext context) throws Exception {
        LmdbEventStore store = LmdbEventStore.open(engine, context, Homes.MAP_BYTES, 256);
        return new Numbered() {
            @Override
            public BitSet present() throws Exception {
                List<Integer> seen = new ArrayList<>();
                long after = 0;
                for (List<EventStore.Row> rows = store.scan(0, 5_000);
                        !rows.isEmpty();
                        rows = store.scan(after, 5_000)) {
                    for (EventStore.Row row : rows) {
                        after = row.position();
                        seen.add(Integer.parseInt(
                                ((EventStore.Row.Stored) row).event().content().split(" ", -1)[1]));
                    }
                }
                BitSet numbers = new BitSet();
                seen.forEach(numbers::set);
                if (seen.size() != EVENTS_PER_BATCH * numbers.cardinality() || store.tampered() > 0) {
                    throw new AssertionError("a batch is there in part, or a row is damaged");
                }
                return numbers;
            }

            @Override
            public void write(int number) throws Exception {
                List<Batch.Item> items = new ArrayList<>();
                for (int i = 0; i < EVENTS_PER_BATCH; i++) {
                    Event event = SampleEvents.event(
                            SampleEvents.author(number % 7),
                            1_700_000_000L + number,
                            1,
                            List.of(
                                    List.of("t", "crash"),
                                    List.of("p", SampleEvents.author(i).hex())),
                            "crash " + number + " " + i + " " + "x".repeat(number % 500));
                    items.add(new Batch.Item.Put(event, number));
                }
                List<Outcome> outcomes = store.commit(new Batch(items));
                if (!outcomes.equals(Collections.nCopies(EVENTS_PER_BATCH, Outcome.STORED))) {
                    throw new AssertionError(outcomes.toString());
                }
            }
        };
    }

    private static Numbered records(LmdbEngine engine, TestContext context) throws Exception {
        Space space = LmdbRecordStore.open(engine, context, Homes.MAP_BYTES, 64).open(SPACE);
        byte[] counter = {0};
        return new Numbered() {
            @Override
            public BitSet present() throws Exception {
                return space.transact(transaction -> {
                    BitSet numbers = new BitSet();
                    byte[] from = {1};
                    List<Space.Entry> entries = transaction.range(from, null, false, Integer.MAX_VALUE);
                    entries.forEach(entry ->
                            numbers.set(ByteBuffer.wrap(entry.key(), 1, 4).getInt()));
                    byte[] count = transaction.get(counter);
                    int counted = count == null ? 0 : ByteBuffer.wrap(count).getInt();
                    if (counted != numbers.cardinality() || counted != space(entries)) {
                        throw new AssertionError("the counter and the records do not agree");
                    }
                    return numbers;
                });
            }

            private int space(List<Space.Entry> entries) {
                return (int) entries.stream()
                        .filter(e -> e.value().length
                                == size(ByteBuffer.wrap(e.key(), 1, 4).getInt()))
                        .count();
            }

            private int size(int number) {
                return number % 10 == 0 ? 50_000 : number % 400;
            }

            @Override
            public void write(int number) throws Exception {
                space.transact(transaction -> {
                    byte[] count = transaction.get(counter);
                    int counted = count == null ? 0 : ByteBuffer.wrap(count).getInt();
                    transaction.put(
                            counter, ByteBuffer.allocate(4).putInt(counted + 1).array());
                    byte[] key =
                            ByteBuffer.allocate(5).put((byte) 1).putInt(number).array();
                    transaction.put(key, new byte[size(number)]);
                    return true;
                });
            }
        };
    }
}
