package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Outcome;
import im.parley.protocol.Kinds;
import im.parley.testkit.SettableClock;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** How many events what walks through the whole store holds at once; any of them may be of the largest size. */
class HeldEventsTest {
    private static final int STORED = 300;

    /** Makes each event when it is asked for, keeps none, and counts those that somebody else still has. */
    private static final class CountingStore implements EventStore {
        private final int kind;
        private final List<List<String>> tags;
        private final List<WeakReference<Event>> given = new ArrayList<>();
        private int most;

        CountingStore(int kind, List<List<String>> tags) {
            this.kind = kind;
            this.tags = tags;
        }

        private Event make(int number) {
            byte[] bytes = new byte[32];
            ByteBuffer.wrap(bytes).putInt(number + 1);
            Event event = new Event(
                    EventId.of(bytes),
                    PublicKey.of(bytes),
                    Bench.NOW - number,
                    kind,
                    tags,
                    "x".repeat(1_000),
                    Signature.of(new byte[64]));
            given.add(new WeakReference<>(event));
            return event;
        }

        private void countHeld() {
            // A collection that was asked for clears every weak reference to what nobody has any more.
            System.gc();
            most = Math.max(most, (int)
                    given.stream().filter(each -> !each.refersTo(null)).count());
        }

        @Override
        public void query(Filter filter, Predicate<Event> visitor) {
            for (int i = 0; i < STORED; i++) {
                if (!visitor.test(make(i))) {
                    return;
                }
                if (i % 50 == 49) {
                    countHeld();
                }
            }
        }

        @Override
        public List<Row> scan(long after, int limit) {
            List<Row> page = new ArrayList<>();
            for (long position = after + 1; position <= STORED && page.size() < limit; position++) {
                page.add(new Row.Stored(position, 0, make((int) position)));
            }
            countHeld();
            Reference.reachabilityFence(page);
            return page;
        }

        @Override
        public List<Outcome> commit(Batch batch) {
            throw new AssertionError("nothing is to be changed here");
        }

        @Override
        public boolean contains(EventId id) {
            return true;
        }
    }

    @Test
    void requestsToVanishAreReadOneByOne() throws Exception {
        CountingStore store = new CountingStore(Kinds.VANISH, List.of(List.of("relay", "ALL_RELAYS")));
        Vanished vanished = new Vanished();
        vanished.load(store);
        assertEquals(STORED, store.given.size());
        assertTrue(vanished.isBehind(), "all of them are known");
        assertTrue(store.most <= 2, "held at once: " + store.most);
    }

    @Test
    void expirationsAreReadInSmallPages() throws Exception {
        CountingStore store = new CountingStore(1, List.of(List.of("expiration", Long.toString(Bench.NOW + 9_999))));
        Expirations expirations = new Expirations(SettableClock.atSecond(Bench.NOW));
        int sweeps = 0;
        while (expirations.isBehind()) {
            expirations.sweep(store);
            assertTrue(++sweeps <= STORED, "it never ends");
        }
        assertEquals(STORED, store.given.size());
        assertFalse(expirations.isBehind());
        assertTrue(store.most <= 20, "held at once: " + store.most);
        store.countHeld();
        assertTrue(store.most <= 20, "held afterwards: " + store.most);
    }
}
