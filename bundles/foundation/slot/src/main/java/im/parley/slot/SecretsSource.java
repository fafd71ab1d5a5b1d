package im.parley.slot;

import im.parley.api.lifecycle.Secrets;
import org.osgi.annotation.versioning.ConsumerType;

/** Where the slot gets the {@link Secrets} it hands to a provider; the vault registers it. */
@ConsumerType
public interface SecretsSource {
    /** Secrets of that instance alone. */
    Secrets secretsFor(String instance);
}
