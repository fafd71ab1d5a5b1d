package im.parley.files.http.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.api.storage.SpaceId;
import im.parley.http.ContentRoute;
import im.parley.http.HttpRoute;
import im.parley.http.HttpRoute.Answer;
import im.parley.slot.Slot;
import im.parley.vault.SealedSpaces;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Map;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The front of the file server: which endpoint a request is for, and what every answer carries. Each refusal is a problem
 * document with a stable code, and the same in words in {@code X-Reason} for those who get no body.
 */
@Component(
        name = FilesConfiguration.PID,
        service = ContentRoute.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        immediate = true,
        property = HttpRoute.LISTENER + "=files")
@Designate(ocd = FilesConfiguration.class)
public final class FileServer implements ContentRoute {
    private static final Logger LOG = LoggerFactory.getLogger(FileServer.class);
    private static final SpaceId SPACE = new SpaceId("files");
    private static final String UPLOAD = "/upload";
    private static final String REPORT = "/report";
    private static final String LIST = "/list/";
    private static final String FOR_PEOPLE =
            "This is a Blossom file server, part of a Parley node. Add this address to a Nostr app that stores files.\n";

    private final Uploads uploads;
    private final Pieces pieces;
    private final PieceSweep sweep;
    private final Downloads downloads;
    private final Shelf shelf;
    private final Reports reports;
    private final Allowances allowances;
    private final Scrub scrub;

    @Activate
    public FileServer(
            FilesConfiguration configuration,
            @Reference(target = "(parley.slot=blobs)", policyOption = ReferencePolicyOption.GREEDY)
                    Slot<BlobStore> blobs,
            @Reference(target = "(parley.slot=curve)", policyOption = ReferencePolicyOption.GREEDY)
                    Slot<Secp256k1> curve,
            @Reference SealedSpaces spaces,
            @Reference InstantSource clock,
            @Reference SecureRandom random) {
        this(FilesSettings.of(configuration), blobs, curve, spaces, clock, random);
    }

    FileServer(
            FilesSettings settings,
            Slot<BlobStore> blobs,
            Slot<Secp256k1> curve,
            SealedSpaces spaces,
            InstantSource clock,
            SecureRandom random) {
        Ownership ownership = new Ownership(spaces.open(SPACE), settings.quotaBytes(), settings.quotaBlobs());
        Tokens tokens = new Tokens(settings, curve, clock);
        Hashes hashes = new Hashes();
        allowances = new Allowances(settings.addressRequestsPerMinute(), settings.addressBytesPerHour(), clock);
        uploads = new Uploads(settings, tokens, ownership, hashes, blobs, allowances, clock);
        pieces = new Pieces(settings, uploads, ownership, blobs, allowances, clock);
        sweep = new PieceSweep(blobs, settings.longestPause(), clock);
        downloads = new Downloads(ownership, blobs);
        shelf = new Shelf(settings, tokens, ownership, hashes, blobs, clock);
        reports = new Reports(ownership, curve, clock);
        scrub = new Scrub(blobs, settings.scrubDays(), random);
        LOG.info(
                "The file server answers to {}; {} may upload",
                settings.urls(),
                settings.everybody()
                        ? "everybody"
                        : settings.allowed().isEmpty()
                                ? "nobody"
                                : settings.allowed().size() + " keys");
    }

    @Deactivate
    void stop() {
        scrub.close();
        sweep.close();
    }

    @Override
    public void serve(Exchange exchange) throws IOException {
        Refusal refusal;
        try {
            route(exchange);
            return;
        } catch (Refusal e) {
            refusal = e;
        } catch (ProviderException e) {
            refusal = Refusal.of(e);
            if (refusal.status() >= 500) {
                LOG.warn("{} {} was answered {}", exchange.request().method(), e.code(), refusal.status(), e);
            } else if (e.kind() == Kind.INTERNAL) {
                LOG.error("the file server met a fault", e);
            }
        }
        if (exchange.answered()) {
            // The connection is cut, and the client knows by the length that this is not the whole.
            throw new IOException(refusal.code());
        }
        exchange.answer(problem(refusal));
    }

    private void route(Exchange exchange) throws Refusal, ProviderException, IOException {
        HttpRoute.Request request = exchange.request();
        String path = request.path();
        String method = request.method();
        boolean read = method.equals("GET") || method.equals("HEAD");
        if (method.equals("OPTIONS")) {
            exchange.answer(new Answer(204, preflight(path), new byte[0]));
        } else if (path.equals("/") && read) {
            exchange.answer(new Answer(
                    200,
                    headers(Map.of("Content-Type", "text/plain; charset=utf-8")),
                    FOR_PEOPLE.getBytes(StandardCharsets.UTF_8)));
        } else if (path.equals(UPLOAD)) {
            allowances.request(request.remote(), 1);
            switch (method) {
                case "PUT" -> uploads.put(exchange);
                case "PATCH" -> pieces.patch(exchange);
                case "HEAD" -> uploads.check(exchange, pieces);
                default -> throw notAllowed();
            }
        } else if (path.equals(REPORT)) {
            allowances.request(request.remote(), Reports.WEIGHT);
            if (!method.equals("PUT")) {
                throw notAllowed();
            }
            reports.put(exchange);
        } else if (path.startsWith(LIST)) {
            allowances.request(request.remote(), 1);
            if (!read) {
                throw notAllowed();
            }
            shelf.list(exchange, path.substring(LIST.length()));
        } else if (path.equals("/mirror") || path.equals("/media")) {
            throw new Refusal(
                    404, "endpoint.absent", "This server neither fetches nor changes files: PUT /upload them.");
        } else {
            blob(exchange, path, read);
        }
    }

    private void blob(Exchange exchange, String path, boolean read) throws Refusal, ProviderException, IOException {
        BlobPath named = BlobPath.of(path);
        if (read) {
            downloads.get(exchange, named.hash());
        } else if (exchange.request().method().equals("DELETE")) {
            allowances.request(exchange.request().remote(), 1);
            shelf.delete(exchange, named.hash());
        } else {
            throw notAllowed();
        }
    }

    private static Refusal notAllowed() {
        return new Refusal(405, "method.not-allowed", "This method is not served at this path.");
    }

    /** What every answer has: readable from every origin, as BUD-01 asks, and never run in this one. */
    static Map<String, String> headers(Map<String, String> own) {
        Map<String, String> all = new HashMap<>();
        all.put("Access-Control-Allow-Origin", "*");
        all.put(
                "Access-Control-Expose-Headers",
                "X-Reason, Content-Length, Content-Range, Content-Disposition, Accept-Ranges, ETag, Retry-After,"
                        + " Upload-Offset, Upload-Limit, Accept-Patch");
        all.put("X-Content-Type-Options", "nosniff");
        all.put("Content-Security-Policy", "default-src 'none'; sandbox");
        all.put("Cross-Origin-Resource-Policy", "cross-origin");
        all.put("Referrer-Policy", "no-referrer");
        all.putAll(own);
        return all;
    }

    private Map<String, String> preflight(String path) {
        Map<String, String> headers = headers(Map.of(
                "Access-Control-Allow-Headers", "Authorization, *",
                "Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH, DELETE",
                "Access-Control-Max-Age", "86400"));
        if (path.equals(UPLOAD)) {
            headers.putAll(pieces.offer());
        }
        return headers;
    }

    static void json(Exchange exchange, int status, String json) throws IOException {
        exchange.answer(new Answer(
                status,
                headers(Map.of("Content-Type", "application/json", "Cache-Control", "no-store")),
                json.getBytes(StandardCharsets.UTF_8)));
    }

    private static Answer problem(Refusal refusal) {
        Answer problem = Answer.problem(refusal.status(), refusal.code(), refusal.text());
        Map<String, String> headers = headers(problem.headers());
        headers.putAll(refusal.headers());
        headers.put("X-Reason", refusal.text() + " (" + refusal.code() + ")");
        switch (refusal.status()) {
            case 401 -> headers.put("WWW-Authenticate", "Nostr");
            case 429, 503 -> headers.put("Retry-After", "60");
            case 416 -> headers.put("Accept-Ranges", "bytes");
            default -> {}
        }
        return new Answer(refusal.status(), headers, problem.body());
    }
}
