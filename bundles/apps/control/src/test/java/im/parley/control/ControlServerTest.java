package im.parley.control;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.api.lifecycle.Scope;
import im.parley.control.methods.BackupMethods;
import im.parley.control.methods.BunkerMethods;
import im.parley.control.methods.ChatMethods;
import im.parley.control.methods.CircleMethods;
import im.parley.control.methods.EgressMethods;
import im.parley.control.methods.FileMethods;
import im.parley.control.methods.MessengerMethods;
import im.parley.control.methods.NameMethods;
import im.parley.control.methods.RelayMethods;
import im.parley.control.methods.RemoteMethods;
import im.parley.control.methods.SessionMethods;
import im.parley.control.methods.SlotMethods;
import im.parley.control.methods.StackMethods;
import im.parley.egress.EgressControl;
import im.parley.messenger.InternetNames;
import im.parley.protocol.Nip19;
import im.parley.relay.RelayArchive;
import im.parley.relay.RelayStatus;
import im.parley.relayclient.InboxListener;
import im.parley.relayclient.Persona;
import im.parley.relayclient.PublishResult;
import im.parley.relayclient.RelayClient;
import im.parley.relayclient.RelayHealth;
import im.parley.slot.Mover;
import im.parley.slot.SwapProgress;
import im.parley.slot.SwapReport;
import im.parley.slot.Swaps;
import im.parley.testkit.Await;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ControlServerTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path temp;

    private final FakeVault vault = new FakeVault();
    private final FakeMessenger messenger = new FakeMessenger();
    private final FakeConversations conversations = new FakeConversations(messenger);
    private final FakeCircles circles = new FakeCircles();
    private final FakeSigners signers = new FakeSigners();
    private ControlServer server;
    private Path socket;

    @BeforeEach
    void start() throws IOException {
        Files.setPosixFilePermissions(temp, PosixFilePermissions.fromString("rwx------"));
        socket = temp.resolve("s");
        server = new ControlServer(vault, socket, groups());
    }

    @AfterEach
    void stop() {
        server.deactivate();
    }

    private static final class OneSwap implements Swaps {
        @Override
        public SwapReport swap(String slot, String instance, String who, String why) {
            return new SwapReport(
                    slot,
                    "a~main",
                    instance,
                    who,
                    why,
                    1,
                    3,
                    2,
                    1,
                    10,
                    20,
                    1_500,
                    7,
                    "An undo goes back.",
                    new SwapReport.Moved(10, 2, 3, "aa".repeat(32), "aa".repeat(32), 0, 900, 1_200, 300));
        }

        @Override
        public SwapReport undo(String who, String why) {
            return new SwapReport("curve", "b~main", "a~main", who, why, 1, 0, 0, 0, 10, 20, 0, 8, "", null);
        }

        @Override
        public SwapProgress progress(String slot) {
            return new SwapProgress(slot, "copying", "a~main", "b~main", 5, 10, 0, 5, 1, "");
        }

        @Override
        public void cancel(String slot) {}

        @Override
        public Mover.Compared compare(String slot) {
            return new Mover.Compared(10, 2, "aa".repeat(32), "aa".repeat(32), 0);
        }

        @Override
        public String finish(String slot, String who) {
            return "a~main";
        }

        @Override
        public long generation() {
            return 8;
        }

        @Override
        public List<Leftover> leftovers() {
            return List.of(new Leftover("x 1.0.0 (9)", "x~main", List.of("thread t")));
        }
    }

    private List<MethodGroup> groups() {
        return List.of(
                new SessionMethods(vault),
                new MessengerMethods(
                        messenger,
                        circles,
                        conversations,
                        messenger,
                        new NoRelays(),
                        vault,
                        () -> Instant.ofEpochMilli(1_500)),
                new ChatMethods(conversations, circles),
                new BackupMethods(new FakeBackups()),
                new FileMethods(new FakeFiles(), messenger, circles, () -> Instant.ofEpochMilli(1_500)),
                new CircleMethods(circles, messenger),
                new RemoteMethods(signers, messenger),
                new BunkerMethods(signers, messenger),
                new NameMethods((scope, address) -> new InternetNames.Found(address, FakeMessenger.KEY, "nprofile1x")),
                new EgressMethods(new OneEntry()),
                new RelayMethods(new Counters(), new TwoEvents()),
                new SlotMethods(new OneSwap()),
                new StackMethods(ControlServerTest::launcher));
    }

    /** Stands for the launcher, which has no classes of its own here. */
    private static Map<String, Object> launcher(Map<String, Object> request) {
        assertEquals("operator", request.get("who"));
        Map<String, Object> reach = new LinkedHashMap<>();
        reach.put("bsn", "org.example.gate");
        reach.put("version", "1.0.0");
        reach.put("sha256", "ab");
        reach.put("signer", "example");
        reach.put("key", "cd");
        reach.put("services", List.of());
        reach.put("hosts", List.of("example.org"));
        reach.put("files", "own");
        reach.put("nativeCode", false);
        Map<String, Object> report = new LinkedHashMap<>(Map.of(
                "act",
                "stack." + request.get("act"),
                "generation",
                7L,
                "changes",
                List.of("plugin comes"),
                "swaps",
                List.of(Map.of(
                        "slot", "s", "from", "a", "to", "b", "inFlight", 0L, "cut", 0L, "longestPauseMicros", 9L)),
                "verdict",
                "hot",
                "words",
                "Stack generation 7."));
        return switch (String.valueOf(request.get("op"))) {
            case "show" -> {
                Map<String, Object> plugin = new LinkedHashMap<>(reach);
                plugin.put("instances", List.of("org.example.gate~main"));
                plugin.put("state", "active");
                yield Map.of(
                        "generation",
                        7L,
                        "features",
                        List.of("base"),
                        "plugins",
                        List.of(plugin),
                        "overrides",
                        List.of(Map.of("pid", "p", "properties", "{}")),
                        "slots",
                        List.of(Map.of("slot", "s", "select", List.of("a"))),
                        "restartNeeded",
                        false,
                        "undo",
                        "stack.apply",
                        "undoWords",
                        "plugin comes");
            }
            case "export" -> Map.of("text", "{}");
            case "plan" -> {
                Map<String, Object> plan = new LinkedHashMap<>();
                plan.put("plan", "0123");
                plan.put("act", request.get("act"));
                plan.put("generation", 7L);
                plan.put("empty", false);
                plan.put("changes", List.of("plugin comes"));
                plan.put("refreshes", List.of());
                plan.put("verdict", "hot");
                plan.put("reasons", List.of());
                plan.put("plugins", List.of(reach));
                plan.put("warning", "w");
                yield plan;
            }
            case "act" -> {
                if ("/missing".equals(request.get("file"))) {
                    yield Map.of(
                            "code", "plan.api-range",
                            "problem", "It needs another one.",
                            "next", "Get it.",
                            "kind", "REJECTED");
                }
                yield report;
            }
            default -> {
                report.put("undone", "plugin came");
                yield report;
            }
        };
    }

    @Test
    void refusalOfTheLauncherIsPassedOnInItsOwnWords() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            JsonNode answer = client.ask("plugin.install", "{\"file\":\"/missing\"}");
            assertEquals("plan.api-range", code(answer));
            JsonNode data = answer.path("error").path("data");
            assertEquals("It needs another one.", data.path("why").asText());
            assertEquals("Get it.", data.path("next").asText());
            assertEquals("param.invalid", code(client.ask("plugin.plan", "{\"act\":\"remove\",\"file\":\"/x\"}")));
            assertEquals("param.invalid", code(client.ask("plugin.plan", "{\"act\":\"delete\",\"file\":\"/x\"}")));
        }
    }

    private static String code(JsonNode answer) {
        JsonNode data = answer.path("error").path("data");
        for (String part : List.of("what", "why", "next", "kind")) {
            assertFalse(data.path(part).asText().isEmpty(), part + " of " + answer);
        }
        return data.path("code").asText();
    }

    @Test
    void everyResultHasTheShapeTheSchemaSays() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            client.ask("identity.new", "{\"name\":\"alice\"}");
            client.ask("message.send", "{\"to\":\"bob\",\"text\":\"\\u0634 \\uD83D\\uDE00\"}");
            String described = client.ask("file.describe", "{\"job\":\"1\"}")
                    .path("result")
                    .path("description")
                    .asText();
            assertTrue(described.startsWith("[[\"url\",\"https://files.example/"), described);
            String description = JSON.writeValueAsString(described);
            assertEquals(
                    2,
                    client.ask("file.delete", "{\"account\":\"alice\",\"description\":" + description + "}")
                            .path("result")
                            .path("results")
                            .size());
            assertEquals(
                    "file.bad-description",
                    code(client.ask("file.delete", "{\"account\":\"alice\",\"description\":\"[[1]]\"}")));
            assertEquals("file.absent", code(client.ask("file.put", "{\"account\":\"alice\",\"path\":\"f\"}")));
            Map<String, String> calls = Map.ofEntries(
                    Map.entry("session.state", "{}"),
                    Map.entry("session.lock", "{}"),
                    Map.entry("session.unlock", "{\"pin\":\"1\"}"),
                    Map.entry("pin.set", "{\"next\":\"1234\"}"),
                    Map.entry("circle.new", "{\"name\":\"Family\",\"relays\":\"wss://a\"}"),
                    Map.entry("circle.list", "{}"),
                    Map.entry("circle.rename", "{\"circle\":\"Family\",\"name\":\"Kin\"}"),
                    Map.entry("circle.delete", "{\"circle\":\"Family\",\"again\":\"Family\"}"),
                    Map.entry("circle.invite", "{\"circle\":\"Family\"}"),
                    Map.entry("circle.read", "{\"link\":\"parley:circle?name=x\"}"),
                    Map.entry("circle.join", "{\"link\":\"parley:circle?name=x\",\"identity\":\"me\"}"),
                    Map.entry("identity.new", "{\"name\":\"bob\",\"passphrase\":\"x\"}"),
                    Map.entry("identity.unlock", "{\"name\":\"bob\",\"passphrase\":\"x\"}"),
                    Map.entry("identity.list", "{}"),
                    Map.entry("contact.add", "{\"name\":\"c\",\"address\":\"npub1x\"}"),
                    Map.entry("contact.list", "{}"),
                    Map.entry("relay.add", "{\"url\":\"ws://x\"}"),
                    Map.entry("relay.remove", "{\"url\":\"ws://127.0.0.1:7470\"}"),
                    Map.entry("relay.list", "{}"),
                    Map.entry("relay.status", "{}"),
                    Map.entry("relay.export", "{}"),
                    Map.entry("relay.import", "{\"events\":\"{}\\n{}\\n[]\"}"),
                    Map.entry("fileserver.add", "{\"url\":\"https://files.example\",\"account\":\"alice\"}"),
                    Map.entry("fileserver.remove", "{\"url\":\"https://files.example\",\"account\":\"alice\"}"),
                    Map.entry("fileserver.list", "{\"account\":\"alice\"}"),
                    Map.entry("fileserver.probe", "{\"url\":\"https://files.example\",\"account\":\"alice\"}"),
                    Map.entry("file.put", "{\"path\":\"/f\",\"keepMetadata\":true,\"account\":\"alice\"}"),
                    Map.entry(
                            "file.get", "{\"path\":\"/g\",\"account\":\"alice\",\"description\":" + description + "}"),
                    Map.entry("file.describe", "{\"job\":\"1\"}"),
                    Map.entry("file.jobs", "{}"),
                    Map.entry("file.cancel", "{\"job\":\"1\"}"),
                    Map.entry("file.retry", "{\"job\":\"1\"}"),
                    Map.entry("file.delete", "{\"account\":\"alice\",\"description\":" + description + "}"),
                    Map.entry("message.send", "{\"to\":\"bob\",\"text\":\"x\"}"),
                    Map.entry("message.reply", "{\"message\":\"" + FakeMessenger.id(0) + "\",\"text\":\"x\"}"),
                    Map.entry("message.react", "{\"message\":\"" + FakeMessenger.id(0) + "\",\"reaction\":\"+\"}"),
                    Map.entry("message.delete", "{\"message\":\"" + FakeMessenger.id(0) + "\"}"),
                    Map.entry("message.timer", "{\"with\":\"bob\",\"seconds\":60}"),
                    Map.entry("message.edit", "{\"message\":\"" + FakeMessenger.id(0) + "\",\"text\":\"y\"}"),
                    Map.entry("message.history", "{\"message\":\"" + FakeMessenger.id(0) + "\"}"),
                    Map.entry("message.pin", "{\"message\":\"" + FakeMessenger.id(0) + "\",\"pinned\":true}"),
                    Map.entry("chat.list", "{}"),
                    Map.entry("chat.show", "{\"with\":\"bob\"}"),
                    Map.entry("chat.page", "{\"with\":\"bob\",\"before\":9,\"limit\":5}"),
                    Map.entry("chat.pins", "{\"with\":\"bob\"}"),
                    Map.entry("chat.read", "{\"with\":\"bob\",\"and\":\"carol\"}"),
                    Map.entry("chat.pin", "{\"with\":\"bob\",\"pinned\":true}"),
                    Map.entry("chat.mute", "{\"with\":\"bob\",\"seconds\":3600}"),
                    Map.entry("chat.draft", "{\"with\":\"bob\",\"text\":\"later\"}"),
                    Map.entry("chat.accept", "{\"with\":\"bob\"}"),
                    Map.entry("chat.remove", "{\"with\":\"bob\"}"),
                    Map.entry("chat.typing", "{\"with\":\"bob\"}"),
                    Map.entry("contact.block", "{\"who\":\"bob\"}"),
                    Map.entry("contact.unblock", "{\"who\":\"bob\"}"),
                    Map.entry("contact.blocked", "{}"),
                    Map.entry("identity.settings", "{\"receipts\":false}"),
                    Map.entry("message.list", "{}"),
                    Map.entry("message.follow", "{}"),
                    Map.entry("ledger.get", "{}"),
                    Map.entry("drops.list", "{}"),
                    Map.entry("egress.log", "{}"),
                    Map.entry("identity.import", "{\"name\":\"dave\",\"key\":\"nsec1x\"}"),
                    Map.entry("identity.export", "{\"name\":\"alice\",\"password\":\"a long enough one\"}"),
                    Map.entry("backup.look", "{\"directory\":\"/b\"}"),
                    Map.entry("backup.key", "{}"),
                    Map.entry("backup.run", "{\"directory\":\"/b\",\"passphrase\":\"x\"}"),
                    Map.entry("backup.list", "{\"directory\":\"/b\"}"),
                    Map.entry("backup.plans", "{}"),
                    Map.entry("backup.verify", "{\"directory\":\"/b\"}"),
                    Map.entry("backup.prune", "{\"directory\":\"/b\",\"keep\":3}"),
                    Map.entry("backup.schedule", "{\"directory\":\"/b\",\"seconds\":3600,\"keep\":3}"),
                    Map.entry("backup.restore", "{\"directory\":\"/b\",\"snapshot\":2}"),
                    Map.entry("backup.progress", "{}"),
                    Map.entry("identity.connect", "{\"name\":\"erin\",\"url\":\"bunker://x\"}"),
                    Map.entry("identity.remotes", "{}"),
                    Map.entry("bunker.new", "{\"name\":\"a client\",\"account\":\"alice\",\"kinds\":\"1, 13\"}"),
                    Map.entry("bunker.list", "{}"),
                    Map.entry("name.find", "{\"address\":\"bob@example.org\"}"),
                    Map.entry("bunker.revoke", "{\"name\":\"a client\"}"),
                    Map.entry("slots.list", "{}"),
                    Map.entry("slots.swap", "{\"slot\":\"curve\",\"instance\":\"b~main\",\"why\":\"trial\"}"),
                    Map.entry("slots.undo", "{}"),
                    Map.entry("slots.progress", "{}"),
                    Map.entry("slots.cancel", "{\"slot\":\"storage.events\"}"),
                    Map.entry("slots.compare", "{\"slot\":\"storage.events\"}"),
                    Map.entry("slots.finish", "{\"slot\":\"storage.events\"}"),
                    Map.entry("slots.leftovers", "{}"),
                    Map.entry("stack.show", "{}"),
                    Map.entry("stack.export", "{}"),
                    Map.entry("stack.plan", "{\"file\":\"/f\"}"),
                    Map.entry("stack.apply", "{\"file\":\"/f\",\"plan\":\"0123\",\"why\":\"w\"}"),
                    Map.entry("stack.undo", "{}"),
                    Map.entry("plugin.list", "{}"),
                    Map.entry("plugin.plan", "{\"act\":\"install\",\"file\":\"/f\"}"),
                    Map.entry("plugin.install", "{\"file\":\"/f\",\"signature\":\"/s\"}"),
                    Map.entry("plugin.upgrade", "{\"file\":\"/f\"}"),
                    Map.entry("plugin.remove", "{\"plugin\":\"org.example.gate\"}"));
            List<String> notServedHere = List.of("rpc.discover", "node.status", "node.stop");
            for (Method method : Schema.all()) {
                if (notServedHere.contains(method.name())) {
                    continue;
                }
                vault.locked = false;
                String params = calls.get(method.name());
                assertNotNull(params, method.name());
                JsonNode answer = client.ask(method.name(), params);
                assertTrue(answer.has("result"), answer.toString());
                Object result = JSON.convertValue(answer.get("result"), Object.class);
                assertEquals("", method.result().difference(result), method.name());
            }
        }
    }

    @Test
    void whoWritesIsToldToThoseWhoFollow() throws IOException {
        try (TestClient follower = new TestClient(socket);
                TestClient quiet = new TestClient(socket);
                TestClient client = new TestClient(socket)) {
            follower.ask("message.follow", "{\"typing\":true}");
            quiet.ask("message.follow", "{}");
            Await.until("both listen", () -> conversations.listeners.size() == 2);
            assertTrue(client.ask("chat.typing", "{\"with\":\"bob\"}").has("result"));
            JsonNode told = requireNonNull(follower.hear());
            assertEquals("typing.event", told.path("method").asText());
            assertEquals("bob", told.path("params").path("name").asText());
            client.ask("message.send", "{\"to\":\"bob\",\"text\":\"x\"}");
            assertEquals(
                    "message.event", requireNonNull(quiet.hear()).path("method").asText());
        }
    }

    @Test
    void aBackupDirectoryIsNamedFromTheRoot() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            assertEquals("backup.bad-directory", code(client.ask("backup.look", "{\"directory\":\"b\"}")));
            assertEquals("backup.bad-directory", code(client.ask("backup.look", "{\"directory\":\"/\\u0000\"}")));
        }
    }

    @Test
    void whatHappensInACircleTakesItsName() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            for (String group :
                    List.of("identity.", "contact.", "message.", "chat.", "file.", "fileserver.", "ledger.")) {
                for (Method method : Schema.all()) {
                    assertTrue(
                            !method.name().startsWith(group)
                                    || method.params().stream()
                                            .anyMatch(param -> param.name().equals("circle") && !param.required()),
                            method.name());
                }
            }
            client.ask("identity.list", "{}");
            client.ask("identity.list", "{\"circle\":\"default\"}");
            client.ask("identity.list", "{\"circle\":\"Family\"}");
            assertEquals(List.of(Scope.DEFAULT, Scope.DEFAULT, FakeCircles.FAMILY), messenger.asked);
            assertEquals("circle.unknown", code(client.ask("identity.list", "{\"circle\":\"Work\"}")));
            assertEquals(
                    1,
                    client.ask("relay.list", "{}").path("result").path("health").size());
            assertEquals(
                    0,
                    client.ask("relay.list", "{\"circle\":\"Family\"}")
                            .path("result")
                            .path("health")
                            .size(),
                    "the connections of the default circle are not its own");
            assertEquals(
                    3, messenger.asked.stream().filter(Scope.DEFAULT::equals).count());
        }
    }

    @Test
    void aCircleIsDeletedByItsNameGivenTwice() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            for (String again : List.of("", "family", "Family ")) {
                assertEquals(
                        "circle.not-confirmed",
                        code(client.ask("circle.delete", "{\"circle\":\"Family\",\"again\":\"" + again + "\"}")));
            }
            assertEquals(
                    "circle.unknown", code(client.ask("circle.delete", "{\"circle\":\"Work\",\"again\":\"Work\"}")));
            assertEquals(List.of(), circles.done);
            client.ask("circle.delete", "{\"circle\":\"Family\",\"again\":\"Family\"}");
            assertEquals(List.of("delete Family"), circles.done);
            assertEquals("circle.secret-key", code(client.ask("circle.new", "{\"name\":\"nsec1qqqqqqqq\"}")));
        }
    }

    @Test
    void textTravelsUnchanged() throws IOException {
        String text =
                "\u0634\u0643\u0631\u0627 \u0928\u092E\u0938\u094D\u0924\u0947 \uD83D\uDC69\u200D\uD83D\uDE80 \u2028 \" \\";
        try (TestClient client = new TestClient(socket)) {
            JsonNode sent = client.ask("message.send", JSON.writeValueAsString(Map.of("to", "bob", "text", text)));
            assertEquals(text, sent.path("result").path("text").asText());
            JsonNode listed = client.ask("message.list", "{\"limit\":1}");
            assertEquals(
                    text,
                    listed.path("result").path("messages").path(0).path("text").asText());
        }
    }

    @Test
    void schemaIsDiscoverableAndComplete() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            JsonNode document = client.ask("rpc.discover", "{}").path("result");
            List<String> names = new ArrayList<>();
            document.path("methods")
                    .forEach(method -> names.add(method.path("name").asText()));
            assertEquals(Schema.all().stream().map(Method::name).toList(), names);
            JsonNode unlock = document.path("methods").get(names.indexOf("session.unlock"));
            assertEquals("user", unlock.path("x-scope").asText());
            assertTrue(unlock.path("params")
                    .path(0)
                    .path("schema")
                    .path("writeOnly")
                    .asBoolean());
        }
    }

    @Test
    void lockedSessionAnswersOnlyWhatOpensIt() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            client.ask("pin.set", "{\"next\":\"4711\"}");
            client.ask("session.lock", "{}");
            for (Method method : Schema.all()) {
                if (method.whileLocked()) {
                    continue;
                }
                // Refused before the parameters are even looked at.
                assertEquals("session.locked", code(client.ask(method.name(), "{}")), method.name());
            }
            assertTrue(client.ask("session.state", "{}")
                    .path("result")
                    .path("locked")
                    .asBoolean());
            assertEquals("pin.wrong", code(client.ask("session.unlock", "{\"pin\":\"4712\"}")));
            assertFalse(client.ask("session.unlock", "{\"pin\":\"4711\"}")
                    .path("result")
                    .path("locked")
                    .asBoolean());
            assertTrue(client.ask("message.list", "{}").has("result"));
        }
    }

    @Test
    void pinIsWipedWhateverTheOrderOfTheMembers() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            client.say(
                    "{\"params\":{\"next\":\"98765432\"},\"method\":\"pin.set\",\"id\":\"a\",\"jsonrpc\":\"2.0\"}\n");
            JsonNode answer = client.hear();
            assertNotNull(answer);
            assertEquals("a", answer.path("id").asText());
            assertTrue(answer.path("result").path("pinSet").asBoolean(), answer.toString());
            char[] handed = vault.handed.get();
            assertNotNull(handed);
            assertArrayEquals(new char[8], handed);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nonsense|request.not-json",
                "[]|request.invalid",
                "{\"jsonrpc\":\"2.0\",\"id\":1}|request.invalid",
                "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"session.state\"}|request.invalid",
                "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"session.state\"}|request.invalid",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"session.state\"}|request.not-json",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.state\"} {}|request.invalid",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nope\"}|request.method-unknown",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.send\",\"params\":[]}|param.type",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.send\",\"params\":{\"to\":\"x\"}}|param.missing",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.send\",\"params\":{\"too\":\"x\"}}|param.unknown",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.list\",\"params\":{\"limit\":\"x\"}}|param.type",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.list\",\"params\":{\"limit\":0}}|param.out-of-range",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"node.status\"}|feature.absent"
            })
    void malformedRequestsAreRefusedByCodeAndTheConnectionLivesOn(String row) throws IOException {
        int bar = row.lastIndexOf('|');
        try (TestClient client = new TestClient(socket)) {
            client.say(row.substring(0, bar) + "\n");
            JsonNode answer = client.hear();
            assertNotNull(answer);
            assertEquals(row.substring(bar + 1), code(answer));
            assertTrue(client.ask("session.state", "{}").has("result"));
        }
    }

    @Test
    void deepNestingIsRefused() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            client.say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.state\",\"params\":" + "[".repeat(100_000)
                    + "]".repeat(100_000) + "}\n");
            JsonNode answer = client.hear();
            assertNotNull(answer);
            assertEquals("request.not-json", code(answer));
        }
    }

    @Test
    void lineWithoutEndIsCutOff() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            client.say("x".repeat(Protocol.MAX_LINE_BYTES + 1));
            JsonNode answer = client.hear();
            assertNotNull(answer);
            assertEquals("request.too-long", code(answer));
            assertNull(client.hear());
        }
    }

    @Test
    void requestInPiecesAndTwoInOnePieceAreUnderstood() throws IOException {
        String request = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"session.state\"}\n";
        try (TestClient client = new TestClient(socket)) {
            client.say(request.substring(0, 10));
            client.say(request.substring(10) + request);
            for (int i = 0; i < 2; i++) {
                JsonNode answer = client.hear();
                assertNotNull(answer);
                assertEquals(7, answer.path("id").asInt());
            }
        }
    }

    @Test
    void notificationIsDoneAndNotAnswered() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            client.say("{\"jsonrpc\":\"2.0\",\"method\":\"pin.set\",\"params\":{\"next\":\"1234\"}}\n");
            assertTrue(client.ask("session.state", "{}")
                    .path("result")
                    .path("pinSet")
                    .asBoolean());
        }
    }

    @Test
    void followedMessagesComeOnceEachInOrder() throws Exception {
        int count = 300;
        try (TestClient follower = new TestClient(socket);
                TestClient sender = new TestClient(socket)) {
            sender.ask("message.send", "{\"to\":\"bob\",\"text\":\"before\"}");
            follower.say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.follow\"}\n");
            JsonNode answer = follower.hear();
            assertNotNull(answer);
            assertEquals(1, answer.path("result").path("after").asLong());
            for (int i = 0; i < count; i++) {
                sender.ask("message.send", "{\"to\":\"bob\",\"text\":\"" + i + "\"}");
            }
            for (int i = 0; i < count; i++) {
                JsonNode event = follower.hear();
                assertNotNull(event);
                assertEquals("message.event", event.path("method").asText());
                assertEquals(
                        String.valueOf(i), event.path("params").path("text").asText());
                assertEquals(
                        "", Schema.messageEvent().difference(JSON.convertValue(event.path("params"), Object.class)));
            }
        }
        Await.until("the listener is gone", () -> messenger.listeners.isEmpty());
    }

    @Test
    void followingEndsWhenTheSessionIsLocked() throws Exception {
        try (TestClient follower = new TestClient(socket)) {
            follower.ask("message.follow", "{\"after\":0}");
            assertEquals("control.follows-already", code(follower.ask("message.follow", "{}")));
            vault.locked = true;
            messenger.send(Scope.DEFAULT, null, "bob", "secret");
            assertNull(follower.hear());
        }
    }

    @Test
    void ownMessagesAreFollowedToTheirRelay() throws Exception {
        try (TestClient follower = new TestClient(socket)) {
            messenger.send(Scope.DEFAULT, null, "bob", "before");
            messenger.arrive(1);
            messenger.send(Scope.DEFAULT, null, "bob", "under way");
            follower.say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.follow\",\"params\":{\"states\":true}}\n");
            assertEquals("1 at relays 1/1", stateOf(follower));
            assertEquals("2 queued", stateOf(follower));
            messenger.arrive(2);
            assertEquals("2 at relays 1/1", stateOf(follower));
            messenger.send(Scope.DEFAULT, null, "bob", "later");
            JsonNode event = follower.hear();
            assertNotNull(event);
            assertEquals("message.event", event.path("method").asText());
            messenger.arrive(3);
            assertEquals("3 at relays 1/1", stateOf(follower));
        }
    }

    /** A hundred messages that wait for a relay cost what one does. */
    @Test
    void followingWhatWaitsIsNotBusy() throws Exception {
        try (TestClient follower = new TestClient(socket)) {
            for (int i = 0; i < 100; i++) {
                messenger.send(Scope.DEFAULT, null, "bob", "m" + i);
            }
            follower.say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.follow\",\"params\":{\"states\":true}}\n");
            for (int i = 1; i <= 100; i++) {
                assertEquals(i + " queued", stateOf(follower));
            }
            int rounds = messenger.sums.get();
            Await.until("the first rounds are over", () -> messenger.sums.get() > rounds + 2);
            int begun = messenger.sums.get();
            int reads = messenger.reads.get();
            Await.until("it was looked at ten times", () -> messenger.sums.get() >= begun + 10);
            assertTrue(messenger.reads.get() - reads <= 20, "reads: " + (messenger.reads.get() - reads));
            messenger.arrive(50);
            assertEquals("50 at relays 1/1", stateOf(follower));
            messenger.arrive(1);
            messenger.arrive(100);
            assertEquals("1 at relays 1/1", stateOf(follower));
            assertEquals("100 at relays 1/1", stateOf(follower));
        }
    }

    private static String stateOf(TestClient follower) throws IOException {
        JsonNode event = follower.hear();
        while (event != null && event.has("result")) {
            // The answer may be overtaken.
            event = follower.hear();
        }
        assertNotNull(event);
        assertEquals("message.state", event.path("method").asText(), event.toString());
        assertEquals("", Schema.stateEvent().difference(JSON.convertValue(event.path("params"), Object.class)));
        return event.path("params").path("position").asText() + " "
                + event.path("params").path("state").asText();
    }

    @Test
    void newIdentityWithAPassphraseIsUsableAtOnce() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            JsonNode made = client.ask("identity.new", "{\"name\":\"alice\",\"passphrase\":\"x y\"}");
            assertFalse(made.path("result").path("locked").asBoolean(true), made.toString());
            assertEquals(
                    "passphrase.empty", code(client.ask("identity.new", "{\"name\":\"bob\",\"passphrase\":\"\"}")));
            assertEquals(
                    1,
                    client.ask("identity.list", "{}")
                            .path("result")
                            .path("accounts")
                            .size());
        }
    }

    @Test
    void ledgerSaysWhoToWhomWhenAndIsFoundByTheBeginningOfAnId() throws IOException {
        messenger.send(Scope.DEFAULT, null, "bob", "one");
        messenger.send(Scope.DEFAULT, null, "bob", "two");
        try (TestClient client = new TestClient(socket)) {
            JsonNode ledger =
                    client.ask("ledger.get", "{\"message\":\"0001EE\"}").path("result");
            assertEquals(1_500, ledger.path("now").asLong());
            assertEquals(1, ledger.path("entries").size());
            JsonNode entry = ledger.path("entries").path(0);
            assertEquals(FakeMessenger.id(1), entry.path("message").asText());
            assertEquals("alice", entry.path("sender").asText());
            assertEquals("bob", entry.path("recipientName").asText());
            assertEquals(1_000, entry.path("sentAt").asLong());
            assertEquals("message.ambiguous", code(client.ask("ledger.get", "{\"message\":\"000\"}")));
            for (String unknown : List.of("0003", "", "zz", FakeMessenger.id(7), "0".repeat(65))) {
                assertEquals(
                        "message.unknown",
                        code(client.ask("ledger.get", "{\"message\":\"" + unknown + "\"}")),
                        unknown);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "\\n\\t ", "\\u00a0\\u2003", "\\u200b\\u2060\\ufeff", "\\u0007"})
    void nothingToReadIsNotSent(String text) throws IOException {
        try (TestClient client = new TestClient(socket)) {
            assertEquals("message.empty", code(client.ask("message.send", "{\"to\":\"b\",\"text\":\"" + text + "\"}")));
            assertTrue(messenger.latest(Scope.DEFAULT, null, 1).isEmpty());
        }
    }

    @Test
    void contactsAreNotRenamedBySecondAddingAndOneselfIsNone() throws IOException {
        String bob = Nip19.npub(FakeMessenger.KEY);
        String bobWithHints = Nip19.nprofile(FakeMessenger.KEY, List.of("wss://relay.example"));
        try (TestClient client = new TestClient(socket)) {
            String own = client.ask("identity.new", "{\"name\":\"alice\"}")
                    .path("result")
                    .path("npub")
                    .asText();
            assertEquals("contact.self", code(addContact(client, "me", own)));
            assertEquals("contact.known", code(addContact(client, "bob2", "nostr:" + bob)));
            assertEquals("contact.known", code(addContact(client, "bob2", bobWithHints)));
            assertTrue(messenger.added.isEmpty());
            assertTrue(addContact(client, "bob", bob).has("result"), "looks her relays up again");
        }
    }

    private static JsonNode addContact(TestClient client, String name, String address) throws IOException {
        return client.ask("contact.add", "{\"name\":\"" + name + "\",\"address\":\"" + address + "\"}");
    }

    @Test
    void secretKeysAreTakenAndRepeatedNowhere() throws IOException {
        String hex = "0123456789abcdef".repeat(4);
        try (TestClient client = new TestClient(socket)) {
            for (String key : List.of(Nip19.nsec(new byte[32]), "ncryptsec1" + "q".repeat(40))) {
                for (JsonNode answer : List.of(
                        addContact(client, "bob", key),
                        addContact(client, "bob", " nostr:" + key.toUpperCase(Locale.ROOT)),
                        addContact(client, key, "npub1x"),
                        addContact(client, hex, "npub1x"),
                        client.ask("message.send", "{\"to\":\"" + key + "\",\"text\":\"x\"}"))) {
                    assertEquals("contact.secret-key", code(answer));
                    assertFalse(answer.toString().toLowerCase(Locale.ROOT).contains(key), "the key is not repeated");
                    assertFalse(answer.toString().contains(hex), "the key is not repeated");
                }
            }
            assertTrue(messenger.added.isEmpty());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"identity.new", "identity.import", "identity.export", "identity.unlock"})
    void secretKeysAreNoNames(String method) throws IOException {
        try (TestClient client = new TestClient(socket)) {
            for (String key : List.of(Nip19.nsec(new byte[32]), "nostr:NCRYPTSEC1QQQQ", "0123456789abcdeF".repeat(4))) {
                String secrets = switch (method) {
                    case "identity.import" -> ",\"key\":\"x\"";
                    case "identity.export" -> ",\"password\":\"0123456789\"";
                    case "identity.unlock" -> ",\"passphrase\":\"x\"";
                    default -> "";
                };
                JsonNode answer = client.ask(method, "{\"name\":\"" + key + "\"" + secrets + "}");
                assertEquals("identity.secret-key", code(answer));
                assertFalse(answer.toString().contains(key), "the key is not repeated");
            }
        }
    }

    @Test
    void relaysThatAreThereOrNotThereAreToldApart() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            client.ask("identity.new", "{\"name\":\"alice\"}");
            assertTrue(client.ask("relay.add", "{\"url\":\"wss://r.example\"}")
                    .path("result")
                    .path("added")
                    .asBoolean());
            assertFalse(client.ask("relay.add", "{\"url\":\"wss://r.example\"}")
                    .path("result")
                    .path("added")
                    .asBoolean(true));
            assertTrue(
                    client.ask("relay.remove", "{\"url\":\"wss://r.example\"}").has("result"));
            assertEquals("relay.unknown", code(client.ask("relay.remove", "{\"url\":\"wss://r.example\"}")));
        }
    }

    @Test
    void adviceOfAProviderIsNotSaidTwice() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            JsonNode data = client.ask("identity.unlock", "{\"name\":\"nobody\",\"passphrase\":\"x\"}")
                    .path("error")
                    .path("data");
            assertEquals("There is none.", data.path("why").asText());
            assertEquals(
                    "./parley identity list shows the names there are.",
                    data.path("next").asText());
        }
    }

    @Test
    void anotherUserIsToldSo() throws IOException {
        server.deactivate();
        server = new ControlServer(vault, socket, () -> "carol", groups());
        try (TestClient client = new TestClient(socket)) {
            JsonNode refusal = client.hear();
            assertNotNull(refusal);
            assertEquals("control.denied", code(refusal));
            assertNull(client.hear());
        }
    }

    @Test
    void manyClientsAtOnceAndOneTooMany() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<TestClient> open = new ArrayList<>();
        try {
            for (int i = 0; i < Protocol.MAX_CONNECTIONS; i++) {
                open.add(new TestClient(socket));
            }
            List<Future<Boolean>> answers = new ArrayList<>();
            for (TestClient client : open) {
                answers.add(pool.submit(() -> {
                    for (int i = 0; i < 20; i++) {
                        if (!client.ask("session.state", "{}").has("result")) {
                            return false;
                        }
                    }
                    return true;
                }));
            }
            for (Future<Boolean> answer : answers) {
                assertTrue(answer.get());
            }
            try (TestClient late = new TestClient(socket)) {
                JsonNode refusal = late.hear();
                assertNotNull(refusal);
                assertEquals("control.busy", code(refusal));
                assertNull(late.hear());
            }
            open.remove(0).close();
            Await.until("a place is free again", () -> {
                try (TestClient again = new TestClient(socket)) {
                    return again.ask("session.state", "{}").has("result");
                } catch (IOException busy) {
                    return false;
                }
            });
        } finally {
            pool.shutdownNow();
            for (TestClient client : open) {
                client.close();
            }
        }
    }

    @Test
    void stoppingEndsConnectionsAndRemovesTheSocket() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            client.ask("session.state", "{}");
            server.deactivate();
            assertThrows(IOException.class, () -> {
                if (client.hear() == null) {
                    throw new IOException("ended");
                }
            });
            assertFalse(Files.exists(socket));
        }
    }

    @Test
    void socketIsTheOwnersAloneAndADeadOneIsReplaced() throws IOException {
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
        server.deactivate();
        Files.writeString(socket, "left behind");
        server = new ControlServer(vault, socket, groups());
        try (TestClient client = new TestClient(socket)) {
            assertTrue(client.ask("session.state", "{}").has("result"));
        }
    }

    @Test
    void directoryThatOthersCanEnterIsRefused() throws IOException {
        Path open = Files.createDirectory(
                temp.resolve("open"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        assertThrows(IllegalArgumentException.class, () -> new ControlServer(vault, open.resolve("s"), groups()));
        assertThrows(IllegalArgumentException.class, () -> new ControlServer(vault, Path.of("s"), groups()));
    }

    private static final class NoRelays implements RelayClient {
        @Override
        public CompletionStage<PublishResult> publish(Persona persona, URI relay, Event event, Duration timeout) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletionStage<List<Event>> fetch(Persona persona, URI relay, Filter filter, Duration timeout) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Subscription inbox(Persona persona, URI relay, InboxListener listener) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Map<String, Long> drops() {
            return Map.of("event.bad-sig", 1L);
        }

        @Override
        public void end(Scope scope) {
            throw new UnsupportedOperationException();
        }

        @Override
        public List<RelayHealth> health() {
            return List.of(new RelayHealth(
                    "default", URI.create("ws://127.0.0.1:7470"), "inbox", "waiting", "refused", Instant.EPOCH));
        }
    }

    private static final class OneEntry implements EgressControl {
        @Override
        public void allow(Scope scope, URI address) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void withdraw(Scope scope, URI address) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void forget(Scope scope) {
            throw new UnsupportedOperationException();
        }

        @Override
        public List<Entry> log(int limit) {
            return List.of(
                    new Entry(Instant.EPOCH, "default", "inbox", "relay.example", 443, "192.0.2.1", "connected", true));
        }
    }

    @Test
    void eventsTravelAsLines() throws IOException {
        try (TestClient client = new TestClient(socket)) {
            JsonNode page = client.ask("relay.export", "{\"after\":7}").path("result");
            assertEquals("{\"a\":\"\\n\"}\n{}", page.path("events").asText());
            assertEquals(8, page.path("next").asLong());
            assertTrue(page.path("last").asBoolean());
            JsonNode report =
                    client.ask("relay.import", "{\"events\":\"{}\\r\\n{}\\n\"}").path("result");
            assertEquals(1, report.path("stored").asInt());
            assertEquals(
                    "invalid.sig", report.path("refused").get(0).path("code").asText());
            String many = "x\\n".repeat(RelayArchive.MAX_LINES + 1);
            assertEquals("param.out-of-range", code(client.ask("relay.import", "{\"events\":\"" + many + "\"}")));
        }
    }

    private static final class TwoEvents implements RelayArchive {
        @Override
        public Page after(long position) {
            return new Page(List.of("{\"a\":\"\\n\"}", "{}"), position + 1, true);
        }

        @Override
        public Report take(List<String> lines) {
            return new Report(lines.size() - 1, 0, 0, List.of(new Refusal(1, "invalid.sig", "invalid: sig no")));
        }
    }

    private static final class Counters implements RelayStatus {
        @Override
        public int connections() {
            return 1;
        }

        @Override
        public int subscriptions() {
            return 2;
        }

        @Override
        public long stored() {
            return 3;
        }

        @Override
        public Map<String, Long> drops() {
            return Map.of("invalid.sig", 4L);
        }
    }
}
