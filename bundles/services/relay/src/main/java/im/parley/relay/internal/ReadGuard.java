package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.protocol.Kinds;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who may read what. Messages addressed to somebody leave the relay only towards that somebody: gift wraps (NIP-59, kinds
 * 1059 and 21059) towards a proven key they p-tag, old direct messages (kind 4) towards such a key or their author.
 *
 * <p>{@link #mayRead} is asked for every single event on its way out, stored or live; what is said about filters here only
 * decides how a request that can bring nothing is answered, and spares the store rows that could not be served anyway.
 */
final class ReadGuard {
    private static final Set<Integer> WRAPS = Set.of(Kinds.GIFT_WRAP, Kinds.EPHEMERAL_WRAP);
    private static final Set<Integer> GUARDED = Set.of(Kinds.LEGACY_MESSAGE, Kinds.GIFT_WRAP, Kinds.EPHEMERAL_WRAP);

    /** What a whole request may expect. */
    enum Verdict {
        OPEN,
        AUTH_REQUIRED,
        RESTRICTED
    }

    private ReadGuard() {}

    static boolean guarded(int kind) {
        return GUARDED.contains(kind);
    }

    /** False if no event of that kind is for this reader; true only means that the event itself decides. */
    static boolean mayRead(int kind, ProvenKeys reader) {
        return !guarded(kind) || !reader.isEmpty();
    }

    static boolean mayRead(Event event, ProvenKeys reader) {
        if (!guarded(event.kind())) {
            return true;
        }
        if (reader.isEmpty()) {
            return false;
        }
        if (event.kind() == Kinds.LEGACY_MESSAGE && reader.contains(event.pubkey())) {
            return true;
        }
        return event.tags().stream()
                .anyMatch(tag ->
                        tag.size() > 1 && tag.get(0).equals("p") && reader.hex().contains(tag.get(1)));
    }

    /** Refuses only what can bring nothing but guarded events of others; the allowed part of a mixed request is served. */
    static Verdict judge(List<Filter> filters, ProvenKeys reader) {
        boolean refused = false;
        for (Filter filter : filters) {
            if (matchesNothing(filter)) {
                continue;
            }
            Set<Integer> kinds = filter.kinds();
            if (kinds == null || !GUARDED.containsAll(kinds) || mayBring(filter, kinds, reader)) {
                return Verdict.OPEN;
            }
            refused = true;
        }
        if (!refused) {
            return Verdict.OPEN;
        }
        return reader.isEmpty() ? Verdict.AUTH_REQUIRED : Verdict.RESTRICTED;
    }

    private static boolean mayBring(Filter filter, Set<Integer> kinds, ProvenKeys reader) {
        if (reader.isEmpty()) {
            return false;
        }
        Set<String> recipients = filter.tags().get('p');
        if (recipients == null || intersects(recipients, reader.hex())) {
            return true;
        }
        return kinds.contains(Kinds.LEGACY_MESSAGE)
                && (filter.authors() == null || intersects(filter.authors(), reader.keys()));
    }

    /**
     * The same answer from fewer rows: guarded kinds nobody could be served are taken out, and a filter for gift wraps
     * only is narrowed to the reader's own. Every event the reader may have under {@code filter} still matches.
     */
    static Filter narrow(Filter filter, ProvenKeys reader) {
        Set<Integer> kinds = filter.kinds();
        if (kinds == null || kinds.isEmpty()) {
            return filter;
        }
        if (reader.isEmpty()) {
            Set<Integer> open = new HashSet<>(kinds);
            open.removeAll(GUARDED);
            return open.size() == kinds.size() ? filter : replace(filter, open, null);
        }
        if (!WRAPS.containsAll(kinds)) {
            return filter;
        }
        Set<String> recipients = filter.tags().get('p');
        Set<String> own = new HashSet<>(reader.hex());
        if (recipients != null) {
            own.retainAll(recipients);
        }
        return replace(filter, kinds, own);
    }

    static boolean matchesNothing(Filter filter) {
        return isEmpty(filter.ids())
                || isEmpty(filter.authors())
                || isEmpty(filter.kinds())
                || filter.tags().values().stream().anyMatch(Set::isEmpty)
                || filter.since().isPresent()
                        && filter.until().isPresent()
                        && filter.since().getAsLong() > filter.until().getAsLong();
    }

    private static boolean isEmpty(@Nullable Collection<?> values) {
        return values != null && values.isEmpty();
    }

    private static boolean intersects(Set<?> a, Set<?> b) {
        return b.stream().anyMatch(a::contains);
    }

    /** A filter's builder only adds, so a narrower set needs a new filter. */
    private static Filter replace(Filter filter, Set<Integer> kinds, @Nullable Set<String> recipients) {
        Filter.Builder builder = Filter.builder().kinds(kinds);
        if (filter.ids() != null) {
            builder.ids(filter.ids());
        }
        if (filter.authors() != null) {
            builder.authors(filter.authors());
        }
        filter.tags().forEach((letter, values) -> {
            if (recipients == null || letter != 'p') {
                builder.tag(letter, values);
            }
        });
        if (recipients != null) {
            builder.tag('p', recipients);
        }
        filter.since().ifPresent(builder::since);
        filter.until().ifPresent(builder::until);
        filter.limit().ifPresent(builder::limit);
        return builder.build();
    }
}
