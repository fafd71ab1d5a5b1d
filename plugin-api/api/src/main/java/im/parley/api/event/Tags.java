package im.parley.api.event;

import java.util.List;
import java.util.Optional;

/** Copying and reading of tag lists, shared by the three event shapes. */
final class Tags {
    private Tags() {}

    static List<List<String>> copy(List<List<String>> tags) {
        return tags.stream().map(List::copyOf).toList();
    }

    static Optional<String> first(List<List<String>> tags, String name) {
        return tags.stream()
                .filter(tag -> tag.size() > 1 && tag.get(0).equals(name))
                .map(tag -> tag.get(1))
                .findFirst();
    }

    static List<String> values(List<List<String>> tags, String name) {
        return tags.stream()
                .filter(tag -> tag.size() > 1 && tag.get(0).equals(name))
                .map(tag -> tag.get(1))
                .toList();
    }
}
