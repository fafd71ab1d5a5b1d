package im.parley.slot;

import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * A place that one configured provider instance fills. Registered as a service with the property {@code parley.slot} =
 * its name; consumers reference it with a target filter and take a {@link Lease} per unit of work. The slot itself never
 * disappears while the node runs. Thread-safe; {@code acquire} does not block on anything but the first opening.
 *
 * @param <T> the slot's type
 */
@ProviderType
public interface Slot<T> {
    /** Service property that names the slot. */
    String NAME = "parley.slot";

    String name();

    /**
     * Takes the object for a unit of work; close the lease when the work is done. Keep it for seconds, not for ever: a
     * swap waits for open leases before it closes the old object.
     *
     * @throws ProviderException {@code UNAVAILABLE slot.empty} if no selected instance could be opened
     */
    Lease<T> acquire() throws ProviderException;

    /** What fills the slot now, for people and for the readiness check; an empty slot tries to fill itself first. */
    Status status();

    /**
     * @param slot name
     * @param instance {@code PID~name} that is open, or empty
     * @param problem why nothing is open, or what is wrong although something is; or empty
     * @param inFlight leases open now
     * @param candidates instances that could fill it, sorted
     */
    record Status(String slot, String instance, String problem, int inFlight, List<String> candidates) {
        public Status(String slot, String instance, String problem, int inFlight) {
            this(slot, instance, problem, inFlight, List.of());
        }

        public Status {
            candidates = List.copyOf(candidates);
        }

        public boolean filled() {
            return !instance.isEmpty();
        }
    }
}
