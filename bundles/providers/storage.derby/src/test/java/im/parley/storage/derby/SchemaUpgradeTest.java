package im.parley.storage.derby;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.storage.Batch;
import im.parley.tck.storage.SampleEvents;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Formats to come, and a process that dies at each statement on the way to them. */
public class SchemaUpgradeTest {
    private static final int EXIT = 77;
    private static final int EVENTS = 20;

    /** What two later versions might do. */
    private static final List<List<String>> UPGRADES = List.of(
            List.of(
                    "ALTER TABLE event ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0",
                    "UPDATE event SET seen_at = received_at + 1",
                    "CREATE INDEX event_seen ON event (seen_at)"),
            List.of(
                    "CREATE TABLE seen (position BIGINT NOT NULL PRIMARY KEY, seen_at BIGINT NOT NULL)",
                    "INSERT INTO seen SELECT position, seen_at FROM event",
                    "DROP INDEX event_seen",
                    "ALTER TABLE event DROP COLUMN seen_at RESTRICT"));

    @TempDir
    Path folder;

    /** Opens the home in the first argument and dies before the statement whose number is the second. */
    public static void main(String[] args) throws Exception {
        DerbyEngine engine = new DerbyEngine();
        DerbyDatabase.open(engine, Homes.context(Path.of(args[0])), Homes.SMALL, deadly(Integer.parseInt(args[1])))
                .close();
        engine.close();
    }

    /** Called by Derby. */
    public static void die() {
        Runtime.getRuntime().halt(EXIT);
    }

    private static Schema later() {
        return new Schema(EventTables.SCHEMA.statements(), UPGRADES);
    }

    private static Schema deadly(int before) {
        int number = 0;
        List<List<String>> upgrades = new ArrayList<>();
        for (List<String> upgrade : UPGRADES) {
            List<String> statements = new ArrayList<>();
            for (int i = 0; i <= upgrade.size(); i++) {
                if (number++ == before) {
                    statements.add("CREATE PROCEDURE die() LANGUAGE JAVA PARAMETER STYLE JAVA NO SQL EXTERNAL NAME '"
                            + SchemaUpgradeTest.class.getName() + ".die'");
                    statements.add("CALL die()");
                }
                if (i < upgrade.size()) {
                    statements.add(upgrade.get(i));
                }
            }
            upgrades.add(statements);
        }
        return new Schema(EventTables.SCHEMA.statements(), upgrades);
    }

    private static int placesToDie() {
        return UPGRADES.stream().mapToInt(upgrade -> upgrade.size() + 1).sum();
    }

    private List<Event> fill(Path home) throws Exception {
        List<Event> events = new ArrayList<>();
        List<Batch.Item> items = new ArrayList<>();
        for (int i = 0; i < EVENTS; i++) {
            Event event = SampleEvents.note(1_000 - i, "kept " + i);
            events.add(event);
            items.add(new Batch.Item.Put(event, 5));
        }
        DerbyEngine engine = new DerbyEngine();
        try (DerbyEventStore store = DerbyEventStore.open(engine, Homes.context(home), Homes.SMALL, 256, 4)) {
            store.commit(new Batch(items));
        } finally {
            engine.close();
        }
        return events;
    }

    /** The format, after a look at whether all that belongs to it is there and nothing else. */
    private int format(DerbyDatabase database, List<Event> events) throws Exception {
        try (Connection connection = database.connect().connection()) {
            int format = number(connection, "SELECT format FROM meta");
            assertEquals(events.size(), number(connection, "SELECT COUNT(*) FROM event"));
            assertEquals(format == 2, has(connection, "SELECT seen_at FROM event"));
            assertEquals(format == 3, has(connection, "SELECT seen_at FROM seen"));
            if (format == 3) {
                assertEquals(events.size(), number(connection, "SELECT COUNT(*) FROM seen WHERE seen_at = 6"));
            }
            connection.rollback();
            return format;
        }
    }

    private static int number(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            assertTrue(rows.next());
            return rows.getInt(1);
        }
    }

    private static boolean has(Connection connection, String sql) {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            return rows.next();
        } catch (SQLException absent) {
            return false;
        }
    }

    @Test
    void DB_11_anUpgradeThatDiesAtAnyStatementLeavesTheOldOrTheNewAndGoesOn() throws Exception {
        Path template = folder.resolve("template");
        List<Event> events = fill(template);
        TreeSet<Integer> met = new TreeSet<>();
        for (int place = 0; place < placesToDie(); place++) {
            Path home = folder.resolve("home" + place);
            Homes.copy(template, home);
            Process child = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:TieredStopAtLevel=1",
                            "-cp",
                            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                            SchemaUpgradeTest.class.getName(),
                            home.toString(),
                            Integer.toString(place))
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("child.log").toFile())
                    .start();
            int exit = child.waitFor();
            assertEquals(EXIT, exit, Files.readString(folder.resolve("child.log")));
            DerbyEngine engine = new DerbyEngine();
            // A version that knows as much as was reached opens it as it is.
            int reached = place <= UPGRADES.get(0).size() ? 1 : 2;
            Schema halfway = new Schema(EventTables.SCHEMA.statements(), UPGRADES.subList(0, reached - 1));
            try (DerbyDatabase database = DerbyDatabase.open(engine, Homes.context(home), Homes.SMALL, halfway)) {
                met.add(format(database, events));
            }
            try (DerbyDatabase database = DerbyDatabase.open(engine, Homes.context(home), Homes.SMALL, later())) {
                assertEquals(3, format(database, events));
            }
            engine.close();
        }
        assertEquals(new TreeSet<>(List.of(1, 2)), met);
        System.out.println("DB-11: an upgrade of two steps died at " + placesToDie() + " places, old or new each time");
    }

    @Test
    void DB_11_anOlderVersionRefusesAndHarmsNothing() throws Exception {
        Path home = folder.resolve("home");
        List<Event> events = fill(home);
        DerbyEngine engine = new DerbyEngine();
        DerbyDatabase.open(engine, Homes.context(home), Homes.SMALL, later()).close();
        for (int i = 0; i < 2; i++) {
            ProviderException refused = assertThrows(
                    ProviderException.class,
                    () -> DerbyEventStore.open(engine, Homes.context(home), Homes.SMALL, 256, 4));
            assertEquals(Kind.UNSUPPORTED, refused.kind());
            assertEquals("store.too-new", refused.code());
            assertTrue(refused.getMessage().contains("format 3, this one knows 1"), refused.getMessage());
        }
        try (DerbyDatabase database = DerbyDatabase.open(engine, Homes.context(home), Homes.SMALL, later())) {
            assertEquals(3, format(database, events));
        }
        engine.close();
    }
}
