package im.parley.storage.lmdb;

/**
 * The tables of events. {@link #META} aside, numbers are big-endian, so that LMDB's order of bytes is theirs.
 *
 * <p>The order of queries is a part of each index key: 2^63-1 minus {@code created_at} (8 bytes), then the id (32 bytes), that
 * is newest first and ties by lowest id (NIP-01). The value of an index entry is the position (8 bytes) and the kind (2
 * bytes): so an entry alone tells place and kind, and the event is read only if it is wanted. Authors and tag values are
 * keyed 64-bit hashes; hashes may collide, so who reads by them compares the event.
 */
enum EventTable implements Table {
    META,
    /** Position to the sealed event or tombstone. */
    ROW,
    /** Id to {@link EventKeys.Found}. */
    ID,
    /** Order. */
    TIME,
    /** Kind (2), order. */
    KIND,
    /** Hash of the author (8), order. */
    AUTHOR,
    /** Hash of the author (8), kind (2), order. */
    AUTHOR_KIND,
    /** Letter (1), hash of the first value (8), order. Under the letter 0: addresses of replaceable events. */
    TAG,
    /** Hash of the target (8), position (8) of a tombstone, to nothing. */
    GRAVE;

    static final int FORMAT = 1;
}
