package im.parley.messenger;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import org.osgi.annotation.versioning.ProviderType;

/** Names such as {@code bob@example.org} (NIP-05). Whose a name is today is looked up once; the key is followed, not the name. */
@ProviderType
public interface InternetNames {
    /**
     * Asks the domain whose name it is. Blocks on the network up to 10 s; the domain learns who is looked for, and from which
     * address.
     *
     * @throws ProviderException {@code REJECTED nip05.bad-address}, {@code REJECTED nip05.unknown}, {@code REJECTED
     *     nip05.redirect}, {@code REJECTED nip05.bad-answer}, {@code UNAVAILABLE nip05.unreachable}; {@code REJECTED
     *     egress.private} if the domain is in a private network
     */
    Found find(Scope scope, String address) throws ProviderException;

    /** @param nprofile the key with the relays that the domain names for it */
    record Found(String address, PublicKey pubkey, String nprofile) {}
}
