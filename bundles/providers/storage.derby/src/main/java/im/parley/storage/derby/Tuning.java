package im.parley.storage.derby;

/**
 * How much Derby may use for one database.
 *
 * @param pageCachePages pages of 4 KiB kept in memory
 * @param checkpointBytes log written between two checkpoints; after a crash at most about this much is replayed
 */
record Tuning(int pageCachePages, int checkpointBytes) {
    /**
     * A kill does not cut a write of one page of memory in two, but one of two pages it can, and Derby cannot mend a page
     * that is half old and half new.
     */
    static final int PAGE_BYTES = 4_096;

    static final int MIN_PAGES = 40;
    static final int MAX_PAGES = 200_000;
    static final int MIN_CHECKPOINT = 1 << 20;
    static final int MAX_CHECKPOINT = 128_000_000;

    /** @throws IllegalArgumentException naming the value and its range, for the operator */
    static Tuning checked(String pid, int pageCacheSize, int checkpointIntervalBytes) {
        checkRange(pid, "pageCacheSize", pageCacheSize, MIN_PAGES, MAX_PAGES);
        checkRange(pid, "checkpointIntervalBytes", checkpointIntervalBytes, MIN_CHECKPOINT, MAX_CHECKPOINT);
        return new Tuning(pageCacheSize, checkpointIntervalBytes);
    }

    static void checkRange(String pid, String key, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(
                    pid + ": " + key + " is " + value + " but must be between " + least + " and " + most);
        }
    }
}
