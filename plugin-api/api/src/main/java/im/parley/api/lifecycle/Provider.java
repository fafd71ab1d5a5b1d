package im.parley.api.lifecycle;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * What a plugin registers for a slot: something that can be opened into the slot's working object.
 *
 * <p>One configured Declarative Services component instance is one provider. The service carries two properties: {@link
 * #SLOT} names the slot, and the instance is known by its {@code service.pid}, {@code PID~name}. The host gets the
 * service object and calls {@link #open} once, when it prepares the instance for its slot; a candidate that is not
 * selected is never opened.
 *
 * @param <T> the slot's type, for example {@code Secp256k1}. If the object is {@link AutoCloseable} the host closes it
 *     after the last lease ended; {@code close} is called once.
 */
@ConsumerType
@FunctionalInterface
public interface Provider<T> {
    /** Service property, String, required: the slot this provider fills, for example {@code curve}. */
    String SLOT = "parley.slot";

    /**
     * Service property, Boolean, optional: true marks a provider that keeps nothing or proves nothing and is refused
     * outside tests.
     */
    String TEST_ONLY = "parley.test-only";

    /**
     * Opens the working object. May block on disk, never on the network. Called on a host thread, at most once at a time
     * for one instance.
     *
     * @param context everything the provider may use; valid until the returned object is closed
     * @throws ProviderException if it cannot work now; the host keeps what it had
     */
    T open(ProviderContext context) throws ProviderException;
}
