package im.parley.storage.derby;

import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.derby.jdbc.EmbeddedDriver;
import org.jspecify.annotations.Nullable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one Derby of this bundle, shared by all databases in it: started with the first, shut down with the bundle so that
 * nothing of its class loader stays behind. Thread-safe.
 */
@Component(name = "im.parley.storage.derby.engine", service = DerbyEngine.class, immediate = true)
public final class DerbyEngine {
    private static final Logger LOG = LoggerFactory.getLogger(DerbyEngine.class);
    private static final String SYSTEM_HOME = "derby.system.home";
    private static final List<String> ERROR_STREAM =
            List.of("derby.stream.error.method", "derby.stream.error.file", "derby.stream.error.field");

    private final Set<Path> inUse = new HashSet<>();
    private final Set<DerbyDatabase> open = new HashSet<>();
    /** System properties that were set here, and are cleared with the engine. */
    private final Set<String> ownProperties = new HashSet<>();

    private volatile @Nullable Driver driver;
    private boolean closed;

    @Activate
    public DerbyEngine() {}

    /** Closes every store that is still open, and shuts down Derby. */
    @Deactivate
    public void close() {
        List<DerbyDatabase> left;
        synchronized (this) {
            closed = true;
            left = List.copyOf(open);
        }
        left.forEach(DerbyDatabase::closeWithOwner);
        synchronized (this) {
            Driver running = driver;
            if (running != null) {
                driver = null;
                try {
                    // deregister drops the driver from DriverManager, which would hold the class loader.
                    Properties how = new Properties();
                    how.setProperty("shutdown", "true");
                    how.setProperty("deregister", "true");
                    running.connect("jdbc:derby:", how);
                } catch (SQLException e) {
                    if (!"XJ015".equals(e.getSQLState())) {
                        LOG.warn("Derby did not shut down cleanly: {}", Failures.states(e));
                    }
                }
            }
            ownProperties.forEach(System::clearProperty);
            ownProperties.clear();
        }
    }

    /**
     * Claims a directory for one database.
     *
     * @throws ProviderException {@code UNAVAILABLE store.locked} if it is open here already
     */
    synchronized void claim(DerbyDatabase database, Path directory) throws ProviderException {
        if (closed) {
            throw Failures.closed();
        }
        if (!inUse.add(directory)) {
            throw Failures.locked();
        }
        open.add(database);
    }

    synchronized void release(DerbyDatabase database, Path directory) {
        if (open.remove(database)) {
            inUse.remove(directory);
        }
    }

    /**
     * Starts a database, and Derby if it is the first.
     *
     * @param home becomes {@code derby.system.home} if nobody set it
     * @param attributes may hold the key, so they go as properties and never into the URL
     */
    synchronized Connection boot(Path home, Path directory, Properties attributes, Tuning tuning)
            throws ProviderException, SQLException {
        if (closed) {
            throw Failures.closed();
        }
        UnsafeSettings.check(Path.of(System.getProperty(SYSTEM_HOME, home.toString())));
        if (driver == null) {
            setIfAbsent(SYSTEM_HOME, home.toString());
            if (ERROR_STREAM.stream().allMatch(name -> System.getProperty(name) == null)) {
                setIfAbsent(ERROR_STREAM.get(0), DerbyLog.METHOD);
            }
            driver = new EmbeddedDriver();
        }
        // Derby reads these when a database starts, and only from here.
        Map<String, String> settings = Map.of(
                "derby.storage.pageCacheSize", Integer.toString(tuning.pageCachePages()),
                "derby.storage.checkpointInterval", Integer.toString(tuning.checkpointBytes()),
                "derby.storage.logSwitchInterval", Integer.toString(tuning.checkpointBytes()));
        Map<String, @Nullable String> before = new HashMap<>();
        settings.forEach((name, value) -> before.put(name, System.setProperty(name, value)));
        try {
            return connect(directory, attributes);
        } finally {
            before.forEach((name, value) -> {
                if (value == null) {
                    System.clearProperty(name);
                } else {
                    System.setProperty(name, value);
                }
            });
        }
    }

    private void setIfAbsent(String name, String value) {
        if (System.getProperty(name) == null) {
            System.setProperty(name, value);
            ownProperties.add(name);
        }
    }

    Connection connect(Path directory, Properties attributes) throws ProviderException, SQLException {
        Driver running = driver;
        if (running == null) {
            throw Failures.closed();
        }
        return running.connect("jdbc:derby:" + directory, attributes);
    }

    /** Stops a database; harmless if it is down already. */
    void shutdown(Path directory) {
        Properties how = new Properties();
        how.setProperty("shutdown", "true");
        try {
            connect(directory, how);
        } catch (ProviderException e) {
            LOG.debug("nothing to shut down: {}", e.code());
        } catch (SQLException e) {
            // 08006 is how Derby says that it went well, XJ004 that there was nothing to do.
            if (!"08006".equals(e.getSQLState()) && !"XJ004".equals(e.getSQLState())) {
                LOG.warn("a database did not shut down cleanly: {}", Failures.states(e));
            }
        }
    }

    /** The directory by its real name, so that two ways to it are one. */
    static Path real(Path directory) {
        try {
            return directory.toRealPath();
        } catch (IOException e) {
            throw new UncheckedIOException("the data directory of a store is not there", e);
        }
    }
}
