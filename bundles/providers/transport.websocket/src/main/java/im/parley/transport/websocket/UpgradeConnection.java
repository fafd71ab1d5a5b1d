package im.parley.transport.websocket;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Executor;
import org.eclipse.jetty.http.HttpCompliance;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpParser;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.io.AbstractConnection;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.Scheduler;
import org.eclipse.jetty.websocket.core.Behavior;
import org.eclipse.jetty.websocket.core.ExtensionStack;
import org.eclipse.jetty.websocket.core.Negotiated;
import org.eclipse.jetty.websocket.core.WebSocketComponents;
import org.eclipse.jetty.websocket.core.WebSocketConnection;
import org.eclipse.jetty.websocket.core.WebSocketConstants;
import org.eclipse.jetty.websocket.core.WebSocketCoreSession;
import org.eclipse.jetty.websocket.core.util.WebSocketUtils;
import org.jspecify.annotations.Nullable;

/**
 * The opening handshake of RFC 6455 section 4.1 and nothing else of HTTP: one request without cookies, credentials,
 * origin or user agent, one answer that must be 101. A redirect is a refusal, so nobody is led from {@code wss} to
 * {@code ws}. No extension is offered: without compression there is no deflate bomb and no length to learn secrets from.
 */
final class UpgradeConnection extends AbstractConnection implements Connection.UpgradeFrom {
    private static final int MAX_HEADER_BYTES = 8192;
    private static final int BUFFER_BYTES = 4096;

    private final Opening opening;
    private final WebSocketChannel channel;
    private final WebSocketComponents components;
    private final Scheduler scheduler;
    private final SecureRandom random;
    private final String key;
    private final Answer answer = new Answer();
    private final HttpParser parser = new HttpParser(answer, MAX_HEADER_BYTES, HttpCompliance.RFC9110);
    private final ByteBuffer input = BufferUtil.allocate(BUFFER_BYTES);
    private volatile boolean upgraded;

    UpgradeConnection(
            EndPoint endPoint,
            Executor executor,
            Opening opening,
            WebSocketChannel channel,
            WebSocketComponents components,
            Scheduler scheduler,
            SecureRandom random) {
        super(endPoint, executor);
        this.opening = opening;
        this.channel = channel;
        this.components = components;
        this.scheduler = scheduler;
        this.random = random;
        byte[] nonce = new byte[16];
        random.nextBytes(nonce);
        key = Base64.getEncoder().encodeToString(nonce);
    }

    @Override
    public void onOpen() {
        super.onOpen();
        opening.hold(getEndPoint()::close);
        String request = "GET " + opening.address.target() + " HTTP/1.1\r\n"
                + "Host: " + opening.address.authority() + "\r\n"
                + "Upgrade: websocket\r\n"
                + "Connection: Upgrade\r\n"
                + "Sec-WebSocket-Key: " + key + "\r\n"
                + "Sec-WebSocket-Version: " + WebSocketConstants.SPEC_VERSION + "\r\n\r\n";
        ByteBuffer bytes = ByteBuffer.wrap(request.getBytes(StandardCharsets.US_ASCII));
        getEndPoint().write(Callback.from(() -> {}, this::fail), bytes);
        fillInterested();
    }

    @Override
    public void onFillable() {
        try {
            while (!answer.complete) {
                BufferUtil.clear(input);
                int filled = getEndPoint().fill(input);
                if (filled == 0) {
                    fillInterested();
                    return;
                }
                if (filled < 0) {
                    fail(Failures.lost());
                    return;
                }
                if (!parse()) {
                    fail(notARelay("its answer is not HTTP"));
                    return;
                }
            }
            ProviderException refusal = answer.refusal(key);
            if (refusal != null) {
                fail(refusal);
                return;
            }
            upgrade();
        } catch (Throwable e) {
            fail(e);
        }
    }

    private boolean parse() {
        try {
            while (!answer.complete && input.hasRemaining()) {
                parser.parseNext(input);
            }
            return !answer.malformed;
        } catch (RuntimeException | AssertionError e) {
            // Jetty's parser reports a fault as an error status, and asserts that a 101 is none.
            return false;
        }
    }

    private void upgrade() {
        ExtensionStack extensions = new ExtensionStack(components, Behavior.CLIENT);
        extensions.negotiate(List.of(), List.of());
        Negotiated negotiated = new Negotiated(
                java.net.URI.create((opening.address.tls() ? "wss" : "ws") + "://" + opening.address.authority()
                        + opening.address.target()),
                "",
                opening.address.tls(),
                extensions,
                WebSocketConstants.SPEC_VERSION_STRING);
        WebSocketCoreSession session = new WebSocketCoreSession(channel, Behavior.CLIENT, negotiated, components);
        session.setClassLoader(UpgradeConnection.class.getClassLoader());
        channel.configure(session);
        WebSocketConnection connection = new WebSocketConnection(
                getEndPoint(), getExecutor(), scheduler, components.getByteBufferPool(), session, random);
        session.setWebSocketConnection(connection);
        upgraded = true;
        getEndPoint().upgrade(connection);
    }

    /** What the relay sent right behind its answer belongs to the WebSocket. */
    @Override
    public @Nullable ByteBuffer onUpgradeFrom() {
        if (!input.hasRemaining()) {
            return null;
        }
        ByteBuffer rest = ByteBuffer.allocate(input.remaining());
        rest.put(input).flip();
        return rest;
    }

    @Override
    public void onFillInterestedFailed(Throwable cause) {
        fail(cause);
    }

    @Override
    public void onClose(@Nullable Throwable cause) {
        super.onClose(cause);
        if (!upgraded) {
            opening.fail(Failures.of(cause));
        }
    }

    private void fail(@Nullable Throwable failure) {
        opening.fail(Failures.of(failure));
        getEndPoint().close();
    }

    private static ProviderException notARelay(String why) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "relay.not-websocket",
                "What answers at this address is no relay: " + why + ". Check the address, or sign in to the network.");
    }

    /** The head of the answer, as the parser finds it. A body is never read. */
    private static final class Answer implements HttpParser.ResponseHandler {
        private final HttpFields.Mutable fields = HttpFields.build();
        private int status;
        private boolean complete;
        private boolean malformed;

        @Override
        public void startResponse(HttpVersion version, int status, String reason) {
            this.status = status;
        }

        @Override
        public void parsedHeader(HttpField field) {
            fields.add(field);
        }

        @Override
        public boolean headerComplete() {
            complete = true;
            return true;
        }

        @Override
        public boolean content(ByteBuffer item) {
            return true;
        }

        @Override
        public boolean contentComplete() {
            return true;
        }

        @Override
        public boolean messageComplete() {
            complete = true;
            return true;
        }

        @Override
        public void earlyEOF() {
            malformed = true;
        }

        @Override
        public void badMessage(HttpException failure) {
            malformed = true;
            complete = true;
        }

        @Nullable
        ProviderException refusal(String key) {
            if (status >= 300 && status < 400) {
                return new ProviderException(
                        Kind.REJECTED,
                        "relay.redirect",
                        "The relay points to another address, which is not followed. Add the address it has now.");
            }
            if (status == 401 || status == 403 || status == 407) {
                return new ProviderException(
                        Kind.UNAVAILABLE,
                        "relay.forbidden",
                        "The relay or a proxy before it let nobody in (HTTP " + status + "). Ask its operator.");
            }
            if (status == 429 || status >= 500) {
                return new ProviderException(
                        Kind.UNAVAILABLE,
                        "relay.overloaded",
                        "The relay cannot take connections now (HTTP " + status + "). Try again later.");
            }
            if (status != 101) {
                return notARelay("it answered HTTP " + status);
            }
            if (!fields.contains(HttpHeader.UPGRADE, "websocket")
                    || !fields.contains(HttpHeader.CONNECTION, "upgrade")) {
                return notARelay("it switches to another protocol");
            }
            if (!WebSocketUtils.hashKey(key).equals(fields.get(HttpHeader.SEC_WEBSOCKET_ACCEPT))) {
                return notARelay("its Sec-WebSocket-Accept does not fit");
            }
            if (fields.contains(HttpHeader.SEC_WEBSOCKET_EXTENSIONS)
                    || fields.contains(HttpHeader.SEC_WEBSOCKET_SUBPROTOCOL)) {
                return notARelay("it chose an extension or protocol that was not offered");
            }
            return null;
        }
    }
}
