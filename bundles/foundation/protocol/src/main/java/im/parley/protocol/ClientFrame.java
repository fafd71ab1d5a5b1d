package im.parley.protocol;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import java.util.List;

/** What a client says to a relay (NIP-01, 42, 45, 77). */
public sealed interface ClientFrame {
    /** {@code ["EVENT", event]}; id and signature are not yet checked. */
    record Publish(Event event) implements ClientFrame {}

    /** {@code ["REQ", sub, filter...]}, 1 or more filters. */
    record Req(String subscription, List<Filter> filters) implements ClientFrame {
        public Req {
            filters = List.copyOf(filters);
        }
    }

    /** {@code ["CLOSE", sub]}. */
    record Close(String subscription) implements ClientFrame {}

    /** {@code ["AUTH", event]}; not yet checked. */
    record Auth(Event event) implements ClientFrame {}

    /** {@code ["COUNT", id, filter...]}. */
    record Count(String query, List<Filter> filters) implements ClientFrame {
        public Count {
            filters = List.copyOf(filters);
        }
    }

    /** {@code ["NEG-OPEN"|"NEG-MSG"|"NEG-CLOSE", sub, ...]}; the rest is not read yet. */
    record Negentropy(String verb, String subscription) implements ClientFrame {}

    /** A well-formed array with a first word nobody knows. */
    record Unknown(String verb) implements ClientFrame {}
}
