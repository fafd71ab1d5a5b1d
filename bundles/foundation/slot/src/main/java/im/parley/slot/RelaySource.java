package im.parley.slot;

import im.parley.api.lifecycle.RelayAccess;
import im.parley.api.lifecycle.Scope;
import org.osgi.annotation.versioning.ConsumerType;

/** Where the slot gets the {@link RelayAccess} it hands to a provider; the relay client registers it. */
@ConsumerType
public interface RelaySource {
    /** Relays for that scope, over connections of that instance and lane alone. */
    RelayAccess relaysFor(Scope scope, String instance, String lane);
}
