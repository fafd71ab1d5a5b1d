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

    Map<String, Long> snapshot() {
        Map<String, Long> sorted = new TreeMap<>();
        counts.forEach((code, count) -> sorted.put(code, count.sum()));
        return sorted;
    }
}
