package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AuditLogTest {
    private static final Instant NOW = Instant.parse("2026-11-26T12:00:00Z");

    @TempDir
    Path dir = Path.of("unset");

    private Path data = Path.of("unset");
    private Path file = Path.of("unset");

    @BeforeEach
    void make() throws IOException {
        data = Files.createDirectory(dir.resolve("data"));
        file = data.resolve(AuditLog.FILE);
    }

    private AuditLog open() throws LauncherException {
        return AuditLog.open(data, dir.resolve("state/parley"), () -> NOW);
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
    void everyChangedByteIsNoticed() throws Exception {
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
    void linesThatAreCutTakenOutTurnedAddedOrReplacedAreNoticed() throws Exception {
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

    @Test
    void aKillBetweenTwoBytesLosesNothingThatWasAnswered() throws Exception {
        write(3);
        byte[] before = Files.readAllBytes(file);
        Path head;
        try (Stream<Path> heads = Files.list(dir.resolve("state/parley/audit"))) {
            head = heads.findFirst().orElseThrow();
        }
        byte[] headBefore = Files.readAllBytes(head);
        write(1);
        byte[] after = Files.readAllBytes(file);
        Random random = new Random(1);
        for (int i = 0; i < 30; i++) {
            int cut = before.length + random.nextInt(after.length - before.length + 1);
            Files.write(file, java.util.Arrays.copyOf(after, cut));
            Files.write(head, headBefore);
            write(1);
            AuditLog.Check check = check();
            assertEquals("", check.problem(), "cut at " + cut);
            assertEquals(cut == after.length ? 5 : 4, check.entries());
        }
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
