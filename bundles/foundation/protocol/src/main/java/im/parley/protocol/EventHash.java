package im.parley.protocol;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;
import im.parley.api.event.Rumor;
import java.util.List;

/**
 * The id of an event: SHA-256 over the UTF-8 of {@code [0,pubkey,created_at,kind,tags,content]} (NIP-01).
 *
 * <p>NIP-01 leaves open how control characters without a short escape are written; this writes {@code \}{@code u00xx} with
 * lower-case digits, as {@code JSON.stringify} does and therefore nearly every peer. Stateless and thread-safe.
 */
public final class EventHash {
    private EventHash() {}

    /**
     * @throws ProtocolException {@code bad-unicode} for a lone surrogate: encoders that replace it by {@code ?} would give
     *     two texts one id
     */
    public static EventId id(PublicKey pubkey, long createdAt, int kind, List<List<String>> tags, String content)
            throws ProtocolException {
        JsonBytes out = new JsonBytes(128 + content.length() + content.length() / 8 + 80 * tags.size());
        out.ascii("[0,\"")
                .hex(pubkey.bytes())
                .ascii("\",")
                .number(createdAt)
                .ascii(',')
                .number(kind);
        out.ascii(',').tags(tags).ascii(',').quoted(content).ascii(']');
        return EventId.of(out.sha256());
    }

    /**
     * A rumor with its id. Refuses what {@link EventReader#readRumor(String)} would refuse at the other end.
     *
     * @param createdAt seconds since the epoch, 0 to 2^53-1
     * @throws ProtocolException {@code bad-unicode}, {@code control-char}, {@code tags} for an empty tag, {@code
     *     created-at}, {@code kind}
     */
    public static Rumor rumor(PublicKey pubkey, long createdAt, int kind, List<List<String>> tags, String content)
            throws ProtocolException {
        if (createdAt < 0 || createdAt > Json.MAX_INTEGER) {
            throw new ProtocolException("created-at", "created_at is whole seconds, 0 to 2^53-1");
        }
        if (kind < 0 || kind > Event.MAX_KIND) {
            throw new ProtocolException("kind", "kind is a whole number, 0 to 65535");
        }
        for (List<String> tag : tags) {
            if (tag.isEmpty()) {
                throw new ProtocolException("tags", "a tag has at least a name");
            }
            for (String text : tag) {
                Texts.checked(text);
            }
        }
        Texts.checked(content);
        return new Rumor(id(pubkey, createdAt, kind, tags, content), pubkey, createdAt, kind, tags, content);
    }
}
