package im.parley.api.policy;

import im.parley.api.event.PublicKey;
import java.util.Set;

/**
 * Who sends or asks, as far as the relay knows.
 *
 * @param address the peer's IP address as the socket tells it, without a port, IPv6 in eight groups that are not
 *     shortened; behind a proxy it is the proxy's. {@code local} for this node's own client
 * @param proven keys this connection has proven (NIP-42); often none
 * @param local whether it is this node's own client
 */
public record Client(String address, Set<PublicKey> proven, boolean local) {
    public Client {
        proven = Set.copyOf(proven);
    }
}
