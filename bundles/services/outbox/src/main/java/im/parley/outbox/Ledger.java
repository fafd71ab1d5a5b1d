package im.parley.outbox;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.util.List;
import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Where every outgoing message is, per recipient. At every instant, also after a crash, each recipient is in exactly one
 * state and the counts add up to {@link Totals#sent}. Thread-safe; blocks on disk. Of a circle other than the default one
 * that nobody attached it is {@code REJECTED circle.unknown}.
 */
@ProviderType
public interface Ledger {
    Totals totals(Scope scope) throws ProviderException;

    /** Entries, newest first, at most {@code limit}; all if {@code messageId} is empty, else those of one message. */
    List<Entry> entries(Scope scope, String messageId, int limit) throws ProviderException;

    /** The states of an outgoing message for one recipient. */
    enum State {
        /** Written, not yet taken up. */
        COMPOSED,
        /** Waits for the identity's signer, for example because its key is locked. */
        AWAITING_SIGNER,
        /** Wrapped or about to be; no relay has it yet. */
        QUEUED,
        /** At least one inbox relay of the recipient has it. For a peer that sends no receipts this is final and good. */
        AT_RELAYS,
        /** The recipient's device has it. */
        DELIVERED,
        /** The recipient has read it. */
        READ,
        /** Given up or waiting for a person, with a reason. */
        FAILED
    }

    /**
     * @param sent recipients of all messages ever sent
     * @param byState every state is present
     */
    record Totals(long sent, Map<State, Long> byState) {
        public Totals {
            byState = Map.copyOf(byState);
        }

        /** Whether every recipient is in exactly one state. */
        public boolean exact() {
            return sent == byState.values().stream().mapToLong(Long::longValue).sum();
        }
    }

    /**
     * @param recipient hex public key
     * @param relaysHave how many of the recipient's relays have it
     * @param relaysAll how many it is meant for; 0 while unknown
     * @param reason stable code why it waits or failed; empty otherwise
     * @param nextTry epoch milliseconds of the next try; 0 if none is planned
     */
    record Entry(
            String messageId,
            String recipient,
            State state,
            int relaysHave,
            int relaysAll,
            String reason,
            long nextTry) {}
}
