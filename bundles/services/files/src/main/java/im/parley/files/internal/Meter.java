package im.parley.files.internal;

/** How fast something moves, of the last seconds, so that what is left can be told honestly. Thread-safe. */
final class Meter {
    private static final long WINDOW_NANOS = 500_000_000L;
    private static final long STALE_NANOS = 5_000_000_000L;
    private static final double NEWEST = 0.3;

    private long done;
    private long total = -1;
    private double rate;
    private long markBytes;
    private long markNanos;
    private boolean measured;

    synchronized void start(long from, long totalBytes, long nanos) {
        done = from;
        total = totalBytes;
        rate = 0;
        measured = false;
        markBytes = from;
        markNanos = nanos;
    }

    synchronized void at(long bytes, long nanos) {
        done = bytes;
        long passed = nanos - markNanos;
        if (passed >= WINDOW_NANOS) {
            double now = Math.max(0, bytes - markBytes) * 1e9 / passed;
            rate = measured ? rate * (1 - NEWEST) + now * NEWEST : now;
            measured = true;
            markBytes = bytes;
            markNanos = nanos;
        }
    }

    synchronized long done() {
        return done;
    }

    synchronized long total() {
        return total;
    }

    synchronized long bytesPerSecond(long nanos) {
        return measured && nanos - markNanos < STALE_NANOS ? (long) rate : 0;
    }

    /** -1 if nobody can say. */
    synchronized long secondsLeft(long nanos) {
        long speed = bytesPerSecond(nanos);
        return speed <= 0 || total < 0 ? -1 : (Math.max(0, total - done) + speed - 1) / speed;
    }
}
