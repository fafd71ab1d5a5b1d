package im.parley.slot.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.RelayAccess;
import im.parley.api.lifecycle.Scope;
import im.parley.api.lifecycle.Secrets;
import java.net.URI;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What one opened provider was handed, until it is closed: secrets and egress are looked up anew for each call, and
 * lock callbacks follow the vault, so that a restarted one is not missed; both refuse once the context is closed.
 */
final class LeasedContext implements ProviderContext, AutoCloseable {
    private static final int QUEUE = 10_000;
    private static final long IDLE_SECONDS = 30;

    private final SlotHost host;
    private final String instance;
    /** Whose secrets these are. */
    private final String owner;

    private final @Nullable Set<String> hosts;
    private final Path dataDir;
    private final ThreadPoolExecutor pool;
    private final Queue<AutoCloseable> lockHooks = new ConcurrentLinkedQueue<>();
    private final Queue<AutoCloseable> listening = new ConcurrentLinkedQueue<>();
    private volatile boolean closed;

    /**
     * @param owner whose secrets these are
     * @param hosts that a plugin declared; null for a part of the platform
     */
    LeasedContext(
            SlotHost host, String instance, String owner, @Nullable Set<String> hosts, Path dataDir, int threads) {
        this.host = host;
        this.instance = instance;
        this.owner = owner;
        this.hosts = hosts;
        this.dataDir = dataDir;
        AtomicInteger number = new AtomicInteger();
        // A pool of its own, so that one provider's blocked connects do not stop another one's frames.
        this.pool = new ThreadPoolExecutor(
                threads, threads, IDLE_SECONDS, TimeUnit.SECONDS, new ArrayBlockingQueue<>(QUEUE), work -> {
                    // Without inherited thread locals, and with a class loader that outlives the provider.
                    Thread thread = new Thread(null, work, instance + "-" + number.incrementAndGet(), 0, false);
                    thread.setContextClassLoader(LeasedContext.class.getClassLoader());
                    thread.setDaemon(true);
                    return thread;
                });
        pool.allowCoreThreadTimeOut(true);
    }

    @Override
    public void close() {
        closed = true;
        pool.shutdownNow();
        end(lockHooks);
        end(listening);
    }

    private static void end(Queue<AutoCloseable> handles) {
        for (AutoCloseable handle : handles) {
            try {
                handle.close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private void checkOpen() throws ProviderException {
        if (closed) {
            throw new ProviderException(
                    Kind.UNAVAILABLE, "slot.closed", instance + " was closed; what it was handed is no longer valid.");
        }
    }

    @Override
    public String instance() {
        return instance;
    }

    @Override
    public InstantSource clock() {
        return host.clock();
    }

    @Override
    public SecureRandom random() {
        return host.random();
    }

    @Override
    public Path dataDir() {
        return dataDir;
    }

    @Override
    public Executor executor() {
        return pool;
    }

    @Override
    public Egress egress(Scope scope) {
        return (target, port, reason, timeout) -> {
            checkOpen();
            return host.egressFor(instance).egressFor(scope, instance, hosts).connect(target, port, reason, timeout);
        };
    }

    @Override
    public Secrets secrets() {
        return new LookedUp();
    }

    private Secrets live() throws ProviderException {
        checkOpen();
        return host.secretsFor(instance).secretsFor(owner);
    }

    @Override
    public RelayAccess relays(Scope scope, String lane) {
        return new LookedUpRelays(scope, lane);
    }

    private final class LookedUpRelays implements RelayAccess {
        private final Scope scope;
        private final String lane;

        LookedUpRelays(Scope scope, String lane) {
            this.scope = scope;
            this.lane = lane;
        }

        private RelayAccess live() throws ProviderException {
            checkOpen();
            if (hosts != null) {
                // What a plugin declared names hosts and ports of its own connections; the relay client knows of no
                // such list.
                throw new ProviderException(
                        Kind.UNSUPPORTED,
                        "relays.not-for-plugins",
                        instance + " is a plugin, and relays are handed to parts of the platform only.");
            }
            return host.relays().relaysFor(scope, instance, lane);
        }

        @Override
        public CompletionStage<Boolean> publish(URI relay, Event event, Duration timeout) {
            try {
                return live().publish(relay, event, timeout);
            } catch (ProviderException e) {
                return CompletableFuture.failedFuture(e);
            }
        }

        @Override
        public AutoCloseable listen(URI relay, Filter filter, Consumer<Event> listener) throws ProviderException {
            AutoCloseable handle = live().listen(relay, filter, listener);
            listening.add(handle);
            return () -> {
                listening.remove(handle);
                handle.close();
            };
        }
    }

    private final class LookedUp implements Secrets {
        @Override
        public List<String> names() throws ProviderException {
            return live().names();
        }

        @Override
        public boolean locked(String name) throws ProviderException {
            return live().locked(name);
        }

        @Override
        public byte[] read(String name) throws ProviderException {
            return live().read(name);
        }

        @Override
        public void write(String name, byte[] value, char @Nullable [] passphrase) throws ProviderException {
            live().write(name, value, passphrase);
        }

        @Override
        public void unlock(String name, char[] passphrase) throws ProviderException {
            live().unlock(name, passphrase);
        }

        @Override
        public void delete(String name) throws ProviderException {
            live().delete(name);
        }

        @Override
        public AutoCloseable onLock(Runnable callback) {
            AutoCloseable hook = host.onLock(owner, callback);
            lockHooks.add(hook);
            return hook;
        }
    }
}
