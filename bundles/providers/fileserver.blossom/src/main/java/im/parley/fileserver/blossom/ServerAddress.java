package im.parley.fileserver.blossom;

import im.parley.api.lifecycle.ProviderException;
import java.net.URI;
import java.util.Locale;

/**
 * What is needed of a URL to ask for it.
 *
 * @param host a name or an address literal, IPv6 without brackets
 * @param authority for the Host header: the port is left out when it is the scheme's own
 * @param target path and query in ASCII; {@code /} for a server
 */
record ServerAddress(boolean tls, String host, int port, String authority, String target) {
    private static final int MAX_CHARACTERS = 2_048;

    /** @throws ProviderException {@code REJECTED fileserver.bad-url} */
    static ServerAddress of(URI url) throws ProviderException {
        String scheme = url.getScheme() == null ? "" : url.getScheme().toLowerCase(Locale.ROOT);
        boolean tls = scheme.equals("https");
        if (!tls && !scheme.equals("http")) {
            throw Failures.badUrl("its scheme is neither http nor https");
        }
        String text = url.toASCIIString();
        if (text.length() > MAX_CHARACTERS) {
            throw Failures.badUrl("it is longer than " + MAX_CHARACTERS + " characters");
        }
        URI ascii = URI.create(text);
        String named = ascii.getHost();
        if (named == null || named.isEmpty()) {
            throw Failures.badUrl("it names no host");
        }
        if (ascii.getRawUserInfo() != null) {
            throw Failures.badUrl("it has user information");
        }
        int usual = tls ? 443 : 80;
        int port = ascii.getPort() == -1 ? usual : ascii.getPort();
        if (port < 1 || port > 65_535) {
            throw Failures.badUrl("its port is not between 1 and 65535");
        }
        String path = ascii.getRawPath();
        String target = path == null || path.isEmpty() ? "/" : path;
        if (ascii.getRawQuery() != null) {
            target += "?" + ascii.getRawQuery();
        }
        String lower = named.toLowerCase(Locale.ROOT);
        String host = lower.startsWith("[") && lower.endsWith("]") ? lower.substring(1, lower.length() - 1) : lower;
        return new ServerAddress(tls, host, port, port == usual ? lower : lower + ":" + port, target);
    }

    ServerAddress at(String path) {
        return new ServerAddress(tls, host, port, authority, path);
    }

    /** Whether it names a server and nothing there. */
    boolean root() {
        return target.equals("/");
    }
}
