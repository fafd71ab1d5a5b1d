package im.parley.api.event;

import java.util.List;
import java.util.Optional;

/**
 * A signed event, the only object of the Nostr wire (NIP-01).
 *
 * <p>Plain data: the constructor copies and checks ranges, it neither recomputes the id nor verifies the signature. An
 * event that came from anywhere but a signer or a verifying reader is a claim. Immutable and thread-safe.
 *
 * @param id SHA-256 of the canonical form
 * @param pubkey author
 * @param createdAt seconds since the epoch, 0 or more
 * @param kind 0 to 65535
 * @param tags in order; each tag has at least one string
 * @param content any text without lone surrogates
 * @param sig BIP-340 signature over the 32 raw bytes of {@code id}
 */
public record Event(
        EventId id,
        PublicKey pubkey,
        long createdAt,
        int kind,
        List<List<String>> tags,
        String content,
        Signature sig) {
    /** Largest kind, 65535. */
    public static final int MAX_KIND = 65535;

    public Event {
        checkRanges(createdAt, kind);
        tags = Tags.copy(tags);
    }

    static void checkRanges(long createdAt, int kind) {
        if (createdAt < 0) {
            throw new IllegalArgumentException("created_at must not be negative");
        }
        if (kind < 0 || kind > MAX_KIND) {
            throw new IllegalArgumentException("kind must be between 0 and " + MAX_KIND);
        }
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
        return "Event[" + id + ", kind " + kind + "]";
    }
}
