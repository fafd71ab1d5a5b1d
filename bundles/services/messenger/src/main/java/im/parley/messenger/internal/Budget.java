package im.parley.messenger.internal;

import java.time.Duration;

/** So many a second, and as many at once. Thread-safe. */
final class Budget {
    private final int each;
    private double left;
    private long at = Long.MIN_VALUE;

    Budget(int perSecond) {
        this.each = perSecond;
        this.left = perSecond;
    }

    /** @param nanoTime of a clock that never turns back */
    synchronized boolean take(long nanoTime) {
        if (at != Long.MIN_VALUE) {
            double passed = (double) (nanoTime - at) / Duration.ofSeconds(1).toNanos();
            left = Math.min(each, left + passed * each);
        }
        at = nanoTime;
        if (left < 1) {
            return false;
        }
        left--;
        return true;
    }
}
