package im.parley.transport.websocket;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A relay made of a loopback socket and a script per connection, so that it can send any bytes. */
final class RawRelay implements AutoCloseable {
    static final int TEXT = 1;
    static final int BINARY = 2;
    static final int CLOSE = 8;
    static final int PING = 9;
    static final int PONG = 10;

    interface Script {
        void run(Wire wire) throws Exception;
    }

    record Frame(int opcode, boolean fin, byte[] payload) {
        String text() {
            return new String(payload, StandardCharsets.UTF_8);
        }

        int closeCode() {
            return ByteBuffer.wrap(payload).getShort() & 0xFFFF;
        }
    }

    /** One accepted connection. */
    static final class Wire {
        final Socket socket;
        final DataInputStream in;
        final OutputStream out;

        Wire(Socket socket) throws IOException {
            this.socket = socket;
            in = new DataInputStream(socket.getInputStream());
            out = socket.getOutputStream();
        }

        String requestHead() throws IOException {
            StringBuilder head = new StringBuilder();
            while (head.indexOf("\r\n\r\n") < 0) {
                int b = in.read();
                if (b < 0) {
                    throw new EOFException();
                }
                head.append((char) b);
            }
            return head.toString();
        }

        /** Answers the upgrade and returns the request. */
        String upgrade(String... more) throws Exception {
            String head = requestHead();
            write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: " + accept(head) + "\r\n" + String.join("", more) + "\r\n");
            return head;
        }

        static String accept(String head) throws Exception {
            String name = "Sec-WebSocket-Key: ";
            int at = head.indexOf(name) + name.length();
            String key = head.substring(at, head.indexOf('\r', at));
            byte[] hash = MessageDigest.getInstance("SHA-1")
                    .digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(StandardCharsets.US_ASCII));
            return Base64.getEncoder().encodeToString(hash);
        }

        void write(String raw) throws IOException {
            out.write(raw.getBytes(StandardCharsets.ISO_8859_1));
            out.flush();
        }

        void text(String text) throws IOException {
            frame(0x80 | TEXT, text.getBytes(StandardCharsets.UTF_8));
        }

        void frame(int firstByte, byte[] payload) throws IOException {
            ByteBuffer head = ByteBuffer.allocate(10);
            head.put((byte) firstByte);
            if (payload.length < 126) {
                head.put((byte) payload.length);
            } else if (payload.length < 65536) {
                head.put((byte) 126).putShort((short) payload.length);
            } else {
                head.put((byte) 127).putLong(payload.length);
            }
            out.write(head.array(), 0, head.position());
            out.write(payload);
            out.flush();
        }

        void close(int code) throws IOException {
            frame(0x80 | CLOSE, ByteBuffer.allocate(2).putShort((short) code).array());
        }

        Frame read() throws IOException {
            int first = in.readUnsignedByte();
            int second = in.readUnsignedByte();
            if ((second & 0x80) == 0) {
                throw new IOException("a client frame without a mask");
            }
            long length = second & 0x7F;
            if (length == 126) {
                length = in.readUnsignedShort();
            } else if (length == 127) {
                length = in.readLong();
            }
            byte[] mask = in.readNBytes(4);
            byte[] payload = in.readNBytes(Math.toIntExact(length));
            for (int i = 0; i < payload.length; i++) {
                payload[i] ^= mask[i % 4];
            }
            return new Frame(first & 0x0F, (first & 0x80) != 0, payload);
        }

        /** Reads until the client closed, answering its close frame. */
        void drain() throws IOException {
            try {
                while (true) {
                    Frame frame = read();
                    if (frame.opcode() == CLOSE) {
                        frame(0x80 | CLOSE, frame.payload());
                        return;
                    }
                }
            } catch (EOFException e) {
                return;
            }
        }
    }

    final List<Throwable> failures = new CopyOnWriteArrayList<>();
    private final ServerSocket server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();

    RawRelay(Script script) throws IOException {
        this(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), script);
    }

    RawRelay(ServerSocket server, Script script) {
        this.server = server;
        threads.execute(() -> {
            while (!server.isClosed()) {
                try {
                    Socket socket = server.accept();
                    open.add(socket);
                    threads.execute(() -> serve(socket, script));
                } catch (IOException e) {
                    if (!server.isClosed()) {
                        failures.add(e);
                    }
                }
            }
        });
    }

    private void serve(Socket socket, Script script) {
        try (socket) {
            script.run(new Wire(socket));
        } catch (IOException e) {
            // The client went away, which is what many scripts provoke.
        } catch (Throwable e) {
            failures.add(e);
        }
    }

    int port() {
        return server.getLocalPort();
    }

    URI uri() {
        return URI.create("ws://127.0.0.1:" + port());
    }

    URI uri(String schemeAndHost) {
        return URI.create(schemeAndHost + ":" + port() + "/");
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket socket : open) {
            socket.close();
        }
        threads.shutdownNow();
    }
}
