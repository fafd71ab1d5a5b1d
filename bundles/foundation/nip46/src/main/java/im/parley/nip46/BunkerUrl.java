package im.parley.nip46;

import im.parley.api.event.PublicKey;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * {@code bunker://SIGNER?relay=…&secret=…}: where a signer is asked, and what admits a client once.
 *
 * @param signer the key that answers; not the user's
 * @param relays 1 to {@value #MAX_RELAYS}, normalised
 * @param secret empty if there is none
 */
public record BunkerUrl(PublicKey signer, List<URI> relays, String secret) {
    /** More are a mistake, or a way to have many relays asked. */
    public static final int MAX_RELAYS = 5;

    private static final String SCHEME = "bunker://";
    private static final int MAX_LENGTH = 4_096;
    private static final int MAX_SECRET = 256;

    public BunkerUrl {
        relays = List.copyOf(relays);
    }

    /** @throws ProtocolException {@code bunker-url}, {@code relay-url} */
    public static BunkerUrl read(String text) throws ProtocolException {
        String url = text.strip();
        if (url.length() > MAX_LENGTH || !url.startsWith(SCHEME)) {
            throw fault("it does not begin with bunker://, or is too long");
        }
        int query = url.indexOf('?');
        String key = url.substring(SCHEME.length(), query < 0 ? url.length() : query);
        PublicKey signer;
        try {
            signer = PublicKey.ofHex(key.endsWith("/") ? key.substring(0, key.length() - 1) : key);
        } catch (IllegalArgumentException e) {
            throw fault("no public key of 64 hex digits stands behind bunker://");
        }
        Set<URI> relays = new LinkedHashSet<>();
        String secret = "";
        for (String part : query < 0 ? new String[0] : url.substring(query + 1).split("&")) {
            int equals = part.indexOf('=');
            String name = equals < 0 ? part : part.substring(0, equals);
            String value = equals < 0 ? "" : decoded(part.substring(equals + 1));
            if (name.equals("relay")) {
                relays.add(RelayUrls.normalise(value));
            } else if (name.equals("secret")) {
                secret = value;
            }
        }
        if (relays.isEmpty() || relays.size() > MAX_RELAYS) {
            throw fault("it names no relay, or more than " + MAX_RELAYS);
        }
        if (secret.length() > MAX_SECRET) {
            throw fault("its secret is too long");
        }
        return new BunkerUrl(signer, List.copyOf(relays), secret);
    }

    /** As it is given to a client. */
    public String write() {
        StringBuilder url = new StringBuilder(SCHEME).append(signer.hex());
        char separator = '?';
        for (URI relay : relays) {
            url.append(separator).append("relay=").append(URLEncoder.encode(relay.toString(), StandardCharsets.UTF_8));
            separator = '&';
        }
        if (!secret.isEmpty()) {
            url.append(separator).append("secret=").append(URLEncoder.encode(secret, StandardCharsets.UTF_8));
        }
        return url.toString();
    }

    private static String decoded(String value) throws ProtocolException {
        try {
            return URLDecoder.decode(value, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw fault("a percent sign stands before something else than two hex digits");
        }
    }

    private static ProtocolException fault(String text) {
        return new ProtocolException("bunker-url", text);
    }

    /** Without the secret. */
    @Override
    public String toString() {
        return "BunkerUrl[" + signer + ", " + relays + ", [REDACTED]]";
    }
}
