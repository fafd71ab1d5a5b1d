package im.parley.relay.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A slot around one object, which can be taken out and counts its open leases. */
final class TestSlot<T> implements Slot<T> {
    private final String name;
    private final AtomicInteger inFlight = new AtomicInteger();
    private volatile @Nullable T object;

    TestSlot(String name, T object) {
        this.name = name;
        this.object = object;
    }

    void put(@Nullable T other) {
        object = other;
    }

    int inFlight() {
        return inFlight.get();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Lease<T> acquire() throws ProviderException {
        T now = object;
        if (now == null) {
            throw new ProviderException(Kind.UNAVAILABLE, "slot.empty", "Nothing fills the slot " + name + ".");
        }
        inFlight.incrementAndGet();
        return new Lease<>() {
            private boolean closed;

            @Override
            public T get() {
                if (closed) {
                    throw new IllegalStateException("the lease is closed");
                }
                return now;
            }

            @Override
            public String instance() {
                return name + "~test";
            }

            @Override
            public boolean retiring() {
                return false;
            }

            @Override
            public void close() {
                if (!closed) {
                    closed = true;
                    inFlight.decrementAndGet();
                }
            }
        };
    }

    @Override
    public Status status() {
        return new Status(name, object == null ? "" : name + "~test", "", inFlight.get());
    }
}
