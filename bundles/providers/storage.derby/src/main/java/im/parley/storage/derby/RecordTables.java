package im.parley.storage.derby;

import java.util.List;

/**
 * The tables of records. Spaces have numbers that are never used again, so that the remains of a destroyed one can be
 * cleared away after it is gone. Derby walks an index forwards only, so there is one for each direction.
 */
final class RecordTables {
    /** The longest value kept in the row itself; the longest that Derby allows there. */
    static final int INLINE_BYTES = 32_672;

    private static final List<String> STATEMENTS = List.of(
            "CALL SYSCS_UTIL.SYSCS_SET_DATABASE_PROPERTY('derby.storage.pageSize', '" + Tuning.PAGE_BYTES + "')",
            "CREATE TABLE meta (format INTEGER NOT NULL, next_space INTEGER NOT NULL)",
            "INSERT INTO meta VALUES (1, 1)",
            "CREATE TABLE spaces (space_number INTEGER NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL UNIQUE,"
                    + " commit_seq BIGINT NOT NULL)",
            "CREATE TABLE destroyed (space_number INTEGER NOT NULL PRIMARY KEY)",
            "CREATE TABLE record (space_number INTEGER NOT NULL, record_key VARCHAR(" + RecordKeys.MOST_BYTES
                    + ") FOR BIT DATA NOT NULL, short_value VARCHAR(" + INLINE_BYTES
                    + ") FOR BIT DATA, long_value BLOB, CONSTRAINT record_forwards PRIMARY KEY (space_number, record_key))",
            "CREATE INDEX record_backwards ON record (space_number, record_key DESC)");

    static final Schema SCHEMA = new Schema(STATEMENTS, List.of());

    static final String META = "SELECT next_space FROM meta";
    static final String NEXT_SPACE = "UPDATE meta SET next_space = next_space + 1";
    static final String SPACE = "SELECT space_number, commit_seq FROM spaces WHERE name = ?";
    static final String SPACE_BY_NUMBER = "SELECT commit_seq FROM spaces WHERE space_number = ?";
    static final String SPACES = "SELECT name FROM spaces";
    static final String ADD_SPACE = "INSERT INTO spaces VALUES (?, ?, 0)";
    static final String SET_SEQ = "UPDATE spaces SET commit_seq = ? WHERE space_number = ?";
    static final String DROP_SPACE = "DELETE FROM spaces WHERE space_number = ?";
    static final String ADD_DESTROYED = "INSERT INTO destroyed VALUES (?)";
    static final String DESTROYED = "SELECT space_number FROM destroyed";
    static final String DROP_DESTROYED = "DELETE FROM destroyed WHERE space_number = ?";

    private static final String FORWARDS =
            " FROM record --DERBY-PROPERTIES constraint=RECORD_FORWARDS\n WHERE space_number = ?";
    private static final String BACKWARDS =
            " FROM record --DERBY-PROPERTIES index=RECORD_BACKWARDS\n WHERE space_number = ?";
    private static final String FIRST = " FETCH FIRST ? ROWS ONLY";

    static final String GET = "SELECT short_value, long_value" + FORWARDS + " AND record_key = ?";
    static final String UPDATE =
            "UPDATE record SET short_value = ?, long_value = ? WHERE space_number = ? AND record_key = ?";
    static final String INSERT =
            "INSERT INTO record (short_value, long_value, space_number, record_key) VALUES (?, ?, ?, ?)";
    static final String DELETE = "DELETE FROM record WHERE space_number = ? AND record_key = ?";
    static final String DELETE_UP_TO = "DELETE FROM record WHERE space_number = ? AND record_key <= ?";
    static final String KEYS = "SELECT record_key" + FORWARDS + " ORDER BY space_number, record_key" + FIRST;

    private static final String ENTRIES = "SELECT record_key, short_value, long_value";
    private static final String UP = " ORDER BY space_number, record_key" + FIRST;
    private static final String DOWN = " ORDER BY space_number, record_key DESC" + FIRST;

    private RecordTables() {}

    /** Parameters: space, from, to if there is one, limit. */
    static String range(boolean reverse, boolean bounded) {
        if (reverse) {
            return bounded ? REVERSE_BOUNDED : REVERSE_OPEN;
        }
        return bounded ? RANGE_BOUNDED : RANGE_OPEN;
    }

    private static final String RANGE_OPEN = ENTRIES + FORWARDS + " AND record_key >= ?" + UP;
    private static final String RANGE_BOUNDED = ENTRIES + FORWARDS + " AND record_key >= ? AND record_key < ?" + UP;
    private static final String REVERSE_OPEN = ENTRIES + BACKWARDS + " AND record_key >= ?" + DOWN;
    private static final String REVERSE_BOUNDED =
            ENTRIES + BACKWARDS + " AND record_key >= ? AND record_key < ?" + DOWN;
}
