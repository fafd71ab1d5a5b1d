package im.parley.api.policy;

import im.parley.api.event.Event;
import im.parley.api.lifecycle.ProviderException;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Says which events a relay takes. Fills a slot {@code policy.NAME}; one object may be a {@link QueryPolicy} as well. The
 * relay asks every policy that its configuration names, in that order, until one refuses; a policy that is missing or fails
 * refuses everything.
 *
 * <p>Asked once per EVENT, never for AUTH, on the relay's worker threads: many calls at once, and each must answer from
 * memory, in microseconds. Thread-safe.
 */
@ConsumerType
public interface EventPolicy {
    /**
     * The event has passed the grammar, its id is right, and the limits of the NIP-11 document hold. Its signature is
     * <b>not checked yet</b>: refuse by what it says if you like, but charge nothing to its author, who may not have sent
     * it.
     *
     * @throws ProviderException if it cannot be judged; the event is refused with {@code error:}
     */
    Verdict judge(Event event, Client client) throws ProviderException;
}
