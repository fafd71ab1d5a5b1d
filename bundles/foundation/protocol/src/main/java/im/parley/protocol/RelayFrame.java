package im.parley.protocol;

import im.parley.api.event.Event;
import im.parley.api.event.EventId;

/** What a relay says to a client (NIP-01, 42, 45). */
public sealed interface RelayFrame {
    /** {@code ["EVENT", sub, event]}; id and signature are not yet checked. */
    record Deliver(String subscription, Event event) implements RelayFrame {}

    /** {@code ["OK", id, accepted, message]}. */
    record Ok(EventId id, boolean accepted, String message) implements RelayFrame {}

    /** {@code ["EOSE", sub]}. */
    record Eose(String subscription) implements RelayFrame {}

    /** {@code ["CLOSED", sub, message]}. */
    record Closed(String subscription, String message) implements RelayFrame {}

    /** {@code ["NOTICE", message]}. */
    record Notice(String message) implements RelayFrame {}

    /** {@code ["AUTH", challenge]}. */
    record Challenge(String challenge) implements RelayFrame {}

    /** {@code ["COUNT", id, {"count": n}]}. */
    record Counted(String query, long count) implements RelayFrame {}

    /** A well-formed array with a first word nobody knows. */
    record Unknown(String verb) implements RelayFrame {}
}
