package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Finds the live subscriptions an event may belong to without asking all of them: each filter is filed under the values
 * of one of its conditions, the one that singles out most.
 */
final class LiveIndex {
    private static final String ALL = "all";

    private record TagKey(char letter, String value) {}

    private record KindKey(int kind) {}

    /**
     * Keys: EventId, PublicKey, TagKey, KindKey or ALL. Values: a Subscription, or a set of several; most keys have one
     * only, and a set for each would cost more than the key.
     */
    private final ConcurrentHashMap<Object, Object> buckets = new ConcurrentHashMap<>();

    void add(Subscription subscription) {
        for (Object key : keys(subscription)) {
            buckets.compute(key, (unused, bucket) -> {
                if (bucket == null || bucket == subscription) {
                    return subscription;
                }
                Set<Object> set = several(bucket);
                if (set == null) {
                    set = ConcurrentHashMap.newKeySet(2);
                    set.add(bucket);
                }
                set.add(subscription);
                return set;
            });
        }
    }

    void remove(Subscription subscription) {
        for (Object key : keys(subscription)) {
            buckets.computeIfPresent(key, (unused, bucket) -> {
                if (bucket == subscription) {
                    return null;
                }
                Set<Object> set = several(bucket);
                if (set == null) {
                    return bucket;
                }
                set.remove(subscription);
                return set.isEmpty() ? null : set;
            });
        }
    }

    @SuppressWarnings("unchecked")
    private static @Nullable Set<Object> several(Object bucket) {
        return bucket instanceof Set<?> set ? (Set<Object>) set : null;
    }

    /** Under how many keys a filter is filed. */
    static int keyCount(Filter filter) {
        List<Object> keys = new ArrayList<>();
        addKeys(filter, keys);
        return keys.size();
    }

    /** A superset of the subscriptions the event matches, each once. */
    Set<Subscription> candidates(Event event) {
        Set<Subscription> found = new LinkedHashSet<>();
        collect(event.id(), found);
        collect(event.pubkey(), found);
        collect(new KindKey(event.kind()), found);
        collect(ALL, found);
        for (List<String> tag : event.tags()) {
            if (tag.size() > 1 && tag.get(0).length() == 1) {
                collect(new TagKey(tag.get(0).charAt(0), tag.get(1)), found);
            }
        }
        return found;
    }

    boolean isEmpty() {
        return buckets.isEmpty();
    }

    private void collect(Object key, Set<Subscription> found) {
        Object bucket = buckets.get(key);
        if (bucket instanceof Subscription subscription) {
            found.add(subscription);
        } else if (bucket instanceof Set<?> several) {
            several.forEach(one -> found.add((Subscription) one));
        }
    }

    private static List<Object> keys(Subscription subscription) {
        List<Object> keys = new ArrayList<>();
        for (Filter filter : subscription.filters()) {
            addKeys(filter, keys);
        }
        return keys;
    }

    private static void addKeys(Filter filter, List<Object> keys) {
        if (ReadGuard.matchesNothing(filter)) {
            return;
        }
        if (filter.ids() != null) {
            keys.addAll(filter.ids());
        } else if (!filter.tags().isEmpty()) {
            Map.Entry<Character, Set<String>> fewest = filter.tags().entrySet().stream()
                    .min((a, b) ->
                            Integer.compare(a.getValue().size(), b.getValue().size()))
                    .orElseThrow();
            fewest.getValue().forEach(value -> keys.add(new TagKey(fewest.getKey(), value)));
        } else if (filter.authors() != null) {
            keys.addAll(filter.authors());
        } else if (filter.kinds() != null) {
            filter.kinds().forEach(kind -> keys.add(new KindKey(kind)));
        } else {
            keys.add(ALL);
        }
    }
}
