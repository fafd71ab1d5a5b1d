package im.parley.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

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

    /** A session's runtime directory goes with the logout, a detached node does not. */
    @Test
    void socketLiesWhereALogoutDoesNotRemoveIt() throws Exception {
        assertEquals(Path.of("/home/a b/data/node.sock"), NodeDirectory.socketFor(Path.of("/home/a b/data"), null));
        Path deep = Path.of("/home").resolve("\u00e4".repeat(50));
        Path elsewhere = NodeDirectory.socketFor(deep, null);
        assertEquals("rwx------", mode(elsewhere.resolveSibling(".")));
        assertTrue(elsewhere.startsWith("/tmp"), elsewhere.toString());
        assertTrue(elsewhere.toString().getBytes(StandardCharsets.UTF_8).length <= 100);
        assertNotEquals(elsewhere, NodeDirectory.socketFor(deep.resolve("x"), null));
    }

    @Test
    void socketOfAHostLiesWhereTheHostSays() throws Exception {
        Path runtime = temp.resolve("r");
        Path one = NodeDirectory.socketFor(Path.of("/data/one"), runtime);
        assertNotEquals(one, NodeDirectory.socketFor(Path.of("/data/two"), runtime));
        assertEquals(runtime, one.getParent());
        assertEquals("rwx------", mode(runtime));
        Path longWay = temp.resolve("x".repeat(120));
        assertEquals(
                "runtime.unsafe",
                assertThrows(LauncherException.class, () -> NodeDirectory.socketFor(Path.of("/d"), longWay))
                        .code());
        Path link = Files.createSymbolicLink(temp.resolve("squatted"), runtime);
        assertEquals(
                "runtime.unsafe",
                assertThrows(LauncherException.class, () -> NodeDirectory.socketFor(Path.of("/d"), link))
                        .code());
    }

    @Test
    void startOptionsAreRememberedUntilToldOtherwise() throws Exception {
        Path file = temp.resolve("start.json");
        Path elsewhere = temp.resolve("elsewhere");
        ParleyConfig.Builder plain = ParleyConfig.builder(temp, temp);
        assertEquals(
                new StartOptions(7470, Set.of("infrastructure", "personal"), List.of(), List.of(), temp),
                StartOptions.resolve(file, plain.build(), temp));
        ParleyConfig other = ParleyConfig.builder(temp, temp)
                .portBase(9000)
                .relayUrls(List.of("wss://relay.example.org"))
                .filesUrls(List.of("https://files.example.org"))
                .feature("personal")
                .build();
        StartOptions chosen = new StartOptions(
                9000,
                Set.of("personal"),
                List.of("wss://relay.example.org"),
                List.of("https://files.example.org"),
                elsewhere);
        assertEquals(chosen, StartOptions.resolve(file, other, elsewhere));
        assertTrue(Files.notExists(file), "a start that fails is not repeated");
        chosen.keep(file);
        assertEquals(
                temp,
                StartOptions.resolve(file, plain.build(), temp).stateDir(),
                "restored where the kept directory holds no keys");
        Files.createDirectories(elsewhere.resolve("devices"));
        assertEquals(chosen, StartOptions.resolve(file, plain.build(), temp));
        assertEquals(
                Set.of("infrastructure", "personal"),
                StartOptions.resolve(
                                file,
                                ParleyConfig.builder(temp, temp).feature("all").build(),
                                temp)
                        .features(),
                "the way back from --only");
        assertEquals(List.of("relay.example.org"), chosen.relayHosts());
        assertEquals(List.of("files.example.org"), chosen.filesHosts());
        assertEquals(List.of(), StartOptions.differences(file, plain.build()));
        assertEquals(List.of(), StartOptions.differences(file, other));
        assertEquals(
                List.of("--port-base 9010 (it has 9000)", "--only all (it has personal)"),
                StartOptions.differences(
                        file,
                        ParleyConfig.builder(temp, temp)
                                .portBase(9010)
                                .feature("all")
                                .build()));
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
        assertThrows(
                IllegalArgumentException.class,
                () -> ParleyConfig.builder(temp, Path.of("")).build());
    }

    @Test
    void deviceKeysAreFoundWhereverTheDataIs() {
        Map<String, String> environment = Map.of("XDG_STATE_HOME", "/s");
        assertEquals(Path.of("/s/parley"), NodeDirectory.stateFor(environment));
    }

    @Test
    void holderIsKnownFromTheStartToTheEnd() throws Exception {
        Path data = temp.resolve("d");
        ProcessHandle self = ProcessHandle.current();
        assertNull(NodeDirectory.holder(data));
        try (NodeDirectory directory = NodeDirectory.open(data, true)) {
            assertEquals(
                    new NodeDirectory.Holder(self, true, NodeDirectory.State.STARTING), NodeDirectory.holder(data));
            directory.writeCard(new NodeDirectory.Card(Path.of("/s"), self.pid(), "v"));
            assertEquals(new NodeDirectory.Holder(self, true, NodeDirectory.State.READY), NodeDirectory.holder(data));
            directory.stopping();
            assertEquals(
                    new NodeDirectory.Holder(self, true, NodeDirectory.State.STOPPING), NodeDirectory.holder(data));
            directory.close();
            directory.stopping();
            assertNull(NodeDirectory.holder(data));
            assertTrue(Files.notExists(data.resolve("node.pid")), "whoever is late leaves nothing behind");
        }
        NodeDirectory hosted = NodeDirectory.open(data);
        assertEquals(new NodeDirectory.Holder(self, false, NodeDirectory.State.STARTING), NodeDirectory.holder(data));
        hosted.close();
    }

    @Test
    void processWithoutTheLockIsNoHolder() throws Exception {
        Path data = temp.resolve("d");
        NodeDirectory.open(data).close();
        Process other = new ProcessBuilder("sleep", "60").start();
        try {
            long startedAt =
                    other.toHandle().info().startInstant().orElseThrow().toEpochMilli();
            Files.writeString(
                    data.resolve("node.pid"),
                    "{\"pid\":" + other.pid() + ",\"startedAt\":" + startedAt
                            + ",\"ownProcess\":true,\"state\":\"ready\"}");
            assertNull(NodeDirectory.holder(data));
        } finally {
            other.destroyForcibly();
        }
    }

    @Test
    void anotherProcessOfTheSameNumberIsNoHolder() throws Exception {
        Path data = temp.resolve("d");
        try (NodeDirectory directory = NodeDirectory.open(data)) {
            Path file = directory.sub("node.pid");
            String held = Files.readString(file);
            Files.writeString(file, held.replaceFirst("(\"startedAt\" : )", "$11"));
            assertNull(NodeDirectory.holder(data));
            Files.writeString(file, held.replaceFirst("(\"pid\" : )\\d+", "$1999999999"));
            assertNull(NodeDirectory.holder(data));
            Files.writeString(file, "{");
            assertNull(NodeDirectory.holder(data));
        }
    }

    @Test
    void refusedSecondStartOfTheSameProcessLeavesTheLock() throws Exception {
        Path data = temp.resolve("d");
        Path locks = Path.of("/proc/locks");
        assumeTrue(Files.exists(locks), "the system does not list its locks");
        try (NodeDirectory first = NodeDirectory.open(data)) {
            String inode = ":" + Files.getAttribute(first.sub("node.lock"), "unix:ino") + " ";
            assertTrue(Files.readString(locks).contains(inode));
            assertEquals(
                    "node.running",
                    assertThrows(LauncherException.class, () -> NodeDirectory.open(data))
                            .code());
            assertTrue(Files.readString(locks).contains(inode), "another process could take it now");
        }
    }

    @Test
    void cardOfAKilledNodeGoesWithTheNextStart() throws Exception {
        Path data = temp.resolve("d");
        NodeDirectory.open(data).close();
        Files.writeString(data.resolve("node.json"), "{\"socket\":\"/s\",\"pid\":1,\"version\":\"v\"}");
        try (NodeDirectory directory = NodeDirectory.open(data)) {
            assertNull(NodeDirectory.card(directory.root()));
        }
    }
}
