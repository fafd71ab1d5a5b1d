package im.parley.itests.fault;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/**
 * A bad network between a client and a relay: a loopback TCP proxy that knows WebSocket frames well enough to delay,
 * reorder and swallow whole messages, and sockets well enough to go silent, drip and cut.
 *
 * <p>Faults are set at any time and hold for both old and new connections until {@link #heal}. What happens by chance
 * follows from the seed, the number of the connection and the direction, not from the timing of threads; the seed is
 * printed, and {@code -Dparley.seed=…} repeats it. Thread-safe.
 *
 * <p>The {@code Host} header is rewritten to the relay's own, because relays check it; compression is taken out of the
 * handshake, so that messages can be read. A relay that compares the {@code relay} tag of AUTH must know the proxy's
 * address as one of its own.
 */
public final class FaultProxy implements AutoCloseable {
    /** Which way a message goes. */
    public enum Direction {
        TO_RELAY,
        TO_CLIENT
    }

    private static final int MAX_HEAD_BYTES = 16_384;
    private static final int MAX_MESSAGE_BYTES = 16 << 20;
    private static final int MAX_WAITING = 10_000;
    private static final long HELD_MILLIS = 100;
    private static final int TEXT = 1;

    /** Faults of one direction. */
    private static final class Faults {
        volatile long leastDelayNanos;
        volatile long mostDelayNanos;
        volatile double reorderChance;
        volatile long dripNanos;
        volatile Predicate<String> swallow = message -> false;
        final AtomicLong forwarded = new AtomicLong();
        final AtomicLong swallowed = new AtomicLong();
        final AtomicLong reordered = new AtomicLong();
    }

    /** Bytes that leave together; a null message marks what is not a text message. */
    private record Item(byte[] bytes, String message, long dueNanos, boolean end) {}

    private final InetSocketAddress relay;
    private final long seed;
    private final ServerSocket server;
    private final Map<Direction, Faults> faults = new EnumMap<>(Direction.class);
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private final AtomicInteger connections = new AtomicInteger();
    private final AtomicInteger cuts = new AtomicInteger();
    private volatile boolean silent;
    private volatile boolean refusing;
    private volatile boolean closed;

    /** In front of that relay, with the seed of the system property {@code parley.seed} or a new one. */
    public FaultProxy(String host, int port) throws IOException {
        this(host, port, seedOfRun());
    }

    public FaultProxy(String host, int port, long seed) throws IOException {
        this.relay = new InetSocketAddress(host, port);
        this.seed = seed;
        for (Direction direction : Direction.values()) {
            faults.put(direction, new Faults());
        }
        server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        System.out.println("seed of FaultProxy " + server.getLocalPort() + " -> " + port + ": -Dparley.seed=" + seed);
        start("accept", this::acceptAll);
    }

    private static long seedOfRun() {
        Long given = Long.getLong("parley.seed");
        return given != null ? given : new SplittableRandom().nextLong() >>> 1;
    }

    public int port() {
        return server.getLocalPort();
    }

    /** Where clients connect. */
    public URI uri() {
        return URI.create("ws://" + server.getInetAddress().getHostAddress() + ":" + port());
    }

    /** Each message takes this long, by chance between the two; the order stays. */
    public void delay(Direction direction, Duration least, Duration most) {
        faults.get(direction).leastDelayNanos = least.toNanos();
        faults.get(direction).mostDelayNanos = Math.max(least.toNanos(), most.toNanos());
    }

    /** With that chance a text message changes places with the next one, if that comes soon. */
    public void reorder(Direction direction, double chance) {
        faults.get(direction).reorderChance = chance;
    }

    /** Text messages that match vanish. */
    public void swallow(Direction direction, Predicate<String> messages) {
        faults.get(direction).swallow = messages;
    }

    /** One byte at a time, with that pause. */
    public void drip(Direction direction, Duration pause) {
        faults.get(direction).dripNanos = pause.toNanos();
    }

    /** From now on nothing passes and nobody is told; connections, also new ones, stay open. */
    public void goSilent() {
        silent = true;
    }

    /** New connections are closed at once. */
    public void refuse() {
        refusing = true;
    }

    /** Resets every connection; new ones are taken. */
    public void cut() {
        for (Socket socket : open) {
            cuts.incrementAndGet();
            reset(socket);
        }
    }

    /** No more faults. What a silence held back goes on its way. */
    public void heal() {
        for (Faults each : faults.values()) {
            each.leastDelayNanos = 0;
            each.mostDelayNanos = 0;
            each.reorderChance = 0;
            each.dripNanos = 0;
            each.swallow = message -> false;
        }
        silent = false;
        refusing = false;
    }

    /** Connections taken so far, also those that were refused. */
    public int connections() {
        return connections.get();
    }

    /** Sockets reset by {@link #cut}: two for each connection that got through to the relay. */
    public int cuts() {
        return cuts.get();
    }

    /** Text messages that were passed on. */
    public long forwarded(Direction direction) {
        return faults.get(direction).forwarded.get();
    }

    public long swallowed(Direction direction) {
        return faults.get(direction).swallowed.get();
    }

    /** Pairs of text messages that changed places. */
    public long reordered(Direction direction) {
        return faults.get(direction).reordered.get();
    }

    @Override
    public void close() throws IOException {
        closed = true;
        server.close();
        open.forEach(FaultProxy::reset);
    }

    private void acceptAll() {
        while (!closed) {
            try {
                Socket client = server.accept();
                int number = connections.incrementAndGet();
                if (refusing) {
                    reset(client);
                } else {
                    open.add(client);
                    start("connection-" + number, () -> connect(client, number));
                }
            } catch (IOException e) {
                if (!closed) {
                    throw new IllegalStateException("the proxy can take no more connections", e);
                }
            }
        }
    }

    private void connect(Socket client, int number) {
        Socket upstream = new Socket();
        open.add(upstream);
        try {
            client.setTcpNoDelay(true);
            upstream.setTcpNoDelay(true);
            upstream.connect(relay, 5_000);
            if (closed) {
                reset(upstream);
            }
            Link up = new Link(Direction.TO_RELAY, client, upstream, number);
            Link down = new Link(Direction.TO_CLIENT, upstream, client, number);
            start("to-relay-" + number, up::read);
            start("to-client-" + number, down::read);
            Thread upWriter = start("relay-writer-" + number, up::write);
            down.write();
            upWriter.join();
            client.close();
            upstream.close();
        } catch (IOException | InterruptedException e) {
            reset(client);
            reset(upstream);
        } finally {
            open.remove(client);
            open.remove(upstream);
        }
    }

    private static Thread start(String name, Runnable action) {
        Thread thread = new Thread(action, "fault-proxy-" + name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static void reset(Socket socket) {
        try {
            socket.setSoLinger(true, 0);
        } catch (IOException e) {
            // Then it is closed already.
        }
        try {
            socket.close();
        } catch (IOException e) {
            // There is nothing left to reset.
        }
    }

    /** One direction of one connection: a thread that reads messages and one that writes them. */
    private final class Link {
        private final Direction direction;
        private final Faults own;
        private final Socket from;
        private final Socket to;
        private final SplittableRandom chance;
        private final BlockingQueue<Item> waiting = new ArrayBlockingQueue<>(MAX_WAITING);
        private long lastDueNanos = System.nanoTime();

        Link(Direction direction, Socket from, Socket to, int number) {
            this.direction = direction;
            this.own = faults.get(direction);
            this.from = from;
            this.to = to;
            this.chance = new SplittableRandom(seed + 2L * number + direction.ordinal());
        }

        void read() {
            try {
                InputStream in = new BufferedInputStream(from.getInputStream(), 1 << 16);
                String head = head(in);
                queue(head.getBytes(StandardCharsets.ISO_8859_1), null, false);
                if (head.startsWith("GET ") || head.startsWith("HTTP/1.1 101")) {
                    messages(in);
                } else {
                    raw(in);
                }
            } catch (EOFException e) {
                end();
            } catch (IOException | InterruptedException e) {
                reset(from);
                reset(to);
            }
        }

        private void end() {
            try {
                queue(new byte[0], null, true);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private String head(InputStream in) throws IOException {
            StringBuilder head = new StringBuilder();
            while (head.length() < 4 || head.indexOf("\r\n\r\n", head.length() - 4) < 0) {
                if (head.length() > MAX_HEAD_BYTES) {
                    throw new IOException("the head of the handshake is too long");
                }
                head.append((char) octet(in));
            }
            if (direction == Direction.TO_CLIENT) {
                return head.toString();
            }
            StringBuilder changed = new StringBuilder();
            for (String line : head.toString().split("\r\n")) {
                String lower = line.toLowerCase(Locale.ROOT);
                if (lower.startsWith("host:")) {
                    changed.append("Host: ")
                            .append(relay.getHostString())
                            .append(':')
                            .append(relay.getPort())
                            .append("\r\n");
                } else if (!line.isEmpty() && !lower.startsWith("sec-websocket-extensions:")) {
                    changed.append(line).append("\r\n");
                }
            }
            return changed.append("\r\n").toString();
        }

        private void raw(InputStream in) throws IOException, InterruptedException {
            byte[] buffer = new byte[8192];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                queue(java.util.Arrays.copyOf(buffer, n), null, false);
            }
            throw new EOFException();
        }

        /** A message may come in fragments; it is handled as one. Control frames between them go ahead of it. */
        private void messages(InputStream in) throws IOException, InterruptedException {
            ByteArrayOutputStream frames = new ByteArrayOutputStream();
            ByteArrayOutputStream text = new ByteArrayOutputStream();
            boolean isText = false;
            while (true) {
                ByteArrayOutputStream head = new ByteArrayOutputStream();
                int first = octet(in, head);
                int second = octet(in, head);
                int opcode = first & 0x0F;
                long length = second & 0x7F;
                int more = length == 126 ? 2 : length == 127 ? 8 : 0;
                if (more > 0) {
                    length = 0;
                    for (int i = 0; i < more; i++) {
                        length = length << 8 | octet(in, head);
                    }
                }
                byte[] mask = new byte[4];
                if ((second & 0x80) != 0) {
                    for (int i = 0; i < 4; i++) {
                        mask[i] = (byte) octet(in, head);
                    }
                }
                if (length < 0 || length + frames.size() > MAX_MESSAGE_BYTES) {
                    throw new IOException("the message is too long");
                }
                byte[] payload = in.readNBytes((int) length);
                if (payload.length < length) {
                    throw new EOFException();
                }
                head.write(payload);
                if (opcode >= 8) {
                    queue(head.toByteArray(), null, false);
                    continue;
                }
                if (opcode != 0) {
                    isText = opcode == TEXT;
                }
                frames.write(head.toByteArray());
                for (int i = 0; i < payload.length; i++) {
                    text.write(payload[i] ^ mask[i % 4]);
                }
                if ((first & 0x80) != 0) {
                    String message = isText ? text.toString(StandardCharsets.UTF_8) : null;
                    if (message != null && own.swallow.test(message)) {
                        own.swallowed.incrementAndGet();
                    } else {
                        queue(frames.toByteArray(), message, false);
                    }
                    frames.reset();
                    text.reset();
                }
            }
        }

        private int octet(InputStream in) throws IOException {
            int octet = in.read();
            if (octet < 0) {
                throw new EOFException();
            }
            return octet;
        }

        private int octet(InputStream in, ByteArrayOutputStream copy) throws IOException {
            int octet = octet(in);
            copy.write(octet);
            return octet;
        }

        private void queue(byte[] bytes, String message, boolean end) throws InterruptedException {
            long least = own.leastDelayNanos;
            long most = own.mostDelayNanos;
            long delay = most > least ? least + chance.nextLong(most - least + 1) : least;
            lastDueNanos = Math.max(lastDueNanos, System.nanoTime() + delay);
            waiting.put(new Item(bytes, message, lastDueNanos, end));
        }

        void write() {
            List<Item> held = new ArrayList<>(1);
            // Its own stream: how many numbers the reader drew must not decide what is reordered.
            SplittableRandom swaps = new SplittableRandom(seed ^ 0x5DEECE66DL * (chanceKey() + 1));
            try {
                OutputStream out = to.getOutputStream();
                while (true) {
                    Item item = waiting.poll(HELD_MILLIS, TimeUnit.MILLISECONDS);
                    if (item == null) {
                        if (to.isClosed()) {
                            return;
                        }
                        release(out, held);
                        continue;
                    }
                    pause(item.dueNanos());
                    if (item.end()) {
                        release(out, held);
                        to.shutdownOutput();
                        return;
                    }
                    if (item.message() != null && held.isEmpty() && swaps.nextDouble() < own.reorderChance) {
                        held.add(item);
                        continue;
                    }
                    put(out, item);
                    if (item.message() != null && !held.isEmpty()) {
                        own.reordered.incrementAndGet();
                        release(out, held);
                    }
                }
            } catch (IOException | InterruptedException e) {
                reset(from);
                reset(to);
            }
        }

        private long chanceKey() {
            return seed + direction.ordinal();
        }

        private void release(OutputStream out, List<Item> held) throws IOException {
            for (Item item : held) {
                put(out, item);
            }
            held.clear();
        }

        private void pause(long dueNanos) throws IOException {
            for (long left = dueNanos - System.nanoTime(); left > 0; left = dueNanos - System.nanoTime()) {
                if (to.isClosed()) {
                    throw new IOException("cut");
                }
                LockSupport.parkNanos(Math.min(left, 20_000_000));
            }
        }

        private void put(OutputStream out, Item item) throws IOException {
            while (silent) {
                if (to.isClosed()) {
                    throw new IOException("cut");
                }
                LockSupport.parkNanos(5_000_000);
            }
            long drip = own.dripNanos;
            if (drip == 0) {
                out.write(item.bytes());
            } else {
                for (byte octet : item.bytes()) {
                    out.write(octet);
                    pause(System.nanoTime() + own.dripNanos);
                }
            }
            if (item.message() != null) {
                own.forwarded.incrementAndGet();
            }
        }
    }
}
