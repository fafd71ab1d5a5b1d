package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.messenger.Conversations;
import im.parley.messenger.Messenger.Message;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the user does with conversations as a whole. Thread-safe; blocks on disk. */
final class ChatList {
    private static final int REMOVED_AT_ONCE = 100;
    /** Messages that were read at once and whose authors are told so; older ones count as read without that. */
    private static final int TOLD = 1_000;

    private final SealedSpace space;
    private final Services services;
    private final Reader reader;
    private final Typists typists;
    /** Told when there may be receipts to write. */
    private final Runnable owing;

    ChatList(SealedSpace space, Services services, Reader reader, Typists typists, Runnable owing) {
        this.space = space;
        this.services = services;
        this.reader = reader;
        this.typists = typists;
        this.owing = owing;
    }

    List<Conversations.Chat> all(@Nullable String wanted) throws ProviderException {
        record Of(Chat kept, Conversations.Chat shown) {}
        return space.transact(tx -> {
            List<Of> all = new ArrayList<>();
            for (Account account : wanted == null ? Book.accounts(tx) : List.of(Accounts.pick(tx, wanted))) {
                Map<PublicKey, String> names = Contacts.names(tx, account);
                for (Chat chat : ChatBook.chats(tx, account.pubkey())) {
                    all.add(new Of(chat, shown(tx, account, chat, names)));
                }
            }
            all.sort(Comparator.comparing((Of of) -> !of.kept().pinned())
                    .thenComparing(of -> -of.kept().last())
                    .thenComparing(of -> -of.kept().number()));
            return all.stream().map(Of::shown).toList();
        });
    }

    Conversations.Chat one(@Nullable String wanted, List<String> with) throws ProviderException {
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            return shown(tx, account, Chats.of(tx, account.pubkey(), room(tx, account, with)));
        });
    }

    List<Message> page(@Nullable String wanted, List<String> with, long before, int limit) throws ProviderException {
        if (limit < 1 || limit > 1_000 || before < 0) {
            throw new IllegalArgumentException("limit is 1 to 1,000, before 0 or a position");
        }
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            String id = room(tx, account, with).conversation().id();
            List<Long> positions = ChatBook.before(tx, id, before, limit).stream()
                    .map(ChatBook.Entry::position)
                    .toList();
            return reader.inReadingOrder(tx, account, positions);
        });
    }

    Conversations.Chat read(@Nullable String wanted, List<String> with) throws ProviderException {
        Conversations.Chat after = space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            PublicKey self = account.pubkey();
            Chat chat = Chats.of(tx, self, room(tx, account, with));
            if (chat.last() > chat.readTo() || chat.unread() > 0) {
                for (ChatBook.Entry entry : ChatBook.before(tx, chat.id(), 0, TOLD)) {
                    Line line = entry.position() > chat.readTo() && entry.isNew()
                            ? Book.at(tx, self, entry.position())
                            : null;
                    if (line != null) {
                        Signals.owe(tx, self, line, true);
                    }
                }
                chat = chat.read();
                Chats.put(tx, self, chat);
            }
            return shown(tx, account, chat);
        });
        owing.run();
        return after;
    }

    @FunctionalInterface
    private interface Change {
        Chat of(Chat chat) throws ProviderException;
    }

    private Conversations.Chat change(@Nullable String wanted, List<String> with, Change change)
            throws ProviderException {
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            Chat before = Chats.of(tx, account.pubkey(), room(tx, account, with));
            Chat now = change.of(before);
            if (!now.equals(before)) {
                Chats.put(tx, account.pubkey(), now);
            }
            return shown(tx, account, now);
        });
    }

    Conversations.Chat pin(@Nullable String wanted, List<String> with, boolean pinned) throws ProviderException {
        return change(wanted, with, chat -> chat.pinned(pinned));
    }

    Conversations.Chat mute(@Nullable String wanted, List<String> with, Duration length) throws ProviderException {
        if (length.isNegative() || length.compareTo(Conversations.FOR_EVER) > 0) {
            throw Rejected.of("mute.out-of-range", "A conversation is muted for up to 100 years, or not at all.");
        }
        long until =
                length.isZero() ? 0 : services.clock().instant().plus(length).getEpochSecond();
        return change(wanted, with, chat -> chat.muted(until));
    }

    Conversations.Chat draft(@Nullable String wanted, List<String> with, String text) throws ProviderException {
        if (!text.isEmpty()) {
            Writer.check(text);
        }
        return change(wanted, with, chat -> chat.draft(text));
    }

    Conversations.Chat accept(@Nullable String wanted, List<String> with) throws ProviderException {
        return change(wanted, with, chat -> {
            if (chat.number() == 0) {
                throw Rejected.of("chat.unknown", "There is no conversation with these people yet.");
            }
            return chat.accept();
        });
    }

    int remove(@Nullable String wanted, List<String> with) throws ProviderException {
        int removed = 0;
        int now;
        do {
            now = space.transact(tx -> {
                Account account = Accounts.pick(tx, wanted);
                PublicKey self = account.pubkey();
                Chat chat = Chats.of(tx, self, room(tx, account, with));
                List<ChatBook.Entry> entries = ChatBook.before(tx, chat.id(), 0, REMOVED_AT_ONCE);
                Erasing erasing = new Erasing();
                for (ChatBook.Entry entry : entries) {
                    Line line = Book.at(tx, self, entry.position());
                    if (line == null) {
                        ChatBook.removeEntry(tx, chat.id(), entry.position());
                    } else {
                        Marks.wipe(tx, self, line, erasing);
                    }
                }
                erasing.finish(tx);
                Chat left = ChatBook.chat(tx, self, chat.id());
                if (entries.isEmpty() && left != null) {
                    ChatBook.remove(tx, self, left);
                }
                return entries.size();
            });
            removed += now;
        } while (now > 0);
        return removed;
    }

    // ---- people ----

    void block(@Nullable String wanted, String who) throws ProviderException {
        space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            PublicKey person = Contacts.recipient(tx, account, who);
            for (Account own : Book.accounts(tx)) {
                if (own.pubkey().equals(person)) {
                    throw Rejected.of("block.self", "That is an identity of your own.");
                }
            }
            if (!ChatBook.isBlocked(tx, account.pubkey(), person)) {
                ChatBook.block(tx, account.pubkey(), person);
            }
            return true;
        });
    }

    void unblock(@Nullable String wanted, String who) throws ProviderException {
        space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            if (!ChatBook.unblock(tx, account.pubkey(), Contacts.recipient(tx, account, who))) {
                throw Rejected.of("block.unknown", "This person is not blocked. List those who are.");
            }
            return true;
        });
    }

    List<String> blocked(@Nullable String wanted) throws ProviderException {
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            Map<PublicKey, String> names = Contacts.names(tx, account);
            return ChatBook.blocked(tx, account.pubkey()).stream()
                    .map(blocked -> Contacts.named(blocked.pubkey(), names))
                    .toList();
        });
    }

    // ---- pinned messages ----

    Message pin(@Nullable String wanted, String id, boolean pinned) throws ProviderException {
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            Line line = Writer.about(tx, account, id, true);
            if (!pinned) {
                ChatBook.removePin(tx, line.conversation(), line.position());
            } else if (!ChatBook.isPinned(tx, line.conversation(), line.position())) {
                if (ChatBook.pins(tx, line.conversation()).size() >= Conversations.MOST_PINNED) {
                    throw Rejected.of(
                            "pin.too-many",
                            "A conversation has at most " + Conversations.MOST_PINNED
                                    + " pinned messages. Unpin one first.");
                }
                ChatBook.putPin(tx, line.conversation(), line.position());
            }
            return reader.message(tx, account, line, Contacts.names(tx, account));
        });
    }

    List<Message> pins(@Nullable String wanted, List<String> with) throws ProviderException {
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            String id = room(tx, account, with).conversation().id();
            return reader.inReadingOrder(tx, account, ChatBook.pins(tx, id));
        });
    }

    // ---- what others are told ----

    void typing(@Nullable String wanted, List<String> with) throws ProviderException {
        record In(PublicKey account, Room room) {}
        In in = space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            return new In(account.pubkey(), room(tx, account, with));
        });
        typists.tell(in.account(), in.room());
    }

    Conversations.Settings settings(@Nullable String wanted, @Nullable Boolean receipts, @Nullable Boolean typing)
            throws ProviderException {
        return space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            ChatBook.Settings before = ChatBook.settings(tx, account.pubkey());
            ChatBook.Settings now = new ChatBook.Settings(
                    receipts == null ? before.receipts() : receipts, typing == null ? before.typing() : typing);
            if (!now.equals(before)) {
                ChatBook.put(tx, account.pubkey(), now);
            }
            return new Conversations.Settings(account.name(), now.receipts(), now.typing());
        });
    }

    // ---- showing ----

    private static Room room(Tx tx, Account account, List<String> with) throws ProviderException {
        return Room.with(account.pubkey(), Contacts.others(tx, account, with));
    }

    private Conversations.Chat shown(Tx tx, Account account, Chat chat) throws ProviderException {
        return shown(tx, account, chat, Contacts.names(tx, account));
    }

    private Conversations.Chat shown(Tx tx, Account account, Chat chat, Map<PublicKey, String> names)
            throws ProviderException {
        Line last = chat.last() == 0 ? null : Book.at(tx, account.pubkey(), chat.last());
        long now = services.clock().instant().getEpochSecond();
        return new Conversations.Chat(
                account.name(),
                chat.id(),
                chat.members().stream()
                        .map(member -> Contacts.named(member, names))
                        .toList(),
                chat.members(),
                !chat.accepted() && chat.number() > 0,
                chat.pinned(),
                chat.mutedUntil() > now ? chat.mutedUntil() : 0,
                chat.unread(),
                chat.mentioned(),
                chat.draft(),
                Book.timer(tx, chat.id()),
                last == null || last.isOver(now) ? null : reader.message(tx, account, last, names));
    }
}
