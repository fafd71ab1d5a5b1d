package im.parley.http.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.http.HttpRoute;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.IteratingCallback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.OutgoingEntry;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One WebSocket: frames in become whole texts for the route's sink, texts out are queued and flushed in batches.
 *
 * <p>Reading goes by demand: the next frame is asked for after the sink took the last text and is ready for more, so a slow sink slows the
 * client down through TCP and one socket never holds more than one message.
 */
final class SocketSession implements FrameHandler, Channel {
    /** What may wait for a client that does not read, or four of the route's largest frames if that is more. */
    static final long MAX_QUEUED_BYTES = 1L << 20;
    /** Nobody alive needs more. */
    private static final int MAX_CONTROL_FRAMES = 1_000;

    private static final long ONE_SECOND = TimeUnit.SECONDS.toNanos(1);
    /** Pieces of one message; see {@link #tooManyPieces}. */
    static final int MAX_FRAGMENTS = 1024;

    private static final Logger log = LoggerFactory.getLogger(SocketSession.class);
    private static final int BAD_DATA = 1003;
    private static final int BAD_TEXT = 1007;
    private static final int SERVER_ERROR = 1011;
    private static final int BATCH_BYTES = 64 * 1024;
    private static final int BATCH_FRAMES = 256;
    // A batch corked by its own reader goes out early once it is this large, so that a long answer streams.
    private static final int CORK_BYTES = 256 * 1024;
    private static final int MAX_REASON_BYTES = 123;

    private record Outgoing(byte[] payload, CompletableFuture<Void> done) {}

    /** How a session ended. */
    private record End(int code, String reason) {}

    private final HttpRoute route;
    private final HttpRoute.WebSocket socket;
    private final int maxFrameBytes;
    private final long maxQueuedBytes;
    private final Keeper keeper;
    private final Executor executor;
    private final Writer writer = new Writer();

    private final Object lock = new Object();
    // Guarded by lock.
    private final ArrayDeque<Outgoing> queue = new ArrayDeque<>();
    private long queuedBytes;
    /** As counted by the keeper: what waits to be written or is being written, and what came of an unfinished message. */
    private long heldBytes;

    // On the reading thread.
    private long controlSince;
    private int controlFrames;

    private boolean wakeScheduled;
    private @Nullable Thread reader;
    private boolean delivering;
    private @Nullable End closing;
    private boolean closeSent;
    private @Nullable End ended;
    private boolean endDelivered;
    private @Nullable FrameSink sink;
    private @Nullable CoreSession core;
    private byte @Nullable [] pongDue;
    private boolean pongInFlight;

    // Only touched while Jetty hands in a frame, which never overlaps.
    private byte[] partial = {};
    private int partialBytes;
    private int pieces;

    // Read by the keeper's thread. Nanoseconds of the keeper's clock; 0 means "not now".
    private volatile long heardAt;
    private volatile long messageSince;
    private volatile long writeSince;
    private volatile long closingSince;
    private volatile boolean pinged;

    SocketSession(HttpRoute route, HttpRoute.WebSocket socket, Keeper keeper, Executor executor) {
        this.route = route;
        this.socket = socket;
        this.maxFrameBytes = socket.maxFrameBytes();
        this.maxQueuedBytes = Math.max(MAX_QUEUED_BYTES, 4L * maxFrameBytes);
        this.keeper = keeper;
        this.executor = executor;
        this.heardAt = keeper.now();
    }

    HttpRoute route() {
        return route;
    }

    // ---- Reading, on Jetty's threads

    @Override
    public void onOpen(CoreSession session, Callback callback) {
        synchronized (lock) {
            core = session;
            delivering = true;
            reader = Thread.currentThread();
        }
        keeper.add(this);
        boolean open = false;
        try {
            FrameSink opened = socket.open(this);
            synchronized (lock) {
                sink = opened;
            }
            open = true;
        } catch (RuntimeException | Error e) {
            log.warn("A route failed to open a WebSocket; it is closed with 1011", e);
        }
        callback.succeeded();
        delivered();
        if (open) {
            session.demand();
        } else {
            stop(SERVER_ERROR, "internal error");
        }
    }

    @Override
    public void onFrame(Frame frame, Callback callback) {
        heardAt = keeper.now();
        pinged = false;
        switch (frame.getOpCode()) {
            case OpCode.CLOSE -> callback.succeeded();
            case OpCode.PING, OpCode.PONG -> {
                if (tooManyControlFrames()) {
                    fail(callback, POLICY, "at most " + MAX_CONTROL_FRAMES + " pings and pongs a second");
                    return;
                }
                if (frame.getOpCode() == OpCode.PING) {
                    pong(copy(frame.getPayload()));
                }
                next(callback);
            }
            case OpCode.BINARY -> fail(callback, BAD_DATA, "text frames only");
            default -> data(frame, callback);
        }
    }

    private boolean tooManyControlFrames() {
        if (heardAt - controlSince >= ONE_SECOND) {
            controlSince = heardAt;
            controlFrames = 0;
        }
        return ++controlFrames > MAX_CONTROL_FRAMES;
    }

    private void data(Frame frame, Callback callback) {
        if (stopping()) {
            next(callback);
            return;
        }
        ByteBuffer payload = frame.getPayload();
        int length = payload.remaining();
        if (frame.getOpCode() == OpCode.TEXT) {
            partialBytes = 0;
            pieces = 0;
            messageSince = keeper.now();
        }
        pieces++;
        if (length > maxFrameBytes - partialBytes) {
            fail(callback, TOO_BIG, "a message has at most " + maxFrameBytes + " bytes");
            return;
        }
        if (tooManyPieces()) {
            fail(callback, POLICY, "a message has at most " + MAX_FRAGMENTS + " fragments");
            return;
        }
        if (!frame.isFin()) {
            append(payload, length);
            keeper.relieve();
            next(callback);
            return;
        }
        String text;
        if (partialBytes == 0 && payload.hasArray()) {
            text = Utf8.decode(payload.array(), payload.arrayOffset() + payload.position(), length);
        } else {
            append(payload, length);
            text = Utf8.decode(partial, 0, partialBytes);
        }
        forgetMessage();
        if (text == null) {
            fail(callback, BAD_TEXT, "not valid UTF-8");
            return;
        }
        callback.succeeded();
        deliver(text);
        demandWhenReady();
    }

    /**
     * Jetty hands a large frame in pieces as the network and the inflater cut it, and does not tell a piece from a
     * fragment; so besides 1,024 each further 512 bytes beyond 16 KiB allow one more, which the smallest TCP segments of
     * an honest client stay below.
     */
    private boolean tooManyPieces() {
        return pieces > MAX_FRAGMENTS + Math.max(0, partialBytes - 16_384) / 512;
    }

    private void append(ByteBuffer payload, int length) {
        int needed = partialBytes + length;
        if (needed > partial.length) {
            int before = partial.length;
            partial = Arrays.copyOf(partial, Math.min(maxFrameBytes, Math.max(1024, needed * 2)));
            hold(partial.length - before);
        }
        payload.duplicate().get(partial, partialBytes, length);
        partialBytes = needed;
    }

    private void forgetMessage() {
        hold(-partial.length);
        partial = new byte[0];
        partialBytes = 0;
        pieces = 0;
        messageSince = 0;
    }

    private void next(Callback callback) {
        callback.succeeded();
        demand();
    }

    private void fail(Callback callback, int code, String reason) {
        forgetMessage();
        callback.succeeded();
        stop(code, reason);
    }

    private void demand() {
        CoreSession session = core();
        if (session != null && session.isInputOpen()) {
            session.demand();
        }
    }

    // A sink with its hands full stops the client through TCP, and no thread waits for it.
    private void demandWhenReady() {
        FrameSink to;
        synchronized (lock) {
            to = sink;
        }
        CompletableFuture<Void> ready;
        try {
            ready = to == null
                    ? CompletableFuture.completedFuture(null)
                    : to.ready().toCompletableFuture();
        } catch (RuntimeException e) {
            log.warn("A route failed when asked for more room; its WebSocket is closed with 1011", e);
            stop(SERVER_ERROR, "internal error");
            return;
        }
        if (ready.isDone()) {
            demand();
        } else {
            ready.whenComplete((unused, failure) -> demand());
        }
    }

    private static byte[] copy(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    private void deliver(String text) {
        FrameSink to;
        synchronized (lock) {
            if (ended != null || closing != null || sink == null) {
                return;
            }
            to = sink;
            delivering = true;
            reader = Thread.currentThread();
        }
        boolean failed = false;
        try {
            to.text(text);
        } catch (RuntimeException | Error e) {
            failed = true;
            log.warn("A route failed on a frame; its WebSocket is closed with 1011", e);
        }
        delivered();
        if (failed) {
            stop(SERVER_ERROR, "internal error");
        }
    }

    // The sink is ours again: hand on an end that came meanwhile, and flush what the sink sent.
    private void delivered() {
        FrameSink to = null;
        End end = null;
        boolean wake;
        synchronized (lock) {
            delivering = false;
            reader = null;
            if (ended != null && !endDelivered && sink != null) {
                endDelivered = true;
                to = sink;
                end = ended;
            }
            wake = !queue.isEmpty() || closing != null && !closeSent;
        }
        if (to != null && end != null) {
            closed(to, end);
        } else if (wake) {
            writer.iterate();
        }
    }

    // A client that pings faster than it reads gets the newest answer only; RFC 6455 section 5.5.3 allows that.
    private void pong(byte[] payload) {
        synchronized (lock) {
            if (pongInFlight) {
                pongDue = payload;
                return;
            }
            pongInFlight = true;
        }
        control(OpCode.PONG, payload, Callback.from(this::pongSent, failure -> {}));
    }

    private void pongSent() {
        byte[] due;
        synchronized (lock) {
            due = pongDue;
            pongDue = null;
            pongInFlight = due != null;
        }
        if (due != null) {
            byte[] payload = due;
            // Not on this stack: a flood of pings would make it deep.
            execute(() -> control(OpCode.PONG, payload, Callback.from(this::pongSent, failure -> {})));
        }
    }

    private void control(byte opcode, byte[] payload, Callback callback) {
        CoreSession session = core();
        if (session == null || !session.isOutputOpen()) {
            callback.succeeded();
            return;
        }
        session.sendFrame(new OutgoingEntry.Builder(new Frame(opcode, ByteBuffer.wrap(payload)), callback).build());
    }

    // ---- Writing, on any thread

    @Override
    public CompletionStage<Void> send(String text) {
        byte[] payload = Utf8.encode(text);
        if (payload == null) {
            return CompletableFuture.failedStage(new ProviderException(
                    Kind.REJECTED, "channel.bad-text", "The text has a lone surrogate and cannot be sent as UTF-8."));
        }
        CompletableFuture<Void> done = new CompletableFuture<>();
        boolean wake;
        synchronized (lock) {
            if (ended != null || closing != null) {
                return CompletableFuture.failedStage(channelClosed());
            }
            if (!queue.isEmpty() && queuedBytes + payload.length > maxQueuedBytes) {
                wake = false;
                done = null;
            } else {
                queue.add(new Outgoing(payload, done));
                queuedBytes += payload.length;
                hold(payload.length);
                boolean corked = Thread.currentThread().equals(reader) && queuedBytes < CORK_BYTES;
                wake = !corked && !wakeScheduled;
                wakeScheduled |= wake;
            }
        }
        if (done == null) {
            stop(POLICY, "too slow: the outbound queue is full");
            return CompletableFuture.failedStage(new ProviderException(
                    Kind.EXHAUSTED,
                    "channel.full",
                    "The peer does not read what waits for it; the channel is closed with 1008."));
        }
        keeper.relieve();
        if (wake) {
            wakeWriter();
        }
        return done;
    }

    private void wakeWriter() {
        execute(writer::iterate);
    }

    private void execute(Runnable work) {
        try {
            executor.execute(work);
        } catch (RejectedExecutionException e) {
            // The server stops; whatever waits is failed when the connection ends.
            log.debug("not run, the server stops");
        }
    }

    @Override
    public void close(int code, String reason) {
        End end = new End(sendable(code) ? code : NORMAL, Utf8.cut(reason, MAX_REASON_BYTES));
        boolean wake;
        synchronized (lock) {
            if (closing != null || ended != null) {
                return;
            }
            closing = end;
            wake = !Thread.currentThread().equals(reader);
        }
        closingSince = keeper.now();
        if (wake) {
            wakeWriter();
        }
    }

    private static boolean sendable(int code) {
        return CloseStatus.isTransmittableStatusCode(code);
    }

    /** Ends without trying what is queued; the peer broke a rule or does not read. */
    void stop(int code, String reason) {
        CoreSession session;
        List<Outgoing> dropped;
        synchronized (lock) {
            if (closeSent || ended != null || core == null) {
                return;
            }
            session = core;
            closing = new End(code, Utf8.cut(reason, MAX_REASON_BYTES));
            closeSent = true;
            dropped = drain();
        }
        if (closingSince == 0) {
            closingSince = keeper.now();
        }
        failAll(dropped);
        session.close(code, Utf8.cut(reason, MAX_REASON_BYTES), Callback.NOOP);
    }

    private boolean stopping() {
        synchronized (lock) {
            return closing != null || ended != null;
        }
    }

    private @Nullable CoreSession core() {
        synchronized (lock) {
            return core;
        }
    }

    private List<Outgoing> drain() {
        List<Outgoing> all = new ArrayList<>(queue);
        queue.clear();
        for (Outgoing one : all) {
            queuedBytes -= one.payload.length;
            hold(-one.payload.length);
        }
        return all;
    }

    /** Counts what this socket makes the server hold; after its end nothing. */
    private void hold(long bytes) {
        synchronized (lock) {
            if (ended != null) {
                return;
            }
            heldBytes += bytes;
        }
        keeper.hold(bytes);
    }

    long heldBytes() {
        synchronized (lock) {
            return heldBytes;
        }
    }

    /** Ends at once, because all sockets together hold too much and this one most of it. */
    void cut() {
        stop(POLICY, "too slow: too much waits for all clients, and most of it for you");
        // The close frame is behind what the peer does not read, and so would be the memory.
        hangUp();
    }

    private static void failAll(List<Outgoing> dropped) {
        for (Outgoing one : dropped) {
            one.done.completeExceptionally(channelClosed());
        }
    }

    private static ProviderException channelClosed() {
        return new ProviderException(Kind.UNAVAILABLE, "channel.closed", "The channel is closed; open a new one.");
    }

    /** One write per batch: a write per frame costs three times as much. */
    private final class Writer extends IteratingCallback {
        private List<Outgoing> batch = List.of();

        @Override
        protected Action process() {
            List<Outgoing> next = new ArrayList<>();
            CoreSession session;
            End close = null;
            synchronized (lock) {
                wakeScheduled = false;
                session = core;
                int bytes = 0;
                while (!queue.isEmpty() && next.size() < BATCH_FRAMES && (bytes == 0 || bytes < BATCH_BYTES)) {
                    Outgoing one = queue.remove();
                    bytes += one.payload.length;
                    next.add(one);
                }
                if (next.isEmpty() && closing != null && !closeSent) {
                    closeSent = true;
                    close = closing;
                }
            }
            if (session == null || next.isEmpty()) {
                if (session != null && close != null) {
                    session.close(close.code, close.reason, Callback.NOOP);
                }
                return Action.IDLE;
            }
            batch = next;
            writeSince = keeper.now();
            for (Outgoing one : next) {
                Frame frame = new Frame(OpCode.TEXT, ByteBuffer.wrap(one.payload));
                session.sendFrame(new OutgoingEntry.Builder(frame, Callback.NOOP)
                        .batch(true)
                        .build());
            }
            session.flush(this);
            return Action.SCHEDULED;
        }

        @Override
        protected void onSuccess() {
            List<Outgoing> written = finished();
            for (Outgoing one : written) {
                one.done.complete(null);
            }
        }

        @Override
        protected void onCompleteFailure(Throwable cause) {
            failAll(finished());
            List<Outgoing> dropped;
            synchronized (lock) {
                dropped = drain();
            }
            failAll(dropped);
            hangUp();
        }

        private List<Outgoing> finished() {
            List<Outgoing> written = batch;
            batch = List.of();
            writeSince = 0;
            synchronized (lock) {
                for (Outgoing one : written) {
                    queuedBytes -= one.payload.length;
                    hold(-one.payload.length);
                }
            }
            return written;
        }
    }

    // ---- The end

    @Override
    public void onError(Throwable cause, Callback callback) {
        log.debug("WebSocket error: {}", cause.toString());
        callback.succeeded();
    }

    @Override
    public void onClosed(CloseStatus status, Callback callback) {
        String reason = status.getReason();
        end(status.getCode(), reason == null ? "" : reason);
        callback.succeeded();
    }

    private void end(int code, String reason) {
        List<Outgoing> dropped;
        FrameSink to = null;
        End how;
        synchronized (lock) {
            if (ended != null) {
                return;
            }
            // What we closed with says more than how the connection broke afterwards.
            how = closing != null && closeSent ? closing : new End(code, reason);
            ended = how;
            keeper.hold(-heldBytes);
            heldBytes = 0;
            dropped = drain();
            if (!delivering && sink != null) {
                endDelivered = true;
                to = sink;
            }
        }
        keeper.remove(this);
        failAll(dropped);
        if (to != null) {
            closed(to, how);
        }
    }

    private static void closed(FrameSink sink, End end) {
        try {
            sink.closed(end.code, end.reason);
        } catch (RuntimeException | Error e) {
            log.warn("A route failed on the end of a WebSocket", e);
        }
    }

    private void hangUp() {
        CoreSession session = core();
        if (session != null) {
            session.abort();
        }
        end(ABNORMAL, "connection lost");
    }

    /** Called by the keeper now and then: pings, and ends what is idle, unfinished or stuck. */
    void check(long now, Settings.SocketLimits limits) {
        long closingFrom = closingSince;
        if (closingFrom != 0) {
            if (now - closingFrom > limits.closeWithin().toNanos()) {
                hangUp();
            }
            return;
        }
        long message = messageSince;
        if (message != 0 && now - message > limits.messageWithin().toNanos()) {
            stop(POLICY, "the message was not finished in time");
            return;
        }
        long write = writeSince;
        if (write != 0 && now - write > limits.closeAfter().toNanos()) {
            stop(POLICY, "too slow: a write did not finish");
            return;
        }
        long silent = now - heardAt;
        if (silent > limits.closeAfter().toNanos()) {
            stop(GOING_AWAY, "idle");
        } else if (silent > limits.pingAfter().toNanos() && !pinged) {
            pinged = true;
            control(OpCode.PING, new byte[0], Callback.NOOP);
        }
    }
}
