package im.parley.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
    private static final String SESSION = "\"result\":{\"pinSet\":%s,\"locked\":%s,\"failures\":0,\"retryAt\":0}";
    private static final String MESSAGE =
            "{\"position\":5,\"id\":\"aa\",\"account\":\"alice\",\"peer\":\"bb\",\"peerName\":\"bob\","
                    + "\"outgoing\":false,\"sentAt\":0,\"text\":\"%s\",\"state\":\"received\",\"what\":\"text\",\"about\":\"\",\"room\":\"r\",\"members\":[\"bob\"],\"reactions\":[],\"deleted\":false,\"expires\":0,\"edits\":0,\"mentions\":[],\"file\":[]}";

    @TempDir
    Path data;

    @TempDir
    Path state;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final List<char[]> asked = new ArrayList<>();

    /** Of the distribution that the command is part of, if any. */
    private @Nullable Path home;

    private int run(String input, Queue<String> typed, String... arguments) {
        Invocation invocation =
                new Invocation(
                        new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8)) {
                    @Override
                    @Nullable
                    Path home() {
                        return home;
                    }

                    @Override
                    Map<String, String> environment() {
                        return Map.of("XDG_STATE_HOME", state.toString());
                    }

                    @Override
                    boolean interactive() {
                        return !typed.isEmpty();
                    }

                    @Override
                    char @Nullable [] ask(String prompt) {
                        String answer = typed.poll();
                        if (answer == null) {
                            return null;
                        }
                        char[] secret = answer.toCharArray();
                        asked.add(secret);
                        return secret;
                    }
                };
        List<String> all = new ArrayList<>(List.of(arguments));
        all.add("--data");
        all.add(data.toString());
        return Main.run(invocation, all.toArray(new String[0]));
    }

    private int run(String... arguments) {
        return run("", new ArrayDeque<>(), arguments);
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "status",
                "lock",
                "unlock",
                "pin set",
                "identity new x",
                "identity list",
                "identity import x",
                "identity export x",
                "contact add a b",
                "contact list",
                "relay add u",
                "relay remove u",
                "relay list",
                "relay status",
                "relay export -",
                "relay import -",
                "files server add u",
                "files server remove u",
                "files server list",
                "files server probe u",
                "files put f",
                "files get - f",
                "files delete -",
                "files jobs",
                "files cancel 1",
                "files retry 1",
                "send a b",
                "inbox",
                "ledger",
                "egress",
                "drops",
                "slots",
                "swap curve x~main",
                "undo",
                "plugin install x.jar",
                "plugin upgrade x.jar",
                "plugin remove x.y",
                "plugin undo",
                "plugin list",
                "stack show",
                "stack plan f",
                "stack apply f",
                "stack undo",
                "stack export -"
            })
    void withoutANodeEveryCommandSaysSo(String command) {
        assertEquals(Exit.NOT_RUNNING, run(command.split(" ", -1)));
        assertTrue(err().contains("Code: node.not-running"), err());
        assertTrue(err().contains("./parley start --data " + data + " --detach"), err());
        assertEquals("", out());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nsec1qqqq0000",
                "ncryptsec1qqqq0000",
                "NSEC1QQQQ0000",
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
            })
    void aSecretKeyInTheWrongPlaceIsNotRepeated(String key) {
        assertEquals(Exit.USAGE, run("identity", "import", "bob", key));
        assertFalse(err.toString(StandardCharsets.UTF_8).contains(key), err.toString(StandardCharsets.UTF_8));
        assertTrue(err.toString(StandardCharsets.UTF_8).contains("history of your shell"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
                "wss://relay.example/nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
                "wss://NSEC1VL029MGPSPEDVA04G90VLTKH6FVH240ZQTV9K0T9AF8935KE9LAQSNLFE5.example"
            })
    void aSecretKeyInAnAddressGoesNowhere(String url) throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            for (String command : List.of("add", "remove")) {
                assertEquals(Exit.REFUSED, run("relay", command, url));
            }
            assertEquals(List.of(), node.heard);
        }
        assertTrue(err().contains("Code: relay.secret-key"), err());
        assertFalse(err().toLowerCase(Locale.ROOT).contains("nsec1vl"), err());
    }

    @Test
    void adviceForParleyItselfCanBePasted() {
        assertEquals(Exit.USAGE, run("frobnicate"));
        assertTrue(err().contains("See ./parley --data " + data + " --help."), err());
    }

    @Test
    void AD_10_theAuditLogNeedsNoNode() throws Exception {
        assertEquals(Exit.OK, run("audit", "list"));
        assertEquals("Nothing was done to this node yet.\n", out());
        out.reset();
        assertEquals(Exit.OK, run("audit", "verify"));
        assertEquals("All 0 entries are as they were written.\n", out());
        out.reset();
        Files.writeString(
                data.resolve("audit.jsonl"),
                "{\"n\":1,\"at\":\"2026-11-26T12:00:00Z\",\"act\":\"start\","
                        + "\"features\":[\"a\",\"b\"],\"entry\":0,\"prev\":\"\",\"hash\":\"\"}\n");
        assertEquals(Exit.OK, run("audit", "list"));
        assertTrue(out().contains("start") && out().contains("features a, b"), out());
        assertFalse(out().contains("entry"), out());
        assertEquals(Exit.REFUSED, run("audit", "verify"));
        assertTrue(err().contains("Entry 1 does not follow the one before it."), err());
        assertTrue(err().contains("Code: audit.chain-broken"), err());
    }

    @Test
    void stoppingNothingIsFine() {
        assertEquals(Exit.OK, run("stop"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "frobnicate",
                "send",
                "send a",
                "identity",
                "identity new",
                "inbox --count x",
                "start --only calls",
                "start --port-base 80",
                "start --port-base x",
                "start --relay-url relay.example.org",
                "start --relay-url wss://a@b",
                "start --files-url files.example.org",
                "start --files-url https://files.example.org/below",
                "start --detach --only calls",
                "relay add",
                "send a b --stdin",
                "--nonsense"
            })
    void whatIsNotUnderstoodIsUsage(String command) throws Exception {
        // A start looks at what it was given before it looks at the distribution, which is not there.
        home = data.resolve("nothing");
        assertEquals(Exit.USAGE, run(command.split(" ", -1)), err());
        assertTrue(err().contains("Code: cli.usage"), err());
        assertTrue(err().contains("Why:") && err().contains("Next:") && err().contains("Code:"), err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"status", "start", "stop"})
    void emptyDirectoryIsNotTheOneWhereOneHappensToBe(String command) {
        Invocation invocation = new Invocation(
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        assertEquals(Exit.USAGE, Main.run(invocation, command, "--data", ""));
        assertTrue(err().contains("--data") && err().contains("empty"), err());
    }

    @Test
    void emptyStateDirectoryIsUsage() {
        assertEquals(Exit.USAGE, run("start", "--state", ""));
        assertTrue(err().contains("--state"), err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"status", "inbox"})
    void nodeThatIsStartingOrStoppingIsNotDenied(String command) throws Exception {
        try (HeldDirectory node = HeldDirectory.by(data, true, "starting")) {
            assertEquals(Exit.UNAVAILABLE, run(command));
            assertTrue(err().contains("Code: node.starting"), err());
            assertTrue(err().contains(String.valueOf(node.pid())), err());
        }
        new FakeNode(data).close();
        err.reset();
        try (HeldDirectory node = HeldDirectory.by(data, true, "stopping")) {
            assertEquals(Exit.UNAVAILABLE, run(command));
            assertTrue(err().contains("Code: node.stopping"), err());
            assertTrue(err().contains(String.valueOf(node.pid())), err());
        }
    }

    /** As after a logout that took the directory of its socket away. */
    @ParameterizedTest
    @ValueSource(strings = {"status", "inbox"})
    void nodeWhoseSocketIsGoneIsSaidToRun(String command) throws Exception {
        new FakeNode(data).close();
        Files.delete(data.resolve("s"));
        try (HeldDirectory node = HeldDirectory.by(data, true, "ready")) {
            assertEquals(Exit.UNAVAILABLE, run(command));
            assertTrue(err().contains("Code: node.unreachable"), err());
            assertTrue(err().contains(String.valueOf(node.pid())), err());
            assertTrue(err().contains(data.resolve("s").toString()), err());
            assertTrue(err().contains("./parley stop --data " + data), err());
        }
    }

    @ParameterizedTest
    @CsvSource({"starting,wait", "stopping,wait", "ready,stop"})
    void guideSaysWhatANodeThatDoesNotAnswerIsAt(String state, String step) throws Exception {
        new FakeNode(data).close();
        try (HeldDirectory node = HeldDirectory.by(data, true, state)) {
            assertEquals(Exit.OK, run("guide", "--json"));
            Map<String, Object> guide = Json.object(out.toByteArray());
            assertEquals(step, guide.get("step"), out());
            assertTrue(out().contains(String.valueOf(node.pid())), out());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"starting", "ready"})
    void nodeThatDoesNotAnswerIsStoppedThroughItsProcess(String state) throws Exception {
        if (state.equals("ready")) {
            new FakeNode(data).close();
        }
        try (HeldDirectory node = HeldDirectory.by(data, true, state)) {
            assertEquals(Exit.OK, run("stop"), err());
            assertTrue(out().startsWith("Stopped"), out());
            assertEquals(128 + 15, node.ended());
            assertEquals(Exit.NOT_RUNNING, run("status"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"starting", "ready"})
    void programThatHostsANodeIsNotEnded(String state) throws Exception {
        if (state.equals("ready")) {
            new FakeNode(data).close();
        }
        try (HeldDirectory host = HeldDirectory.by(data, false, state)) {
            assertEquals(Exit.REFUSED, run("stop"));
            assertTrue(err().contains("Code: node.hosted"), err());
            assertTrue(host.isAlive());
        }
    }

    /** A copy of a data directory names the process that has the original. */
    @Test
    void processThatDoesNotHoldTheLockIsNeverEnded() throws Exception {
        Process other = new ProcessBuilder("sleep", "60").start();
        try {
            Files.createFile(data.resolve("node.lock"));
            HeldDirectory.mark(data, other.toHandle(), true, "ready");
            new FakeNode(data).close();
            assertEquals(Exit.NOT_RUNNING, run("status"));
            assertEquals(Exit.OK, run("stop"));
            assertTrue(out().contains("nothing to stop"), out());
            assertTrue(other.isAlive());
        } finally {
            other.destroyForcibly();
        }
    }

    @Test
    void socketOfAnotherUserIsToldNothing() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            UserPrincipal other =
                    data.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("nobody");
            Failure denied = assertThrows(Failure.class, () -> NodeClient.connect(data, other));
            assertEquals("control.foreign", denied.code());
            assertTrue(node.heard.isEmpty());
        }
    }

    private static FakeNode running(Path data) throws IOException {
        Files.writeString(
                data.resolve("start.json"),
                "{\"portBase\":7470,\"features\":[\"infrastructure\"],\"relayUrls\":[],\"stateDir\":\"/s\"}");
        return new FakeNode(data)
                .on(
                        "node.status",
                        "\"result\":{\"ready\":true,\"version\":\"1\",\"generation\":1,\"pid\":1,\"dataDir\":\"/d\","
                                + "\"features\":[\"infrastructure\"],\"urls\":[],\"session\":{\"locked\":false}}");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--port-base 7480",
                "--only personal",
                "--only all",
                "--relay-url wss://relay.example.org",
                "--files-url https://files.example.org",
                "--state /t"
            })
    void runningNodeIsNotStartedWithOtherOptions(String options) throws Exception {
        home = data;
        try (FakeNode node = running(data)) {
            for (String how : List.of("start ", "start --detach ")) {
                err.reset();
                assertEquals(Exit.REFUSED, run((how + options).split(" ", -1)), err());
                assertTrue(err().contains("Code: node.other-options"), err());
                assertTrue(err().contains(options), err());
                assertTrue(err().contains("./parley stop --data " + data), err());
                assertEquals("", out());
            }
            assertTrue(node.heard.isEmpty());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "start",
                "start --detach",
                "start --port-base 7470",
                "start --only infrastructure",
                "start --relay-url none",
                "start --files-url none",
                "start --state /s/../s"
            })
    void runningNodeIsFoundByItsOwnOptions(String command) throws Exception {
        home = data;
        try (FakeNode node = running(data)) {
            assertEquals(Exit.OK, run(command.split(" ", -1)), err());
            assertTrue(out().startsWith("A node runs on this data directory already."), out());
            assertEquals(1, node.heard.size());
        }
    }

    @Test
    void guideToMoreThanARelayLeadsThroughAStop() throws Exception {
        try (FakeNode node = running(data)) {
            assertEquals(Exit.OK, run("guide"));
            assertTrue(out().contains("./parley stop --data " + data), out());
            assertTrue(out().contains("./parley start --data " + data + " --detach --only all"), out());
            assertEquals(1, node.heard.size());
        }
    }

    @Test
    void startThatBelongsToNoDistributionSaysSo() {
        assertEquals(Exit.REFUSED, run("start"));
        assertTrue(err().contains("Code: distribution.missing"), err());
    }

    @Test
    void nodesRatherDieThanLiveOnBroken() {
        List<String> flags = NodeFlags.forThisJava();
        assertTrue(flags.contains("-XX:+ExitOnOutOfMemoryError"), flags.toString());
        assertTrue(flags.contains("-XX:-CreateCoredumpOnCrash"), flags.toString());
    }

    @Test
    void PL_22_aDetachedNodeGetsTheseFlagsAndNoOthers() {
        List<String> known = List.of(
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-Xss512k",
                "-XX:+ExitOnOutOfMemoryError",
                "-XX:-CreateCoredumpOnCrash",
                "-Dfile.encoding=UTF-8",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow");
        int ofThisJava = Runtime.version().feature() < 24 ? 6 : 8;
        assertEquals(known.subList(0, ofThisJava), NodeFlags.forThisJava());
    }

    @Test
    void misspeltCommandIsGuessed() {
        assertEquals(Exit.USAGE, run("inbx"));
        assertTrue(err().contains("Did you mean inbox"), err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "start", "send", "pin", "pin set", "identity new", "relay status", "version"})
    void helpIsEverywhere(String command) {
        List<String> arguments = new ArrayList<>();
        if (!command.isEmpty()) {
            arguments.addAll(List.of(command.split(" ", -1)));
        }
        arguments.add("--help");
        assertEquals(Exit.OK, run(arguments.toArray(new String[0])));
        assertTrue(out().contains("Usage: parley"), out());
        assertTrue(out().contains("--json"), out());
    }

    @ParameterizedTest
    @CsvSource({
        "session.locked,authentication,4",
        "pin.wrong,authentication,1",
        "recipient.unknown,rejected,1",
        "feature.absent,unsupported,1",
        "slot.empty,unavailable,5",
        "relay.timeout,timeout,5",
        "store.full,exhausted,5",
        "store.corrupt,corrupt,70",
        "internal.bug,internal,70"
    })
    void errorsOfTheNodeHaveStableExitCodes(String code, String kind, int exit) throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.refuses("message.send", code, kind);
            assertEquals(exit, run("send", "bob", "hello"));
            assertEquals("It did not happen.\n  Why:  Because.\n  Next: Do this.\n  Code: " + code + "\n", err());
            assertEquals("", out());
        }
    }

    @Test
    void errorsAreJsonWhenAskedFor() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.refuses("message.send", "recipient.unknown", "rejected");
            assertEquals(Exit.REFUSED, run("send", "bob", "hello", "--json"));
            Map<String, Object> error = Json.member(Json.object(err.toByteArray()), "error");
            assertEquals("recipient.unknown", error.get("code"));
            assertEquals(1L, error.get("exit"));
            assertEquals("Because.", error.get("why"));
        }
    }

    @Test
    void nodeThatEndsTheConnectionIsUnavailable() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            assertEquals(Exit.UNAVAILABLE, run("slots"));
            assertEquals(1, node.heard.size());
            assertTrue(err().contains("node.no-answer"), err());
        }
    }

    @Test
    void staleCardIsNoNode() throws Exception {
        new FakeNode(data).close();
        assertTrue(Files.exists(data.resolve("node.json")));
        assertEquals(Exit.NOT_RUNNING, run("status"));
    }

    @Test
    void textFromArgumentsAndFromInputArriveUnchanged() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.send", "\"result\":" + String.format(MESSAGE, "x"));
            assertEquals(Exit.OK, run("send", "bob", "two", "words", "--as", "alice"));
            assertEquals(
                    Exit.OK,
                    run(
                            "\u0645\u0631\u062D\u0628\u0627 \uD83D\uDE80\nline 2\n",
                            new ArrayDeque<>(),
                            "send",
                            "bob",
                            "--stdin"));
            Map<String, Object> first = params(node, 0);
            assertEquals(Map.of("account", "alice", "to", "bob", "text", "two words"), first);
            assertEquals(
                    "\u0645\u0631\u062D\u0628\u0627 \uD83D\uDE80\nline 2",
                    params(node, 2).get("text"));
        }
    }

    private static Map<String, Object> params(FakeNode node, int call) throws IOException {
        return Json.member(Json.object(node.heard.get(call).getBytes(StandardCharsets.UTF_8)), "params");
    }

    @Test
    void brokenInputIsNotSent() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            Invocation invocation = new Invocation(
                    new ByteArrayInputStream(new byte[] {'a', (byte) 0xC3}),
                    new PrintStream(out, true, StandardCharsets.UTF_8),
                    new PrintStream(err, true, StandardCharsets.UTF_8));
            assertEquals(Exit.USAGE, Main.run(invocation, "send", "bob", "--stdin", "--data", data.toString()));
            assertTrue(err().contains("cli.not-utf8"), err());
            assertTrue(node.heard.isEmpty());
        }
    }

    @Test
    void foreignTextCannotCommandTheTerminal() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on(
                    "message.list",
                    "\"result\":{\"messages\":["
                            + String.format(MESSAGE, "a\\u001b[31mred\\nsecond\\u009b2J\\u202eline")
                                    .replace("\"bob\"", "\"b\\nob\\u202e\\u0007\"")
                            + "]}");
            assertEquals(Exit.OK, run("inbox"));
            assertFalse(out().chars().anyMatch(c -> (c < 0x20 && c != '\n') || (c >= 0x7F && c < 0xA0)), out());
            List<String> lines = out().lines().toList();
            assertEquals(3, lines.size(), out());
            assertTrue(lines.get(0).contains("b ob\uFFFD\uFFFD -> alice  [received]"), lines.get(0));
            assertEquals("  \u2502 a\uFFFD[31mred", lines.get(1));
            assertEquals("  \u2502 second\uFFFD2J\uFFFDline", lines.get(2));
        }
    }

    @Test
    void followShowsWhatComesAndSaysWhyItEnds() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.list", "\"result\":{\"messages\":[" + String.format(MESSAGE, "old") + "]}")
                    .on(
                            "message.follow",
                            // A notification may overtake the answer.
                            "\"method\":\"message.event\",\"params\":" + String.format(MESSAGE, "early")
                                    + "\n\"result\":{\"after\":5}\n\"method\":\"message.event\",\"params\":"
                                    + String.format(MESSAGE, "late") + "\nbroken")
                    .on("session.state", String.format(SESSION, true, true));
            assertEquals(Exit.LOCKED, run("inbox", "--follow"));
            assertEquals(
                    List.of("old", "early", "late"),
                    out().lines()
                            .filter(line -> line.startsWith("  \u2502 "))
                            .map(line -> line.substring(4))
                            .toList());
            assertEquals(5L, params(node, 1).get("after"));
        }
    }

    @Test
    void pinFromInputIsSentAndNeverShown() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("session.state", String.format(SESSION, true, false))
                    .on("pin.set", String.format(SESSION, true, false));
            assertEquals(Exit.OK, run("1111\n2222\n", new ArrayDeque<>(), "pin", "set", "--stdin"));
            assertEquals(Map.of("current", "1111", "next", "2222"), params(node, 1));
            assertFalse((out() + err()).contains("2222"));
        }
    }

    @Test
    void pinFromThePromptIsRepeatedAndWiped() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("session.state", String.format(SESSION, false, false))
                    .on("pin.set", String.format(SESSION, true, false));
            assertEquals(Exit.REFUSED, run("", new ArrayDeque<>(List.of("1234", "1235")), "pin", "set"));
            assertTrue(err().contains("pin.repeat-differs"), err());
            assertEquals(1, node.heard.size());
            assertEquals(Exit.OK, run("", new ArrayDeque<>(List.of("1234", "1234")), "pin", "set"));
            assertEquals(Map.of("next", "1234"), params(node, 2));
            for (char[] secret : asked) {
                assertArrayEquals(new char[4], secret);
            }
        }
    }

    @Test
    void pinOutsideATerminalIsAskedForOnStdin() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("session.state", String.format(SESSION, true, true));
            assertEquals(Exit.USAGE, run("unlock"));
            assertTrue(err().contains("--stdin"), err());
            assertEquals(1, node.heard.size());
        }
    }

    @Test
    void strangePassphrasesTravelWhole() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on(
                    "identity.new",
                    "\"result\":{\"name\":\"alice\",\"pubkey\":\"aa\",\"npub\":\"n\",\"nprofile\":\"p\",\"relays\":[],"
                            + "\"locked\":false}");
            String passphrase = "q\"uo\\te \t \u0634 \uD83D\uDE00";
            assertEquals(
                    Exit.OK,
                    run(passphrase + "\n", new ArrayDeque<>(), "identity", "new", "alice", "--passphrase", "--stdin"));
            assertEquals(Map.of("name", "alice", "passphrase", passphrase), params(node, 0));
        }
    }

    @Test
    void ledgerSaysWhetherItIsExact() throws Exception {
        String byState =
                "\"byState\":{\"composed\":0,\"awaiting signer\":0,\"queued\":1,\"at relays\":2,\"delivered\":0,"
                        + "\"read\":0,\"failed\":0},\"entries\":[]";
        try (FakeNode node = new FakeNode(data)) {
            node.on("ledger.get", "\"result\":{\"sent\":3,\"exact\":true," + byState + "}");
            assertEquals(Exit.OK, run("ledger"));
            assertEquals("Ledger: 3 sent = 1 queued + 2 at relays (exact)\n", out());
        }
    }

    @Test
    void answerOfAnotherVersionIsNotGuessed() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("ledger.get", "\"result\":{\"sent\":\"three\"}");
            assertEquals(Exit.BUG, run("ledger"));
            assertTrue(err().contains("cli.answer-strange"), err());
        }
    }

    @Test
    void logsAreShownWithoutANode() throws Exception {
        assertEquals(Exit.NOT_RUNNING, run("logs"));
        Files.createDirectories(data.resolve("logs"));
        Files.writeString(data.resolve("logs/parley.log"), "one\ntwo\nthree\n");
        assertEquals(Exit.OK, run("logs", "-n", "2"));
        assertEquals("two\nthree\n", out());
    }

    /** A disk that is full, or a pipe whose reader went away. */
    private static final class Full extends OutputStream {
        @Override
        public void write(int b) throws IOException {
            throw new IOException("No space left on device");
        }
    }

    private int runIntoFull(boolean pipe, String... arguments) {
        Invocation invocation =
                new Invocation(
                        new ByteArrayInputStream("secret\n".getBytes(StandardCharsets.UTF_8)),
                        // As it is in a process: one stream around another.
                        new PrintStream(new PrintStream(new Full()), true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8)) {
                    @Override
                    boolean isPiped() {
                        return pipe;
                    }
                };
        List<String> all = new ArrayList<>(List.of(arguments));
        all.add("--data");
        all.add(data.toString());
        return Main.run(invocation, all.toArray(new String[0]));
    }

    @ParameterizedTest
    @ValueSource(strings = {"identity export alice --stdin", "identity export alice --stdin --json", "send --help"})
    void outputThatIsLostIsNoSuccess(String command) throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("identity.export", "\"result\":{\"ncryptsec\":\"ncryptsec1x\"}");
            assertEquals(Exit.UNAVAILABLE, runIntoFull(false, command.split(" ", -1)));
            assertTrue(err().contains("cli.output"), err());
            err.reset();
            assertEquals(Exit.UNAVAILABLE, runIntoFull(true, command.split(" ", -1)));
            assertEquals("", err(), "whoever ends a pipe knows");
        }
    }

    @Test
    void followingEndsWithItsReader() throws Exception {
        Files.createDirectories(data.resolve("logs"));
        Files.writeString(data.resolve("logs/parley.log"), "one\n");
        assertTimeoutPreemptively(
                Duration.ofSeconds(20), () -> assertEquals(Exit.UNAVAILABLE, runIntoFull(true, "logs", "-f")));
    }

    /** A node whose threads all hang: the system takes the connection, and some bytes, and nobody reads them. */
    @Test
    void nodeThatHangsIsNotWaitedForWithoutEnd() throws Exception {
        try (FakeNode dead = new FakeNode(data)) {
            dead.close();
            Files.delete(data.resolve("s"));
            ServerSocketChannel hung = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                    .bind(UnixDomainSocketAddress.of(data.resolve("s")));
            try (hung;
                    NodeClient client = Objects.requireNonNull(NodeClient.connect(data))) {
                for (int bytes : List.of(1, 4_000_000)) {
                    Failure silent = assertTimeoutPreemptively(
                            Duration.ofSeconds(20),
                            () -> assertThrows(
                                    Failure.class,
                                    () -> client.call(
                                            "x.y", Map.of("text", "x".repeat(bytes)), Duration.ofMillis(100))));
                    assertEquals("node.silent", silent.code());
                    assertEquals(Exit.UNAVAILABLE, silent.exit());
                }
            }
        }
    }

    /** One that has hung for so long that the system takes no more connections for it. */
    @Test
    void nodeThatHangsForLongIsNotWaitedForWithoutEnd() throws Exception {
        new FakeNode(data).close();
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(data.resolve("s"));
        Files.delete(data.resolve("s"));
        List<SocketChannel> waiting = new ArrayList<>();
        try (ServerSocketChannel hung = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
                HeldDirectory node = HeldDirectory.by(data, true, "ready")) {
            hung.bind(address, 1);
            for (int i = 0; i < 5; i++) {
                SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                waiting.add(channel);
                channel.configureBlocking(false);
                try {
                    channel.connect(address);
                } catch (IOException full) {
                    break;
                }
            }
            assertTimeoutPreemptively(Duration.ofSeconds(30), () -> assertEquals(Exit.UNAVAILABLE, run("status")));
            assertTrue(err().contains("Code: node.unreachable"), err());
            assertTrue(node.isAlive());
        } finally {
            for (SocketChannel channel : waiting) {
                channel.close();
            }
        }
    }

    @Test
    void nodeThatHangsIsStoppedThroughItsProcess() throws Exception {
        new FakeNode(data).close();
        Files.delete(data.resolve("s"));
        try (ServerSocketChannel hung = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
                HeldDirectory node = HeldDirectory.by(data, true, "ready")) {
            hung.bind(UnixDomainSocketAddress.of(data.resolve("s")));
            assertEquals(Exit.OK, run("stop"), err());
            assertEquals(128 + 15, node.ended());
        }
    }

    @Test
    void textThatIsTooLongDoesNotTravel() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.send", "\"result\":" + String.format(MESSAGE, "x"));
            String most = "\u00e4".repeat(16 * 1024);
            assertEquals(Exit.OK, run(most + "\n", new ArrayDeque<>(), "send", "bob", "--stdin", "--json"));
            assertEquals(most, params(node, 0).get("text"));
            assertEquals(Exit.REFUSED, run("send", "bob", most + "x"));
            assertTrue(err().contains("Code: message.too-long"), err());
            for (String tooLong : List.of(most + "x\n", most + "x", "\u00e4".repeat(1 << 20))) {
                err.reset();
                assertEquals(Exit.REFUSED, run(tooLong, new ArrayDeque<>(), "send", "bob", "--stdin"));
                assertTrue(err().contains("Code: message.too-long"), err());
            }
            assertEquals(1, node.heard.size());
        }
    }
}
