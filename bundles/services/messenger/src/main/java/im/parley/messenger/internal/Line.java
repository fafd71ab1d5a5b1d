package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;

/**
 * A visible message of one account, as kept.
 *
 * @param position order of becoming visible in the circle
 * @param id hex rumor id
 * @param peer see {@link Room#peer}
 * @param sentAt epoch milliseconds by the writer's clock
 * @param elsewhere written by another device of this account
 * @param device empty for a rumor without a {@link ParleyTag}, as are {@code seq} and {@code clock} 0
 */
record Line(
        long position,
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
    private static final int VERSION = 1;

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
                .done();
    }

    static Line read(long position, byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        return new Line(
                position,
                in.text(),
                in.text(),
                PublicKey.of(in.bytes()),
                PublicKey.of(in.bytes()),
                in.flag(),
                in.flag(),
                in.count(),
                in.number(),
                in.text(),
                in.text(),
                in.text(),
                in.number(),
                in.number());
    }
}
