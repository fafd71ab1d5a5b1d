package im.parley.files.http.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.http.ContentRoute.Exchange;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.io.IOException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** What a key does with the blobs it owns: {@code GET /list/KEY} and {@code DELETE} (BUD-12). Thread-safe. */
final class Shelf {
    private static final int PAGE = 100;
    private static final int MAX_PAGE = 1_000;

    private final FilesSettings settings;
    private final Tokens tokens;
    private final Ownership ownership;
    private final Hashes hashes;
    private final Slot<BlobStore> blobs;
    private final InstantSource clock;

    Shelf(
            FilesSettings settings,
            Tokens tokens,
            Ownership ownership,
            Hashes hashes,
            Slot<BlobStore> blobs,
            InstantSource clock) {
        this.settings = settings;
        this.tokens = tokens;
        this.ownership = ownership;
        this.hashes = hashes;
        this.blobs = blobs;
        this.clock = clock;
    }

    /**
     * Takes the key's claim back. The bytes go with the last claim, and before it: a crash in between leaves a claim on
     * nothing, which the next list removes.
     */
    void delete(Exchange exchange, Sha256 hash) throws Refusal, ProviderException, IOException {
        Tokens.Token token = tokens.verify(exchange.request().headers().get("authorization"), "delete");
        if (!token.hashes().contains(hash.hex())) {
            throw new Refusal(401, "auth.hash", "The token has to name the blob in an x tag.");
        }
        ReentrantLock lock = hashes.lockOf(hash);
        lock.lock();
        try {
            long owners = ownership.owners(hash);
            if (owners == 0) {
                throw Refusal.absent();
            }
            if (!ownership.owns(token.key(), hash)) {
                throw new Refusal(403, "blob.not-owner", "Only who uploaded a blob deletes it, and you did not.");
            }
            if (ownership.isUsed(token, hash)) {
                throw new Refusal(403, "auth.used", "This token was used for that blob already; sign a new one.");
            }
            if (owners == 1) {
                try (Lease<BlobStore> lease = blobs.acquire()) {
                    lease.get().delete(hash);
                }
            }
            ownership.release(token.key(), hash, token, clock.instant().getEpochSecond());
        } finally {
            lock.unlock();
        }
        exchange.answer(204, FileServer.headers(Map.of()), 0);
    }

    void list(Exchange exchange, String name) throws Refusal, ProviderException, IOException {
        Tokens.Token token = tokens.verify(exchange.request().headers().get("authorization"), "list");
        if (!token.key().hex().equals(name)) {
            throw new Refusal(403, "list.not-owner", "A key lists its own blobs and nobody else's.");
        }
        Map<String, String> query = query(exchange.query());
        String cursor = query.get("cursor");
        Sha256 after = cursor == null ? null : Hashes.parse(cursor);
        if (cursor != null && after == null) {
            throw new Refusal(400, "list.cursor", "The cursor is the SHA-256 of the last blob of the page before.");
        }
        if (after != null && !ownership.owns(token.key(), after)) {
            throw new Refusal(
                    400, "list.cursor", "You do not own the blob of the cursor any more; list from the start.");
        }
        long limit = number(query.get("limit"), PAGE);
        long since = number(query.get("since"), 0);
        long until = number(query.get("until"), Long.MAX_VALUE);
        if (limit < 1) {
            throw new Refusal(400, "list.query", "A page has one blob or more.");
        }
        List<Ownership.Entry> page = page(token.key(), after, since, until, (int) Math.min(limit, MAX_PAGE));
        String url = settings.urlOf(exchange.request().headers().getOrDefault("host", ""));
        FileServer.json(exchange, 200, Descriptors.list(url, page));
    }

    /** Full pages as long as there are blobs: a client takes a short one for the end. */
    private List<Ownership.Entry> page(PublicKey owner, @Nullable Sha256 after, long since, long until, int limit)
            throws ProviderException {
        List<Ownership.Entry> page = new ArrayList<>();
        Sha256 last = after;
        try (Lease<BlobStore> lease = blobs.acquire()) {
            while (page.size() < limit) {
                int wanted = limit - page.size();
                List<Ownership.Entry> more = ownership.list(owner, last, since, until, wanted);
                List<Ownership.Entry> gone = new ArrayList<>();
                for (Ownership.Entry entry : more) {
                    (lease.get().stat(entry.hash()).isPresent() ? page : gone).add(entry);
                }
                if (more.size() < wanted) {
                    forget(owner, gone, lease.get());
                    break;
                }
                last = more.get(more.size() - 1).hash();
                // The last one is where the next page begins, so it goes another time.
                gone.remove(more.get(more.size() - 1));
                forget(owner, gone, lease.get());
            }
        }
        return page;
    }

    /** Claims on bytes that a crash or a damaged disk took. */
    private void forget(PublicKey owner, List<Ownership.Entry> gone, BlobStore store) throws ProviderException {
        for (Ownership.Entry entry : gone) {
            ReentrantLock lock = hashes.lockOf(entry.hash());
            lock.lock();
            try {
                // An upload of it may be about to put them there.
                if (store.stat(entry.hash()).isEmpty()) {
                    ownership.release(owner, entry.hash());
                }
            } finally {
                lock.unlock();
            }
        }
    }

    private static Map<String, String> query(String text) {
        Map<String, String> query = new HashMap<>();
        for (String pair : text.split("&", -1)) {
            int equals = pair.indexOf('=');
            if (equals > 0) {
                query.putIfAbsent(pair.substring(0, equals), pair.substring(equals + 1));
            }
        }
        return query;
    }

    private static long number(@Nullable String text, long otherwise) throws Refusal {
        if (text == null) {
            return otherwise;
        }
        if (text.isEmpty() || text.length() > 15 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw new Refusal(400, "list.query", "limit, since and until are whole numbers.");
        }
        return Long.parseLong(text);
    }
}
