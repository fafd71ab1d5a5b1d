package im.parley.http.internal;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The Host values one listener answers to. Exact, because a page of a foreign name that resolves to this machine would
 * otherwise reach it (DNS rebinding).
 */
final class HostCheck {
    private final Set<String> allowed = new HashSet<>();

    /** @param extra lower case; without a port also good with the port of the listener */
    HostCheck(InetSocketAddress bound, List<String> extra) {
        InetAddress address = bound.getAddress();
        int port = bound.getPort();
        if (address.isLoopbackAddress() || address.isAnyLocalAddress()) {
            add("127.0.0.1", port);
            add("localhost", port);
            add("[::1]", port);
        }
        if (!address.isAnyLocalAddress()) {
            String literal = address.getHostAddress();
            add(address instanceof Inet6Address ? "[" + literal + "]" : literal, port);
        }
        for (String host : extra) {
            allowed.add(host);
            if (!hasPort(host)) {
                allowed.add(host + ":" + port);
            }
        }
    }

    private void add(String host, int port) {
        allowed.add(host + ":" + port);
        if (port == 80) {
            allowed.add(host);
        }
    }

    private static boolean hasPort(String host) {
        return host.lastIndexOf(':') > host.lastIndexOf(']');
    }

    boolean allows(String host) {
        return allowed.contains(host.toLowerCase(Locale.ROOT));
    }
}
