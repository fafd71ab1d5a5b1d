package im.parley.outbox.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import im.parley.api.event.Signature;
import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import java.util.ArrayList;
import java.util.List;

/** What a queued effect carries: first the rumor to be wrapped, then the finished event that is published as often as it takes. */
sealed interface Payload {
    /** Still to be wrapped. */
    record Plain(Rumor rumor) implements Payload {}

    /** Ready to publish; its id never changes again. */
    record Finished(Event event) implements Payload {}

    static byte[] write(Payload payload) throws ProviderException {
        RecordOutput out = new RecordOutput(1);
        if (payload instanceof Finished finished) {
            Event e = finished.event();
            out.flag(true);
            common(out, e.id(), e.pubkey(), e.createdAt(), e.kind(), e.tags(), e.content());
            out.bytes(e.sig().bytes());
        } else if (payload instanceof Plain plain) {
            Rumor r = plain.rumor();
            out.flag(false);
            common(out, r.id(), r.pubkey(), r.createdAt(), r.kind(), r.tags(), r.content());
        }
        return out.done();
    }

    static Payload read(byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, 1);
        boolean finished = in.flag();
        EventId id = EventId.of(in.bytes());
        PublicKey pubkey = PublicKey.of(in.bytes());
        long createdAt = in.number();
        int kind = in.count();
        int count = in.count();
        List<List<String>> tags = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tags.add(in.texts());
        }
        String content = in.text();
        return finished
                ? new Finished(new Event(id, pubkey, createdAt, kind, tags, content, Signature.of(in.bytes())))
                : new Plain(new Rumor(id, pubkey, createdAt, kind, tags, content));
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
