package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodeDirectoryTest {
    @TempDir
    Path temp;

    private static String mode(Path file) throws Exception {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
    }

    @Test
    void everythingIsTheOwnersAlone() throws Exception {
        Path data = temp.resolve("a/b");
        try (NodeDirectory directory = NodeDirectory.open(data)) {
            directory.writeCard(new NodeDirectory.Card(Path.of("/s"), 1, "v"));
            assertEquals("rwx------", mode(data));
            assertEquals("rwx------", mode(data.resolve("jars")));
            assertEquals("rw-------", mode(data.resolve("node.json")));
            assertEquals("rw-------", mode(data.resolve("node.lock")));
        }
    }

    @Test
    void openDirectoryIsClosedToOthers() throws Exception {
        Path data = Files.createDirectory(
                temp.resolve("d"), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        NodeDirectory.open(data).close();
        assertEquals("rwx------", mode(data));
    }

    @Test
    void linkIsNoDirectory() throws Exception {
        Path real = Files.createDirectory(temp.resolve("real"));
        Path link = Files.createSymbolicLink(temp.resolve("link"), real);
        LauncherException refused = assertThrows(LauncherException.class, () -> NodeDirectory.open(link));
        assertEquals("data.unusable", refused.code());
        assertTrue(refused.why().contains("link"), refused.why());
    }

    @Test
    void cardIsReadBackAndABrokenOneIsNone() throws Exception {
        NodeDirectory.Card card = new NodeDirectory.Card(Path.of("/run/x.sock"), 42, "1.0");
        try (NodeDirectory directory = NodeDirectory.open(temp.resolve("d"))) {
            assertNull(NodeDirectory.card(directory.root()));
            directory.writeCard(card);
            assertEquals(card, NodeDirectory.card(directory.root()));
            Files.writeString(directory.sub("node.json"), "{");
            assertNull(NodeDirectory.card(directory.root()));
        }
    }

    @Test
    void socketNamesAreShortDifferentAndSafe() throws Exception {
        Path runtime = temp.resolve("r");
        Path one = NodeDirectory.socketFor(Path.of("/data/one"), runtime, Map.of());
        Path two = NodeDirectory.socketFor(Path.of("/data/two"), runtime, Map.of());
        assertNotEquals(one, two);
        assertEquals("rwx------", mode(runtime));
        assertEquals(
                temp.resolve("parley"),
                NodeDirectory.socketFor(Path.of("/d"), null, Map.of("XDG_RUNTIME_DIR", temp.toString()))
                        .getParent());
        Path longWay = temp.resolve("x".repeat(120));
        Files.createDirectory(longWay);
        Path fallback = NodeDirectory.socketFor(Path.of("/d"), null, Map.of("XDG_RUNTIME_DIR", longWay.toString()));
        assertTrue(fallback.startsWith("/tmp"), fallback.toString());
        assertTrue(fallback.toString().getBytes(StandardCharsets.UTF_8).length <= 100);
        assertEquals(
                "runtime.unsafe",
                assertThrows(LauncherException.class, () -> NodeDirectory.socketFor(Path.of("/d"), longWay, Map.of()))
                        .code());
    }

    @Test
    void startOptionsAreRememberedUntilToldOtherwise() throws Exception {
        Path file = temp.resolve("start.json");
        ParleyConfig.Builder plain = ParleyConfig.builder(temp, temp);
        assertEquals(
                new StartOptions(7470, Set.of("infrastructure", "personal"), List.of(), temp),
                StartOptions.resolve(file, plain.build(), temp));
        ParleyConfig other = ParleyConfig.builder(temp, temp)
                .portBase(9000)
                .relayUrls(List.of("wss://relay.example.org"))
                .feature("personal")
                .build();
        StartOptions chosen =
                new StartOptions(9000, Set.of("personal"), List.of("wss://relay.example.org"), Path.of("/elsewhere"));
        assertEquals(chosen, StartOptions.resolve(file, other, Path.of("/elsewhere")));
        assertTrue(Files.notExists(file), "a start that fails is not repeated");
        chosen.keep(file);
        assertEquals(chosen, StartOptions.resolve(file, plain.build(), temp));
        assertEquals(List.of("relay.example.org"), chosen.relayHosts());
        assertEquals(
                List.of(),
                StartOptions.resolve(file, plain.relayUrls(List.of()).build(), temp)
                        .relayUrls());
        Files.writeString(file, "{\"portBase\":\"x\"}");
        assertEquals(
                "data.unusable",
                assertThrows(LauncherException.class, () -> StartOptions.resolve(file, plain.build(), temp))
                        .code());
    }

    @Test
    void wrongDecisionsAreRefusedByName() {
        ParleyConfig.Builder builder = ParleyConfig.builder(temp, temp);
        assertTrue(assertThrows(IllegalArgumentException.class, () -> builder.portBase(80))
                .toString()
                .contains("1024"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> builder.feature("calls"))
                .toString()
                .contains("personal"));
    }
}
