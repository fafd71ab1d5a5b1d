package im.parley.api.transport;

import java.net.URI;
import java.util.Set;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The relay of this node, as a host service. Sockets and the in-process transport both end here. Thread-safe.
 */
@ProviderType
public interface RelayEndpoint {
    /**
     * A client connected.
     *
     * @param toClient what the relay says goes here
     * @param remote who connected, for limits per peer: an IP address, or {@code local} for this process
     * @return what the client says goes here; frames are handled in order
     */
    Channel accept(FrameSink toClient, String remote);

    /** The URLs this relay answers to; NIP-42 checks against them. */
    Set<URI> urls();

    /** The NIP-11 document, JSON. */
    String information();

    /** Largest client frame in bytes, as NIP-11 {@code max_message_length} says. */
    int maxFrameBytes();
}
