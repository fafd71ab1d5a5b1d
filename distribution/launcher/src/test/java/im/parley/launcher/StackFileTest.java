package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StackFileTest {
    @TempDir
    Path directory;

    private static StackFile parse(String members) throws IOException {
        return StackFile.parse(("{\"format\":1" + members + "}").getBytes(StandardCharsets.UTF_8), Path.of("/stacks"));
    }

    @Test
    void whatIsNotMentionedStaysAndNullTakesAway() throws Exception {
        StackFile nothing = parse("");
        assertNull(nothing.plugins());
        assertEquals(Map.of(), nothing.configurations());
        StackFile file = parse(",\"plugins\":[{\"file\":\"a.jar\"},{\"bsn\":\"x.y\",\"version\":\"1.0.0\"}],"
                + "\"configurations\":{\"p~a\":{\"k\":[\"v\"],\"n\":7},\"p~b\":null},\"slots\":{\"s\":[\"p~a\"]}");
        assertTrue(file.configurations().containsKey("p~b"));
        assertNull(file.configurations().get("p~b"));
        assertEquals(Map.of("k", List.of("v"), "n", 7L), file.configurations().get("p~a"));
        List<StackFile.Entry> plugins = file.plugins();
        assertNotNull(plugins);
        assertEquals(Path.of("/stacks/a.jar"), plugins.get(0).file());
        assertNull(plugins.get(1).file());
        assertEquals("x.y", plugins.get(1).bsn());
    }

    @Test
    void whatIsExportedIsRead() throws Exception {
        Generation generation = new Generation(
                "lock",
                List.of("base"),
                List.of(),
                Map.of("p~main", Map.of()),
                Map.of("s", List.of("x.y~main")),
                List.of(new Generation.Plugin("x.y", "1.0.0", "ab", Map.of("x.y~main", Map.of("k", "v")))),
                Map.of("p~main", Map.of("n", 7L)),
                Map.of("s", List.of("p~main")));
        StackFile file = StackFile.parse(StackFile.export(generation), directory);
        List<StackFile.Entry> plugins = file.plugins();
        assertNotNull(plugins);
        assertEquals("ab", plugins.get(0).sha256());
        assertEquals(Map.of("x.y~main", Map.of("k", "v")), plugins.get(0).configurations());
        assertEquals(generation.overrides(), file.configurations());
        assertEquals(generation.slots(), file.slots());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"format\":2}",
                "{\"format\":1,\"plugin\":[]}",
                "{\"format\":1,\"plugins\":[{}]}",
                "{\"format\":1,\"plugins\":[{\"file\":\"a\",\"url\":\"b\"}]}",
                "{\"format\":1,\"plugins\":[{\"bsn\":\"a.b\",\"signature\":\"b\"}]}",
                "{\"format\":1,\"configurations\":{\"p\":{\"k\":{}}}}",
                "{\"format\":1,\"configurations\":{\"p\":{\"k\":null}}}",
                "{\"format\":1,\"configurations\":{\"p\":[]}}",
                "{\"format\":1,\"slots\":{\"s\":\"p~a\"}}",
                "{\"format\":1,\"slots\":{\"s\":[1]}}",
                "{\"format\":1} x",
                "\u0000"
            })
    void whatIsNoStackFileIsSaid(String text) throws Exception {
        Path file = directory.resolve("f.json");
        Files.writeString(file, text);
        LauncherException refused = assertThrows(LauncherException.class, () -> StackFile.read(file));
        assertEquals("plan.bad-file", refused.code());
        assertTrue(refused.why().contains("f.json"), refused.why());
    }

    @Test
    void aFileThatIsNotThereOrTooLargeIsSaid() throws Exception {
        Path file = directory.resolve("f.json");
        assertEquals(
                "plan.bad-file",
                assertThrows(LauncherException.class, () -> StackFile.read(file))
                        .code());
        Files.write(file, new byte[1024 * 1024 + 1]);
        LauncherException large = assertThrows(LauncherException.class, () -> StackFile.read(file));
        assertTrue(large.why().contains("more than"), large.why());
    }
}
