package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.protocol.EventHash;
import im.parley.protocol.EventReader;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import java.time.InstantSource;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What can be said of an event without the curve or the store, whoever brings it. Thread-safe. */
final class Admission {
    private static final int REPOST = 6;
    private static final int GENERIC_REPOST = 16;

    /** NIP-59 and the authorisation kinds: whoever stored them could show or replay what was meant for one party. */
    private static final Set<Integer> NOT_FOR_RELAYS = Set.of(Kinds.SEAL, Kinds.AUTH, Kinds.FILE_AUTH, Kinds.HTTP_AUTH);

    private final RelaySettings settings;
    private final InstantSource clock;
    private final Expirations expirations;

    Admission(RelaySettings settings, InstantSource clock, Expirations expirations) {
        this.settings = settings;
        this.clock = clock;
        this.expirations = expirations;
    }

    /**
     * Null if there is nothing against it, else the reason for the wire. The id is recomputed first: what follows, an answer
     * "duplicate" above all, would otherwise be about another event than the one that was sent.
     */
    @Nullable
    String refuse(Event event) throws ProtocolException {
        if (!EventHash.id(event.pubkey(), event.createdAt(), event.kind(), event.tags(), event.content())
                .equals(event.id())) {
            throw new ProtocolException("id", "the id is not the SHA-256 of the canonical form");
        }
        if (NOT_FOR_RELAYS.contains(event.kind())) {
            return "blocked: kind-not-for-relays events of kind " + event.kind() + " do not belong on a relay";
        }
        if (event.content().codePointCount(0, event.content().length()) > settings.maxContentLength()) {
            throw new ProtocolException(
                    "content", "the content may have " + settings.maxContentLength() + " characters at most");
        }
        if (event.createdAt() - clock.instant().getEpochSecond() > settings.createdAtUpperLimit()) {
            throw new ProtocolException(
                    "created-at-future",
                    "more than " + settings.createdAtUpperLimit() + " s ahead of this relay's clock");
        }
        if (settings.minPowDifficulty() > 0 && Work.difficulty(event) < settings.minPowDifficulty()) {
            return "pow: difficulty " + settings.minPowDifficulty() + " is required, and committed to (NIP-13)";
        }
        if (Expirations.of(event).isPresent() && expirations.isExpired(event)) {
            throw new ProtocolException("expired", "this event has ended already (NIP-40)");
        }
        if (event.kind() == Kinds.VANISH && !Vanished.isFor(event, settings.urls())) {
            throw new ProtocolException("vanish", "this request does not name this relay (NIP-62)");
        }
        return embedsProtected(event)
                ? "blocked: embeds-protected a repost must not carry an event that is for its author to publish (NIP-70)"
                : null;
    }

    /** Whether only its author may publish it (NIP-70). */
    static boolean isForItsAuthor(Event event) {
        return event.tags().stream().anyMatch(tag -> tag.get(0).equals("-"));
    }

    /** Whether a repost (NIP-18) holds an event with the tag of NIP-70. */
    private static boolean embedsProtected(Event event) {
        if (event.kind() != REPOST && event.kind() != GENERIC_REPOST
                || !event.content().startsWith("{")) {
            return false;
        }
        try {
            return EventReader.read(event.content()).tags().stream()
                    .anyMatch(tag -> tag.get(0).equals("-"));
        } catch (ProtocolException e) {
            // What is no event is not one that somebody protected.
            return false;
        }
    }
}
