package im.parley.fileserver.blossom;

import im.parley.api.blobs.FileServer;
import im.parley.api.event.Sha256;
import im.parley.api.identity.Signer;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.net.URI;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.jspecify.annotations.Nullable;

/**
 * Blossom (BUD-01, 02, 06, 11, 12), and uploads in pieces where a server offers {@code PATCH}. Every request has a connection
 * of its own, so scopes and identities share none. Thread-safe.
 */
final class BlossomFileServer implements FileServer, AutoCloseable {
    private static final int BUFFER_BYTES = 64 * 1024;
    private static final int MAX_HOPS = 3;
    private static final int MAX_DESCRIPTOR_BYTES = 64 * 1024;
    private static final int MAX_WRONG_OFFSETS = 3;
    /** Below this a piece is not worth the questions. */
    private static final long WHOLE_BYTES = 1 << 20;

    private static final String UPLOAD = "/upload";
    private static final String OFFSET = "upload-offset";
    private static final String NOT_ASKED = "fileserver.does-not-say";
    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
    private static final Set<Integer> NO_QUESTIONS = Set.of(404, 405, 501);
    private static final long[] SIZES = {100L << 30, 5L << 30, 1L << 30, 100L << 20, 20L << 20, 1L << 20};
    private static final Exchange.Body NOTHING = (buffer, from, length) -> 0;

    private final ProviderContext context;
    private final BlossomProvider.Settings settings;
    private final ScheduledExecutorService watch;
    private final Exchange.Host host;
    private volatile boolean closed;

    BlossomFileServer(ProviderContext context, BlossomProvider.Settings settings, Tls tls) {
        this.context = context;
        this.settings = settings;
        watch = Executors.newSingleThreadScheduledExecutor(work -> {
            Thread thread = new Thread(null, work, "parley-blossom-watch", 0, false);
            thread.setDaemon(true);
            return thread;
        });
        host = Exchange.Host.of(tls, settings.silence(), watch);
    }

    private Exchange connect(Scope scope, ServerAddress address) throws ProviderException {
        if (closed) {
            throw new ProviderException(
                    Kind.UNAVAILABLE, "slot.closed", "This client of file servers was closed; take a new lease.");
        }
        return Exchange.connect(host, context.egress(scope), address);
    }

    private static ServerAddress server(Access access) throws ProviderException {
        ServerAddress address = ServerAddress.of(access.server());
        return address.at("/");
    }

    private Token token(Access access, String verb, Sha256 hash, ServerAddress server) throws ProviderException {
        Signer signer = access.signer();
        if (signer == null) {
            throw Failures.status(401);
        }
        return new Token(signer, verb, hash, server.host(), context.clock());
    }

    // Upload

    @Override
    public Stored upload(Access access, Content content) throws ProviderException {
        ServerAddress server = server(access);
        Token token = token(access, "upload", content.hash(), server);
        Asked asked = ask(access.scope(), server, token, content.hash(), content.sizeBytes(), content.mediaType());
        if (asked.status() >= 300 && !NO_QUESTIONS.contains(asked.status())) {
            throw REDIRECTS.contains(asked.status())
                    ? Failures.redirect("an upload is not sent after it")
                    : Failures.status(asked.status());
        }
        if (asked.offset() >= 0 && content.sizeBytes() > WHOLE_BYTES) {
            return pieces(access, server, token, content, asked.offset());
        }
        Optional<Found> there = stat(access, content.hash());
        if (there.isPresent() && there.get().sizeBytes() == content.sizeBytes()) {
            content.source().progress(content.sizeBytes());
            return new Stored(urlOf(access.server(), content.hash()), false);
        }
        return whole(access, server, token, content);
    }

    /**
     * The answer to a question before an upload.
     *
     * @param offset how much is there; -1 if the server takes no pieces
     */
    private record Asked(int status, long offset) {}

    private Asked ask(Scope scope, ServerAddress server, Token token, Sha256 hash, long size, String type)
            throws ProviderException {
        Map<String, String> fields = Map.of(
                "Authorization", token.header(),
                "X-SHA-256", hash.hex(),
                "X-Content-Length", Long.toString(size),
                "X-Content-Type", type);
        try (Exchange exchange = connect(scope, server)) {
            exchange.ask("HEAD", server.at(UPLOAD), fields, -1, NOTHING);
            boolean pieces = !exchange.header("accept-patch").isEmpty() && exchange.status() < 300;
            return new Asked(exchange.status(), pieces ? Exchange.number(exchange.header(OFFSET)) : -1);
        }
    }

    private Stored whole(Access access, ServerAddress server, Token token, Content content) throws ProviderException {
        Map<String, String> fields = Map.of(
                "Authorization", token.header(),
                "X-SHA-256", content.hash().hex(),
                "Content-Type", content.mediaType());
        content.source().seek(0);
        try (Exchange exchange = connect(access.scope(), server)) {
            exchange.ask("PUT", server.at(UPLOAD), fields, content.sizeBytes(), reported(content.source(), 0));
            return stored(access, content, exchange);
        }
    }

    /** Tells the source how much has gone, about every MiB. */
    private static Exchange.Body reported(Source source, long offset) {
        return new Exchange.Body() {
            private long sent = offset;
            private long told = offset;

            @Override
            public int read(byte[] buffer, int from, int length) throws ProviderException {
                if (sent - told >= WHOLE_BYTES) {
                    told = sent;
                    source.progress(sent);
                }
                int n = source.read(buffer, from, length);
                sent += Math.max(0, n);
                return n;
            }
        };
    }

    private Stored stored(Access access, Content content, Exchange exchange) throws ProviderException {
        int status = exchange.status();
        if (status != 200 && status != 201) {
            throw REDIRECTS.contains(status)
                    ? Failures.redirect("an upload is not sent after it")
                    : status < 400 ? Failures.badAnswer("an upload is answered " + status) : Failures.status(status);
        }
        Descriptor descriptor = Descriptor.of(exchange.text(MAX_DESCRIPTOR_BYTES), content.hash());
        if (descriptor.sha256() != null
                && !descriptor.sha256().equals(content.hash().hex())) {
            throw Failures.status(409);
        }
        content.source().progress(content.sizeBytes());
        URI url = descriptor.url();
        return new Stored(url == null ? urlOf(access.server(), content.hash()) : url, status == 201);
    }

    private static URI urlOf(URI server, Sha256 hash) {
        String text = server.toASCIIString();
        return URI.create((text.endsWith("/") ? text : text + "/") + hash.hex());
    }

    private Stored pieces(Access access, ServerAddress server, Token token, Content content, long first)
            throws ProviderException {
        long offset = checked(first, content.sizeBytes());
        int wrong = 0;
        while (true) {
            long length = Math.min(settings.pieceBytes(), content.sizeBytes() - offset);
            content.source().seek(offset);
            content.source().progress(offset);
            Map<String, String> fields = new HashMap<>(Map.of(
                    "Authorization", token.header(),
                    "X-SHA-256", content.hash().hex(),
                    "Content-Type", "application/octet-stream",
                    "Upload-Type", content.mediaType(),
                    "Upload-Length", Long.toString(content.sizeBytes()),
                    "Upload-Offset", Long.toString(offset)));
            try (Exchange exchange = connect(access.scope(), server)) {
                exchange.ask("PATCH", server.at(UPLOAD), fields, length, reported(content.source(), offset));
                boolean other =
                        exchange.status() == 409 && !exchange.header(OFFSET).isEmpty();
                if (exchange.status() != 204 && !other) {
                    return stored(access, content, exchange);
                }
                long next = checked(Exchange.number(exchange.header(OFFSET)), content.sizeBytes());
                wrong = next > offset ? 0 : wrong + 1;
                if (wrong > MAX_WRONG_OFFSETS) {
                    throw Failures.status(503);
                }
                offset = next;
            }
        }
    }

    private static long checked(long offset, long size) throws ProviderException {
        if (offset < 0 || offset > size) {
            throw Failures.badAnswer("an upload cannot be at " + offset);
        }
        return offset;
    }

    // Download

    @Override
    public long download(Access access, Sha256 hash, long from, long sizeBytes, Sink sink) throws ProviderException {
        if (from < 0 || sizeBytes < 0 || from > sizeBytes) {
            throw new IllegalArgumentException("a blob of " + sizeBytes + " bytes is not read from " + from);
        }
        Map<String, String> fields = from == 0 ? Map.of() : Map.of("Range", "bytes=" + from + "-");
        try (Exchange exchange = follow(access, "GET", hash, fields)) {
            int status = exchange.status();
            if (status == 416 && from > 0) {
                // Nothing is left, or it is another blob; the hash tells.
                return 0;
            }
            if (status != 200 && status != 206) {
                throw status < 400 ? Failures.badAnswer("a blob is answered " + status) : Failures.status(status);
            }
            String encoding = exchange.header("content-encoding");
            if (!encoding.isEmpty() && !encoding.equalsIgnoreCase("identity")) {
                throw Failures.badAnswer("a blob comes as it is");
            }
            long skip = from;
            if (status == 206) {
                if (!exchange.header("content-range").startsWith("bytes " + from + "-")) {
                    throw Failures.badAnswer("it sends another range");
                }
                skip = 0;
            }
            return copy(exchange, skip, sizeBytes - from, sink);
        }
    }

    private static long copy(Exchange exchange, long skip, long most, Sink sink) throws ProviderException {
        byte[] buffer = new byte[BUFFER_BYTES];
        long left = skip;
        long handed = 0;
        while (true) {
            int n = exchange.read(buffer, 0, buffer.length);
            if (n < 0) {
                return handed;
            }
            int over = (int) Math.min(left, n);
            left -= over;
            int fresh = n - over;
            int taken = (int) Math.min(fresh, most - handed);
            if (taken > 0) {
                sink.write(buffer, over, taken);
                handed += taken;
            }
            if (taken < fresh) {
                throw Failures.tooLarge();
            }
        }
    }

    /** Asks for a blob and goes after redirects that keep its hash (BUD-01); authorizes itself only where it was sent. */
    private Exchange follow(Access access, String method, Sha256 hash, Map<String, String> fields)
            throws ProviderException {
        ServerAddress address = ServerAddress.of(access.server());
        address = address.root() ? address.at("/" + hash.hex()) : address;
        Exchange exchange = asked(access, method, hash, fields, address);
        for (int hop = 0; REDIRECTS.contains(exchange.status()); hop++) {
            String location = exchange.header("location");
            exchange.close();
            if (hop == MAX_HOPS) {
                throw Failures.redirect("that again and again");
            }
            ServerAddress next = target(address, location, hash);
            exchange = connect(access.scope(), next);
            address = next;
            ask(exchange, method, next, fields);
        }
        return exchange;
    }

    private static void ask(Exchange exchange, String method, ServerAddress address, Map<String, String> fields)
            throws ProviderException {
        boolean done = false;
        try {
            exchange.ask(method, address, fields, -1, NOTHING);
            done = true;
        } finally {
            if (!done) {
                exchange.close();
            }
        }
    }

    private Exchange asked(Access access, String method, Sha256 hash, Map<String, String> fields, ServerAddress address)
            throws ProviderException {
        Exchange exchange = connect(access.scope(), address);
        ask(exchange, method, address, fields);
        if (exchange.status() != 401 || access.signer() == null) {
            return exchange;
        }
        exchange.close();
        Map<String, String> signed = new HashMap<>(fields);
        signed.put("Authorization", token(access, "get", hash, address).header());
        Exchange again = connect(access.scope(), address);
        ask(again, method, address, signed);
        return again;
    }

    private static ServerAddress target(ServerAddress from, String location, Sha256 hash) throws ProviderException {
        try {
            URI base = URI.create((from.tls() ? "https://" : "http://") + from.authority() + from.target());
            URI url = base.resolve(location);
            if (location.isEmpty() || !url.toASCIIString().contains(hash.hex())) {
                throw Failures.redirect("the blob is not named there");
            }
            ServerAddress next = ServerAddress.of(url);
            if (from.tls() && !next.tls()) {
                throw Failures.redirect("that is not encrypted");
            }
            return next;
        } catch (IllegalArgumentException e) {
            throw Failures.redirect("that is no address");
        }
    }

    @Override
    public Optional<Found> stat(Access access, Sha256 hash) throws ProviderException {
        try (Exchange exchange = follow(access, "HEAD", hash, Map.of())) {
            int status = exchange.status();
            if (status == 404 || status == 410) {
                return Optional.empty();
            }
            if (status != 200) {
                throw status < 400 ? Failures.badAnswer("a blob is answered " + status) : Failures.status(status);
            }
            return Optional.of(new Found(exchange.announced(), date(exchange.header("sunset"))));
        }
    }

    private static long date(String text) {
        try {
            return text.isEmpty()
                    ? 0
                    : Math.max(
                            0,
                            Instant.from(DateTimeFormatter.RFC_1123_DATE_TIME.parse(text))
                                    .getEpochSecond());
        } catch (DateTimeException e) {
            return 0;
        }
    }

    @Override
    public boolean delete(Access access, Sha256 hash) throws ProviderException {
        ServerAddress server = server(access);
        Map<String, String> fields =
                Map.of("Authorization", token(access, "delete", hash, server).header());
        try (Exchange exchange = connect(access.scope(), server)) {
            exchange.ask("DELETE", server.at("/" + hash.hex()), fields, -1, NOTHING);
            int status = exchange.status();
            if (status == 404 || status == 410) {
                return false;
            }
            if (status != 200 && status != 202 && status != 204) {
                throw status < 400 ? Failures.badAnswer("a deletion is answered " + status) : Failures.status(status);
            }
            return true;
        }
    }

    // Probe

    @Override
    public Probe probe(Access access) throws ProviderException {
        ServerAddress server = server(access);
        boolean resumes;
        long largest;
        try (Exchange exchange = connect(access.scope(), server)) {
            exchange.ask("OPTIONS", server.at(UPLOAD), Map.of(), -1, NOTHING);
            boolean good = exchange.status() < 300;
            resumes = good && !exchange.header("accept-patch").isEmpty();
            largest = good ? limit(exchange.header("upload-limit")) : -1;
        }
        if (access.signer() == null) {
            return new Probe(false, NOT_ASKED, largest, resumes);
        }
        byte[] random = new byte[Sha256.LENGTH];
        context.random().nextBytes(random);
        Sha256 hash = Sha256.of(random);
        Token token = token(access, "upload", hash, server);
        String refusal = refusal(access.scope(), server, token, hash, 1);
        if (!refusal.isEmpty()) {
            return new Probe(false, refusal, largest, resumes);
        }
        for (int i = 0; largest < 0 && i < SIZES.length; i++) {
            largest = refusal(access.scope(), server, token, hash, SIZES[i]).isEmpty() ? SIZES[i] : -1;
        }
        return new Probe(true, "", largest, resumes);
    }

    private static long limit(@Nullable String header) {
        for (String part : header == null ? new String[0] : header.split(",", -1)) {
            String[] pair = part.strip().split("=", 2);
            if (pair.length == 2 && pair[0].equals("max-size")) {
                return Exchange.number(pair[1].strip());
            }
        }
        return -1;
    }

    private String refusal(Scope scope, ServerAddress server, Token token, Sha256 hash, long size)
            throws ProviderException {
        int status = ask(scope, server, token, hash, size, "application/octet-stream")
                .status();
        if (status < 300) {
            return "";
        }
        return NO_QUESTIONS.contains(status)
                ? NOT_ASKED
                : Failures.status(status).code();
    }

    /** Ends every transfer. */
    @Override
    public void close() {
        closed = true;
        watch.shutdownNow();
        host.open().forEach(Exchange::close);
    }
}
