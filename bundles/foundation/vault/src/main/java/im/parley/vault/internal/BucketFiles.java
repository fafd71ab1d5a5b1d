package im.parley.vault.internal;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.SpaceId;

/** Where the secrets of buckets lie, and what seals them: the vault. Thread-safe. */
interface BucketFiles {
    /** The file of that space; two of the same space are not used at once. */
    SlotFile file(SpaceId id) throws ProviderException;

    /** The 32 bytes that its slots are sealed under; the caller overwrites them. */
    byte[] key(SpaceId id) throws ProviderException;
}
