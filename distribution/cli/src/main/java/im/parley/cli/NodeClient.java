package im.parley.cli;

import im.parley.launcher.Json;
import im.parley.launcher.NodeDirectory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.locks.LockSupport;
import jdk.net.ExtendedSocketOptions;
import org.jspecify.annotations.Nullable;

/** One connection to a node's control socket: calls in order, and notifications. Used by one thread. */
final class NodeClient implements AutoCloseable {
    /** Longer than the longest call of the schema takes. */
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(60);

    /** Longer than a node that is well leaves a client waiting. */
    private static final Duration CONNECT_WITHIN = Duration.ofSeconds(2);

    private static final long CONNECT_POLL_NANOS = 20_000_000;

    /** What a node that hung up had said before is there already. */
    private static final Duration LAST_WORDS_WITHIN = Duration.ofSeconds(1);

    private static final String CARD = "node.json";
    private static final int MAX_ANSWER_BYTES = 256 * 1024 * 1024;

    private final SocketChannel channel;
    private final Selector selector;
    private final SelectionKey key;
    private final ByteBuffer received = ByteBuffer.allocate(64 * 1024).flip();
    private final Queue<Map<String, Object>> notifications = new ArrayDeque<>();
    private @Nullable String circle;
    private long lastId;
    private boolean ended;

    private NodeClient(SocketChannel channel, Selector selector) throws IOException {
        this.channel = channel;
        this.selector = selector;
        this.key = channel.register(selector, SelectionKey.OP_READ);
    }

    /**
     * Connects to the node on a data directory.
     *
     * @return null if nobody answers there
     * @throws Failure {@code control.denied}, {@code control.foreign}
     */
    static @Nullable NodeClient connect(Path dataDir) throws Failure {
        Path card = dataDir.resolve(CARD);
        refuseIfDenied(card);
        try {
            return connect(dataDir, Files.getOwner(card));
        } catch (IOException absent) {
            return null;
        }
    }

    /** @param owner of the card, and so of the only process that is told anything */
    static @Nullable NodeClient connect(Path dataDir, UserPrincipal owner) throws Failure {
        NodeDirectory.Card card = NodeDirectory.card(dataDir);
        if (card == null) {
            return null;
        }
        SocketChannel channel = null;
        try {
            channel = connected(card.socket());
            if (!channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().equals(owner)) {
                closeQuietly(channel);
                throw foreign(card.socket());
            }
            return new NodeClient(channel, Selector.open());
        } catch (IOException dead) {
            closeQuietly(channel);
            // The JDK has no type for this.
            if (String.valueOf(dead.getMessage()).contains("ermission denied")) {
                throw Failure.denied(card.socket());
            }
            return null;
        }
    }

    /** A connection that never blocks; while more clients wait than the system lets wait, it is tried again for a moment. */
    private static SocketChannel connected(Path socket) throws IOException {
        long deadline = System.nanoTime() + CONNECT_WITHIN.toNanos();
        while (true) {
            SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                channel.configureBlocking(false);
                if (channel.connect(UnixDomainSocketAddress.of(socket))) {
                    return channel;
                }
                throw new IOException("there is no room for another client");
            } catch (IOException e) {
                closeQuietly(channel);
                boolean absent = e instanceof ConnectException || !Files.isWritable(socket);
                if (absent || System.nanoTime() > deadline) {
                    throw e;
                }
                LockSupport.parkNanos(CONNECT_POLL_NANOS);
            }
        }
    }

    private static Failure foreign(Path socket) {
        return new Failure(
                Exit.REFUSED,
                "control.foreign",
                "The node was not asked.",
                "Another user's process listens on " + socket + ", where this node's socket belongs.",
                "Stop the node with ./parley stop, find out who that is, and start it again.");
    }

    /** Tells what is not there from what somebody else's is. */
    static void refuseIfDenied(Path file) throws Failure {
        try {
            Files.newByteChannel(file).close();
        } catch (AccessDeniedException e) {
            throw Failure.denied(file);
        } catch (IOException absent) {
            // The caller looks for it in its own way.
            return;
        }
    }

    private static void closeQuietly(@Nullable SocketChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            // Nothing was said on it yet.
            return;
        }
    }

    /** From now on calls that happen in a circle happen in this one; null for the default one. */
    NodeClient in(@Nullable String name) {
        circle = name;
        return this;
    }

    /** A call without secrets. */
    Map<String, Object> call(String method, Map<String, Object> params) throws Failure {
        return call(method, params, Map.of());
    }

    /** A call without secrets that is over soon. */
    Map<String, Object> call(String method, Map<String, Object> params, Duration limit) throws Failure {
        return call(method, params, Map.of(), limit);
    }

    /**
     * A call; returns its result.
     *
     * @param secrets sent without ever being a String; not wiped here
     * @throws Failure the node's error, {@code node.no-answer} if it hung up, {@code node.silent} if it says nothing
     */
    Map<String, Object> call(String method, Map<String, Object> params, Map<String, char[]> secrets) throws Failure {
        return call(method, params, secrets, ANSWER_WITHIN);
    }

    /** As {@link #call(String, Map, Map)}, for what takes longer. */
    Map<String, Object> call(String method, Map<String, Object> params, Map<String, char[]> secrets, Duration limit)
            throws Failure {
        long id = ++lastId;
        if (circle != null && !method.startsWith("node.") && !method.startsWith("session.")) {
            Map<String, Object> inCircle = new LinkedHashMap<>(params);
            inCircle.put("circle", circle);
            return call(id, method, inCircle, secrets, limit);
        }
        return call(id, method, params, secrets, limit);
    }

    private Map<String, Object> call(
            long id, String method, Map<String, Object> params, Map<String, char[]> secrets, Duration limit)
            throws Failure {
        try {
            Duration patience = limit;
            try {
                if (!send(id, method, params, secrets, limit)) {
                    throw silent(method, limit);
                }
            } catch (IOException hungUp) {
                patience = LAST_WORDS_WITHIN;
            }
            while (true) {
                Map<String, Object> line = next(patience);
                if (line == null) {
                    throw ended || patience == LAST_WORDS_WITHIN ? gone() : silent(method, limit);
                }
                if (line.containsKey("method")) {
                    notifications.add(line);
                } else if (line.get("error") != null) {
                    throw failure(Json.member(line, "error"));
                } else if (Long.valueOf(id).equals(line.get("id"))) {
                    return Json.member(line, "result");
                }
            }
        } catch (IOException e) {
            throw gone();
        }
    }

    /** A notification. */
    record Told(String method, Map<String, Object> params) {}

    /**
     * The next notification; null when the node ended the connection. Waits without limit.
     */
    @Nullable
    Told notification() {
        try {
            Map<String, Object> line = notifications.poll();
            while (line == null || !line.containsKey("method")) {
                line = next(Duration.ZERO);
                if (line == null) {
                    return null;
                }
            }
            return new Told(Json.text(line, "method"), Json.member(line, "params"));
        } catch (IOException e) {
            return null;
        }
    }

    private static Failure gone() {
        return new Failure(
                Exit.UNAVAILABLE,
                "node.no-answer",
                "The node did not answer.",
                "It ended the connection; it may have stopped.",
                "Look at ./parley status and ./parley logs.");
    }

    private static Failure silent(String method, Duration limit) {
        return new Failure(
                Exit.UNAVAILABLE,
                "node.silent",
                "The node runs, but did not answer in time.",
                "It has said nothing to " + method + " for " + limit.toSeconds() + " s.",
                "Try again and look at ./parley logs; ./parley stop ends the process if it stays silent.");
    }

    private static Failure failure(Map<String, Object> error) throws IOException {
        Map<String, Object> data = Json.member(error, "data");
        String code = Json.text(data, "code");
        return new Failure(
                Exit.of(code, Json.text(data, "kind")),
                code,
                Json.text(data, "what"),
                Json.text(data, "why"),
                Json.text(data, "next"));
    }

    /** False if the node did not take all of it in time. */
    private boolean send(
            long id, String method, Map<String, Object> params, Map<String, char[]> secrets, Duration limit)
            throws IOException {
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("jsonrpc", "2.0");
        request.put("id", id);
        request.put("method", method);
        request.put("params", params);
        byte[] open = Json.compact(request);
        // The secrets go in before the two braces that close params and request.
        int room = open.length + 1;
        for (Map.Entry<String, char[]> secret : secrets.entrySet()) {
            room += secret.getKey().length() + 6 * secret.getValue().length + 8;
        }
        byte[] line = new byte[room];
        ByteBuffer bytes = ByteBuffer.wrap(line);
        bytes.put(open, 0, open.length - 2);
        boolean first = params.isEmpty();
        for (Map.Entry<String, char[]> secret : secrets.entrySet()) {
            bytes.put(utf8((first ? "\"" : ",\"") + secret.getKey() + "\":\""));
            putEscaped(bytes, secret.getValue());
            bytes.put((byte) '"');
            first = false;
        }
        bytes.put(utf8("}}\n")).flip();
        ByteBuffer network =
                ByteBuffer.allocateDirect(bytes.remaining()).put(bytes).flip();
        try {
            return written(network, limit);
        } finally {
            Arrays.fill(line, (byte) 0);
            network.clear();
            while (network.hasRemaining()) {
                network.put((byte) 0);
            }
        }
    }

    private boolean written(ByteBuffer bytes, Duration limit) throws IOException {
        long deadline = System.nanoTime() + limit.toNanos();
        while (bytes.hasRemaining()) {
            long millis = (deadline - System.nanoTime()) / 1_000_000;
            if (channel.write(bytes) == 0) {
                if (millis <= 0) {
                    return false;
                }
                key.interestOps(SelectionKey.OP_WRITE);
                selector.select(millis);
                selector.selectedKeys().clear();
                key.interestOps(SelectionKey.OP_READ);
            }
        }
        return true;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void putEscaped(ByteBuffer target, char[] secret) throws IOException {
        CharsetEncoder encoder = StandardCharsets.UTF_8.newEncoder();
        CharBuffer chars = CharBuffer.wrap(secret);
        for (int i = 0; i < secret.length; i++) {
            char c = secret[i];
            if (c == '"' || c == '\\' || c < 0x20) {
                target.put((byte) '\\').put((byte) 'u').put((byte) '0').put((byte) '0');
                target.put((byte) Character.forDigit(c >> 4, 16)).put((byte) Character.forDigit(c & 15, 16));
            } else {
                int size = Character.isHighSurrogate(c) && i + 1 < secret.length ? 2 : 1;
                if (encoder.encode(chars.duplicate().position(i).limit(i + size), target, true)
                        .isError()) {
                    throw new IOException("the secret is no text");
                }
                encoder.reset();
                i += size - 1;
            }
        }
    }

    /** The next line as an object; null at the end, or if there is none in time (zero: without limit). */
    private @Nullable Map<String, Object> next(Duration limit) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            while (received.hasRemaining()) {
                byte b = received.get();
                if (b == '\n') {
                    return Json.object(line.toByteArray());
                }
                line.write(b);
                if (line.size() > MAX_ANSWER_BYTES) {
                    throw new IOException("an answer without end");
                }
            }
            long millis = limit.isZero() ? 0 : (deadline - System.nanoTime()) / 1_000_000;
            if (!limit.isZero() && millis <= 0) {
                return null;
            }
            selector.select(millis);
            selector.selectedKeys().clear();
            received.clear();
            int read = channel.read(received);
            received.flip();
            if (read < 0) {
                ended = true;
                return null;
            }
        }
    }

    @Override
    public void close() {
        try {
            selector.close();
        } catch (IOException e) {
            // The channel below matters.
            closeQuietly(channel);
        }
        closeQuietly(channel);
    }
}
