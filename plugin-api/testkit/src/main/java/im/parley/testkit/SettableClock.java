package im.parley.testkit;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/** A clock that stands still until a test moves it, in either direction. Thread-safe. */
public final class SettableClock implements InstantSource {
    private volatile Instant now;

    public SettableClock(Instant start) {
        now = start;
    }

    /** Starts at that many seconds since the epoch. */
    public static SettableClock atSecond(long epochSecond) {
        return new SettableClock(Instant.ofEpochSecond(epochSecond));
    }

    @Override
    public Instant instant() {
        return now;
    }

    public synchronized void set(Instant instant) {
        now = instant;
    }

    /** Moves the clock; a negative step turns it back. */
    public synchronized void advance(Duration step) {
        now = now.plus(step);
    }

    /** Seconds since the epoch, as {@code created_at} has them. */
    public long epochSecond() {
        return now.getEpochSecond();
    }
}
