package im.parley.policy.limits;

/**
 * A right to so much at once and so much per minute, as the generic cell rate algorithm counts it: one time stamp tells how
 * far ahead of its rate somebody is. Immutable.
 *
 * @param microsEach time that one unit takes at the long-run rate
 * @param ahead how far ahead of its rate somebody may be, in microseconds
 */
record Budget(long microsEach, long ahead) {
    private static final long MINUTE = 60_000_000;
    /** Told instead of a new time stamp. */
    static final long REFUSED = Long.MIN_VALUE;

    static Budget of(int perMinute, int atOnce) {
        long each = Math.max(1, MINUTE / perMinute);
        return new Budget(each, each * atOnce);
    }

    /**
     * The time stamp once so many units were taken, or {@link #REFUSED} if that is too much now.
     *
     * @param stamp what the last call answered; anything in the past at first
     * @param now in microseconds
     */
    long take(long stamp, long units, long now) {
        // Nobody gets further ahead than that: the clock was turned back, and counting begins anew.
        long from = stamp > now + ahead ? now : Math.max(stamp, now);
        long next = from + units * microsEach;
        return next - now > ahead ? REFUSED : next;
    }
}
