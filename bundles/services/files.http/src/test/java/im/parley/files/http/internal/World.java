package im.parley.files.http.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Secrets;
import im.parley.api.storage.RecordStore;
import im.parley.http.ContentRoute;
import im.parley.http.HttpRoute;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.storage.memory.MemoryRecordStoreProvider;
import im.parley.testkit.SeededRandom;
import im.parley.testkit.Seeds;
import im.parley.testkit.SettableClock;
import im.parley.vault.internal.LeasedSpaces;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** A file server over sealed records in memory, and clients that speak to it without a socket in between. */
final class World {
    static final long NOW = 1_800_000_000L;
    static final String REMOTE = "203.0.113.7";

    final SettableClock clock = SettableClock.atSecond(NOW);
    final SeededRandom random = Seeds.secureRandom("files");
    final MemoryBlobs blobs = new MemoryBlobs();
    final TestKey alice = new TestKey(random);
    final TestKey bob = new TestKey(random);
    final TestKey stranger = new TestKey(random);
    private final LeasedSpaces spaces;
    FileServer server;

    World() {
        RecordStore records = noContext();
        spaces = new LeasedSpaces(slot("storage.records", records), instance -> new Names(), random);
        server = server(settings(Set.of(alice.publicKey(), bob.publicKey())));
    }

    @SuppressWarnings("NullAway") // The store in memory asks for nothing.
    private static RecordStore noContext() {
        return new MemoryRecordStoreProvider().open(null);
    }

    static FilesSettings settings(Set<PublicKey> allowed) {
        return new FilesSettings(
                List.of("https://files.example.org", "http://127.0.0.1:7472"),
                Set.of("files.example.org", "127.0.0.1"),
                false,
                allowed,
                1_000_000,
                3_000_000,
                20,
                Long.MAX_VALUE,
                10_000_000,
                600,
                Duration.ofHours(24),
                Duration.ofHours(2),
                3,
                0,
                false);
    }

    FileServer server(FilesSettings settings) {
        server = new FileServer(settings, slot("blobs", blobs), slot("curve", TestKey.CURVE), spaces, clock, random);
        return server;
    }

    static <T> Slot<T> slot(String name, Object object) {
        return new Slot<>() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public Lease<T> acquire() {
                return new Lease<>() {
                    @Override
                    @SuppressWarnings("unchecked")
                    public T get() {
                        return (T) object;
                    }

                    @Override
                    public String instance() {
                        return name + "~test";
                    }

                    @Override
                    public boolean retiring() {
                        return false;
                    }

                    @Override
                    public void close() {}
                };
            }

            @Override
            public Status status() {
                return new Status(name, name + "~test", "", 0);
            }
        };
    }

    /** What came back. */
    record Response(int status, Map<String, String> headers, byte[] body) {
        String text() {
            return new String(body, StandardCharsets.UTF_8);
        }

        String header(String name) {
            return headers.getOrDefault(name, "");
        }

        /** Asserts a refusal and that it is said in every way. */
        Response refused(int expected, String code) {
            assertEquals(expected + " " + code, status + " " + code(), text());
            assertEquals("*", header("Access-Control-Allow-Origin"));
            assertEquals(true, header("X-Reason").endsWith("(" + code + ")"), header("X-Reason"));
            return this;
        }

        private String code() {
            int at = text().indexOf("\"code\":\"");
            return at < 0 ? text() : text().substring(at + 8, text().indexOf('"', at + 8));
        }

        Response is(int expected) {
            assertEquals(expected, status, text());
            return this;
        }
    }

    Response ask(String method, String path, byte @Nullable [] body, String... headers) {
        return ask(REMOTE, method, path, body, headers);
    }

    /** @param headers names in lower case and values in turn */
    Response ask(String remote, String method, String path, byte @Nullable [] body, String... headers) {
        Map<String, String> all = new TreeMap<>();
        all.put("host", "files.example.org");
        for (int i = 0; i < headers.length; i += 2) {
            all.put(headers[i], headers[i + 1]);
        }
        int question = path.indexOf('?');
        Exchanged exchange = new Exchanged(
                new HttpRoute.Request(method, question < 0 ? path : path.substring(0, question), all, remote),
                question < 0 ? "" : path.substring(question + 1),
                body);
        try {
            server.serve(exchange);
        } catch (IOException e) {
            return new Response(0, Map.of(), String.valueOf(e.getMessage()).getBytes(StandardCharsets.UTF_8));
        }
        return exchange.response();
    }

    Response upload(TestKey key, byte[] body, String... headers) {
        String hash = MemoryBlobs.hash(body).hex();
        String[] all = Arrays.copyOf(headers, headers.length + 4);
        all[headers.length] = "authorization";
        all[headers.length + 1] = key.token(clock.epochSecond(), "upload", hash);
        all[headers.length + 2] = "x-sha-256";
        all[headers.length + 3] = hash;
        return ask("PUT", "/upload", body, all);
    }

    Response delete(TestKey key, String hash) {
        return ask("DELETE", "/" + hash, null, "authorization", key.token(clock.epochSecond(), "delete", hash));
    }

    Response list(TestKey key, String query) {
        return ask("GET", "/list/" + key.hex() + query, null, "authorization", key.token(clock.epochSecond(), "list"));
    }

    private static final class Exchanged implements ContentRoute.Exchange {
        private final HttpRoute.Request request;
        private final String query;
        private final byte[] sent;
        private final InputStream body;
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();
        private int status;
        private long length;
        private Map<String, String> headers = Map.of();

        Exchanged(HttpRoute.Request request, String query, byte @Nullable [] body) {
            this.request = request;
            this.query = query;
            this.sent = body == null ? new byte[0] : body;
            this.body = new ByteArrayInputStream(sent);
        }

        @Override
        public HttpRoute.Request request() {
            return request;
        }

        @Override
        public String query() {
            return query;
        }

        @Override
        public long contentLength() {
            return request.headers().containsKey("x-test-chunked") ? -1 : sent.length;
        }

        @Override
        public InputStream body() {
            return body;
        }

        @Override
        public void answer(HttpRoute.Answer answer) throws IOException {
            answer(answer.status(), answer.headers(), answer.body().length).write(answer.body());
        }

        @Override
        public OutputStream answer(int status, Map<String, String> headers, long length) {
            assertEquals(0, this.status, "answered twice");
            this.status = status;
            this.headers = new HashMap<>(headers);
            this.length = length;
            return request.method().equals("HEAD") ? OutputStream.nullOutputStream() : out;
        }

        @Override
        public boolean answered() {
            return status != 0;
        }

        Response response() {
            if (!request.method().equals("HEAD")) {
                assertEquals(length, out.size(), "the length that was announced");
            }
            headers.put("Content-Length", Long.toString(length));
            return new Response(status, headers, out.toByteArray());
        }
    }

    /** Secrets in memory. */
    private static final class Names implements Secrets {
        private final Map<String, byte[]> values = new ConcurrentHashMap<>();

        @Override
        public List<String> names() {
            return List.copyOf(values.keySet());
        }

        @Override
        public boolean locked(String name) {
            return false;
        }

        @Override
        public byte[] read(String name) throws ProviderException {
            byte[] value = values.get(name);
            if (value == null) {
                throw new ProviderException(Kind.REJECTED, "secret.missing", "No such secret.");
            }
            return value.clone();
        }

        @Override
        public void write(String name, byte[] value, char @Nullable [] passphrase) {
            values.put(name, value.clone());
        }

        @Override
        public void unlock(String name, char[] passphrase) {}

        @Override
        public void delete(String name) {
            values.remove(name);
        }

        @Override
        public AutoCloseable onLock(Runnable callback) {
            return () -> {};
        }
    }
}
