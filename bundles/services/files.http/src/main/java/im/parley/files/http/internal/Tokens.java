package im.parley.files.http.internal;

import im.parley.api.curve.Secp256k1;
import im.parley.api.event.Event;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.protocol.EventReader;
import im.parley.protocol.EventVerifier;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import java.time.InstantSource;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads the authorization of a request (BUD-11): an event of kind 24242 for one verb, not expired, perhaps for certain
 * servers and hashes. The signature is looked at last, as it is what costs. Thread-safe.
 */
final class Tokens {
    private static final String SCHEME = "nostr ";
    /** BUD-11 wants created_at in the past; two clocks are never quite the same. */
    private static final long CLOCK_SECONDS = 5;

    private static final int MAX_DIGITS = 15;

    private final FilesSettings settings;
    private final Slot<Secp256k1> curve;
    private final InstantSource clock;

    Tokens(FilesSettings settings, Slot<Secp256k1> curve, InstantSource clock) {
        this.settings = settings;
        this.curve = curve;
        this.clock = clock;
    }

    /**
     * What a token proved.
     *
     * @param id of the event
     * @param expiration seconds since the epoch
     * @param hashes of its x tags, as written
     */
    record Token(String id, PublicKey key, long expiration, Set<String> hashes) {
        Token {
            hashes = Set.copyOf(hashes);
        }
    }

    /**
     * @param header of the request; null if there is none
     * @param verb {@code upload}, {@code delete} or {@code list}
     * @throws Refusal 401 with a code that begins with {@code auth.}; 403 {@code auth.server-required}
     */
    Token verify(@Nullable String header, String verb) throws Refusal, ProviderException {
        if (header == null) {
            throw unproven("missing", "Sign a token for this (kind 24242, BUD-11) and send it as Authorization.");
        }
        Event event = read(header);
        if (event.kind() != Kinds.FILE_AUTH) {
            throw unproven("kind", "The token has to be an event of kind 24242.");
        }
        long now = clock.instant().getEpochSecond();
        if (event.createdAt() > now + CLOCK_SECONDS) {
            throw unproven("created-at", "The token is dated in the future; see whether your clock is right.");
        }
        List<String> verbs = event.tagValues("t");
        if (verbs.size() != 1 || !verbs.get(0).equals(verb)) {
            throw unproven("verb", "The token has to have one t tag, and for this it says " + verb + ".");
        }
        long expiration = expiration(event, now);
        checkServer(event);
        try (Lease<Secp256k1> lease = curve.acquire()) {
            EventVerifier.verify(event, lease.get());
        } catch (ProtocolException e) {
            throw unproven("signature", "The token is not signed by the key it names.");
        }
        return new Token(event.id().hex(), event.pubkey(), expiration, new HashSet<>(event.tagValues("x")));
    }

    private static Event read(String header) throws Refusal {
        if (!header.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
            throw unproven("scheme", "The Authorization header begins with Nostr and a space.");
        }
        String text = header.substring(SCHEME.length());
        try {
            byte[] json = Base64.getUrlDecoder().decode(text);
            // The decoder takes padding and stray bits, too; a token has exactly one form.
            if (!Base64.getUrlEncoder().withoutPadding().encodeToString(json).equals(text)) {
                throw encoding();
            }
            return EventReader.read(json);
        } catch (IllegalArgumentException e) {
            throw encoding();
        } catch (ProtocolException e) {
            throw unproven("event", "The token is not a Nostr event.");
        }
    }

    private static Refusal encoding() {
        return unproven("encoding", "The token is written in Base64url without padding (BUD-11).");
    }

    private long expiration(Event event, long now) throws Refusal {
        List<String> values = event.tagValues("expiration");
        String value = values.size() == 1 ? values.get(0) : "";
        boolean digits = !value.isEmpty()
                && value.length() <= MAX_DIGITS
                && value.chars().allMatch(c -> c >= '0' && c <= '9');
        if (!digits) {
            throw unproven("expiration", "The token has to have one expiration tag, in seconds.");
        }
        long expiration = Long.parseLong(value);
        if (expiration <= now) {
            throw unproven("expired", "The token has expired; sign a new one.");
        }
        if (expiration - now > settings.longestToken().toSeconds()) {
            throw unproven(
                    "lives-too-long",
                    "The token may be good for " + settings.longestToken().toHours() + " hours at most.");
        }
        return expiration;
    }

    private void checkServer(Event event) throws Refusal {
        boolean named = false;
        boolean ours = false;
        for (List<String> tag : event.tags()) {
            if (tag.get(0).equals("server")) {
                named = true;
                ours |= tag.size() > 1 && settings.names().contains(tag.get(1));
            }
        }
        if (named && !ours) {
            throw unproven("server", "The token is for another server.");
        }
        if (!named && settings.serverTagRequired()) {
            throw new Refusal(403, "auth.server-required", "This server wants tokens that name it in a server tag.");
        }
    }

    private static Refusal unproven(String what, String text) {
        return new Refusal(401, "auth." + what, text);
    }
}
