package im.parley.control;

import im.parley.api.lifecycle.Kind;
import im.parley.vault.Vault;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.net.ExtendedSocketOptions;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The control socket. Only the user who runs the node gets through: the directory is hers with mode 0700, and the kernel
 * says who is at the other end.
 */
@Component(
        name = "im.parley.control",
        service = ControlServer.class,
        immediate = true,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = ControlConfiguration.class)
public final class ControlServer {
    private static final Logger LOG = LoggerFactory.getLogger(ControlServer.class);
    private static final String PID = "im.parley.control";
    private static final long STOP_SECONDS = 2;

    private final Path socket;
    private final UserPrincipal owner;
    private final ServerSocketChannel server;
    private final ThreadPoolExecutor threads;
    private final Dispatcher dispatcher;
    private final Set<Connection> connections = ConcurrentHashMap.newKeySet();

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    private volatile List<MethodGroup> groups = List.of();

    @Activate
    public ControlServer(@Reference Vault vault, ControlConfiguration config) throws IOException {
        this(vault, Path.of(config.socket()), ownerOfPrivateDirectory(Path.of(config.socket())));
    }

    /** With groups given, for tests. */
    ControlServer(Vault vault, Path socket, List<MethodGroup> groups) throws IOException {
        this(vault, socket, ownerOfPrivateDirectory(socket), groups);
    }

    /** For a user of the test's choice. */
    ControlServer(Vault vault, Path socket, UserPrincipal owner, List<MethodGroup> groups) throws IOException {
        this(vault, socket, owner);
        this.groups = groups;
    }

    private ControlServer(Vault vault, Path socket, UserPrincipal owner) throws IOException {
        this.socket = socket;
        this.owner = owner;
        this.dispatcher = new Dispatcher(vault, () -> groups);
        AtomicInteger number = new AtomicInteger();
        // A reader and a feed for each connection, and the one that accepts.
        this.threads = new ThreadPoolExecutor(
                0, 2 * Protocol.MAX_CONNECTIONS + 2, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), work -> {
                    Thread thread = new Thread(work, "parley-control-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        // The launcher holds the data directory's lock, and the name is that directory's: what lies here is a dead one.
        Files.deleteIfExists(socket);
        this.server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(socket));
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
        } catch (IOException e) {
            server.close();
            throw e;
        }
        threads.execute(this::accept);
    }

    private static UserPrincipal ownerOfPrivateDirectory(Path socket) throws IOException {
        Path directory = socket.getParent();
        if (!socket.isAbsolute() || directory == null) {
            throw new IllegalArgumentException(PID + " socket=" + socket + " is no absolute path");
        }
        if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)
                || !Files.getPosixFilePermissions(directory, LinkOption.NOFOLLOW_LINKS)
                        .equals(PosixFilePermissions.fromString("rwx------"))) {
            throw new IllegalArgumentException(PID + " socket=" + socket + " is not in a directory of mode 0700");
        }
        return Files.getOwner(directory, LinkOption.NOFOLLOW_LINKS);
    }

    private void accept() {
        while (server.isOpen()) {
            try {
                serve(server.accept());
            } catch (ClosedChannelException stopped) {
                return;
            } catch (IOException e) {
                LOG.warn("a control connection was not accepted: {}", e.toString());
                if (!pause()) {
                    return;
                }
            }
        }
    }

    /** Out of file handles is the likely reason; asking again at once would only burn time. */
    private static boolean pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(100);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private void serve(SocketChannel channel) throws IOException {
        if (!channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().equals(owner)) {
            LOG.warn("another user knocked at the control socket and was turned away");
            refuse(
                    channel,
                    ControlException.of(
                            Kind.AUTHENTICATION, "control.denied", "The node belongs to " + owner.getName() + "."));
            return;
        }
        if (connections.size() >= Protocol.MAX_CONNECTIONS) {
            refuse(
                    channel,
                    ControlException.of(
                            Kind.EXHAUSTED, "control.busy", Protocol.MAX_CONNECTIONS + " clients are connected."));
            return;
        }
        Connection connection = new Connection(channel, dispatcher, threads);
        connections.add(connection);
        threads.execute(() -> {
            try {
                connection.run();
            } finally {
                connections.remove(connection);
            }
        });
    }

    /** Says why and ends it; one that does not take the few bytes at once is not waited for. */
    private static void refuse(SocketChannel channel, ControlException why) throws IOException {
        try (channel) {
            channel.configureBlocking(false);
            channel.write(ByteBuffer.wrap(Answers.error(null, "The node did not listen.", why)));
        }
    }

    @Deactivate
    void deactivate() {
        try {
            server.close();
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            LOG.debug("closing the control socket: {}", e.toString());
        }
        connections.forEach(Connection::close);
        threads.shutdownNow();
        try {
            if (!threads.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS)) {
                LOG.warn("a control call is still running while the node stops");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
