package im.parley.egress.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The hosts that one provider's bundle declared. What cannot be read admits nothing. Immutable.
 *
 * @param all whether nothing is held back
 */
record Reach(boolean all, List<Pattern> patterns) {
    /** The whole of the scope. */
    static final Reach EVERYTHING = new Reach(true, List.of());

    /**
     * One declared host.
     *
     * @param host canonical, as {@link Host} has it
     * @param below whether it stands for the names below it, and not for itself
     * @param port 0 for any
     */
    record Pattern(String host, boolean below, int port) {
        boolean admits(Host target, int toPort) {
            if (port != 0 && port != toPort) {
                return false;
            }
            return below
                    ? target.literal().isEmpty() && target.text().endsWith("." + host)
                    : target.text().equals(host);
        }
    }

    Reach {
        patterns = List.copyOf(patterns);
    }

    /** @param hosts null for a part of the platform */
    static Reach of(@Nullable Set<String> hosts) {
        if (hosts == null || hosts.contains("*")) {
            return EVERYTHING;
        }
        List<Pattern> patterns = new ArrayList<>();
        for (String each : hosts) {
            Pattern pattern = pattern(each);
            if (pattern != null) {
                patterns.add(pattern);
            }
        }
        return new Reach(false, patterns);
    }

    private static @Nullable Pattern pattern(String text) {
        boolean below = text.startsWith("*.");
        String rest = below ? text.substring(2) : text;
        int port = 0;
        String name = rest;
        if (rest.startsWith("[")) {
            int end = rest.indexOf(']');
            if (end < 0) {
                return null;
            }
            name = rest.substring(1, end);
            String after = rest.substring(end + 1);
            port = after.isEmpty() ? 0 : after.startsWith(":") ? port(after.substring(1)) : -1;
        } else if (rest.indexOf(':') >= 0 && rest.indexOf(':') == rest.lastIndexOf(':')) {
            name = rest.substring(0, rest.indexOf(':'));
            port = port(rest.substring(rest.indexOf(':') + 1));
        }
        Host host = port < 0 ? null : Host.parse(name);
        return host == null || below && !host.literal().isEmpty() ? null : new Pattern(host.text(), below, port);
    }

    private static int port(String text) {
        if (text.isEmpty() || text.length() > 5 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return -1;
        }
        int port = Integer.parseInt(text);
        return port >= 1 && port <= 65_535 ? port : -1;
    }

    boolean admits(Host host, int port) {
        return all || patterns.stream().anyMatch(pattern -> pattern.admits(host, port));
    }
}
