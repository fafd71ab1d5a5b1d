package im.parley.protocol;

import com.fasterxml.jackson.core.JsonToken;
import im.parley.api.event.PublicKey;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A name of the internet, {@code name@domain}, and the document that says whose it is (NIP-05).
 *
 * @param name lower case; {@code _} for the domain itself
 * @param domain a host name in lower case, not an address
 */
public record Nip05(String name, String domain) {
    /** Largest document that is read. */
    public static final int MAX_BYTES = 64 << 10;

    private static final int MAX_RELAYS = 10;
    private static final Pattern NAME = Pattern.compile("[a-z0-9._-]{1,64}");
    private static final Pattern DOMAIN =
            Pattern.compile("(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?");

    /** @param relays as the document gives them; those that are no relay addresses are left out */
    public record Found(PublicKey pubkey, List<URI> relays) {
        public Found {
            relays = List.copyOf(relays);
        }
    }

    /** Reads {@code name@domain}; null if it is none. */
    public static @Nullable Nip05 read(String text) {
        String plain = text.strip().toLowerCase(Locale.ROOT);
        int at = plain.indexOf('@');
        if (at < 0) {
            return null;
        }
        Nip05 address = new Nip05(plain.substring(0, at), plain.substring(at + 1));
        boolean good = NAME.matcher(address.name()).matches()
                && DOMAIN.matcher(address.domain()).matches();
        return good ? address : null;
    }

    /** Where the document is; to be fetched without following a redirect. */
    public URI document() {
        return URI.create("https://" + domain + "/.well-known/nostr.json?name=" + name);
    }

    /**
     * Whose name it is by that document; null if it does not say.
     *
     * @throws ProtocolException if it is no such document
     */
    public @Nullable Found find(String json) throws ProtocolException {
        Map<PublicKey, List<URI>> relays = new HashMap<>();
        PublicKey pubkey = null;
        try (Json reader = Json.open(json, MAX_BYTES)) {
            reader.next();
            if (!reader.at(JsonToken.START_OBJECT)) {
                throw reader.wrong("nip05", "a document of names is a JSON object");
            }
            while (reader.next() != JsonToken.END_OBJECT) {
                String member = reader.name();
                reader.next();
                if (member.equals("names") && reader.at(JsonToken.START_OBJECT)) {
                    while (reader.next() != JsonToken.END_OBJECT) {
                        boolean meant = reader.name().equals(name);
                        reader.next();
                        if (meant) {
                            pubkey = reader.publicKey();
                        } else {
                            reader.skip();
                        }
                    }
                } else if (member.equals("relays") && reader.at(JsonToken.START_OBJECT)) {
                    relays(reader, relays);
                } else {
                    reader.skip();
                }
            }
            reader.end();
        }
        return pubkey == null ? null : new Found(pubkey, relays.getOrDefault(pubkey, List.of()));
    }

    private static void relays(Json reader, Map<PublicKey, List<URI>> relays) throws ProtocolException {
        while (reader.next() != JsonToken.END_OBJECT) {
            String whose = reader.name();
            reader.next();
            if (!Texts.isHex(whose, 64) || !reader.at(JsonToken.START_ARRAY)) {
                reader.skip();
                continue;
            }
            List<URI> found = new ArrayList<>();
            while (reader.next() != JsonToken.END_ARRAY) {
                try {
                    URI relay = RelayUrls.normalise(reader.string("nip05", "a relay is a text"));
                    if (found.size() < MAX_RELAYS) {
                        found.add(relay);
                    }
                } catch (ProtocolException e) {
                    if (!e.token().equals("relay-url")) {
                        throw e;
                    }
                }
            }
            relays.put(PublicKey.ofHex(whose), found);
        }
    }
}
