package im.parley.api.lifecycle;

import java.nio.channels.SocketChannel;
import java.time.Duration;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The one way out to the network, for one scope. Every connection is checked against what the user named, resolved
 * once, pinned to the address that was checked, and counted. Thread-safe.
 */
@ProviderType
public interface Egress {
    /**
     * Connects a TCP channel. Blocks for at most {@code timeout}; call it from {@link ProviderContext#executor()}.
     *
     * <p>A private, loopback, link-local, multicast or otherwise special address is refused unless the user named this
     * host and port. If any address of a name is special the whole name is refused.
     *
     * @param host a name or an address literal (IPv6 without brackets)
     * @param port 1 to 65535
     * @param reason why, in a few words for the egress log, for example {@code relay}; no keys, no secrets
     * @return a connected channel in blocking mode, owned by the caller
     * @throws ProviderException {@code REJECTED egress.private}; {@code UNAVAILABLE egress.unresolved} or {@code
     *     egress.refused}; {@code TIMEOUT egress.timeout}
     */
    SocketChannel connect(String host, int port, String reason, Duration timeout) throws ProviderException;
}
