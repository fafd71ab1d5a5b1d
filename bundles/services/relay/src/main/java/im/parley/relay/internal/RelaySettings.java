package im.parley.relay.internal;

import im.parley.api.event.PublicKey;
import im.parley.protocol.GrammarLimits;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import java.net.URI;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The configuration after its values were checked.
 *
 * @param urls in their normal form and in the configured order: the first is what this node's own people give to others
 */
record RelaySettings(
        Set<URI> urls,
        String name,
        String description,
        String contact,
        String pubkey,
        int maxMessageLength,
        int maxSubscriptions,
        int maxFilters,
        int maxLimit,
        int maxEventTags,
        int maxContentLength,
        int createdAtUpperLimit,
        int minPowDifficulty,
        int maxCountRows,
        int maxConnections,
        int pendingFrames,
        int pendingEvents,
        int outboundFrames,
        int outboundKib,
        long backlogBytes,
        long filterBytes,
        long allFiltersBytes,
        int eventsPerSecond,
        int eventsAtOnce,
        int filtersPerSecond,
        int filtersAtOnce,
        int maxGuardedRows,
        int workers,
        List<String> policies) {
    private static final int MAX_SHARED_KIB = 67_108_864;
    private static final int MAX_POLICIES = 16;
    private static final Pattern POLICY = Pattern.compile(Pattern.quote(Policies.SLOT_PREFIX) + "[a-z0-9.-]{1,64}");

    RelaySettings {
        urls = Collections.unmodifiableSet(new LinkedHashSet<>(urls));
        policies = List.copyOf(policies);
    }

    /** @throws IllegalArgumentException naming PID, key, value and what is allowed */
    static RelaySettings of(RelayConfiguration c) {
        int maxMessageLength = range("maxMessageLength", c.maxMessageLength(), 16_384, 16_777_216);
        Set<URI> urls = new LinkedHashSet<>();
        for (String url : c.urls()) {
            try {
                urls.add(RelayUrls.normalise(url));
            } catch (ProtocolException e) {
                throw refused("urls", url, "ws or wss URLs without user name and fragment");
            }
        }
        if (urls.isEmpty()) {
            throw refused("urls", "", "at least one ws or wss URL");
        }
        if (!c.pubkey().isEmpty()) {
            try {
                PublicKey.ofHex(c.pubkey());
            } catch (IllegalArgumentException e) {
                throw refused("pubkey", c.pubkey(), "64 lower-case hex digits or nothing");
            }
        }
        int maxFilters = range("maxFilters", c.maxFilters(), 1, 1_000);
        return new RelaySettings(
                urls,
                c.name(),
                c.description(),
                c.contact(),
                c.pubkey(),
                maxMessageLength,
                range("maxSubscriptions", c.maxSubscriptions(), 1, 10_000),
                maxFilters,
                range("maxLimit", c.maxLimit(), 1, 10_000),
                // A request to delete is one batch with all of its targets, and a batch has 10,000 items at most.
                range("maxEventTags", c.maxEventTags(), 1, 9_000),
                range("maxContentLength", c.maxContentLength(), 1_024, maxMessageLength),
                range("createdAtUpperLimit", c.createdAtUpperLimit(), 0, 86_400),
                range("minPowDifficulty", c.minPowDifficulty(), 0, 64),
                range("maxCountRows", c.maxCountRows(), 1_000, 100_000_000),
                range("maxConnections", c.maxConnections(), 1, 100_000),
                range("pendingFrames", c.pendingFrames(), 16, 65_536),
                range("pendingEvents", c.pendingEvents(), 1, 4_096),
                range("outboundFrames", c.outboundFrames(), 256, 65_536),
                range("outboundKib", c.outboundKib(), 1_024, 1_048_576),
                shared("backlogKib", c.backlogKib(), 8_192, 8),
                1024L * range("filterKib", c.filterKib(), 64, 1_048_576),
                shared("allFiltersKib", c.allFiltersKib(), 1_024, 16),
                range("eventsPerSecond", c.eventsPerSecond(), 1, 1_000_000),
                range("eventsAtOnce", c.eventsAtOnce(), 1, 1_000_000),
                range("filtersPerSecond", c.filtersPerSecond(), 1, 1_000_000),
                range("filtersAtOnce", c.filtersAtOnce(), maxFilters, 1_000_000),
                range("maxGuardedRows", c.maxGuardedRows(), 1_000, 100_000_000),
                range("workers", c.workers(), 1, 64),
                policies(c.policies()));
    }

    private static List<String> policies(String[] names) {
        List<String> policies = List.of(names);
        for (String name : policies) {
            if (!POLICY.matcher(name).matches()) {
                throw refused("policies", name, "names of slots that begin with " + Policies.SLOT_PREFIX);
            }
        }
        if (policies.size() > MAX_POLICIES || new HashSet<>(policies).size() < policies.size()) {
            throw refused("policies", String.join(", ", policies), "up to " + MAX_POLICIES + " slots, each once");
        }
        return policies;
    }

    /** How the grammar is read under these settings. */
    GrammarLimits grammar() {
        return new GrammarLimits(
                maxMessageLength,
                maxEventTags,
                GrammarLimits.RELAY.maxTagValueBytes(),
                GrammarLimits.RELAY.maxIndexedBytes(),
                maxFilters,
                GrammarLimits.RELAY.maxFilterValues(),
                GrammarLimits.RELAY.references());
    }

    /** Bytes of what all connections share; 0 is a part of the heap. */
    private static long shared(String key, int kib, int least, int partOfHeap) {
        return kib == 0
                ? Runtime.getRuntime().maxMemory() / partOfHeap
                : 1024L * range(key, kib, least, MAX_SHARED_KIB);
    }

    private static int range(String key, int value, int least, int most) {
        if (value < least || value > most) {
            throw refused(key, Integer.toString(value), least + " to " + most);
        }
        return value;
    }

    private static IllegalArgumentException refused(String key, String value, String allowed) {
        return new IllegalArgumentException(
                RelayConfiguration.PID + ": " + key + " is '" + value + "', allowed: " + allowed);
    }
}
