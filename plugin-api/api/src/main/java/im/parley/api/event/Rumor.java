package im.parley.api.event;

import java.util.List;
import java.util.Optional;

/**
 * An unsigned event with an id (NIP-59), the plaintext of a gift wrap. Immutable and thread-safe.
 *
 * @param id SHA-256 of the canonical form
 * @param pubkey author; trustworthy only after the seal around it was verified
 * @param createdAt the real time of writing, seconds since the epoch
 * @param kind 0 to 65535
 * @param tags in order; each tag has at least one string
 * @param content any text without lone surrogates
 */
public record Rumor(EventId id, PublicKey pubkey, long createdAt, int kind, List<List<String>> tags, String content) {
    public Rumor {
        Event.checkRanges(createdAt, kind);
        tags = Tags.copy(tags);
    }

    /** The second item of the first tag of that name that has one. */
    public Optional<String> tag(String name) {
        return Tags.first(tags, name);
    }

    /** The second items of all tags of that name, in order; empty if there are none. */
    public List<String> tagValues(String name) {
        return Tags.values(tags, name);
    }

    /** Id and kind only: content and tags never reach a log by accident. */
    @Override
    public String toString() {
        return "Rumor[" + id + ", kind " + kind + "]";
    }
}
