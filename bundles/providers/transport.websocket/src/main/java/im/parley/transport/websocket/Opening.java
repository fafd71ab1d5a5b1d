package im.parley.transport.websocket;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.transport.Channel;
import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One attempt to open a channel. The first of success, failure and timeout decides; whatever the attempt holds by then
 * is closed unless it succeeded. Thread-safe.
 */
final class Opening {
    private static final Logger LOG = LoggerFactory.getLogger(Opening.class);

    final RelayAddress address;
    final CompletableFuture<Channel> stage = new CompletableFuture<>();
    private final Object lock = new Object();
    private boolean decided;
    private boolean won;
    private @Nullable Closeable held;
    private @Nullable Runnable afterwards;

    Opening(RelayAddress address) {
        this.address = address;
    }

    /** What to close if the attempt fails from here on; closed at once if it has failed already. */
    void hold(Closeable resource) {
        synchronized (lock) {
            if (!decided) {
                held = resource;
                return;
            }
            if (won) {
                return;
            }
        }
        close(resource);
    }

    /** What to run once when the attempt is decided. */
    void whenDecided(Runnable action) {
        synchronized (lock) {
            if (!decided) {
                afterwards = action;
                return;
            }
        }
        action.run();
    }

    boolean decided() {
        synchronized (lock) {
            return decided;
        }
    }

    /** True if this call made the attempt a success; {@link #stage} is completed by the caller afterwards. */
    boolean succeed() {
        return decide(true);
    }

    /** False if the attempt was decided before. */
    boolean fail(ProviderException failure) {
        return decide(false) && stage.completeExceptionally(failure);
    }

    private boolean decide(boolean success) {
        Closeable resource;
        Runnable action;
        synchronized (lock) {
            if (decided) {
                return false;
            }
            decided = true;
            won = success;
            resource = held;
            action = afterwards;
            held = null;
            afterwards = null;
        }
        if (action != null) {
            action.run();
        }
        if (!success && resource != null) {
            close(resource);
        }
        return true;
    }

    private static void close(Closeable resource) {
        try {
            resource.close();
        } catch (IOException e) {
            LOG.debug("a socket that was given up did not close cleanly", e);
        }
    }
}
