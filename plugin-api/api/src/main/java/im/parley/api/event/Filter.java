package im.parley.api.event;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A NIP-01 filter: a conjunction over the conditions that are present. An absent condition is {@code null} here and
 * matches everything; a present but empty set matches nothing. {@code limit} concerns stored events only.
 *
 * <p>Immutable and thread-safe. Matching lives in {@code im.parley.protocol}.
 */
public final class Filter {
    private final @Nullable Set<EventId> ids;
    private final @Nullable Set<PublicKey> authors;
    private final @Nullable Set<Integer> kinds;
    private final Map<Character, Set<String>> tags;
    private final OptionalLong since;
    private final OptionalLong until;
    private final OptionalInt limit;

    private Filter(Builder builder) {
        ids = builder.ids == null ? null : Set.copyOf(builder.ids);
        authors = builder.authors == null ? null : Set.copyOf(builder.authors);
        kinds = builder.kinds == null ? null : Set.copyOf(builder.kinds);
        Map<Character, Set<String>> copy = new LinkedHashMap<>();
        builder.tags.forEach((letter, values) -> copy.put(letter, Set.copyOf(values)));
        tags = Map.copyOf(copy);
        since = builder.since;
        until = builder.until;
        limit = builder.limit;
    }

    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts with this filter's conditions. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.ids = ids == null ? null : new LinkedHashSet<>(ids);
        builder.authors = authors == null ? null : new LinkedHashSet<>(authors);
        builder.kinds = kinds == null ? null : new LinkedHashSet<>(kinds);
        tags.forEach((letter, values) -> builder.tags.put(letter, new LinkedHashSet<>(values)));
        builder.since = since;
        builder.until = until;
        builder.limit = limit;
        return builder;
    }

    /** Null if any id will do. */
    public @Nullable Set<EventId> ids() {
        return ids;
    }

    /** Null if any author will do. */
    public @Nullable Set<PublicKey> authors() {
        return authors;
    }

    /** Null if any kind will do. */
    public @Nullable Set<Integer> kinds() {
        return kinds;
    }

    /** Conditions on single-letter tags, letter (a-z, A-Z) to accepted first values; empty if there are none. */
    public Map<Character, Set<String>> tags() {
        return tags;
    }

    /** Inclusive, seconds since the epoch. */
    public OptionalLong since() {
        return since;
    }

    /** Inclusive, seconds since the epoch. */
    public OptionalLong until() {
        return until;
    }

    /** At most this many stored events, newest first; 0 asks for none. */
    public OptionalInt limit() {
        return limit;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Filter f
                && java.util.Objects.equals(ids, f.ids)
                && java.util.Objects.equals(authors, f.authors)
                && java.util.Objects.equals(kinds, f.kinds)
                && tags.equals(f.tags)
                && since.equals(f.since)
                && until.equals(f.until)
                && limit.equals(f.limit);
    }

    @Override
    public int hashCode() {
        return java.util.Objects.hash(ids, authors, kinds, tags, since, until, limit);
    }

    /** Sizes only, for logs. */
    @Override
    public String toString() {
        return "Filter[ids " + size(ids) + ", authors " + size(authors) + ", kinds " + kinds + ", tags " + tags.keySet()
                + "]";
    }

    private static String size(@Nullable Set<?> set) {
        return set == null ? "any" : Integer.toString(set.size());
    }

    /** Collects conditions; each call adds to what is there. Not thread-safe. */
    public static final class Builder {
        private @Nullable Set<EventId> ids;
        private @Nullable Set<PublicKey> authors;
        private @Nullable Set<Integer> kinds;
        private final Map<Character, Set<String>> tags = new LinkedHashMap<>();
        private OptionalLong since = OptionalLong.empty();
        private OptionalLong until = OptionalLong.empty();
        private OptionalInt limit = OptionalInt.empty();

        private Builder() {}

        public Builder ids(Iterable<EventId> values) {
            Set<EventId> set = ids == null ? new LinkedHashSet<>() : ids;
            values.forEach(set::add);
            ids = set;
            return this;
        }

        public Builder authors(Iterable<PublicKey> values) {
            Set<PublicKey> set = authors == null ? new LinkedHashSet<>() : authors;
            values.forEach(set::add);
            authors = set;
            return this;
        }

        public Builder kinds(Iterable<Integer> values) {
            Set<Integer> set = kinds == null ? new LinkedHashSet<>() : kinds;
            values.forEach(set::add);
            kinds = set;
            return this;
        }

        /** @throws IllegalArgumentException if the letter is not a-z or A-Z */
        public Builder tag(char letter, Iterable<String> values) {
            if (!(letter >= 'a' && letter <= 'z' || letter >= 'A' && letter <= 'Z')) {
                throw new IllegalArgumentException("a tag condition needs one letter");
            }
            Set<String> set = tags.computeIfAbsent(letter, unused -> new LinkedHashSet<>());
            values.forEach(set::add);
            return this;
        }

        public Builder since(long seconds) {
            since = OptionalLong.of(seconds);
            return this;
        }

        public Builder until(long seconds) {
            until = OptionalLong.of(seconds);
            return this;
        }

        /** @throws IllegalArgumentException if negative */
        public Builder limit(int count) {
            if (count < 0) {
                throw new IllegalArgumentException("limit must not be negative");
            }
            limit = OptionalInt.of(count);
            return this;
        }

        public Filter build() {
            return new Filter(this);
        }
    }
}
