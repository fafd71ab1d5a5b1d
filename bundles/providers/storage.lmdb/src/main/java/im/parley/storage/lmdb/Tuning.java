package im.parley.storage.lmdb;

/** Ranges of what an operator may set. */
final class Tuning {
    static final int MOST_GIB = 16_384;

    private Tuning() {}

    /** @throws IllegalArgumentException naming the value and its range, for the operator */
    static int checked(String pid, String key, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(
                    pid + ": " + key + " is " + value + " but must be between " + least + " and " + most);
        }
        return value;
    }

    static long mapBytes(String pid, int mapSizeGib) {
        return (long) checked(pid, "mapSizeGiB", mapSizeGib, 1, MOST_GIB) << 30;
    }
}
