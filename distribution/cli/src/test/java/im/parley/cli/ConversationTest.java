package im.parley.cli;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.launcher.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What people read and programs parse when they write, read and set up relays. */
class ConversationTest {
    private static final String OPEN = "\"result\":{\"pinSet\":false,\"locked\":false,\"failures\":0,\"retryAt\":0}";
    private static final String ACCOUNT =
            "{\"name\":\"%s\",\"pubkey\":\"aa\",\"npub\":\"npub1%s\",\"nprofile\":\"p\",\"relays\":[%s],\"locked\":%s}";

    /** Four of them look like a key. */
    private static final String HEXES = "0123456789aBcDeF";

    @TempDir
    Path data;

    private Terminal terminal;

    @BeforeEach
    void open() {
        terminal = new Terminal(data);
    }

    private static String message(int position, String id, String account, String peer, boolean outgoing, String text) {
        return "{\"position\":" + position + ",\"id\":\"" + id + "\",\"account\":\"" + account
                + "\",\"peer\":\"bb\",\"peerName\":\"" + peer + "\",\"outgoing\":" + outgoing
                + ",\"sentAt\":0,\"text\":\"" + text + "\",\"state\":\"" + (outgoing ? "queued" : "received")
                + "\",\"what\":\"text\",\"about\":\"\",\"room\":\"r\",\"members\":[\"" + peer
                + "\"],\"reactions\":[],\"deleted\":false,\"expires\":0,\"edits\":0,\"mentions\":[],\"file\":[]}";
    }

    private static String messages(String... messages) {
        return "\"result\":{\"messages\":[" + String.join(",", messages) + "]}";
    }

    private static String entry(String state, int have, int all, String reason, long nextTry) {
        return "{\"message\":\"0123456789abcdef\",\"sender\":\"alice\",\"recipient\":\"bb\",\"recipientName\":\"bob\","
                + "\"sentAt\":1000,\"state\":\"" + state + "\",\"relaysHave\":" + have + ",\"relaysAll\":" + all
                + ",\"reason\":\"" + reason + "\",\"nextTry\":" + nextTry + "}";
    }

    private static String ledger(String... entries) {
        return "\"result\":{\"sent\":1,\"exact\":true,\"byState\":{\"composed\":0,\"awaiting signer\":0,\"queued\":1,"
                + "\"at relays\":0,\"delivered\":0,\"read\":0,\"failed\":0},\"entries\":[" + String.join(",", entries)
                + "],\"now\":100000}";
    }

    private static Map<String, Object> params(FakeNode node, int call) throws IOException {
        return Json.member(Json.object(node.heard.get(call).getBytes(StandardCharsets.UTF_8)), "params");
    }

    // ---- sending ----

    @Test
    void textThatBeginsWithAnAtSignIsAText() throws Exception {
        Path secret = Files.writeString(data.resolve("secret"), "content of a file");
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.send", "\"result\":" + message(1, "aa", "alice", "bob", true, "x"))
                    .on("ledger.get", ledger(entry("at relays", 1, 1, "", 0)));
            assertEquals(Exit.OK, terminal.run("send", "bob", "@" + secret), terminal.err());
            assertEquals("@" + secret, params(node, 0).get("text"));
            assertEquals("Sent to bob: at relay 1/1.\n", terminal.out());
            assertNotEquals(Exit.OK, terminal.runAsIs("@" + secret));
            assertFalse((terminal.out() + terminal.err()).contains("content of a file"));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "at relays|1|2||Sent to bob: at relays 1/2.",
                "queued|0|0|recipient.no-relays|Queued for bob: she published no inbox relays yet"
                        + " [recipient.no-relays]; it goes out by itself.",
                "queued|0|1|egress.refused|Queued for bob: relay unreachable [egress.refused]; it goes out by itself.",
                "queued|0|1|relay.strange|Queued for bob: [relay.strange]; it goes out by itself.",
                "queued|0|1||Queued for bob: no relay has answered yet; it goes out by itself."
            })
    void sendingTellsWhereTheMessageIs(String state, int have, int all, String reason, String told) throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.send", "\"result\":" + message(1, "aa", "alice", "bob", true, "x"))
                    .on("ledger.get", ledger(entry(state, have, all, reason == null ? "" : reason, 0)));
            assertEquals(Exit.OK, terminal.run("send", "bob", "x"));
            assertEquals(told + "\n", terminal.out());
        }
    }

    @Test
    void sendingUnderALockedKeySaysWithWhichCommandItOpens() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.send", "\"result\":" + message(1, "aa", "al ice", "bob", true, "x"))
                    .on("ledger.get", ledger(entry("awaiting signer", 0, 0, "signer.locked", 0)));
            assertEquals(Exit.OK, terminal.run("send", "bob", "x"));
            assertEquals(
                    "Queued for bob: your key is locked: ./parley identity unlock --data " + data
                            + " 'al ice' [signer.locked]; then it goes out by itself.\n",
                    terminal.out());
        }
    }

    @Test
    void messageThatFailedAtOnceIsNoSuccess() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.send", "\"result\":" + message(1, "aa", "alice", "bob", true, "x"))
                    .on("ledger.get", ledger(entry("failed", 0, 1, "relay.blocked", 0)));
            assertEquals(Exit.REFUSED, terminal.run("send", "bob", "x"));
            assertTrue(terminal.err().contains("the relay refused it [relay.blocked]"), terminal.err());
        }
    }

    @Test
    void programsAreAnsweredWithoutWaiting() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.send", "\"result\":" + message(1, "aa", "alice", "bob", true, "x"));
            assertEquals(Exit.OK, terminal.run("send", "bob", "x", "--json"));
            assertEquals(1, node.heard.size());
            assertEquals(message(1, "aa", "alice", "bob", true, "x") + "\n", terminal.out());
        }
    }

    @Test
    void textThatLooksLikeAnOptionIsToldHowToBeSent() throws Exception {
        assertEquals(Exit.USAGE, terminal.runAsIs("send", "bob", "-5 degrees"));
        assertTrue(terminal.err().contains("./parley send bob -- \"-5 degrees\""), terminal.err());
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.send", "\"result\":" + message(1, "aa", "alice", "bob", true, "x"))
                    .on("ledger.get", ledger(entry("at relays", 1, 1, "", 0)));
            assertEquals(Exit.OK, terminal.run("send", "bob", "--", "-5", "--json"));
            assertEquals("-5 --json", params(node, 0).get("text"));
        }
    }

    @Test
    void secretKeyInThePlaceOfAnAddressGoesNowhere() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            for (String[] command : List.of(
                    new String[] {"contact", "add", "bob", "nsec1qqqq"},
                    new String[] {"contact", "add", "bob", "nostr:NSEC1QQQQ"},
                    new String[] {"contact", "add", "bob", "ncryptsec1qqqq"},
                    new String[] {"contact", "add", "nsec1qqqq", "npub1x"},
                    new String[] {"contact", "add", "nostr:NCRYPTSEC1QQQQ", "npub1x"},
                    new String[] {"contact", "add", HEXES.repeat(4), "npub1x"},
                    new String[] {"send", "nsec1qqqq", "hi"},
                    new String[] {"send", " ncryptsec1qqqq", "hi"})) {
                assertEquals(Exit.REFUSED, terminal.run(command));
                assertTrue(terminal.err().contains("Code: contact.secret-key"), terminal.err());
                assertTrue(terminal.err().contains("history of your shell"), terminal.err());
                assertFalse(terminal.err().contains("qqqq"), terminal.err());
                assertFalse(terminal.err().contains(HEXES), terminal.err());
            }
            assertTrue(node.heard.isEmpty());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"identity new", "identity import", "identity export", "identity unlock"})
    void secretKeyInThePlaceOfANameGoesNowhere(String command) throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            for (String key : List.of("nsec1qqqq", "NSEC1QQQQ", "nostr:ncryptsec1qqqq", HEXES.repeat(4))) {
                terminal.types("a password", "a password");
                String[] words = command.split(" ", -1);
                assertEquals(Exit.REFUSED, terminal.run(words[0], words[1], key));
                assertTrue(terminal.err().contains("Code: identity.secret-key"), terminal.err());
                assertTrue(terminal.err().contains("history of your shell"), terminal.err());
                assertFalse((terminal.out() + terminal.err()).contains(key), terminal.err());
                assertFalse(terminal.err().contains("qqqq"), terminal.err());
            }
            assertTrue(node.heard.isEmpty());
        }
    }

    // ---- reading ----

    @Test
    void jsonShowsNothingThatCommandsATerminal() throws Exception {
        StringBuilder escaped = new StringBuilder();
        StringBuilder text = new StringBuilder();
        for (int c = 1; c < 0x3000; c++) {
            text.append((char) c);
            escaped.append("\\u")
                    .append(HEX[c >> 12])
                    .append(HEX[c >> 8 & 15])
                    .append(HEX[c >> 4 & 15])
                    .append(HEX[c & 15]);
        }
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.list", messages(message(1, "aa", "alice", "bob", false, escaped.toString())));
            assertEquals(Exit.OK, terminal.run("inbox", "--json"));
            String out = terminal.out().substring(0, terminal.out().length() - 1);
            out.chars().forEach(c -> {
                assertFalse(Character.isISOControl(c), Integer.toHexString(c));
                assertFalse(
                        c == 0x61C
                                || c == 0x200E
                                || c == 0x200F
                                || (c >= 0x2028 && c <= 0x202E)
                                || (c >= 0x2066 && c <= 0x2069),
                        Integer.toHexString(c));
            });
            Map<String, Object> message = Json.objects(Json.object(out.getBytes(StandardCharsets.UTF_8)), "messages")
                    .get(0);
            assertEquals(text.toString(), message.get("text"));
            assertTrue(out.contains("\u0645"), "letters are left alone");
        }
    }

    private static final char[] HEX = "0123456789abcdef".toCharArray();

    @Test
    void errorsInJsonAreEscapedToo() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on(
                    "slots.list",
                    "\"error\":{\"code\":1,\"message\":\"m\",\"data\":{\"code\":\"a.b\",\"kind\":\"rejected\",\"what\":"
                            + "\"x\\u009b\\u202e\",\"why\":\"y\",\"next\":\"z\"}}");
            assertEquals(Exit.REFUSED, terminal.run("slots", "--json"));
            assertTrue(terminal.err().contains("x\\u009b\\u202e"), terminal.err());
        }
    }

    @Test
    void longTextIsWrappedBehindTheBarInATerminalOnly() throws Exception {
        String text = "x".repeat(40) + "2026-01-01 10:00  bob -> alice  [received]";
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.list", messages(message(1, "aa", "alice", "bob", false, text)));
            assertEquals(Exit.OK, terminal.isWide(44).run("inbox"));
            List<String> lines = terminal.out().lines().skip(1).toList();
            assertTrue(lines.size() > 2, terminal.out());
            assertTrue(
                    lines.stream().allMatch(line -> line.startsWith("  \u2502 ") && line.length() <= 44),
                    terminal.out());
            assertEquals(Exit.OK, terminal.isWide(0).run("inbox"));
            assertEquals(
                    "  \u2502 " + text,
                    terminal.out().lines().skip(1).findFirst().orElseThrow());
        }
    }

    @Test
    void whatSpeaksOfAMessageStandsBesideIt() throws Exception {
        String id = "0123456789abcdef".repeat(4);
        String first = message(1, id, "alice", "bob", false, "hi")
                .replace("\"reactions\":[]", "\"reactions\":[{\"by\":\"carol\",\"content\":\"+\\u0007\"}]")
                .replace("\"members\":[\"bob\"]", "\"members\":[\"bob\",\"carol\"]");
        String answer =
                message(2, "aa", "alice", "bob", true, "ho").replace("\"about\":\"\"", "\"about\":\"" + id + "\"");
        String gone = message(3, "bb", "alice", "bob", false, "").replace("\"deleted\":false", "\"deleted\":true");
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.list", messages(first, answer, gone));
            assertEquals(Exit.OK, terminal.run("inbox", "--ids"));
            assertEquals(
                    List.of(
                            "bob -> alice, carol  [received] 01234567",
                            "  \u2502 hi",
                            "    carol: +\ufffd",
                            "alice -> bob  [queued] aa answers 01234567",
                            "  \u2502 ho",
                            "bob -> alice  [received] bb",
                            "    (deleted)"),
                    terminal.out()
                            .lines()
                            .map(line -> line.replaceFirst("^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d  ", ""))
                            .toList());
        }
    }

    private static String chat(String with, boolean request, int unread, String draft) {
        return "{\"account\":\"alice\",\"room\":\"r\",\"members\":[\"" + with + "\"],\"keys\":[\"ab\"],\"request\":"
                + request + ",\"pinned\":false,\"mutedUntil\":0,\"unread\":" + unread
                + ",\"mentioned\":true,\"draft\":\"" + draft + "\",\"timer\":0,\"last\":[]}";
    }

    @Test
    void conversationsAreListedWithRequestsBelow() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on(
                    "chat.list",
                    "\"result\":{\"chats\":[" + chat("eve\\u0007", true, 1, "") + "," + chat("bob", false, 2, "later")
                            + "]}");
            assertEquals(Exit.OK, terminal.run("chats"));
            String out = terminal.out();
            assertTrue(out.contains("bob") && out.contains("2 new, names you, draft"), out);
            assertTrue(
                    out.indexOf("bob") < out.indexOf("Requests") && out.indexOf("Requests") < out.indexOf("eve"), out);
            assertFalse(out.contains("\u0007"), out);
        }
    }

    @Test
    void whatIsDoneWithAConversationIsAskedFor() throws Exception {
        String answer = "\"result\":" + chat("bob", false, 0, "later");
        try (FakeNode node = new FakeNode(data)) {
            for (String method : List.of("read", "pin", "mute", "draft", "accept", "show")) {
                node.on("chat." + method, answer);
            }
            node.on("chat.remove", "\"result\":{\"removed\":1}");
            node.on("contact.block", "\"result\":{\"blocked\":[\"eve\"]}");
            node.on("identity.settings", "\"result\":{\"account\":\"alice\",\"receipts\":false,\"typing\":true}");
            assertEquals(Exit.OK, terminal.run("chat", "read", "bob", "--and", "carol"));
            assertEquals("carol", params(node, 0).get("and"));
            assertEquals(Exit.OK, terminal.run("chat", "mute", "bob", "8h"));
            assertTrue(terminal.out().contains("for 8 hours"), terminal.out());
            assertEquals(28_800, ((Number) requireNonNull(params(node, 1).get("seconds"))).intValue());
            assertEquals(Exit.OK, terminal.run("chat", "draft", "bob"));
            assertTrue(terminal.out().contains("later"), terminal.out());
            assertEquals(Exit.USAGE, terminal.run("chat", "remove", "bob"));
            assertEquals(Exit.OK, terminal.run("chat", "remove", "bob", "--yes"));
            assertEquals(Exit.OK, terminal.run("contact", "block", "eve"));
            assertEquals(Exit.USAGE, terminal.run("settings", "--receipts", "maybe"));
            assertEquals(Exit.OK, terminal.run("settings", "--receipts", "off"));
            assertTrue(terminal.out().contains("off"), terminal.out());
        }
    }

    @Test
    void anEditSaysNothingOfWhereItsMessageIs() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.edit", "\"result\":" + message(1, "aa", "alice", "bob", true, "new"));
            assertEquals(Exit.OK, terminal.run("edit", "abcd", "new"));
            assertEquals(
                    "Changed here. The new text goes to bob.", terminal.out().strip());
        }
    }

    @Test
    void roomsAnswersReactionsAndDeletionsAreAskedFor() throws Exception {
        String sent = "\"result\":" + message(1, "aa", "alice", "bob", true, "hi");
        try (FakeNode node = new FakeNode(data)) {
            for (String method : List.of("send", "reply", "react", "delete")) {
                node.on("message." + method, sent);
            }
            node.on("ledger.get", ledger(entry("at relays", 1, 1, "", 0)));
            assertEquals(Exit.OK, terminal.run("send", "bob", "--and", "carol", "--and", "dan", "hi"));
            assertEquals("carol\ndan", params(node, 0).get("and"));
            assertEquals(Exit.OK, terminal.run("reply", "abcd", "fine", "--as", "alice", "--json"));
            assertEquals(Exit.OK, terminal.run("react", "abcd", "+"));
            assertTrue(terminal.out().contains("goes to bob"), terminal.out());
            assertEquals(Exit.OK, terminal.run("delete", "abcd"));
            assertTrue(terminal.out().contains("Deleted here. The same is asked of bob."), terminal.out());
            assertEquals(Exit.REFUSED, terminal.run("send", "bob", "--and", "nsec1" + "q".repeat(58), "hi"));
        }
    }

    @Test
    void conversationOnOneNodeIsShownOnceUnlessOneSideIsAskedFor() throws Exception {
        String both = messages(
                message(1, "aa", "alice", "bob", true, "hi"),
                message(2, "aa", "bob", "alice", false, "hi"),
                message(3, "bb", "bob", "carol", false, "from elsewhere"));
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.list", both);
            assertEquals(Exit.OK, terminal.run("inbox", "-n", "10"));
            assertEquals(4, terminal.out().lines().count(), terminal.out());
            assertEquals(20L, params(node, 0).get("limit"));
            assertEquals(Exit.OK, terminal.run("inbox", "-n", "1"));
            assertTrue(terminal.out().contains("from elsewhere"), "the newest is kept");
            assertEquals(Exit.OK, terminal.run("inbox", "--as", "bob"));
            assertEquals(6, terminal.out().lines().count(), terminal.out());
            assertEquals(Exit.OK, terminal.run("inbox", "--json"));
            assertEquals(
                    3,
                    Json.objects(Json.object(terminal.out().getBytes(StandardCharsets.UTF_8)), "messages")
                            .size());
        }
    }

    private static String state(String id, String state) {
        return "\"method\":\"message.state\",\"params\":{\"position\":1,\"id\":\"" + id
                + "\",\"account\":\"alice\",\"peer\":\"bb\",\"peerName\":\"bob\",\"sentAt\":0,\"state\":\"" + state
                + "\"}";
    }

    private static String event(String message) {
        return "\"method\":\"message.event\",\"params\":" + message;
    }

    @Test
    void followingShowsWhatBecomesOfOwnMessages() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.list", messages(message(1, "aa", "alice", "bob", true, "old")))
                    .on(
                            "message.follow",
                            String.join(
                                    "\n",
                                    state("aa", "queued"),
                                    state("ff", "at relays 1/1"),
                                    "\"result\":{\"after\":1}",
                                    state("aa", "at relays 1/1"),
                                    event(message(2, "cc", "alice", "bob", true, "new")),
                                    event(message(3, "cc", "bob", "alice", false, "new")),
                                    event(message(4, "dd", "alice", "bob", false, "answer")),
                                    state("cc", "at relays 1/1"),
                                    "broken"))
                    .on("session.state", OPEN);
            assertEquals(Exit.UNAVAILABLE, terminal.run("inbox", "-f"));
            List<String> lines = terminal.out()
                    .lines()
                    .map(line -> line.startsWith("  ") ? line : line.substring(18))
                    .toList();
            assertEquals(
                    List.of(
                            "alice -> bob  [queued]",
                            "  \u2502 old",
                            "    -> at relays 1/1",
                            "alice -> bob  [queued]",
                            "  \u2502 new",
                            "bob -> alice  [received]",
                            "  \u2502 answer",
                            "    -> to bob at " + Plain.time(0) + ": at relays 1/1"),
                    lines);
            assertEquals(true, params(node, 1).get("states"));

            assertEquals(Exit.UNAVAILABLE, terminal.run("inbox", "-f", "--json"));
            List<String> events = terminal.out()
                    .lines()
                    .map(line -> line.substring(0, line.indexOf(',')))
                    .toList();
            assertEquals(
                    List.of(
                            "{\"event\":\"message\"",
                            "{\"event\":\"state\"",
                            "{\"event\":\"message\"",
                            "{\"event\":\"message\"",
                            "{\"event\":\"message\"",
                            "{\"event\":\"state\""),
                    events);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "inbox -n 0",
                "inbox -n -1",
                "inbox -n 1001",
                "inbox --after -1",
                "ledger -n 0",
                "ledger -n 1001",
                "egress -n 0",
                "logs -n 0",
                "logs -n -3"
            })
    void numbersOutOfRangeAreUsage(String command) {
        assertEquals(Exit.USAGE, terminal.run(command.split(" ", -1)), terminal.out());
        assertTrue(terminal.err().contains("must be"), terminal.err());
    }

    @Test
    void emptyResultSaysWhatIsTrue() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("message.list", messages());
            assertEquals(Exit.OK, terminal.run("inbox"));
            assertEquals("No messages yet.\n", terminal.out());
            assertEquals(Exit.OK, terminal.run("inbox", "--after", "7"));
            assertEquals("Nothing after position 7.\n", terminal.out());
        }
    }

    // ---- ledger ----

    @Test
    void ledgerIsReadable() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on(
                    "ledger.get",
                    ledger(
                            entry("queued", 0, 1, "relay.private", 112_000),
                            entry("queued", 0, 2, "egress.refused", 99_000),
                            entry("at relays", 1, 1, "", 0)));
            assertEquals(Exit.OK, terminal.run("ledger", "--message", "0123"));
            assertEquals("0123", params(node, 0).get("message"));
            String head = "  0123456789ab  " + Plain.time(1000) + "  alice -> bob  ";
            assertEquals(
                    List.of(
                            "Ledger: 1 sent = 1 queued (exact)",
                            head + "queued 0/1     her relay is a private address you have not added [relay.private];"
                                    + " next try in 12 s",
                            head + "queued 0/2     relay unreachable [egress.refused]; next try now",
                            head + "at relays 1/1"),
                    terminal.out().lines().toList());
        }
    }

    // ---- identities ----

    @Test
    void passphraseIsAskedForTwiceAndIsNotEmpty() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("identity.new", "\"result\":" + ACCOUNT.formatted("alice", "x", "", false));
            assertEquals(Exit.REFUSED, terminal.types("a b", "a  b").run("identity", "new", "alice", "--passphrase"));
            assertTrue(terminal.err().contains("Code: passphrase.repeat-differs"), terminal.err());
            assertEquals(Exit.REFUSED, terminal.types("", "").run("identity", "new", "alice", "--passphrase"));
            assertTrue(terminal.err().contains("Code: passphrase.empty"), terminal.err());
            assertEquals(Exit.USAGE, terminal.pipes("x\n").run("identity", "new", "alice", "--stdin"));
            assertEquals(Exit.USAGE, terminal.types("a b").run("identity", "new", "alice", "--passphrase"));
            assertTrue(terminal.err().contains("The input ended"), terminal.err());
            assertTrue(node.heard.isEmpty());
            assertEquals(Exit.OK, terminal.types("a b", "a b").run("identity", "new", "alice", "--passphrase"));
            assertEquals(Map.of("name", "alice", "passphrase", "a b"), params(node, 0));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "ws://127.0.0.1:7470,this machine only",
        "ws://[::1]:7470,this machine only",
        "ws://localhost,this machine only",
        "wss://relay.example,Give the nprofile",
        "ws://127.evil.example,Give the nprofile",
        ",Nobody can write to you yet"
    })
    void guidanceIsAsTrueAsTheRelaysAre(String relay, String told) throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            String relays = relay == null ? "" : "\"" + relay + "\"";
            node.on("identity.new", "\"result\":" + ACCOUNT.formatted("alice", "x", relays, false));
            assertEquals(Exit.OK, terminal.run("identity", "new", "alice"));
            assertTrue(terminal.out().contains(told), terminal.out());
            assertEquals(told.startsWith("Give"), terminal.out().contains("Give the nprofile to"), terminal.out());
        }
    }

    @Test
    void endOfInputIsNotTakenForAMissingTerminal() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("session.state", OPEN.replace("\"locked\":false", "\"locked\":true"));
            assertEquals(Exit.USAGE, terminal.types().run("unlock"));
            assertTrue(terminal.err().contains("The input ended where the PIN was asked for"), terminal.err());
            assertEquals(Exit.USAGE, terminal.pipes("").run("unlock", "--stdin"));
            assertTrue(terminal.err().contains("The input ended"), terminal.err());
        }
    }

    // ---- relays ----

    private static String relays(String health, String... accounts) {
        return "\"result\":{\"accounts\":[" + String.join(",", accounts) + "],\"health\":[" + health
                + "],\"now\":100000}";
    }

    private static String health(String relay, String lane, String state, String problem, long retryAt) {
        return "{\"relay\":\"" + relay + "\",\"lane\":\"" + lane + "\",\"state\":\"" + state + "\",\"problem\":\""
                + problem + "\",\"retryAt\":" + retryAt + "}";
    }

    @Test
    void relaysAreListedOnceWithThoseWhoseInboxTheyAre() throws Exception {
        String here = "ws://127.0.0.1:7470";
        try (FakeNode node = new FakeNode(data)) {
            node.on(
                    "relay.list",
                    relays(
                            String.join(
                                    ",",
                                    health(here, "inbox", "connected", "", 0),
                                    health(here, "inbox", "connected", "", 0),
                                    health(here, "out", "idle", "", 0),
                                    health("wss://b", "inbox", "waiting", "egress.refused", 105_000),
                                    health("wss://c", "out", "connected", "", 0)),
                            ACCOUNT.formatted("alice", "x", "\"" + here + "\",\"wss://b\"", false),
                            ACCOUNT.formatted("bob", "y", "\"" + here + "\"", false),
                            ACCOUNT.formatted("carol", "z", "", false)));
            assertEquals(Exit.OK, terminal.run("relay", "list"));
            assertEquals(
                    List.of(
                            "Inbox relays",
                            "  ws://127.0.0.1:7470  connected  alice, bob",
                            "  wss://b              waiting    alice       relay unreachable [egress.refused]; next try in"
                                    + " 5 s",
                            "  carol has no inbox relay; add one with ./parley relay add --data " + data + " URL",
                            "Relays of your contacts",
                            "  wss://c  connected"),
                    terminal.out().lines().toList());
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "true|connected||Added. Connected.",
                "true|waiting|egress.refused|Added; not reachable yet (relay unreachable [egress.refused]): it is tried"
                        + " again by itself.",
                "false|connected||wss://b is already there. Connected."
            })
    void addingARelayTellsWhetherItCanBeReached(boolean added, String state, String problem, String told)
            throws Exception {
        String why = problem == null ? "" : problem;
        String account = ACCOUNT.formatted("alice", "x", "\"wss://b\"", false);
        try (FakeNode node = new FakeNode(data)) {
            node.on(
                            "relay.add",
                            "\"result\":{\"accounts\":[" + account + "],\"relay\":\"wss://b\",\"added\":" + added + "}")
                    .on("relay.list", relays(health("wss://b", "inbox", state, why, 0), account));
            assertEquals(Exit.OK, terminal.run("relay", "add", "WSS://b/"));
            assertEquals(told, terminal.out().lines().findFirst().orElseThrow());
            assertEquals(Exit.OK, terminal.run("relay", "add", "WSS://b/", "--json"));
            Map<String, Object> answer = Json.object(terminal.out().getBytes(StandardCharsets.UTF_8));
            assertEquals(List.of("accounts", "relay", "added", "state", "problem"), List.copyOf(answer.keySet()));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "relay.example,wss://relay.example",
        "127.0.0.1:7470,ws://127.0.0.1:7470",
        "https://relay.example/x,wss://relay.example/x",
        "http://relay.example,ws://relay.example"
    })
    void addressWithoutItsSchemeGetsAHint(String given, String meant) throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.refuses("relay.add", "relay.bad-url", "rejected");
            assertEquals(Exit.REFUSED, terminal.run("relay", "add", given));
            assertTrue(terminal.err().contains("Did you mean " + meant + "?"), terminal.err());
        }
    }

    // ---- every command ----

    private static final String STATUS = "\"result\":{\"ready\":true,\"missing\":[],\"version\":\"1\",\"generation\":1,"
            + "\"features\":[\"personal\"],\"pid\":7,\"startedAt\":0,\"now\":5,\"dataDir\":\"/d\",\"urls\":[],"
            + "\"session\":{\"pinSet\":true,\"locked\":%s,\"failures\":0,\"retryAt\":0}}";

    @Test
    void statusHasTheSameMembersWhileLocked() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.on("node.status", STATUS.formatted(false))
                    .on("relay.list", relays(""))
                    .on("ledger.get", ledger())
                    .on("backup.plans", "\"result\":{\"plans\":[]}");
            assertEquals(Exit.OK, terminal.run("status", "--json"));
            List<String> open = members(terminal.out());
            node.on("node.status", STATUS.formatted(true));
            assertEquals(Exit.OK, terminal.run("status", "--json"));
            assertEquals(open, members(terminal.out()));
            assertTrue(terminal.out().contains("\"relays\":null,\"ledger\":null,\"backups\":null"), terminal.out());
        }
    }

    private static List<String> members(String json) throws IOException {
        // Nulls are left out by this reader.
        return List.copyOf(Json.object(json.replace(":null", ":0").getBytes(StandardCharsets.UTF_8))
                .keySet());
    }

    @Test
    void withoutACommandItGuidesToAFirstMessage() throws Exception {
        assertEquals("start", step());
        assertTrue(terminal.out().contains("./parley start --data " + data + " --detach"), terminal.out());
        String open = "\"result\":{\"session\":{\"pinSet\":false,\"locked\":false},\"features\":[\"personal\"]}";
        try (FakeNode node = new FakeNode(data)) {
            node.on("node.status", open.replace("\"locked\":false", "\"locked\":true"));
            assertEquals("unlock", step());
            node.on("node.status", open.replace("personal", "infrastructure"));
            assertEquals("relay", step());
            node.on("node.status", open);
            node.on("identity.list", "\"result\":{\"accounts\":[]}");
            assertEquals("identity", step());
            String alice = "{\"name\":\"al ice\",\"npub\":\"npub1a\"}";
            node.on("identity.list", "\"result\":{\"accounts\":[" + alice + "]}");
            node.on("contact.list", "\"result\":{\"contacts\":[]}");
            assertEquals("contact", step());
            node.on("identity.list", "\"result\":{\"accounts\":[" + alice + ",{\"name\":\"bob\"}]}");
            node.on("message.list", "\"result\":{\"messages\":[]}");
            assertEquals("send", step());
            assertTrue(terminal.out().contains("--as 'al ice' bob"), terminal.out());
            node.on("contact.list", "\"result\":{\"contacts\":[{\"name\":\"carol\"}]}");
            assertEquals("send", step());
            assertTrue(terminal.out().contains("carol"), terminal.out());
            node.on("message.list", messages(message(1, "aa", "alice", "bob", false, "hi")));
            assertEquals("inbox", step());
        }
    }

    /** What {@code ./parley} alone says is the step; afterwards the text for people is there. */
    private String step() throws Exception {
        assertEquals(Exit.OK, terminal.runAsIs("--json", "--data", data.toString()));
        String step = Json.text(Json.object(terminal.out().getBytes(StandardCharsets.UTF_8)), "step");
        assertEquals(Exit.OK, terminal.runAsIs("--data", data.toString()));
        return step;
    }

    @Test
    void rootTellsItsVersion() throws Exception {
        assertEquals(Exit.OK, terminal.runAsIs("--version"));
        assertTrue(terminal.out().startsWith("Parley "), terminal.out());
        assertEquals(Exit.OK, terminal.runAsIs("--version", "--json"));
        assertTrue(Json.object(terminal.out().getBytes(StandardCharsets.UTF_8)).containsKey("version"));
    }

    @Test
    void adviceIsForTheSameDataDirectory() throws Exception {
        Path spaced = Files.createDirectory(data.resolve("it's here"));
        assertEquals(Exit.NOT_RUNNING, terminal.runAsIs("inbox", "--data", spaced.toString()));
        assertTrue(
                terminal.err().contains("./parley start --data '" + data + "/it'\\''s here' --detach"), terminal.err());
        try (FakeNode node = new FakeNode(data)) {
            node.on("identity.list", "\"result\":{\"accounts\":[]}");
            assertEquals(Exit.OK, terminal.run("identity", "list"));
            assertEquals(
                    "No identity yet. Make one with ./parley identity new --data " + data + " NAME.\n", terminal.out());
        }
    }

    @Test
    void nodeOfAnotherUserIsToldTruthfully() throws Exception {
        try (FakeNode node = new FakeNode(data)) {
            node.refusesEverybody("control.denied");
            assertEquals(Exit.REFUSED, terminal.run("slots"));
            assertTrue(terminal.err().contains("Code: control.denied"), terminal.err());
            assertFalse(terminal.err().contains("longer than"), terminal.err());
        }
    }
}
