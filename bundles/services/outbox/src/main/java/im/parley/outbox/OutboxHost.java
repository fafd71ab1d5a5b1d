package im.parley.outbox;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.scheme.Effect;
import im.parley.outbox.Outbox.Conversation;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.osgi.annotation.versioning.ConsumerType;

/** What the outbox of one circle asks of the service above it. Called from the outbox's threads, several at once. */
@ConsumerType
public interface OutboxHost {
    /**
     * The inbox relays of a recipient, normalised, at most a handful. Asked for each message and again while a relay does
     * not answer, so it is answered from a cache most of the time. Must not block.
     *
     * @return empty if it is certain that she has named none; fails with {@code ProviderException} if nobody could be
     *     asked. Both are tried again
     */
    CompletionStage<List<URI>> relaysOf(PublicKey sender, PublicKey recipient);

    /**
     * Whether the user chose this relay for that identity, so that it may learn who publishes. A relay that only a
     * recipient, or another of the user's identities, chose is never told: it could bind a sender to wraps that are
     * anonymous otherwise. Asked when a relay wants authentication, and again at each publication there; may read records.
     *
     * @return false also if nobody can say now
     */
    boolean named(PublicKey sender, URI relay);

    /** A scheme shows a rumor as the consequence of an outcome; write it in this transaction, which may be run again. */
    void deliver(Tx tx, Conversation conversation, Effect.Deliver deliver) throws ProviderException;

    /** Entries of these messages changed, or something was delivered; after the commit. Must not block. */
    void changed(Set<String> messageIds);
}
