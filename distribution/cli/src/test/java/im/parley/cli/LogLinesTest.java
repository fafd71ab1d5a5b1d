package im.parley.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogLinesTest {
    @TempDir
    Path temp;

    private void append(String text) throws Exception {
        Files.writeString(
                temp.resolve("log"),
                text,
                StandardCharsets.UTF_8,
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    @Test
    void everyLineIsToldOnceWhenItIsFinished() throws Exception {
        append("one\ntw");
        try (LogLines lines = new LogLines(temp.resolve("log"))) {
            assertEquals(List.of("one"), lines.next());
            assertEquals(List.of(), lines.next());
            append("o\n\u00e4\n");
            assertEquals(List.of("two", "\u00e4"), lines.next());
            append("x".repeat(200_000));
            assertEquals(List.of(), lines.next());
            append("\n");
            assertEquals(List.of("x".repeat(200_000)), lines.next());
            assertEquals("", lines.rest());
        }
    }

    @Test
    void nothingIsLostWhenTheLogIsTurnedOver() throws Exception {
        append("one\n");
        Path log = temp.resolve("log");
        try (LogLines lines = new LogLines(log)) {
            assertEquals(List.of("one"), lines.next());
            append("two\nthree");
            Files.move(log, temp.resolve("log.1"));
            assertEquals(List.of("two"), lines.next());
            append("four\n");
            assertEquals(List.of("three", "four"), lines.next());
            Files.writeString(log, "");
            assertEquals(List.of(), lines.next());
            append("five\n");
            assertEquals(List.of("five"), lines.next());
        }
    }
}
