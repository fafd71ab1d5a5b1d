package im.parley.itests.process;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** A bare client of a relay on the JDK's own WebSocket: sends what it is told, hands back what arrives. */
final class RelaySocket implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(15);

    private final LinkedBlockingQueue<JsonNode> frames = new LinkedBlockingQueue<>();
    private final WebSocket socket;
    private String challenge = "";

    private RelaySocket(URI url) {
        socket = HttpClient.newHttpClient()
                .newWebSocketBuilder()
                .connectTimeout(PATIENCE)
                .buildAsync(url, new Listener())
                .join();
    }

    /** Connects and waits for the NIP-42 challenge, which our relay sends first. */
    static RelaySocket open(URI url) throws Exception {
        RelaySocket socket = new RelaySocket(url);
        socket.challenge = socket.next(frame -> frame.get(0).asText().equals("AUTH"))
                .get(1)
                .asText();
        return socket;
    }

    String challenge() {
        return challenge;
    }

    void send(String frame) {
        socket.sendText(frame, true).join();
    }

    /** Sends what the relay may hang up on before it is sent whole. */
    void sendDespiteHangUp(String frame) {
        socket.sendText(frame, true).exceptionally(hungUp -> socket).join();
    }

    /** The next frame, or null if none comes in that time. */
    JsonNode nextWithin(long time, TimeUnit unit) throws InterruptedException {
        return frames.poll(time, unit);
    }

    /** The next frame that fits; earlier ones that do not fit are dropped. */
    JsonNode next(Predicate<JsonNode> fits) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            JsonNode frame = frames.poll(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            if (frame == null) {
                throw new AssertionError("no such frame within " + PATIENCE);
            }
            if (fits.test(frame)) {
                return frame;
            }
        }
    }

    /** Publishes and returns the relay's OK frame. */
    JsonNode publish(String eventJson) throws Exception {
        String id = Peers.JSON.readTree(eventJson).get("id").asText();
        send("[\"EVENT\"," + eventJson + "]");
        return next(frame ->
                frame.get(0).asText().equals("OK") && frame.get(1).asText().equals(id));
    }

    /** Authenticates as that key and returns the OK frame. */
    JsonNode authenticate(TestKey key, URI relay) throws Exception {
        String event =
                key.sign(22242, List.of(List.of("relay", relay.toString()), List.of("challenge", challenge)), "");
        String id = Peers.JSON.readTree(event).get("id").asText();
        send("[\"AUTH\"," + event + "]");
        return next(frame ->
                frame.get(0).asText().equals("OK") && frame.get(1).asText().equals(id));
    }

    /** What a subscription got before it ended: its events, and how it ended. */
    Answer request(String subscription, String... filters) throws Exception {
        send("[\"REQ\",\"" + subscription + "\"," + String.join(",", filters) + "]");
        List<JsonNode> events = new ArrayList<>();
        while (true) {
            JsonNode frame = next(f -> f.size() > 1 && f.get(1).asText().equals(subscription));
            switch (frame.get(0).asText()) {
                case "EVENT" -> events.add(frame.get(2));
                case "EOSE" -> {
                    return new Answer(events, "");
                }
                case "CLOSED" -> {
                    return new Answer(events, frame.get(2).asText());
                }
                default -> throw new AssertionError("unexpected " + frame);
            }
        }
    }

    /** Every frame that waits now. */
    List<JsonNode> drain() {
        List<JsonNode> waiting = new ArrayList<>();
        frames.drainTo(waiting);
        return waiting;
    }

    @Override
    public void close() {
        socket.abort();
    }

    record Answer(List<JsonNode> events, String closed) {}

    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket webSocket, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                try {
                    frames.add(Peers.JSON.readTree(text.toString()));
                } catch (java.io.IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
                text.setLength(0);
            }
            webSocket.request(1);
            return null;
        }

        @Override
        public void onError(WebSocket webSocket, Throwable error) {
            // The frame that a test waits for does not come: that is how it learns.
        }
    }
}
