package im.parley.relayclient.internal;

/**
 * How much of an inbox is held in memory.
 *
 * @param chunkEvents stored wraps of one sync that are held before they are handed over
 * @param chunkBytes about how much memory these may take
 * @param liveEvents live wraps that wait for a sync or for their owner
 * @param liveBytes about how much memory these may take
 */
record Bounds(int chunkEvents, long chunkBytes, int liveEvents, long liveBytes) {
    static final Bounds DEFAULT = new Bounds(20_000, 16L << 20, 5_000, 16L << 20);
}
