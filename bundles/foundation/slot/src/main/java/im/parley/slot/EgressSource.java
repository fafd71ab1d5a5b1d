package im.parley.slot;

import im.parley.api.lifecycle.Egress;
import im.parley.api.lifecycle.Scope;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/** Where the slot gets the {@link Egress} it hands to a provider; the egress registers it. */
@ConsumerType
public interface EgressSource {
    /**
     * The way out for that scope, on behalf of that instance.
     *
     * @param hosts what a plugin declared that it connects to: {@code host}, {@code host:port}, {@code *.host} for what lies
     *     below it, or {@code *}; it reaches what the scope and one of these admit. Null for a part of the platform
     */
    Egress egressFor(Scope scope, String instance, @Nullable Set<String> hosts);
}
