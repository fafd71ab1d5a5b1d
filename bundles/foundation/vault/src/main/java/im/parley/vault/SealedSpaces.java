package im.parley.vault;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.SpaceId;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The core's way to records: keys hashed, values sealed (XChaCha20-Poly1305, one key per space, AAD = space, key,
 * version) before a record store sees them. Thread-safe.
 */
@ProviderType
public interface SealedSpaces {
    /** A view of that space; cheap. Each transaction leases the slot {@code storage.records} anew. */
    SealedSpace open(SpaceId id);

    /**
     * Destroys the records, the space's key and the secrets of all its buckets, so that copies elsewhere cannot be read
     * either. Views that are open refuse with {@code REJECTED store.destroyed} from then on: what was under way writes
     * nothing any more.
     */
    void destroy(SpaceId id) throws ProviderException;
}
