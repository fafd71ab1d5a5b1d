package im.parley.http.internal;

import im.parley.http.ContentRoute;
import im.parley.http.HttpRoute;
import im.parley.http.HttpRoute.Answer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.eclipse.jetty.io.EofException;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads on which streamed bodies are served. They are apart from Jetty's, so that slow uploads and downloads take
 * nothing from the sockets of the relay. Thread-safe.
 */
final class ContentHost {
    private static final Logger log = LoggerFactory.getLogger(ContentHost.class);
    private static final Duration PATIENCE = Duration.ofSeconds(2);
    private static final String RETRY_SECONDS = "5";

    private final ThreadPoolExecutor pool;
    private final int perAddress;
    private final long minBytesPerSecond;
    private final Map<ContentExchange, ContentRoute> active = new ConcurrentHashMap<>();
    // Guarded by itself.
    private final Map<String, Integer> addresses = new HashMap<>();

    /**
     * @param streams served at once
     * @param perAddress of them, those of one address that is not this machine, where a proxy stands for many
     */
    ContentHost(int streams, int perAddress, long minBytesPerSecond) {
        this.perAddress = perAddress;
        this.minBytesPerSecond = minBytesPerSecond;
        AtomicInteger number = new AtomicInteger();
        pool = new ThreadPoolExecutor(0, streams, 30, TimeUnit.SECONDS, new SynchronousQueue<>(), work -> {
            Thread thread = new Thread(work, "parley-content-" + number.incrementAndGet());
            thread.setDaemon(true);
            thread.setContextClassLoader(ContentHost.class.getClassLoader());
            return thread;
        });
    }

    /** Serves the request on another thread; the callback is completed there. */
    void serve(ContentRoute route, HttpRoute.Request asked, Request request, Response response, Callback callback) {
        String address = address(request, asked.remote());
        if (!enter(address)) {
            busy(
                    request,
                    response,
                    callback,
                    429,
                    "http.too-many-transfers",
                    "Your address has too many transfers open.");
            return;
        }
        ContentExchange exchange = new ContentExchange(asked, request, response, minBytesPerSecond);
        try {
            pool.execute(() -> {
                active.put(exchange, route);
                try {
                    run(route, exchange, request, response, callback);
                } finally {
                    leave(address);
                    active.remove(exchange);
                    synchronized (active) {
                        active.notifyAll();
                    }
                }
            });
        } catch (RejectedExecutionException e) {
            leave(address);
            busy(request, response, callback, 503, "http.busy", "Too many transfers are under way here.");
        }
    }

    private static void busy(
            Request request, Response response, Callback callback, int status, String code, String what) {
        Answer problem = Answer.problem(status, code, what + " Try again in a few seconds.");
        Map<String, String> headers = new HashMap<>(problem.headers());
        headers.put("Retry-After", RETRY_SECONDS);
        headers.put("Access-Control-Allow-Origin", "*");
        Front.answer(request, response, callback, new Answer(status, headers, problem.body()));
    }

    private static void run(
            ContentRoute route, ContentExchange exchange, Request request, Response response, Callback callback) {
        try {
            route.serve(exchange);
        } catch (IOException e) {
            log.debug("a transfer ended early: {}", e.toString());
            fail(exchange, request, response, callback, e);
            return;
        } catch (RuntimeException | Error e) {
            log.warn("A route failed on a request; it is answered with 500, or cut if the answer had begun", e);
            fail(exchange, request, response, callback, e);
            return;
        }
        if (exchange.answered()) {
            exchange.complete(callback);
        } else {
            fail(exchange, request, response, callback, new IllegalStateException("no answer"));
        }
    }

    private static void fail(
            ContentExchange exchange, Request request, Response response, Callback callback, Throwable why) {
        if (exchange.answered() || why instanceof IOException) {
            // What Jetty does not log: clients go away all the time.
            callback.failed(new EofException(why));
        } else {
            Front.answer(
                    request,
                    response,
                    callback,
                    Answer.problem(500, "http.internal", "The request failed inside the server; its log says why."));
        }
    }

    /** Null for this machine itself. */
    private static @Nullable String address(Request request, String remote) {
        if (request.getConnectionMetaData().getRemoteSocketAddress() instanceof InetSocketAddress socket) {
            InetAddress address = socket.getAddress();
            return address == null || address.isLoopbackAddress() ? null : remote;
        }
        return null;
    }

    private boolean enter(@Nullable String address) {
        if (address == null) {
            return true;
        }
        synchronized (addresses) {
            if (addresses.getOrDefault(address, 0) >= perAddress) {
                return false;
            }
            addresses.merge(address, 1, Integer::sum);
            return true;
        }
    }

    private void leave(@Nullable String address) {
        if (address != null) {
            synchronized (addresses) {
                addresses.computeIfPresent(address, (key, n) -> n == 1 ? null : n - 1);
            }
        }
    }

    int open() {
        return active.size();
    }

    /** The route goes away: what it serves may end for a moment, then it is cut, and no object of it is called any more. */
    void end(@Nullable ContentRoute route) {
        if (!awaitEnd(route)) {
            active.forEach((exchange, its) -> {
                if (route == null || its == route) {
                    exchange.cut();
                }
            });
            if (!awaitEnd(route)) {
                log.warn("A transfer did not end although its connection was closed");
            }
        }
    }

    private boolean awaitEnd(@Nullable ContentRoute route) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        synchronized (active) {
            while (route == null ? !active.isEmpty() : active.containsValue(route)) {
                long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (left <= 0) {
                    return false;
                }
                try {
                    active.wait(Math.min(left, 100));
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return false;
                }
            }
        }
        return true;
    }

    void stop() {
        end(null);
        pool.shutdownNow();
    }
}
