package im.parley.http.internal;

import im.parley.http.ContentRoute;
import im.parley.http.HttpRoute;
import im.parley.http.Listeners;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.http.HttpCompliance;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.NetworkConnector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.WebSocketComponents;
import org.eclipse.jetty.websocket.core.WebSocketExtensionRegistry;
import org.eclipse.jetty.websocket.core.server.WebSocketServerComponents;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one Jetty server of the node: HTTP/1.1 on every configured listener, routes by whiteboard. */
@Component(
        name = HttpServer.PID,
        service = Listeners.class,
        immediate = true,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = HttpServer.Config.class)
public final class HttpServer implements Listeners {
    static final String PID = "im.parley.http";

    static final int MAX_HEADER_BYTES = 8 * 1024;

    private static final Logger log = LoggerFactory.getLogger(HttpServer.class);
    private static final Duration DRAIN = Duration.ofSeconds(2);

    /** Configuration of the HTTP server. */
    @ObjectClassDefinition(name = "HTTP server", description = "Where this node listens and what it bears.")
    public @interface Config {
        @AttributeDefinition(
                description =
                        "Listeners as name=host:port, for example relay=127.0.0.1:7470. The host is an IP address or"
                                + " localhost; port 0 takes a free one.")
        String[] listeners() default {};

        @AttributeDefinition(
                description =
                        "Further Host values that a listener answers to, as listener=host or listener=host:port, for"
                                + " example relay=relay.example.org. Without a port the listener's own port is good too.")
        String[] hosts() default {};

        @AttributeDefinition(description = "Connections open at once over all listeners, 1 to 1000000.")
        int maxConnections() default 10_000;

        @AttributeDefinition(description = "Threads at most, 4 to 1024.")
        int threads() default 64;

        @AttributeDefinition(description = "Seconds an HTTP connection may be silent, 1 to 3600.")
        int idleSeconds() default 30;

        @AttributeDefinition(description = "Seconds of silence after which a WebSocket is pinged, 1 to 3600.")
        int pingSeconds() default 60;

        @AttributeDefinition(description = "Seconds of silence after which a WebSocket is closed, above pingSeconds.")
        int closeSeconds() default 120;

        @AttributeDefinition(description = "Seconds within which a WebSocket message must be complete, 1 to 600.")
        int messageSeconds() default 10;

        @AttributeDefinition(
                description =
                        "KiB that all WebSockets together may make the server hold: what waits for clients that read"
                                + " slowly, and unfinished messages. Beyond it the socket that holds most is cut off. 0 is"
                                + " an eighth of the heap; 8192 to 67108864.")
        int heldKib() default 0;

        @AttributeDefinition(
                description = "Uploads and downloads served at once, each on a thread of its own, 1 to 1024. Beyond it"
                        + " clients are asked to try again.")
        int transfers() default 64;

        @AttributeDefinition(description = "Of them, those of one address other than this machine's, 1 to 1024.")
        int transfersPerAddress() default 16;

        @AttributeDefinition(
                description = "Bytes a second that a client has to take or send in the long run, from half a minute on,"
                        + " 0 to 1048576.")
        int minBytesPerSecond() default 8_192;
    }

    private final Routes routes = new Routes();
    private final Map<String, InetSocketAddress> bound;
    private final List<Problem> problems;
    private final Server server;
    private final Keeper keeper;
    private final ContentHost content;

    @Activate
    public HttpServer(Config config) {
        this(Settings.of(config));
    }

    HttpServer(Settings settings) {
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        // Jetty asks the context loader for its services, among them permessage-deflate of the WebSocket bundle.
        thread.setContextClassLoader(CoreSession.class.getClassLoader());
        try {
            QueuedThreadPool threads =
                    new QueuedThreadPool(settings.threads(), Math.min(4, settings.threads()), 30_000);
            threads.setName("parley-http");
            threads.setDaemon(true);
            server = new Server(threads);
            server.setErrorHandler(new Problems());
            server.setStopAtShutdown(false);
            keeper = new Keeper(settings.sockets(), settings.heldBytes(), server.getScheduler());
            Settings.Transfers transfers = settings.transfers();
            content = new ContentHost(transfers.atOnce(), transfers.perAddress(), transfers.minBytesPerSecond());
            Map<String, InetSocketAddress> open = new LinkedHashMap<>();
            List<Problem> failed = new ArrayList<>();
            Map<String, HostCheck> hosts = new LinkedHashMap<>();
            settings.listeners().forEach((name, address) -> {
                ServerConnector connector = connector(name, address, settings);
                try {
                    connector.open();
                } catch (IOException | RuntimeException e) {
                    Problem problem = problem(name, address, e);
                    log.error("{}: {}", problem.code(), problem.text());
                    failed.add(problem);
                    return;
                }
                server.addConnector(connector);
                InetSocketAddress actual = new InetSocketAddress(address.getAddress(), connector.getLocalPort());
                open.put(name, actual);
                hosts.put(name, new HostCheck(actual, settings.hosts().getOrDefault(name, List.of())));
            });
            bound = Map.copyOf(open);
            problems = List.copyOf(failed);
            server.addBean(new NetworkConnectionLimit(settings.maxConnections(), server));
            server.setHandler(new Front(hosts, routes, keeper, content, components()));
            start();
        } finally {
            thread.setContextClassLoader(before);
        }
        bound.forEach((name, address) ->
                log.info("listener {} on {}:{}", name, address.getAddress().getHostAddress(), address.getPort()));
    }

    private WebSocketComponents components() {
        WebSocketComponents components = WebSocketServerComponents.ensureWebSocketComponents(server);
        WebSocketExtensionRegistry registry = components.getExtensionRegistry();
        for (String name : List.copyOf(registry.getAvailableExtensionNames())) {
            if (!name.equals(Front.DEFLATE)) {
                registry.unregister(name);
            }
        }
        if (!registry.isAvailable(Front.DEFLATE)) {
            log.warn("permessage-deflate was not found, so WebSockets are not compressed");
        }
        return components;
    }

    private void start() {
        try {
            server.start();
            keeper.start();
        } catch (Exception e) {
            stop();
            throw new IllegalStateException(PID + ": the HTTP server did not start: " + e, e);
        }
    }

    private ServerConnector connector(String name, InetSocketAddress address, Settings settings) {
        HttpConfiguration http = new HttpConfiguration();
        http.setSendServerVersion(false);
        http.setSendXPoweredBy(false);
        http.setRequestHeaderSize(MAX_HEADER_BYTES);
        http.setResponseHeaderSize(MAX_HEADER_BYTES);
        http.setHttpCompliance(HttpCompliance.STRICT);
        http.setUriCompliance(UriCompliance.DEFAULT);
        // Heap buffers: texts are decoded from them without another copy.
        http.setUseInputDirectByteBuffers(false);
        ServerConnector connector =
                new ServerConnector(server, null, null, null, 0, 1, new HttpConnectionFactory(http));
        connector.setName(name);
        connector.setHost(address.getAddress().getHostAddress());
        connector.setPort(address.getPort());
        connector.setIdleTimeout(settings.httpIdle().toMillis());
        connector.setAcceptQueueSize(1024);
        return connector;
    }

    private static Problem problem(String name, InetSocketAddress address, Exception e) {
        String where = address.getAddress().getHostAddress() + ":" + address.getPort();
        String why = e.getCause() instanceof BindException bind ? String.valueOf(bind.getMessage()) : "";
        if (why.contains("ermission")) {
            return new Problem(
                    name,
                    "http.port-denied",
                    "Listener " + name + " may not open " + where
                            + ": ports below 1024 need a privilege. Take a higher one.");
        }
        if (why.contains("assign")) {
            return new Problem(
                    name,
                    "http.bad-address",
                    "Listener " + name + " cannot open " + where + ": this machine does not have that address.");
        }
        return new Problem(
                name,
                "http.port-in-use",
                "Listener " + name + " cannot open " + where
                        + ": another program has that port. Stop it, or give this listener another port.");
    }

    // Kept open by routes that come and go, so bound by method: a list that changes must not restart the server.
    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindRoute(HttpRoute route, Map<String, Object> properties) {
        routes.add(route, properties);
    }

    void unbindRoute(HttpRoute route) {
        routes.remove(route);
        keeper.closeAll(route);
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindContentRoute(ContentRoute route, Map<String, Object> properties) {
        routes.add(route, properties);
    }

    void unbindContentRoute(ContentRoute route) {
        routes.remove(route);
        content.end(route);
    }

    @Override
    public Map<String, InetSocketAddress> bound() {
        return bound;
    }

    @Override
    public List<Problem> problems() {
        return problems;
    }

    long heldBytes() {
        return keeper.heldBytes();
    }

    int openTransfers() {
        return content.open();
    }

    int openSockets() {
        return keeper.open();
    }

    @Deactivate
    void deactivate() {
        for (Connector connector : server.getConnectors()) {
            if (connector instanceof NetworkConnector network) {
                // No new connections while the old ones are told to go.
                network.close();
            }
        }
        keeper.drain(DRAIN);
        content.stop();
        stop();
    }

    private void stop() {
        try {
            server.stop();
        } catch (Exception e) {
            log.warn("The HTTP server did not stop cleanly: {}", e.toString());
        }
        server.destroy();
    }
}
