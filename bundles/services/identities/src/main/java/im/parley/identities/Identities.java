package im.parley.identities;

import im.parley.api.event.PublicKey;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.identity.RemoteKeys;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.slot.Slot;
import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The slots {@code identity} and {@code identity.remote} as one: what is made is made locally, and each operation goes to the
 * slot that has the key. A lease of it is a lease of both. Thread-safe.
 */
@ProviderType
public interface Identities extends Slot<IdentityProvider> {
    /**
     * Connects to a remote signer, at relays that the user names by giving the URL. Blocks, up to some minutes.
     *
     * @param url {@code bunker://…}; the caller overwrites it
     * @throws ProviderException as {@link RemoteKeys#connect}, {@code REJECTED identity.known} if this node has the key
     *     itself, {@code UNSUPPORTED identity.no-remote}
     */
    PublicKey connect(Scope scope, char[] url) throws ProviderException;

    /** Signers that are connected, or being connected; empty if this node has no part that could. */
    List<RemoteKeys.Session> remotes() throws ProviderException;

    /** Forgets a remote signer; unknown is fine. */
    void disconnect(PublicKey identity) throws ProviderException;
}
