package im.parley.transport.websocket;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.net.URI;
import java.util.Locale;

/**
 * What is needed of a relay URL to connect.
 *
 * @param tls {@code wss}
 * @param host a name or an address literal, IPv6 without brackets
 * @param authority for the Host header: the port is left out when it is the scheme's own
 * @param target path and query in ASCII, at least {@code /}
 */
record RelayAddress(boolean tls, String host, int port, String authority, String target) {
    private static final int MAX_CHARACTERS = 2048;

    /** @throws ProviderException {@code REJECTED relay.bad-url} */
    static RelayAddress of(URI relay) throws ProviderException {
        String scheme = relay.getScheme() == null ? "" : relay.getScheme().toLowerCase(Locale.ROOT);
        boolean tls = scheme.equals("wss");
        if (!tls && !scheme.equals("ws")) {
            throw bad("its scheme is neither ws nor wss");
        }
        String text = relay.toASCIIString();
        if (text.length() > MAX_CHARACTERS) {
            throw bad("it is longer than " + MAX_CHARACTERS + " characters");
        }
        URI ascii = URI.create(text);
        String named = ascii.getHost();
        if (named == null || named.isEmpty()) {
            throw bad("it names no host");
        }
        if (ascii.getRawUserInfo() != null || ascii.getRawFragment() != null) {
            throw bad("it has user information or a fragment");
        }
        int usual = tls ? 443 : 80;
        int port = ascii.getPort() == -1 ? usual : ascii.getPort();
        if (port < 1 || port > 65535) {
            throw bad("its port is not between 1 and 65535");
        }
        String path = ascii.getRawPath();
        String target = path == null || path.isEmpty() ? "/" : path;
        if (ascii.getRawQuery() != null) {
            target += "?" + ascii.getRawQuery();
        }
        String host = named.startsWith("[") && named.endsWith("]") ? named.substring(1, named.length() - 1) : named;
        return new RelayAddress(tls, host, port, port == usual ? named : named + ":" + port, target);
    }

    private static ProviderException bad(String why) {
        return new ProviderException(
                Kind.REJECTED,
                "relay.bad-url",
                "This relay address cannot be used: " + why + ". Write it like wss://relay.example/.");
    }
}
