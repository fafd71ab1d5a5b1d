package im.parley.relay.internal;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The memory that all sessions together make the relay hold for them: what waits to be sent, stored events at hand, ids
 * that may come again, frames not handled yet. Bounds per connection alone would let many slow connections exhaust the
 * heap. Thread-safe.
 */
final class Backlog {
    private final long most;
    private final Runnable exceeded;
    private final AtomicLong bytes = new AtomicLong();

    /** @param exceeded told, under any locks, whenever something is added beyond the bound; must return at once */
    Backlog(long most, Runnable exceeded) {
        this.most = most;
        this.exceeded = exceeded;
    }

    void add(long more) {
        if (bytes.addAndGet(more) > most && more > 0) {
            exceeded.run();
        }
    }

    void remove(long fewer) {
        bytes.addAndGet(-fewer);
    }

    boolean isExceeded() {
        return bytes.get() > most;
    }

    long bytes() {
        return bytes.get();
    }
}
