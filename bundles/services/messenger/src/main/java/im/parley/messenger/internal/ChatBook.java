package im.parley.messenger.internal;

import static im.parley.outbox.CircleRecords.BLOCKED;
import static im.parley.outbox.CircleRecords.CHATS;
import static im.parley.outbox.CircleRecords.CHATS_BY_ID;
import static im.parley.outbox.CircleRecords.CHAT_LINES;
import static im.parley.outbox.CircleRecords.COUNTERS;
import static im.parley.outbox.CircleRecords.PINS;
import static im.parley.outbox.CircleRecords.SETTINGS;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** As {@link Book}, for what is kept of conversations: reads and writes, decides nothing. */
final class ChatBook {
    /** More conversations, blocked people or pins than anybody has. */
    private static final int MANY = 100_000;

    private static final RecordKey INDEXED = RecordKey.of(COUNTERS, "chats-indexed");

    private ChatBook() {}

    // ---- conversations ----

    /** Null if nothing was ever there. */
    static @Nullable Chat chat(Tx tx, PublicKey account, String id) throws ProviderException {
        byte @Nullable [] number = tx.get(RecordKey.of(CHATS_BY_ID, id));
        if (number == null) {
            return null;
        }
        long at = new RecordInput(number, 1).number();
        byte @Nullable [] value = tx.get(RecordKey.of(CHATS, account.hex(), at));
        return value == null ? null : Chat.read(at, value);
    }

    static List<Chat> chats(Tx tx, PublicKey account) throws ProviderException {
        List<Chat> chats = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(CHATS, account.hex()), false, MANY)) {
            chats.add(Chat.read(order(item), item.value()));
        }
        return chats;
    }

    static void put(Tx tx, PublicKey account, Chat chat) throws ProviderException {
        tx.put(RecordKey.of(CHATS, account.hex(), chat.number()), chat.write());
        tx.put(
                RecordKey.of(CHATS_BY_ID, chat.id()),
                new RecordOutput(1).number(chat.number()).done());
    }

    static void remove(Tx tx, PublicKey account, Chat chat) throws ProviderException {
        tx.delete(RecordKey.of(CHATS, account.hex(), chat.number()));
        tx.delete(RecordKey.of(CHATS_BY_ID, chat.id()));
    }

    // ---- their messages ----

    /**
     * A message of a conversation.
     *
     * @param isNew whether it counts as new while it was not read
     * @param mentions whether it names the account
     */
    record Entry(long position, boolean isNew, boolean mentions) {}

    static void put(Tx tx, String chat, Entry entry) throws ProviderException {
        tx.put(
                RecordKey.of(CHAT_LINES, chat, entry.position()),
                new RecordOutput(1).flag(entry.isNew()).flag(entry.mentions()).done());
    }

    static void removeEntry(Tx tx, String chat, long position) throws ProviderException {
        tx.delete(RecordKey.of(CHAT_LINES, chat, position));
    }

    /** Null if it is none of its messages. */
    static @Nullable Entry entry(Tx tx, String chat, long position) throws ProviderException {
        byte @Nullable [] value = tx.get(RecordKey.of(CHAT_LINES, chat, position));
        return value == null ? null : entry(position, value);
    }

    /** Newest first; before a position, or the newest if that is 0. */
    static List<Entry> before(Tx tx, String chat, long position, int limit) throws ProviderException {
        byte[] to = position == 0 ? new byte[0] : RecordKey.order(position);
        return entries(tx.scan(new RecordKey.Range(CHAT_LINES, chat, new byte[0], to), true, limit));
    }

    /** Oldest first, behind a position. */
    static List<Entry> after(Tx tx, String chat, long position, int limit) throws ProviderException {
        byte[] from = RecordKey.order(position + 1);
        return entries(tx.scan(new RecordKey.Range(CHAT_LINES, chat, from, new byte[0]), false, limit));
    }

    private static List<Entry> entries(List<Item> items) throws ProviderException {
        List<Entry> entries = new ArrayList<>();
        for (Item item : items) {
            entries.add(entry(order(item), item.value()));
        }
        return entries;
    }

    private static Entry entry(long position, byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, 1);
        return new Entry(position, in.flag(), in.flag());
    }

    /** How far messages that were kept before there were conversations have been put into them; null if never begun. */
    static @Nullable Long indexed(Tx tx) throws ProviderException {
        byte @Nullable [] value = tx.get(INDEXED);
        return value == null ? null : new RecordInput(value, 1).number();
    }

    static void putIndexed(Tx tx, long position) throws ProviderException {
        tx.put(INDEXED, new RecordOutput(1).number(position).done());
    }

    // ---- pins ----

    static void putPin(Tx tx, String chat, long position) throws ProviderException {
        tx.put(RecordKey.of(PINS, chat, position), new RecordOutput(1).done());
    }

    static void removePin(Tx tx, String chat, long position) throws ProviderException {
        tx.delete(RecordKey.of(PINS, chat, position));
    }

    static boolean isPinned(Tx tx, String chat, long position) throws ProviderException {
        return tx.get(RecordKey.of(PINS, chat, position)) != null;
    }

    /** Positions, oldest first. */
    static List<Long> pins(Tx tx, String chat) throws ProviderException {
        List<Long> pins = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(PINS, chat), false, MANY)) {
            pins.add(order(item));
        }
        return pins;
    }

    // ---- people who are not let in ----

    /** @param number order of being blocked */
    record Blocked(long number, PublicKey pubkey) {}

    static List<Blocked> blocked(Tx tx, PublicKey account) throws ProviderException {
        List<Blocked> blocked = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(BLOCKED, account.hex()), false, MANY)) {
            blocked.add(new Blocked(order(item), PublicKey.of(new RecordInput(item.value(), 1).bytes())));
        }
        return blocked;
    }

    static boolean isBlocked(Tx tx, PublicKey account, PublicKey who) throws ProviderException {
        return tx.get(RecordKey.of(BLOCKED, account.hex() + who.hex())) != null;
    }

    static void block(Tx tx, PublicKey account, PublicKey who) throws ProviderException {
        long number = Book.next(tx, "blocked");
        tx.put(
                RecordKey.of(BLOCKED, account.hex(), number),
                new RecordOutput(1).bytes(who.bytes()).done());
        tx.put(
                RecordKey.of(BLOCKED, account.hex() + who.hex()),
                new RecordOutput(1).number(number).done());
    }

    /** @return whether she was */
    static boolean unblock(Tx tx, PublicKey account, PublicKey who) throws ProviderException {
        RecordKey key = RecordKey.of(BLOCKED, account.hex() + who.hex());
        byte @Nullable [] value = tx.get(key);
        if (value == null) {
            return false;
        }
        tx.delete(RecordKey.of(BLOCKED, account.hex(), new RecordInput(value, 1).number()));
        tx.delete(key);
        return true;
    }

    // ---- settings ----

    /** What the account tells others. */
    record Settings(boolean receipts, boolean typing) {}

    static Settings settings(Tx tx, PublicKey account) throws ProviderException {
        byte @Nullable [] value = tx.get(RecordKey.of(SETTINGS, account.hex()));
        if (value == null) {
            return new Settings(true, true);
        }
        RecordInput in = new RecordInput(value, 1);
        return new Settings(in.flag(), in.flag());
    }

    static void put(Tx tx, PublicKey account, Settings settings) throws ProviderException {
        tx.put(
                RecordKey.of(SETTINGS, account.hex()),
                new RecordOutput(1)
                        .flag(settings.receipts())
                        .flag(settings.typing())
                        .done());
    }

    private static long order(Item item) {
        return ByteBuffer.wrap(item.order()).getLong();
    }
}
