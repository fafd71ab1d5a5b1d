package im.parley.protocol;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One spelling per relay address, so that two texts for one relay compare equal, and none that reads like another.
 * Stateless and thread-safe; resolves no name.
 */
public final class RelayUrls {
    /** The most characters of an address. */
    public static final int MAX_LENGTH = 512;

    private static final int MAX_HOST = 253;
    private static final int MAX_PORT = 65535;

    private RelayUrls() {}

    /**
     * The normal form: scheme and host in lower case, no default port, no dot behind the host, no path if it is {@code /}
     * alone, dot segments resolved, no empty query, IPv6 written as RFC 5952 says.
     *
     * <p>Taken are {@code ws} and {@code wss} with a host, visible ASCII only: an international name comes in its {@code
     * xn--} form, so that no letter passes for another. Refused are user information, fragments, IPv4 written in any way
     * but four plain decimals, IPv6 zones, white space.
     *
     * @throws ProtocolException {@code relay-url}
     */
    public static URI normalise(String url) throws ProtocolException {
        if (url.isEmpty() || url.length() > MAX_LENGTH) {
            throw fault("an address has 1 to " + MAX_LENGTH + " characters");
        }
        for (int i = 0; i < url.length(); i++) {
            if (url.charAt(i) <= 0x20 || url.charAt(i) >= 0x7F) {
                throw fault("an address has visible ASCII only; write the host in its xn-- form");
            }
        }
        URI uri = parse(url);
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        if (!scheme.equals("ws") && !scheme.equals("wss")) {
            throw fault("an address begins with wss:// or ws://");
        }
        if (uri.isOpaque() || uri.getHost() == null) {
            throw fault("the address has no host that can be resolved");
        }
        if (uri.getRawUserInfo() != null || uri.getRawFragment() != null) {
            throw fault("an address carries no user name and no fragment");
        }
        StringBuilder text = new StringBuilder(scheme).append("://").append(host(uri.getHost()));
        int port = uri.getPort();
        if (port == 0 || port > MAX_PORT) {
            throw fault("a port is 1 to " + MAX_PORT);
        }
        if (port > 0 && port != (scheme.equals("wss") ? 443 : 80)) {
            text.append(':').append(port);
        }
        String path = uri.normalize().getRawPath();
        if (path.startsWith("/..")) {
            throw fault("the path leaves its root");
        }
        if (!path.equals("/")) {
            text.append(path);
        }
        String query = uri.getRawQuery();
        if (query != null && !query.isEmpty()) {
            text.append('?').append(query);
        }
        return parse(text.toString());
    }

    private static URI parse(String url) throws ProtocolException {
        try {
            return new URI(url);
        } catch (URISyntaxException e) {
            throw fault("this is not an address of the form wss://host:port/path");
        }
    }

    private static String host(String given) throws ProtocolException {
        if (given.startsWith("[")) {
            return ipv6(given.substring(1, given.length() - 1));
        }
        String host = given.toLowerCase(Locale.ROOT);
        if (host.endsWith(".")) {
            host = host.substring(0, host.length() - 1);
        }
        if (host.isEmpty() || host.length() > MAX_HOST) {
            throw fault("a host has 1 to " + MAX_HOST + " characters");
        }
        String last = "";
        for (String label : split(host, '.')) {
            if (label.isEmpty() || label.length() > 63) {
                throw fault("each part of a host has 1 to 63 characters");
            }
            last = label;
        }
        // Browsers and some resolvers take any host that ends in a number for an IPv4 address.
        if (last.startsWith("0x") || last.chars().allMatch(c -> c >= '0' && c <= '9')) {
            ipv4(host);
        }
        return host;
    }

    /** Four decimals without leading zeros: some resolvers read 010 as octal, and 1.2 or 16909060 as addresses. */
    private static int[] ipv4(String host) throws ProtocolException {
        List<String> parts = split(host, '.');
        int[] octets = new int[4];
        if (parts.size() != 4) {
            throw fault("an IPv4 address is four decimal numbers");
        }
        for (int i = 0; i < 4; i++) {
            String part = parts.get(i);
            if (part.isEmpty()
                    || part.length() > 3
                    || part.length() > 1 && part.charAt(0) == '0'
                    || !part.chars().allMatch(c -> c >= '0' && c <= '9')) {
                throw fault("an IPv4 address is four decimal numbers");
            }
            octets[i] = Integer.parseInt(part);
            if (octets[i] > 255) {
                throw fault("an IPv4 address is four decimal numbers");
            }
        }
        return octets;
    }

    /** {@link URI} has checked the syntax, apart from zones. An IPv4 address in disguise comes out as what it is. */
    private static String ipv6(String given) throws ProtocolException {
        if (given.indexOf('%') >= 0) {
            throw fault("an IPv6 address carries no zone");
        }
        int gap = given.indexOf("::");
        List<Integer> head = groups(gap < 0 ? given : given.substring(0, gap));
        List<Integer> tail = gap < 0 ? List.of() : groups(given.substring(gap + 2));
        int[] groups = new int[8];
        if (gap < 0 ? head.size() != 8 : head.size() + tail.size() > 7) {
            throw fault("this is no IPv6 address");
        }
        for (int i = 0; i < head.size(); i++) {
            groups[i] = head.get(i);
        }
        for (int i = 0; i < tail.size(); i++) {
            groups[8 - tail.size() + i] = tail.get(i);
        }
        boolean mapped = groups[5] == 0xFFFF;
        for (int i = 0; i < 5; i++) {
            mapped &= groups[i] == 0;
        }
        if (mapped) {
            return (groups[6] >> 8) + "." + (groups[6] & 255) + "." + (groups[7] >> 8) + "." + (groups[7] & 255);
        }
        return shortest(groups);
    }

    private static List<Integer> groups(String part) throws ProtocolException {
        List<Integer> groups = new ArrayList<>();
        if (part.isEmpty()) {
            return groups;
        }
        for (String group : split(part, ':')) {
            if (group.indexOf('.') >= 0) {
                int[] octets = ipv4(group);
                groups.add(octets[0] << 8 | octets[1]);
                groups.add(octets[2] << 8 | octets[3]);
            } else if (group.isEmpty() || group.length() > 4) {
                throw fault("this is no IPv6 address");
            } else {
                groups.add(Integer.parseInt(group, 16));
            }
        }
        return groups;
    }

    private static String shortest(int[] groups) {
        int start = -1;
        int length = 1;
        for (int i = 0; i < 8; i++) {
            int end = i;
            while (end < 8 && groups[end] == 0) {
                end++;
            }
            if (end - i > length) {
                start = i;
                length = end - i;
            }
        }
        StringBuilder text = new StringBuilder("[");
        for (int i = 0; i < 8; i++) {
            if (i == start) {
                text.append("::");
                i += length - 1;
            } else {
                if (text.charAt(text.length() - 1) != ':' && i > 0) {
                    text.append(':');
                }
                text.append(Integer.toHexString(groups[i]));
            }
        }
        return text.append(']').toString();
    }

    private static List<String> split(String text, char separator) {
        List<String> parts = new ArrayList<>();
        int start = 0;
        for (int end = text.indexOf(separator); end >= 0; end = text.indexOf(separator, start)) {
            parts.add(text.substring(start, end));
            start = end + 1;
        }
        parts.add(text.substring(start));
        return parts;
    }

    private static ProtocolException fault(String text) {
        return new ProtocolException("relay-url", text);
    }
}
