package im.parley.relay.internal;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/** Counts what was refused or cut, by code. */
final class Drops {
    private final ConcurrentHashMap<String, LongAdder> counts = new ConcurrentHashMap<>();

    /** @param code from this relay's own vocabulary, never from a client: the map must stay small */
    void count(String code) {
        counts.computeIfAbsent(code, unused -> new LongAdder()).increment();
    }

    /**
     * The code of a reason on the wire: the standard prefix; for {@code error:} and {@code invalid:}, and a blocked kind, with
     * the token behind it.
     */
    static String code(String reason) {
        int colon = reason.indexOf(':');
        String prefix = reason.substring(0, colon);
        int space = reason.indexOf(' ', colon + 2);
        String token = reason.substring(colon + 2, space < 0 ? reason.length() : space);
        boolean tokened = prefix.equals("error") || prefix.equals("invalid") || token.equals("kind-not-for-relays");
        return tokened ? prefix + "." + token : prefix;
    }

    Map<String, Long> snapshot() {
        Map<String, Long> sorted = new TreeMap<>();
        counts.forEach((code, count) -> sorted.put(code, count.sum()));
        return sorted;
    }
}
