package im.parley.bunker;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.osgi.annotation.versioning.ProviderType;

/** Signs for other programs as their user granted (NIP-46). Thread-safe; calls block on disk. */
@ProviderType
public interface Bunker {
    /** How long an invitation admits somebody. */
    Duration INVITATION = Duration.ofHours(1);

    /** Most clients of one circle, invited or connected. */
    int MAX_CLIENTS = 100;

    /**
     * Makes an invitation that admits one client once.
     *
     * @param name of the client, for its user: 1 to 64 characters, unique in the circle
     * @param relays 1 to 5 where it is to ask
     * @return {@code bunker://…} with a secret in it, which is kept as a hash only
     * @throws ProviderException {@code REJECTED bunker.bad-name}, {@code REJECTED bunker.name-taken}, {@code REJECTED
     *     bunker.no-relay}, {@code REJECTED bunker.too-many}
     */
    String invite(Scope scope, PublicKey identity, String name, Grant grant, List<URI> relays) throws ProviderException;

    List<Client> clients(Scope scope) throws ProviderException;

    /**
     * Ends what a client may do, at once; its invitation is void too.
     *
     * @throws ProviderException {@code REJECTED bunker.unknown}
     */
    void revoke(Scope scope, String name) throws ProviderException;

    /** What was ignored since the node started, code to count: for example {@code bunker.stranger}. */
    Map<String, Long> drops();

    /**
     * What a client may do.
     *
     * @param kinds that it may have signed; empty for all but {@link #SENSITIVE}
     * @param nip44 whether it may encrypt and decrypt, and so read what others wrote to the identity
     */
    record Grant(Set<Integer> kinds, boolean nip44) {
        /**
         * Kinds that are signed for who was granted them by name only: they delete (5, 62), speak for the user to relays and
         * servers (22242, 24242, 27235), or send private messages (13).
         */
        public static final Set<Integer> SENSITIVE = Set.of(5, 13, 62, 22242, 24242, 27235);

        public Grant {
            kinds = Set.copyOf(new TreeSet<>(kinds));
        }

        public boolean allows(int kind) {
            return kinds.isEmpty() ? !SENSITIVE.contains(kind) : kinds.contains(kind);
        }
    }

    /**
     * @param client hex key that it connected with; empty while it is only invited
     * @param invited epoch seconds
     * @param lastAsked epoch seconds since the node started; 0 if it did not ask
     */
    record Client(
            String name,
            PublicKey identity,
            PublicKey signer,
            String client,
            Grant grant,
            List<URI> relays,
            long invited,
            long lastAsked) {
        public Client {
            relays = List.copyOf(relays);
        }
    }
}
