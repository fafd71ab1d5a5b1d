package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayUrls;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Who asked to vanish from this relay (NIP-62), and up to when. The requests themselves are kept, so that what was erased
 * cannot be brought back, also after a restart. Used by the writer alone.
 */
final class Vanished {
    private static final String EVERYWHERE = "ALL_RELAYS";
    private static final int PAGE = 500;

    private final Map<PublicKey, Long> until = new HashMap<>();
    /** Whose events may still be there, because the store failed or the relay has just started. */
    private final Map<PublicKey, Long> unfinished = new HashMap<>();

    private boolean loaded;

    /** Whether a request to vanish is meant for a relay with these addresses. */
    static boolean isFor(Event request, Set<URI> urls) {
        for (String relay : request.tagValues("relay")) {
            if (relay.equals(EVERYWHERE)) {
                return true;
            }
            try {
                if (urls.contains(RelayUrls.normalise(relay))) {
                    return true;
                }
            } catch (ProtocolException e) {
                // Not an address, so not ours.
                continue;
            }
        }
        return false;
    }

    /** Reads the requests that are kept, once. */
    void load(EventStore store) throws ProviderException {
        if (!loaded) {
            // One at a time: anybody may have sent any number of large ones.
            store.query(Filter.builder().kinds(List.of(Kinds.VANISH)).build(), request -> {
                remember(request);
                return true;
            });
            loaded = true;
        }
    }

    /** Removes what was asked for and is still there, also after a failure or a crash; nothing if all is done. */
    void erase(EventStore store) throws ProviderException {
        for (Map.Entry<PublicKey, Long> each : List.copyOf(unfinished.entrySet())) {
            erase(store, each.getKey(), each.getValue());
            unfinished.remove(each.getKey());
        }
    }

    /** Whether {@link #load} or {@link #erase} have something to do. */
    boolean isBehind() {
        return !loaded || !unfinished.isEmpty();
    }

    private void remember(Event request) {
        unfinished.put(request.pubkey(), until.merge(request.pubkey(), request.createdAt(), Math::max));
    }

    /** Whether an event is one that its author, or whom it is wrapped for, had erased. */
    boolean forbids(Event event) {
        if (until.isEmpty() || event.kind() == Kinds.VANISH) {
            return false;
        }
        if (isBefore(event, event.pubkey())) {
            return true;
        }
        if (event.kind() != Kinds.GIFT_WRAP) {
            return false;
        }
        for (String recipient : event.tagValues("p")) {
            try {
                if (isBefore(event, PublicKey.ofHex(recipient))) {
                    return true;
                }
            } catch (IllegalArgumentException e) {
                // Not a key, so nobody who could have vanished.
                continue;
            }
        }
        return false;
    }

    private boolean isBefore(Event event, PublicKey key) {
        Long end = until.get(key);
        return end != null && event.createdAt() <= end;
    }

    /** To be called once the request is stored; {@link #erase} does the work. */
    void vanish(Event request) {
        remember(request);
    }

    private static void erase(EventStore store, PublicKey key, long until) throws ProviderException {
        erase(store, Filter.builder().authors(List.of(key)).until(until));
        erase(
                store,
                Filter.builder()
                        .kinds(List.of(Kinds.GIFT_WRAP))
                        .tag('p', List.of(key.hex()))
                        .until(until));
    }

    private static void erase(EventStore store, Filter.Builder what) throws ProviderException {
        Filter filter = what.build();
        while (true) {
            List<Batch.Item> page = new ArrayList<>();
            store.query(filter, event -> {
                if (event.kind() != Kinds.VANISH) {
                    page.add(new Batch.Item.Remove(event.id()));
                }
                return page.size() < PAGE;
            });
            if (page.isEmpty()) {
                return;
            }
            store.commit(new Batch(page));
        }
    }
}
