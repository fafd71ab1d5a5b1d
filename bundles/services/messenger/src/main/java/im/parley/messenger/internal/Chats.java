package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Keeps conversations true to their messages, inside the transactions that write those. */
final class Chats {
    /** Messages put into conversations in one transaction, of those from before there were any. */
    private static final int CHUNK = 500;

    /** New messages that are looked through for one that names the user. */
    private static final int LOOKED_AT = 1_000;

    private Chats() {}

    /** The conversation of these people; it is written only with the first message. */
    static Chat of(Tx tx, PublicKey account, Room room) throws ProviderException {
        String id = room.conversation().id();
        Chat chat = ChatBook.chat(tx, account, id);
        return chat == null ? Chat.begun(0, id, room.all()) : chat;
    }

    static void put(Tx tx, PublicKey account, Chat chat) throws ProviderException {
        ChatBook.put(tx, account, chat.number() == 0 ? chat.numbered(Book.next(tx, "chats")) : chat);
    }

    /**
     * A message became visible that people read by itself.
     *
     * @param letIn whether its author needs not ask
     */
    static void arrived(Tx tx, PublicKey account, Line line, Room room, boolean letIn) throws ProviderException {
        Chat chat = of(tx, account, room);
        boolean isNew = !line.outgoing() && !line.deleted();
        boolean mentions = isNew && Mentions.names(line.text(), account);
        ChatBook.put(tx, chat.id(), new ChatBook.Entry(line.position(), isNew, mentions));
        Chat now = letIn ? chat.accept() : chat;
        put(
                tx,
                account,
                now.at(
                        Math.max(chat.last(), line.position()),
                        chat.unread() + (isNew ? 1 : 0),
                        chat.mentioned() || mentions));
    }

    /** A message's text is gone, so that it is nothing new. */
    static void erased(Tx tx, PublicKey account, Line line) throws ProviderException {
        uncount(tx, account, line, true);
    }

    /** A message is gone. */
    static void wiped(Tx tx, PublicKey account, Line line) throws ProviderException {
        uncount(tx, account, line, false);
    }

    private static void uncount(Tx tx, PublicKey account, Line line, boolean stays) throws ProviderException {
        String id = line.conversation();
        ChatBook.Entry entry = ChatBook.entry(tx, id, line.position());
        Chat chat = ChatBook.chat(tx, account, id);
        ChatBook.removePin(tx, id, line.position());
        if (entry == null || chat == null) {
            return;
        }
        if (stays) {
            ChatBook.put(tx, id, new ChatBook.Entry(line.position(), false, false));
        } else {
            ChatBook.removeEntry(tx, id, line.position());
        }
        long last = chat.last();
        if (!stays && last == line.position()) {
            List<ChatBook.Entry> before = ChatBook.before(tx, id, last, 1);
            last = before.isEmpty() ? 0 : before.get(0).position();
        }
        boolean wasNew = entry.isNew() && line.position() > chat.readTo();
        boolean mentioned = chat.mentioned();
        if (wasNew && entry.mentions()) {
            mentioned = ChatBook.after(tx, id, chat.readTo(), LOOKED_AT).stream()
                    .anyMatch(other -> other.mentions() && other.position() != line.position());
        }
        ChatBook.put(tx, account, chat.at(last, wasNew ? Math.max(0, chat.unread() - 1) : chat.unread(), mentioned));
    }

    /**
     * Puts the messages that were kept before there were conversations into them, a part in each transaction. What arrives
     * meanwhile is put there as it does. They count as read and as let in.
     */
    static void index(SealedSpace space) throws ProviderException {
        boolean more = true;
        while (more) {
            more = space.transact(Chats::indexSome);
        }
    }

    /** The first identity is made: there is nothing from before. */
    static void begin(Tx tx) throws ProviderException {
        if (ChatBook.indexed(tx) == null && Book.position(tx) == 0) {
            ChatBook.putIndexed(tx, 0);
        }
    }

    private static boolean indexSome(Tx tx) throws ProviderException {
        Long from = ChatBook.indexed(tx);
        if (from == null) {
            // Those up to here have no conversation; later ones get theirs as they come. A node that nobody used stays
            // empty.
            long last = Book.position(tx);
            if (last > 0) {
                ChatBook.putIndexed(tx, last);
            }
            return last > 0;
        }
        if (from == 0) {
            return false;
        }
        long next = 0;
        for (Account account : Book.accounts(tx)) {
            List<Line> lines = Book.before(tx, account.pubkey(), from + 1, CHUNK);
            for (Line line : lines) {
                index(tx, account.pubkey(), line);
            }
            if (lines.size() == CHUNK) {
                // The others' between here and there are looked at twice, which changes nothing.
                next = Math.max(next, lines.get(CHUNK - 1).position() - 1);
            }
        }
        ChatBook.putIndexed(tx, next);
        return next > 0;
    }

    private static void index(Tx tx, PublicKey account, Line line) throws ProviderException {
        if (!line.isRead() || ChatBook.entry(tx, line.conversation(), line.position()) != null) {
            return;
        }
        @Nullable Chat known = ChatBook.chat(tx, account, line.conversation());
        Chat chat = known == null ? Chat.begun(0, line.conversation(), line.members()) : known;
        ChatBook.put(tx, line.conversation(), new ChatBook.Entry(line.position(), false, false));
        put(tx, account, chat.withOld(line.position()));
    }
}
