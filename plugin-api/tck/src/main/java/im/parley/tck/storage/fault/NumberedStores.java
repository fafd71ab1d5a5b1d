package im.parley.tck.storage.fault;

import im.parley.api.event.Event;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.api.storage.Space;
import im.parley.api.storage.SpaceId;
import im.parley.tck.storage.SampleEvents;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;

/**
 * Numbered writes, each of several rows, and the way back from the rows to the numbers: even numbers are batches of
 * events, odd ones transactions of records. Thread-safe as the stores are.
 */
final class NumberedStores {
    private static final int EVENTS_PER_BATCH = 3;
    private static final SpaceId SPACE = new SpaceId("faults");
    private static final byte[] COUNTER = {0};

    private final EventStore events;
    private final Space space;

    NumberedStores(StoreUnderTest.Stores stores) throws ProviderException {
        events = stores.events();
        space = stores.records().open(SPACE);
    }

    /** Writes that number's rows; when it returns they are acknowledged. */
    void write(int number) throws ProviderException {
        if (number % 2 == 0) {
            writeEvents(number);
        } else {
            writeRecords(number);
        }
    }

    /**
     * The numbers that are there whole.
     *
     * @throws AssertionError if one is there in part
     */
    BitSet present() throws ProviderException {
        BitSet present = presentEvents();
        present.or(presentRecords());
        return present;
    }

    long tampered() {
        return events.tampered();
    }

    private void writeEvents(int number) throws ProviderException {
        List<Batch.Item> items = new ArrayList<>();
        for (int i = 0; i < EVENTS_PER_BATCH; i++) {
            Event event = SampleEvents.event(
                    SampleEvents.author(number % 7),
                    1_700_000_000L + number,
                    1,
                    List.of(
                            List.of("t", "faults"),
                            List.of("p", SampleEvents.author(i).hex())),
                    "fault " + number + " " + i + " " + "x".repeat(number % 500));
            items.add(new Batch.Item.Put(event, number));
        }
        List<Outcome> outcomes = events.commit(new Batch(items));
        if (!outcomes.equals(Collections.nCopies(EVENTS_PER_BATCH, Outcome.STORED))) {
            throw new AssertionError("number " + number + " is new but was " + outcomes);
        }
    }

    private BitSet presentEvents() throws ProviderException {
        int seen = 0;
        long after = 0;
        BitSet numbers = new BitSet();
        for (List<EventStore.Row> rows = events.scan(0, 1_000); !rows.isEmpty(); rows = events.scan(after, 1_000)) {
            for (EventStore.Row row : rows) {
                after = row.position();
                seen++;
                numbers.set(Integer.parseInt(
                        ((EventStore.Row.Stored) row).event().content().split(" ", -1)[1]));
            }
        }
        // What the store itself counts as damaged is not missing silently.
        if (seen != EVENTS_PER_BATCH * numbers.cardinality() && events.tampered() == 0) {
            throw new AssertionError(
                    seen + " events of " + numbers.cardinality() + " batches, " + events.tampered() + " damaged");
        }
        return numbers;
    }

    private void writeRecords(int number) throws ProviderException {
        space.transact(transaction -> {
            byte[] count = transaction.get(COUNTER);
            int counted = count == null ? 0 : ByteBuffer.wrap(count).getInt();
            transaction.put(COUNTER, ByteBuffer.allocate(4).putInt(counted + 1).array());
            transaction.put(key(number), new byte[size(number)]);
            return true;
        });
    }

    private BitSet presentRecords() throws ProviderException {
        return space.transact(transaction -> {
            BitSet numbers = new BitSet();
            List<Space.Entry> entries = transaction.range(new byte[] {1}, null, false, Integer.MAX_VALUE);
            int whole = 0;
            for (Space.Entry entry : entries) {
                int number = ByteBuffer.wrap(entry.key(), 1, 4).getInt();
                numbers.set(number);
                whole += entry.value().length == size(number) ? 1 : 0;
            }
            byte[] count = transaction.get(COUNTER);
            int counted = count == null ? 0 : ByteBuffer.wrap(count).getInt();
            if (counted != numbers.cardinality() || counted != whole) {
                throw new AssertionError(
                        "the counter says " + counted + ", there are " + numbers.cardinality() + ", whole " + whole);
            }
            return numbers;
        });
    }

    private static byte[] key(int number) {
        return ByteBuffer.allocate(5).put((byte) 1).putInt(number).array();
    }

    private static int size(int number) {
        return number % 50 == 1 ? 50_000 : number % 400;
    }
}
