package im.parley.outbox.internal;

import java.time.Duration;

/**
 * How patient the outbox is.
 *
 * @param retryMin first pause after a relay did not take an event; doubles, with jitter
 * @param retryMax longest pause
 * @param publishTimeout how long one answer is waited for
 * @param giveUp how long an event is offered to relays that do not answer
 */
record Settings(Duration retryMin, Duration retryMax, Duration publishTimeout, Duration giveUp) {
    /** Ephemeral wraps are of use for moments only. */
    static final Duration GIVE_UP_EPHEMERAL = Duration.ofMinutes(1);
    /** A private address waits for the user to name it, a locked key for its passphrase. */
    static final Duration PRIVATE_RETRY = Duration.ofSeconds(30);

    static final Duration SIGNER_RETRY = Duration.ofSeconds(1);
    /** A signer may ask a person first. */
    static final Duration SIGNER_PATIENCE = Duration.ofSeconds(60);

    /**
     * After that a silent signer is asked again, then after twice as long, up to {@link #SIGNER_ASKED_AT_LEAST}. A late
     * answer to an earlier question counts, so this is only for questions that were lost.
     */
    static final Duration SIGNER_ASKED_AGAIN = Duration.ofMinutes(15);

    static final Duration SIGNER_ASKED_AT_LEAST = Duration.ofHours(8);
    static final Duration STORE_RETRY = Duration.ofSeconds(1);
    static final Duration TICK = Duration.ofSeconds(1);
    /**
     * Oldest date of a wrap that is published. Readers ask from their last sync minus two days and one hour; the rest is
     * for clocks that differ and for the way.
     */
    static final Duration WRAP_WINDOW = Duration.ofDays(2).plusMinutes(30);
    /** How far a wrap may be dated ahead: a clock is set back by less all the time. */
    static final Duration CLOCK_TOLERANCE = Duration.ofMinutes(1);
    /** Messages of one lane that are wrapped before their turn; those that a relay has already do not count. */
    static final int AHEAD = 16;
    /** Wraps being made at once in one circle. */
    static final int PREPARING = 32;
    /** Of them, those of one sender: a signer that never answers shall leave room for the others. */
    static final int PREPARING_EACH = 8;
    /** Events at relays without an answer at once in one circle. */
    static final int IN_FLIGHT = 256;
    /** Tasks written in one transaction, and read in one scan. */
    static final int BATCH = 200;
}
