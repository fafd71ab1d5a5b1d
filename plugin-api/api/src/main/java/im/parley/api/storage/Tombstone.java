package im.parley.api.storage;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.PublicKey;

/**
 * The mark that somebody had an event deleted. What it does is decided by {@link #forbids}, so that all stores agree.
 *
 * @param target the event that shall not return
 * @param author who deleted it; an event with that id which that key may not delete is not touched
 */
public record Tombstone(EventId target, PublicKey author) {
    private static final int DELETION = 5;
    private static final int VANISH = 62;
    private static final int GIFT_WRAP = 1059;

    /**
     * Whether this event is removed by the mark, and refused while it stands: the author's own events, and gift wraps that
     * are addressed to the author by a {@code p} tag (NIP-59). Deletion requests and requests to vanish cannot be deleted
     * (NIP-09, NIP-62).
     */
    public boolean forbids(Event event) {
        if (!event.id().equals(target) || event.kind() == DELETION || event.kind() == VANISH) {
            return false;
        }
        return event.pubkey().equals(author)
                || event.kind() == GIFT_WRAP && event.tagValues("p").contains(author.hex());
    }
}
