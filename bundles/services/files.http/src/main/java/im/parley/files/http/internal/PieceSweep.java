package im.parley.files.http.internal;

import im.parley.api.event.Sha256;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.BlobStore;
import im.parley.api.storage.PartialBlobs;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Removes uploads in pieces that nobody goes on with. */
final class PieceSweep implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PieceSweep.class);
    private static final int PAGE = 1_000;
    private static final long MINUTES = 10;

    private final Slot<BlobStore> blobs;
    private final Duration longestPause;
    private final InstantSource clock;
    private final ScheduledExecutorService timer;

    PieceSweep(Slot<BlobStore> blobs, Duration longestPause, InstantSource clock) {
        this.blobs = blobs;
        this.longestPause = longestPause;
        this.clock = clock;
        timer = Executors.newSingleThreadScheduledExecutor(work -> {
            Thread thread = new Thread(work, "parley-files-pieces");
            thread.setDaemon(true);
            return thread;
        });
        var unused = timer.scheduleWithFixedDelay(this::sweepSafely, 1, MINUTES, TimeUnit.MINUTES);
    }

    private void sweepSafely() {
        try {
            sweep();
        } catch (ProviderException | RuntimeException e) {
            // Thrown on, it would be the last one.
            LOG.debug("old uploads in pieces could not be swept; the next turn tries again", e);
        }
    }

    /** @return how many were removed */
    int sweep() throws ProviderException {
        Instant since = clock.instant().minus(longestPause);
        int removed = 0;
        try (Lease<BlobStore> lease = blobs.acquire()) {
            if (!(lease.get() instanceof PartialBlobs partials)) {
                return 0;
            }
            @Nullable Sha256 after = null;
            while (true) {
                List<PartialBlobs.Partial> page = partials.partials(after, PAGE);
                for (PartialBlobs.Partial partial : page) {
                    removed += partial.changed().isBefore(since) && discarded(partials, partial) ? 1 : 0;
                }
                if (page.size() < PAGE) {
                    return removed;
                }
                after = page.get(page.size() - 1).name();
            }
        }
    }

    private static boolean discarded(PartialBlobs partials, PartialBlobs.Partial partial) throws ProviderException {
        try {
            return partials.discard(partial.name());
        } catch (ProviderException e) {
            if (e.code().equals("partial.busy")) {
                return false;
            }
            throw e;
        }
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
