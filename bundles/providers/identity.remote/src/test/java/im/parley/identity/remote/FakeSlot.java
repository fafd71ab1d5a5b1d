package im.parley.identity.remote;

import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.util.concurrent.atomic.AtomicInteger;

/** A filled slot that counts its open leases. */
final class FakeSlot<T> implements Slot<T> {
    private final T object;
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicInteger taken = new AtomicInteger();

    FakeSlot(T object) {
        this.object = object;
    }

    @Override
    public String name() {
        return "curve";
    }

    @Override
    public Lease<T> acquire() {
        open.incrementAndGet();
        taken.incrementAndGet();
        return new Lease<>() {
            private boolean closed;

            @Override
            public T get() {
                if (closed) {
                    throw new IllegalStateException("closed");
                }
                return object;
            }

            @Override
            public String instance() {
                return "fake~test";
            }

            @Override
            public boolean retiring() {
                return false;
            }

            @Override
            public void close() {
                if (!closed) {
                    closed = true;
                    open.decrementAndGet();
                }
            }
        };
    }

    @Override
    public Status status() {
        return new Status("curve", "fake~test", "", open.get());
    }

    int open() {
        return open.get();
    }

    int taken() {
        return taken.get();
    }
}
