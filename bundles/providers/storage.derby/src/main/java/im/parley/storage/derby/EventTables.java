package im.parley.storage.derby;

import im.parley.api.event.EventId;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The tables of events and how they are read.
 *
 * <p>An index entry costs as much as a row, so there are few: an event has its position, a narrow id, and four orders
 * (all, by kind, by author, by author and kind); each tag has one row and one entry. Keys are narrow prefixes or hashes;
 * who reads by them compares the event itself. Every order ends in {@link OrderKey}, so a query seeks to where it goes on
 * and never skips rows.
 */
final class EventTables {
    /** The longest body kept in the row itself; the longest that Derby allows there. */
    static final int INLINE_BYTES = 32_672;

    private static final List<String> STATEMENTS = List.of(
            "CALL SYSCS_UTIL.SYSCS_SET_DATABASE_PROPERTY('derby.storage.pageSize', '" + Tuning.PAGE_BYTES + "')",
            "CREATE TABLE meta (format INTEGER NOT NULL, next_position BIGINT NOT NULL, commits BIGINT NOT NULL)",
            "INSERT INTO meta VALUES (1, 1, 0)",
            "CREATE TABLE event (position BIGINT NOT NULL CONSTRAINT event_position PRIMARY KEY,"
                    + " sort_key CHAR(24) FOR BIT DATA NOT NULL, id CHAR(32) FOR BIT DATA NOT NULL,"
                    + " id_prefix BIGINT NOT NULL, author BIGINT NOT NULL, kind INTEGER NOT NULL,"
                    + " received_at BIGINT NOT NULL, checksum CHAR(16) FOR BIT DATA NOT NULL,"
                    + " body VARCHAR(" + INLINE_BYTES + ") FOR BIT DATA, large_body BLOB)",
            "CREATE INDEX event_id ON event (id_prefix)",
            "CREATE INDEX event_all ON event (sort_key)",
            "CREATE INDEX event_kind ON event (kind, sort_key)",
            "CREATE INDEX event_author ON event (author, sort_key)",
            "CREATE INDEX event_author_kind ON event (author, kind, sort_key)",
            "CREATE TABLE tag (tag_key BIGINT NOT NULL, sort_key CHAR(24) FOR BIT DATA NOT NULL,"
                    + " position BIGINT NOT NULL)",
            "CREATE INDEX tag_value ON tag (tag_key, sort_key, position)",
            "CREATE TABLE tombstone (position BIGINT NOT NULL CONSTRAINT tombstone_position PRIMARY KEY,"
                    + " id_prefix BIGINT NOT NULL, target CHAR(32) FOR BIT DATA NOT NULL,"
                    + " author CHAR(32) FOR BIT DATA NOT NULL, received_at BIGINT NOT NULL)",
            "CREATE INDEX tombstone_target ON tombstone (id_prefix)");

    static final Schema SCHEMA = new Schema(STATEMENTS, List.of());

    private static final String COLUMNS = "SELECT e.position, e.sort_key, e.id, e.id_prefix, e.author, e.kind,"
            + " e.received_at, e.checksum, e.body, e.large_body FROM ";
    private static final String IN_ORDER = " AND e.sort_key >= ? AND e.sort_key <= ? ORDER BY ";
    private static final String FIRST = " FETCH FIRST ? ROWS ONLY";

    // Without the hints Derby would plan by the statistics of a young table and then keep to that plan.
    static final String ALL = COLUMNS + "event e --DERBY-PROPERTIES index=EVENT_ALL\n"
            + " WHERE e.sort_key >= ? AND e.sort_key <= ? ORDER BY e.sort_key" + FIRST;
    static final String BY_KIND = COLUMNS + "event e --DERBY-PROPERTIES index=EVENT_KIND\n WHERE e.kind = ?" + IN_ORDER
            + "e.kind, e.sort_key" + FIRST;
    static final String BY_AUTHOR = COLUMNS + "event e --DERBY-PROPERTIES index=EVENT_AUTHOR\n WHERE e.author = ?"
            + IN_ORDER + "e.author, e.sort_key" + FIRST;
    static final String BY_AUTHOR_AND_KIND = COLUMNS
            + "event e --DERBY-PROPERTIES index=EVENT_AUTHOR_KIND\n WHERE e.author = ? AND e.kind = ?" + IN_ORDER
            + "e.author, e.kind, e.sort_key" + FIRST;
    static final String BY_TAG = COLUMNS + "--DERBY-PROPERTIES joinOrder=FIXED\n"
            + " tag t --DERBY-PROPERTIES index=TAG_VALUE\n,"
            + " event e --DERBY-PROPERTIES constraint=EVENT_POSITION, joinStrategy=NESTEDLOOP\n"
            + " WHERE t.tag_key = ? AND t.sort_key >= ? AND t.sort_key <= ? AND e.position = t.position"
            + " ORDER BY t.tag_key, t.sort_key" + FIRST;
    static final String BY_ADDRESS = COLUMNS + "--DERBY-PROPERTIES joinOrder=FIXED\n"
            + " tag t --DERBY-PROPERTIES index=TAG_VALUE\n,"
            + " event e --DERBY-PROPERTIES constraint=EVENT_POSITION, joinStrategy=NESTEDLOOP\n"
            + " WHERE t.tag_key = ? AND e.position = t.position";
    static final String BY_ID = COLUMNS + "event e --DERBY-PROPERTIES index=EVENT_ID\n WHERE e.id_prefix = ?";
    static final String BY_POSITION =
            COLUMNS + "event e --DERBY-PROPERTIES constraint=EVENT_POSITION\n WHERE e.position = ?";
    /** Answered by the index alone, so it knows of rows that their table lost. */
    static final String POSITIONS = "SELECT position FROM event --DERBY-PROPERTIES constraint=EVENT_POSITION\n"
            + " WHERE position > ? ORDER BY position" + FIRST;

    static final String BETWEEN_POSITIONS = COLUMNS + "event e --DERBY-PROPERTIES constraint=EVENT_POSITION\n"
            + " WHERE e.position > ? AND e.position <= ? ORDER BY e.position";
    static final String FIND = "SELECT e.position, e.id, e.sort_key FROM event e --DERBY-PROPERTIES index=EVENT_ID\n"
            + " WHERE e.id_prefix = ?";
    static final String TOMBSTONES_FROM =
            "SELECT position, target, author, received_at FROM tombstone --DERBY-PROPERTIES constraint=TOMBSTONE_POSITION\n"
                    + " WHERE position > ? ORDER BY position" + FIRST;
    static final String TOMBSTONE = "SELECT author FROM tombstone --DERBY-PROPERTIES index=TOMBSTONE_TARGET\n"
            + " WHERE id_prefix = ? AND target = ?";
    static final String META = "SELECT next_position, commits FROM meta";

    /** Cheap looks into each file. */
    static final List<String> ONE_OF_EACH = Stream.of(
                    "event --DERBY-PROPERTIES constraint=EVENT_POSITION",
                    "event --DERBY-PROPERTIES index=EVENT_ID",
                    "event --DERBY-PROPERTIES index=EVENT_ALL",
                    "event --DERBY-PROPERTIES index=EVENT_KIND",
                    "event --DERBY-PROPERTIES index=EVENT_AUTHOR",
                    "event --DERBY-PROPERTIES index=EVENT_AUTHOR_KIND",
                    "tag --DERBY-PROPERTIES index=TAG_VALUE",
                    "tombstone --DERBY-PROPERTIES constraint=TOMBSTONE_POSITION",
                    "tombstone --DERBY-PROPERTIES index=TOMBSTONE_TARGET")
            .map(source -> "SELECT position FROM " + source + "\n FETCH FIRST ROW ONLY")
            .toList();

    static final String SET_META = "UPDATE meta SET next_position = ?, commits = ?";
    static final String PUT_EVENT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    static final String PUT_TAG = "INSERT INTO tag VALUES (?, ?, ?)";
    static final String PUT_TOMBSTONE = "INSERT INTO tombstone VALUES (?, ?, ?, ?, ?)";
    static final String DROP_EVENT = "DELETE FROM event WHERE position = ?";
    static final String DROP_TAG = "DELETE FROM tag WHERE tag_key = ? AND sort_key = ? AND position = ?";
    static final String DROP_TAGS_SLOWLY = "DELETE FROM tag WHERE position = ?";

    private EventTables() {}

    /** The current row of a result set with {@link #COLUMNS}. */
    static EventCodec.Row row(ResultSet rows) throws SQLException {
        byte @Nullable [] body = rows.getBytes(9);
        if (body == null) {
            body = rows.getBytes(10);
        }
        return new EventCodec.Row(
                rows.getLong(1),
                new EventCodec.Content(
                        rows.getBytes(2),
                        EventId.of(rows.getBytes(3)),
                        rows.getLong(4),
                        rows.getLong(5),
                        rows.getInt(6),
                        rows.getLong(7),
                        rows.getBytes(8),
                        body == null ? new byte[0] : body));
    }

    static void insert(PreparedStatement statement, long position, EventCodec.Content row) throws SQLException {
        statement.setLong(1, position);
        statement.setBytes(2, row.order());
        statement.setBytes(3, row.id().bytes());
        statement.setLong(4, row.idPrefix());
        statement.setLong(5, row.author());
        statement.setInt(6, row.kind());
        statement.setLong(7, row.receivedAtMillis());
        statement.setBytes(8, row.check());
        if (row.body().length <= INLINE_BYTES) {
            statement.setBytes(9, row.body());
            statement.setNull(10, Types.BLOB);
        } else {
            statement.setNull(9, Types.VARBINARY);
            statement.setBytes(10, row.body());
        }
        statement.executeUpdate();
    }
}
