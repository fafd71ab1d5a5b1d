package im.parley.relay.internal;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.api.storage.EventStore;
import im.parley.api.storage.Tombstone;
import im.parley.protocol.Address;
import im.parley.protocol.Kinds;
import im.parley.protocol.ProtocolException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a deletion request (NIP-09) does to the store. Targets by id are buried, so they stay away; of targets by address
 * the version at hand is, and older ones are kept away by the request itself, which is stored for ever. Whom a tombstone
 * works against is {@link Tombstone#forbids}. The tag {@code k} tells others what was deleted and has no say here.
 */
final class Deletion {
    /** Of versions that one request may make the store look at; the writer has others to serve. */
    private static final int MOST_LOOKED_AT = 5_000;

    private Deletion() {}

    /** The request and what follows from it, as one batch; the first item is the request. */
    static List<Batch.Item> batch(EventStore store, Event request, long receivedAtMillis) throws ProviderException {
        Set<EventId> targets = new LinkedHashSet<>();
        for (String id : request.tagValues("e")) {
            try {
                targets.add(EventId.ofHex(id));
            } catch (IllegalArgumentException e) {
                // The grammar refuses these; one more would have no target.
                continue;
            }
        }
        Set<Address> addresses = new LinkedHashSet<>();
        for (String coordinates : request.tagValues("a")) {
            address(coordinates, request).ifPresent(addresses::add);
        }
        int left = MOST_LOOKED_AT;
        for (Address address : addresses) {
            left = findVersion(store, address, request.createdAt(), left, targets);
        }
        List<Batch.Item> items = new ArrayList<>();
        items.add(new Batch.Item.Put(request, receivedAtMillis));
        for (EventId target : targets) {
            items.add(new Batch.Item.Bury(new Tombstone(target, request.pubkey()), receivedAtMillis));
        }
        return items;
    }

    /** Of the request's author only; a replaceable kind also without the colon that ends its address. */
    private static Optional<Address> address(String coordinates, Event request) {
        try {
            Address address = Address.parse(
                    coordinates.indexOf(':') == coordinates.lastIndexOf(':') ? coordinates + ":" : coordinates);
            return address.pubkey().equals(request.pubkey()) ? Optional.of(address) : Optional.empty();
        } catch (ProtocolException e) {
            // Names nothing that could be here.
            return Optional.empty();
        }
    }

    /**
     * Adds the version at hand to the targets.
     *
     * @return how much is left
     * @throws ProviderException {@code REJECTED relay.too-wide} if nothing is, and what the store throws
     */
    private static int findVersion(EventStore store, Address address, long until, int left, Set<EventId> targets)
            throws ProviderException {
        Filter.Builder versions = Filter.builder()
                .kinds(List.of(address.kind()))
                .authors(List.of(address.pubkey()))
                .until(until);
        if (!address.identifier().isEmpty()) {
            versions.tag('d', List.of(address.identifier()));
        }
        int[] looked = new int[1];
        store.query(versions.build(), event -> {
            looked[0]++;
            boolean found = Kinds.address(event).equals(Optional.of(address));
            if (found) {
                targets.add(event.id());
            }
            return !found && looked[0] < left;
        });
        if (looked[0] >= left) {
            throw new ProviderException(
                    Kind.REJECTED,
                    StoredQuery.TOO_WIDE,
                    "This request matches too many events. Delete fewer addresses in one, or name events by id.");
        }
        return left - looked[0];
    }

    /** Whether a version of something replaceable was deleted by its address. */
    static boolean isDeleted(EventStore store, Event event) throws ProviderException {
        Optional<Address> address = Kinds.address(event);
        if (address.isEmpty()) {
            return false;
        }
        Address where = address.get();
        List<String> spellings = new ArrayList<>();
        spellings.add(where.coordinate());
        if (Kinds.isReplaceable(where.kind())) {
            spellings.add(where.kind() + ":" + where.pubkey().hex());
        }
        boolean[] found = new boolean[1];
        store.query(
                Filter.builder()
                        .kinds(List.of(Kinds.DELETION))
                        .authors(List.of(where.pubkey()))
                        .tag('a', spellings)
                        .since(event.createdAt())
                        .limit(1)
                        .build(),
                request -> {
                    found[0] = true;
                    return false;
                });
        return found[0];
    }
}
