package im.parley.transport.websocket;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.Limits;
import im.parley.api.transport.RelayTransport;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.io.ClientConnectionFactory;
import org.eclipse.jetty.io.ClientConnector;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.Transport;
import org.eclipse.jetty.io.ssl.SslClientConnectionFactory;
import org.eclipse.jetty.io.ssl.SslConnection;
import org.eclipse.jetty.io.ssl.SslHandshakeListener;
import org.eclipse.jetty.util.Promise;
import org.eclipse.jetty.util.component.LifeCycle;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;
import org.eclipse.jetty.util.thread.Scheduler;
import org.eclipse.jetty.websocket.core.WebSocketComponents;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens WebSockets on sockets that come connected from the egress: this class resolves no name and connects nowhere by
 * itself. Every {@code open} is a connection of its own, so scopes and personas share none. Thread-safe.
 */
final class WebSocketTransport implements RelayTransport, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(WebSocketTransport.class);

    private final ProviderContext context;
    private final int outboundBytes;
    private final QueuedThreadPool threads;
    private final Scheduler scheduler;
    private final TlsEngines tls;
    private final ClientConnector connector;
    private final WebSocketComponents components;
    private final Set<WebSocketChannel> channels = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    WebSocketTransport(ProviderContext context, WebSocketProvider.Settings settings, TrustManager[] trust)
            throws Exception {
        this.context = context;
        outboundBytes = settings.outboundBytes();
        threads = new QueuedThreadPool(settings.threads(), 2);
        threads.setName("relay-sockets");
        threads.setDaemon(true);
        threads.setReservedThreads(0);
        scheduler = new ScheduledExecutorScheduler("relay-sockets-timer", true);
        tls = new TlsEngines(trust, context.random());
        ArrayByteBufferPool buffers = new ArrayByteBufferPool();
        connector = new ClientConnector();
        connector.setExecutor(threads);
        connector.setScheduler(scheduler);
        connector.setByteBufferPool(buffers);
        connector.setSslContextFactory(tls);
        connector.setSelectors(1);
        connector.setIdleTimeout(Duration.ZERO);
        // Jetty looks for classes through the context loader while it starts; a host thread has none of ours.
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(WebSocketComponents.class.getClassLoader());
        try {
            components = new WebSocketComponents(null, null, buffers, null, null, threads);
            connector.start();
            components.start();
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    @Override
    public CompletionStage<Channel> open(Scope scope, URI relay, FrameSink sink, Limits limits) {
        if (closed) {
            return CompletableFuture.failedFuture(Failures.shutDown());
        }
        RelayAddress address;
        try {
            address = RelayAddress.of(relay);
        } catch (ProviderException e) {
            return CompletableFuture.failedFuture(e);
        }
        Opening opening = new Opening(address);
        WebSocketChannel channel =
                new WebSocketChannel(opening, sink, limits, outboundBytes, scheduler, channels::remove);
        channels.add(channel);
        opening.stage.whenComplete((opened, failure) -> {
            if (failure != null) {
                channels.remove(channel);
            }
        });
        Scheduler.Task timer = scheduler.schedule(
                () -> opening.fail(Failures.timeout()), limits.connectTimeout().toMillis(), TimeUnit.MILLISECONDS);
        opening.whenDecided(timer::cancel);
        try {
            context.executor().execute(() -> connect(scope, opening, channel, limits));
        } catch (RejectedExecutionException e) {
            opening.fail(new ProviderException(
                    Kind.EXHAUSTED,
                    "transport.busy",
                    "Too many connections are being made at this moment. Try again later."));
        }
        if (closed) {
            opening.fail(Failures.shutDown());
        }
        return opening.stage;
    }

    private void connect(Scope scope, Opening opening, WebSocketChannel channel, Limits limits) {
        if (opening.decided()) {
            return;
        }
        RelayAddress address = opening.address;
        SocketChannel socket;
        try {
            socket = context.egress(scope).connect(address.host(), address.port(), "relay", limits.connectTimeout());
        } catch (ProviderException e) {
            opening.fail(e);
            return;
        } catch (RuntimeException e) {
            LOG.warn("the egress failed unexpectedly", e);
            opening.fail(Failures.of(e));
            return;
        }
        opening.hold(socket);
        if (opening.decided()) {
            closeQuietly(socket);
            return;
        }
        ClientConnectionFactory upgrade = (EndPoint endPoint, Map<String, Object> unused) ->
                new UpgradeConnection(endPoint, threads, opening, channel, components, scheduler, context.random());
        ClientConnectionFactory factory = address.tls() ? secured(opening, upgrade) : upgrade;
        Map<String, Object> connecting = new ConcurrentHashMap<>();
        connecting.put(Transport.CONTEXT_KEY, Transport.TCP_IP);
        connecting.put(ClientConnectionFactory.CONTEXT_KEY, factory);
        // The name, not the address: TLS checks the certificate against it.
        connecting.put(
                ClientConnector.REMOTE_SOCKET_ADDRESS_CONTEXT_KEY,
                InetSocketAddress.createUnresolved(address.host(), address.port()));
        Promise<Connection> accepted = Promise.from(connection -> {}, failure -> opening.fail(Failures.of(failure)));
        connecting.put(ClientConnector.CONNECTION_PROMISE_CONTEXT_KEY, accepted);
        connector.accept(socket, connecting);
    }

    /** TLS around it. A handshake that fails tells why before the connection merely closes. */
    private ClientConnectionFactory secured(Opening opening, ClientConnectionFactory inner) {
        SslHandshakeListener listener = new SslHandshakeListener() {
            @Override
            public void handshakeFailed(Event event, Throwable failure) {
                opening.fail(Failures.of(failure));
            }
        };
        return new SslClientConnectionFactory(tls, connector.getByteBufferPool(), threads, inner) {
            @Override
            protected SslConnection newSslConnection(EndPoint endPoint, SSLEngine engine) {
                SslConnection connection = super.newSslConnection(endPoint, engine);
                connection.addHandshakeListener(listener);
                return connection;
            }
        };
    }

    /** Ends every channel and attempt, then stops the threads. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        for (WebSocketChannel channel : channels) {
            channel.shutDown();
        }
        LifeCycle.stop(components);
        LifeCycle.stop(connector);
        LifeCycle.stop(scheduler);
        LifeCycle.stop(threads);
    }

    private static void closeQuietly(Closeable resource) {
        try {
            resource.close();
        } catch (IOException e) {
            LOG.debug("a socket that was given up did not close cleanly", e);
        }
    }
}
