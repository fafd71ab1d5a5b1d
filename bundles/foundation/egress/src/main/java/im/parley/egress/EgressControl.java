package im.parley.egress;

import im.parley.api.lifecycle.Scope;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Instant;
import java.util.List;
import org.osgi.annotation.versioning.ConsumerType;
import org.osgi.annotation.versioning.ProviderType;

/** What the core tells the egress and what people read from it. Thread-safe. */
@ProviderType
public interface EgressControl {
    /**
     * The user named this address in that scope: its host and port may be private. {@code localhost}, {@code 127.0.0.1} and
     * {@code ::1} of one port are named together. Kept in memory; the core repeats it at start.
     *
     * @throws IllegalArgumentException if there is no host that could be connected to, or no port
     */
    void allow(Scope scope, URI address);

    /**
     * The user took it back, as it was named: another name of the same loopback port stays. Open connections stay until
     * their owner closes them.
     */
    void withdraw(Scope scope, URI address);

    /**
     * A scope is over: whatever was named in it is withdrawn, and its entries are taken out of the log, on disk too. Blocks
     * on disk; a disk that fails is warned about.
     */
    void forget(Scope scope);

    /** The newest entries last, at most {@code limit}; also appended as JSON lines to {@code logs/egress.jsonl}. */
    List<Entry> log(int limit);

    /**
     * One attempt.
     *
     * @param address the pinned address, or empty if it came to none
     * @param outcome {@code connected} or the code of the refusal
     * @param named whether the user had named host and port
     */
    record Entry(
            Instant at,
            String scope,
            String reason,
            String host,
            int port,
            String address,
            String outcome,
            boolean named) {}

    /** How names become addresses; a service, so that tests can answer. */
    @ConsumerType
    @FunctionalInterface
    interface Resolver {
        List<InetAddress> resolve(String host) throws UnknownHostException;
    }
}
