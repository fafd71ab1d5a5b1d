package im.parley.files.http.internal;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.io.IOException;
import java.io.OutputStream;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads every blob whole once in so many days, a few each minute, so that a damaged one is found while somebody still has
 * it and not when nobody else does. It begins anywhere, so that a node that is started often does not always read the same.
 */
final class Scrub implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Scrub.class);
    private static final long MINUTES_A_DAY = 1_440;
    private static final int MOST_AT_ONCE = 10_000;
    private static final long STOP_SECONDS = 2;

    private final Slot<BlobStore> blobs;
    private final long turns;
    private final ScheduledExecutorService timer;
    private @Nullable Sha256 after;
    private volatile boolean closed;
    private boolean failing;

    /** @param days for one round; 0 for none */
    Scrub(Slot<BlobStore> blobs, int days, SecureRandom random) {
        this.blobs = blobs;
        turns = days * MINUTES_A_DAY;
        byte[] anywhere = new byte[Sha256.LENGTH];
        random.nextBytes(anywhere);
        after = Sha256.of(anywhere);
        timer = Executors.newSingleThreadScheduledExecutor(work -> {
            Thread thread = new Thread(work, "parley-files-scrub");
            thread.setDaemon(true);
            return thread;
        });
        if (days > 0) {
            var unused = timer.scheduleWithFixedDelay(this::turnSafely, 1, 1, TimeUnit.MINUTES);
        }
    }

    private void turnSafely() {
        try {
            turn();
            failing = false;
        } catch (ProviderException | RuntimeException | Error e) {
            // Thrown on, it would be the last turn. A store that stays away is said once.
            if (!failing && !closed) {
                failing = true;
                LOG.warn("Blobs could not be read through; the next turn tries again", e);
            }
        }
    }

    /**
     * Reads what is due in one minute.
     *
     * @return how many were damaged
     */
    int turn() throws ProviderException {
        try (Lease<BlobStore> lease = blobs.acquire()) {
            BlobStore store = lease.get();
            long due = Math.min(MOST_AT_ONCE, (store.usage().blobs() + turns - 1) / turns);
            if (due == 0) {
                return 0;
            }
            List<BlobStore.Blob> page = store.list(after, (int) due);
            after = page.size() < due ? null : page.get(page.size() - 1).hash();
            int damaged = 0;
            for (BlobStore.Blob blob : page) {
                if (closed || lease.retiring()) {
                    break;
                }
                damaged += isDamaged(store, blob) ? 1 : 0;
            }
            return damaged;
        }
    }

    private static boolean isDamaged(BlobStore store, BlobStore.Blob blob) throws ProviderException {
        try {
            store.get(blob.hash(), 0, blob.sizeBytes(), OutputStream.nullOutputStream());
        } catch (ProviderException e) {
            if (e.kind() == Kind.CORRUPT) {
                LOG.error("{}: {} was damaged on the disk; whoever has it can upload it again", e.code(), blob.hash());
                return true;
            }
            // Deleted meanwhile is fine.
            if (!e.code().equals("blob.absent")) {
                throw e;
            }
        } catch (IOException e) {
            throw new IllegalStateException("writing to nowhere does not fail", e);
        }
        return false;
    }

    @Override
    public void close() {
        closed = true;
        timer.shutdownNow();
        try {
            if (!timer.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS)) {
                LOG.debug("a blob is still being read through");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
