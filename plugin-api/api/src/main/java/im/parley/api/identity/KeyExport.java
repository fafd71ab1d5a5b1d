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
     * The secret key, sealed by a password (NIP-49). The key itself stays with the provider, which overwrites what it read.
     *
     * @param password a good one, which the caller has seen to; not kept, the caller overwrites it
     * @return {@code ncryptsec1…}
     * @throws ProviderException {@code REJECTED identity.unknown}, {@code AUTHENTICATION vault.locked} while the key needs
     *     its passphrase, {@code REJECTED key.too-costly} if there is not enough memory to seal it
     */
    String exportKey(PublicKey identity, char[] password) throws ProviderException;
}
