package im.parley.bunker.internal;

import java.time.Instant;
import java.time.InstantSource;

/** So many at once, and so many per second after that. Thread-safe. */
final class Allowance {
    private final InstantSource clock;
    private final double burst;
    private final double perSecond;
    private double left;
    private Instant at;

    Allowance(InstantSource clock, double burst, double perSecond) {
        this.clock = clock;
        this.burst = burst;
        this.perSecond = perSecond;
        this.left = burst;
        this.at = clock.instant();
    }

    /** False if there is none left now. */
    synchronized boolean take() {
        Instant now = clock.instant();
        double seconds = Math.max(0, (now.toEpochMilli() - at.toEpochMilli()) / 1000.0);
        at = now;
        left = Math.min(burst, left + seconds * perSecond);
        if (left < 1) {
            return false;
        }
        left--;
        return true;
    }
}
