package im.parley.protocol;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import java.util.List;

/**
 * Writes events and rumors as compact JSON, fields in the order of NIP-01, strings escaped as in the canonical form. What
 * {@link EventReader} reads, this writes back so that it reads equal. Stateless and thread-safe.
 */
public final class EventWriter {
    private EventWriter() {}

    /** @throws IllegalArgumentException if a text holds a lone surrogate, which no event with a right id does */
    public static String write(Event event) {
        JsonBytes out =
                new JsonBytes(400 + event.content().length() + 80 * event.tags().size());
        write(out, event);
        return out.toString();
    }

    /**
     * Without a {@code sig} field.
     *
     * @throws IllegalArgumentException if a text holds a lone surrogate, which no rumor with a right id does
     */
    public static String write(Rumor rumor) {
        JsonBytes out =
                new JsonBytes(300 + rumor.content().length() + 80 * rumor.tags().size());
        fields(out, rumor.id(), rumor.pubkey(), rumor.createdAt(), rumor.kind(), rumor.tags(), rumor.content());
        return out.ascii('}').toString();
    }

    static void write(JsonBytes out, Event event) {
        fields(out, event.id(), event.pubkey(), event.createdAt(), event.kind(), event.tags(), event.content());
        out.ascii(",\"sig\":\"").hex(event.sig().bytes()).ascii("\"}");
    }

    private static void fields(
            JsonBytes out,
            EventId id,
            PublicKey pubkey,
            long createdAt,
            int kind,
            List<List<String>> tags,
            String content) {
        out.ascii("{\"id\":\"").hex(id.bytes());
        out.ascii("\",\"pubkey\":\"").hex(pubkey.bytes());
        out.ascii("\",\"created_at\":").number(createdAt);
        out.ascii(",\"kind\":").number(kind);
        try {
            out.ascii(",\"tags\":").tags(tags);
            out.ascii(",\"content\":").quoted(content);
        } catch (ProtocolException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }
}
