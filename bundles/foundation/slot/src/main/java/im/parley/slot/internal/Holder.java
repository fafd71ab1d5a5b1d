package im.parley.slot.internal;

import im.parley.slot.Lease;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** One opened provider object with the leases on it. Retired once, closed once, after its last lease or the drain's end. */
final class Holder<T> {
    private final String instance;
    private final T object;
    private final Runnable release;
    private int leases;
    private boolean retired;
    private boolean closed;

    /**
     * How a retirement went.
     *
     * @param inFlight leases open when it began
     * @param cut of them, those that outlived the drain
     */
    record Retirement(int inFlight, int cut) {
        int drained() {
            return inFlight - cut;
        }
    }

    /** @param release closes the object and gives the service back; run once */
    Holder(String instance, T object, Runnable release) {
        this.instance = instance;
        this.object = object;
        this.release = release;
    }

    String instance() {
        return instance;
    }

    synchronized int leases() {
        return leases;
    }

    /** A new lease, or null if this holder is retired. */
    synchronized @Nullable Lease<T> lease() {
        if (retired) {
            return null;
        }
        leases++;
        return new HeldLease();
    }

    /** Ends this holder: no new leases, wait for the open ones, close. */
    Retirement retire(Duration drain) {
        int inFlight;
        int cut;
        synchronized (this) {
            retired = true;
            inFlight = leases;
            long deadline = System.nanoTime() + drain.toNanos();
            boolean interrupted = false;
            while (leases > 0 && !interrupted) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    break;
                }
                try {
                    wait(Math.max(1, left / 1_000_000));
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    interrupted = true;
                }
            }
            cut = leases;
            if (closed) {
                return new Retirement(0, 0);
            }
            closed = true;
        }
        release.run();
        return new Retirement(inFlight, cut);
    }

    private synchronized void returned() {
        leases--;
        if (leases == 0) {
            notifyAll();
        }
    }

    private synchronized boolean isRetired() {
        return retired;
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    private final class HeldLease implements Lease<T> {
        private final AtomicBoolean open = new AtomicBoolean(true);

        @Override
        public T get() {
            if (!open.get()) {
                throw new IllegalStateException("the lease on " + instance + " is closed");
            }
            if (isClosed()) {
                throw new IllegalStateException(
                        "the lease on " + instance + " was cut: it outlived the drain of a swap");
            }
            return object;
        }

        @Override
        public String instance() {
            return instance;
        }

        @Override
        public boolean retiring() {
            return isRetired();
        }

        @Override
        public void close() {
            if (open.compareAndSet(true, false)) {
                returned();
            }
        }
    }
}
