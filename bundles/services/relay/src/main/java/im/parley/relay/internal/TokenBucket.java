package im.parley.relay.internal;

/**
 * A right to so much at once and so much per second. A clock that is turned back only stops the refilling. Thread-safe.
 */
final class TokenBucket {
    private static final long MILLI = 1_000;

    private final long most;
    private final long perSecond;
    private long thousandths;
    private long refilledAt;

    /** @param burst what it holds, and holds at first */
    TokenBucket(long burst, long perSecond, long nowMillis) {
        this.most = burst * MILLI;
        this.perSecond = perSecond;
        thousandths = most;
        refilledAt = nowMillis;
    }

    /** Takes that many, or none if there are fewer. */
    synchronized boolean take(long count, long nowMillis) {
        refill(nowMillis);
        if (thousandths < count * MILLI) {
            return false;
        }
        thousandths -= count * MILLI;
        return true;
    }

    /** Charges what was used already, on credit if need be; false if it is overdrawn now. */
    synchronized boolean spend(long count, long nowMillis) {
        refill(nowMillis);
        thousandths = Math.max(-most, thousandths - count * MILLI);
        return thousandths >= 0;
    }

    private void refill(long nowMillis) {
        long passed = nowMillis - refilledAt;
        refilledAt = nowMillis;
        if (passed > 0) {
            // Capped first, so that a clock that leaps does not overflow.
            long enough = (most - thousandths) / perSecond + 1;
            thousandths = Math.min(most, thousandths + Math.min(passed, enough) * perSecond);
        }
    }
}
