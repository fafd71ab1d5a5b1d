package im.parley.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Tombstone;
import im.parley.slot.Mover;
import im.parley.storage.memory.MemoryEventStore;
import im.parley.tck.storage.SampleEvents;
import im.parley.testkit.Seeds;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventFeedTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @TempDir
    Path directory = Path.of("unset");

    private final MemoryEventStore primary = new MemoryEventStore();
    private final MemoryEventStore secondary = new MemoryEventStore();
    private final EventTap tap = new EventTap(primary);
    private final AtomicLong received = new AtomicLong(1_000);

    @Test
    void everythingIsCarriedOverWhileThreeThreadsWriteAndBothSidesAreEqual() throws Exception {
        RandomGenerator random = Seeds.generator("events");
        Traffic before = new Traffic(random.nextLong());
        for (int i = 0; i < 1_500; i++) {
            before.act();
        }
        ExecutorService executor = Executors.newFixedThreadPool(3);
        AtomicBoolean over = new AtomicBoolean();
        try {
            tap.journal(directory);
            List<Future<?>> writers = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                Traffic traffic = new Traffic(random.nextLong());
                writers.add(executor.submit(() -> {
                    while (!over.get()) {
                        traffic.act();
                    }
                    return true;
                }));
            }
            Mover.Settled settled;
            EventTap back = new EventTap(secondary);
            try (Mover.Feed feed = tap.feed(secondary, "")) {
                carryMost(feed);
                feed.verify(() -> false);
                carryMost(feed);
                assertTrue(tap.hold(SECOND));
                try {
                    settled = feed.settle();
                    assertEquals(all(primary), all(secondary));
                    back.journal(directory.resolve("back"));
                    tap.redirect(back);
                } finally {
                    tap.release();
                }
            }
            over.set(true);
            for (Future<?> writer : writers) {
                writer.get();
            }
            // What the feed back needs is behind that position.
            Traffic after = new Traffic(1);
            after.store = back;
            for (int i = 0; i < 200; i++) {
                after.act();
            }
            try (Mover.Feed feed = back.feed(primary, settled.position())) {
                feed.settle();
                assertTrue(feed.verify(() -> false).equal());
            }
        } finally {
            over.set(true);
            executor.shutdownNow();
        }
    }

    private static void carryMost(Mover.Feed feed) throws ProviderException {
        for (int i = 0; i < 1_000 && feed.ship() > 100; i++) {
            // Until few are left.
        }
    }

    /** Whoever asks how much is left makes writers wait for that much. */
    @Test
    void asManyChangesAreLeftAsAreTold() throws Exception {
        tap.journal(directory);
        put(SampleEvents.event(SampleEvents.author(1), 100, 1, List.of(), "first"));
        try (Mover.Feed feed = tap.feed(secondary, "")) {
            while (feed.progress().done() < feed.progress().total()) {
                feed.ship();
            }
            for (int i = 0; i < 3_000; i++) {
                put(SampleEvents.event(SampleEvents.author(1), 200 + i, 1, List.of(), "later " + i));
            }
            long told = feed.ship();
            while (told > 100) {
                told = feed.ship();
            }
            assertEquals(all(primary).size(), all(secondary).size());
        }
    }

    @Test
    void aVersionThatWasRemovedBeforeItWasCarriedOverLeavesNoOlderOneThere() throws Exception {
        tap.journal(directory);
        Event older = SampleEvents.event(SampleEvents.author(1), 100, 10_002, List.of(), "older");
        Event newer = SampleEvents.event(SampleEvents.author(1), 200, 10_002, List.of(), "newer");
        Event article = SampleEvents.event(SampleEvents.author(1), 100, 30_023, List.of(List.of("d", "x")), "older");
        Event edited = SampleEvents.event(SampleEvents.author(1), 200, 30_023, List.of(List.of("d", "x")), "newer");
        put(older);
        put(article);
        try (Mover.Feed feed = tap.feed(secondary, "")) {
            carryMost(feed);
            put(newer);
            put(edited);
            tap.commit(new Batch(List.of(new Batch.Item.Remove(newer.id()))));
            tap.commit(new Batch(List.of(new Batch.Item.Bury(
                    new Tombstone(edited.id(), SampleEvents.author(1)), received.incrementAndGet()))));
            feed.settle();
            assertEquals(all(primary), all(secondary));
            assertTrue(feed.verify(() -> false).equal());
            assertFalse(secondary.contains(older.id()));
        }
    }

    @Test
    void anOlderVersionStoredAfterANewerOneWasRemovedArrives() throws Exception {
        tap.journal(directory);
        Event older = SampleEvents.event(SampleEvents.author(1), 100, 10_002, List.of(), "older");
        Event newer = SampleEvents.event(SampleEvents.author(1), 200, 10_002, List.of(), "newer");
        put(newer);
        EventTap behind = new EventTap(primary);
        try (Mover.Feed feed = tap.feed(secondary, "")) {
            carryMost(feed);
            // Not through the tap: the feed meets the put before it hears of the removal.
            behind.commit(new Batch(List.of(new Batch.Item.Remove(newer.id()))));
            put(older);
            feed.settle();
            assertEquals(all(primary), all(secondary));
        }
    }

    @Test
    void anEventStoredAgainKeepsItsNewTimeAndPlace() throws Exception {
        tap.journal(directory);
        Event note = SampleEvents.note(100, "again");
        put(note);
        try (Mover.Feed feed = tap.feed(secondary, "")) {
            carryMost(feed);
            tap.commit(new Batch(List.of(new Batch.Item.Remove(note.id()))));
            put(note);
            feed.settle();
            assertEquals(all(primary), all(secondary));
        }
    }

    @Test
    void whatAKillLeavesIsCarriedOverByTheNextRun() throws Exception {
        tap.journal(directory);
        Event note = SampleEvents.note(100, "one");
        put(note);
        put(SampleEvents.note(101, "two"));
        try (Mover.Feed feed = tap.feed(secondary, "0")) {
            carryMost(feed);
        }
        tap.commit(new Batch(List.of(new Batch.Item.Remove(note.id()))));
        put(SampleEvents.note(102, "three"));
        EventTap again = new EventTap(primary);
        again.journal(directory);
        try (Mover.Feed feed = again.feed(secondary, "kept")) {
            feed.settle();
            assertTrue(feed.verify(() -> false).equal());
        }
        assertEquals(all(primary), all(secondary));
        assertFalse(secondary.contains(note.id()));
    }

    @Test
    void aDifferenceThatNoChangeExplainsIsFound() throws Exception {
        tap.journal(directory);
        List<Event> notes = new ArrayList<>();
        for (int i = 0; i < 1_200; i++) {
            notes.add(SampleEvents.note(100 + i, "note " + i));
            put(notes.get(i));
        }
        try (Mover.Feed feed = tap.feed(secondary, "")) {
            carryMost(feed);
            Mover.Compared compared = feed.verify(() -> false);
            assertTrue(compared.equal());
            assertEquals(1_200, compared.rows());
            secondary.commit(
                    new Batch(List.of(new Batch.Item.Remove(notes.get(77).id()))));
            assertEquals(
                    "handover.differs",
                    assertThrows(ProviderException.class, () -> feed.verify(() -> false))
                            .code());
            secondary.commit(new Batch(List.of(new Batch.Item.Put(notes.get(77), 1))));
            assertEquals(
                    "handover.differs",
                    assertThrows(ProviderException.class, () -> feed.verify(() -> false))
                            .code(),
                    "another time of receipt");
        }
        MemoryEventStore other = new MemoryEventStore();
        try (Mover.Feed feed = tap.feed(other, "")) {
            carryMost(feed);
            // One that nobody removed here.
            other.commit(new Batch(List.of(new Batch.Item.Put(SampleEvents.note(1, "stray"), 1))));
            assertFalse(feed.verify(() -> false).equal());
            assertEquals(
                    "handover.differs",
                    assertThrows(ProviderException.class, feed::settle).code());
        }
    }

    @Test
    void theLastPositionIsFoundWithFewQuestions() throws Exception {
        assertEquals(0, EventFeed.lastPosition(primary));
        for (int i = 1; i <= 70; i++) {
            put(SampleEvents.note(i, "note"));
            assertEquals(i, EventFeed.lastPosition(primary));
        }
    }

    private void put(Event event) throws ProviderException {
        tap.commit(new Batch(List.of(new Batch.Item.Put(event, received.incrementAndGet()))));
    }

    /** Puts, replacements, removals, deletions and returns of a few events. */
    private final class Traffic {
        private final RandomGenerator random;
        private final SampleEvents samples;
        private final List<Event> seen = new ArrayList<>();
        private EventStore store = tap;

        Traffic(long seed) {
            random = new java.util.SplittableRandom(seed);
            samples = new SampleEvents(random);
        }

        void act() throws ProviderException {
            List<Batch.Item> items = new ArrayList<>();
            int size = 1 + random.nextInt(4);
            for (int i = 0; i < size; i++) {
                items.add(item());
            }
            store.commit(new Batch(items));
        }

        private Batch.Item item() {
            int act = random.nextInt(10);
            if (act < 7 || seen.isEmpty()) {
                Event event = act == 0 && !seen.isEmpty() ? known() : samples.event();
                seen.add(event);
                return new Batch.Item.Put(event, received.incrementAndGet());
            }
            Event event = known();
            return act < 9
                    ? new Batch.Item.Remove(event.id())
                    : new Batch.Item.Bury(new Tombstone(event.id(), event.pubkey()), received.incrementAndGet());
        }

        private Event known() {
            return seen.get(random.nextInt(seen.size()));
        }
    }

    private static Set<String> all(EventStore store) throws ProviderException {
        Set<String> all = new TreeSet<>();
        long after = 0;
        while (true) {
            List<EventStore.Row> rows = store.scan(after, 1_000);
            if (rows.isEmpty()) {
                return all;
            }
            for (EventStore.Row row : rows) {
                after = row.position();
                if (row instanceof EventStore.Row.Stored stored) {
                    EventId id = stored.event().id();
                    all.add(id.hex() + " " + stored.receivedAtMillis());
                } else if (row instanceof EventStore.Row.Deleted deleted) {
                    all.add(deleted.tombstone() + " " + deleted.receivedAtMillis());
                }
            }
        }
    }
}
