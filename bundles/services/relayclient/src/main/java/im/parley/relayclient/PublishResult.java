package im.parley.relayclient;

/**
 * What became of a published event at one relay.
 *
 * @param state see {@link State}
 * @param message the relay's text after OK, or our code such as {@code egress.refused}; may be empty
 */
public record PublishResult(State state, String message) {
    /** Coarse enough to act on. */
    public enum State {
        /** OK true, also with {@code duplicate:}. */
        ACCEPTED,
        /** OK false for good: {@code invalid}, {@code blocked}, {@code restricted}, {@code pow}. */
        REFUSED,
        /** Try again: no connection, no OK in time, {@code rate-limited}, {@code error}. It may or may not be there. */
        UNKNOWN
    }
}
