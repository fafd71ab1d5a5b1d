package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.protocol.Kinds;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * A visible message of one account, as kept.
 *
 * @param position order of becoming visible in the circle
 * @param place its own position, or that of the message it belongs before because it came late
 * @param id hex rumor id
 * @param peer see {@link Room#peer}
 * @param sentAt epoch milliseconds by the writer's clock
 * @param elsewhere written by another device of this account
 * @param about hex id of the message that it answers, reacts to or deletes; empty if none
 * @param others everybody in the room but the account itself; empty for a room of two
 * @param deleted by its author: the text is gone
 * @param expires epoch seconds at which it is wiped; 0 for never
 * @param edits how often its text was changed
 * @param version order of the text among its author's edits; 0 if it was never changed
 * @param device empty for a rumor without a {@link ParleyTag}, as are {@code seq} and {@code clock} 0
 */
record Line(
        long position,
        long place,
        String id,
        String conversation,
        PublicKey peer,
        PublicKey author,
        boolean outgoing,
        boolean elsewhere,
        int kind,
        long sentAt,
        String text,
        String schemeId,
        String about,
        List<PublicKey> others,
        boolean deleted,
        long expires,
        int edits,
        long version,
        String device,
        long seq,
        long clock) {
    Line {
        others = List.copyOf(others);
    }

    /** What was written first stands first, as far as its writer's numbers say so; the rest as it became visible. */
    static final Comparator<Line> READING_ORDER = Comparator.comparingLong(Line::place)
            .thenComparing(line -> line.place() == line.position())
            .thenComparingLong(Line::seq)
            .thenComparingLong(Line::position);

    private static final int VERSION = 5;

    byte[] write() throws ProviderException {
        return new RecordOutput(VERSION)
                .text(id)
                .text(conversation)
                .bytes(peer.bytes())
                .bytes(author.bytes())
                .flag(outgoing)
                .flag(elsewhere)
                .number(kind)
                .number(sentAt)
                .text(text)
                .text(schemeId)
                .text(device)
                .number(seq)
                .number(clock)
                .number(place)
                .text(about)
                .texts(others.stream().map(PublicKey::hex).toList())
                .flag(deleted)
                .number(expires)
                .number(edits)
                .number(version)
                .done();
    }

    static Line read(long position, byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        String id = in.text();
        String conversation = in.text();
        PublicKey peer = PublicKey.of(in.bytes());
        PublicKey author = PublicKey.of(in.bytes());
        boolean outgoing = in.flag();
        boolean elsewhere = in.flag();
        int kind = in.count();
        long sentAt = in.number();
        String text = in.text();
        String schemeId = in.text();
        String device = in.text();
        long seq = in.number();
        long clock = in.number();
        long place = in.version() < 2 ? position : in.number();
        String about = in.version() < 3 ? "" : in.text();
        List<PublicKey> others = new ArrayList<>();
        if (in.version() >= 3) {
            for (String other : in.texts()) {
                others.add(PublicKey.ofHex(other));
            }
        }
        boolean deleted = in.version() >= 3 && in.flag();
        long expires = in.version() < 4 ? 0 : in.number();
        int edits = in.version() < 5 ? 0 : in.count();
        long version = in.version() < 5 ? 0 : in.number();
        return new Line(
                position,
                place,
                id,
                conversation,
                peer,
                author,
                outgoing,
                elsewhere,
                kind,
                sentAt,
                text,
                schemeId,
                about,
                others,
                deleted,
                expires,
                edits,
                version,
                device,
                seq,
                clock);
    }

    /** Everybody else in the room. */
    List<PublicKey> members() {
        return others.isEmpty() ? List.of(peer) : others;
    }

    /** Whether people see it by itself, and not beside another. */
    boolean isRead() {
        return kind == Kinds.TEXT || kind == Kinds.FILE;
    }

    boolean isOver(long nowSeconds) {
        return expires > 0 && expires <= nowSeconds;
    }

    /** Without what its author took back. */
    Line erased() {
        return changed("", true, edits, version);
    }

    /** With another text of its author. */
    Line edited(String now, long clockOfIt) {
        return changed(now, deleted, edits + 1, clockOfIt);
    }

    private Line changed(String now, boolean gone, int nowEdits, long nowVersion) {
        return new Line(
                position,
                place,
                id,
                conversation,
                peer,
                author,
                outgoing,
                elsewhere,
                kind,
                sentAt,
                now,
                schemeId,
                about,
                others,
                gone,
                expires,
                nowEdits,
                nowVersion,
                device,
                seq,
                clock);
    }
}
