package im.parley.slot.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.slot.Lease;
import im.parley.testkit.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class HolderTest {
    private final AtomicInteger released = new AtomicInteger();
    private final Object object = new Object();
    private final Holder<Object> holder = new Holder<>("pid~name", object, released::incrementAndGet);

    @Test
    void aLeaseGivesTheObjectUntilItIsClosed() {
        Lease<Object> lease = lease();
        assertSame(object, lease.get());
        lease.close();
        lease.close();
        assertThrows(IllegalStateException.class, lease::get);
        assertEquals(0, holder.leases());
    }

    @Test
    void retiringWaitsForOpenLeasesAndThenClosesOnce() throws Exception {
        Lease<Object> lease = lease();
        ExecutorService executor = Executors.newSingleThreadExecutor();
        try {
            Future<Holder.Retirement> ended = executor.submit(() -> holder.retire(Duration.ofSeconds(30)));
            Await.until("the lease sees that it is retiring", lease::retiring);
            assertNull(holder.lease(), "no new lease on a retired holder");
            assertEquals(0, released.get(), "in-flight work still runs");
            assertSame(object, lease.get());
            lease.close();
            assertEquals(new Holder.Retirement(1, 0), ended.get());
            assertEquals(1, ended.get().drained());
            assertEquals(1, released.get());
            assertEquals(new Holder.Retirement(0, 0), holder.retire(Duration.ZERO));
            assertEquals(1, released.get());
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void aLeaseThatOutlivesTheDrainIsCutAndCounted() {
        Lease<Object> lease = lease();
        assertEquals(new Holder.Retirement(1, 1), holder.retire(Duration.ofMillis(20)));
        assertEquals(1, released.get());
        assertThrows(IllegalStateException.class, lease::get, "its object is closed");
        lease.close();
    }

    @Test
    void underLoadNoLeaseIsUsedAfterTheObjectIsClosed() throws Exception {
        AtomicBoolean closed = new AtomicBoolean();
        Holder<Object> busy = new Holder<>("pid~name", object, () -> closed.set(true));
        AtomicInteger used = new AtomicInteger();
        AtomicInteger late = new AtomicInteger();
        ExecutorService executor = Executors.newFixedThreadPool(8);
        List<Future<?>> users = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            users.add(executor.submit(() -> {
                while (true) {
                    try (Lease<Object> lease = busy.lease()) {
                        if (lease == null) {
                            return;
                        }
                        if (closed.get()) {
                            late.incrementAndGet();
                        }
                        used.incrementAndGet();
                    }
                }
            }));
        }
        Await.until("some work was done", () -> used.get() > 10_000);
        assertEquals(0, busy.retire(Duration.ofSeconds(10)).cut());
        for (Future<?> user : users) {
            user.get();
        }
        executor.shutdownNow();
        assertEquals(0, late.get());
        assertTrue(closed.get());
    }

    private Lease<Object> lease() {
        Lease<Object> lease = holder.lease();
        assertNotNull(lease);
        return lease;
    }
}
