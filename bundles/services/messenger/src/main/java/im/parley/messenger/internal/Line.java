package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import java.util.Comparator;

/**
 * A visible message of one account, as kept.
 *
 * @param position order of becoming visible in the circle
 * @param place its own position, or that of the message it belongs before because it came late
 * @param id hex rumor id
 * @param peer see {@link Room#peer}
 * @param sentAt epoch milliseconds by the writer's clock
 * @param elsewhere written by another device of this account
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
        String device,
        long seq,
        long clock) {
    /** What was written first stands first, as far as its writer's numbers say so; the rest as it became visible. */
    static final Comparator<Line> READING_ORDER = Comparator.comparingLong(Line::place)
            .thenComparing(line -> line.place() == line.position())
            .thenComparingLong(Line::seq)
            .thenComparingLong(Line::position);

    private static final int VERSION = 2;

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
                device,
                seq,
                clock);
    }
}
