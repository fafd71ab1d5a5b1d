package im.parley.api.transport;

import im.parley.api.lifecycle.Scope;
import java.net.URI;
import java.util.concurrent.CompletionStage;
import org.osgi.annotation.versioning.ConsumerType;

/** Opens channels of text frames to relays, nothing more: subscriptions, AUTH and OK live above. Thread-safe. */
@ConsumerType
public interface RelayTransport {
    /**
     * Opens a channel. Does not block.
     *
     * @param scope whose egress the connection uses; two scopes never share one
     * @param relay {@code ws} or {@code wss} URL
     * @param sink receives what the relay sends; its first frame may arrive before the stage completes
     * @return fails with {@code ProviderException}: {@code REJECTED egress.private} and {@code relay.bad-url}, {@code
     *     UNAVAILABLE} when nobody answers, {@code TIMEOUT}, {@code AUTHENTICATION tls.untrusted}
     */
    CompletionStage<Channel> open(Scope scope, URI relay, FrameSink sink, Limits limits);
}
