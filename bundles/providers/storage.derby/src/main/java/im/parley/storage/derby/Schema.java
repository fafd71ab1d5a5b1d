package im.parley.storage.derby;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tables of a store, and how those of older versions become them. Each format is reached from the one before it in
 * one transaction, Derby's definitions of tables included: a process that dies in between leaves the old or the new one.
 *
 * @param statements what makes a new database of the newest format; a table {@code meta} has the format
 * @param upgrades at index i the statements that make format i + 2 out of i + 1, without the change of {@code meta}
 */
record Schema(List<String> statements, List<List<String>> upgrades) {
    private static final Logger LOG = LoggerFactory.getLogger(Schema.class);

    /** The format that this version reads and writes. */
    int format() {
        return upgrades.size() + 1;
    }

    /** Makes a new database. */
    void create(Connection connection) throws SQLException {
        execute(connection, statements);
        connection.commit();
    }

    /**
     * Brings a database to the newest format.
     *
     * @param connection without auto-commit
     * @throws ProviderException {@code UNSUPPORTED store.too-new} if it is beyond
     */
    void upgrade(Connection connection, String instance) throws ProviderException, SQLException {
        int found = found(connection);
        if (found > format()) {
            throw new ProviderException(
                    Kind.UNSUPPORTED,
                    "store.too-new",
                    "The store was written by a newer version (format " + found + ", this one knows " + format()
                            + "); nothing was changed. Install that version again, or restore a backup of before.");
        }
        for (int format = found; format < format(); format++) {
            execute(connection, upgrades.get(format - 1));
            execute(connection, List.of("UPDATE meta SET format = " + (format + 1)));
            connection.commit();
            LOG.info("{} has the format {} now", instance, format + 1);
        }
    }

    private static int found(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet meta = statement.executeQuery("SELECT format FROM meta")) {
            meta.next();
            int found = meta.getInt(1);
            connection.commit();
            return found;
        }
    }

    private static void execute(Connection connection, List<String> statements) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }
}
