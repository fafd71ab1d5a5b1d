package im.parley.storage.lmdb;

/** One of the tables of an environment: constants of an enum, in a fixed order. */
interface Table {
    int ordinal();

    String name();
}
