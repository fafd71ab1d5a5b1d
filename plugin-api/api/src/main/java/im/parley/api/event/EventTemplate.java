package im.parley.api.event;

import java.util.List;

/**
 * What a signer is asked to sign: an event without author, id and signature. Immutable and thread-safe.
 *
 * @param createdAt seconds since the epoch, 0 or more
 * @param kind 0 to 65535
 * @param tags in order; each tag has at least one string
 * @param content any text without lone surrogates
 */
public record EventTemplate(long createdAt, int kind, List<List<String>> tags, String content) {
    public EventTemplate {
        Event.checkRanges(createdAt, kind);
        tags = Tags.copy(tags);
    }

    /** Kind only: content and tags never reach a log by accident. */
    @Override
    public String toString() {
        return "EventTemplate[kind " + kind + "]";
    }
}
