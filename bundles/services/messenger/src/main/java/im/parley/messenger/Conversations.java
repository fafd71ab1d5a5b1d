package im.parley.messenger;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.messenger.Messenger.Message;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Conversations as people list them: what is new in each, who may write, and what others are told of it. Thread-safe; calls
 * block on disk. Accounts, people and refusals as in {@link Messenger}.
 *
 * <p>A conversation that somebody else began is a request until the user answers it, accepts it or adds its author as a
 * contact: nobody learns that it was received or read. Drafts, pins and mutes are the user's own and told to nobody.
 */
@ProviderType
public interface Conversations {
    /** Mutes without end. */
    Duration FOR_EVER = Duration.ofDays(36_500);

    /** Messages of one conversation that can be pinned. */
    int MOST_PINNED = 50;

    /** Conversations, pinned ones first, then those with the newest message; requests are among them. */
    List<Chat> chats(Scope scope, @Nullable String account) throws ProviderException;

    /** One of them, even if nothing was written there yet. */
    Chat chat(Scope scope, @Nullable String account, List<String> with) throws ProviderException;

    /**
     * The messages before a position, as they are to be read. What it costs does not depend on how far back that is.
     *
     * @param before a {@link Message#position}; 0 for the newest
     * @param limit 1 to 1,000
     */
    List<Message> page(Scope scope, @Nullable String account, List<String> with, long before, int limit)
            throws ProviderException;

    /** Nothing in it is new any more. Their authors are told what was read, unless that is off or it is a request. */
    Chat read(Scope scope, @Nullable String account, List<String> with) throws ProviderException;

    /** Keeps it above the others, or no longer. */
    Chat pin(Scope scope, @Nullable String account, List<String> with, boolean pinned) throws ProviderException;

    /**
     * No notice of its messages for so long.
     *
     * @param length zero to end it; at most {@link #FOR_EVER}
     */
    Chat mute(Scope scope, @Nullable String account, List<String> with, Duration length) throws ProviderException;

    /**
     * Keeps a text that is not sent yet.
     *
     * @param text as a message's; empty for none
     */
    Chat draft(Scope scope, @Nullable String account, List<String> with, String text) throws ProviderException;

    /** Lets a request in: from now on it is a conversation like any other. */
    Chat accept(Scope scope, @Nullable String account, List<String> with) throws ProviderException;

    /**
     * Takes a conversation away here, with all its messages; nobody is told. What its members write later is a request
     * again if it was one.
     *
     * @return how many messages were taken away
     */
    int remove(Scope scope, @Nullable String account, List<String> with) throws ProviderException;

    /**
     * Nothing of this person is let in any more, in no conversation; she is not told. What comes meanwhile is not kept.
     *
     * @throws ProviderException {@code REJECTED block.self}
     */
    void block(Scope scope, @Nullable String account, String who) throws ProviderException;

    /** @throws ProviderException {@code REJECTED block.unknown} */
    void unblock(Scope scope, @Nullable String account, String who) throws ProviderException;

    /** Names or npubs. */
    List<String> blocked(Scope scope, @Nullable String account) throws ProviderException;

    /**
     * Keeps a message at hand in its conversation, or no longer.
     *
     * @throws ProviderException {@code REJECTED pin.too-many}, {@code REJECTED message.unknown}, {@code REJECTED
     *     message.ambiguous}
     */
    Message pin(Scope scope, @Nullable String account, String message, boolean pinned) throws ProviderException;

    /** Pinned messages of a conversation, as they are to be read. */
    List<Message> pins(Scope scope, @Nullable String account, List<String> with) throws ProviderException;

    /**
     * Tells the others in it that the user writes, if that is not off; at most every few seconds, and neither kept nor
     * repeated. A request's author is not told.
     */
    void typing(Scope scope, @Nullable String account, List<String> with) throws ProviderException;

    /** Told when somebody writes; quick, any thread. Close to stop. */
    AutoCloseable onTyping(Scope scope, Consumer<Typing> listener);

    /** What an account tells others; each is on until it is turned off. */
    Settings settings(Scope scope, @Nullable String account) throws ProviderException;

    /** @param to null leaves a value as it is */
    Settings settings(Scope scope, @Nullable String account, @Nullable Boolean receipts, @Nullable Boolean typing)
            throws ProviderException;

    /**
     * @param receipts whether authors learn that their messages were received and read
     * @param typing whether others see that this account writes
     */
    record Settings(String account, boolean receipts, boolean typing) {}

    /**
     * @param room as {@link Message#room}
     * @param members names of everybody in it but the account
     * @param keys their keys, in the same order
     * @param request whether it waits to be let in
     * @param pinned whether it stands above the others
     * @param mutedUntil epoch seconds; 0 if it is not
     * @param unread messages of others that are new
     * @param mentioned whether one of these names the user
     * @param draft empty for none
     * @param timer seconds after which what the user writes there is wiped; 0 for never
     * @param last the newest message; null if there is none
     */
    record Chat(
            String account,
            String room,
            List<String> members,
            List<PublicKey> keys,
            boolean request,
            boolean pinned,
            long mutedUntil,
            int unread,
            boolean mentioned,
            String draft,
            long timer,
            @Nullable Message last) {
        public Chat {
            members = List.copyOf(members);
            keys = List.copyOf(keys);
        }

        /** No text and no name. */
        @Override
        public String toString() {
            return "Chat[" + room + ", unread " + unread + "]";
        }
    }

    /**
     * Somebody writes.
     *
     * @param room as {@link Message#room}
     * @param until epoch milliseconds after which she no longer does, unless she is heard of again
     */
    record Typing(String account, String room, PublicKey by, String name, long until) {}
}
