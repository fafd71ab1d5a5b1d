package im.parley.api.identity;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/** Keeps the identities of a node's user, or knows who does. Called by the core when accounts change; thread-safe; blocks on disk. */
@ConsumerType
public interface IdentityProvider {
    /** All identities, in no particular order; never null. */
    List<PublicKey> list() throws ProviderException;

    /**
     * Makes a new key and keeps it; durable when this returns.
     *
     * @param passphrase optional second protection of this key at rest; null for none
     */
    PublicKey create(char @Nullable [] passphrase) throws ProviderException;

    /**
     * Whose key this is; keeps nothing and changes nothing. The core asks before {@link #importKey}, so that an import it
     * refuses leaves everything as it was.
     *
     * @param secretKey 32 bytes, not kept; the caller overwrites its array
     * @throws ProviderException {@code REJECTED crypto.bad-secret}
     */
    PublicKey identify(byte[] secretKey) throws ProviderException;

    /**
     * Keeps an existing key; the same key again is fine, and gets the passphrase if one is given.
     *
     * @param secretKey 32 bytes, copied; the caller overwrites its array
     * @throws ProviderException {@code REJECTED crypto.bad-secret}
     */
    PublicKey importKey(byte[] secretKey, char @Nullable [] passphrase) throws ProviderException;

    /** True while the key needs its passphrase. */
    boolean locked(PublicKey identity) throws ProviderException;

    /**
     * Gives a key's passphrase for this session.
     *
     * @throws ProviderException {@code AUTHENTICATION vault.wrong-passphrase}
     */
    void unlock(PublicKey identity, char[] passphrase) throws ProviderException;

    /**
     * A signer for the given purposes. Opening works while the key is locked; its operations then fail.
     *
     * @throws ProviderException {@code REJECTED identity.unknown}
     */
    Signer open(PublicKey identity, Set<Purpose> purposes) throws ProviderException;

    /**
     * Destroys the key of an identity that its user deletes; durable when this returns. Signers of it fail from then on. An
     * identity that is not there is no failure.
     *
     * @return whether this provider has no such key any more; false if the key is not its own to destroy, because it lies
     *     on a token or behind a remote signer
     */
    default boolean forget(PublicKey identity) throws ProviderException {
        return !list().contains(identity);
    }
}
