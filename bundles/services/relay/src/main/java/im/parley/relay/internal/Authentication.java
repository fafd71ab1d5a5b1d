package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What NIP-42 asks of an authentication event, all but the signature. */
final class Authentication {
    /** Seconds the event's time may be off in either direction, inclusive. */
    static final long WINDOW_SECONDS = 600;
    /** Keys one connection may prove. */
    static final int MAX_KEYS = 20;

    private Authentication() {}

    /**
     * Null if the event proves its key to this connection of this relay, once its signature is verified.
     *
     * @param relays normalised URLs this relay answers to
     * @return the reason to send, {@code invalid: …}
     */
    static @Nullable String refuse(Event event, String challenge, Set<URI> relays, long nowSeconds) {
        if (event.kind() != Kinds.AUTH) {
            return "invalid: kind an authentication event has kind " + Kinds.AUTH;
        }
        if (Math.abs(event.createdAt() - nowSeconds) > WINDOW_SECONDS) {
            return "invalid: created-at more than " + WINDOW_SECONDS + " s away from this relay's clock";
        }
        String answered = only(event, "challenge");
        if (answered == null || !same(answered, challenge)) {
            return "invalid: challenge exactly one is needed, the one this connection was given last";
        }
        String relay = only(event, "relay");
        if (relay == null || !addressed(relay, relays)) {
            return "invalid: relay the event is for another relay address";
        }
        return null;
    }

    private static boolean addressed(String relay, Set<URI> relays) {
        try {
            return relays.contains(RelayUrls.normalise(relay));
        } catch (ProtocolException e) {
            return false;
        }
    }

    /** The value of the one tag of that name; null if there is none, another one, or no value. */
    private static @Nullable String only(Event event, String name) {
        String value = null;
        for (List<String> tag : event.tags()) {
            if (tag.get(0).equals(name)) {
                if (value != null || tag.size() < 2) {
                    return null;
                }
                value = tag.get(1);
            }
        }
        return value;
    }

    private static boolean same(String a, String b) {
        return MessageDigest.isEqual(a.getBytes(StandardCharsets.UTF_8), b.getBytes(StandardCharsets.UTF_8));
    }
}
