package im.parley.messenger.internal;

import im.parley.api.lifecycle.ProviderException;
import im.parley.outbox.RecordInput;
import im.parley.outbox.RecordOutput;
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Where somebody can be written to, as last seen.
 *
 * @param relays inbox relays of her newest list, at most {@value #MAX_RELAYS}
 * @param hints relays the user got with her address; asked, never written to
 * @param listedAt created_at of that list; 0 if none was seen
 * @param listId hex id of that list, for the tie-break; empty if none was seen
 * @param askedAt epoch milliseconds of the last answer by any relay; 0 if there was none
 */
record Peer(List<URI> relays, List<URI> hints, long listedAt, String listId, long askedAt) {
    static final int MAX_RELAYS = 5;
    static final Peer UNKNOWN = new Peer(List.of(), List.of(), 0, "", 0);

    private static final int VERSION = 1;

    Peer {
        relays = List.copyOf(relays);
        hints = List.copyOf(hints);
    }

    /** With these hints first, and not more than there is use for. */
    Peer hinted(List<URI> more) {
        Set<URI> all = new LinkedHashSet<>(more);
        all.addAll(hints);
        return new Peer(relays, all.stream().limit(MAX_RELAYS).toList(), listedAt, listId, askedAt);
    }

    byte[] write() throws ProviderException {
        return new RecordOutput(VERSION)
                .texts(relays.stream().map(URI::toString).toList())
                .texts(hints.stream().map(URI::toString).toList())
                .number(listedAt)
                .text(listId)
                .number(askedAt)
                .done();
    }

    static Peer read(byte[] value) throws ProviderException {
        RecordInput in = new RecordInput(value, VERSION);
        return new Peer(urls(in.texts()), urls(in.texts()), in.number(), in.text(), in.number());
    }

    private static List<URI> urls(List<String> texts) {
        List<URI> urls = new ArrayList<>();
        for (String text : texts) {
            urls.add(URI.create(text));
        }
        return urls;
    }
}
