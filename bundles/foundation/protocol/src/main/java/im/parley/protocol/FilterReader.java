package im.parley.protocol;

import com.fasterxml.jackson.core.JsonToken;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import im.parley.api.event.PublicKey;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads one filter. A condition that is not understood is refused, not ignored: without it the filter would match more than
 * was asked for. For one filter.
 */
final class FilterReader {
    private static final String TIME = "since and until are whole seconds, 0 to 2^53-1, digits only";

    private final Json reader;
    private final GrammarLimits limits;
    private int values;

    private FilterReader(Json reader, GrammarLimits limits) {
        this.reader = reader;
        this.limits = limits;
    }

    /** The filter whose object the reader stands on. */
    static Filter filter(Json reader, GrammarLimits limits) throws ProtocolException {
        return new FilterReader(reader, limits).filter();
    }

    private Filter filter() throws ProtocolException {
        if (!reader.at(JsonToken.START_OBJECT)) {
            throw reader.wrong("filter", "a filter is a JSON object");
        }
        Filter.Builder filter = Filter.builder();
        Set<String> seen = new HashSet<>();
        while (reader.next() != JsonToken.END_OBJECT) {
            String name = reader.name();
            if (!seen.add(name)) {
                throw Json.duplicate();
            }
            condition(filter, name);
        }
        return filter.build();
    }

    private void condition(Filter.Builder filter, String name) throws ProtocolException {
        switch (name) {
            case "ids" -> filter.ids(ids());
            case "authors" -> filter.authors(authors());
            case "kinds" -> filter.kinds(kinds());
            case "since" -> filter.since(reader.nextInteger(Json.MAX_INTEGER, "filter", TIME));
            case "until" -> filter.until(reader.nextInteger(Json.MAX_INTEGER, "filter", TIME));
            case "limit" ->
                filter.limit((int) Math.min(
                        Integer.MAX_VALUE,
                        reader.nextInteger(Json.MAX_INTEGER, "filter", "limit is a whole number, digits only")));
            default -> {
                if (name.length() != 2 || name.charAt(0) != '#' || !isLetter(name.charAt(1))) {
                    reader.next();
                    throw reader.wrong("filter", "the filter has a condition that is not known here");
                }
                filter.tag(name.charAt(1), values(name.charAt(1)));
            }
        }
    }

    private static boolean isLetter(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }

    private void array() throws ProtocolException {
        reader.expect(JsonToken.START_ARRAY, "filter", "ids, authors, kinds and tag conditions are arrays");
    }

    /** True if the array goes on with a value, which is counted. */
    private boolean more() throws ProtocolException {
        if (reader.next() == JsonToken.END_ARRAY) {
            return false;
        }
        if (++values > limits.maxFilterValues()) {
            throw new ProtocolException(
                    "filter",
                    "a filter may have " + limits.maxFilterValues() + " values in all its conditions at most");
        }
        return true;
    }

    private List<EventId> ids() throws ProtocolException {
        array();
        List<EventId> ids = new ArrayList<>();
        while (more()) {
            ids.add(reader.eventId());
        }
        return ids;
    }

    private List<PublicKey> authors() throws ProtocolException {
        array();
        List<PublicKey> authors = new ArrayList<>();
        while (more()) {
            authors.add(reader.publicKey());
        }
        return authors;
    }

    private List<Integer> kinds() throws ProtocolException {
        array();
        List<Integer> kinds = new ArrayList<>();
        while (more()) {
            kinds.add((int) reader.integer(Event.MAX_KIND, "kind", "kinds are whole numbers, 0 to 65535, digits only"));
        }
        return kinds;
    }

    private List<String> values(char letter) throws ProtocolException {
        array();
        boolean reference = letter == 'e' || letter == 'p';
        List<String> accepted = new ArrayList<>();
        while (more()) {
            String value = reader.string("filter", "the values of a tag condition are strings");
            if (reference && !Texts.isHex(value, 64)) {
                throw new ProtocolException("hex", "#e and #p ask for ids and keys of 64 lower-case hex digits");
            }
            if (!Texts.fits(value, limits.maxIndexedBytes())) {
                throw new ProtocolException(
                        "filter", "a tag value may have " + limits.maxIndexedBytes() + " bytes at most");
            }
            accepted.add(value);
        }
        return accepted;
    }
}
