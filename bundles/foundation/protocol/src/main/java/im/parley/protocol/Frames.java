package im.parley.protocol;

import com.fasterxml.jackson.core.JsonToken;
import im.parley.api.event.Event;
import im.parley.api.event.EventId;
import im.parley.api.event.Filter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Reads and writes the text frames between clients and relays (NIP-01, 42, 45; of 77 only enough to refuse it).
 *
 * <p>A frame is a JSON array with a word in front. Frames from clients have exactly the elements the NIPs name; behind those
 * of frames from relays more may follow and is not looked at, because newer NIPs append there. An unknown word is no fault:
 * it comes back as {@code Unknown}. Events are read by {@link EventReader}'s rules and are not verified. Subscription ids
 * have 1 to 64 characters.
 *
 * <p>Stateless and thread-safe. Writers give one line of compact JSON.
 */
public final class Frames {
    private static final int MAX_VERB = 32;
    private static final int MAX_SUBSCRIPTION = 64;
    private static final String SUBSCRIPTION = "a subscription id is a string of 1 to 64 characters";

    private Frames() {}

    /** Reads a client's frame under {@link GrammarLimits#RELAY}. */
    public static ClientFrame readClient(String frame) throws MalformedFrameException {
        return readClient(frame, GrammarLimits.RELAY);
    }

    /**
     * Reads a client's frame.
     *
     * @throws MalformedFrameException with the answer to give
     */
    public static ClientFrame readClient(String frame, GrammarLimits limits) throws MalformedFrameException {
        try (Json reader = Json.open(frame, limits.maxBytes())) {
            String verb = verb(reader);
            ClientFrame read = client(verb, reader, limits);
            reader.end();
            return read;
        } catch (ProtocolException e) {
            throw malformed(e, frame, limits);
        }
    }

    private static ClientFrame client(String verb, Json reader, GrammarLimits limits) throws ProtocolException {
        switch (verb) {
            case "EVENT", "AUTH" -> {
                reader.next();
                Event event = EventReader.event(reader, limits);
                last(reader);
                return verb.equals("EVENT") ? new ClientFrame.Publish(event) : new ClientFrame.Auth(event);
            }
            case "REQ" -> {
                String subscription = subscription(reader);
                return new ClientFrame.Req(subscription, filters(reader, limits));
            }
            case "COUNT" -> {
                String query = subscription(reader);
                return new ClientFrame.Count(query, filters(reader, limits));
            }
            case "CLOSE" -> {
                String subscription = subscription(reader);
                last(reader);
                return new ClientFrame.Close(subscription);
            }
            case "NEG-OPEN", "NEG-MSG", "NEG-CLOSE" -> {
                String subscription = subscription(reader);
                rest(reader);
                return new ClientFrame.Negentropy(verb, subscription);
            }
            default -> {
                rest(reader);
                return new ClientFrame.Unknown(verb);
            }
        }
    }

    /** Reads a relay's frame under {@link GrammarLimits#CLIENT}. */
    public static RelayFrame readRelay(String frame) throws ProtocolException {
        return readRelay(frame, GrammarLimits.CLIENT);
    }

    /** Reads a relay's frame. A missing message of OK or CLOSED is read as an empty one. */
    public static RelayFrame readRelay(String frame, GrammarLimits limits) throws ProtocolException {
        try (Json reader = Json.open(frame, limits.maxBytes())) {
            String verb = verb(reader);
            RelayFrame read = relay(verb, reader, limits);
            rest(reader);
            reader.end();
            return read;
        }
    }

    private static RelayFrame relay(String verb, Json reader, GrammarLimits limits) throws ProtocolException {
        return switch (verb) {
            case "EVENT" -> {
                String subscription = subscription(reader);
                reader.next();
                yield new RelayFrame.Deliver(subscription, EventReader.event(reader, limits));
            }
            case "OK" -> {
                reader.next();
                EventId id = reader.eventId();
                reader.next();
                boolean accepted = reader.at(JsonToken.VALUE_TRUE);
                if (!accepted && !reader.at(JsonToken.VALUE_FALSE)) {
                    throw reader.wrong("frame", "OK has true or false behind the id");
                }
                yield new RelayFrame.Ok(id, accepted, message(reader));
            }
            case "EOSE" -> new RelayFrame.Eose(subscription(reader));
            case "CLOSED" -> {
                String subscription = subscription(reader);
                yield new RelayFrame.Closed(subscription, message(reader));
            }
            case "NOTICE" -> new RelayFrame.Notice(message(reader));
            case "AUTH" -> {
                reader.next();
                String challenge = reader.string("frame", "a challenge is a string");
                if (challenge.isEmpty()) {
                    throw new ProtocolException("frame", "a challenge is not empty");
                }
                yield new RelayFrame.Challenge(challenge);
            }
            case "COUNT" -> {
                String query = subscription(reader);
                yield new RelayFrame.Counted(query, count(reader));
            }
            default -> new RelayFrame.Unknown(verb);
        };
    }

    /** Reads one filter under {@link GrammarLimits#RELAY}. */
    public static Filter readFilter(String json) throws ProtocolException {
        try (Json reader = Json.open(json, GrammarLimits.RELAY.maxBytes())) {
            reader.next();
            Filter filter = FilterReader.filter(reader, GrammarLimits.RELAY);
            reader.end();
            return filter;
        }
    }

    private static String verb(Json reader) throws ProtocolException {
        reader.expect(JsonToken.START_ARRAY, "frame", "a frame is a JSON array");
        reader.next();
        String verb = reader.string("frame", "a frame begins with a word");
        if (verb.isEmpty() || verb.length() > MAX_VERB) {
            throw new ProtocolException("frame", "a frame begins with a word of 1 to " + MAX_VERB + " characters");
        }
        return verb;
    }

    private static String subscription(Json reader) throws ProtocolException {
        reader.next();
        String subscription = reader.string("subscription", SUBSCRIPTION);
        if (subscription.isEmpty() || subscription.length() > MAX_SUBSCRIPTION) {
            throw new ProtocolException("subscription", SUBSCRIPTION);
        }
        return subscription;
    }

    private static List<Filter> filters(Json reader, GrammarLimits limits) throws ProtocolException {
        List<Filter> filters = new ArrayList<>();
        while (reader.next() != JsonToken.END_ARRAY) {
            if (filters.size() == limits.maxFilters()) {
                throw new ProtocolException("filter", "a frame may have " + limits.maxFilters() + " filters at most");
            }
            filters.add(FilterReader.filter(reader, limits));
        }
        if (filters.isEmpty()) {
            throw new ProtocolException("filter", "a REQ or COUNT has at least one filter");
        }
        return filters;
    }

    private static String message(Json reader) throws ProtocolException {
        if (reader.next() == JsonToken.END_ARRAY) {
            return "";
        }
        return reader.string("frame", "a message is a string");
    }

    private static long count(Json reader) throws ProtocolException {
        reader.expect(JsonToken.START_OBJECT, "frame", "COUNT has an object behind the query id");
        long count = -1;
        Set<String> seen = new TreeSet<>();
        while (reader.next() != JsonToken.END_OBJECT) {
            String name = reader.name();
            if (!seen.add(name)) {
                throw Json.duplicate();
            }
            if (name.equals("count")) {
                count = reader.nextInteger(Json.MAX_INTEGER, "frame", "a count is a whole number, digits only");
            } else {
                reader.next();
                reader.skip();
            }
        }
        if (count < 0) {
            throw new ProtocolException("missing-field", "COUNT has no count");
        }
        return count;
    }

    private static void last(Json reader) throws ProtocolException {
        if (reader.next() != JsonToken.END_ARRAY) {
            throw reader.wrong("frame", "the frame has more elements than it should");
        }
    }

    private static void rest(Json reader) throws ProtocolException {
        if (reader.at(JsonToken.END_ARRAY)) {
            return;
        }
        while (reader.next() != JsonToken.END_ARRAY) {
            reader.skip();
        }
    }

    /** Reads a second time, as far as the grammar goes, for the id that the answer must name. */
    private static MalformedFrameException malformed(ProtocolException fault, String frame, GrammarLimits limits) {
        EventId event = null;
        String subscription = null;
        try (Json reader = Json.open(frame, limits.maxBytes())) {
            switch (verb(reader)) {
                case "EVENT", "AUTH" -> event = firstId(reader);
                case "REQ", "COUNT", "CLOSE", "NEG-OPEN", "NEG-MSG", "NEG-CLOSE" -> subscription = subscription(reader);
                default -> {}
            }
        } catch (ProtocolException unreadable) {
            // Then the answer is a notice.
        }
        return new MalformedFrameException(fault, event, subscription);
    }

    private static @Nullable EventId firstId(Json reader) throws ProtocolException {
        if (reader.next() != JsonToken.START_OBJECT) {
            return null;
        }
        while (reader.next() != JsonToken.END_OBJECT) {
            boolean id = reader.name().equals("id");
            reader.next();
            if (id) {
                return reader.eventId();
            }
            reader.skip();
        }
        return null;
    }

    /** {@code ["EVENT", event]}, client to relay. */
    public static String publish(Event event) {
        return event("[\"EVENT\",", event);
    }

    /** {@code ["AUTH", event]}, client to relay. */
    public static String auth(Event event) {
        return event("[\"AUTH\",", event);
    }

    private static String event(String head, Event event) {
        JsonBytes out =
                new JsonBytes(420 + event.content().length() + 80 * event.tags().size());
        EventWriter.write(out.ascii(head), event);
        return out.ascii(']').toString();
    }

    /**
     * {@code ["REQ", sub, filter...]}, client to relay. The same filter is always written the same way.
     *
     * @throws IllegalArgumentException for no filter or an illegal subscription id
     */
    public static String req(String subscription, List<Filter> filters) {
        if (filters.isEmpty()) {
            throw new IllegalArgumentException("a REQ has at least one filter");
        }
        JsonBytes out = head("[\"REQ\",", subscription);
        for (Filter filter : filters) {
            filter(out.ascii(','), filter);
        }
        return out.ascii(']').toString();
    }

    /** {@code ["CLOSE", sub]}, client to relay. */
    public static String close(String subscription) {
        return head("[\"CLOSE\",", subscription).ascii(']').toString();
    }

    /** {@code ["EVENT", sub, event]}, relay to client. */
    public static String deliver(String subscription, Event event) {
        JsonBytes out = head("[\"EVENT\",", subscription).ascii(',');
        EventWriter.write(out, event);
        return out.ascii(']').toString();
    }

    /**
     * {@code ["EVENT", sub, event]}, relay to client.
     *
     * @param eventJson written by {@link EventWriter}; it is copied as it is
     */
    public static String deliverRaw(String subscription, String eventJson) {
        return head("[\"EVENT\",", subscription) + "," + eventJson + "]";
    }

    /** {@code ["OK", id, accepted, message]}, relay to client. */
    public static String ok(EventId id, boolean accepted, String message) {
        JsonBytes out = new JsonBytes(100 + message.length());
        out.ascii("[\"OK\",\"").hex(id.bytes()).ascii(accepted ? "\",true," : "\",false,");
        return text(out, message).ascii(']').toString();
    }

    /** {@code ["EOSE", sub]}, relay to client. */
    public static String eose(String subscription) {
        return head("[\"EOSE\",", subscription).ascii(']').toString();
    }

    /** {@code ["CLOSED", sub, message]}, relay to client. */
    public static String closed(String subscription, String message) {
        return text(head("[\"CLOSED\",", subscription).ascii(','), message)
                .ascii(']')
                .toString();
    }

    /** {@code ["COUNT", query, {"count": n}]}, relay to client (NIP-45). */
    public static String count(String query, long count) {
        return head("[\"COUNT\",", query).ascii(",{\"count\":" + count + "}]").toString();
    }

    /** {@code ["NOTICE", message]}, relay to client. */
    public static String notice(String message) {
        return text(new JsonBytes(20 + message.length()).ascii("[\"NOTICE\","), message)
                .ascii(']')
                .toString();
    }

    /** {@code ["AUTH", challenge]}, relay to client. */
    public static String challenge(String challenge) {
        return quoted(new JsonBytes(100).ascii("[\"AUTH\","), challenge)
                .ascii(']')
                .toString();
    }

    /** One filter; conditions and values in a fixed order. */
    public static String writeFilter(Filter filter) {
        JsonBytes out = new JsonBytes(128);
        filter(out, filter);
        return out.toString();
    }

    private static void filter(JsonBytes out, Filter filter) {
        out.ascii('{');
        boolean first = true;
        if (filter.ids() != null) {
            first = name(out, "ids", first);
            list(
                    out,
                    new TreeSet<>(filter.ids()),
                    id -> out.ascii('"').hex(id.bytes()).ascii('"'));
        }
        if (filter.authors() != null) {
            first = name(out, "authors", first);
            list(
                    out,
                    new TreeSet<>(filter.authors()),
                    key -> out.ascii('"').hex(key.bytes()).ascii('"'));
        }
        if (filter.kinds() != null) {
            first = name(out, "kinds", first);
            list(out, new TreeSet<>(filter.kinds()), kind -> out.number(kind));
        }
        for (Map.Entry<Character, Set<String>> condition : new TreeMap<>(filter.tags()).entrySet()) {
            first = name(out, "#" + condition.getKey(), first);
            list(out, new TreeSet<>(condition.getValue()), value -> quoted(out, value));
        }
        if (filter.since().isPresent()) {
            first = name(out, "since", first);
            out.number(filter.since().getAsLong());
        }
        if (filter.until().isPresent()) {
            first = name(out, "until", first);
            out.number(filter.until().getAsLong());
        }
        if (filter.limit().isPresent()) {
            name(out, "limit", first);
            out.number(filter.limit().getAsInt());
        }
        out.ascii('}');
    }

    private static boolean name(JsonBytes out, String name, boolean first) {
        out.ascii(first ? "\"" : ",\"").ascii(name).ascii("\":");
        return false;
    }

    private static <T> void list(JsonBytes out, Set<T> values, java.util.function.Consumer<T> writer) {
        out.ascii('[');
        boolean first = true;
        for (T value : values) {
            if (!first) {
                out.ascii(',');
            }
            first = false;
            writer.accept(value);
        }
        out.ascii(']');
    }

    private static JsonBytes head(String head, String subscription) {
        if (subscription.isEmpty() || subscription.length() > MAX_SUBSCRIPTION) {
            throw new IllegalArgumentException(SUBSCRIPTION);
        }
        return quoted(new JsonBytes(160).ascii(head), subscription);
    }

    private static JsonBytes quoted(JsonBytes out, String text) {
        try {
            return out.quoted(text);
        } catch (ProtocolException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }

    /** Text for people; a lone surrogate in it must not stop an answer, so it is replaced. */
    private static JsonBytes text(JsonBytes out, String text) {
        StringBuilder clean = new StringBuilder(text);
        for (int i = 0; i < clean.length(); i++) {
            if (Character.isSurrogate(clean.charAt(i))) {
                if (Texts.pairAt(text, i)) {
                    i++;
                } else {
                    clean.setCharAt(i, '\uFFFD');
                }
            }
        }
        return quoted(out, clean.toString());
    }
}
