package im.parley.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What somebody sees before she says yes to a change of her node, and what is done then. */
class StackCommandsTest {
    private static final String REACH = "\"bsn\":\"org.example.gate\",\"version\":\"1.0.0\",\"sha256\":\"ab12\","
            + "\"signer\":\"example\",\"key\":\"cd34\",\"services\":[],\"hosts\":[\"api.example.org\"],"
            + "\"files\":\"own\",\"nativeCode\":false";
    private static final String PLAN = "\"result\":{\"plan\":\"0123\",\"act\":\"install\",\"generation\":1,"
            + "\"empty\":%s,\"changes\":[\"plugin org.example.gate 1.0.0 comes\"],\"refreshes\":[],"
            + "\"verdict\":\"hot\",\"reasons\":[],\"plugins\":[{" + REACH + "}],"
            + "\"warning\":\"Fences stop mistakes, not hostile code.\"}";
    private static final String DONE = "\"result\":{\"act\":\"plugin.install\",\"generation\":2,\"changes\":[],"
            + "\"swaps\":[],\"verdict\":\"hot\",\"words\":\"Stack generation 2.\",\"undone\":\"it came\"}";

    @TempDir
    Path data;

    private Terminal terminal;
    private FakeNode node;

    @BeforeEach
    void open() throws IOException {
        terminal = new Terminal(data);
        node = new FakeNode(data);
        node.on("plugin.plan", PLAN.formatted("false")).on("plugin.install", DONE);
    }

    @AfterEach
    void close() throws Exception {
        node.close();
    }

    private Map<String, Object> heard(int call) throws IOException {
        return Json.member(Json.object(node.heard.get(call).getBytes(StandardCharsets.UTF_8)), "params");
    }

    @Test
    void anInstallationSaysWhatItReachesAndAsks() throws Exception {
        assertEquals(Exit.OK, terminal.types().pipes("yes\n").run("plugin", "install", "gate.jar", "--why", "trial"));
        for (String told : new String[] {
            "plugin org.example.gate 1.0.0 comes",
            "How it is done: hot.",
            "signed by     example, key cd34",
            "machines      api.example.org",
            "the directory of its own instance",
            "not hostile code",
            "Do it? Type yes: ",
            "Stack generation 2."
        }) {
            assertTrue(terminal.out().contains(told), terminal.out());
        }
        assertEquals("install", heard(0).get("act"));
        assertEquals(Path.of("gate.jar").toAbsolutePath().toString(), heard(1).get("file"));
        assertEquals("0123", heard(1).get("plan"), "exactly the plan that was shown");
        assertEquals("trial", heard(1).get("why"));
        assertFalse(heard(1).containsKey("act"));
    }

    @Test
    void withoutAYesNothingIsDone() throws Exception {
        for (String answer : new String[] {"no\n", "", "y\n", "YES\n"}) {
            assertEquals(Exit.REFUSED, terminal.types().pipes(answer).run("plugin", "install", "gate.jar"));
            assertTrue(terminal.err().contains("Code: cli.not-confirmed"), terminal.err());
        }
        assertEquals(Exit.REFUSED, new Terminal(data).pipes("yes\n").run("plugin", "install", "gate.jar"));
        assertEquals(Exit.REFUSED, terminal.types().pipes("yes\n").run("plugin", "install", "gate.jar", "--json"));
        assertTrue(node.heard.stream().noneMatch(call -> call.contains("plugin.install")), node.heard.toString());
    }

    @Test
    void whoSaysYesBeforehandIsNotAsked() throws Exception {
        assertEquals(Exit.OK, terminal.run("plugin", "install", "gate.jar", "--sig", "/else/where.sig", "--yes"));
        assertTrue(terminal.out().contains("signed by     example"), terminal.out());
        assertEquals("/else/where.sig", heard(1).get("signature"));
        assertEquals(Exit.OK, terminal.run("plugin", "install", "gate.jar", "--yes", "--json"));
        assertEquals(
                2L, Json.object(terminal.out().getBytes(StandardCharsets.UTF_8)).get("generation"));
    }

    @Test
    void anEmptyPlanNeedsNoYes() throws Exception {
        node.on("stack.plan", PLAN.formatted("true")).on("stack.apply", DONE);
        assertEquals(Exit.OK, terminal.run("stack", "apply", "stack.json"));
        assertFalse(terminal.out().contains("Do it?"), terminal.out());
        assertEquals(Exit.OK, terminal.run("stack", "plan", "stack.json"));
        assertTrue(terminal.out().contains("Nothing to do"), terminal.out());
    }

    @Test
    void undoTakesBackWhateverCameLast() throws Exception {
        node.on("stack.undo", DONE)
                .on(
                        "slots.undo",
                        "\"result\":{\"words\":\"Slot curve: a gave way to b.\",\"slot\":\"curve\",\"to\":\"b\"}");
        String show = "\"result\":{\"generation\":3,\"features\":[\"base\"],\"plugins\":[{" + REACH
                + ",\"instances\":[\"org.example.gate~main\"],\"state\":\"active\"}],"
                + "\"overrides\":[{\"pid\":\"p\",\"properties\":\"{}\"}],\"slots\":[{\"slot\":\"curve\","
                + "\"select\":[\"a\"]}],\"restartNeeded\":true,\"undo\":\"%s\",\"undoWords\":\"it came\"}";
        node.on("stack.show", show.formatted("plugin.install"));
        assertEquals(Exit.OK, terminal.run("undo"));
        assertTrue(terminal.out().contains("Taken back: it came"), terminal.out());
        node.on("stack.show", show.formatted("swap"));
        assertEquals(Exit.OK, terminal.run("undo"));
        assertTrue(terminal.out().contains("Slot curve"), terminal.out());

        assertEquals(Exit.OK, terminal.run("stack", "show"));
        for (String told : new String[] {"org.example.gate", "by example", "next start", "takes back: it came"}) {
            assertTrue(terminal.out().contains(told), terminal.out());
        }
        node.on("plugin.list", "\"result\":{\"plugins\":[]}");
        assertEquals(Exit.OK, terminal.run("plugin", "list"));
        assertTrue(terminal.out().contains("No plugins"), terminal.out());
    }

    @Test
    void anExportOverwritesNothingAndIsForItsOwnerOnly() throws Exception {
        node.on("stack.export", "\"result\":{\"text\":\"{}\\n\"}");
        Path file = data.resolve("stack.json");
        assertEquals(Exit.OK, terminal.run("stack", "export", file.toString()));
        assertEquals("{}\n", Files.readString(file));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        assertEquals(Exit.REFUSED, terminal.run("stack", "export", file.toString()));
        assertTrue(terminal.err().contains("Code: stack.not-written"), terminal.err());
        assertEquals(Exit.OK, terminal.run("stack", "export", "-"));
        assertEquals("{}\n", terminal.out());
    }

    @Test
    void aRefusalKeepsItsCode() throws Exception {
        node.refuses("plugin.plan", "plugin.revoked", "rejected");
        assertEquals(Exit.REFUSED, terminal.run("plugin", "upgrade", "gate.jar", "--yes"));
        assertTrue(terminal.err().contains("Code: plugin.revoked"), terminal.err());
        node.refuses("plugin.plan", "stack.busy", "unavailable");
        assertEquals(Exit.UNAVAILABLE, terminal.run("plugin", "remove", "org.example.gate", "--yes"));
    }
}
