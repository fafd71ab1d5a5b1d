package im.parley.protocol;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Whether an event satisfies a filter (NIP-01). Stateless and thread-safe. */
public final class FilterMatch {
    private FilterMatch() {}

    /**
     * True if every present condition holds. A tag condition looks at the first value of each tag of that letter; {@code
     * since} and {@code until} are inclusive; {@code limit} is not looked at.
     */
    public static boolean matches(Filter filter, Event event) {
        if (filter.since().isPresent() && event.createdAt() < filter.since().getAsLong()
                || filter.until().isPresent()
                        && event.createdAt() > filter.until().getAsLong()) {
            return false;
        }
        Set<Integer> kinds = filter.kinds();
        Set<?> ids = filter.ids();
        Set<?> authors = filter.authors();
        if (kinds != null && !kinds.contains(event.kind())
                || ids != null && !ids.contains(event.id())
                || authors != null && !authors.contains(event.pubkey())) {
            return false;
        }
        for (Map.Entry<Character, Set<String>> condition : filter.tags().entrySet()) {
            if (!hasTag(event.tags(), condition.getKey(), condition.getValue())) {
                return false;
            }
        }
        return true;
    }

    private static boolean hasTag(List<List<String>> tags, char letter, Set<String> accepted) {
        for (List<String> tag : tags) {
            if (tag.size() > 1
                    && tag.get(0).length() == 1
                    && tag.get(0).charAt(0) == letter
                    && accepted.contains(tag.get(1))) {
                return true;
            }
        }
        return false;
    }
}
