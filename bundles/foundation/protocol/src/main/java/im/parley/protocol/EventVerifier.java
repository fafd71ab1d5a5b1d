package im.parley.protocol;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;

/**
 * Decides whether an event is what its author signed: the id is recomputed from the body, then the signature is verified
 * over it. Nothing is remembered between calls, least of all by id, because an id alone says nothing about the body that
 * comes with it. Stateless and thread-safe.
 */
public final class EventVerifier {
    private EventVerifier() {}

    /**
     * Returns if the event is authentic.
     *
     * @param curve held under the caller's lease
     * @throws ProtocolException {@code id} if the id is not that of the body, {@code sig} if the signature is not that of
     *     the author over the id, {@code bad-unicode} if the body has no canonical form
     */
    public static void verify(Event event, Secp256k1 curve) throws ProtocolException {
        if (!EventHash.id(event.pubkey(), event.createdAt(), event.kind(), event.tags(), event.content())
                .equals(event.id())) {
            throw wrongId();
        }
        if (!curve.verify(
                event.sig().bytes(), event.id().bytes(), event.pubkey().bytes())) {
            throw new ProtocolException("sig", "the signature is not the author's over this id");
        }
    }

    static ProtocolException wrongId() {
        return new ProtocolException("id", "the id is not the SHA-256 of the canonical form");
    }
}
