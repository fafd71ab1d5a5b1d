package im.parley.api.storage;

import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Ordered, transactional records in separate spaces. Values arrive sealed by the core; keys hold only keyed hashes and
 * order fields. Thread-safe; blocks on disk.
 */
@ConsumerType
public interface RecordStore {
    /** Opens a space, creating it if absent. The same id gives a view of the same data. Valid until the store is closed. */
    Space open(SpaceId id) throws ProviderException;

    /** Removes a space and everything in it; absent is fine. Durable when it returns. */
    void destroy(SpaceId id) throws ProviderException;

    /**
     * Every space that a transaction has changed since it was last destroyed, also if it is empty by now: those with a {@link
     * Space#commitSeq} above 0. For migration, backup and checks; not called from inside a transaction.
     *
     * @return in the order of their names; a copy
     */
    List<SpaceId> spaces() throws ProviderException;
}
