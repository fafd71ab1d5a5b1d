package im.parley.transport.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.Limits;
import im.parley.api.transport.RelayEndpoint;
import im.parley.testkit.Await;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LocalTransportTest {
    private static final URI URL = URI.create("ws://127.0.0.1:7470");
    private static final Limits LIMITS = new Limits(4096, Duration.ofSeconds(5), Duration.ofSeconds(5));

    private final ExecutorService executor = Executors.newFixedThreadPool(2);
    private final Echo relay = new Echo();
    private final LocalTransport transport = new LocalTransport(() -> Optional.of(relay), executor);

    @AfterEach
    void stop() throws InterruptedException {
        transport.close();
        executor.shutdown();
        assertTrue(executor.awaitTermination(5, TimeUnit.SECONDS));
    }

    @Test
    void framesKeepTheirOrderBothWaysAndNeverRunOnTheSendersThread() {
        Sink sink = new Sink();
        Channel channel = open(sink);
        List<String> sent =
                IntStream.range(0, 2_000).mapToObj(i -> "frame " + i).toList();
        sent.forEach(channel::send);
        Await.until("all frames came back", () -> sink.texts.size() == sent.size());
        assertEquals(sent, List.copyOf(sink.texts));
        assertFalse(sink.threads.contains(Thread.currentThread()));
        assertFalse(relay.threads.contains(Thread.currentThread()));
    }

    @Test
    void aSinkThatAnswersEachFrameDoesNotRecurse() {
        Sink sink = new Sink() {
            @Override
            public void text(String frame) {
                super.text(frame);
                int number = Integer.parseInt(frame);
                if (number > 0) {
                    var unused = relayChannel().send(Integer.toString(number - 1));
                }
            }
        };
        Channel channel = open(sink);
        sink.channel.complete(channel);
        channel.send("20000");
        Await.until("the exchange ended", () -> sink.texts.size() == 20_001);
    }

    @Test
    void aStageCompletesWhenTheRelayTookTheFrame() {
        CompletableFuture<Void> gate = new CompletableFuture<>();
        relay.taken = gate;
        Channel channel = open(new Sink());
        CompletableFuture<Void> first = channel.send("one").toCompletableFuture();
        CompletableFuture<Void> second = channel.send("two").toCompletableFuture();
        Await.until("the first frame is at the relay", () -> relay.texts.size() == 1);
        assertFalse(first.isDone());
        gate.complete(null);
        first.join();
        second.join();
        assertEquals(List.of("one", "two"), List.copyOf(relay.texts));
    }

    @Test
    void aRelayThatTakesNothingMakesTheChannelFull() {
        relay.taken = new CompletableFuture<>();
        Channel channel = open(new Sink());
        String frame = "x".repeat(4096);
        int limit = Pipe.MAX_FRAMES + 2;
        Optional<CompletionStage<Void>> full = IntStream.range(0, limit)
                .mapToObj(i -> channel.send(frame))
                .filter(stage -> stage.toCompletableFuture().isCompletedExceptionally())
                .findFirst();
        assertEquals("channel.full", code(full.orElseThrow()));
    }

    @Test
    void aClientThatIsNotReadyHoldsTheRelayBack() {
        Sink sink = new Sink();
        sink.ready = new CompletableFuture<>();
        open(sink);
        FrameSink toClient = relay.sinks.get(0);
        IntStream.range(0, 100).forEach(i -> toClient.text("frame " + i));
        CompletableFuture<Void> ready = toClient.ready().toCompletableFuture();
        Await.until("the first frame arrived", () -> sink.texts.size() == 1);
        assertFalse(ready.isDone());
        sink.ready.complete(null);
        ready.join();
        Await.until("the others arrived", () -> sink.texts.size() == 100);
    }

    @Test
    void closingTriesWhatIsQueuedAndTellsBothSidesOnce() {
        Sink sink = new Sink();
        Channel channel = open(sink);
        IntStream.range(0, 100).forEach(i -> channel.send("frame " + i));
        channel.close(Channel.NORMAL, "done");
        channel.close(Channel.GOING_AWAY, "again");
        Await.until("the client was told", () -> sink.ends.size() == 1);
        assertEquals(List.of("1000 done"), List.copyOf(sink.ends));
        assertEquals(List.of("1000 done"), List.copyOf(relay.ends));
        assertEquals(100, relay.texts.size());
        assertEquals("channel.closed", code(channel.send("late")));
    }

    @Test
    void aRelayThatClosesFailsWhatWaits() {
        relay.taken = new CompletableFuture<>();
        Sink sink = new Sink();
        Channel channel = open(sink);
        channel.send("taken");
        CompletionStage<Void> waiting = channel.send("waiting");
        Await.until("the first frame is at the relay", () -> relay.texts.size() == 1);
        relay.sinks.get(0).closed(Channel.GOING_AWAY, "the relay stops");
        Await.until("the client was told", () -> sink.ends.size() == 1);
        assertEquals(List.of("1001 the relay stops"), List.copyOf(sink.ends));
        assertEquals("channel.closed", code(waiting));
    }

    @Test
    void aClientThatNeverGetsReadyIsStillToldTheEnd() {
        Sink sink = new Sink();
        sink.ready = new CompletableFuture<>();
        open(sink);
        FrameSink toClient = relay.sinks.get(0);
        toClient.text("one");
        toClient.text("two");
        Await.until("the first frame arrived", () -> sink.texts.size() == 1);
        toClient.closed(Channel.POLICY, "too slow");
        Await.until("the client was told", () -> sink.ends.size() == 1);
        assertEquals(List.of("1008 too slow"), List.copyOf(sink.ends));
    }

    @Test
    void aFrameAboveTheClientsLimitEndsTheChannel() {
        Sink sink = new Sink();
        open(sink);
        relay.sinks.get(0).text("é".repeat(2049));
        Await.until("the client was told", () -> sink.ends.size() == 1);
        assertTrue(sink.ends.get(0).startsWith("1009 "), sink.ends.get(0));
        assertTrue(relay.ends.get(0).startsWith("1009 "), relay.ends.get(0));
        assertTrue(sink.texts.isEmpty());
    }

    @Test
    void anEndThatComesBeforeAcceptReturnsReachesBothSides() {
        relay.onAccept = sink -> sink.text("x".repeat(5000));
        Sink sink = new Sink();
        open(sink);
        Await.until("both were told", () -> sink.ends.size() == 1 && relay.ends.size() == 1);
    }

    @Test
    void withoutARelayOrForAnotherAddressItSaysSo() {
        LocalTransport alone = new LocalTransport(Optional::empty, executor);
        assertEquals("relay.absent", code(alone.open(Scope.DEFAULT, URL, new Sink(), LIMITS)));
        for (String other : List.of(
                "ws://127.0.0.1:7471", "wss://127.0.0.1:7470", "ws://u@127.0.0.1:7470", "ws://127.0.0.1:7470/x")) {
            assertEquals(
                    "relay.bad-url", code(transport.open(Scope.DEFAULT, URI.create(other), new Sink(), LIMITS)), other);
        }
        assertTrue(relay.sinks.isEmpty());
        transport
                .open(Scope.DEFAULT, URI.create("WS://127.0.0.1:7470/"), new Sink(), LIMITS)
                .toCompletableFuture()
                .join();
    }

    @Test
    void closingTheTransportEndsItsChannelsAndOpensNoMore() {
        Sink sink = new Sink();
        open(sink);
        transport.close();
        Await.until("the client was told", () -> sink.ends.size() == 1);
        assertTrue(sink.ends.get(0).startsWith("1001 "));
        assertEquals("relay.absent", code(transport.open(Scope.DEFAULT, URL, new Sink(), LIMITS)));
    }

    @Test
    void aRelayThatWasReplacedStaysBound() {
        LocalTransportProvider provider = new LocalTransportProvider();
        Echo fresh = new Echo();
        provider.bindRelay(relay);
        provider.bindRelay(fresh);
        provider.unbindRelay(relay);
        assertSame(fresh, provider.relay().orElseThrow());
        provider.unbindRelay(fresh);
        assertTrue(provider.relay().isEmpty());
    }

    private Channel open(Sink sink) {
        return transport
                .open(Scope.DEFAULT, URL, sink, LIMITS)
                .toCompletableFuture()
                .join();
    }

    private static String code(CompletionStage<?> stage) {
        CompletionException failure = assertThrows(
                CompletionException.class, () -> stage.toCompletableFuture().join());
        return assertInstanceOf(ProviderException.class, failure.getCause()).code();
    }

    /** A client. */
    private static class Sink implements FrameSink {
        final List<String> texts = Collections.synchronizedList(new ArrayList<>());
        final List<String> ends = Collections.synchronizedList(new ArrayList<>());
        final Set<Thread> threads = Collections.synchronizedSet(new HashSet<>());
        final CompletableFuture<Channel> channel = new CompletableFuture<>();
        volatile CompletableFuture<Void> ready = CompletableFuture.completedFuture(null);

        Channel relayChannel() {
            return channel.join();
        }

        @Override
        public void text(String frame) {
            threads.add(Thread.currentThread());
            texts.add(frame);
        }

        @Override
        public CompletionStage<Void> ready() {
            return ready;
        }

        @Override
        public void closed(int code, String reason) {
            ends.add(code + " " + reason);
        }
    }

    /** A relay that says back what it hears. */
    private static final class Echo implements RelayEndpoint {
        final List<FrameSink> sinks = Collections.synchronizedList(new ArrayList<>());
        final List<String> texts = Collections.synchronizedList(new ArrayList<>());
        final List<String> ends = Collections.synchronizedList(new ArrayList<>());
        final Set<Thread> threads = Collections.synchronizedSet(new HashSet<>());
        volatile CompletableFuture<Void> taken = CompletableFuture.completedFuture(null);
        volatile @Nullable Consumer<FrameSink> onAccept;

        @Override
        public Channel accept(FrameSink toClient, String remote) {
            assertEquals("local", remote);
            sinks.add(toClient);
            if (onAccept != null) {
                onAccept.accept(toClient);
            }
            return new Channel() {
                @Override
                public CompletionStage<Void> send(String text) {
                    threads.add(Thread.currentThread());
                    texts.add(text);
                    toClient.text(text);
                    return taken;
                }

                @Override
                public void close(int code, String reason) {
                    ends.add(code + " " + reason);
                    toClient.closed(code, reason);
                }
            };
        }

        @Override
        public Set<URI> urls() {
            return Set.of(URL);
        }

        @Override
        public String information() {
            return "{}";
        }

        @Override
        public int maxFrameBytes() {
            return 131_072;
        }
    }
}
