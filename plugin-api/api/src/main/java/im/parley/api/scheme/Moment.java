package im.parley.api.scheme;

/**
 * Time and randomness of one input.
 *
 * @param epochMillis the node's clock when the input was made
 * @param seed 32 fresh random bytes, kept with the input so that a replay sees the same; not copied
 */
public record Moment(long epochMillis, byte[] seed) {
    public Moment {
        if (seed.length != 32) {
            throw new IllegalArgumentException("a seed has 32 bytes");
        }
    }

    /** Seconds since the epoch, as events carry them. */
    public long epochSeconds() {
        return Math.floorDiv(epochMillis, 1000L);
    }

    @Override
    public String toString() {
        return "Moment[" + epochMillis + "]";
    }
}
