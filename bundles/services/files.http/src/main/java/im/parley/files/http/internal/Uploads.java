package im.parley.files.http.internal;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.api.storage.PartialBlobs;
import im.parley.http.ContentRoute.Exchange;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code PUT /upload} and the question before it, {@code HEAD /upload} (BUD-02, BUD-06). Thread-safe. */
final class Uploads {
    private static final Logger LOG = LoggerFactory.getLogger(Uploads.class);

    private final FilesSettings settings;
    private final Tokens tokens;
    private final Ownership ownership;
    private final Hashes hashes;
    private final Slot<BlobStore> blobs;
    private final Allowances allowances;
    private final InstantSource clock;

    Uploads(
            FilesSettings settings,
            Tokens tokens,
            Ownership ownership,
            Hashes hashes,
            Slot<BlobStore> blobs,
            Allowances allowances,
            InstantSource clock) {
        this.settings = settings;
        this.tokens = tokens;
        this.ownership = ownership;
        this.hashes = hashes;
        this.blobs = blobs;
        this.allowances = allowances;
        this.clock = clock;
    }

    /** What is known of an upload before its bytes. */
    record Announced(Tokens.Token token, @Nullable Sha256 hash, MediaType type, long sizeBytes) {}

    void check(Exchange exchange, Pieces pieces) throws Refusal, ProviderException, IOException {
        Map<String, String> headers = exchange.request().headers();
        long size = length(headers.get("x-content-length"));
        Announced announced = announced(exchange, size, size, headers.get("x-content-type"));
        Sha256 hash = announced.hash();
        if (hash == null) {
            throw new Refusal(400, "hash.missing", "Say in X-SHA-256 which blob you want to upload.");
        }
        Map<String, String> answer = new HashMap<>(Map.of("Cache-Control", "no-store"));
        answer.putAll(pieces.state(announced.token().key(), hash));
        exchange.answer(200, FileServer.headers(answer), 0);
    }

    static long length(@Nullable String header) throws Refusal {
        if (header == null) {
            throw new Refusal(411, "length.missing", "Say in X-Content-Length how large the blob is.");
        }
        if (header.isEmpty() || header.length() > 18 || !header.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw new Refusal(400, "length.invalid", "The length of a blob is a whole number of bytes.");
        }
        return Long.parseLong(header);
    }

    /**
     * Everything that can be said without the bytes. Of {@code size} bytes, {@code now} come with this request; who asks comes first, so
     * that a stranger learns nothing.
     */
    Announced announced(Exchange exchange, long size, long now, @Nullable String type)
            throws Refusal, ProviderException {
        Map<String, String> headers = exchange.request().headers();
        Tokens.Token token = tokens.verify(headers.get("authorization"), "upload");
        if (!settings.mayUpload(token.key())) {
            throw new Refusal(
                    403,
                    "upload.not-allowed",
                    "This server takes uploads only from keys that its operator has named, and yours is not one of them.");
        }
        if (token.hashes().isEmpty()) {
            throw new Refusal(401, "auth.hash", "The token has to name the blob in an x tag.");
        }
        Sha256 hash = hash(headers.get("x-sha-256"));
        if (hash != null && !token.hashes().contains(hash.hex())) {
            throw mismatch();
        }
        MediaType media = MediaType.of(type);
        String encoding = headers.getOrDefault("content-encoding", "identity");
        if (!encoding.equalsIgnoreCase("identity")) {
            throw new Refusal(
                    415, "encoding.unsupported", "Send the bytes of the blob as they are, without a Content-Encoding.");
        }
        if (size > settings.maxBlobBytes()) {
            throw new Refusal(
                    413,
                    "blob.too-large",
                    "A blob may have " + (settings.maxBlobBytes() >> 20) + " MiB here, and this one is larger.");
        }
        if (hash == null || !ownership.owns(token.key(), hash)) {
            ownership.checkRoom(token.key(), Math.max(0, size));
        }
        allowances.checkBytes(exchange.request().remote(), now);
        return new Announced(token, hash, media, size);
    }

    private static @Nullable Sha256 hash(@Nullable String header) throws Refusal {
        if (header == null) {
            return null;
        }
        Sha256 hash = Hashes.parse(header);
        if (hash == null) {
            // In upper case it is a hash, but none that any blob is known by.
            if (Hashes.parse(header.toLowerCase(Locale.ROOT)) != null) {
                throw mismatch();
            }
            throw new Refusal(400, "hash.invalid", "X-SHA-256 is 64 lower-case hex digits.");
        }
        return hash;
    }

    static Refusal mismatch() {
        return new Refusal(
                409, "hash.mismatch", "The bytes, X-SHA-256 and an x tag of the token have to be of one SHA-256.");
    }

    void put(Exchange exchange) throws Refusal, ProviderException, IOException {
        Announced announced = announced(
                exchange,
                exchange.contentLength(),
                exchange.contentLength(),
                exchange.request().headers().get("content-type"));
        Counted body = new Counted(exchange.body());
        Admitted admitted = admit(announced);
        boolean created;
        try (Lease<BlobStore> lease = blobs.acquire()) {
            BlobStore store = lease.get();
            checkTotal(store, Math.max(0, announced.sizeBytes()));
            created = store.put(body, settings.maxBlobBytes(), admitted).created();
            admitted.kept();
        } finally {
            allowances.spendBytes(exchange.request().remote(), body.count);
            admitted.end();
        }
        answer(exchange, created, admitted.entry());
    }

    void answer(Exchange exchange, boolean created, Ownership.Entry entry) throws IOException {
        String url = settings.urlOf(exchange.request().headers().getOrDefault("host", ""));
        FileServer.json(exchange, created ? 201 : 200, Descriptors.withTags(url, entry));
    }

    /** What all blobs may take is also for those that are not complete. */
    void checkTotal(BlobStore store, long more) throws Refusal, ProviderException {
        long partial = store instanceof PartialBlobs partials ? partials.partialBytes() : 0;
        if (store.usage().bytes() + partial + more > settings.totalBytes()) {
            throw new Refusal(507, "storage.full", "This server has no room for more. Try again later.");
        }
    }

    Admitted admit(Announced announced) {
        return new Admitted(announced);
    }

    /**
     * Decides over the bytes when their hash is known, and makes the key their owner before anybody can see them. From then
     * until {@link #end} nothing else happens to that hash.
     */
    final class Admitted implements BlobStore.Admission {
        private final Announced announced;
        private @Nullable ReentrantLock lock;
        private Ownership.@Nullable Claim claim;
        private boolean kept;

        Admitted(Announced announced) {
            this.announced = announced;
        }

        @Override
        public void admit(Sha256 hash, long sizeBytes) throws ProviderException {
            boolean announcedOther =
                    announced.hash() != null && !announced.hash().equals(hash);
            if (announcedOther || !announced.token().hashes().contains(hash.hex())) {
                throw new ProviderException(
                        Kind.REJECTED, "hash.mismatch", mismatch().text());
            }
            ReentrantLock taken = hashes.lockOf(hash);
            taken.lock();
            lock = taken;
            claim = ownership.claim(
                    announced.token().key(),
                    hash,
                    sizeBytes,
                    announced.type(),
                    clock.instant().getEpochSecond());
        }

        void kept() {
            kept = true;
        }

        Ownership.Entry entry() {
            if (claim == null) {
                throw new IllegalStateException("the store kept a blob that it did not ask about");
            }
            return claim.entry();
        }

        /** A claim on bytes that were not kept in the end is taken back. */
        void end() {
            if (lock == null) {
                return;
            }
            try {
                if (claim != null && claim.fresh() && !kept) {
                    ownership.release(announced.token().key(), claim.entry().hash());
                }
            } catch (ProviderException e) {
                LOG.warn("A claim on a blob that was not kept stays until it is listed or uploaded again", e);
            } finally {
                lock.unlock();
            }
        }
    }

    static final class Counted extends FilterInputStream {
        long count;

        Counted(InputStream in) {
            super(in);
        }

        @Override
        public int read() throws IOException {
            int b = super.read();
            count += b < 0 ? 0 : 1;
            return b;
        }

        @Override
        public int read(byte[] buffer, int from, int length) throws IOException {
            int n = super.read(buffer, from, length);
            count += Math.max(0, n);
            return n;
        }
    }
}
