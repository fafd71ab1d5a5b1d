package im.parley.api.identity;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.net.URI;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ConsumerType;

/** A facet of an {@link IdentityProvider} whose keys are kept by remote signers (NIP-46). Thread-safe. */
@ConsumerType
public interface RemoteKeys {
    /**
     * The relays that a {@code bunker://} URL names; asks nobody.
     *
     * @param url not kept, the caller overwrites it
     * @throws ProviderException {@code REJECTED nip46.bad-url}
     */
    List<URI> relays(char[] url) throws ProviderException;

    /**
     * Connects to a remote signer and asks it whose key it has; durable when this returns. The secret in the URL is sent
     * once and not kept. Blocks on the network, up to some minutes if the signer asks a human.
     *
     * @param url {@code bunker://…}; not kept, the caller overwrites it
     * @return the user's key, which need not be the signer's
     * @throws ProviderException {@code REJECTED nip46.bad-url}, {@code REJECTED nip46.refused}, {@code REJECTED
     *     nip46.result-mismatch}, {@code TIMEOUT nip46.timeout}, {@code UNAVAILABLE nip46.unreachable}
     */
    PublicKey connect(Scope scope, char[] url) throws ProviderException;

    /** What is connected, or being connected. */
    List<Session> sessions() throws ProviderException;

    /** Forgets a signer, after telling it if it can be reached; unknown is fine. */
    void disconnect(PublicKey identity) throws ProviderException;

    /**
     * @param identity null while it is being connected
     * @param signer who answers
     * @param relays where it is asked, and nowhere else
     * @param named of the relays ever used, those that the user named
     * @param approval where the signer wants its user to look ({@code http} or {@code https}); empty if nothing waits for
     *     that. A claim of the signer, to be shown and never opened by itself
     */
    record Session(
            Scope scope,
            @Nullable PublicKey identity,
            PublicKey signer,
            List<URI> relays,
            List<URI> named,
            String approval) {
        public Session {
            relays = List.copyOf(relays);
            named = List.copyOf(named);
        }
    }
}
