package im.parley.transport.local;

import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.Limits;
import im.parley.api.transport.RelayEndpoint;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One channel: a pipe to the relay and a pipe back, and one end for both. */
final class LocalChannel implements Channel {
    private static final Logger LOG = LoggerFactory.getLogger(LocalChannel.class);
    private static final String REMOTE = "local";
    private static final int MAX_REASON_BYTES = 123;
    private static final int INTERNAL_ERROR = 1011;

    private final FrameSink client;
    private final Limits limits;
    private final Consumer<LocalChannel> onEnd;
    private final Pipe toRelay;
    private final Pipe toClient;
    private volatile @Nullable Channel relay;
    private volatile boolean aborted;

    LocalChannel(FrameSink client, Limits limits, Executor executor, Consumer<LocalChannel> onEnd) {
        this.client = client;
        this.limits = limits;
        this.onEnd = onEnd;
        toRelay = new Pipe(executor, this::handToRelay);
        toClient = new Pipe(executor, this::handToClient);
    }

    void connect(RelayEndpoint endpoint) {
        Channel accepted = endpoint.accept(new FromRelay(), REMOTE);
        relay = accepted;
        // What the relay said first may have ended this channel before it had the relay's side of it.
        if (aborted) {
            accepted.close(GOING_AWAY, "the client is gone");
        }
    }

    @Override
    public CompletionStage<Void> send(String text) {
        return toRelay.send(text);
    }

    @Override
    public void close(int code, String reason) {
        String cut = cut(reason);
        // The relay answers with closed(), which ends the other direction too.
        toRelay.end(Pipe.End.AFTER_ALL, () -> hangUp(code, cut));
    }

    /** Ends both directions without trying what is queued. */
    void abort(int code, String reason) {
        aborted = true;
        toRelay.end(Pipe.End.NOW, () -> {});
        hangUp(code, reason);
        tellClient(Pipe.End.NOW, code, reason);
    }

    private void hangUp(int code, String reason) {
        Channel to = relay;
        if (to != null) {
            to.close(code, reason);
        }
    }

    private void tellClient(Pipe.End when, int code, String reason) {
        toClient.end(when, () -> {
            onEnd.accept(this);
            try {
                client.closed(code, reason);
            } catch (RuntimeException e) {
                LOG.warn("A client's sink failed when its channel ended", e);
            }
        });
    }

    private CompletionStage<Void> handToRelay(String frame) {
        Channel to = relay;
        return to == null ? CompletableFuture.failedFuture(Pipe.channelClosed()) : to.send(frame);
    }

    private CompletionStage<Void> handToClient(String frame) {
        try {
            client.text(frame);
        } catch (RuntimeException e) {
            LOG.warn("A client's sink failed on a frame; its channel is closed", e);
            abort(INTERNAL_ERROR, "internal error");
            return CompletableFuture.failedFuture(e);
        }
        return client.ready();
    }

    /** Longer reasons are cut between characters. */
    private static String cut(String reason) {
        int bytes = 0;
        for (int i = 0; i < reason.length(); ) {
            int point = reason.codePointAt(i);
            bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
            if (bytes > MAX_REASON_BYTES) {
                return reason.substring(0, i);
            }
            i += Character.charCount(point);
        }
        return reason;
    }

    /** What the relay says. */
    private final class FromRelay implements FrameSink {
        @Override
        public void text(String frame) {
            // A UTF-16 unit is at most three bytes, so most frames need no counting.
            if (frame.length() * 3L > limits.maxFrameBytes() && utf8Length(frame) > limits.maxFrameBytes()) {
                abort(TOO_BIG, "a frame may have " + limits.maxFrameBytes() + " bytes at most");
                return;
            }
            if (toClient.send(frame).isCompletedExceptionally()) {
                abort(POLICY, "too slow: more waits for this client than is kept");
            }
        }

        @Override
        public CompletionStage<Void> ready() {
            return toClient.ready();
        }

        @Override
        public void closed(int code, String reason) {
            toRelay.end(Pipe.End.NOW, () -> {});
            tellClient(Pipe.End.AFTER_WHAT_FLOWS, code, reason);
        }

        private long utf8Length(String text) {
            long bytes = 0;
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                bytes += c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate(c) ? 2 : 3;
            }
            return bytes;
        }
    }
}
