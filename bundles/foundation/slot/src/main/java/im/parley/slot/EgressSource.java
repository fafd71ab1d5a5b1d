package im.parley.slot;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Scope;
import org.osgi.annotation.versioning.ConsumerType;

/** Where the slot gets the {@link Egress} it hands to a provider; the egress registers it. */
@ConsumerType
public interface EgressSource {
    /** The way out for that scope, on behalf of that instance. */
    Egress egressFor(Scope scope, String instance);
}
