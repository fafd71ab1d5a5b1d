package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Outcome;
import im.parley.api.transport.FrameSink;
import im.parley.protocol.Frames;
import im.parley.testkit.Await;
import im.parley.testkit.SettableClock;
import java.util.AbstractList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Whatever is thrown, also an Error, the relay's threads live on, and stopping never waits for ever. */
class LoopsTest {
    private final Bench bench = new Bench("LoopsTest");
    private final TestKey alice = bench.key();

    @AfterEach
    void stop() {
        bench.close();
    }

    private static CommitQueue.Publisher publisher(List<Event> told) {
        return new CommitQueue.Publisher() {
            @Override
            public void committed(Event event, Outcome outcome) {
                told.add(event);
            }

            @Override
            public void broken() {
                throw new AssertionError("nothing fails here");
            }

            @Override
            public void forbidden(Event event, String reason) {
                throw new AssertionError(reason);
            }

            @Override
            public void failed(Event event, ProviderException failure) {
                throw new AssertionError("nothing fails here", failure);
            }
        };
    }

    private static final CommitQueue.Publisher BAD = new CommitQueue.Publisher() {
        @Override
        public void committed(Event event, Outcome outcome) {
            throw new OutOfMemoryError("of the test");
        }

        @Override
        public void broken() {}

        @Override
        public void forbidden(Event event, String reason) {
            throw new AssertionError(reason);
        }

        @Override
        public void failed(Event event, ProviderException failure) {
            throw new OutOfMemoryError("of the test");
        }
    };

    @Test
    void theLiveFeedOutlivesAnError() {
        TestClient listener = bench.client();
        listener.ask("live", "{\"kinds\":[1]}");
        for (int i = 0; i < 3; i++) {
            bench.relay.live().post(() -> {
                throw new OutOfMemoryError("of the test");
            });
        }
        Event event = bench.note(alice, "after it");
        assertEquals("true ", bench.client().publish(event));
        listener.awaitDelivered("live", event.id());
        assertEquals(3L, bench.relay.drops().get("internal.live"));
    }

    @Test
    void theWriterOutlivesAnErrorOfOnePublisher() throws Exception {
        Drops drops = new Drops();
        CommitQueue queue = new CommitQueue(
                bench.storeSlot, bench.relay.live(), new Expirations(bench.clock), drops, Long.MAX_VALUE);
        queue.start();
        List<Event> told = new CopyOnWriteArrayList<>();
        bench.store.gate = new CountDownLatch(1);
        assertTrue(queue.offer(bench.note(alice, "first"), 0, BAD));
        assertTrue(queue.offer(bench.note(alice, "bad"), 0, BAD));
        Event next = bench.note(alice, "of the same batch");
        assertTrue(queue.offer(next, 0, publisher(told)));
        bench.store.gate.countDown();
        Await.until("the others are told", () -> told.equals(List.of(next)));
        Event later = bench.note(alice, "later");
        assertTrue(queue.offer(later, 0, publisher(told)));
        Await.until("the writer goes on", () -> told.equals(List.of(next, later)));
        assertEquals(2L, drops.snapshot().get("internal.writer"));
        queue.stop(10_000);
        assertFalse(queue.offer(later, 0, publisher(told)));
    }

    /** Says what it is told, and fails as often as it is asked to. */
    private static final class Strict implements CommitQueue.Publisher {
        private final List<String> told = new CopyOnWriteArrayList<>();
        private final AtomicInteger failures;
        private final AtomicInteger brokenFailures;

        Strict(int failures, int brokenFailures) {
            this.failures = new AtomicInteger(failures);
            this.brokenFailures = new AtomicInteger(brokenFailures);
        }

        private void tell(String what, AtomicInteger left) {
            if (left.getAndDecrement() > 0) {
                throw new OutOfMemoryError("of the test");
            }
            told.add(what);
        }

        @Override
        public void committed(Event event, Outcome outcome) {
            tell(outcome.name(), failures);
        }

        @Override
        public void failed(Event event, ProviderException failure) {
            tell(failure.code(), failures);
        }

        @Override
        public void forbidden(Event event, String reason) {
            tell(reason, failures);
        }

        @Override
        public void broken() {
            tell("broken", brokenFailures);
        }
    }

    @Test
    void nothingTheWriterHasTakenIsLeftWithoutAnAnswer() throws Exception {
        CommitQueue queue = new CommitQueue(
                bench.storeSlot, bench.relay.live(), new Expirations(bench.clock), new Drops(), Long.MAX_VALUE);
        queue.start();
        bench.store.answer = TestStore::unreadable;
        bench.store.gate = new CountDownLatch(1);
        Strict first = new Strict(0, 0);
        Strict sick = new Strict(1, 0);
        Strict dying = new Strict(1, 2);
        Strict dead = new Strict(1, Integer.MAX_VALUE);
        for (Strict each : List.of(first, sick, dying, dead)) {
            assertTrue(queue.offer(bench.note(alice, "n" + each.failures), 0, each));
        }
        bench.store.gate.countDown();
        Await.until(
                "each is told something, once",
                () -> first.told.equals(List.of("relay.internal"))
                        && sick.told.equals(List.of("broken"))
                        && dying.told.equals(List.of("broken")));
        bench.store.answer = outcomes -> outcomes;
        Strict next = new Strict(0, 0);
        assertTrue(queue.offer(bench.note(alice, "next"), 0, next));
        Await.until("the writer goes on", () -> next.told.equals(List.of("STORED")));
        assertEquals(List.of(), dead.told);
        queue.stop(10_000);
    }

    @Test
    void anEventWhoseAnswerFailsIsAnsweredOrItsConnectionCloses() {
        TestClient client = bench.client();
        bench.store.answer = TestStore::unreadable;
        String answer = client.publish(bench.note(alice, "unknown"));
        assertTrue(answer.startsWith("false error: relay.internal it is not known"), answer);
        bench.store.answer = outcomes -> outcomes;
        assertEquals("true ", client.publish(bench.note(alice, "known")));
    }

    @Test
    void anEphemeralEventThatCannotBePassedOnEndsTheConnection() {
        TestClient client = bench.client();
        Session session = (Session) bench.relay.accept(
                new FrameSink() {
                    @Override
                    public void text(String frame) {}

                    @Override
                    public void closed(int code, String reason) {}
                },
                "203.0.113.8");
        AtomicBoolean bad = new AtomicBoolean();
        List<Filter> filters = new AbstractList<>() {
            @Override
            public Filter get(int index) {
                return Filter.builder().kinds(List.of(20_001)).build();
            }

            @Override
            public int size() {
                return 1;
            }

            @Override
            public Stream<Filter> stream() {
                if (bad.get()) {
                    throw new OutOfMemoryError("of the test");
                }
                return super.stream();
            }
        };
        bench.relay.index().add(new Subscription(session, "a", filters));
        Event event = alice.event(Bench.NOW, 20_001, List.of(), "");
        assertEquals("true ", client.publish(event));
        bad.set(true);
        client.send(Frames.publish(alice.event(Bench.NOW, 20_001, List.of(), "again")));
        assertEquals("1011 internal error", client.awaitEnd());
    }

    @Test
    void aClientIsClosedEvenIfThereWasNoMemoryToSayIt() {
        AtomicInteger closed = new AtomicInteger();
        AtomicInteger left = new AtomicInteger();
        Outbound out = new Outbound(
                new FrameSink() {
                    @Override
                    public void text(String frame) {}

                    @Override
                    public void closed(int code, String reason) {
                        closed.set(code);
                    }
                },
                null,
                task -> {
                    if (left.getAndIncrement() < 3) {
                        throw new OutOfMemoryError("of the test");
                    }
                    task.run();
                },
                10,
                10_000,
                new Outbound.Listener() {
                    @Override
                    public void room() {}

                    @Override
                    public void overflow() {}

                    @Override
                    public void broken() {}
                });
        assertThrows(OutOfMemoryError.class, () -> out.offer("a"));
        assertThrows(OutOfMemoryError.class, () -> out.close(1011, "", false));
        assertThrows(OutOfMemoryError.class, () -> out.close(1011, "", false));
        out.close(1011, "", false);
        assertEquals(1011, closed.get());
    }

    @Test
    void eventsThatWaitForTheWriterAreBoundedInBytes() throws Exception {
        CommitQueue queue = new CommitQueue(
                bench.storeSlot, bench.relay.live(), new Expirations(bench.clock), new Drops(), 500_000);
        List<Event> told = new CopyOnWriteArrayList<>();
        Event event = alice.event(Bench.NOW, 1, List.of(), "x".repeat(100_000));
        assertTrue(queue.offer(event, 0, publisher(told)));
        assertTrue(queue.offer(event, 0, publisher(told)));
        assertFalse(queue.offer(event, 0, publisher(told)), "200 KB of heap each");
        queue.start();
        Await.until("both are told", () -> told.size() == 2);
        Await.until("there is room again", () -> queue.offer(event, 0, publisher(told)));
        queue.stop(10_000);
    }

    @Test
    void eventsThatWaitForTheLiveFeedAreBoundedInBytes() throws Exception {
        LiveFeed feed = feed(1_000_000);
        CommitQueue queue =
                new CommitQueue(bench.storeSlot, feed, new Expirations(bench.clock), new Drops(), 1_000_000);
        feed.start();
        queue.start();
        CountDownLatch slow = new CountDownLatch(1);
        feed.post(() -> await(slow));
        List<Event> told = new CopyOnWriteArrayList<>();
        for (int i = 1; i <= 5; i++) {
            int all = i;
            assertTrue(queue.offer(bench.note(alice, "x".repeat(100_000)), 0, publisher(told)));
            Await.until("it is stored", () -> told.size() == all);
        }
        int more = 0;
        while (more < 20 && queue.offer(bench.note(alice, "x".repeat(100_000)), 0, publisher(told))) {
            more++;
        }
        assertEquals(3, more, "the fifth waits with the writer, and these behind it: 200 KB of heap each");
        assertTrue(feed.heldBytes() <= 1_000_000);
        assertFalse(feed.offer(() -> {}, 200_000), "an event that is not stored is not taken either");
        assertTrue(feed.offer(() -> {}, 0), "what holds no event is");
        AtomicInteger overtaken = new AtomicInteger();
        Await.until("nothing small overtakes the writer once it waits", () -> {
            boolean taken = feed.offer(() -> {}, 1);
            overtaken.addAndGet(taken ? 1 : 0);
            return !taken;
        });
        assertTrue(overtaken.get() < 500, "it was full, and nobody's turn: " + overtaken);
        slow.countDown();
        Event last = bench.note(alice, "x".repeat(100_000));
        Await.until("there is room again", () -> queue.offer(last, 0, publisher(told)));
        Await.until("it is told", () -> told.contains(last));
        queue.stop(10_000);
        feed.stop(10_000);
        assertEquals(0, feed.heldBytes());
    }

    private LiveFeed feed(long maxBytes) {
        return new LiveFeed(
                new LiveIndex(),
                new Expirations(bench.clock),
                new Backlog(Long.MAX_VALUE, () -> {}),
                new Drops(),
                maxBytes,
                unused -> {});
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(20, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void stoppingTheLiveFeedDoesNotWaitForEver() {
        Drops drops = new Drops();
        LiveFeed feed = new LiveFeed(
                new LiveIndex(),
                new Expirations(SettableClock.atSecond(Bench.NOW)),
                new Backlog(Long.MAX_VALUE, () -> {}),
                drops,
                Long.MAX_VALUE,
                unused -> {});
        feed.start();
        CountDownLatch never = new CountDownLatch(1);
        feed.post(() -> {
            while (never.getCount() > 0) {
                Thread.onSpinWait();
            }
        });
        boolean full = false;
        while (!full) {
            full = !feed.offer(() -> {}, 0);
        }
        AtomicBoolean stopped = new AtomicBoolean();
        Thread stopper = new Thread(() -> {
            try {
                feed.stop(20);
                feed.post(() -> {});
                stopped.set(true);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        stopper.setDaemon(true);
        stopper.start();
        try {
            Await.until("it stopped, and takes no task any more", stopped::get);
            assertFalse(feed.offer(() -> {}, 0));
        } finally {
            never.countDown();
        }
    }

    @Test
    void anErrorOfAClientsSinkEndsThatClient() {
        AtomicBoolean closed = new AtomicBoolean();
        var channel = bench.relay.accept(
                new FrameSink() {
                    @Override
                    public void text(String frame) {
                        throw new LinkageError("of the test");
                    }

                    @Override
                    public void closed(int code, String reason) {
                        closed.set(code == 1011);
                    }
                },
                "203.0.113.7");
        Await.until("it is closed", closed::get);
        assertTrue(channel.send(Frames.close("a")).toCompletableFuture().isCompletedExceptionally());
        assertEquals(0, bench.relay.connections());
    }
}
