package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Finds the live subscriptions an event may belong to without asking all of them: each filter is filed under the values
 * of one of its conditions, the one that singles out most.
 */
final class LiveIndex {
    private static final String ALL = "all";

    private record TagKey(char letter, String value) {}

    private record KindKey(int kind) {}

    /** Keys: EventId, PublicKey, TagKey, KindKey or ALL. */
    private final ConcurrentHashMap<Object, Set<Subscription>> buckets = new ConcurrentHashMap<>();

    void add(Subscription subscription) {
        for (Object key : keys(subscription)) {
            buckets.compute(key, (unused, bucket) -> {
                Set<Subscription> set = bucket == null ? ConcurrentHashMap.newKeySet(1) : bucket;
                set.add(subscription);
                return set;
            });
        }
    }

    void remove(Subscription subscription) {
        for (Object key : keys(subscription)) {
            buckets.computeIfPresent(key, (unused, bucket) -> {
                bucket.remove(subscription);
                return bucket.isEmpty() ? null : bucket;
            });
        }
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
        Set<Subscription> bucket = buckets.get(key);
        if (bucket != null) {
            found.addAll(bucket);
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
