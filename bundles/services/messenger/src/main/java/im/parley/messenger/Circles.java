package im.parley.messenger;

import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger.Account;
import im.parley.messenger.Messenger.Contact;
import java.net.URI;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The circles of this node: family, friends, work, which never mix. Each has identities, contacts, relays, records and a
 * key of its own, and no connection is used for two of them. The default one is there from the first day and stays.
 * Thread-safe; calls block on disk, and on the network only where said. Every refusal is a {@code ProviderException} with
 * a stable code.
 */
@ProviderType
public interface Circles {
    /** Most circles beside the default one; each has threads of its own. */
    int MAX_CIRCLES = 32;

    /** Longest description, in characters. */
    int MAX_DESCRIPTION = 200;

    int MAX_RELAYS = 3;

    int MAX_FILE_SERVERS = 8;

    /** How the default circle can be named whatever it is called. */
    String DEFAULT_NAME = "default";

    /**
     * Which circle is meant.
     *
     * @param name null for the default one
     * @throws ProviderException {@code REJECTED circle.unknown}
     */
    Scope find(@Nullable String name) throws ProviderException;

    /** All of them, the default one first, then in the order in which they were made. */
    List<Summary> all() throws ProviderException;

    /**
     * Makes a circle.
     *
     * @throws ProviderException {@code REJECTED circle.bad-name}, {@code REJECTED circle.name-taken}, {@code REJECTED
     *     circle.bad-description}, {@code REJECTED circle.too-many}, {@code REJECTED relay.bad-url}, {@code REJECTED
     *     relay.too-many}, {@code REJECTED file-server.bad-url}, {@code REJECTED file-server.too-many}, {@code REJECTED
     *     timer.out-of-range}
     */
    Summary create(Draft draft) throws ProviderException;

    /**
     * Gives a circle another name; nothing else changes, since nothing is kept under its name.
     *
     * @throws ProviderException {@code REJECTED circle.unknown}, {@code REJECTED circle.bad-name}, {@code REJECTED
     *     circle.name-taken}
     */
    Summary rename(String name, String next) throws ProviderException;

    /**
     * Ends a circle for good: its connections, what its relays may be reached for, the keys of its identities, its records
     * and the key that opens them. Once it was begun it is finished, also after a crash. What was published stays with
     * those who have it.
     *
     * @return identities whose keys are not this node's to destroy
     * @throws ProviderException {@code REJECTED circle.unknown}, {@code REJECTED circle.default}
     */
    List<String> delete(String name) throws ProviderException;

    /**
     * What others need in order to make a circle of their own to meet in: a link without secrets.
     *
     * @param account name or npub of who invites; null if there is only one
     * @throws ProviderException {@code REJECTED circle.unknown}, {@code REJECTED account.none}, {@code REJECTED
     *     account.ambiguous}, {@code REJECTED account.unknown}
     */
    Invitation invite(String name, @Nullable String account) throws ProviderException;

    /**
     * What a link says; changes nothing and asks nobody.
     *
     * @throws ProviderException {@code REJECTED invitation.bad}
     */
    Invitation read(String link) throws ProviderException;

    /**
     * Makes a circle, an identity in it and a contact of who invites. Waits for the network up to 10 s. A refusal leaves
     * nothing.
     *
     * @param name of the circle here; null for the invitation's
     * @param account name of the new identity
     * @param contact how to call who invites; null for the invitation's
     * @param relays that the user names herself, which may be private; null to take the invitation's, which may not
     * @throws ProviderException as {@link #create}, {@link #read} and {@link Messenger#addContact}
     */
    Joined join(
            String link, @Nullable String name, String account, @Nullable String contact, @Nullable List<String> relays)
            throws ProviderException;

    /**
     * What a circle begins with.
     *
     * @param relays inbox relays of identities that are made in it; empty for this node's own
     * @param fileServers {@code https} addresses, {@code http} on this machine
     * @param timerSeconds after which messages vanish where nothing else was said; 0 for never
     */
    record Draft(String name, String description, List<String> relays, List<String> fileServers, long timerSeconds) {
        public Draft {
            relays = List.copyOf(relays);
            fileServers = List.copyOf(fileServers);
        }
    }

    /**
     * @param scope under which everything of it is kept; random, so it says nothing
     * @param createdAt epoch milliseconds; 0 for the default circle
     * @param identities how many own identities it has
     * @param inboxRelays how many different inbox relays they have
     * @param messages how many became visible in it so far, sent and received
     */
    record Summary(
            Scope scope,
            String name,
            String description,
            List<URI> relays,
            List<URI> fileServers,
            long timerSeconds,
            long createdAt,
            int identities,
            int inboxRelays,
            long messages) {
        public Summary {
            relays = List.copyOf(relays);
            fileServers = List.copyOf(fileServers);
        }
    }

    /**
     * @param link {@code parley:circle?…}
     * @param from how who invites is called; empty if she did not say
     * @param inviter npub
     * @param relays normalised
     */
    record Invitation(
            String link,
            String circle,
            String description,
            String from,
            String inviter,
            List<URI> relays,
            List<URI> fileServers) {
        public Invitation {
            relays = List.copyOf(relays);
            fileServers = List.copyOf(fileServers);
        }
    }

    /** What {@link #join} made. */
    record Joined(Summary circle, Account account, Contact contact) {}
}
