package im.parley.messenger.internal;

import static im.parley.outbox.CircleRecords.ACCOUNTS;
import static im.parley.outbox.CircleRecords.CONTACTS;
import static im.parley.outbox.CircleRecords.COUNTERS;
import static im.parley.outbox.CircleRecords.EXPIRIES;
import static im.parley.outbox.CircleRecords.FRONTIERS;
import static im.parley.outbox.CircleRecords.GAPS;
import static im.parley.outbox.CircleRecords.MARKS;
import static im.parley.outbox.CircleRecords.MESSAGES;
import static im.parley.outbox.CircleRecords.PEERS;
import static im.parley.outbox.CircleRecords.RECEIVING;
import static im.parley.outbox.CircleRecords.RUMORS_SEEN;
import static im.parley.outbox.CircleRecords.SENDING;
import static im.parley.outbox.CircleRecords.TIMERS;
import static im.parley.outbox.CircleRecords.UNSHOWN;
import static im.parley.outbox.CircleRecords.WRAPS_SEEN;

import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.protocol.EventWriter;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads and writes the messenger's records inside a transaction; knows keys and encodings, decides nothing. */
final class Book {
    /** More accounts or contacts than a person has. */
    private static final int MANY = 100_000;

    private static final String POSITION = "position";

    private Book() {}

    /** @param number order of creation, for a stable listing */
    record Contact(long number, String name, PublicKey pubkey) {}

    // ---- counters ----

    static long next(Tx tx, String counter) throws ProviderException {
        return next(tx, RecordKey.of(COUNTERS, counter));
    }

    private static long next(Tx tx, RecordKey key) throws ProviderException {
        long value = number(tx, key) + 1;
        tx.put(key, new RecordOutput(1).number(value).done());
        return value;
    }

    private static long number(Tx tx, RecordKey key) throws ProviderException {
        byte @Nullable [] value = tx.get(key);
        return value == null ? 0 : new RecordInput(value, 1).number();
    }

    private static long order(Item item) {
        return ByteBuffer.wrap(item.order()).getLong();
    }

    /** The position of the newest visible message; 0 if there is none. */
    static long position(Tx tx) throws ProviderException {
        return number(tx, RecordKey.of(COUNTERS, POSITION));
    }

    static long nextSending(Tx tx, String conversation) throws ProviderException {
        return next(tx, RecordKey.of(SENDING, conversation));
    }

    /** Whether this node ever wrote in a conversation. */
    static boolean hasSent(Tx tx, String conversation) throws ProviderException {
        return number(tx, RecordKey.of(SENDING, conversation)) > 0;
    }

    static long receiving(Tx tx, String stream) throws ProviderException {
        return number(tx, RecordKey.of(RECEIVING, stream));
    }

    static void putReceiving(Tx tx, String stream, long seq) throws ProviderException {
        tx.put(RecordKey.of(RECEIVING, stream), new RecordOutput(1).number(seq).done());
    }

    /**
     * Notes that a stream goes on with {@code seq} while the numbers after {@code last} are missing.
     *
     * @param place position of what is shown behind the missing ones
     */
    static void putGap(Tx tx, String stream, long last, long seq, long place) throws ProviderException {
        tx.put(
                RecordKey.of(GAPS, stream, seq),
                new RecordOutput(1).number(last).number(place).done());
    }

    /** Where a message belongs that was missing when its successor was shown; 0 if it was not. */
    static long placeInGap(Tx tx, String stream, long seq) throws ProviderException {
        byte[] from = RecordKey.order(seq + 1);
        for (Item item : tx.scan(new RecordKey.Range(GAPS, stream, from, new byte[0]), false, 1)) {
            RecordInput in = new RecordInput(item.value(), 1);
            // A number that was shown before is used again, by a device that forgot: what comes now is new.
            return seq > in.number() ? in.number() : 0;
        }
        return 0;
    }

    // ---- accounts ----

    static List<Account> accounts(Tx tx) throws ProviderException {
        List<Account> accounts = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(ACCOUNTS, ""), false, MANY)) {
            accounts.add(Account.read(order(item), item.value()));
        }
        return accounts;
    }

    static void put(Tx tx, Account account) throws ProviderException {
        tx.put(RecordKey.of(ACCOUNTS, "", account.number()), account.write());
    }

    // ---- contacts and peers ----

    static List<Contact> contacts(Tx tx, PublicKey account) throws ProviderException {
        List<Contact> contacts = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(CONTACTS, account.hex()), false, MANY)) {
            RecordInput in = new RecordInput(item.value(), 1);
            contacts.add(new Contact(order(item), in.text(), PublicKey.of(in.bytes())));
        }
        return contacts;
    }

    static void put(Tx tx, PublicKey account, Contact contact) throws ProviderException {
        tx.put(
                RecordKey.of(CONTACTS, account.hex(), contact.number()),
                new RecordOutput(1)
                        .text(contact.name())
                        .bytes(contact.pubkey().bytes())
                        .done());
    }

    static Peer peer(Tx tx, PublicKey pubkey) throws ProviderException {
        byte @Nullable [] value = tx.get(RecordKey.of(PEERS, pubkey.hex()));
        return value == null ? Peer.UNKNOWN : Peer.read(value);
    }

    static void put(Tx tx, PublicKey pubkey, Peer peer) throws ProviderException {
        tx.put(RecordKey.of(PEERS, pubkey.hex()), peer.write());
    }

    // ---- inboxes ----

    static long frontier(Tx tx, PublicKey account, URI relay) throws ProviderException {
        return number(tx, RecordKey.of(FRONTIERS, account.hex() + " " + relay));
    }

    static void putFrontier(Tx tx, PublicKey account, URI relay, long seconds) throws ProviderException {
        tx.put(
                RecordKey.of(FRONTIERS, account.hex() + " " + relay),
                new RecordOutput(1).number(seconds).done());
    }

    static boolean wrapSeen(Tx tx, PublicKey account, EventId wrap) throws ProviderException {
        return tx.get(RecordKey.of(WRAPS_SEEN, account.hex() + wrap.hex())) != null;
    }

    /** @param code why it was refused; empty if it was opened */
    static void putWrapSeen(Tx tx, PublicKey account, EventId wrap, String code) throws ProviderException {
        tx.put(
                RecordKey.of(WRAPS_SEEN, account.hex() + wrap.hex()),
                new RecordOutput(1).text(code).done());
    }

    static boolean rumorSeen(Tx tx, PublicKey account, EventId rumor) throws ProviderException {
        return tx.get(RecordKey.of(RUMORS_SEEN, account.hex() + rumor.hex())) != null;
    }

    static void putRumorSeen(Tx tx, PublicKey account, EventId rumor, long position) throws ProviderException {
        tx.put(
                RecordKey.of(RUMORS_SEEN, account.hex() + rumor.hex()),
                new RecordOutput(1).number(position).done());
    }

    // ---- messages ----

    /** The position the next {@link #put(Tx, PublicKey, Line)} shall use. */
    static long nextPosition(Tx tx) throws ProviderException {
        return next(tx, POSITION);
    }

    static void put(Tx tx, PublicKey account, Line line) throws ProviderException {
        tx.put(RecordKey.of(MESSAGES, account.hex(), line.position()), line.write(), Erasing.bucket(account, line));
        if (line.expires() > 0) {
            tx.put(RecordKey.of(EXPIRIES, account.hex(), line.expires(), line.position()), new RecordOutput(1).done());
        }
    }

    /** The message at that position; null if there is none. */
    static @Nullable Line at(Tx tx, PublicKey account, long position) throws ProviderException {
        byte @Nullable [] value = tx.get(RecordKey.of(MESSAGES, account.hex(), position));
        return value == null ? null : Line.read(position, value);
    }

    static void remove(Tx tx, PublicKey account, Line line) throws ProviderException {
        tx.delete(RecordKey.of(MESSAGES, account.hex(), line.position()));
        if (line.expires() > 0) {
            tx.delete(RecordKey.of(EXPIRIES, account.hex(), line.expires(), line.position()));
        }
    }

    /** Those whose time is over, the longest first. */
    static List<Line> over(Tx tx, PublicKey account, long nowSeconds, int limit) throws ProviderException {
        List<Line> over = new ArrayList<>();
        byte[] to = RecordKey.order(nowSeconds + 1);
        for (Item item : tx.scan(new RecordKey.Range(EXPIRIES, account.hex(), new byte[0], to), false, limit)) {
            ByteBuffer order = ByteBuffer.wrap(item.order());
            long expires = order.getLong();
            long position = order.getLong();
            Line line = at(tx, account, position);
            if (line == null) {
                tx.delete(RecordKey.of(EXPIRIES, account.hex(), expires, position));
            } else {
                over.add(line);
            }
        }
        return over;
    }

    /** Those that are wiped in that second. */
    static List<Line> over(Tx tx, PublicKey account, long second) throws ProviderException {
        RecordKey.Range range =
                new RecordKey.Range(EXPIRIES, account.hex(), RecordKey.order(second), RecordKey.order(second + 1));
        List<Line> lines = new ArrayList<>();
        for (Item item : tx.scan(range, false, MANY)) {
            ByteBuffer order = ByteBuffer.wrap(item.order());
            order.getLong();
            Line line = at(tx, account, order.getLong());
            if (line != null) {
                lines.add(line);
            }
        }
        return lines;
    }

    /** When the next message is over, in epoch seconds; the largest number if none ever is. */
    static long nextExpiry(Tx tx, PublicKey account) throws ProviderException {
        for (Item item : tx.scan(RecordKey.all(EXPIRIES, account.hex()), false, 1)) {
            return order(item);
        }
        return Long.MAX_VALUE;
    }

    /** Seconds; 0 if what is written there stays. */
    static long timer(Tx tx, String conversation) throws ProviderException {
        byte @Nullable [] said = tx.get(RecordKey.of(TIMERS, conversation));
        return said == null ? Definition.of(tx).timerSeconds() : new RecordInput(said, 1).number();
    }

    static void putTimer(Tx tx, String conversation, long seconds) throws ProviderException {
        tx.put(
                RecordKey.of(TIMERS, conversation),
                new RecordOutput(1).number(seconds).done());
    }

    /** The message of that id; null if it is not shown. */
    static @Nullable Line line(Tx tx, PublicKey account, String rumor) throws ProviderException {
        long position = number(tx, RecordKey.of(RUMORS_SEEN, account.hex() + rumor));
        return position == 0 ? null : at(tx, account, position);
    }

    /** As {@link #line}; of an edit the message whose text it changed. */
    static @Nullable Line target(Tx tx, PublicKey account, String rumor) throws ProviderException {
        Line line = line(tx, account, rumor);
        return line != null && line.kind() == Versions.EDIT ? line(tx, account, line.about()) : line;
    }

    static List<Line> after(Tx tx, PublicKey account, long position, int limit) throws ProviderException {
        byte[] from = RecordKey.order(Math.max(0, position) + 1);
        return lines(tx.scan(new RecordKey.Range(MESSAGES, account.hex(), from, new byte[0]), false, limit));
    }

    /** Oldest first; from one position on and before another. */
    static List<Line> between(Tx tx, PublicKey account, long from, long to) throws ProviderException {
        return lines(tx.scan(
                new RecordKey.Range(MESSAGES, account.hex(), RecordKey.order(from), RecordKey.order(to)), false, (int)
                        Math.min(MANY, to - from)));
    }

    /** Newest first. */
    static List<Line> newest(Tx tx, PublicKey account, int limit) throws ProviderException {
        return lines(tx.scan(RecordKey.all(MESSAGES, account.hex()), true, limit));
    }

    /** Newest first, before a position. */
    static List<Line> before(Tx tx, PublicKey account, long position, int limit) throws ProviderException {
        return lines(tx.scan(
                new RecordKey.Range(MESSAGES, account.hex(), new byte[0], RecordKey.order(position)), true, limit));
    }

    // ---- marks ----

    /**
     * What a rumor says about another one.
     *
     * @param position of the rumor that says it, or a number of its own if that is not shown
     * @param kind of that rumor
     * @param content of a reaction
     */
    record Mark(long position, int kind, PublicKey author, String content) {}

    static void put(Tx tx, PublicKey account, String target, Mark mark) throws ProviderException {
        tx.put(
                RecordKey.of(MARKS, account.hex() + target, mark.position()),
                new RecordOutput(1)
                        .number(mark.kind())
                        .bytes(mark.author().bytes())
                        .text(mark.content())
                        .done());
    }

    static void removeMark(Tx tx, PublicKey account, String target, long position) throws ProviderException {
        tx.delete(RecordKey.of(MARKS, account.hex() + target, position));
    }

    /** The oldest first. */
    static List<Mark> marks(Tx tx, PublicKey account, String target, int limit) throws ProviderException {
        List<Mark> marks = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(MARKS, account.hex() + target), false, limit)) {
            RecordInput in = new RecordInput(item.value(), 1);
            marks.add(new Mark(order(item), in.count(), PublicKey.of(in.bytes()), in.text()));
        }
        return marks;
    }

    private static List<Line> lines(List<Item> items) throws ProviderException {
        List<Line> lines = new ArrayList<>();
        for (Item item : items) {
            lines.add(Line.read(order(item), item.value()));
        }
        return lines;
    }

    /** Keeps an authentic rumor of a kind that has no place on the screen yet, for the version that gives it one. */
    static void putUnshown(Tx tx, PublicKey account, Rumor rumor) throws ProviderException {
        tx.put(
                RecordKey.of(UNSHOWN, account.hex(), next(tx, "unshown")),
                new RecordOutput(1).text(EventWriter.write(rumor)).done());
    }
}
