package im.parley.messenger;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.files.FileTransfers;
import im.parley.files.PutOptions;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Accounts, contacts and messages of a circle. Thread-safe; calls block on disk, and on the network only where said.
 * Every refusal is a {@code ProviderException} with a stable code.
 */
@ProviderType
public interface Messenger {
    /** Longest text of one message, in UTF-8 bytes. */
    int MAX_TEXT_BYTES = 32 * 1024;

    /** How soon a message may vanish, and how late. */
    Duration LEAST_TIMER = Duration.ofSeconds(5);

    Duration MOST_TIMER = Duration.ofDays(365);

    /** Most people in a room, beside the account itself (NIP-17). */
    int MAX_OTHERS = 9;

    /**
     * Makes an identity with a new key. Its inbox relay is this node's own relay if there is one.
     *
     * @param name 1 to 64 characters, unique in the circle, no control characters
     * @throws ProviderException {@code REJECTED identity.name-taken}, {@code REJECTED identity.bad-name}
     */
    Account createAccount(Scope scope, String name, char @Nullable [] passphrase) throws ProviderException;

    /**
     * As {@link #createAccount}, with a key that exists. A key that was sealed at a high cost takes up to half a minute, and
     * those of several calls one after the other. A refusal changes nothing, also not the passphrase of a key that is
     * known already.
     *
     * @param key {@code nsec1…} or {@code ncryptsec1…} (NIP-49)
     * @param password opens an {@code ncryptsec1…}; null for an {@code nsec1…}
     * @param passphrase optional second protection at rest; the caller overwrites all three afterwards
     * @throws ProviderException as {@link #createAccount}, and {@code REJECTED identity.known} if the circle has this key,
     *     {@code REJECTED identity.bad-key} if it is none of the two, {@code REJECTED key.too-costly}, {@code AUTHENTICATION
     *     key.wrong-password}
     */
    Account importAccount(
            Scope scope, String name, char[] key, char @Nullable [] password, char @Nullable [] passphrase)
            throws ProviderException;

    /**
     * As {@link #createAccount}, of a key that the node's identities have already: one at a remote signer (NIP-46).
     *
     * @throws ProviderException as {@link #createAccount}, and {@code REJECTED identity.known} if the circle has this key
     */
    Account adoptAccount(Scope scope, String name, PublicKey pubkey) throws ProviderException;

    /**
     * The key of an identity, sealed by a password, as {@code ncryptsec1…} (NIP-49). Takes about a quarter of a second.
     *
     * @param account name or npub; null if there is only one
     * @param password the caller overwrites it afterwards
     * @throws ProviderException {@code REJECTED key.weak-passphrase}, {@code AUTHENTICATION vault.locked} while the key is
     *     closed, {@code UNSUPPORTED identity.no-export} if the provider keeps its keys to itself
     */
    String exportKey(Scope scope, @Nullable String account, char[] password) throws ProviderException;

    List<Account> accounts(Scope scope) throws ProviderException;

    /**
     * Gives the passphrase of an identity until the next lock or stop. What waited for its key goes on.
     *
     * @param account name or npub; null if there is only one
     * @param passphrase the caller overwrites it afterwards
     * @throws ProviderException {@code AUTHENTICATION vault.wrong-passphrase}, {@code AUTHENTICATION vault.locked} while the
     *     session is locked
     */
    Account unlockAccount(Scope scope, @Nullable String account, char[] passphrase) throws ProviderException;

    /**
     * Adds a contact and looks up her inbox relays (kind 10050) at the user's relays and at the hints. Waits for the
     * network up to 10 s; a contact without inbox relays is added all the same and looked up again when written to.
     *
     * @param account name or npub; null if there is only one
     * @param address npub or nprofile
     * @throws ProviderException {@code REJECTED contact.bad-address}, {@code REJECTED contact.name-taken}, {@code
     *     REJECTED contact.bad-name}
     */
    Contact addContact(Scope scope, @Nullable String account, String name, String address) throws ProviderException;

    List<Contact> contacts(Scope scope, @Nullable String account) throws ProviderException;

    /**
     * Adds one of the user's relays for an account (or all accounts if null) and publishes the new inbox list. It needs
     * not be reachable now.
     *
     * @throws ProviderException {@code REJECTED relay.bad-url}, {@code REJECTED relay.too-many} above 3
     */
    List<Account> addRelay(Scope scope, @Nullable String account, String url) throws ProviderException;

    List<Account> removeRelay(Scope scope, @Nullable String account, String url) throws ProviderException;

    /**
     * Sends a text. When this returns, message, ledger and effects are durable; the rest happens by itself.
     *
     * @param to one, or up to {@link #MAX_OTHERS} for a room of these people and no others; each a contact name, name of
     *     another identity of this node, npub or nprofile
     * @throws ProviderException {@code REJECTED message.empty}, {@code REJECTED message.too-long} (also if line breaks and
     *     quotes make it too long on the way), {@code REJECTED message.bad-text} for NUL and half characters, {@code
     *     REJECTED recipient.unknown}, {@code REJECTED room.too-many}, {@code REJECTED account.ambiguous}, {@code REJECTED
     *     account.unknown}, {@code REJECTED account.none}
     */
    Message send(Scope scope, @Nullable String account, List<String> to, String text) throws ProviderException;

    /** To one. */
    default Message send(Scope scope, @Nullable String account, String to, String text) throws ProviderException {
        return send(scope, account, List.of(to), text);
    }

    /**
     * Encrypts a file, uploads it to the account's file servers, and sends it as soon as one of them has it, by itself and
     * also after a crash (NIP-17, kind 15).
     *
     * @param to as for {@link #send}
     * @return the job, see {@link FileTransfers#job}
     * @throws ProviderException as {@link #send} and {@link FileTransfers#put}; {@code UNAVAILABLE files.unavailable}
     */
    String sendFile(Scope scope, @Nullable String account, List<String> to, Path file, PutOptions options)
            throws ProviderException;

    /**
     * Gets the file of a message, checks and decrypts it.
     *
     * @param id as for {@link #reply}
     * @param target where it shall be; appears whole or not at all
     * @return the job
     * @throws ProviderException {@code REJECTED message.unknown}, {@code REJECTED message.ambiguous}, {@code REJECTED
     *     message.no-file}, as {@link FileTransfers#get}
     */
    String saveFile(Scope scope, @Nullable String account, String id, Path target, boolean replace)
            throws ProviderException;

    /**
     * How long after they are written this account's messages to these people are wiped, here and at everybody whose client
     * keeps to it (an {@code expiration} tag in message, seal and wrap, NIP-17 and NIP-40). Counts for what is written from
     * then on. What others write carries the time that they chose.
     *
     * @param with as for {@link #send}
     * @param after {@link #LEAST_TIMER} to {@link #MOST_TIMER}, zero for never; null to ask only
     * @return seconds; 0 for never
     * @throws ProviderException {@code REJECTED timer.out-of-range}, else as {@link #send}
     */
    long timer(Scope scope, @Nullable String account, List<String> with, @Nullable Duration after)
            throws ProviderException;

    /**
     * Answers a message, in its room (NIP-17: an {@code e} tag names it).
     *
     * @param id of the message, or its beginning of 4 hex digits or more, which is looked for among the newest 1,000
     * @throws ProviderException as {@link #send}, {@code REJECTED message.unknown}, {@code REJECTED message.ambiguous}
     */
    Message reply(Scope scope, @Nullable String account, String id, String text) throws ProviderException;

    /**
     * Reacts to a message, before everybody in its room (NIP-25 in a wrap).
     *
     * @param id as for {@link #reply}
     * @param reaction a picture or short word, up to 64 bytes, one line
     * @throws ProviderException {@code REJECTED reaction.bad}, {@code REJECTED reaction.known}, {@code REJECTED
     *     message.unknown}, {@code REJECTED message.ambiguous}
     */
    Message react(Scope scope, @Nullable String account, String id, String reaction) throws ProviderException;

    /**
     * Takes a message or reaction of one's own back: its text is gone here when this returns, and everybody in the room is
     * asked to do the same (NIP-09 in a wrap), which honest clients do and others need not.
     *
     * @param id as for {@link #reply}; of a reaction it is the reaction's own
     * @throws ProviderException {@code REJECTED message.not-yours}, {@code REJECTED message.unknown}, {@code REJECTED
     *     message.ambiguous}
     */
    Message delete(Scope scope, @Nullable String account, String id) throws ProviderException;

    /**
     * Changes the text of a message of one's own. Clients that keep histories show it in its place; others show a new
     * message and take the old one away.
     *
     * @param id as for {@link #reply}
     * @return the message with its new text
     * @throws ProviderException as {@link #delete}, {@code REJECTED edit.same}, and as {@link #send} of the text
     */
    Message edit(Scope scope, @Nullable String account, String id, String text) throws ProviderException;

    /** The texts that a message had, oldest first, at most 100; the last is the one that it has. */
    List<Version> history(Scope scope, @Nullable String account, String id) throws ProviderException;

    /**
     * Messages of an account (or of all accounts if null), received and sent, in the order they became visible: for
     * whoever wants each once. Reactions, deletions and edits are among them, as what happened then.
     *
     * @param after only those with a larger {@link Message#position}
     * @param limit 1 to 1,000
     */
    List<Message> messages(Scope scope, @Nullable String account, long after, int limit) throws ProviderException;

    /**
     * The newest {@code limit} messages, as they are to be read: in the order they became visible, but for those that came
     * after something their writer wrote later; they stand before it. Two messages never change places.
     */
    List<Message> latest(Scope scope, @Nullable String account, int limit) throws ProviderException;

    /** Told of each message as it becomes visible; quick, any thread. Close to stop. */
    AutoCloseable onMessage(Scope scope, Consumer<Message> listener);

    /**
     * What was received and not shown, since the node started: code to count, for example {@code dm.sender-mismatch}.
     */
    default Map<String, Long> drops(Scope scope) throws ProviderException {
        return Map.of();
    }

    /** @param relays inbox relays, as published in kind 10050 */
    record Account(String name, PublicKey pubkey, String npub, String nprofile, List<URI> relays, boolean locked) {
        public Account {
            relays = List.copyOf(relays);
        }
    }

    /** @param relays inbox relays last seen; empty if none is known */
    record Contact(String name, PublicKey pubkey, String npub, List<URI> relays) {
        public Contact {
            relays = List.copyOf(relays);
        }
    }

    /** What a message is. */
    enum What {
        TEXT,
        FILE,
        /** Its text is the reaction, and {@link Message#about} what it is about. */
        REACTION,
        /** It has no text; {@link Message#about} is gone, or the first of several. */
        DELETION,
        /** The text of {@link Message#about} was changed to the one that stands here. */
        EDIT
    }

    /** @param at epoch milliseconds by the writer's clock */
    record Version(long at, String text) {
        /** Without the text. */
        @Override
        public String toString() {
            return "Version[" + at + "]";
        }
    }

    /**
     * Somebody whom a text names (NIP-27). Who writes {@code @name} of a member names her; so do addresses in a text.
     *
     * @param address what stands in the text, for example {@code nostr:npub1…}
     * @param name contact or identity name if known, else the npub
     * @param self whether that is the account itself
     */
    record Mention(String address, String name, boolean self) {}

    /**
     * @param by contact or identity name if known, else the npub
     * @param content a picture or a short word; {@code +} and {@code -} are old ways to say yes and no
     */
    record Reaction(String by, String content) {}

    /**
     * What a message says of its file; nothing of it is checked before it is here.
     *
     * @param name empty if it has none
     * @param sizeBytes of the encrypted file; -1 if it was not said
     * @param width in pixels; 0 if it was not said
     * @param blurhash empty if there is none
     * @param durationMillis 0 if it was not said
     * @param sha256 of the encrypted file, hex
     */
    record Attachment(
            String name,
            String mediaType,
            long sizeBytes,
            int width,
            int height,
            String blurhash,
            long durationMillis,
            String sha256) {}

    /**
     * @param position order in which messages became visible in this circle; grows
     * @param id hex id of the rumor, the same at sender and recipient
     * @param account name of the own identity concerned
     * @param peer the author's public key, or of an own message the first other member's
     * @param peerName contact or identity name if known, else the npub
     * @param outgoing true if this identity wrote it
     * @param sentAt epoch milliseconds by the writer's clock (seconds precision for foreign clients)
     * @param state for outgoing messages the ledger's summary, for example {@code at relays 1/1}; else {@code received}
     * @param about id of the message that this one answers or is about; empty if none
     * @param room the same for all messages among the same people
     * @param members names of everybody in the room but the account
     * @param reactions to it, oldest first
     * @param deleted whether its author took it back, so that its text is gone
     * @param expires epoch seconds at which it is wiped; 0 for never
     * @param edits how often its text was changed
     * @param mentions whom its text names, at most 50
     * @param file null if it has none that can be got
     */
    record Message(
            long position,
            String id,
            String account,
            PublicKey peer,
            String peerName,
            boolean outgoing,
            long sentAt,
            String text,
            String state,
            What what,
            String about,
            String room,
            List<String> members,
            List<Reaction> reactions,
            boolean deleted,
            long expires,
            int edits,
            List<Mention> mentions,
            @Nullable Attachment file) {
        public Message {
            members = List.copyOf(members);
            reactions = List.copyOf(reactions);
            mentions = List.copyOf(mentions);
        }

        /** Ids and states only. */
        @Override
        public String toString() {
            return "Message[" + id + ", " + state + "]";
        }
    }
}
