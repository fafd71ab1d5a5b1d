package im.parley.storage.lmdb;

import im.parley.api.lifecycle.ProviderException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/**
 * What all stores of this bundle share: the native library, loaded when the first store is opened and not before, and the list
 * of stores that are open, which are closed with the bundle so that nothing of its class loader stays behind. Thread-safe.
 */
@Component(name = "im.parley.storage.lmdb.engine", service = LmdbEngine.class, immediate = true)
public final class LmdbEngine {
    private final Set<Runnable> open = new LinkedHashSet<>();
    private boolean loaded;
    private boolean closed;

    @Activate
    public LmdbEngine() {}

    /** Closes every store that is still open. */
    @Deactivate
    public void close() {
        List<Runnable> left;
        synchronized (this) {
            closed = true;
            left = List.copyOf(open);
        }
        left.forEach(Runnable::run);
    }

    /**
     * Loads the library if it is not loaded yet.
     *
     * @param directory of one provider, which holds its lock
     */
    synchronized void load(Path directory) throws ProviderException {
        if (closed) {
            throw Failures.closed();
        }
        if (!loaded) {
            LmdbLibrary.load(directory);
            loaded = true;
        }
    }

    /** Whether the native library was loaded through this engine. */
    synchronized boolean isLoaded() {
        return loaded;
    }

    /** Has the store closed with the engine; a store that came too late is refused. */
    synchronized void opened(Runnable close) throws ProviderException {
        if (closed) {
            throw Failures.closed();
        }
        open.add(close);
    }

    synchronized void closed(Runnable close) {
        open.remove(close);
    }
}
