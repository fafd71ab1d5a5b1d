package im.parley.messenger.internal;

import static im.parley.outbox.CircleRecords.VERSIONS;

import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace.Item;
import im.parley.vault.SealedSpace.Tx;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Texts that an edited message had. NIP-17 knows no editing: an edit is a new text with the date of the old one, and a
 * deletion of the old one, which every client can show. A {@code ["parley-edit", id]} tag in both tells those that keep
 * histories that the two are one: in the text it names the message, in the deletion the text that takes its place.
 */
final class Versions {
    static final String TAG = "parley-edit";

    /** The kind of a line that tells of an edit; on no wire. */
    static final int EDIT = 1009;

    /** Of one message; the oldest go. */
    static final int MOST = 100;

    private static final int ID_LENGTH = 64;

    private Versions() {}

    /**
     * One text of a message.
     *
     * @param clock order of writing
     * @param id of the rumor that brought it
     * @param at epoch milliseconds by the writer's clock
     */
    record Version(long clock, String id, long at, String text) {}

    /** The message that a text takes the place in, or that takes the place of a deleted one; null if none. */
    static @Nullable String edited(Rumor rumor) {
        for (String id : rumor.tagValues(TAG)) {
            if (id.length() == ID_LENGTH && id.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'f')) {
                return id;
            }
        }
        return null;
    }

    /** As it orders among the edits of its author. */
    static long clock(Line line) {
        return line.clock() > 0 ? line.clock() : HybridClock.of(line.sentAt());
    }

    /** Takes an edit in; one that is older than what stands there goes into the history only. */
    static Line apply(Tx tx, PublicKey account, Line line, Version version) throws ProviderException {
        long shown = line.version() > 0 ? line.version() : clock(line);
        if (line.edits() == 0) {
            put(tx, account, line, new Version(shown, line.id(), line.sentAt(), line.text()));
        }
        put(tx, account, line, version);
        List<Version> all = of(tx, account, line.id());
        for (int i = 0; i < all.size() - MOST; i++) {
            tx.delete(
                    RecordKey.of(VERSIONS, account.hex() + line.id(), all.get(i).clock()));
        }
        boolean newer = version.clock() > shown;
        Line now = line.edited(newer ? version.text() : line.text(), newer ? version.clock() : shown);
        Book.put(tx, account, now);
        return now;
    }

    static void put(Tx tx, PublicKey account, Line line, Version version) throws ProviderException {
        tx.put(
                RecordKey.of(VERSIONS, account.hex() + line.id(), version.clock()),
                new RecordOutput(1)
                        .text(version.id())
                        .number(version.at())
                        .text(version.text())
                        .done(),
                Erasing.bucket(account, line));
    }

    /** Oldest first; empty for a message that was never edited. */
    static List<Version> of(Tx tx, PublicKey account, String message) throws ProviderException {
        List<Version> versions = new ArrayList<>();
        for (Item item : tx.scan(RecordKey.all(VERSIONS, account.hex() + message), false, 10 * MOST)) {
            RecordInput in = new RecordInput(item.value(), 1);
            versions.add(new Version(ByteBuffer.wrap(item.order()).getLong(), in.text(), in.number(), in.text()));
        }
        return versions;
    }

    static void remove(Tx tx, PublicKey account, String message) throws ProviderException {
        for (Version version : of(tx, account, message)) {
            tx.delete(RecordKey.of(VERSIONS, account.hex() + message, version.clock()));
        }
    }

    /**
     * An edit that came before its message.
     *
     * @param position of its mark
     */
    record Early(long position, Version version) {}

    /** Keeps an edit until its message comes. */
    static void keep(Tx tx, PublicKey account, String message, long position, PublicKey author, Version version)
            throws ProviderException {
        String content = HybridClock.text(version.clock()) + " " + version.id() + " " + version.text();
        Book.put(tx, account, message, new Book.Mark(position, EDIT, author, content));
    }

    /** The edits of its author that came before a message, in the order they were written. */
    static List<Early> early(Tx tx, PublicKey account, Line line) throws ProviderException {
        List<Early> found = new ArrayList<>();
        for (Book.Mark mark : Book.marks(tx, account, line.id(), Marks.MOST_SHOWN)) {
            String[] parts = mark.content().split(" ", 3);
            if (mark.kind() == EDIT && mark.author().equals(line.author()) && parts.length == 3) {
                long clock = HybridClock.parse(parts[0]);
                found.add(
                        new Early(mark.position(), new Version(clock, parts[1], HybridClock.millis(clock), parts[2])));
            }
        }
        found.sort(Comparator.comparingLong(early -> early.version().clock()));
        return found;
    }
}
