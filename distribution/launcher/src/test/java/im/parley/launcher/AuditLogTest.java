package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

class AuditLogTest {
    private static final Instant NOW = Instant.parse("2026-11-26T12:00:00Z");

    @TempDir
    Path dir = Path.of("unset");

    private Instant now = NOW;
    private Path data = Path.of("unset");
    private Path file = Path.of("unset");

    @BeforeEach
    void make() throws IOException {
        data = Files.createDirectory(dir.resolve("data"));
        file = data.resolve(AuditLog.FILE);
    }

    private AuditLog open() throws LauncherException {
        return AuditLog.open(data, dir.resolve("state/parley"), () -> now);
    }

    private AuditLog.Check check() throws IOException, LauncherException {
        return AuditLog.verify(
                data, Map.of("XDG_STATE_HOME", dir.resolve("state").toString()));
    }

    private void write(int entries) throws IOException, LauncherException {
        AuditLog log = open();
        for (int i = 0; i < entries; i++) {
            log.add("swap", Map.of("why", "why " + i + ",\"hash\":\"x\" \u0634\n"));
        }
    }

    @Test
    void whatWasWrittenIsWholeAlsoOverStarts() throws Exception {
        assertEquals(new AuditLog.Check(0, false, ""), check());
        write(3);
        assertEquals(new AuditLog.Check(3, true, ""), check());
        write(2);
        assertEquals(new AuditLog.Check(5, true, ""), check());
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        List<AuditLog.Entry> newest = AuditLog.newest(data, 2);
        assertEquals(
                List.of(4L, 5L), newest.stream().map(AuditLog.Entry::number).toList());
        assertEquals(
                Map.of("why", "why 1,\"hash\":\"x\" \u0634\n"), newest.get(1).what());
        assertEquals(NOW.toString(), newest.get(1).at());
    }

    @Test
    void AD_10_everyChangedByteIsNoticed() throws Exception {
        write(4);
        byte[] whole = Files.readAllBytes(file);
        for (int i = 0; i < whole.length; i++) {
            byte[] changed = whole.clone();
            changed[i] ^= 1;
            Files.write(file, changed);
            assertFalse(check().problem().isEmpty(), "byte " + i);
        }
        Files.write(file, whole);
        assertEquals(new AuditLog.Check(4, true, ""), check());
    }

    @Test
    void AD_10_linesThatAreCutTakenOutTurnedAddedOrReplacedAreNoticed() throws Exception {
        write(4);
        List<String> lines = Files.readAllLines(file);
        Path other = Files.createDirectory(dir.resolve("other"));
        AuditLog forged = AuditLog.open(other, dir.resolve("elsewhere"), () -> NOW);
        for (int i = 0; i < 6; i++) {
            forged.add("swap", Map.of("why", "forged"));
        }
        List<List<String>> attacks = new ArrayList<>();
        attacks.add(List.of());
        attacks.add(lines.subList(0, 3));
        attacks.add(lines.subList(1, 4));
        attacks.add(List.of(lines.get(0), lines.get(2), lines.get(3)));
        attacks.add(List.of(lines.get(0), lines.get(2), lines.get(1), lines.get(3)));
        attacks.add(Files.readAllLines(other.resolve(AuditLog.FILE)));
        attacks.add(Files.readAllLines(other.resolve(AuditLog.FILE)).subList(0, 4));
        for (List<String> attack : attacks) {
            Files.write(file, attack);
            AuditLog.Check check = check();
            assertFalse(check.problem().isEmpty(), attack.toString());
            assertFalse(check.attested());
        }
    }

    @Test
    void aStartOnAChangedLogSaysSoForEver() throws Exception {
        write(4);
        List<String> lines = Files.readAllLines(file);
        Files.write(file, lines.subList(0, 2));
        write(1);
        assertEquals("Entry 3 notes a gap: The newest line is not the one that was written.", check().problem());
        assertEquals(4L, AuditLog.newest(data, 2).get(0).what().get("expectedNumber"));
        write(1);
        assertEquals(5, check().entries());
        assertTrue(check().problem().startsWith("Entry 3 notes a gap"), check().problem());
    }

    @Test
    void aLogThatIsGoneOrUnreadableIsMissedAndKept() throws Exception {
        write(2);
        Files.delete(file);
        write(0);
        assertEquals("Entry 1 notes a gap: The log was gone.", check().problem());
        Files.writeString(file, "nonsense\n", StandardOpenOption.APPEND);
        write(1);
        assertTrue(check().problem().contains("put aside as audit.jsonl."), check().problem());
        try (Stream<Path> files = Files.list(data)) {
            assertEquals(
                    1, files.filter(each -> each.toString().endsWith(".broken")).count());
        }
    }

    private Path head() throws IOException {
        try (Stream<Path> heads = Files.list(dir.resolve("state/parley/audit"))) {
            return heads.filter(each -> each.toString().endsWith(".json"))
                    .findFirst()
                    .orElseThrow();
        }
    }

    @Test
    void aKillBetweenTwoBytesLosesNothingThatWasAnswered() throws Exception {
        write(3);
        byte[] before = Files.readAllBytes(file);
        Map<String, Object> note = Json.object(Files.readAllBytes(head()));
        write(1);
        byte[] after = Files.readAllBytes(file);
        // What stands there while the fourth line is written.
        note.put("pending", Json.text(Json.object(Files.readAllBytes(head())), "hash"));
        byte[] pending = Json.pretty(note);
        Random random = new Random(1);
        for (int i = 0; i < 30; i++) {
            int cut = i == 0 ? after.length : before.length + random.nextInt(after.length - before.length + 1);
            Files.write(file, java.util.Arrays.copyOf(after, cut));
            Files.write(head(), pending);
            assertEquals("", check().problem(), "cut at " + cut);
            write(1);
            AuditLog.Check check = check();
            assertEquals("", check.problem(), "cut at " + cut);
            assertEquals(cut == after.length ? 5 : 4, check.entries());
        }
    }

    /** Whoever can write the data directory alone can add a line that fits as well as cut one off. */
    @Test
    void AD_10_oneLineAddedOrCutOffWhileTheNodeIsDownIsNoticedAtTheNextStart() throws Exception {
        write(3);
        String good = Files.readString(file);
        byte[] note = Files.readAllBytes(head());
        write(1);
        String forged = Files.readString(file);
        for (String text : List.of(forged, good.substring(0, good.lastIndexOf('\n', good.length() - 2) + 1), "")) {
            Files.writeString(file, text);
            Files.write(head(), note);
            assertFalse(check().problem().isEmpty(), text);
            assertFalse(check().attested());
            write(1);
            assertTrue(check().problem().contains("notes a gap"), check().problem());
            Files.writeString(file, good);
            Files.write(head(), note);
            assertEquals("", check().problem());
        }
    }

    @Test
    void AD_10_aChangedLineInTheMiddleIsSaidAtTheNextStart() throws Exception {
        write(3);
        Files.writeString(file, Files.readString(file).replace("why 1", "why 9"));
        Logger logger = (Logger) LoggerFactory.getLogger(AuditLog.class);
        ListAppender<ILoggingEvent> told = new ListAppender<>();
        told.start();
        logger.addAppender(told);
        try {
            write(1);
        } finally {
            logger.detachAppender(told);
        }
        assertEquals(1, told.list.size());
        assertEquals(Level.ERROR, told.list.get(0).getLevel());
        assertTrue(told.list.get(0).getFormattedMessage().startsWith("audit.chain-broken: Entry 2 was changed."));
    }

    @Test
    void AD_10_aClockThatIsSetBackIsNoted() throws Exception {
        AuditLog log = open();
        log.add("swap", Map.of());
        now = NOW.minusSeconds(100);
        log.add("swap", Map.of());
        assertEquals(new AuditLog.Check(2, true, ""), check(), "clocks are set by a little all the time");
        now = NOW.minusSeconds(3600);
        log.add("swap", Map.of());
        String problem =
                "Entry 3 notes a gap: The clock was set back from 2026-11-26T11:58:20Z to 2026-11-26T11:00:00Z.";
        assertEquals(new AuditLog.Check(4, true, problem), check());
        now = NOW.minusSeconds(7200);
        write(1);
        assertEquals(problem, check().problem());
        assertEquals("log.gap", AuditLog.newest(data, 2).get(0).act());
    }

    /** A log that was forged as a whole, with a clock behind. */
    @Test
    void AD_10_entriesInTheWrongOrderOfTimeAreNotOurs() throws Exception {
        String first = line(1, NOW, "0".repeat(64));
        String second = line(2, NOW.minusSeconds(3600), first.substring(first.length() - 66, first.length() - 2));
        Files.writeString(file, first + "\n" + second + "\n");
        assertEquals("Entry 2 is older than the one before it.", check().problem());
    }

    private static String line(int number, Instant at, String previous) {
        String covered = "{\"n\":" + number + ",\"at\":\"" + at + "\",\"act\":\"swap\",\"prev\":\"" + previous + "\"";
        return covered + ",\"hash\":\"" + Hashes.sha256(covered.getBytes(StandardCharsets.UTF_8)) + "\"}";
    }

    @Test
    void AD_10_twoWhoWriteAtOnceMakeOneChain() throws Exception {
        AuditLog node = open();
        AuditLog command = open();
        ExecutorService pool = Executors.newFixedThreadPool(2);
        try {
            List<Future<?>> both = new ArrayList<>();
            for (AuditLog log : List.of(node, command)) {
                both.add(pool.submit(() -> {
                    for (int i = 0; i < 25; i++) {
                        log.add("swap", Map.of("i", i));
                    }
                    return null;
                }));
            }
            for (Future<?> each : both) {
                each.get();
            }
        } finally {
            pool.shutdown();
        }
        assertEquals(new AuditLog.Check(50, true, ""), check());
    }

    /** A full disk in the middle of a line, and then there is room again. */
    @Test
    void aLineThatWasNotWrittenWholeLeavesNoGap() throws Exception {
        AuditLog log = open();
        log.add("swap", Map.of());
        Files.writeString(file, "{\"n\":2,\"at\":\"20", StandardOpenOption.APPEND);
        log.add("swap", Map.of());
        assertEquals(new AuditLog.Check(2, true, ""), check());
    }

    @Test
    void aLogOnAnotherMachineIsWholeButNobodyKnowsItsEnd() throws Exception {
        write(3);
        AuditLog.Check check = AuditLog.verify(
                data, Map.of("XDG_STATE_HOME", dir.resolve("new").toString()));
        assertEquals(new AuditLog.Check(3, false, ""), check);
    }

    @Test
    void aLineThatIsTooLongIsRefused() throws Exception {
        AuditLog log = open();
        assertThrows(IOException.class, () -> log.add("swap", Map.of("why", "x".repeat(70_000))));
        log.add("swap", Map.of());
        assertEquals(new AuditLog.Check(1, true, ""), check());
    }
}
