package im.parley.relayclient.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.RelayTransport;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.protocol.ClientFrame;
import im.parley.protocol.Frames;
import im.parley.protocol.MalformedFrameException;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.testkit.Seeds;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The client on its own threads, with a relay that answers from another one and drops the line now and then. */
class RelayClientThreadsTest {
    private static final int THREADS = 4;
    private static final int EACH = 250;

    private final List<EventId> arrived = new CopyOnWriteArrayList<>();
    private final ExecutorService relayThread = Executors.newSingleThreadExecutor();

    @Test
    void everyEventIsAnsweredAndTheOrderOfEachCallerIsKept() throws Exception {
        AtomicInteger connections = new AtomicInteger();
        RelayTransport transport = (scope, relay, sink, limits) ->
                CompletableFuture.supplyAsync(() -> new Line(sink, connections.incrementAndGet()), relayThread);
        World.FixedSlot<RelayTransport> slot = new World.FixedSlot<>("transport", transport);
        Secp256k1 curve = new BouncyCastleSecp256k1();
        PooledRelayClient client = new PooledRelayClient(
                slot,
                new World.FixedSlot<>("transport.local", transport),
                new World.FixedSlot<>("curve", curve),
                InstantSource.system(),
                Seeds.secureRandom("relayclient.threads"));
        List<List<EventId>> sent = new ArrayList<>();
        List<CompletableFuture<PublishResult>> results = new CopyOnWriteArrayList<>();
        List<CompletableFuture<Void>> callers = new ArrayList<>();
        for (int t = 0; t < THREADS; t++) {
            List<EventId> mine = new ArrayList<>();
            sent.add(mine);
            int thread = t;
            callers.add(CompletableFuture.runAsync(() -> {
                for (int i = 0; i < EACH; i++) {
                    Event event = event(thread * EACH + i);
                    mine.add(event.id());
                    results.add(client.publish(
                                    Persona.anonymous(Scope.DEFAULT, "out"),
                                    URI.create("wss://relay.example"),
                                    event,
                                    Duration.ofSeconds(30))
                            .toCompletableFuture());
                }
            }));
        }
        for (CompletableFuture<Void> caller : callers) {
            caller.get(30, TimeUnit.SECONDS);
        }
        for (CompletableFuture<PublishResult> result : results) {
            assertEquals(
                    PublishResult.State.ACCEPTED,
                    result.get(60, TimeUnit.SECONDS).state());
        }
        assertEquals(THREADS * EACH, results.size());
        assertTrue(connections.get() > 1, "the line was never dropped");
        List<EventId> once = arrived.stream().distinct().toList();
        assertEquals(THREADS * EACH, once.size());
        for (List<EventId> mine : sent) {
            assertEquals(mine, once.stream().filter(mine::contains).toList());
        }
        client.stop();
        assertEquals(0, slot.inFlight);
        relayThread.shutdownNow();
    }

    private static Event event(int number) {
        byte[] id = ByteBuffer.allocate(32).putInt(number + 1).array();
        return new Event(
                EventId.of(id), PublicKey.of(new byte[32]), 1, 1, List.of(), "e" + number, Signature.of(new byte[64]));
    }

    /** One connection: the first is cut after 100 events, in the middle of answering. */
    private final class Line implements Channel {
        private final FrameSink sink;
        private final int number;
        private int events;
        private boolean closed;

        Line(FrameSink sink, int number) {
            this.sink = sink;
            this.number = number;
        }

        @Override
        public CompletionStage<Void> send(String text) {
            return CompletableFuture.supplyAsync(
                            () -> {
                                if (closed) {
                                    return new ProviderException(Kind.UNAVAILABLE, "channel.closed", "closed");
                                }
                                try {
                                    if (Frames.readClient(text) instanceof ClientFrame.Publish publish) {
                                        arrived.add(publish.event().id());
                                        events++;
                                        if (number == 1 && events == 100) {
                                            end(Channel.ABNORMAL);
                                        } else {
                                            sink.text(Frames.ok(publish.event().id(), true, ""));
                                        }
                                    }
                                    return null;
                                } catch (MalformedFrameException e) {
                                    throw new AssertionError(e);
                                }
                            },
                            relayThread)
                    .thenCompose(failure -> failure == null
                            ? CompletableFuture.completedFuture(null)
                            : CompletableFuture.failedFuture(failure));
        }

        @Override
        public void close(int code, String reason) {
            relayThread.execute(() -> end(code));
        }

        private void end(int code) {
            if (!closed) {
                closed = true;
                sink.closed(code, "");
            }
        }
    }
}
