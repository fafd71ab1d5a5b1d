package im.parley.http.internal;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Checked configuration.
 *
 * @param listeners address to bind by listener name, in the order given
 * @param hosts further Host values by listener name
 * @param heldBytes of all WebSockets together
 */
record Settings(
        Map<String, InetSocketAddress> listeners,
        Map<String, List<String>> hosts,
        int maxConnections,
        int threads,
        Duration httpIdle,
        SocketLimits sockets,
        long heldBytes,
        Transfers transfers) {
    private static final String PID = HttpServer.PID;
    private static final int PART_OF_HEAP = 8;

    /**
     * Bounds of a WebSocket.
     *
     * @param pingAfter silence before a ping
     * @param closeAfter silence before the end
     * @param messageWithin from the first byte of a message to its last
     * @param closeWithin from our close frame to the end of the connection
     */
    record SocketLimits(Duration pingAfter, Duration closeAfter, Duration messageWithin, Duration closeWithin) {
        static final SocketLimits DEFAULT = new SocketLimits(
                Duration.ofSeconds(60), Duration.ofSeconds(120), Duration.ofSeconds(10), Duration.ofSeconds(5));
    }

    static Settings of(HttpServer.Config config) {
        return new Settings(
                listeners(config.listeners()),
                hosts(config.hosts()),
                within("maxConnections", config.maxConnections(), 1, 1_000_000),
                within("threads", config.threads(), 4, 1024),
                Duration.ofSeconds(within("idleSeconds", config.idleSeconds(), 1, 3600)),
                new SocketLimits(
                        Duration.ofSeconds(within("pingSeconds", config.pingSeconds(), 1, 3600)),
                        Duration.ofSeconds(
                                within("closeSeconds", config.closeSeconds(), config.pingSeconds() + 1, 7200)),
                        Duration.ofSeconds(within("messageSeconds", config.messageSeconds(), 1, 600)),
                        SocketLimits.DEFAULT.closeWithin()),
                config.heldKib() == 0
                        ? Runtime.getRuntime().maxMemory() / PART_OF_HEAP
                        : 1024L * within("heldKib", config.heldKib(), 8_192, 67_108_864),
                new Transfers(
                        within("transfers", config.transfers(), 1, 1024),
                        within("transfersPerAddress", config.transfersPerAddress(), 1, 1024),
                        within("minBytesPerSecond", config.minBytesPerSecond(), 0, 1_048_576)));
    }

    /**
     * Bounds of streamed bodies.
     *
     * @param atOnce each has a thread
     * @param perAddress of one address that is not this machine
     */
    record Transfers(int atOnce, int perAddress, long minBytesPerSecond) {
        static final Transfers DEFAULT = new Transfers(64, 16, 8_192);
    }

    private static int within(String key, int value, int min, int max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(PID + " " + key + "=" + value + " is not in " + min + ".." + max);
        }
        return value;
    }

    static Map<String, InetSocketAddress> listeners(String[] entries) {
        Map<String, InetSocketAddress> result = new LinkedHashMap<>();
        for (String entry : entries) {
            int equals = entry.indexOf('=');
            int colon = entry.lastIndexOf(':');
            if (equals < 1 || colon < equals + 2) {
                throw bad("listeners", entry, "name=host:port, for example relay=127.0.0.1:7470");
            }
            String name = entry.substring(0, equals).trim();
            InetSocketAddress address = new InetSocketAddress(
                    literal(entry, entry.substring(equals + 1, colon).trim()),
                    port(entry, entry.substring(colon + 1).trim()));
            if (result.put(name, address) != null) {
                throw bad("listeners", entry, "each name once");
            }
        }
        return result;
    }

    static Map<String, List<String>> hosts(String[] entries) {
        Map<String, List<String>> result = new LinkedHashMap<>();
        for (String entry : entries) {
            int equals = entry.indexOf('=');
            String host = entry.substring(equals + 1).trim().toLowerCase(Locale.ROOT);
            if (equals < 1 || host.isEmpty()) {
                throw bad("hosts", entry, "listener=host or listener=host:port, for example relay=relay.example.org");
            }
            result.computeIfAbsent(entry.substring(0, equals).trim(), name -> new ArrayList<>())
                    .add(host);
        }
        return result;
    }

    // Literals only: what a listener binds to must not depend on a name server.
    private static InetAddress literal(String entry, String host) {
        String text = host;
        if (host.startsWith("[") && host.endsWith("]")) {
            text = host.substring(1, host.length() - 1);
        } else if (host.equals("localhost")) {
            text = "127.0.0.1";
        }
        boolean v4 = text.chars().allMatch(c -> c >= '0' && c <= '9' || c == '.')
                && text.chars().filter(c -> c == '.').count() == 3;
        if (!v4 && text.indexOf(':') < 0) {
            throw bad("listeners", entry, "an IP address or localhost as host");
        }
        try {
            return InetAddress.getByName(text);
        } catch (UnknownHostException e) {
            throw bad("listeners", entry, "an IP address or localhost as host");
        }
    }

    private static int port(String entry, String text) {
        try {
            int port = Integer.parseInt(text);
            if (port >= 0 && port <= 65_535) {
                return port;
            }
        } catch (NumberFormatException e) {
            // falls through to the same message
        }
        throw bad("listeners", entry, "a port of 0 to 65535");
    }

    private static IllegalArgumentException bad(String key, String value, String allowed) {
        return new IllegalArgumentException(PID + " " + key + "=" + value + ": allowed is " + allowed);
    }
}
