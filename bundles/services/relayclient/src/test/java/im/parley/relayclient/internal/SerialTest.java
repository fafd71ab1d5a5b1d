package im.parley.relayclient.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Await;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SerialTest {
    private final ExecutorService pool = Executors.newFixedThreadPool(4);
    private final Drops drops = new Drops();

    @AfterEach
    void end() {
        pool.shutdownNow();
    }

    @Test
    void tasksOfManyThreadsNeverOverlapAndKeepTheOrderOfEachThread() {
        Serial serial = new Serial(pool, drops);
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger overlaps = new AtomicInteger();
        AtomicInteger done = new AtomicInteger();
        int[] last = new int[8];
        List<CompletableFuture<Void>> callers = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            int thread = t;
            callers.add(CompletableFuture.runAsync(() -> {
                for (int i = 1; i <= 5_000; i++) {
                    int number = i;
                    assertTrue(serial.execute(() -> {
                        if (inside.incrementAndGet() != 1 || last[thread] != number - 1) {
                            overlaps.incrementAndGet();
                        }
                        last[thread] = number;
                        inside.decrementAndGet();
                        done.incrementAndGet();
                    }));
                }
            }));
        }
        callers.forEach(CompletableFuture::join);
        Await.until("all tasks ran", () -> done.get() == 40_000);
        assertEquals(0, overlaps.get());
    }

    @Test
    void aTaskThatFailsWithWhateverDoesNotStopTheNext() {
        Serial serial = new Serial(pool, drops);
        AtomicInteger ran = new AtomicInteger();
        serial.execute(() -> {
            throw new IllegalStateException("on purpose");
        });
        serial.execute(() -> {
            throw new NoClassDefFoundError("on purpose");
        });
        serial.execute(ran::incrementAndGet);
        Await.until("the third ran", () -> ran.get() == 1);
        assertEquals(2, drops.snapshot().get("task.failed"));
    }

    @Test
    void withoutAThreadWhatWaitsRunsWithTheNextTask() {
        List<Runnable> started = new ArrayList<>();
        AtomicInteger refused = new AtomicInteger(1);
        Serial serial = new Serial(
                task -> {
                    if (refused.getAndDecrement() > 0) {
                        throw new OutOfMemoryError("no thread, on purpose");
                    }
                    started.add(task);
                },
                drops);
        List<Integer> ran = new ArrayList<>();
        assertThrows(OutOfMemoryError.class, () -> serial.execute(() -> ran.add(1)));
        assertTrue(serial.execute(() -> ran.add(2)));
        started.remove(0).run();
        assertEquals(List.of(1, 2), ran);
    }

    @Test
    void itRetiresOnlyWhenNothingWaits() {
        List<Runnable> queued = new ArrayList<>();
        Serial serial = new Serial(queued::add, drops);
        List<Boolean> answers = new ArrayList<>();
        serial.execute(() -> answers.add(serial.retireIfIdle()));
        serial.execute(() -> answers.add(serial.retireIfIdle()));
        queued.remove(0).run();
        assertEquals(List.of(false, true), answers);
        assertFalse(serial.execute(() -> answers.add(true)));
        assertEquals(2, answers.size());
    }
}
