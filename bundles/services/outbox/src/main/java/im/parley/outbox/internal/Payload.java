package im.parley.outbox.internal;

import static im.parley.outbox.CircleRecords.PAYLOADS;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import im.parley.vault.RecordKey;
import im.parley.vault.SealedSpace;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a queued effect carries: first the rumor to be wrapped, then also the finished event that is published as often as
 * it takes. Version 2; version 1 kept no rumor beside the event.
 */
sealed interface Payload {
    int VERSION = 2;

    /** Effects that follow each other share a bucket of the vault, so that what was sent is gone for good. */
    int BLOCK = 64;

    /** The bucket that the payload of that effect lies in. */
    static long bucket(long seq) {
        return 1L << 60 | seq / BLOCK;
    }

    /** Nobody can read any more what was deleted of these effects, if nothing else lies there. */
    static void shredIfEmpty(SealedSpace.Tx tx, long seq) throws ProviderException {
        long from = seq / BLOCK * BLOCK;
        RecordKey.Range range = new RecordKey.Range(PAYLOADS, "", RecordKey.order(from), RecordKey.order(from + BLOCK));
        if (tx.scan(range, false, 1).isEmpty()) {
            tx.shred(bucket(seq));
        }
    }

    /** Still to be wrapped. */
    record Plain(Rumor rumor) implements Payload {}

    /**
     * Ready to publish.
     *
     * @param rumor what the event wraps, to be wrapped anew when the event is too old for readers to find; null for an
     *     event that is no wrap
     */
    record Finished(Event event, @Nullable Rumor rumor) implements Payload {}

    static byte[] write(Payload payload) throws ProviderException {
        RecordOutput out = new RecordOutput(VERSION);
        if (payload instanceof Finished finished) {
            Event e = finished.event();
            out.flag(true);
            common(out, e.id(), e.pubkey(), e.createdAt(), e.kind(), e.tags(), e.content());
            out.bytes(e.sig().bytes());
            Rumor r = finished.rumor();
            out.flag(r != null);
            if (r != null) {
                common(out, r.id(), r.pubkey(), r.createdAt(), r.kind(), r.tags(), r.content());
            }
        } else if (payload instanceof Plain plain) {
            Rumor r = plain.rumor();
            out.flag(false);
            common(out, r.id(), r.pubkey(), r.createdAt(), r.kind(), r.tags(), r.content());
        }
        return out.done();
    }

    static Payload read(byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        if (!in.flag()) {
            return new Plain(rumor(in));
        }
        Rumor fields = rumor(in);
        Event event = new Event(
                fields.id(),
                fields.pubkey(),
                fields.createdAt(),
                fields.kind(),
                fields.tags(),
                fields.content(),
                Signature.of(in.bytes()));
        return new Finished(event, in.version() > 1 && in.flag() ? rumor(in) : null);
    }

    private static Rumor rumor(RecordInput in) throws ProviderException {
        EventId id = EventId.of(in.bytes());
        PublicKey pubkey = PublicKey.of(in.bytes());
        long createdAt = in.number();
        int kind = in.count();
        int count = in.count();
        List<List<String>> tags = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tags.add(in.texts());
        }
        return new Rumor(id, pubkey, createdAt, kind, tags, in.text());
    }

    private static void common(
            RecordOutput out,
            EventId id,
            PublicKey pubkey,
            long createdAt,
            int kind,
            List<List<String>> tags,
            String content)
            throws ProviderException {
        out.bytes(id.bytes())
                .bytes(pubkey.bytes())
                .number(createdAt)
                .number(kind)
                .number(tags.size());
        for (List<String> tag : tags) {
            out.texts(tag);
        }
        out.text(content);
    }
}
