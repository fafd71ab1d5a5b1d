package im.parley.transport.local;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One direction of a channel. Frames are handed on in order, one at a time, on the executor and never on the thread that
 * brought them, so neither side can call back into itself. The next frame waits for the stage of the last one.
 */
final class Pipe {
    static final int MAX_FRAMES = 4_096;
    static final long MAX_CHARS = 8 << 20;
    private static final int TURN = 32;
    private static final int LOW_FRAMES = 16;
    private static final long LOW_CHARS = 256 << 10;

    private record Entry(String frame, CompletableFuture<Void> done) {}

    private final Executor executor;
    private final Function<String, CompletionStage<Void>> deliver;

    private final Object lock = new Object();
    private final ArrayDeque<Entry> queue = new ArrayDeque<>();
    private long chars;
    private boolean running;
    /** Between two frames, until the stage of the first ends. */
    private boolean suspended;

    private boolean impatient;
    private @Nullable Runnable last;
    private @Nullable CompletableFuture<Void> room;

    /** @param deliver hands one frame on; the next follows when its stage ends, well or not */
    Pipe(Executor executor, Function<String, CompletionStage<Void>> deliver) {
        this.executor = executor;
        this.deliver = deliver;
    }

    /** @return completes with the stage of {@code deliver}; {@code channel.closed}, {@code channel.full} */
    CompletableFuture<Void> send(String frame) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        synchronized (lock) {
            if (last != null) {
                return CompletableFuture.failedFuture(channelClosed());
            }
            if (queue.size() >= MAX_FRAMES || !queue.isEmpty() && chars + frame.length() > MAX_CHARS) {
                return CompletableFuture.failedFuture(new ProviderException(
                        Kind.EXHAUSTED, "channel.full", "Too much waits to be sent; wait for earlier frames."));
            }
            queue.add(new Entry(frame, done));
            chars += frame.length();
            if (running) {
                return done;
            }
            running = true;
        }
        start();
        return done;
    }

    /** When little enough is queued for a bulk sender to go on. */
    CompletionStage<Void> ready() {
        synchronized (lock) {
            if (last != null || hasRoom()) {
                return CompletableFuture.completedFuture(null);
            }
            if (room == null) {
                room = new CompletableFuture<>();
            }
            return room;
        }
    }

    private boolean hasRoom() {
        return queue.size() < LOW_FRAMES && chars < LOW_CHARS;
    }

    /** How much of what is queued an end waits for. */
    enum End {
        /** All of it. */
        AFTER_ALL,
        /** As long as each frame is taken at once. */
        AFTER_WHAT_FLOWS,
        /** None. */
        NOW
    }

    /** Takes no more frames and runs the task after the last one; the first call wins. */
    void end(End when, Runnable task) {
        List<Entry> dropped;
        CompletableFuture<Void> waiting;
        boolean start;
        synchronized (lock) {
            if (last != null) {
                return;
            }
            last = task;
            impatient = when != End.AFTER_ALL;
            dropped = when == End.NOW || impatient && suspended ? drain() : List.of();
            waiting = room;
            room = null;
            start = !running || impatient && suspended;
            running = true;
            suspended &= !start;
        }
        fail(dropped);
        if (waiting != null) {
            waiting.complete(null);
        }
        if (start) {
            start();
        }
    }

    /** With the lock held. */
    private List<Entry> drain() {
        List<Entry> all = List.copyOf(queue);
        queue.clear();
        chars = 0;
        return all;
    }

    private static void fail(List<Entry> dropped) {
        dropped.forEach(entry -> entry.done().completeExceptionally(channelClosed()));
    }

    private void start() {
        try {
            executor.execute(this::run);
        } catch (RejectedExecutionException e) {
            // The host stops. Nothing can be handed on any more, but the end must still be told.
            Runnable end;
            List<Entry> dropped;
            synchronized (lock) {
                dropped = drain();
                end = last;
                last = () -> {};
            }
            fail(dropped);
            if (end != null) {
                end.run();
            }
        }
    }

    private void run() {
        for (int i = 0; i < TURN; i++) {
            Entry entry;
            Runnable end = null;
            CompletableFuture<Void> waiting = null;
            synchronized (lock) {
                entry = queue.poll();
                if (entry == null) {
                    if (last == null) {
                        running = false;
                        return;
                    }
                    // Stays running: nothing follows the end.
                    end = last;
                } else {
                    chars -= entry.frame().length();
                    if (room != null && hasRoom()) {
                        waiting = room;
                        room = null;
                    }
                }
            }
            if (waiting != null) {
                waiting.complete(null);
            }
            if (end != null) {
                end.run();
                return;
            }
            if (entry != null && !handOn(entry)) {
                return;
            }
        }
        start();
    }

    /** False if the pipe goes on later, when the stage of this frame ends. */
    private boolean handOn(Entry entry) {
        CompletableFuture<Void> delivered;
        try {
            delivered = deliver.apply(entry.frame()).toCompletableFuture();
        } catch (RuntimeException e) {
            delivered = CompletableFuture.failedFuture(e);
        }
        if (delivered.isDone()) {
            finish(entry, delivered);
            return true;
        }
        CompletableFuture<Void> stage = delivered;
        List<Entry> dropped = List.of();
        boolean wait;
        synchronized (lock) {
            wait = !impatient;
            suspended = wait;
            if (!wait) {
                dropped = drain();
            }
        }
        fail(dropped);
        finish(entry, stage);
        if (wait) {
            stage.whenComplete((unused, failure) -> resume());
        }
        return !wait;
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

    private static void finish(Entry entry, CompletableFuture<Void> stage) {
        stage.whenComplete((unused, failure) -> {
            if (failure == null) {
                entry.done().complete(null);
            } else {
                entry.done().completeExceptionally(failure);
            }
        });
    }

    static ProviderException channelClosed() {
        return new ProviderException(Kind.UNAVAILABLE, "channel.closed", "The channel to the relay is closed.");
    }
}
