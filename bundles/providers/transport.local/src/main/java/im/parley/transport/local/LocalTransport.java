package im.parley.transport.local;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.transport.Channel;
import im.parley.api.transport.FrameSink;
import im.parley.api.transport.Limits;
import im.parley.api.transport.RelayEndpoint;
import im.parley.api.transport.RelayTransport;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import java.net.URI;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/** Opens channels to the relay of this node, for the addresses it answers to. Leaves no trace in the egress. */
final class LocalTransport implements RelayTransport, AutoCloseable {
    private final Supplier<Optional<RelayEndpoint>> relay;
    private final Executor executor;
    private final Set<LocalChannel> channels = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    LocalTransport(Supplier<Optional<RelayEndpoint>> relay, Executor executor) {
        this.relay = relay;
        this.executor = executor;
    }

    @Override
    public CompletionStage<Channel> open(Scope scope, URI url, FrameSink sink, Limits limits) {
        Optional<RelayEndpoint> endpoint = relay.get();
        if (closed || endpoint.isEmpty()) {
            return CompletableFuture.failedStage(new ProviderException(
                    Kind.UNAVAILABLE,
                    "relay.absent",
                    "This node runs no relay now. Start it, or reach the relay over the network."));
        }
        if (!answersTo(endpoint.get(), url)) {
            return CompletableFuture.failedStage(new ProviderException(
                    Kind.REJECTED,
                    "relay.bad-url",
                    "This node's own relay does not answer to that address. Use one of its configured urls."));
        }
        LocalChannel channel = new LocalChannel(sink, limits, executor, channels::remove);
        channels.add(channel);
        channel.connect(endpoint.get());
        if (closed) {
            channel.abort(Channel.GOING_AWAY, "the transport is closed");
        }
        return CompletableFuture.completedStage(channel);
    }

    private static boolean answersTo(RelayEndpoint endpoint, URI url) {
        try {
            URI normal = RelayUrls.normalise(url.toString());
            for (URI own : endpoint.urls()) {
                if (RelayUrls.normalise(own.toString()).equals(normal)) {
                    return true;
                }
            }
            return false;
        } catch (ProtocolException e) {
            return false;
        }
    }

    /** Ends every channel with 1001. */
    @Override
    public void close() {
        closed = true;
        for (LocalChannel channel : Set.copyOf(channels)) {
            channel.abort(Channel.GOING_AWAY, "the transport is closed");
        }
    }
}
