package im.parley.http.internal;

import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.http.HttpRoute;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Echoes texts, answers GET with what it saw, and checks the contract of the sink on the way. */
final class EchoRoute implements HttpRoute, HttpRoute.WebSocket {
    /** What to do instead of an echo. */
    interface Behaviour {
        void text(Channel channel, String text);
    }

    final int maxFrameBytes;
    final Behaviour behaviour;
    final List<String> texts = new CopyOnWriteArrayList<>();
    final List<Integer> closed = new CopyOnWriteArrayList<>();
    final List<Channel> channels = new CopyOnWriteArrayList<>();
    final AtomicInteger violations = new AtomicInteger();
    volatile @Nullable Request last;
    volatile CompletableFuture<Void> ready = CompletableFuture.completedFuture(null);

    EchoRoute(int maxFrameBytes) {
        this(maxFrameBytes, Channel::send);
    }

    EchoRoute(int maxFrameBytes, Behaviour behaviour) {
        this.maxFrameBytes = maxFrameBytes;
        this.behaviour = behaviour;
    }

    static Map<String, Object> at(String path) {
        return Map.of(HttpRoute.LISTENER, "relay", HttpRoute.PATH, path);
    }

    @Override
    public Answer handle(Request request) {
        last = request;
        return new Answer(200, Map.of("Content-Type", "text/plain"), "hello".getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public WebSocket webSocket(Request request) {
        last = request;
        return this;
    }

    @Override
    public int maxFrameBytes() {
        return maxFrameBytes;
    }

    @Override
    public FrameSink open(Channel toClient) {
        channels.add(toClient);
        return new FrameSink() {
            private final AtomicInteger inside = new AtomicInteger();
            private volatile boolean over;

            @Override
            public void text(String frame) {
                if (inside.incrementAndGet() != 1 || over) {
                    violations.incrementAndGet();
                }
                try {
                    if (texts.size() < 10_000) {
                        texts.add(frame);
                    }
                    behaviour.text(toClient, frame);
                } finally {
                    inside.decrementAndGet();
                }
            }

            @Override
            public CompletionStage<Void> ready() {
                return ready;
            }

            @Override
            public void closed(int code, String reason) {
                if (inside.get() != 0 || over) {
                    violations.incrementAndGet();
                }
                over = true;
                closed.add(code);
            }
        };
    }
}
