package im.parley.relay.socket.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.RelayEndpoint;
import im.parley.http.HttpRoute;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;

class RelayRouteTest {
    private final Endpoint relay = new Endpoint();
    private final RelayRoute route = new RelayRoute(relay);

    private HttpRoute.Answer ask(String method, Map<String, String> headers) {
        return route.handle(new HttpRoute.Request(method, "/", headers, "203.0.113.7"));
    }

    private static String body(HttpRoute.Answer answer) {
        return new String(answer.body(), StandardCharsets.UTF_8);
    }

    @Test
    void theDocumentIsForThoseWhoNameItsType() {
        for (String accept : List.of(
                "application/nostr+json",
                "Application/Nostr+JSON",
                "text/html, application/nostr+json;q=0.9, */*",
                " application/nostr+json ; charset=utf-8")) {
            HttpRoute.Answer answer = ask("GET", Map.of("accept", accept));
            assertEquals(200, answer.status(), accept);
            assertEquals("application/nostr+json", answer.headers().get("Content-Type"), accept);
            assertEquals(relay.information(), body(answer), accept);
        }
        for (String accept : List.of("", "*/*", "text/html", "application/nostr+jsonx", "application/json", ",;,")) {
            HttpRoute.Answer answer = ask("GET", Map.of("accept", accept));
            assertEquals(200, answer.status(), accept);
            assertTrue(String.valueOf(answer.headers().get("Content-Type")).startsWith("text/plain"), accept);
            assertTrue(body(answer).contains("Nostr relay"), accept);
        }
    }

    @Test
    void everyAnswerMayBeReadFromAnyOrigin() {
        for (String method : List.of("GET", "HEAD", "OPTIONS", "POST")) {
            Map<String, String> headers =
                    ask(method, Map.of("accept", "application/nostr+json")).headers();
            assertEquals("*", headers.get("Access-Control-Allow-Origin"), method);
            assertEquals("*", headers.get("Access-Control-Allow-Headers"), method);
            assertTrue(
                    String.valueOf(headers.get("Access-Control-Allow-Methods")).contains("GET"), method);
        }
        assertEquals(204, ask("OPTIONS", Map.of()).status());
        assertEquals(405, ask("POST", Map.of()).status());
    }

    @Test
    void aSocketBecomesAClientOfTheRelay() {
        Wire socket = new Wire();
        HttpRoute.WebSocket web = route.webSocket(new HttpRoute.Request("GET", "/", Map.of(), "203.0.113.7"));
        assertEquals(131_072, web.maxFrameBytes());
        FrameSink fromClient = web.open(socket);
        assertEquals(List.of("203.0.113.7"), relay.remotes);
        fromClient.text("up");
        relay.toClient.get(0).text("down");
        assertEquals(List.of("up"), relay.wire.texts);
        assertEquals(List.of("down"), socket.texts);
        relay.toClient.get(0).closed(1008, "too slow");
        assertEquals(List.of("1008 too slow"), socket.ends);
        fromClient.closed(1001, "gone");
        assertEquals(List.of("1001 gone"), relay.wire.ends);
    }

    @Test
    void aFullWindowIsNotReadyUntilHalfOfItIsSent() {
        Wire wire = new Wire();
        wire.hold = true;
        Bridge bridge = new Bridge(wire);
        for (int i = 0; i < Bridge.WINDOW_FRAMES; i++) {
            assertTrue(bridge.ready().toCompletableFuture().isDone(), "frame " + i);
            bridge.text("frame " + i);
        }
        CompletableFuture<Void> ready = bridge.ready().toCompletableFuture();
        for (int i = 0; i < Bridge.WINDOW_FRAMES / 2; i++) {
            assertFalse(ready.isDone(), "sent " + i);
            wire.stages.get(i).complete(null);
        }
        assertTrue(ready.isDone());
    }

    @Test
    void largeFramesFillTheWindowToo() {
        Wire wire = new Wire();
        wire.hold = true;
        Bridge bridge = new Bridge(wire);
        bridge.text("x".repeat((int) Bridge.WINDOW_CHARS));
        assertFalse(bridge.ready().toCompletableFuture().isDone());
        wire.stages.get(0).complete(null);
        assertTrue(bridge.ready().toCompletableFuture().isDone());
    }

    @Test
    void theEndFreesWhoeverWaits() {
        Wire wire = new Wire();
        wire.hold = true;
        Bridge bridge = new Bridge(wire);
        for (int i = 0; i < Bridge.WINDOW_FRAMES; i++) {
            bridge.text("frame " + i);
        }
        CompletableFuture<Void> ready = bridge.ready().toCompletableFuture();
        bridge.closed(1000, "bye");
        assertTrue(ready.isDone());
        assertTrue(bridge.ready().toCompletableFuture().isDone());
    }

    @Test
    void whoDoesNotPauseIsClosedWhenTheOtherSideIsFull() {
        Wire wire = new Wire();
        wire.hold = true;
        Bridge bridge = new Bridge(wire);
        bridge.text("one");
        wire.stages
                .get(0)
                .completeExceptionally(new ProviderException(Kind.EXHAUSTED, "channel.full", "Too much waits."));
        assertEquals(List.of("1008 too many frames at once"), wire.ends);
        bridge.text("two");
        wire.stages.get(1).completeExceptionally(new ProviderException(Kind.UNAVAILABLE, "channel.closed", "Closed."));
        assertEquals(1, wire.ends.size());
    }

    /** A channel that remembers. */
    private static final class Wire implements Channel {
        final List<String> texts = new ArrayList<>();
        final List<String> ends = new ArrayList<>();
        final List<CompletableFuture<Void>> stages = new ArrayList<>();
        boolean hold;

        @Override
        public CompletionStage<Void> send(String text) {
            texts.add(text);
            CompletableFuture<Void> stage = new CompletableFuture<>();
            stages.add(stage);
            if (!hold) {
                stage.complete(null);
            }
            return stage;
        }

        @Override
        public void close(int code, String reason) {
            ends.add(code + " " + reason);
        }
    }

    private static final class Endpoint implements RelayEndpoint {
        final Wire wire = new Wire();
        final List<FrameSink> toClient = new ArrayList<>();
        final List<String> remotes = new ArrayList<>();

        @Override
        public Channel accept(FrameSink sink, String remote) {
            toClient.add(sink);
            remotes.add(remote);
            return wire;
        }

        @Override
        public Set<URI> urls() {
            return Set.of();
        }

        @Override
        public String information() {
            return "{\"name\":\"test\"}";
        }

        @Override
        public int maxFrameBytes() {
            return 131_072;
        }
    }
}
