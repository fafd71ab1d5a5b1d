package im.parley.fileserver.blossom;

import im.parley.api.event.Sha256;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** A Blossom server of nobody we know: strict, in memory, and as wicked as a test wants it. */
final class StubServer implements AutoCloseable {
    /** One request; the body is still on the wire. */
    record Request(String method, String path, Map<String, String> headers, InputStream in) {
        String header(String name) {
            return headers.getOrDefault(name, "");
        }

        byte[] body() throws IOException {
            String length = header("content-length");
            return length.isEmpty() ? new byte[0] : in.readNBytes(Integer.parseInt(length));
        }
    }

    /** Answers instead of the server if it returns true. */
    @FunctionalInterface
    interface Trick {
        boolean play(Request request, OutputStream out) throws IOException;
    }

    final Map<String, byte[]> blobs = new ConcurrentHashMap<>();
    final Map<String, byte[]> begun = new ConcurrentHashMap<>();
    final List<String> asked = new CopyOnWriteArrayList<>();
    volatile @Nullable Trick trick;
    volatile boolean pieces;
    volatile boolean questions = true;
    volatile boolean ranges = true;

    private final ServerSocket socket;

    StubServer() throws IOException {
        this(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()));
    }

    StubServer(ServerSocket socket) {
        this.socket = socket;
        Thread thread = new Thread(this::accept, "stub-server");
        thread.setDaemon(true);
        thread.start();
    }

    int port() {
        return socket.getLocalPort();
    }

    URI url() {
        return URI.create("http://127.0.0.1:" + port());
    }

    private void accept() {
        while (!socket.isClosed()) {
            try {
                Socket client = socket.accept();
                Thread thread = new Thread(() -> serve(client), "stub-client");
                thread.setDaemon(true);
                thread.start();
            } catch (IOException e) {
                return;
            }
        }
    }

    private void serve(Socket client) {
        try (client) {
            InputStream in = new BufferedInputStream(client.getInputStream());
            String[] first = line(in).split(" ");
            Map<String, String> headers = new HashMap<>();
            for (String line = line(in); !line.isEmpty(); line = line(in)) {
                int colon = line.indexOf(':');
                headers.put(
                        line.substring(0, colon).toLowerCase(Locale.ROOT),
                        line.substring(colon + 1).strip());
            }
            Request request = new Request(first[0], first[1], headers, in);
            asked.add(request.method() + " " + request.path());
            Trick own = trick;
            OutputStream out = client.getOutputStream();
            if (own == null || !own.play(request, out)) {
                answer(request, out);
            }
            out.flush();
        } catch (IOException e) {
            // A client that went away.
            return;
        }
    }

    private static String line(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0) {
                throw new IOException("gone");
            }
            if (b != '\r') {
                line.write(b);
            }
        }
        return line.toString(StandardCharsets.ISO_8859_1);
    }

    static void head(OutputStream out, int status, String... fields) throws IOException {
        StringBuilder head = new StringBuilder("HTTP/1.1 " + status + " Whatever\r\n");
        for (String field : fields) {
            head.append(field).append("\r\n");
        }
        out.write(head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1));
    }

    static void text(OutputStream out, int status, String body, String... fields) throws IOException {
        String[] all = java.util.Arrays.copyOf(fields, fields.length + 1);
        all[fields.length] = "Content-Length: " + body.length();
        head(out, status, all);
        out.write(body.getBytes(StandardCharsets.ISO_8859_1));
    }

    static String hash(byte[] bytes) {
        try {
            return Sha256.of(MessageDigest.getInstance("SHA-256").digest(bytes)).hex();
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private void answer(Request request, OutputStream out) throws IOException {
        String path = request.path();
        boolean upload = path.equals("/upload");
        if (request.method().equals("OPTIONS")) {
            head(out, 204, pieces ? "Accept-Patch: application/octet-stream" : "X-Nothing: here");
            return;
        }
        boolean write = upload || request.method().equals("DELETE");
        if (write && !request.header("authorization").startsWith("Nostr ")) {
            text(out, 401, "");
            return;
        }
        switch (request.method() + (upload ? " upload" : "")) {
            case "HEAD upload" -> question(request, out);
            case "PUT upload" -> {
                byte[] body = request.body();
                stored(request, out, body);
            }
            case "PATCH upload" -> piece(request, out);
            case "DELETE" -> head(out, blobs.remove(path.substring(1)) == null ? 404 : 204, "Content-Length: 0");
            case "GET", "HEAD" -> blob(request, out);
            default -> text(out, 405, "");
        }
    }

    private void question(Request request, OutputStream out) throws IOException {
        if (!questions) {
            head(out, 404);
        } else if (pieces) {
            String hash = request.header("x-sha-256");
            int size = blobs.containsKey(hash) ? blobs.get(hash).length : begun.getOrDefault(hash, new byte[0]).length;
            head(out, 200, "Accept-Patch: application/octet-stream", "Upload-Offset: " + size);
        } else {
            head(out, 200);
        }
    }

    private void piece(Request request, OutputStream out) throws IOException {
        String hash = request.header("x-sha-256");
        if (!pieces) {
            text(out, 405, "");
            return;
        }
        if (blobs.containsKey(hash)) {
            stored(request, out, blobs.get(hash));
            return;
        }
        byte[] there = begun.getOrDefault(hash, new byte[0]);
        if (there.length != Integer.parseInt(request.header("upload-offset"))) {
            text(out, 409, "", "Upload-Offset: " + there.length);
            return;
        }
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.write(there);
        int left = Integer.parseInt(request.header("content-length"));
        byte[] buffer = new byte[10_000];
        while (left > 0) {
            int n = request.in().read(buffer, 0, Math.min(buffer.length, left));
            if (n < 0) {
                begun.put(hash, all.toByteArray());
                return;
            }
            all.write(buffer, 0, n);
            left -= n;
        }
        begun.put(hash, all.toByteArray());
        if (all.size() < Integer.parseInt(request.header("upload-length"))) {
            head(out, 204, "Upload-Offset: " + all.size());
        } else {
            begun.remove(hash);
            stored(request, out, all.toByteArray());
        }
    }

    private void stored(Request request, OutputStream out, byte[] body) throws IOException {
        String hash = request.header("x-sha-256");
        if (!hash(body).equals(hash)) {
            text(out, 409, "");
            return;
        }
        boolean created = blobs.put(hash, body) == null;
        text(
                out,
                created ? 201 : 200,
                "{\"url\":\"" + url() + "/" + hash + ".bin\",\"sha256\":\"" + hash + "\",\"size\":" + body.length + "}",
                "Content-Type: application/json");
    }

    private void blob(Request request, OutputStream out) throws IOException {
        String name = request.path().substring(1).replaceAll("\\..*", "");
        byte[] bytes = blobs.get(name);
        if (bytes == null) {
            head(out, 404, "Content-Length: 0");
            return;
        }
        int from = 0;
        String range = request.header("range");
        if (ranges && range.startsWith("bytes=")) {
            from = Integer.parseInt(range.substring(6, range.length() - 1));
            if (from >= bytes.length) {
                head(out, 416, "Content-Length: 0");
                return;
            }
            head(
                    out,
                    206,
                    "Content-Range: bytes " + from + "-" + (bytes.length - 1) + "/" + bytes.length,
                    "Content-Length: " + (bytes.length - from));
        } else {
            head(out, 200, "Content-Length: " + bytes.length);
        }
        if (request.method().equals("GET")) {
            out.write(bytes, from, bytes.length - from);
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
