package im.parley.egress.internal;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.egress.EgressControl;
import im.parley.slot.EgressSource;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/**
 * Checks, pins, connects and records. A name is resolved once for each connection, every address of the answer is
 * checked, and only those very addresses are connected to, so a second answer of the name server changes nothing.
 */
@Component(
        name = GuardedEgress.PID,
        service = {EgressControl.class, EgressSource.class},
        immediate = true,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = GuardedEgress.Config.class)
public final class GuardedEgress implements EgressControl, EgressSource {
    static final String PID = "im.parley.egress";

    /** Addresses of one name that are tried. All of them are checked. */
    static final int MAX_TRIED = 8;

    private static final String CONNECTED = "connected";
    private static final int MAX_REASON = 64;

    /** Configuration of the egress. */
    @ObjectClassDefinition(name = "Egress", description = "The one way out to the network.")
    public @interface Config {
        @AttributeDefinition(description = "Directory of egress.jsonl; made with mode 0700 if absent.")
        String logDir();

        @AttributeDefinition(description = "Seconds to connect where the caller names no time, 1 to 300.")
        int connectSeconds() default 10;
    }

    /** Names of one machine, this one: who named a port under one of them meant whatever listens there. */
    private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "0:0:0:0:0:0:0:1");

    private record Named(Scope scope, String host, int port) {}

    private final InstantSource clock;
    private final Resolver resolver;
    private final Connector connector;
    private final EgressLog log;
    private final Duration defaultTimeout;
    private final Set<Named> named = ConcurrentHashMap.newKeySet();
    private final ThreadPoolExecutor lookups;

    @Activate
    public GuardedEgress(
            @Reference InstantSource clock,
            @Reference(policyOption = ReferencePolicyOption.GREEDY) Resolver resolver,
            Config config) {
        this(clock, resolver, Connector::tcp, new EgressLog(logDir(config), 5 << 20), timeout(config));
    }

    GuardedEgress(InstantSource clock, Resolver resolver, Connector connector, EgressLog log, Duration defaultTimeout) {
        this.clock = clock;
        this.resolver = resolver;
        this.connector = connector;
        this.log = log;
        this.defaultTimeout = defaultTimeout;
        // A name server may hang longer than anybody wants to wait, so lookups have their own bounded threads.
        this.lookups = new ThreadPoolExecutor(16, 16, 10, TimeUnit.SECONDS, new ArrayBlockingQueue<>(256), work -> {
            Thread thread = new Thread(work, "parley-egress-lookup");
            thread.setDaemon(true);
            return thread;
        });
        lookups.allowCoreThreadTimeOut(true);
    }

    private static Path logDir(Config config) {
        if (config.logDir() == null || config.logDir().isBlank()) {
            throw new IllegalArgumentException(PID + " logDir must name a directory");
        }
        return Path.of(config.logDir());
    }

    private static Duration timeout(Config config) {
        int seconds = config.connectSeconds();
        if (seconds < 1 || seconds > 300) {
            throw new IllegalArgumentException(PID + " connectSeconds=" + seconds + " is not in 1..300");
        }
        return Duration.ofSeconds(seconds);
    }

    @Deactivate
    void deactivate() {
        lookups.shutdownNow();
        log.close();
    }

    @Override
    public void allow(Scope scope, URI address) {
        named.add(named(scope, address));
    }

    @Override
    public void withdraw(Scope scope, URI address) {
        named.remove(named(scope, address));
    }

    @Override
    public void forget(Scope scope) {
        named.removeIf(each -> each.scope().equals(scope));
        log.forget(scope.circle());
    }

    private static Named named(Scope scope, URI address) {
        String text = address.getHost();
        if (text == null) {
            throw new IllegalArgumentException("an address to allow needs a host");
        }
        Host host =
                Host.parse(text.startsWith("[") && text.endsWith("]") ? text.substring(1, text.length() - 1) : text);
        if (host == null) {
            throw new IllegalArgumentException("not a host: write a name in ASCII or a plain IP address");
        }
        return new Named(scope, host.text(), port(address));
    }

    private static int port(URI address) {
        if (address.getPort() > 0) {
            return address.getPort();
        }
        String scheme = address.getScheme() == null ? "" : address.getScheme().toLowerCase(Locale.ROOT);
        return switch (scheme) {
            case "ws", "http" -> 80;
            case "wss", "https" -> 443;
            default ->
                throw new IllegalArgumentException(
                        "an address to allow needs a port or a ws, wss, http or https scheme");
        };
    }

    @Override
    public List<Entry> log(int limit) {
        return log.newest(limit);
    }

    @Override
    public Egress egressFor(Scope scope, String instance, @Nullable Set<String> hosts) {
        Reach reach = Reach.of(hosts);
        return (host, port, reason, timeout) ->
                new Attempt(scope, instance, reach, host, port, plain(reason)).run(timeout);
    }

    private static String plain(String reason) {
        StringBuilder plain = new StringBuilder();
        for (int i = 0; i < reason.length() && i < MAX_REASON; i++) {
            char c = reason.charAt(i);
            plain.append(c >= 0x20 && c < 0x7f ? c : '?');
        }
        return plain.toString();
    }

    /** One call of connect, recorded once whatever happens. */
    private final class Attempt {
        private final Scope scope;
        private final String instance;
        private final Reach reach;
        private final String rawHost;
        private final int port;
        private final String reason;
        private String host;
        private String pinned = "";
        private boolean isNamed;

        Attempt(Scope scope, String instance, Reach reach, String rawHost, int port, String reason) {
            this.scope = scope;
            this.instance = instance;
            this.reach = reach;
            this.rawHost = rawHost;
            this.port = port;
            this.reason = reason;
            this.host = plain(rawHost);
        }

        SocketChannel run(Duration timeout) throws ProviderException {
            Duration given = timeout.isZero() || timeout.isNegative() ? defaultTimeout : timeout;
            long deadline = System.nanoTime() + given.toNanos();
            String outcome = "egress.failed";
            try {
                SocketChannel channel = connect(deadline);
                outcome = CONNECTED;
                return channel;
            } catch (ProviderException e) {
                outcome = e.code();
                throw e;
            } finally {
                log.add(
                        new Entry(clock.instant(), scope.circle(), reason, host, port, pinned, outcome, isNamed),
                        instance);
            }
        }

        private SocketChannel connect(long deadline) throws ProviderException {
            Host parsed = Host.parse(rawHost);
            if (parsed == null || port < 1 || port > 65_535) {
                throw new ProviderException(
                        Kind.REJECTED,
                        "egress.bad-host",
                        "This is no host and port to connect to: use a name in ASCII or a plain IP address, and a port of"
                                + " 1 to 65535.");
            }
            host = parsed.text();
            if (!reach.admits(parsed, port)) {
                // Before the name is looked up: the question alone would tell a name server.
                throw new ProviderException(
                        Kind.REJECTED,
                        "egress.host-not-declared",
                        instance + " does not declare that it connects to " + host + ":" + port
                                + "; its bundle names its hosts in the header Parley-Hosts.");
            }
            isNamed = isNamed();
            List<InetAddress> addresses = parsed.literal().isEmpty() ? resolve(host, deadline) : parsed.literal();
            if (!isNamed && addresses.stream().anyMatch(SpecialRanges::contains)) {
                throw new ProviderException(
                        Kind.REJECTED,
                        "egress.private",
                        host + " is or leads to a private or special address, and you did not name " + host + ":" + port
                                + " in this circle. Add it yourself if you mean it.");
            }
            return first(addresses, deadline);
        }

        private boolean isNamed() {
            return LOOPBACK.contains(host)
                    ? LOOPBACK.stream().anyMatch(name -> named.contains(new Named(scope, name, port)))
                    : named.contains(new Named(scope, host, port));
        }

        private List<InetAddress> resolve(String name, long deadline) throws ProviderException {
            Future<List<InetAddress>> answer;
            try {
                answer = lookups.submit(() -> resolver.resolve(name));
            } catch (RejectedExecutionException e) {
                throw new ProviderException(
                        Kind.EXHAUSTED, "egress.busy", "Too many names are being looked up; try again later.");
            }
            try {
                List<InetAddress> addresses =
                        List.copyOf(answer.get(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS));
                if (addresses.isEmpty()) {
                    throw unresolved(name);
                }
                return addresses;
            } catch (TimeoutException e) {
                answer.cancel(true);
                throw timeout(name);
            } catch (ExecutionException e) {
                if (e.getCause() instanceof UnknownHostException) {
                    throw unresolved(name);
                }
                throw new ProviderException(
                        Kind.UNAVAILABLE, "egress.unresolved", "The name " + name + " could not be looked up.", e);
            } catch (InterruptedException e) {
                answer.cancel(true);
                Thread.currentThread().interrupt();
                throw new ProviderException(
                        Kind.UNAVAILABLE, "egress.interrupted", "The connection was given up because the node stops.");
            }
        }

        private SocketChannel first(List<InetAddress> addresses, long deadline) throws ProviderException {
            int count = Math.min(addresses.size(), MAX_TRIED);
            boolean timedOut = false;
            for (int i = 0; i < count; i++) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    throw timeout(host);
                }
                InetAddress address = addresses.get(i);
                pinned = address.getHostAddress();
                try {
                    // An equal share each, so that one dead address does not use up the time of the others.
                    return connector.connect(
                            new InetSocketAddress(address, port), Duration.ofNanos(left / (count - i)));
                } catch (SocketTimeoutException e) {
                    timedOut = true;
                } catch (IOException e) {
                    timedOut = false;
                }
            }
            if (timedOut) {
                throw timeout(host);
            }
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "egress.refused",
                    "Nobody answers at " + host + ":" + port + ". The server may be down, or the port wrong.");
        }

        private ProviderException unresolved(String name) {
            return new ProviderException(
                    Kind.UNAVAILABLE,
                    "egress.unresolved",
                    "No address is known for " + name + ". Check the name and your own connection.");
        }

        private ProviderException timeout(String name) {
            return new ProviderException(
                    Kind.TIMEOUT,
                    "egress.timeout",
                    name + " did not answer in time. It may be down, or your connection slow.");
        }
    }
}
