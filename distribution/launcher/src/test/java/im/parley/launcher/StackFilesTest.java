package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StackFilesTest {
    @TempDir
    Path directory;

    private static Generation generation(String sha256) {
        return new Generation(
                "lock",
                List.of("base", "personal"),
                List.of(new Generation.BundleEntry("bsn", "1.0", sha256, 30)),
                Map.of(
                        "pid~a",
                        Map.of("text", "${parley.data}", "list", List.of("x", "y"), "number", 7L, "flag", true)),
                Map.of("curve", List.of("a~main", "b~main")));
    }

    private static StackFiles.Numbered current(StackFiles stack) throws LauncherException {
        return Objects.requireNonNull(stack.current());
    }

    @Test
    void whatIsWrittenIsRead() throws Exception {
        StackFiles stack = new StackFiles(directory);
        assertNull(stack.current());
        assertEquals(1, stack.append(generation("a")).number());
        assertEquals(2, stack.append(generation("b")).number());
        assertEquals(2, current(stack).number());
        assertEquals(generation("b"), current(stack).generation());
    }

    @Test
    void crashBeforeTheSwitchLeavesTheOldOneCurrent() throws Exception {
        StackFiles stack = new StackFiles(directory);
        stack.append(generation("a"));
        Files.write(directory.resolve("2.json"), generation("b").toJson());
        Files.writeString(directory.resolve("current.new"), "2");
        assertEquals(generation("a"), current(stack).generation());
        assertEquals(3, stack.append(generation("c")).number());
        assertEquals(generation("c"), current(stack).generation());
    }

    @Test
    void unreadableCurrentIsRefusedAndNothingIsGuessed() throws Exception {
        StackFiles stack = new StackFiles(directory);
        stack.append(generation("a"));
        for (String damage : new String[] {"", "2\n", "one", "1 1"}) {
            Files.writeString(directory.resolve("current"), damage);
            assertEquals(
                    "stack.corrupt",
                    assertThrows(LauncherException.class, stack::current).code(),
                    damage);
        }
        Files.writeString(directory.resolve("current"), "1\n");
        Files.writeString(directory.resolve("1.json"), "{\"format\":1");
        assertEquals(
                "stack.corrupt",
                assertThrows(LauncherException.class, stack::current).code());
    }

    @Test
    void oldGenerationsGoAndTheirJarsWithThem() throws Exception {
        StackFiles stack = new StackFiles(directory);
        for (int i = 1; i <= StackFiles.KEPT + 3; i++) {
            stack.append(generation("jar" + i));
        }
        Set<String> jars = stack.prune(current(stack), Set.of());
        assertEquals(StackFiles.KEPT + 1, jars.size());
        assertTrue(jars.contains("jar3"));
        assertEquals(StackFiles.KEPT + 3, current(stack).number());
        assertTrue(Files.notExists(directory.resolve("2.json")));
    }
}
