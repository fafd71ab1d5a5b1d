package im.parley.relay.internal;

import im.parley.api.transport.FrameSink;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What waits to be sent to one client. Frames keep their order; the client's sink is called by one thread at a time and
 * never by the thread that had something to say, so the writer and the live feed do not depend on any client's pace.
 */
final class Outbound {
    private static final Logger LOG = LoggerFactory.getLogger(Outbound.class);
    private static final int TURN = 64;
    private static final int LOW_FRAMES = 64;
    private static final long LOW_CHARS = 65_536;

    /** Told from pool threads, without any lock held. */
    interface Listener {
        /** There is room again, after {@link #roomOrCall} said no. */
        void room();

        /** The client reads too slowly for what it asked for. */
        void overflow();

        /** The sink threw. */
        void broken();
    }

    private final FrameSink sink;
    private final Executor pool;
    private final int maxFrames;
    private final long maxChars;
    private final Listener listener;

    private final Object lock = new Object();
    private final ArrayDeque<String> frames = new ArrayDeque<>();
    private long chars;
    private boolean running;
    private boolean suspended;
    private long suspendedSince;
    private boolean roomWanted;
    private boolean overflowed;
    private boolean closing;
    private int closeCode;
    private String closeReason = "";

    Outbound(FrameSink sink, Executor pool, int maxFrames, long maxChars, Listener listener) {
        this.sink = sink;
        this.pool = pool;
        this.maxFrames = maxFrames;
        this.maxChars = maxChars;
        this.listener = listener;
    }

    /** Queues a frame; does nothing once closing. */
    void offer(String frame) {
        synchronized (lock) {
            if (closing || overflowed) {
                return;
            }
            if (frames.size() >= maxFrames || !frames.isEmpty() && chars + frame.length() > maxChars) {
                overflowed = true;
            } else {
                frames.add(frame);
                chars += frame.length();
                if (running) {
                    return;
                }
                running = true;
            }
        }
        pool.execute(overflowed ? listener::overflow : this::drain);
    }

    /** True if a bulk sender may go on; otherwise {@link Listener#room} will be called. */
    boolean roomOrCall() {
        synchronized (lock) {
            if (hasRoom()) {
                return true;
            }
            roomWanted = true;
            return false;
        }
    }

    private boolean hasRoom() {
        return frames.size() < LOW_FRAMES && chars < LOW_CHARS;
    }

    /** True if the client has had frames waiting without taking any for that long. */
    boolean stalled(long nanos, long now) {
        synchronized (lock) {
            return suspended && !closing && now - suspendedSince > nanos;
        }
    }

    /**
     * Ends the channel; the first call wins.
     *
     * @param flush whether frames already queued are still handed over, if the client takes them at once
     */
    void close(int code, String reason, boolean flush) {
        synchronized (lock) {
            if (closing) {
                return;
            }
            closing = true;
            closeCode = code;
            closeReason = reason;
            if (!flush || suspended) {
                frames.clear();
                chars = 0;
            }
            if (running && !suspended) {
                return;
            }
            running = true;
            suspended = false;
        }
        pool.execute(this::drain);
    }

    private void drain() {
        for (int i = 0; i < TURN; i++) {
            String frame;
            boolean callRoom;
            synchronized (lock) {
                frame = frames.poll();
                if (frame == null && !closing) {
                    running = false;
                    return;
                }
                if (frame != null) {
                    chars -= frame.length();
                }
                callRoom = roomWanted && hasRoom();
                if (callRoom) {
                    roomWanted = false;
                }
            }
            if (frame == null) {
                finish();
                return;
            }
            if (callRoom) {
                listener.room();
            }
            try {
                sink.text(frame);
                if (!waitUntilReady()) {
                    return;
                }
            } catch (RuntimeException e) {
                LOG.warn("A client's sink failed; its connection is closed", e);
                listener.broken();
            }
        }
        pool.execute(this::drain);
    }

    /** False if the drain goes on later. */
    private boolean waitUntilReady() {
        var ready = sink.ready().toCompletableFuture();
        if (ready.isDone()) {
            return true;
        }
        synchronized (lock) {
            if (closing) {
                frames.clear();
                chars = 0;
                return true;
            }
            suspended = true;
            suspendedSince = System.nanoTime();
        }
        ready.whenComplete((unused, failure) -> resume());
        return false;
    }

    private void resume() {
        synchronized (lock) {
            if (!suspended) {
                return;
            }
            suspended = false;
        }
        pool.execute(this::drain);
    }

    private void finish() {
        int code;
        String reason;
        synchronized (lock) {
            code = closeCode;
            reason = closeReason;
        }
        try {
            sink.closed(code, reason);
        } catch (RuntimeException e) {
            LOG.warn("A client's sink failed while it was closed", e);
        }
    }
}
