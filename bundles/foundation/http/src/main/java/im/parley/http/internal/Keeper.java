package im.parley.http.internal;

import im.parley.http.HttpRoute;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.util.thread.Scheduler;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Knows every open WebSocket and looks after its time limits, all of them with one timer. Thread-safe. */
final class Keeper {
    private static final Logger LOG = LoggerFactory.getLogger(Keeper.class);

    private final Set<SocketSession> sessions = ConcurrentHashMap.newKeySet();
    private final Settings.SocketLimits limits;
    private final Scheduler scheduler;
    private final long periodMillis;
    private final long maxHeldBytes;
    private final AtomicLong heldBytes = new AtomicLong();
    private final AtomicBoolean relieving = new AtomicBoolean();
    private volatile Scheduler.@Nullable Task task;
    private volatile boolean stopped;

    /** @param maxHeldBytes that all sockets together may make the server hold */
    Keeper(Settings.SocketLimits limits, long maxHeldBytes, Scheduler scheduler) {
        this.maxHeldBytes = maxHeldBytes;
        this.limits = limits;
        this.scheduler = scheduler;
        long shortest = Math.min(
                Math.min(limits.pingAfter().toMillis(), limits.messageWithin().toMillis()),
                limits.closeWithin().toMillis());
        this.periodMillis = Math.max(10, Math.min(1000, shortest / 4));
    }

    void start() {
        task = scheduler.schedule(this::sweep, periodMillis, TimeUnit.MILLISECONDS);
    }

    private void sweep() {
        try {
            long now = now();
            for (SocketSession session : sessions) {
                check(session, now);
            }
        } finally {
            if (!stopped) {
                start();
            }
        }
    }

    private void check(SocketSession session, long now) {
        try {
            session.check(now, limits);
        } catch (RuntimeException | Error e) {
            // An Error too: a route whose bundle goes away throws LinkageError, and this is the only timer there is.
            LOG.warn("A WebSocket could not be looked after; the others are, and the next turn tries again", e);
        }
    }

    /** Monotonic, never 0. */
    long now() {
        return System.nanoTime() | 1;
    }

    void add(SocketSession session) {
        sessions.add(session);
        if (stopped) {
            session.close(SocketSession.GOING_AWAY, "the server stops");
        }
    }

    void remove(SocketSession session) {
        sessions.remove(session);
        if (stopped) {
            synchronized (this) {
                notifyAll();
            }
        }
    }

    void hold(long bytes) {
        heldBytes.addAndGet(bytes);
    }

    long heldBytes() {
        return heldBytes.get();
    }

    /** Cuts off whoever holds most until the rest fits; bounds per socket alone do not bound the memory of many. */
    void relieve() {
        while (heldBytes.get() > maxHeldBytes && relieving.compareAndSet(false, true)) {
            try {
                SocketSession largest = null;
                long most = 0;
                for (SocketSession session : sessions) {
                    long held = session.heldBytes();
                    if (held > most) {
                        most = held;
                        largest = session;
                    }
                }
                if (largest == null) {
                    return;
                }
                largest.cut();
            } finally {
                relieving.set(false);
            }
        }
    }

    int open() {
        return sessions.size();
    }

    /** The route went away, and no object of it may be called any more. */
    void closeAll(HttpRoute route) {
        for (SocketSession session : sessions) {
            if (session.route() == route) {
                session.close(SocketSession.GOING_AWAY, "the service stops");
            }
        }
    }

    /** Says good-bye to all and waits until they are gone, at most that long. */
    void drain(Duration atMost) {
        stopped = true;
        for (SocketSession session : sessions) {
            session.close(SocketSession.GOING_AWAY, "the server stops");
        }
        long deadline = System.nanoTime() + atMost.toNanos();
        synchronized (this) {
            while (!sessions.isEmpty()) {
                long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (left <= 0) {
                    break;
                }
                try {
                    wait(Math.min(left, 100));
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    break;
                }
            }
        }
        Scheduler.Task last = task;
        if (last != null) {
            last.cancel();
        }
    }
}
