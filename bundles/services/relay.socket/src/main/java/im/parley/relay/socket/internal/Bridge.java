package im.parley.relay.socket.internal;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * One direction between socket and relay: what comes in as frames goes out on a channel. Counts what the channel has not
 * sent yet, so that the sender learns when to pause: the relay with stored events for a client that reads slowly, the
 * socket with what a client sends faster than the relay handles it.
 */
final class Bridge implements FrameSink {
    /** Fewer than the least the relay lets wait for one client. */
    static final int WINDOW_FRAMES = 12;

    static final long WINDOW_CHARS = 128 << 10;

    private final Channel to;
    private final Object lock = new Object();
    private int frames;
    private long chars;
    private boolean ended;
    private @Nullable CompletableFuture<Void> room;

    Bridge(Channel to) {
        this.to = to;
    }

    @Override
    public void text(String frame) {
        synchronized (lock) {
            frames++;
            chars += frame.length();
        }
        var unused = to.send(frame).whenComplete((nothing, failure) -> sent(frame.length(), failure));
    }

    private void sent(int length, @Nullable Throwable failure) {
        CompletableFuture<Void> waiting;
        synchronized (lock) {
            frames--;
            chars -= length;
            waiting = takeRoom();
        }
        if (failure != null && isFull(failure)) {
            to.close(Channel.POLICY, "too many frames at once");
        }
        if (waiting != null) {
            waiting.complete(null);
        }
    }

    private static boolean isFull(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof ProviderException e && e.code().equals("channel.full");
    }

    /** With the lock held: the stage to complete now, if there is one. */
    private @Nullable CompletableFuture<Void> takeRoom() {
        if (room == null || !ended && (frames > WINDOW_FRAMES / 2 || chars > WINDOW_CHARS / 2)) {
            return null;
        }
        CompletableFuture<Void> waiting = room;
        room = null;
        return waiting;
    }

    @Override
    public CompletionStage<Void> ready() {
        synchronized (lock) {
            if (ended || frames < WINDOW_FRAMES && chars < WINDOW_CHARS) {
                return CompletableFuture.completedFuture(null);
            }
            if (room == null) {
                room = new CompletableFuture<>();
            }
            return room;
        }
    }

    @Override
    public void closed(int code, String reason) {
        CompletableFuture<Void> waiting;
        synchronized (lock) {
            ended = true;
            waiting = takeRoom();
        }
        to.close(code, reason);
        if (waiting != null) {
            waiting.complete(null);
        }
    }
}
