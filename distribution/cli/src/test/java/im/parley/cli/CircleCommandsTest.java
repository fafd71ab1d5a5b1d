package im.parley.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Circles as people make, name and end them, and where every other command takes one. */
class CircleCommandsTest {
    private static final String CIRCLE =
            "{\"name\":\"Family\",\"id\":\"c1\",\"description\":\"all of us\",\"relays\":[\"wss://a.example\"],"
                    + "\"fileServers\":[\"https://f.example\"],\"seconds\":3600,\"createdAt\":1,\"identities\":1,"
                    + "\"inboxRelays\":2,\"messages\":3,\"sent\":1,\"exact\":true,\"byState\":{\"composed\":0,"
                    + "\"awaiting signer\":0,\"queued\":1,\"at relays\":0,\"delivered\":0,\"read\":0,\"failed\":0}}";
    private static final String INVITATION =
            "{\"link\":\"parley:circle?name=Family&by=nprofile1x\",\"circle\":\"Family\",\"description\":\"\","
                    + "\"from\":\"Mum\",\"inviter\":\"npub1x\",\"relays\":[\"wss://a.example\"],\"fileServers\":[]}";
    private static final String ACCOUNT =
            "{\"name\":\"Kid\",\"pubkey\":\"aa\",\"npub\":\"npub1k\",\"nprofile\":\"p\",\"relays\":[],\"locked\":false}";

    @TempDir
    Path data;

    private Terminal terminal;

    @BeforeEach
    void open() {
        terminal = new Terminal(data);
    }

    private static Map<String, Object> params(FakeNode node, int call) throws IOException {
        return Json.member(Json.object(node.heard.get(call).getBytes(StandardCharsets.UTF_8)), "params");
    }

    @Test
    void aCircleIsMadeListedAndRenamed() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("circle.new", "\"result\":" + CIRCLE)
                    .on("circle.list", "\"result\":{\"circles\":[" + CIRCLE + "]}")
                    .on("circle.rename", "\"result\":" + CIRCLE);
            assertEquals(
                    Exit.OK,
                    terminal.run(
                            "circle",
                            "new",
                            "Family",
                            "--description",
                            "all of us",
                            "--relay",
                            "wss://a.example",
                            "--relay",
                            "wss://b.example",
                            "--file-server",
                            "https://f.example",
                            "--vanish",
                            "1h"),
                    terminal.err());
            assertEquals(
                    Map.of(
                            "name",
                            "Family",
                            "description",
                            "all of us",
                            "relays",
                            "wss://a.example\nwss://b.example",
                            "fileServers",
                            "https://f.example",
                            "seconds",
                            3_600L),
                    params(node, 0));
            assertTrue(
                    terminal.out().contains("./parley identity new --data " + data + " --circle Family YOUR-NAME"),
                    terminal.out());
            assertEquals(Exit.OK, terminal.run("circle", "list"));
            assertEquals(
                    "Family: all of us\n  1 identity, 2 inbox relays, 3 messages\n"
                            + "  ledger: 1 sent = 1 queued (exact)\n  relay   wss://a.example\n"
                            + "  files   https://f.example\n  vanish  1 hour\n",
                    terminal.out());
            assertEquals(Exit.OK, terminal.run("circle", "rename", "Kin", "Family"));
            assertEquals(Map.of("circle", "Kin", "name", "Family"), params(node, 2));
            assertEquals(Exit.REFUSED, terminal.run("circle", "new", "nsec1qqqq"));
            assertEquals(3, node.heard.size());
        }
    }

    @Test
    void aCircleIsDeletedByItsNameTypedAgain() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("circle.delete", "\"result\":{\"keysKept\":[\"token\"]}");
            assertEquals(Exit.REFUSED, terminal.run("circle", "delete", "Family"));
            assertTrue(terminal.err().contains("cli.not-confirmed"), terminal.err());
            assertEquals(0, node.heard.size());
            assertEquals(Exit.OK, terminal.run("circle", "delete", "Family", "--yes", "Family"));
            assertEquals(Map.of("circle", "Family", "again", "Family"), params(node, 0));
            assertTrue(terminal.out().contains("token"), terminal.out());
            assertEquals(Exit.OK, terminal.types().pipes("Famly\n").run("circle", "delete", "Family"));
            assertEquals(Map.of("circle", "Family", "again", "Famly"), params(node, 1), "the node compares");
        }
    }

    @Test
    void anInvitationIsPrintedAndDrawn() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("circle.invite", "\"result\":" + INVITATION);
            assertEquals(Exit.OK, terminal.run("circle", "invite", "Family", "--qr", "--as", "Mum"), terminal.err());
            assertEquals(Map.of("circle", "Family", "account", "Mum"), params(node, 0));
            String out = terminal.out();
            assertTrue(out.startsWith("parley:circle?name=Family&by=nprofile1x\n"), out);
            assertTrue(out.contains("  from    Mum npub1x\n  relay   wss://a.example\n"), out);
            List<String> code = out.lines()
                    .filter(line -> line.chars().allMatch(c -> " \u2580\u2584\u2588".indexOf(c) >= 0))
                    .toList();
            assertEquals(code.get(0).length(), 2 * code.size() - code.get(0).length() % 2, "modules are square");
            assertEquals("\u2588".repeat(code.get(0).length()), code.get(0), "light around it");
            assertEquals(
                    "\u2588\u2588 \u2584\u2584\u2584\u2584\u2584 ", code.get(1).substring(0, 9), "a finder pattern");
            assertEquals(Exit.OK, terminal.run("circle", "invite", "Family", "--qr", "--json"));
            assertFalse(terminal.out().contains("\u2588"));
            assertEquals("", QrCodes.drawn("x".repeat(3_000)));
        }
    }

    @Test
    void whoJoinsAgreesToTheRelaysOrNamesOthers() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("circle.read", "\"result\":" + INVITATION)
                    .on(
                            "circle.join",
                            "\"result\":{\"circle\":" + CIRCLE + ",\"account\":" + ACCOUNT
                                    + ",\"contact\":{\"name\":\"Mum\",\"pubkey\":\"bb\",\"npub\":\"n\",\"relays\":[]}}");
            String link = "parley:circle?name=Family&by=nprofile1x";
            assertEquals(Exit.USAGE, terminal.run("circle", "join", link));
            assertEquals(Exit.REFUSED, terminal.run("circle", "join", link, "--identity", "Kid"));
            assertTrue(terminal.err().contains("cli.not-confirmed"), terminal.err());
            assertEquals(Exit.REFUSED, terminal.types().pipes("no\n").run("circle", "join", link, "--identity", "Kid"));
            assertTrue(terminal.out().contains("relay   wss://a.example"), "what is asked about is shown");
            assertEquals(2, node.heard.size());
            assertEquals(Exit.OK, terminal.pipes("yes\n").run("circle", "join", link, "--identity", "Kid"));
            assertEquals(Map.of("link", link, "identity", "Kid"), params(node, 3));
            assertTrue(
                    terminal.out().contains("./parley send --data " + data + " --circle Family Mum \"Hello\""),
                    terminal.out());
            assertEquals(
                    Exit.OK,
                    terminal.run(
                            "circle",
                            "join",
                            link,
                            "--identity",
                            "Kid",
                            "--name",
                            "Kin",
                            "--contact",
                            "Ma",
                            "--relay",
                            "ws://10.0.0.7:7470"));
            assertEquals(
                    Map.of(
                            "link",
                            link,
                            "identity",
                            "Kid",
                            "name",
                            "Kin",
                            "contact",
                            "Ma",
                            "relays",
                            "ws://10.0.0.7:7470"),
                    params(node, 5));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "identity new x",
                "identity list",
                "contact add x npub1x",
                "contact list",
                "relay add ws://x",
                "relay remove ws://x",
                "relay list",
                "send x y",
                "reply 0123 y",
                "react 0123 y",
                "vanish x",
                "delete 0123",
                "inbox",
                "ledger",
                "drops"
            })
    void everyCommandThatHappensInACircleTakesItsName(String line) throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            for (String method : List.of(
                    "identity.new",
                    "identity.list",
                    "contact.add",
                    "contact.list",
                    "relay.add",
                    "relay.remove",
                    "relay.list",
                    "message.send",
                    "message.reply",
                    "message.react",
                    "message.timer",
                    "message.delete",
                    "message.list",
                    "ledger.get",
                    "drops.list")) {
                node.refuses(method, "account.none", "rejected");
            }
            String[] words = (line + " --circle Family").split(" ");
            assertEquals(Exit.REFUSED, terminal.run(words), terminal.err());
            assertEquals("Family", params(node, 0).get("circle"));
            assertEquals(Exit.REFUSED, terminal.run(line.split(" ")));
            assertNull(params(node, 1).get("circle"));
        }
    }

    @Test
    void whatIsAboutTheNodeTakesNone() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            for (String line : List.of("slots", "egress", "lock", "relay status", "circle list", "version")) {
                assertEquals(Exit.USAGE, terminal.run((line + " --circle Family").split(" ")), line);
            }
            assertEquals(0, node.heard.size());
        }
    }

    @Test
    void adviceIsForTheSameCircle() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("identity.list", "\"result\":{\"accounts\":[" + ACCOUNT.replace("false", "true") + "]}");
            assertEquals(Exit.OK, terminal.run("identity", "list", "--circle", "my family"), terminal.err());
            assertTrue(
                    terminal.out().contains("./parley identity unlock --data " + data + " --circle 'my family' Kid"),
                    terminal.out());
        }
    }
}
