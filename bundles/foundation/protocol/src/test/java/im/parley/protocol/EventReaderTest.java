package im.parley.protocol;

import static im.parley.protocol.Samples.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.event.Event;
import im.parley.api.event.Rumor;
import im.parley.testkit.Seeds;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EventReaderTest {
    private static final String HEX = "ab".repeat(32);

    /** A well-formed event with one field replaced by raw JSON. */
    private static String with(String field, String json) {
        return "{\"id\":" + pick(field, "id", json, "\"" + HEX + "\"")
                + ",\"pubkey\":" + pick(field, "pubkey", json, "\"" + HEX + "\"")
                + ",\"created_at\":" + pick(field, "created_at", json, "1700000000")
                + ",\"kind\":" + pick(field, "kind", json, "1")
                + ",\"tags\":" + pick(field, "tags", json, "[]")
                + ",\"content\":" + pick(field, "content", json, "\"\"")
                + ",\"sig\":" + pick(field, "sig", json, "\"" + HEX + HEX + "\"")
                + "}";
    }

    private static String pick(String field, String name, String json, String standard) {
        return field.equals(name) ? json : standard;
    }

    private static String plus(String more) {
        String event = with("", "");
        return event.substring(0, event.length() - 1) + "," + more + "}";
    }

    @Test
    void whatIsWrittenReadsEqual() throws Exception {
        RandomGenerator random = Seeds.generator("EventReaderTest");
        for (int i = 0; i < 2_000; i++) {
            Event event = Samples.unsigned(random);
            String json = EventWriter.write(event);
            assertEquals(event, EventReader.read(json));
            assertEquals(event, EventReader.read(json.getBytes(StandardCharsets.UTF_8)));
        }
    }

    @Test
    void CR_09_loneSurrogateIsRefused() throws Exception {
        for (String content : List.of(
                "\"\\ud800\"", "\"\\udc00\"", "\"\\udc00\\ud800\"", "\"a\\ud800b\"", "\"\ud800\"", "\"x\udfff\"")) {
            refused("bad-unicode", () -> EventReader.read(with("content", content)));
            refused("bad-unicode", () -> EventReader.read(with("tags", "[[\"t\"," + content + "]]")));
            refused("bad-unicode", () -> EventReader.readRumor(with("content", content)));
        }
        String pair = EventReader.read(with("content", "\"\\ud83d\\ude80\"")).content();
        assertEquals("\ud83d\ude80", pair);
    }

    @Test
    void CR_09_loneSurrogateNeverSharesTheIdOfAQuestionMark() throws Exception {
        assertEquals(1, "\ud800".getBytes(StandardCharsets.UTF_8).length, "the trap of the JDK that this is about");
        refused("bad-unicode", () -> EventHash.id(Samples.key(1), 1, 1, List.of(), "\ud800"));
        refused("bad-unicode", () -> EventHash.id(Samples.key(1), 1, 1, List.of(List.of("\udc00")), ""));
        refused("bad-unicode", () -> EventHash.rumor(Samples.key(1), 1, 1, List.of(), "?\ud800"));
        assertNotEquals(
                EventHash.id(Samples.key(1), 1, 1, List.of(), "?"),
                EventHash.id(Samples.key(1), 1, 1, List.of(), "\ufffd"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"C0AF", "EDA080", "F888808080", "F4908080", "E282", "FF", "80", "C3"})
    void CR_10_bytesThatAreNotUtf8AreRefused(String hex) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        String[] around = with("content", "\"|\"").split("\\|");
        bytes.writeBytes(around[0].getBytes(StandardCharsets.UTF_8));
        bytes.writeBytes(java.util.HexFormat.of().parseHex(hex));
        bytes.writeBytes(around[1].getBytes(StandardCharsets.UTF_8));
        refused("bad-unicode", () -> EventReader.read(bytes.toByteArray()));
        refused("bad-unicode", () -> EventReader.readRumor(bytes.toByteArray()));
    }

    @Test
    void byteOrderMarkIsRefused() {
        refused("json", () -> EventReader.read(("\ufeff" + with("", "")).getBytes(StandardCharsets.UTF_8)));
    }

    @Test
    void CR_12_nulIsRefusedAndOtherControlsAreKept() throws Exception {
        refused("control-char", () -> EventReader.read(with("content", "\"a\\u0000\"")));
        refused("control-char", () -> EventReader.read(with("tags", "[[\"t\",\"\\u0000\"]]")));
        refused("control-char", () -> EventReader.read(with("tags", "[[\"\\u0000\"]]")));
        for (char c = 1; c < 0x20; c++) {
            String escaped = String.format("\"\\u%04x\"", (int) c);
            assertEquals(
                    String.valueOf(c),
                    EventReader.read(with("content", escaped)).content());
            String raw = "\"" + c + "\"";
            refused("json", () -> EventReader.read(with("content", raw)));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"content\":\"evil\"",
                "\"id\":\"" + "ab" + "\"",
                "\"pubkey\":1",
                "\"sig\":null",
                "\"kind\":1",
                "\"tags\":[]",
                "\"created_at\":1",
                "\"\\u0069d\":1",
                "\"ID\":1",
                "\"Content\":\"evil\"",
                "\"\u212aind\":2",
                "\"x\":1,\"x\":1",
                "\"x\":{\"y\":1,\"y\":2}",
                "\"x\":[[{\"y\":{\"z\":1,\"a\":2,\"z\":1}}]]",
                "\"\":1,\"\":1"
            })
    void CR_13_duplicateKeyIsRefused(String more) {
        refused("duplicate-key", () -> EventReader.read(plus(more)));
        refused("duplicate-key", () -> Frames.readClient("[\"EVENT\"," + plus(more) + "]"));
        refused("duplicate-key", () -> Frames.readRelay("[\"EVENT\",\"s\"," + plus(more) + "]"));
    }

    @Test
    void unknownFieldsAreDropped() throws Exception {
        assertEquals(
                EventReader.read(with("", "")),
                EventReader.read(plus("\"relays\":[\"wss://a\",{\"b\":[1.5e3,true,null]}],\"x\":-0")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{\"a\":", "[[", "[{\"a\":"})
    void CR_14_deepNestingIsRefusedOnASmallStack(String unit) throws Exception {
        String bomb = unit.repeat(131_000 / unit.length());
        String unknown = with("", "").replace("}", ",\"x\":" + unit.repeat(10_000));
        onSmallStack(() -> {
            refused("nesting", () -> Frames.readClient(bomb));
            refused("nesting", () -> Frames.readClient("[" + bomb));
            refused("nesting", () -> Frames.readRelay("[" + bomb));
            refused("nesting", () -> Frames.readClient("[\"EVENT\"," + bomb));
            refused("nesting", () -> Frames.readClient("[\"REQ\",\"s\"," + bomb));
            refused("nesting", () -> Frames.readClient("[\"WHAT\"," + bomb));
            refused("nesting", () -> EventReader.read(bomb));
            refused("nesting", () -> EventReader.readRumor(bomb));
            refused("nesting", () -> EventReader.read(unknown));
            refused("nesting", () -> EventReader.read(unknown.getBytes(StandardCharsets.UTF_8)));
            refused("nesting", () -> Frames.readFilter(bomb));
        });
    }

    @Test
    void CR_14_tagsNestTwoLevelsOnly() {
        refused("nesting", () -> EventReader.read(with("tags", "[[[\"a\"]]]")));
        refused("nesting", () -> EventReader.read(with("tags", "[[\"a\",{}]]")));
    }

    private static void onSmallStack(Executable work) throws InterruptedException {
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread thread = new Thread(
                null,
                () -> {
                    try {
                        work.execute();
                    } catch (Throwable t) {
                        failure.set(t);
                    }
                },
                "small stack",
                256 * 1024);
        thread.start();
        thread.join();
        assertNull(failure.get(), () -> "failed on the small stack: " + failure.get());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-1",
                "-0",
                "1.0",
                "1e9",
                "1E2",
                "1e400",
                "9007199254740992",
                "9223372036854775808",
                "\"1700000000\"",
                "01",
                "null",
                "true",
                "[]",
                "{}",
                "+1",
                "\u0661",
                ".5",
                "1.",
                "NaN",
                "Infinity",
                "",
                "99999999999999999999999999999999999999999"
            })
    void CR_15_createdAtIsPlainDigitsBelowTwoToThe53(String json) {
        refused("created-at", () -> EventReader.read(with("created_at", json)));
        refused("created-at", () -> EventReader.readRumor(with("created_at", json)));
    }

    @Test
    void CR_15_whatFollowsANumberIsNoPartOfIt() {
        refused("json", () -> EventReader.read(with("created_at", "0x10")));
        refused("json", () -> EventReader.read(with("kind", "1 2")));
    }

    @Test
    void CR_15_hugeNumbersAreRefusedFast() {
        refused("created-at", () -> EventReader.read(with("created_at", "9".repeat(900_000))));
        refused("kind", () -> EventReader.read(with("kind", "0." + "9".repeat(900_000))));
    }

    @Test
    void CR_15_boundsThemselvesAreAccepted() throws Exception {
        assertEquals(
                9_007_199_254_740_991L,
                EventReader.read(with("created_at", "9007199254740991")).createdAt());
        assertEquals(0, EventReader.read(with("created_at", "0")).createdAt());
        assertEquals(65535, EventReader.read(with("kind", "65535")).kind());
        assertEquals(0, EventReader.read(with("kind", "0")).kind());
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "65536", "1.5", "\"1\"", "1e0", "01", "null", "-0", "4294967297", "[1]"})
    void CR_15_kindIsPlainDigitsUpTo65535(String json) {
        refused("kind", () -> EventReader.read(with("kind", json)));
    }

    @Test
    void CR_16_hexIsLowerCaseAsciiOfTheExactLength() {
        List<String> bad = List.of(
                "AB".repeat(32),
                "aB".repeat(32),
                "a".repeat(63),
                "a".repeat(65),
                "",
                "\uff11".repeat(64),
                "\u0661".repeat(64),
                "0x" + "a".repeat(62),
                "\\u0000" + "a".repeat(63),
                "g".repeat(64),
                " " + "a".repeat(63),
                "+" + "a".repeat(63),
                "\\ud800" + "a".repeat(63));
        for (String text : bad) {
            refused("hex", text, () -> EventReader.read(with("id", "\"" + text + "\"")));
            refused("hex", text, () -> EventReader.read(with("pubkey", "\"" + text + "\"")));
        }
        for (String text : List.of("AB".repeat(64), "a".repeat(127), "a".repeat(129), "\uff11".repeat(128))) {
            refused("hex", text, () -> EventReader.read(with("sig", "\"" + text + "\"")));
        }
        for (String json : List.of("null", "1", "[]", "{}", "true")) {
            refused("hex", json, () -> EventReader.read(with("id", json)));
            refused("hex", json, () -> EventReader.read(with("pubkey", json)));
            refused("hex", json, () -> EventReader.read(with("sig", json)));
        }
    }

    @Test
    void CR_17_signatureOfAnotherLengthIsABadSignature() {
        refused("sig", () -> EventReader.read(with("sig", "\"" + "ab".repeat(63) + "\"")));
        refused("sig", () -> EventReader.read(with("sig", "\"" + "ab".repeat(65) + "\"")));
        refused("sig", () -> EventReader.read(with("sig", "\"\"")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"null", "1", "{}", "[null]", "[1]", "[\"a\"]", "[[]]", "[[null]]", "[[1]]", "[[\"a\",true]]"})
    void tagsAreNonEmptyArraysOfStrings(String json) {
        refused("tags", () -> EventReader.read(with("tags", json)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "1", "{}", "[\"a\"]", "true"})
    void contentIsAString(String json) {
        refused("content", () -> EventReader.read(with("content", json)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"id", "pubkey", "created_at", "kind", "tags", "content", "sig"})
    void aMissingFieldIsRefused(String field) {
        String json = with("", "").replace("\"" + field + "\"", "\"_" + field + "\"");
        refused("missing-field", () -> EventReader.read(json));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "null|event",
                "[]|event",
                "1|event",
                "\"x\"|event",
                "{|json",
                "{}x|missing-field",
                "{} {}|missing-field"
            })
    void anEventIsOneObject(String json, String token) {
        refused(token, () -> EventReader.read(json));
    }

    @Test
    void nothingFollowsTheEvent() {
        refused("json", () -> EventReader.read(with("", "") + "x"));
        refused("json", () -> EventReader.read(with("", "") + "{}"));
        refused("json", () -> EventReader.read(""));
    }

    @Test
    void limitsHoldAtTheBorder() throws Exception {
        GrammarLimits relay = GrammarLimits.RELAY;
        String tag = "[\"t\",\"\"],";
        String tags2000 = "[" + tag.repeat(1999) + "[\"t\"]]";
        String tags2001 = "[" + tag.repeat(2000) + "[\"t\"]]";
        assertEquals(
                2000, EventReader.read(with("tags", tags2000), relay).tags().size());
        refused("tags", () -> EventReader.read(with("tags", tags2001), relay));

        EventReader.read(with("tags", "[[\"t\",\"" + "x".repeat(1024) + "\"]]"), relay);
        EventReader.read(with("tags", "[[\"alt\",\"" + "x".repeat(1025) + "\"]]"), relay);
        refused("tags", () -> EventReader.read(with("tags", "[[\"t\",\"" + "x".repeat(1025) + "\"]]"), relay));
        refused("tags", () -> EventReader.read(with("tags", "[[\"t\",\"" + "é".repeat(513) + "\"]]"), relay));
        refused("tags", () -> EventReader.read(with("tags", "[[\"alt\",\"" + "x".repeat(100 * 1024) + "\"]]"), relay));
        refused("tags", () -> EventReader.read(with("tags", "[[\"p\",\"" + "a".repeat(63) + "\"]]"), relay));
        refused("tags", () -> EventReader.read(with("tags", "[[\"e\",\"" + "A".repeat(64) + "\"]]"), relay));
        assertEquals(
                "x",
                EventReader.read(with("tags", "[[\"p\",\"x\"]]")).tagValues("p").get(0));

        int rest = with("content", "\"\"").length();
        String full = "\"" + "é".repeat((relay.maxBytes() - rest) / 2) + "x".repeat((relay.maxBytes() - rest) % 2);
        assertEquals(relay.maxBytes(), with("content", full + "\"").getBytes(StandardCharsets.UTF_8).length);
        EventReader.read(with("content", full + "\""), relay);
        refused("too-large", () -> EventReader.read(with("content", full + "x\""), relay));
        refused("too-large", () -> EventReader.read(new byte[EventReader.MAX_BYTES + 1]));
        refused("too-large", () -> EventReader.read("x".repeat(EventReader.MAX_BYTES + 1)));
        refused("too-large", () -> EventReader.readRumor("x".repeat(10 << 20)));
    }

    @Test
    void CR_21_rumorCarriesNoSignature() throws Exception {
        Rumor rumor = EventHash.rumor(Samples.key(1), 5, 14, List.of(List.of("p", HEX)), "hi");
        String json = EventWriter.write(rumor);
        assertEquals(rumor, EventReader.readRumor(json));
        String open = json.substring(0, json.length() - 1);
        assertEquals(rumor, EventReader.readRumor(open + ",\"sig\":\"\"}"));
        assertEquals(rumor, EventReader.readRumor(open + ",\"sig\":\" \"}"));
        assertEquals(rumor, EventReader.readRumor(open + ",\"sig\":null}"));
        for (String sig : List.of("\"" + HEX + HEX + "\"", "\"x\"", "0", "[]", "{\"a\":1}", "false")) {
            refused("signed-rumor", sig, () -> EventReader.readRumor(open + ",\"sig\":" + sig + "}"));
        }
        refused("missing-field", () -> EventReader.read(json));
    }

    @Test
    void CR_21_rumorIdIsComputedOrChecked() throws Exception {
        Rumor rumor = EventHash.rumor(Samples.key(1), 5, 14, List.of(), "hi");
        String json = EventWriter.write(rumor);
        assertEquals(rumor, EventReader.readRumor(json.replace("\"id\":\"" + rumor.id() + "\",", "")));
        refused("id", () -> EventReader.readRumor(json.replace(rumor.id().hex(), HEX)));
        refused("id", () -> EventReader.readRumor(json.replace("hi", "ho")));
        refused("hex", () -> EventReader.readRumor(json.replace(rumor.id().hex(), "")));
        refused("missing-field", () -> EventReader.readRumor("{}"));
    }

    @Test
    void rumorThatNobodyCouldReadIsNotMade() {
        refused("control-char", () -> EventHash.rumor(Samples.key(1), 1, 14, List.of(), "\u0000"));
        refused("control-char", () -> EventHash.rumor(Samples.key(1), 1, 14, List.of(List.of("a", "\u0000")), ""));
        refused("tags", () -> EventHash.rumor(Samples.key(1), 1, 14, List.of(List.of()), ""));
        refused("created-at", () -> EventHash.rumor(Samples.key(1), 1L << 53, 14, List.of(), ""));
        refused("kind", () -> EventHash.rumor(Samples.key(1), 1, 65536, List.of(), ""));
    }

    @Test
    void faultsNeverQuoteTheInput() {
        for (String json :
                List.of(with("content", "\"canary\\ud800\""), with("kind", "\"canary\""), plus("\"canary\":canary"))) {
            try {
                EventReader.read(json);
                throw new AssertionError("this should have been refused");
            } catch (ProtocolException e) {
                assertTrue(
                        !e.wireReason().contains("canary") && e.wireReason().startsWith("invalid: " + e.token() + " "));
                assertNull(e.getCause());
                assertEquals(0, e.getStackTrace().length);
            }
        }
    }
}
