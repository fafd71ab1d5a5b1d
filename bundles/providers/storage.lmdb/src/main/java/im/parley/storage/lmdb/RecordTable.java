package im.parley.storage.lmdb;

/**
 * The tables of records. Spaces have numbers that are never used again, so that the remains of a destroyed one can be cleared
 * away after it is gone.
 */
enum RecordTable implements Table {
    META,
    /** Keyed hash of the name (16) to number, commit count and name, sealed. */
    SPACE,
    /** Number of the space (4), key (1 to 255) to the sealed value. */
    RECORD,
    /** Numbers of spaces that are destroyed but not cleared away, to nothing. */
    DESTROYED;

    static final int FORMAT = 1;
}
