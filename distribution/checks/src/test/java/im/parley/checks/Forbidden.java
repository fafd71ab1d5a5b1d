package im.parley.checks;

import java.io.ByteArrayInputStream;
import java.io.ObjectInputStream;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.MulticastSocket;
import java.net.Proxy;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URL;
import java.net.http.HttpClient;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.security.SecureRandom;
import java.security.Security;
import java.time.Clock;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.random.RandomGenerator;
import javax.net.ServerSocketFactory;
import javax.net.SocketFactory;
import javax.net.ssl.SSLSocketFactory;

/** Everything that is banned, in an overload that a careless rule would miss. Never run. */
@SuppressWarnings({"unused", "JavaUtilDate", "BanSerializableRead"})
final class Forbidden {
    static int counter;
    static final Map<String, String> CACHE = new ConcurrentHashMap<>();
    static final List<String> SEEN = new ArrayList<>();

    List<Object> time() {
        return List.of(
                System.currentTimeMillis(),
                Instant.now(Clock.systemDefaultZone()),
                LocalDateTime.now(ZoneId.of("UTC")),
                LocalDate.now(ZoneId.of("UTC")),
                ZonedDateTime.now(ZoneId.of("UTC")),
                OffsetDateTime.now(ZoneId.of("UTC")),
                InstantSource.system(),
                new Date());
    }

    List<Object> random() throws Exception {
        return List.of(
                SecureRandom.getInstanceStrong(),
                new Random(3),
                new SplittableRandom(3),
                RandomGenerator.of("L64X128MixRandom"),
                ThreadLocalRandom.current().nextInt(4),
                Math.random(),
                UUID.randomUUID());
    }

    List<Object> network() throws Exception {
        return List.of(
                new Socket("127.0.0.1", 1),
                new DatagramSocket(1),
                new MulticastSocket(1),
                SocketChannel.open(new InetSocketAddress("localhost", 1)),
                DatagramChannel.open(),
                AsynchronousSocketChannel.open(),
                SocketFactory.getDefault().createSocket("127.0.0.1", 1),
                ((SSLSocketFactory) SSLSocketFactory.getDefault()).createSocket("127.0.0.1", 1),
                new URL("http://127.0.0.1").openConnection(Proxy.NO_PROXY),
                HttpClient.newHttpClient(),
                InetAddress.getAllByName("localhost"));
    }

    List<Object> listen() throws Exception {
        return List.of(
                new ServerSocket(80),
                ServerSocketChannel.open(),
                AsynchronousServerSocketChannel.open(),
                ServerSocketFactory.getDefault().createServerSocket(80));
    }

    List<Object> doors() throws Exception {
        Security.insertProviderAt(Security.getProviders()[0], 1);
        return List.of(
                new ObjectInputStream(new ByteArrayInputStream(new byte[0])),
                Runtime.getRuntime().exec(new String[] {"true"}),
                new ProcessBuilder("true"));
    }

    void end() {
        System.exit(1);
    }
}
