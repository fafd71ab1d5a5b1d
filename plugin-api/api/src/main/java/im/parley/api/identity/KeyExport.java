package im.parley.api.identity;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * A facet of an {@link IdentityProvider} whose keys can leave it, because they belong to their user. A provider whose keys
 * are elsewhere, on a token or behind a remote signer, does not implement it. Thread-safe; blocks on disk.
 */
@ConsumerType
public interface KeyExport {
    /**
     * The secret key itself. Only for sealing it at once for its owner.
     *
     * @return 32 bytes, a copy; the caller overwrites it
     * @throws ProviderException {@code REJECTED identity.unknown}, {@code AUTHENTICATION vault.locked} while the key needs
     *     its passphrase
     */
    byte[] exportKey(PublicKey identity) throws ProviderException;
}
