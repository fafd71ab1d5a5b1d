package im.parley.bench;

import im.parley.slot.Lease;
import im.parley.slot.Slot;

/** A slot that always holds the same object. */
final class FixedSlot<T> implements Slot<T> {
    private final String name;
    private final T object;

    FixedSlot(String name, T object) {
        this.name = name;
        this.object = object;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Lease<T> acquire() {
        return new Lease<>() {
            @Override
            public T get() {
                return object;
            }

            @Override
            public String instance() {
                return "bench~" + name;
            }

            @Override
            public boolean retiring() {
                return false;
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public Status status() {
        return new Status(name, "bench~" + name, "", 0);
    }
}
