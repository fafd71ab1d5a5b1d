package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.EventStore;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Counts what a client could read (NIP-45), exactly: each event is looked at as if it were served, so a count tells
 * nobody of messages that are not theirs. What an unknown reader cannot have is not even read. One page per turn. For one
 * worker at a time.
 */
final class CountQuery {
    private static final int PAGE = 500;

    private final String id;
    private final ProvenKeys reader;
    private final Expirations expirations;
    private final StoredQuery.Budget budget;
    private final ArrayDeque<Filter> filters;
    /** Of what several filters have found; null with one filter, which finds each event once. */
    private final @Nullable Set<EventId> seen;

    private EventStore.@Nullable Place reached;
    private long left;
    private long count;

    /**
     * @param budget of guarded events passed over
     * @param mostRows looked at in all; a wider count is refused
     */
    CountQuery(
            String id,
            List<Filter> filters,
            ProvenKeys reader,
            Expirations expirations,
            StoredQuery.Budget budget,
            long mostRows) {
        this.id = id;
        this.reader = reader;
        this.expirations = expirations;
        this.budget = budget;
        this.filters = new ArrayDeque<>();
        for (Filter filter : filters) {
            Filter narrow = ReadGuard.narrow(filter, reader);
            if (!ReadGuard.matchesNothing(narrow)) {
                this.filters.add(narrow);
            }
        }
        this.seen = this.filters.size() > 1 ? new HashSet<>() : null;
        this.left = mostRows;
    }

    String id() {
        return id;
    }

    long count() {
        return count;
    }

    boolean isDone() {
        return filters.isEmpty();
    }

    /**
     * Looks at one page.
     *
     * @throws ProviderException {@code EXHAUSTED relay.too-wide}, and what the store throws
     */
    void turn(EventStore store) throws ProviderException {
        Filter filter = filters.element();
        Page page = new Page();
        store.query(filter.toBuilder().limit(PAGE).build(), reached, page::glance, page::visit);
        left -= page.rows;
        reached = StoredQuery.later(page.visitedAt, page.leftOutAt);
        if (page.rows < PAGE) {
            filters.remove();
            reached = null;
        }
        boolean within = page.guarded == 0 || budget.spend(page.guarded);
        if (!within || left < 0 && !filters.isEmpty()) {
            throw new ProviderException(
                    Kind.EXHAUSTED, StoredQuery.TOO_WIDE, "Too many events match; name kinds, authors or a time.");
        }
    }

    /** What one call to the store brings. */
    private final class Page {
        private int rows;
        private int guarded;
        private EventStore.@Nullable Place visitedAt;
        private EventStore.@Nullable Place leftOutAt;

        /** What nobody unknown may have is not read. */
        boolean glance(EventStore.Place place, int kind) {
            if (ReadGuard.mayRead(kind, reader)) {
                return true;
            }
            rows++;
            guarded++;
            leftOutAt = place;
            return false;
        }

        boolean visit(Event event) {
            rows++;
            visitedAt = EventStore.Place.of(event);
            if (!ReadGuard.mayRead(event, reader)) {
                guarded++;
            } else if (!expirations.isExpired(event) && (seen == null || seen.add(event.id()))) {
                count++;
            }
            return true;
        }
    }
}
