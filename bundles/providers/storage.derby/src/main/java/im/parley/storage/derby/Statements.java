package im.parley.storage.derby;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A connection and the statements prepared on it. For one thread at a time. */
final class Statements implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Statements.class);

    private final Connection connection;
    private final long epoch;
    private final Map<String, PreparedStatement> prepared = new HashMap<>();

    Statements(DerbyDatabase.Connected connected) {
        connection = connected.connection();
        epoch = connected.epoch();
    }

    Connection connection() {
        return connection;
    }

    /** The start of the database this belongs to. */
    long epoch() {
        return epoch;
    }

    PreparedStatement get(String sql) throws SQLException {
        PreparedStatement statement = prepared.get(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql);
            prepared.put(sql, statement);
        }
        return statement;
    }

    /** Ends the transaction; what fails here shows at the next use. */
    void rollbackQuietly() {
        try {
            connection.rollback();
        } catch (SQLException e) {
            LOG.debug("rollback failed: {}", Failures.states(e));
        }
    }

    @Override
    public void close() {
        try {
            connection.rollback();
            connection.close();
        } catch (SQLException e) {
            // The database was shut down before its connections, or is broken: either way nothing is left to release.
            LOG.debug("close failed: {}", Failures.states(e));
        }
    }
}
