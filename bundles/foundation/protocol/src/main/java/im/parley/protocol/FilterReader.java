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
 * was asked for.
 */
final class FilterReader {
    private static final String TIME = "since and until are whole seconds, 0 to 2^53-1, digits only";

    private FilterReader() {}

    /** The filter whose object the reader stands on. */
    static Filter filter(Json reader, GrammarLimits limits) throws ProtocolException {
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
            condition(filter, reader, name, limits);
        }
        return filter.build();
    }

    private static void condition(Filter.Builder filter, Json reader, String name, GrammarLimits limits)
            throws ProtocolException {
        switch (name) {
            case "ids" -> filter.ids(ids(reader));
            case "authors" -> filter.authors(authors(reader));
            case "kinds" -> filter.kinds(kinds(reader));
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
                filter.tag(name.charAt(1), values(reader, name.charAt(1), limits));
            }
        }
    }

    private static boolean isLetter(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }

    private static void array(Json reader) throws ProtocolException {
        reader.expect(JsonToken.START_ARRAY, "filter", "ids, authors, kinds and tag conditions are arrays");
    }

    private static List<EventId> ids(Json reader) throws ProtocolException {
        array(reader);
        List<EventId> ids = new ArrayList<>();
        while (reader.next() != JsonToken.END_ARRAY) {
            ids.add(reader.eventId());
        }
        return ids;
    }

    private static List<PublicKey> authors(Json reader) throws ProtocolException {
        array(reader);
        List<PublicKey> authors = new ArrayList<>();
        while (reader.next() != JsonToken.END_ARRAY) {
            authors.add(reader.publicKey());
        }
        return authors;
    }

    private static List<Integer> kinds(Json reader) throws ProtocolException {
        array(reader);
        List<Integer> kinds = new ArrayList<>();
        while (reader.next() != JsonToken.END_ARRAY) {
            kinds.add((int) reader.integer(Event.MAX_KIND, "kind", "kinds are whole numbers, 0 to 65535, digits only"));
        }
        return kinds;
    }

    private static List<String> values(Json reader, char letter, GrammarLimits limits) throws ProtocolException {
        array(reader);
        boolean reference = letter == 'e' || letter == 'p';
        List<String> values = new ArrayList<>();
        while (reader.next() != JsonToken.END_ARRAY) {
            String value = reader.string("filter", "the values of a tag condition are strings");
            if (reference && !Texts.isHex(value, 64)) {
                throw new ProtocolException("hex", "#e and #p ask for ids and keys of 64 lower-case hex digits");
            }
            if (!Texts.fits(value, limits.maxIndexedBytes())) {
                throw new ProtocolException(
                        "filter", "a tag value may have " + limits.maxIndexedBytes() + " bytes at most");
            }
            values.add(value);
        }
        return values;
    }
}
