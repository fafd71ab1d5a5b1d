package im.parley.files.http.internal;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.http.ContentRoute.Exchange;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.io.IOException;
import java.io.OutputStream;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code GET} and {@code HEAD} of a blob (BUD-01): open to whoever knows the hash. Thread-safe. */
final class Downloads {
    private static final String FOR_EVER = "public, max-age=31536000, immutable";

    private final Ownership ownership;
    private final Slot<BlobStore> blobs;

    Downloads(Ownership ownership, Slot<BlobStore> blobs) {
        this.ownership = ownership;
        this.blobs = blobs;
    }

    void get(Exchange exchange, Sha256 hash) throws Refusal, ProviderException, IOException {
        Ownership.Entry entry = ownership.find(hash).orElseThrow(Refusal::absent);
        try (Lease<BlobStore> lease = blobs.acquire()) {
            BlobStore store = lease.get();
            BlobStore.Blob blob = store.stat(hash).orElseThrow(Refusal::absent);
            if (blob.sizeBytes() != entry.sizeBytes()) {
                // Read whole it is found damaged, and put aside.
                store.get(hash, 0, blob.sizeBytes(), OutputStream.nullOutputStream());
            }
            answer(exchange, store, entry);
        }
    }

    private static void answer(Exchange exchange, BlobStore store, Ownership.Entry entry)
            throws Refusal, ProviderException, IOException {
        Map<String, String> asked = exchange.request().headers();
        String tag = "\"" + entry.hash().hex() + "\"";
        Map<String, String> headers = FileServer.headers(Map.of("ETag", tag, "Cache-Control", FOR_EVER));
        if (matches(asked.get("if-none-match"), tag)) {
            exchange.answer(304, headers, 0);
            return;
        }
        long size = entry.sizeBytes();
        headers.put("Content-Type", entry.type().text());
        headers.put("Content-Disposition", disposition(entry));
        headers.put("Accept-Ranges", "bytes");
        if (exchange.request().method().equals("HEAD")) {
            exchange.answer(200, headers, size);
            return;
        }
        ByteRange range = range(asked, tag, size);
        if (range != null) {
            headers.put(
                    "Content-Range", "bytes " + range.from() + "-" + (range.from() + range.count() - 1) + "/" + size);
        }
        long from = range == null ? 0 : range.from();
        long count = range == null ? size : range.count();
        Later out = new Later(exchange, range == null ? 200 : 206, headers, count);
        store.get(entry.hash(), from, count, out);
        out.begin();
    }

    private static @Nullable ByteRange range(Map<String, String> asked, String tag, long size) throws Refusal {
        String condition = asked.get("if-range");
        // Of another version the whole is wanted; here no blob has two, so the client's is something else.
        return condition == null || condition.strip().equals(tag) ? ByteRange.of(asked.get("range"), size) : null;
    }

    private static boolean matches(@Nullable String condition, String tag) {
        if (condition == null) {
            return false;
        }
        for (String each : condition.split(",", -1)) {
            String one = each.strip();
            if (one.equals("*") || one.equals(tag) || one.equals("W/" + tag)) {
                return true;
            }
        }
        return false;
    }

    private static String disposition(Ownership.Entry entry) {
        return (entry.type().passive() ? "inline" : "attachment") + "; filename=\""
                + entry.hash().hex().substring(0, 16) + "." + entry.type().extension() + "\"";
    }

    /** Begins the answer with the first byte, so that a blob that turns out to be damaged or gone can still be refused. */
    private static final class Later extends OutputStream {
        private final Exchange exchange;
        private final int status;
        private final Map<String, String> headers;
        private final long length;
        private @Nullable OutputStream begun;

        Later(Exchange exchange, int status, Map<String, String> headers, long length) {
            this.exchange = exchange;
            this.status = status;
            this.headers = new HashMap<>(headers);
            this.length = length;
        }

        OutputStream begin() throws IOException {
            if (begun == null) {
                begun = exchange.answer(status, headers, length);
            }
            return begun;
        }

        @Override
        public void write(int b) throws IOException {
            begin().write(b);
        }

        @Override
        public void write(byte[] buffer, int from, int count) throws IOException {
            begin().write(buffer, from, count);
        }
    }
}
