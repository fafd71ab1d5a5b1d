package im.parley.relayclient.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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

    @AfterEach
    void end() {
        pool.shutdownNow();
    }

    @Test
    void tasksOfManyThreadsNeverOverlapAndKeepTheOrderOfEachThread() {
        Serial serial = new Serial(pool);
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
    void aTaskThatFailsDoesNotStopTheNext() {
        Serial serial = new Serial(pool);
        AtomicInteger ran = new AtomicInteger();
        serial.execute(() -> {
            throw new IllegalStateException("on purpose");
        });
        serial.execute(ran::incrementAndGet);
        Await.until("the second ran", () -> ran.get() == 1);
    }

    @Test
    void itRetiresOnlyWhenNothingWaits() {
        List<Runnable> queued = new ArrayList<>();
        Serial serial = new Serial(queued::add);
        List<Boolean> answers = new ArrayList<>();
        serial.execute(() -> answers.add(serial.retireIfIdle()));
        serial.execute(() -> answers.add(serial.retireIfIdle()));
        queued.remove(0).run();
        assertEquals(List.of(false, true), answers);
        assertFalse(serial.execute(() -> answers.add(true)));
        assertEquals(2, answers.size());
    }
}
