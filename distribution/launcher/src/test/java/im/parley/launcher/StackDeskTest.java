package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StackDeskTest {
    @TempDir
    Path directory = Path.of("unset");

    private StackDesk desk() throws LauncherException {
        InstantSource clock = () -> Instant.parse("2026-11-26T12:00:00Z");
        return new StackDesk(
                new StackFiles(directory),
                directory,
                clock,
                AuditLog.open(directory, directory.resolve("state"), clock));
    }

    @BeforeEach
    void firstGeneration() throws Exception {
        new StackFiles(directory)
                .append(new Generation(
                        "lock",
                        List.of("base"),
                        List.of(),
                        Map.of("a~main", Map.of(), "b~main", Map.of(), "c~main", Map.of()),
                        Map.of("curve", List.of("a~main", "b~main"), "scheme", List.of("a~main"))));
    }

    @Test
    void aSelectionIsTheNextGenerationAndCanBeTakenBackAfterARestart() throws Exception {
        Map<String, Object> answer = select(desk(), "curve", 0, "b~main", "a~main");
        assertEquals(Map.of("generation", 2L, "entry", 1L), answer);
        assertEquals(List.of("b~main", "a~main"), current().slots().get("curve"));
        assertEquals(List.of("a~main"), current().slots().get("scheme"), "the others stay");
        desk().apply(Map.of(
                "op", "done", "entry", 1L, "inFlight", 3L, "drained", 3L, "cut", 0L, "longestPauseMicros", 5L));
        assertEquals(2L, select(desk(), "scheme", 0, "c~main").get("entry"));

        StackDesk restarted = desk();
        restarted.settle(3);
        assertEquals(
                Map.of("slot", "scheme", "from", "a~main", "to", "c~main", "entry", 2L),
                restarted.apply(Map.of("op", "undoable")));
        select(restarted, "scheme", 2, "a~main");
        assertEquals(1L, desk().apply(Map.of("op", "undoable")).get("entry"), "then the one before");
        select(desk(), "curve", 1, "a~main", "b~main");
        assertEquals(Map.of(), desk().apply(Map.of("op", "undoable")));
        assertEquals(
                "rw-------",
                PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("journal.jsonl"))));
    }

    @Test
    void whatTheGenerationDoesNotConfigureIsNotKept() throws Exception {
        assertEquals(Map.of(), select(desk(), "curve", 0, "guest~main", "a~main"));
        assertEquals(Map.of(), select(desk(), "nothing", 0, "a~main"));
        assertEquals(List.of("a~main", "b~main"), current().slots().get("curve"));
        assertFalse(Files.exists(directory.resolve("journal.jsonl")));
        assertEquals(
                2L, select(desk(), "curve", 0, "b~main", "guest~main", "a~main").get("generation"));
        assertEquals(List.of("b~main", "a~main"), current().slots().get("curve"));
    }

    @Test
    void aSwapThatAKillCutOffIsSettledAtTheNextStart() throws Exception {
        Path journal = directory.resolve("journal.jsonl");
        select(desk(), "curve", 0, "b~main", "a~main");
        List<String> lines = Files.readAllLines(journal);
        // Killed before the pointer was moved: only the first line is there, and half of another.
        Files.writeString(journal, lines.get(0) + "\n{\"entry\":1,\"pha");
        StackDesk before = desk();
        before.settle(1);
        assertEquals(Map.of(), before.apply(Map.of("op", "undoable")), "nothing was changed, so nothing to take back");
        // Killed after the pointer was moved, before the line that says so.
        Files.writeString(journal, lines.get(0) + "\n");
        StackDesk after = desk();
        after.settle(2);
        assertEquals("b~main", after.apply(Map.of("op", "undoable")).get("to"));
        assertEquals(2L, select(after, "scheme", 0, "c~main").get("entry"));
        assertEquals(5, Files.readAllLines(journal).size() + 1, Files.readString(journal));
    }

    @Test
    void theJournalIsCutWhenItIsLong() throws Exception {
        Path journal = directory.resolve("journal.jsonl");
        select(desk(), "curve", 0, "b~main", "a~main");
        String line = "{\"entry\":1,\"phase\":\"done\"}\n";
        Files.writeString(journal, line.repeat(2_500), StandardCharsets.UTF_8, StandardOpenOption.APPEND);
        desk().settle(2);
        assertEquals(1_000, Files.readAllLines(journal).size());
    }

    @Test
    void aFailureIsAProblemInWords() throws Exception {
        Files.writeString(directory.resolve("current"), "no number");
        Object problem = select(desk(), "curve", 0, "b~main", "a~main").get("problem");
        assertNotNull(problem);
        assertTrue(problem.toString().contains("nothing was changed"), problem.toString());
    }

    private Generation current() throws Exception {
        StackFiles.Numbered current = new StackFiles(directory).current();
        assertNotNull(current);
        return current.generation();
    }

    private static Map<String, Object> select(StackDesk desk, String slot, long undoes, String... select) {
        Map<String, Object> request = new HashMap<>();
        request.put("op", "select");
        request.put("slot", slot);
        request.put("select", List.of(select));
        request.put("who", "operator");
        request.put("why", "");
        request.put("undoes", undoes);
        return desk.apply(request);
    }
}
