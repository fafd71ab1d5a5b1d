package im.parley.relay.internal;

import static org.junit.jupiter.api.Assertions.assertNull;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.RelayEndpoint;
import im.parley.protocol.Frames;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayFrame;
import im.parley.testkit.Await;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** A client at the relay's endpoint that keeps everything it hears. */
final class TestClient implements FrameSink {
    private final List<RelayFrame> frames = new ArrayList<>();
    private final List<String> raw = new ArrayList<>();
    private final AtomicInteger inside = new AtomicInteger();
    private final List<String> faults = new CopyOnWriteArrayList<>();
    private volatile CompletableFuture<Void> ready = CompletableFuture.completedFuture(null);
    private volatile @Nullable String end;
    private final Channel channel;
    private final String url;

    TestClient(RelayEndpoint relay) {
        this(relay, "203.0.113.7");
    }

    TestClient(RelayEndpoint relay, String remote) {
        url = relay.urls().iterator().next().toString();
        channel = relay.accept(this, remote);
    }

    /** From now on this client takes one frame and is then not ready until {@link #resume}. */
    void pause() {
        ready = new CompletableFuture<>();
    }

    void resume() {
        ready.complete(null);
    }

    @Override
    public void text(String frame) {
        if (inside.incrementAndGet() != 1) {
            faults.add("two calls overlap");
        }
        if (end != null) {
            faults.add("a frame after the end");
        }
        try {
            RelayFrame read = Frames.readRelay(frame);
            synchronized (frames) {
                frames.add(read);
                raw.add(frame);
            }
        } catch (ProtocolException e) {
            faults.add("unreadable: " + frame);
        }
        inside.decrementAndGet();
    }

    @Override
    public CompletionStage<Void> ready() {
        return ready;
    }

    @Override
    public void closed(int code, String reason) {
        if (end != null) {
            faults.add("closed twice");
        }
        end = code + " " + reason;
    }

    CompletableFuture<Void> send(String frame) {
        return channel.send(frame).toCompletableFuture();
    }

    void close() {
        channel.close(Channel.NORMAL, "bye");
    }

    @Nullable
    String end() {
        return end;
    }

    String awaitEnd() {
        return Await.value("the relay closes", () -> Optional.ofNullable(end));
    }

    List<RelayFrame> frames() {
        synchronized (frames) {
            return List.copyOf(frames);
        }
    }

    List<String> raw() {
        synchronized (frames) {
            return List.copyOf(raw);
        }
    }

    /** The first frame of that type for which the condition holds. */
    <T extends RelayFrame> T await(Class<T> type, Predicate<T> condition) {
        return Await.value(
                "a " + type.getSimpleName() + " arrives",
                () -> frames().stream()
                        .filter(type::isInstance)
                        .map(type::cast)
                        .filter(condition)
                        .findFirst());
    }

    String challenge() {
        return await(RelayFrame.Challenge.class, c -> true).challenge();
    }

    RelayFrame.Ok awaitOk(EventId id) {
        return await(RelayFrame.Ok.class, ok -> ok.id().equals(id));
    }

    /** Sends an event and waits for the answer: {@code true} or {@code false}, a space, the message. */
    String publish(Event event) {
        return answer(event, Frames.publish(event));
    }

    String answer(Event event, String frame) {
        int before = countOk(event.id());
        send(frame);
        return Await.value("the event is answered", () -> {
            List<RelayFrame.Ok> all = oks(event.id());
            return all.size() > before
                    ? Optional.of(
                            all.get(before).accepted() + " " + all.get(before).message())
                    : Optional.empty();
        });
    }

    int countOk(EventId id) {
        return oks(id).size();
    }

    private List<RelayFrame.Ok> oks(EventId id) {
        return frames().stream()
                .filter(RelayFrame.Ok.class::isInstance)
                .map(RelayFrame.Ok.class::cast)
                .filter(ok -> ok.id().equals(id))
                .toList();
    }

    void authenticate(TestKey key, long now) {
        Event event = key.event(now, 22242, List.of(List.of("relay", url), List.of("challenge", challenge())), "");
        String answer = answer(event, Frames.auth(event));
        if (!answer.equals("true ")) {
            throw new AssertionError("not authenticated: " + answer);
        }
    }

    /** Sends a REQ and returns the stored events in the order they came, or the reason of CLOSED. */
    Answer ask(String subscription, String... filters) {
        int from = frames().size();
        send("[\"REQ\",\"" + subscription + "\"," + String.join(",", filters) + "]");
        return Await.value("EOSE or CLOSED of " + subscription, () -> answer(subscription, from));
    }

    private Optional<Answer> answer(String subscription, int from) {
        List<Event> events = new ArrayList<>();
        List<RelayFrame> all = frames();
        for (RelayFrame frame : all.subList(from, all.size())) {
            if (frame instanceof RelayFrame.Deliver deliver
                    && deliver.subscription().equals(subscription)) {
                events.add(deliver.event());
            } else if (frame instanceof RelayFrame.Eose eose
                    && eose.subscription().equals(subscription)) {
                return Optional.of(new Answer(events, null));
            } else if (frame instanceof RelayFrame.Closed closed
                    && closed.subscription().equals(subscription)) {
                return Optional.of(new Answer(events, closed.message()));
            }
        }
        return Optional.empty();
    }

    /** @param closed the reason, or null after EOSE */
    record Answer(List<Event> events, @Nullable String closed) {
        List<EventId> ids() {
            return events.stream().map(Event::id).toList();
        }

        /** The reason, or {@code EOSE}. */
        String how() {
            return closed == null ? "EOSE" : closed;
        }
    }

    /** Everything that came under a subscription, stored and new. */
    List<Event> delivered(String subscription) {
        return frames().stream()
                .filter(RelayFrame.Deliver.class::isInstance)
                .map(RelayFrame.Deliver.class::cast)
                .filter(deliver -> deliver.subscription().equals(subscription))
                .map(RelayFrame.Deliver::event)
                .toList();
    }

    void awaitDelivered(String subscription, EventId id) {
        Await.until(
                "the event arrives under " + subscription,
                () -> delivered(subscription).stream()
                        .anyMatch(event -> event.id().equals(id)));
    }

    /** Fails if the relay broke the contract of a sink. */
    void check() {
        assertNull(faults.isEmpty() ? null : faults.get(0));
    }
}
