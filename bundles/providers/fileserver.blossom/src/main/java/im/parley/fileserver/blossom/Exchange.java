package im.parley.fileserver.blossom;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.ProviderException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One request and its answer over a connection of its own, as HTTP/1.1 has it. Reads no more of an answer than it is asked
 * for and believes no length. Used by one thread; {@link #close} may come from another.
 */
final class Exchange implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Exchange.class);
    private static final Duration CONNECT = Duration.ofSeconds(20);
    private static final int MAX_HEAD_BYTES = 32 * 1024;
    private static final int PIECE_BYTES = 64 * 1024;
    /** How long an answer is waited for after the server stopped taking a body. */
    private static final int LATE_ANSWER_MILLIS = 2_000;

    /** Whoever is slower than this in the long run keeps a connection busy for nothing. */
    private static final long LEAST_BYTES_PER_SECOND = 512;

    private static final long GRACE_NANOS = 60_000_000_000L;

    /** Where bodies come from. */
    @FunctionalInterface
    interface Body {
        /** Fills the buffer or less at the end; -1 is not used: the length was said before. */
        int read(byte[] buffer, int from, int length) throws ProviderException;
    }

    /** What all exchanges of a file server share. */
    record Host(Tls tls, Duration silence, ScheduledExecutorService watch, Set<Exchange> open) {
        static Host of(Tls tls, Duration silence, ScheduledExecutorService watch) {
            return new Host(tls, silence, watch, ConcurrentHashMap.newKeySet());
        }
    }

    private final Host host;
    private final SocketChannel channel;
    private final ScheduledFuture<?> watch;
    private volatile long lastProgress = System.nanoTime();
    private final long begun = System.nanoTime();
    private volatile boolean silent;
    private long moved;
    private @Nullable Socket socket;
    private @Nullable InputStream in;
    private int status;
    private final Map<String, String> headers = new HashMap<>();
    private String method = "";

    /** Of a chunked body, what is left of this chunk; of another, what is left of all, -1 to the end of the connection. */
    private long left;

    private boolean chunked;
    private boolean ended;

    private Exchange(Host host, SocketChannel channel) {
        this.host = host;
        this.channel = channel;
        host.open().add(this);
        // Reads have a timeout of their own; a write to a server that takes nothing has none.
        watch = host.watch().scheduleWithFixedDelay(this::look, 5, 5, TimeUnit.SECONDS);
    }

    private void look() {
        if (System.nanoTime() - lastProgress > host.silence().toNanos()) {
            silent = true;
            close();
        }
    }

    static Exchange connect(Host host, Egress egress, ServerAddress address) throws ProviderException {
        SocketChannel channel = egress.connect(address.host(), address.port(), "files", CONNECT);
        Exchange exchange = new Exchange(host, channel);
        boolean ready = false;
        try {
            Socket plain = channel.socket();
            plain.setSoTimeout((int) host.silence().toMillis());
            plain.setTcpNoDelay(true);
            exchange.socket = address.tls() ? host.tls().around(plain, address.host(), address.port()) : plain;
            exchange.in = new BufferedInputStream(exchange.socket.getInputStream(), PIECE_BYTES);
            ready = true;
            return exchange;
        } catch (IOException e) {
            throw exchange.failed(e);
        } finally {
            if (!ready) {
                exchange.close();
            }
        }
    }

    private ProviderException failed(IOException e) {
        return silent ? Failures.of(new java.net.SocketTimeoutException()) : Failures.of(e);
    }

    /**
     * Sends a request and reads the head of its answer. A server that answers before it has read the body is heard.
     *
     * @param length of the body; -1 for none
     */
    void ask(String method, ServerAddress address, Map<String, String> fields, long length, Body body)
            throws ProviderException {
        this.method = method;
        StringBuilder head = new StringBuilder(512)
                .append(method)
                .append(' ')
                .append(address.target())
                .append(" HTTP/1.1\r\nHost: ")
                .append(address.authority())
                .append("\r\nConnection: close\r\nAccept-Encoding: identity\r\nUser-Agent: Parley\r\n");
        fields.forEach(
                (name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
        if (length >= 0) {
            head.append("Content-Length: ").append(length).append("\r\n");
        }
        head.append("\r\n");
        try {
            OutputStream out = socket().getOutputStream();
            out.write(head.toString().getBytes(StandardCharsets.ISO_8859_1));
            send(out, length, body);
        } catch (IOException e) {
            if (!heard()) {
                throw failed(e);
            }
            return;
        }
        readHead();
    }

    private void send(OutputStream out, long length, Body body) throws IOException, ProviderException {
        byte[] buffer = new byte[PIECE_BYTES];
        long rest = length;
        while (rest > 0) {
            int wanted = (int) Math.min(buffer.length, rest);
            int n = body.read(buffer, 0, wanted);
            if (n < wanted) {
                throw new ProviderException(
                        im.parley.api.lifecycle.Kind.REJECTED,
                        "file.changed",
                        "The file became shorter while it was uploaded.");
            }
            if (in().available() > 0) {
                // It has made up its mind; what is left would be sent for nothing.
                return;
            }
            out.write(buffer, 0, n);
            moved(n);
            rest -= n;
        }
        out.flush();
    }

    /** Whether an answer is there although the body could not be sent. */
    private boolean heard() throws ProviderException {
        if (silent) {
            return false;
        }
        try {
            socket().setSoTimeout(LATE_ANSWER_MILLIS);
            readHead();
            return status >= 300;
        } catch (IOException e) {
            return false;
        } catch (ProviderException e) {
            LOG.debug("no answer behind the end of the connection: {}", e.code());
            return false;
        }
    }

    private void moved(int more) throws IOException {
        lastProgress = System.nanoTime();
        moved += more;
        long passed = lastProgress - begun;
        if (passed > GRACE_NANOS && moved < passed / 1_000_000_000L * LEAST_BYTES_PER_SECOND) {
            throw new java.net.SocketTimeoutException("slower than anybody bears");
        }
    }

    private Socket socket() throws IOException {
        if (socket == null) {
            throw new IOException("not connected");
        }
        return socket;
    }

    private InputStream in() throws IOException {
        if (in == null) {
            throw new IOException("not connected");
        }
        return in;
    }

    private void readHead() throws ProviderException {
        try {
            int budget = MAX_HEAD_BYTES;
            do {
                headers.clear();
                String line = line(budget);
                budget -= line.length() + 2;
                status = statusOf(line);
                for (line = line(budget); !line.isEmpty(); line = line(budget)) {
                    budget -= line.length() + 2;
                    int colon = line.indexOf(':');
                    if (colon < 1 || budget < 0) {
                        throw Failures.badAnswer(colon < 1 ? "a header has no name" : "its head is too long");
                    }
                    headers.put(
                            line.substring(0, colon).toLowerCase(Locale.ROOT),
                            line.substring(colon + 1).strip());
                }
                // 100 and the like come before the answer.
            } while (status < 200 && status != 101);
        } catch (IOException e) {
            throw failed(e);
        }
        frame();
    }

    private void frame() throws ProviderException {
        chunked = header("transfer-encoding").toLowerCase(Locale.ROOT).contains("chunked");
        String length = header("content-length");
        if (method.equals("HEAD") || status == 204 || status == 304) {
            left = 0;
            ended = true;
        } else if (chunked) {
            left = 0;
        } else if (length.isEmpty()) {
            left = -1;
        } else {
            left = number(length);
            if (left < 0) {
                throw Failures.badAnswer("its length is no number");
            }
            ended = left == 0;
        }
    }

    /** -1 if it is none that is worth believing. */
    static long number(String text) {
        boolean digits = !text.isEmpty() && text.length() <= 18 && text.chars().allMatch(c -> c >= '0' && c <= '9');
        return digits ? Long.parseLong(text) : -1;
    }

    private static int statusOf(String line) throws ProviderException {
        if (!line.startsWith("HTTP/1.") || line.length() < 12 || line.charAt(8) != ' ') {
            throw Failures.badAnswer("it has no status");
        }
        long status = number(line.substring(9, 12));
        if (status < 100) {
            throw Failures.badAnswer("its status is no number");
        }
        return (int) status;
    }

    private String line(int budget) throws IOException, ProviderException {
        StringBuilder line = new StringBuilder(80);
        while (true) {
            int c = in().read();
            if (c < 0) {
                throw new IOException("the connection ended in the head of an answer");
            }
            if (c == '\n') {
                if (line.length() > 0 && line.charAt(line.length() - 1) == '\r') {
                    line.setLength(line.length() - 1);
                }
                return line.toString();
            }
            if (line.length() >= budget) {
                throw Failures.badAnswer("its head is too long");
            }
            line.append((char) c);
        }
    }

    int status() {
        return status;
    }

    /** Empty if it is not there. */
    String header(String lowerCase) {
        return headers.getOrDefault(lowerCase, "");
    }

    /** Of the body; -1 if the server does not say. */
    long announced() {
        return number(header("content-length"));
    }

    /**
     * Some bytes of the body, -1 at its end.
     *
     * @throws ProviderException {@code fileserver.cut} if the connection ends before the body
     */
    int read(byte[] buffer, int from, int length) throws ProviderException {
        try {
            if (!ended && chunked && left == 0) {
                nextChunk();
            }
            if (ended) {
                return -1;
            }
            int wanted = left < 0 ? length : (int) Math.min(length, left);
            int n = in().read(buffer, from, wanted);
            if (n < 0) {
                if (left < 0) {
                    ended = true;
                    return -1;
                }
                throw new IOException("the connection ended in a body");
            }
            moved(n);
            if (left > 0) {
                left -= n;
                if (chunked && left == 0) {
                    line(2);
                } else {
                    ended = left == 0;
                }
            }
            return n;
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private void nextChunk() throws IOException, ProviderException {
        String line = line(1_024);
        int semicolon = line.indexOf(';');
        String size = (semicolon < 0 ? line : line.substring(0, semicolon)).strip();
        try {
            left = size.length() > 15 ? -1 : Long.parseLong(size, 16);
        } catch (NumberFormatException e) {
            left = -1;
        }
        if (left < 0) {
            throw Failures.badAnswer("a chunk has no length");
        }
        ended = left == 0;
    }

    /** The body as text, at most so many bytes of it. */
    String text(int most) throws ProviderException {
        byte[] bytes = new byte[most];
        int size = 0;
        while (size < most) {
            int n = read(bytes, size, most - size);
            if (n < 0) {
                break;
            }
            size += n;
        }
        return new String(bytes, 0, size, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        watch.cancel(false);
        host.open().remove(this);
        try {
            // Not the TLS socket: it would wait for a server that takes nothing.
            channel.close();
        } catch (IOException e) {
            LOG.debug("a connection to a file server did not close cleanly: {}", e.toString());
        }
    }
}
