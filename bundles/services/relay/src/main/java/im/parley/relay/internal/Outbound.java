package im.parley.relay.internal;

import im.parley.api.transport.FrameSink;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
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

    /** A frame whose bulk may be shared with other clients; made into one text when it is handed over. */
    private record Frame(String head, @Nullable SharedText body) {
        int length() {
            return head.length() + (body == null ? 0 : body.length() + 1);
        }

        String text() {
            return body == null ? head : head + body.text() + "]";
        }
    }

    private final FrameSink sink;
    /** Null if this client's frames are not counted among those of all. */
    private final @Nullable Backlog backlog;

    private final Executor pool;
    private final int maxFrames;
    private final long maxChars;
    private final Listener listener;

    private final Object lock = new Object();
    private final ArrayDeque<Frame> frames = new ArrayDeque<>();
    private long chars;
    private boolean running;
    private boolean suspended;
    private long suspendedSince;
    private boolean roomWanted;
    private boolean overflowed;
    private boolean closing;
    private int closeCode;
    private String closeReason = "";

    Outbound(
            FrameSink sink, @Nullable Backlog backlog, Executor pool, int maxFrames, long maxChars, Listener listener) {
        this.sink = sink;
        this.backlog = backlog;
        this.pool = pool;
        this.maxFrames = maxFrames;
        this.maxChars = maxChars;
        this.listener = listener;
    }

    /** Queues a frame; does nothing once closing. */
    void offer(String frame) {
        offer(new Frame(frame, null));
    }

    /** As {@link #offer(String)}, for the frame that consists of both and a closing bracket. */
    void offer(String head, SharedText body) {
        offer(new Frame(head, body));
    }

    private void offer(Frame frame) {
        boolean tooMuch = false;
        synchronized (lock) {
            if (closing || overflowed) {
                return;
            }
            if (frames.size() >= maxFrames || !frames.isEmpty() && chars + frame.length() > maxChars) {
                overflowed = true;
                tooMuch = true;
            } else {
                frames.add(frame);
                chars += frame.length();
                count(frame);
                if (running) {
                    return;
                }
                running = true;
            }
        }
        if (!tooMuch) {
            start();
            return;
        }
        boolean told = false;
        try {
            pool.execute(listener::overflow);
            told = true;
        } finally {
            if (!told) {
                synchronized (lock) {
                    overflowed = false;
                }
            }
        }
    }

    /** Should the pool have no memory for it, the next frame or the end starts it. */
    private void start() {
        boolean started = false;
        try {
            pool.execute(this::drain);
            started = true;
        } finally {
            if (!started) {
                synchronized (lock) {
                    running = false;
                }
            }
        }
    }

    /** With the lock held. */
    private @Nullable Frame poll() {
        Frame frame = frames.poll();
        if (frame != null) {
            chars -= frame.length();
            uncount(frame);
        }
        return frame;
    }

    private void count(Frame frame) {
        if (backlog != null) {
            backlog.add(Weight.of(frame.head()));
            if (frame.body() != null) {
                frame.body().hold();
            }
        }
    }

    private void uncount(Frame frame) {
        if (backlog != null) {
            backlog.remove(Weight.of(frame.head()));
            if (frame.body() != null) {
                frame.body().letGo();
            }
        }
    }

    /** With the lock held. */
    private void clear() {
        while (!frames.isEmpty()) {
            poll();
        }
    }

    /** What waits, in bytes of heap; shared texts in full. */
    long bytes() {
        synchronized (lock) {
            return 2 * chars;
        }
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
     * Ends the channel; the first call wins, unless it throws.
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
                clear();
            }
            if (running && !suspended) {
                return;
            }
            running = true;
            suspended = false;
        }
        boolean started = false;
        try {
            start();
            started = true;
        } finally {
            if (!started) {
                synchronized (lock) {
                    closing = false;
                }
            }
        }
    }

    private void drain() {
        try {
            for (int i = 0; i < TURN; i++) {
                Frame frame;
                boolean callRoom;
                synchronized (lock) {
                    frame = poll();
                    if (frame == null && !closing) {
                        running = false;
                        return;
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
                sink.text(frame.text());
                if (!waitUntilReady()) {
                    return;
                }
            }
        } catch (RuntimeException | Error e) {
            // An Error too: without its drain the session would live on and never say anything again.
            LOG.warn("A client's sink failed; its connection is closed", e);
            listener.broken();
        }
        start();
    }

    /** False if the drain goes on later. */
    private boolean waitUntilReady() {
        var ready = sink.ready().toCompletableFuture();
        if (ready.isDone()) {
            return true;
        }
        synchronized (lock) {
            if (closing) {
                clear();
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
        start();
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
        } catch (RuntimeException | Error e) {
            LOG.warn("A client's sink failed while it was closed", e);
        }
    }
}
