package im.parley.transport.websocket;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.Limits;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.IteratingCallback;
import org.eclipse.jetty.util.thread.Scheduler;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.WebSocketCoreSession;
import org.eclipse.jetty.websocket.core.exception.CloseException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One open WebSocket. Outbound frames wait in one queue with a bound in bytes and leave one after the other. Inbound
 * frames are joined up to the limit, decoded strictly and handed on one at a time; the next is read when the sink
 * returned. The sink hears of the end exactly once, after its last frame. Thread-safe; no lock is held in a callback.
 */
final class WebSocketChannel implements Channel, FrameHandler {
    private static final Logger LOG = LoggerFactory.getLogger(WebSocketChannel.class);
    private static final long CLOSE_MILLIS = 5_000;
    private static final int MAX_EMPTY_FRAGMENTS = 1024;

    private record Outgoing(ByteBuffer payload, int bytes, CompletableFuture<Void> left) {}

    private record End(int code, String reason) {}

    private final Opening opening;
    private final FrameSink sink;
    private final Limits limits;
    private final int maxQueuedBytes;
    private final Scheduler scheduler;
    private final Consumer<WebSocketChannel> onEnd;
    private final Pump pump = new Pump();

    private final Object lock = new Object();
    private final ArrayDeque<Outgoing> queue = new ArrayDeque<>();
    private @Nullable Outgoing leaving;
    private int queuedBytes;
    private @Nullable End closing;
    private boolean inSink;
    private boolean ended;
    private @Nullable End endAfterSink;
    private Scheduler.@Nullable Task closeTimer;
    private Scheduler.@Nullable Task pingTimer;

    // The session is set once, before the channel is handed out.
    private volatile @Nullable WebSocketCoreSession session;

    // Touched by the reading thread alone, which Jetty never doubles.
    private @Nullable ByteArrayOutputStream message;
    private int emptyFragments;

    // Touched by the ping timer alone.
    private long bytesSeen;
    private int silentTicks;

    WebSocketChannel(
            Opening opening,
            FrameSink sink,
            Limits limits,
            int maxQueuedBytes,
            Scheduler scheduler,
            Consumer<WebSocketChannel> onEnd) {
        this.opening = opening;
        this.sink = sink;
        this.limits = limits;
        this.maxQueuedBytes = maxQueuedBytes;
        this.scheduler = scheduler;
        this.onEnd = onEnd;
    }

    /** Applies the limits before the first byte is parsed. */
    void configure(WebSocketCoreSession target) {
        // Fragmenting lets long outbound frames pass; inbound ones are counted here, over all their fragments.
        target.setAutoFragment(true);
        target.setMaxFrameSize(limits.maxFrameBytes());
        target.setMaxTextMessageSize(limits.maxFrameBytes());
    }

    @Override
    public CompletionStage<Void> send(String text) {
        ByteBuffer payload;
        try {
            payload = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
        } catch (CharacterCodingException e) {
            return CompletableFuture.failedFuture(new ProviderException(
                    Kind.REJECTED, "channel.bad-text", "The frame has a lone surrogate, which UTF-8 cannot carry."));
        }
        Outgoing frame = new Outgoing(payload, payload.remaining(), new CompletableFuture<>());
        synchronized (lock) {
            if (ended || endAfterSink != null || closing != null) {
                return CompletableFuture.failedFuture(Failures.closed());
            }
            if (queuedBytes > maxQueuedBytes - frame.bytes()) {
                return CompletableFuture.failedFuture(Failures.full());
            }
            queuedBytes += frame.bytes();
            queue.add(frame);
        }
        pump.iterate();
        return frame.left();
    }

    @Override
    public void close(int code, String reason) {
        synchronized (lock) {
            if (ended || endAfterSink != null || closing != null) {
                return;
            }
            closing = new End(CloseStatus.isTransmittableStatusCode(code) ? code : NORMAL, reason);
            closeTimer = schedule(() -> abort("the relay did not answer the close frame"), CLOSE_MILLIS);
        }
        pump.iterate();
    }

    /** Ends the channel, or the attempt to open it, because the transport stops. */
    void shutDown() {
        if (!opening.fail(Failures.shutDown())) {
            abort("the transport is shutting down");
        }
    }

    /** Ends an open channel at once, without a word to the relay. */
    private void abort(String why) {
        WebSocketCoreSession open = session;
        if (open != null) {
            open.abort();
        }
        ended(ABNORMAL, why);
    }

    @Override
    public void onOpen(CoreSession coreSession, Callback callback) {
        WebSocketCoreSession open = (WebSocketCoreSession) coreSession;
        session = open;
        callback.succeeded();
        if (!opening.succeed()) {
            synchronized (lock) {
                ended = true;
            }
            onEnd.accept(this);
            open.abort();
            return;
        }
        long tick = Math.max(1, limits.idleTimeout().toMillis() / 2);
        synchronized (lock) {
            if (!ended) {
                pingTimer = schedule(() -> tick(open, tick), tick);
            }
        }
        opening.stage.complete(this);
        coreSession.demand();
    }

    @Override
    public void onFrame(Frame frame, Callback callback) {
        CoreSession open = session;
        if (open == null) {
            callback.failed(new IllegalStateException("a frame before the channel was open"));
            return;
        }
        try {
            switch (frame.getOpCode()) {
                case OpCode.TEXT, OpCode.CONTINUATION -> {
                    onText(frame);
                    callback.succeeded();
                    open.demand();
                }
                case OpCode.PING -> {
                    ByteBuffer echo = ByteBuffer.allocate(frame.getPayloadLength());
                    if (frame.hasPayload()) {
                        echo.put(frame.getPayload().slice());
                    }
                    echo.flip();
                    // The next frame is read when the pong has left, so pings cannot pile up pongs.
                    open.sendFrame(new Frame(OpCode.PONG, true, echo), Callback.from(open::demand, callback), false);
                }
                case OpCode.PONG -> {
                    callback.succeeded();
                    open.demand();
                }
                case OpCode.CLOSE -> callback.succeeded();
                default -> throw new CloseException(CloseStatus.BAD_DATA, "only text frames are spoken here");
            }
        } catch (Throwable e) {
            callback.failed(e);
        }
    }

    private void onText(Frame frame) {
        int length = frame.getPayloadLength();
        ByteArrayOutputStream soFar = message;
        if (frame.isFin() && soFar == null) {
            checkSize(length);
            deliver(decode(frame.hasPayload() ? frame.getPayload().slice() : ByteBuffer.allocate(0)));
            return;
        }
        if (soFar == null) {
            soFar = new ByteArrayOutputStream(Math.min(limits.maxFrameBytes(), Math.max(256, 2 * length)));
            message = soFar;
            emptyFragments = 0;
        }
        checkSize((long) soFar.size() + length);
        if (length == 0 && ++emptyFragments > MAX_EMPTY_FRAGMENTS) {
            throw new CloseException(CloseStatus.POLICY_VIOLATION, "too many empty fragments");
        }
        if (frame.hasPayload()) {
            byte[] bytes = new byte[length];
            frame.getPayload().slice().get(bytes);
            soFar.write(bytes, 0, length);
        }
        if (frame.isFin()) {
            message = null;
            deliver(decode(ByteBuffer.wrap(soFar.toByteArray())));
        }
    }

    private void checkSize(long bytes) {
        if (bytes > limits.maxFrameBytes()) {
            message = null;
            throw new CloseException(
                    CloseStatus.MESSAGE_TOO_LARGE, "frames have at most " + limits.maxFrameBytes() + " bytes");
        }
    }

    private static String decode(ByteBuffer payload) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(payload).toString();
        } catch (CharacterCodingException e) {
            throw new CloseException(CloseStatus.BAD_PAYLOAD, "text frames are UTF-8");
        }
    }

    private void deliver(String text) {
        synchronized (lock) {
            if (ended) {
                return;
            }
            inSink = true;
        }
        End end = null;
        try {
            sink.text(text);
        } catch (RuntimeException e) {
            LOG.warn("the owner of a relay channel failed on a frame; the channel is closed", e);
            throw new CloseException(CloseStatus.SERVER_ERROR, "internal error");
        } finally {
            synchronized (lock) {
                inSink = false;
                if (endAfterSink != null && !ended) {
                    end = endAfterSink;
                    ended = true;
                }
            }
            if (end != null) {
                tellEnd(end);
            }
        }
    }

    @Override
    public void onError(Throwable cause, Callback callback) {
        LOG.debug("a relay connection failed", cause);
        callback.succeeded();
    }

    @Override
    public void onClosed(CloseStatus status, Callback callback) {
        ended(status.getCode(), status.getReason() == null ? "" : status.getReason());
        callback.succeeded();
    }

    private void ended(int code, String reason) {
        End end = new End(code, reason);
        boolean tell;
        synchronized (lock) {
            if (ended || endAfterSink != null) {
                return;
            }
            cancel(closeTimer);
            cancel(pingTimer);
            closeTimer = null;
            pingTimer = null;
            tell = !inSink;
            if (tell) {
                ended = true;
            } else {
                endAfterSink = end;
            }
        }
        failQueued();
        onEnd.accept(this);
        if (tell) {
            tellEnd(end);
        }
    }

    private void tellEnd(End end) {
        try {
            sink.closed(end.code(), end.reason());
        } catch (RuntimeException e) {
            LOG.warn("the owner of a relay channel failed when told of its end", e);
        }
    }

    private void failQueued() {
        List<Outgoing> lost;
        synchronized (lock) {
            lost = new ArrayList<>(queue);
            queue.clear();
            if (leaving != null) {
                lost.add(0, leaving);
                leaving = null;
            }
            queuedBytes = 0;
        }
        for (Outgoing frame : lost) {
            frame.left().completeExceptionally(Failures.closed());
        }
    }

    private void tick(WebSocketCoreSession open, long millis) {
        long bytes = open.getConnection().getBytesIn();
        if (bytes != bytesSeen) {
            bytesSeen = bytes;
            silentTicks = 0;
        } else {
            silentTicks++;
        }
        if (silentTicks >= 4) {
            abort("the relay went silent");
            return;
        }
        if (silentTicks == 2) {
            open.sendFrame(new Frame(OpCode.PING), Callback.NOOP, false);
        }
        synchronized (lock) {
            if (!ended && endAfterSink == null) {
                pingTimer = schedule(() -> tick(open, millis), millis);
            }
        }
    }

    private Scheduler.Task schedule(Runnable action, long millis) {
        return scheduler.schedule(action, millis, TimeUnit.MILLISECONDS);
    }

    private static void cancel(Scheduler.@Nullable Task task) {
        if (task != null) {
            task.cancel();
        }
    }

    /** Takes one frame after the other out of the queue, the close frame last. */
    private final class Pump extends IteratingCallback {
        @Override
        protected Action process() {
            WebSocketCoreSession open = session;
            Outgoing next;
            End close = null;
            synchronized (lock) {
                if (open == null || ended) {
                    return Action.IDLE;
                }
                next = queue.poll();
                leaving = next;
                if (next == null) {
                    close = closing;
                }
            }
            if (next != null) {
                open.sendFrame(new Frame(OpCode.TEXT, true, next.payload()), this, false);
                return Action.SCHEDULED;
            }
            if (close != null) {
                open.close(close.code(), close.reason(), Callback.NOOP);
                return Action.SUCCEEDED;
            }
            return Action.IDLE;
        }

        @Override
        protected void onSuccess() {
            Outgoing done;
            synchronized (lock) {
                done = leaving;
                leaving = null;
                if (done != null) {
                    queuedBytes -= done.bytes();
                }
            }
            if (done != null) {
                done.left().complete(null);
            }
        }

        @Override
        protected void onCompleteFailure(Throwable cause) {
            WebSocketChannel.this.abort("a frame could not be sent");
        }
    }
}
