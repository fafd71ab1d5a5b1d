package im.parley.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** When a passphrase is asked for, where it goes, and what is said of a backup. */
class BackupCommandsTest {
    private static final String MADE =
            "\"result\":{\"number\":2,\"records\":1234,\"spaces\":1,\"chunks\":9,\"written\":1,"
                    + "\"bytesWritten\":65536,\"pauseMillis\":3}";
    private static final String SNAPSHOT =
            "{\"number\":2,\"createdAt\":1700000000000,\"records\":3,\"chunks\":4,\"whole\":%s}";
    private static final String PASSPHRASE = "nobody else writes this";

    @TempDir
    Path data;

    private Terminal terminal;
    private FakeNode node;

    @BeforeEach
    void open() throws IOException {
        terminal = new Terminal(data);
        node = new FakeNode(data);
        node.on("backup.run", MADE).on("backup.progress", "\"result\":{\"phase\":\"\",\"done\":0,\"total\":0}");
    }

    @AfterEach
    void close() throws Exception {
        node.close();
    }

    private void isPlace(String place) {
        node.on("backup.look", "\"result\":{\"place\":\"" + place + "\"}");
    }

    /** What a method was asked with; empty if it was not. */
    private Map<String, Object> params(String method) throws IOException {
        for (String line : node.heard) {
            Map<String, Object> request = Json.object(line.getBytes(StandardCharsets.UTF_8));
            if (method.equals(request.get("method"))) {
                return Json.member(request, "params");
            }
        }
        return Map.of();
    }

    @Test
    void aNewDirectoryGetsAPassphraseThatIsTypedTwice() throws Exception {
        isPlace("new");
        assertEquals(Exit.OK, terminal.types(PASSPHRASE, PASSPHRASE).run("backup", "now", "b"));
        assertEquals(PASSPHRASE, params("backup.run").get("passphrase"));
        assertEquals(
                Path.of("b").toAbsolutePath().toString(), params("backup.run").get("directory"));
        assertTrue(terminal.out().contains("Snapshot 2 of 1,234 records"), terminal.out());
        assertTrue(terminal.out().contains("64.0 KiB written"), terminal.out());
        assertFalse(terminal.out().contains(PASSPHRASE));
    }

    @Test
    void twoThatDifferMakeNothing() throws Exception {
        isPlace("new");
        assertEquals(Exit.REFUSED, terminal.types(PASSPHRASE, "another").run("backup", "now", "b"));
        assertTrue(terminal.err().contains("passphrase.repeat-differs"), terminal.err());
        assertEquals(Map.of(), params("backup.run"));
    }

    @Test
    void whereTheKeyIsKnownNobodyIsAsked() throws Exception {
        isPlace("remembered");
        assertEquals(Exit.OK, terminal.run("backup", "now", "b"));
        assertFalse(params("backup.run").containsKey("passphrase"));
    }

    @Test
    void anothersBackupAsksOnceAndWithoutATerminalSaysHow() throws Exception {
        isPlace("foreign");
        node.on("backup.restore", "\"result\":{\"number\":7,\"createdAt\":0,\"records\":5,\"identities\":1}");
        assertEquals(Exit.OK, terminal.types(PASSPHRASE).run("restore", "b", "--snapshot", "7"));
        assertEquals(PASSPHRASE, params("backup.restore").get("passphrase"));
        assertEquals(7L, params("backup.restore").get("snapshot"));
        assertTrue(terminal.out().contains("./parley pin set --data"), terminal.out());
        assertEquals(Exit.USAGE, new Terminal(data).run("restore", "b"));
        assertEquals(Exit.OK, new Terminal(data).pipes(PASSPHRASE + "\n").run("restore", "b", "--stdin"));
    }

    @Test
    void aRecoveryKeyIsShownOnceAndSent() throws Exception {
        isPlace("new");
        node.on("backup.key", "\"result\":{\"key\":\"abcde-fghjk\"}");
        assertEquals(Exit.OK, terminal.run("backup", "now", "b", "--recovery-key"));
        assertEquals("abcde-fghjk", params("backup.run").get("passphrase"));
        assertTrue(terminal.out().contains("Recovery key: abcde-fghjk\n"), terminal.out());
    }

    @Test
    void damageIsAnExitCode() throws Exception {
        isPlace("remembered");
        String answer = "\"result\":{\"snapshots\":[" + SNAPSHOT + "],\"chunks\":4,\"damaged\":[%s]}";
        node.on("backup.verify", answer.formatted("true", ""));
        assertEquals(Exit.OK, terminal.run("backup", "verify", "b"));
        assertTrue(terminal.out().contains("everything is as it was written"), terminal.out());
        node.on("backup.verify", answer.formatted("false", "\"chunk ab\""));
        assertEquals(Exit.REFUSED, terminal.run("backup", "verify", "b"));
        assertTrue(terminal.out().contains("backup.damaged"), terminal.out());
        assertTrue(terminal.out().contains("chunk ab"), terminal.out());
        node.refuses("backup.verify", "backup.damaged", "corrupt");
        assertEquals(Exit.REFUSED, terminal.run("backup", "verify", "b"));
    }

    @Test
    void plansSayWhenAndWhatWentWrong() throws Exception {
        node.on("backup.plans", "\"result\":{\"plans\":[]}");
        assertEquals(Exit.OK, terminal.run("backup", "list"));
        assertTrue(terminal.out().contains("makes no backups"), terminal.out());
        String plan = "{\"directory\":\"/b\",\"seconds\":3600,\"keep\":3,\"lastNumber\":2,\"lastAt\":1700000000000,"
                + "\"nextAt\":1700003600000,\"problem\":\"backup.io-error: full\"}";
        node.on("backup.plans", "\"result\":{\"plans\":[" + plan + "]}");
        assertEquals(Exit.OK, terminal.run("backup", "list"));
        assertTrue(terminal.out().contains("every 1 h 0 min; 3 are kept"), terminal.out());
        assertTrue(terminal.out().contains("backup.io-error: full"), terminal.out());

        isPlace("remembered");
        node.on("backup.list", "\"result\":{\"snapshots\":[" + SNAPSHOT.formatted("true") + "]}");
        assertEquals(Exit.OK, terminal.run("backup", "list", "b"));
        assertTrue(terminal.out().contains("3 records"), terminal.out());
        node.on("backup.schedule", "\"result\":{\"plans\":[" + plan + "]}");
        assertEquals(Exit.OK, terminal.run("backup", "schedule", "b", "1d"));
        assertEquals(86_400L, params("backup.schedule").get("seconds"));
        assertEquals(30L, params("backup.schedule").get("keep"));
        assertEquals(Exit.USAGE, terminal.run("backup", "schedule", "b", "daily"));
        assertEquals(Exit.USAGE, terminal.run("backup", "prune", "b", "--keep", "0"));
    }
}
