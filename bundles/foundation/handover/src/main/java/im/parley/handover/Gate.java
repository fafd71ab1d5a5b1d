package im.parley.handover;

import im.parley.slot.Mover;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * What writers of a store pass: open, held, or leading elsewhere for good. Thread-safe; a thread that passed may pass again.
 *
 * @param <S> type of the store
 */
final class Gate<S> {
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private volatile @Nullable S elsewhere;

    /**
     * Lets a writer in, or waits while the gate is held.
     *
     * @return null if the writer is in and must {@link #leave}; else where to write, and it is not in
     */
    @Nullable
    S enter() {
        lock.readLock().lock();
        S other = elsewhere;
        if (other != null) {
            lock.readLock().unlock();
        }
        return other;
    }

    void leave() {
        lock.readLock().unlock();
    }

    /** Where to read and write instead; null if here. */
    @Nullable
    S elsewhere() {
        return elsewhere;
    }

    /** As {@link Mover.Tap#hold}. */
    boolean hold(Duration limit) throws InterruptedException {
        return lock.writeLock().tryLock(limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    void redirect(S other) {
        if (!lock.writeLock().isHeldByCurrentThread()) {
            throw new IllegalStateException("writers are not held");
        }
        elsewhere = other;
    }

    void release() {
        lock.writeLock().unlock();
    }

    /** Runs something while no writer is in. */
    void alone(Runnable work) {
        lock.writeLock().lock();
        try {
            work.run();
        } finally {
            lock.writeLock().unlock();
        }
    }
}
