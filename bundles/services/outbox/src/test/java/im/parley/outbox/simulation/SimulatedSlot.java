package im.parley.outbox.simulation;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A slot around one object, which may be taken out, and a count of leases that were not closed. */
public final class SimulatedSlot<T> implements Slot<T> {
    private final String name;
    private volatile @Nullable T object;
    private final AtomicInteger open = new AtomicInteger();

    public SimulatedSlot(String name, @Nullable T object) {
        this.name = name;
        this.object = object;
    }

    public void fill(@Nullable T other) {
        object = other;
    }

    public int open() {
        return open.get();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Lease<T> acquire() throws ProviderException {
        T leased = object;
        if (leased == null) {
            throw new ProviderException(Kind.UNAVAILABLE, "slot.empty", "Nothing fills the slot " + name + ".");
        }
        open.incrementAndGet();
        return new Lease<>() {
            private boolean closed;

            @Override
            public T get() {
                if (closed) {
                    throw new IllegalStateException("the lease was closed");
                }
                return leased;
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
                    open.decrementAndGet();
                }
            }
        };
    }

    @Override
    public Status status() {
        return new Status(name, object == null ? "" : name + "~test", "", open.get());
    }
}
