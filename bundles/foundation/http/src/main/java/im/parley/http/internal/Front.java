package im.parley.http.internal;

import im.parley.http.ContentRoute;
import im.parley.http.HttpRoute;
import im.parley.http.HttpRoute.Answer;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.Configuration;
import org.eclipse.jetty.websocket.core.ExtensionConfig;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.WebSocketComponents;
import org.eclipse.jetty.websocket.core.server.Handshaker;
import org.eclipse.jetty.websocket.core.server.ServerUpgradeRequest;
import org.eclipse.jetty.websocket.core.server.ServerUpgradeResponse;
import org.eclipse.jetty.websocket.core.server.WebSocketNegotiator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every request comes through here: Host, then path, then route. What is not registered does not exist. */
final class Front extends Handler.Abstract {
    /** Longest request body that is read and thrown away; only a content route takes any. */
    static final long MAX_BODY_BYTES = 64 * 1024;

    static final int MAX_PATH_CHARS = 2048;
    static final String DEFLATE = "permessage-deflate";

    private static final Logger log = LoggerFactory.getLogger(Front.class);
    private static final Set<String> WINDOW_BITS = Set.of("8", "9", "10", "11", "12", "13", "14", "15");

    private final Map<String, HostCheck> hosts;
    private final Routes routes;
    private final Keeper keeper;
    private final ContentHost content;
    private final WebSocketComponents components;
    private final Handshaker handshaker = Handshaker.newInstance();

    Front(
            Map<String, HostCheck> hosts,
            Routes routes,
            Keeper keeper,
            ContentHost content,
            WebSocketComponents components) {
        this.hosts = Map.copyOf(hosts);
        this.routes = routes;
        this.keeper = keeper;
        this.content = content;
        this.components = components;
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) throws Exception {
        String listener = request.getConnectionMetaData().getConnector().getName();
        if (!hostAllowed(listener, request)) {
            // A client that talks to the wrong host has nothing more to say on this connection.
            response.getHeaders().put(HttpHeader.CONNECTION, "close");
            answer(
                    request,
                    response,
                    callback,
                    Answer.problem(
                            421,
                            "host.denied",
                            "This server does not answer to that Host. Use the address it was started with, or add the"
                                    + " name to the hosts of this listener."));
            return true;
        }
        String path = request.getHttpURI().getPath();
        HttpRoute route = path == null ? null : routes.find(listener, path);
        ContentRoute streamed = path == null || route != null ? null : routes.content(listener);
        Answer refusal = refuse(request, path, streamed != null);
        if (refusal != null) {
            answer(request, response, callback, refusal);
            return true;
        }
        if (streamed != null) {
            content.serve(streamed, request(request, path), request, response, callback);
            return true;
        }
        if (route == null) {
            answer(request, response, callback, notFound());
            return true;
        }
        HttpRoute.Request asked = request(request, path);
        if (wantsWebSocket(request)) {
            upgrade(route, asked, request, response, callback);
            return true;
        }
        Answer answer;
        try {
            answer = route.handle(asked);
        } catch (RuntimeException e) {
            log.warn("A route failed on a request; it is answered with 500", e);
            answer = Answer.problem(500, "http.internal", "The request failed inside the server; its log says why.");
        }
        answer(request, response, callback, answer);
        return true;
    }

    private boolean hostAllowed(String listener, Request request) {
        HostCheck check = hosts.get(listener);
        List<String> values = new ArrayList<>();
        for (HttpField field : request.getHeaders()) {
            if (field.getHeader() == HttpHeader.HOST) {
                values.add(field.getValue() == null ? "" : field.getValue());
            }
        }
        if (check == null || values.size() != 1 || !check.allows(values.get(0))) {
            return false;
        }
        String authority = request.getHttpURI().getAuthority();
        return authority == null || authority.equalsIgnoreCase(values.get(0));
    }

    private static @Nullable Answer refuse(Request request, @Nullable String path, boolean streamed) {
        String method = request.getMethod();
        if (HttpMethod.TRACE.is(method) || HttpMethod.CONNECT.is(method)) {
            return Answer.problem(405, "http.method", "This method is not served here.");
        }
        if (path != null && path.length() > MAX_PATH_CHARS) {
            return Answer.problem(414, "http.path-too-long", "A path has at most " + MAX_PATH_CHARS + " characters.");
        }
        boolean chunked = request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING);
        if (!streamed && (chunked || request.getLength() > MAX_BODY_BYTES)) {
            return Answer.problem(
                    413, "http.body-too-large", "A request has at most 64 KiB of body and gives its Content-Length.");
        }
        return null;
    }

    private static Answer notFound() {
        return Answer.problem(404, "http.not-found", "Nothing is served at this path.");
    }

    private static HttpRoute.Request request(Request request, String path) {
        Map<String, String> headers = new LinkedHashMap<>();
        for (HttpField field : request.getHeaders()) {
            headers.merge(
                    field.getName().toLowerCase(Locale.ROOT),
                    field.getValue() == null ? "" : field.getValue(),
                    (a, b) -> a + ", " + b);
        }
        String remote = request.getConnectionMetaData().getRemoteSocketAddress() instanceof InetSocketAddress address
                        && address.getAddress() != null
                ? address.getAddress().getHostAddress()
                : "";
        return new HttpRoute.Request(request.getMethod(), path, Map.copyOf(headers), remote);
    }

    private static boolean wantsWebSocket(Request request) {
        return HttpMethod.GET.is(request.getMethod()) && request.getHeaders().contains(HttpHeader.UPGRADE, "websocket");
    }

    private void upgrade(
            HttpRoute route, HttpRoute.Request asked, Request request, Response response, Callback callback) {
        HttpRoute.WebSocket socket;
        try {
            socket = route.webSocket(asked);
        } catch (RuntimeException e) {
            log.warn("A route failed on an upgrade; it is answered with 500", e);
            answer(
                    request,
                    response,
                    callback,
                    Answer.problem(500, "http.internal", "The request failed inside the server; its log says why."));
            return;
        }
        if (socket == null) {
            answer(request, response, callback, notFound());
            return;
        }
        if (!handshaker.isWebSocketUpgradeRequest(request)) {
            response.getHeaders().put(HttpHeader.SEC_WEBSOCKET_VERSION, "13");
            answer(
                    request,
                    response,
                    callback,
                    Answer.problem(
                            426, "http.websocket-version", "Only version 13 of the WebSocket protocol is spoken."));
            return;
        }
        Negotiator negotiator = new Negotiator(new SocketSession(route, socket, keeper, components.getExecutor()));
        if (!handshaker.upgradeRequest(negotiator, request, response, callback, components, null)) {
            answer(
                    request,
                    response,
                    callback,
                    Answer.problem(400, "http.bad-upgrade", "The WebSocket handshake is not as RFC 6455 wants it."));
        }
    }

    private record Negotiator(SocketSession session) implements WebSocketNegotiator {
        @Override
        public FrameHandler negotiate(ServerUpgradeRequest request, ServerUpgradeResponse response, Callback callback) {
            List<ExtensionConfig> accepted = new ArrayList<>();
            for (ExtensionConfig offered : request.getExtensions()) {
                if (accepted.isEmpty() && acceptable(offered)) {
                    // A window that is kept between messages costs some 300 KiB for each idle socket (RFC 7692
                    // section 7.1.1 lets the server ask for neither side to keep one).
                    ExtensionConfig config = new ExtensionConfig(DEFLATE);
                    config.setParameter("server_no_context_takeover");
                    config.setParameter("client_no_context_takeover");
                    accepted.add(config);
                }
            }
            response.setExtensions(accepted);
            return session;
        }

        // Jetty deflates with a window of 15 bits whatever was asked for, so an offer that limits ours is declined; an
        // unknown parameter or a value out of range declines too (RFC 7692 section 5.1 and 7.1).
        private static boolean acceptable(ExtensionConfig offered) {
            if (!offered.getName().equals(DEFLATE)) {
                return false;
            }
            for (String key : offered.getParameterKeys()) {
                String value = offered.getParameter(key, "");
                boolean fine = switch (key) {
                    case "server_no_context_takeover", "client_no_context_takeover" -> value.isEmpty();
                    case "client_max_window_bits" -> value.isEmpty() || WINDOW_BITS.contains(value);
                    case "server_max_window_bits" -> value.equals("15");
                    default -> false;
                };
                if (!fine) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public void customize(Configuration configuration) {
            // Frames come in pieces as they arrive and as they inflate, so that memory follows what was received and
            // never what was announced; the session adds up and draws the line.
            configuration.setAutoFragment(true);
            configuration.setMaxFrameSize(0);
            configuration.setMaxTextMessageSize(0);
            configuration.setMaxBinaryMessageSize(0);
            configuration.setIdleTimeout(Duration.ZERO);
            configuration.setInputBufferSize(16 * 1024);
            configuration.setOutputBufferSize(32 * 1024);
        }
    }

    static void answer(Request request, Response response, Callback callback, Answer answer) {
        response.setStatus(answer.status());
        answer.headers().forEach((name, value) -> response.getHeaders().put(name, value));
        byte[] body = answer.body();
        boolean bodyless = answer.status() == 204 || answer.status() == 304 || answer.status() < 200;
        if (!bodyless) {
            response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
        }
        boolean head = HttpMethod.HEAD.is(request.getMethod());
        response.write(true, head || bodyless ? null : ByteBuffer.wrap(body), callback);
    }
}
