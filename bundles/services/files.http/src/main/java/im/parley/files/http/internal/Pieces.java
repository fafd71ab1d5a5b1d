package im.parley.files.http.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.api.storage.PartialBlobs;
import im.parley.http.ContentRoute.Exchange;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code PATCH /upload}: a blob in pieces, which goes on where it broke off. No BUD has it yet. A piece says in {@code
 * X-SHA-256} which blob it is of, in {@code Upload-Length} how large that one is, and in {@code Upload-Offset} where the
 * piece begins. Each key has its own pieces of a blob: nobody spoils those of another. Thread-safe.
 */
final class Pieces {
    private static final Logger LOG = LoggerFactory.getLogger(Pieces.class);
    private static final String OFFSET = "Upload-Offset";

    private final FilesSettings settings;
    private final Uploads uploads;
    private final Ownership ownership;
    private final Slot<BlobStore> blobs;
    private final Allowances allowances;
    private final InstantSource clock;

    Pieces(
            FilesSettings settings,
            Uploads uploads,
            Ownership ownership,
            Slot<BlobStore> blobs,
            Allowances allowances,
            InstantSource clock) {
        this.settings = settings;
        this.uploads = uploads;
        this.ownership = ownership;
        this.blobs = blobs;
        this.allowances = allowances;
        this.clock = clock;
    }

    /** What {@code OPTIONS /upload} says; without {@code Accept-Patch} if the store takes no pieces. */
    Map<String, String> offer() {
        String limit = "max-size=" + settings.maxBlobBytes();
        try (Lease<BlobStore> lease = blobs.acquire()) {
            if (lease.get() instanceof PartialBlobs) {
                return Map.of("Accept-Patch", "application/octet-stream", "Upload-Limit", limit);
            }
        } catch (ProviderException e) {
            LOG.debug("no store to ask whether it takes pieces: {}", e.code());
        }
        return Map.of("Upload-Limit", limit);
    }

    /** How far that upload is, as headers. */
    Map<String, String> state(PublicKey key, Sha256 hash) throws ProviderException {
        try (Lease<BlobStore> lease = blobs.acquire()) {
            if (!(lease.get() instanceof PartialBlobs partials)) {
                return Map.of();
            }
            Optional<Ownership.Entry> owned = ownership.owned(key, hash);
            long size = owned.isPresent() && lease.get().stat(hash).isPresent()
                    ? owned.get().sizeBytes()
                    : size(partials, name(key, hash));
            return Map.of(OFFSET, Long.toString(size), "Accept-Patch", "application/octet-stream");
        }
    }

    private static long size(PartialBlobs partials, Sha256 name) throws ProviderException {
        return partials.partial(name).map(PartialBlobs.Partial::sizeBytes).orElse(0L);
    }

    private static Sha256 name(PublicKey key, Sha256 hash) {
        return Sha256.of(Hashes.sha256((key.hex() + hash.hex()).getBytes(StandardCharsets.US_ASCII)));
    }

    void patch(Exchange exchange) throws Refusal, ProviderException, IOException {
        Map<String, String> headers = exchange.request().headers();
        if (exchange.contentLength() < 0) {
            throw new Refusal(411, "length.missing", "Say in Content-Length how long the piece is.");
        }
        // Who asks comes first, so that a stranger learns nothing.
        long size = headers.containsKey("upload-length") ? number(headers, "upload-length") : -1;
        Uploads.Announced announced =
                uploads.announced(exchange, size, exchange.contentLength(), headers.get("upload-type"));
        Sha256 hash = announced.hash();
        if (hash == null) {
            throw new Refusal(400, "hash.missing", "Say in X-SHA-256 which blob the piece is of.");
        }
        long offset = number(headers, size < 0 ? "upload-length" : "upload-offset");
        if (offset > size || exchange.contentLength() > size - offset) {
            throw new Refusal(400, "length.invalid", "The piece ends beyond Upload-Length.");
        }
        PublicKey key = announced.token().key();
        Sha256 name = name(key, hash);
        try (Lease<BlobStore> lease = blobs.acquire()) {
            BlobStore store = lease.get();
            if (!(store instanceof PartialBlobs partials)) {
                throw new Refusal(405, "method.not-allowed", "This server takes a blob whole: PUT /upload it.");
            }
            Optional<Ownership.Entry> owned = ownership.owned(key, hash);
            if (owned.isPresent() && store.stat(hash).isPresent()) {
                // The answer to the last piece was lost.
                uploads.answer(exchange, false, owned.get());
                return;
            }
            uploads.checkTotal(store, exchange.contentLength());
            long now = clock.instant().getEpochSecond();
            ownership.begin(
                    key,
                    name,
                    size,
                    settings.piecesPerKey(),
                    now - settings.longestPause().toSeconds(),
                    now);
            long there = append(exchange, partials, name, offset, size);
            if (there < size) {
                exchange.answer(204, FileServer.headers(Map.of(OFFSET, Long.toString(there))), 0);
                return;
            }
            complete(exchange, partials, name, announced);
        }
    }

    private long append(Exchange exchange, PartialBlobs partials, Sha256 name, long offset, long size)
            throws Refusal, ProviderException, IOException {
        Uploads.Counted body = new Uploads.Counted(exchange.body());
        try {
            return partials.append(name, offset, body, size);
        } catch (ProviderException e) {
            if (e.code().equals("partial.offset") || e.code().equals("partial.busy")) {
                throw new Refusal(
                        409,
                        e.code().equals("partial.busy") ? "upload.busy" : "upload.offset",
                        "The piece does not begin where the last one ended; Upload-Offset says where that is.",
                        Map.of(OFFSET, Long.toString(size(partials, name))));
            }
            throw e;
        } finally {
            allowances.spendBytes(exchange.request().remote(), body.count);
        }
    }

    private void complete(Exchange exchange, PartialBlobs partials, Sha256 name, Uploads.Announced announced)
            throws ProviderException, IOException {
        Uploads.Admitted admitted = uploads.admit(announced);
        PublicKey key = announced.token().key();
        boolean created;
        try {
            created = partials.complete(name, admitted).created();
            admitted.kept();
        } catch (ProviderException e) {
            if (e.code().equals("hash.mismatch")) {
                // No piece that could still come makes it right.
                partials.discard(name);
                ownership.end(key, name);
            }
            throw e;
        } finally {
            admitted.end();
        }
        ownership.end(key, name);
        uploads.answer(exchange, created, admitted.entry());
    }

    private static long number(Map<String, String> headers, String header) throws Refusal {
        String value = headers.get(header);
        if (value == null) {
            throw new Refusal(400, "upload.header-missing", "A piece needs Upload-Length and Upload-Offset.");
        }
        return Uploads.length(value);
    }
}
