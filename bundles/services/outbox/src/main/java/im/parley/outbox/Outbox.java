package im.parley.outbox;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.api.scheme.Effect;
import im.parley.api.scheme.Input;
import im.parley.api.scheme.Moment;
import im.parley.vault.SealedSpace.Tx;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The step loop. An input goes through the conversation's scheme inside the caller's transaction, together with whatever
 * the caller writes; what the scheme asks for is queued in that same transaction. After the commit the effects are
 * performed until each has an outcome, over crashes and restarts, and the outcome is stepped again.
 *
 * <p>What holds at every instant: a wrap is durable before it is published, so performing an effect again publishes the
 * same event while its date is inside the window that readers ask for, and a fresh wrap of the same rumor afterwards,
 * which receivers know by the rumor's id; for one sender, recipient and relay a message is published only when the one
 * before it was accepted, refused or given up there; state, queue and ledger change together or not at all.
 *
 * <p>Thread-safe. All records lie in the circle's own space, see {@link CircleRecords}.
 */
@ProviderType
public interface Outbox {
    /**
     * Starts performing the effects of a circle, beginning with what an earlier run left. Does not block; a store that
     * is not there yet is waited for.
     *
     * @param host answers what the outbox cannot know; called until the returned handle is closed
     * @return closing it stops performing; what is queued stays. Idempotent
     * @throws IllegalStateException if the circle has a host already
     */
    Attachment attach(Scope scope, OutboxHost host);

    /**
     * Steps a conversation inside a transaction of the circle's space: reads its state (or begins one), asks the
     * scheme, writes the next state, queues what is to be sent and opens its ledger entries.
     *
     * <p>Nothing happens outside the transaction, so it may be run again; call {@link #kick} after the commit.
     *
     * @return what the scheme decided; {@code Deliver} and {@code Fail} are the caller's to handle
     * @throws ProviderException {@code REJECTED} with the scheme's code if it refuses a {@link Input.Send}; {@code
     *     UNAVAILABLE slot.empty} without a scheme; {@code UNSUPPORTED scheme.other} if the conversation belongs to
     *     another scheme or to a state version this one cannot read; {@code UNSUPPORTED outbox.effect} for an effect
     *     that this version does not perform
     */
    Stepped step(Tx tx, Scope scope, Conversation conversation, Input input) throws ProviderException;

    /**
     * As {@link #step} with something to send that is no message: a receipt, for example. What it queues goes out in the
     * order of the messages and as surely, and counts in no total of the ledger.
     */
    Stepped signal(Tx tx, Scope scope, Conversation conversation, Input.Send send) throws ProviderException;

    /**
     * A recipient said that she has a message, or has read it. What she said is never taken back, and no relay's word goes
     * before hers.
     *
     * @param state {@code DELIVERED} or {@code READ}
     * @return whether the message is known as sent to her; false changes nothing
     */
    boolean confirm(Tx tx, String messageId, PublicKey recipient, Ledger.State state) throws ProviderException;

    /** Something was queued and committed; take it up now. Does not block. */
    void kick(Scope scope);

    /** A recipient's relays became known or the user named one: what waits for that is tried at once. Does not block. */
    void hurry(Scope scope);

    /** Time and fresh randomness for one input; made outside the transaction, so that running it again sees the same. */
    Moment moment();

    /** The ledger entries of one message, as the transaction sees them; empty if this node did not send it. */
    List<Ledger.Entry> entries(Tx tx, String messageId) throws ProviderException;

    /**
     * Where the copies are that a message's author sends to her own inbox for her other devices. They are no recipients
     * and do not count in {@link Ledger#totals}.
     */
    List<Ledger.Entry> copies(Scope scope, String messageId) throws ProviderException;

    /**
     * A conversation of one account.
     *
     * @param id unique in the circle and stable
     * @param self whose conversation it is; effects are sent as this identity
     */
    record Conversation(String id, PublicKey self) {}

    /**
     * A step that was written.
     *
     * @param schemeId who decided
     * @param effects in the scheme's order
     */
    record Stepped(String schemeId, String suiteId, int stateVersion, long epoch, List<Effect> effects) {
        public Stepped {
            effects = List.copyOf(effects);
        }
    }

    /** Keeps a circle going. */
    interface Attachment extends AutoCloseable {
        @Override
        void close();
    }
}
