package im.parley.protocol;

import static im.parley.protocol.Samples.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.api.event.Event;
import im.parley.api.event.Filter;
import im.parley.testkit.Seeds;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FramesTest {
    private static final String ID = "ab".repeat(32);

    @Test
    void whatTheClientWritesTheRelayReads() throws Exception {
        RandomGenerator random = Seeds.generator("FramesTest");
        for (int i = 0; i < 500; i++) {
            Event event = Samples.unsigned(random);
            List<Filter> filters = List.of(Samples.filter(random), Samples.filter(random));
            assertEquals(new ClientFrame.Publish(event), Frames.readClient(Frames.publish(event)));
            assertEquals(new ClientFrame.Auth(event), Frames.readClient(Frames.auth(event)));
            assertEquals(new ClientFrame.Req("é\"\n", filters), Frames.readClient(Frames.req("é\"\n", filters)));
            assertEquals(new ClientFrame.Close("s"), Frames.readClient(Frames.close("s")));
            assertEquals(filters.get(0), Frames.readFilter(Frames.writeFilter(filters.get(0))));
            assertEquals(new RelayFrame.Deliver("s", event), Frames.readRelay(Frames.deliver("s", event)));
            assertEquals(Frames.deliver("s\\", event), Frames.deliverRaw("s\\", EventWriter.write(event)));
            String text = Samples.text(random, 4);
            assertEquals(
                    new RelayFrame.Ok(event.id(), false, text), Frames.readRelay(Frames.ok(event.id(), false, text)));
            assertEquals(new RelayFrame.Closed("s", text), Frames.readRelay(Frames.closed("s", text)));
            assertEquals(new RelayFrame.Notice(text), Frames.readRelay(Frames.notice(text)));
        }
        assertEquals(new RelayFrame.Ok(Samples.id(1), true, ""), Frames.readRelay(Frames.ok(Samples.id(1), true, "")));
        assertEquals(new RelayFrame.Eose("s"), Frames.readRelay(Frames.eose("s")));
        assertEquals(new RelayFrame.Challenge("c"), Frames.readRelay(Frames.challenge("c")));
    }

    @Test
    void framesLookAsNip01PrintsThem() throws Exception {
        assertEquals("[\"CLOSE\",\"s\"]", Frames.close("s"));
        assertEquals("[\"EOSE\",\"s\"]", Frames.eose("s"));
        assertEquals("[\"OK\",\"" + ID + "\",true,\"\"]", Frames.ok(im.parley.api.event.EventId.ofHex(ID), true, ""));
        assertEquals("[\"CLOSED\",\"s\",\"error: x\"]", Frames.closed("s", "error: x"));
        assertEquals("[\"NOTICE\",\"\ufffd x\"]", Frames.notice("\ud800 x"));
        assertEquals("[\"AUTH\",\"c\"]", Frames.challenge("c"));
        Filter filter = Filter.builder()
                .kinds(List.of(14, 1))
                .tag('p', List.of(ID))
                .since(1)
                .until(2)
                .limit(0)
                .ids(List.of())
                .build();
        assertEquals(
                "[\"REQ\",\"s\",{\"ids\":[],\"kinds\":[1,14],\"#p\":[\"" + ID
                        + "\"],\"since\":1,\"until\":2,\"limit\":0},{}]",
                Frames.req("s", List.of(filter, Filter.builder().build())));
    }

    @Test
    void otherFramesOfClientsAreRecognised() throws Exception {
        assertEquals(
                new ClientFrame.Count("q", List.of(Filter.builder().build())),
                Frames.readClient("[\"COUNT\",\"q\",{}]"));
        assertEquals(
                new ClientFrame.Negentropy("NEG-OPEN", "n"),
                Frames.readClient("[\"NEG-OPEN\",\"n\",{\"kinds\":[1]},\"6100\"]"));
        assertEquals(new ClientFrame.Negentropy("NEG-CLOSE", "n"), Frames.readClient("[\"NEG-CLOSE\",\"n\"]"));
        assertEquals(new ClientFrame.Unknown("PING"), Frames.readClient("[\"PING\",{\"a\":[1,2,{}]},null]"));
        assertEquals(new ClientFrame.Unknown("event"), Frames.readClient("[\"event\"]"));
    }

    @Test
    void newerFramesOfRelaysMayBeLonger() throws Exception {
        assertEquals(new RelayFrame.Eose("s"), Frames.readRelay("[\"EOSE\",\"s\",[\"finish\"]]"));
        assertEquals(
                new RelayFrame.Ok(Samples.id(2), true, ""),
                Frames.readRelay("[\"OK\",\"" + Samples.id(2) + "\",true]"));
        assertEquals(new RelayFrame.Closed("s", ""), Frames.readRelay("[\"CLOSED\",\"s\"]"));
        assertEquals(
                new RelayFrame.Counted("q", 7),
                Frames.readRelay("[\"COUNT\",\"q\",{\"approximate\":true,\"count\":7}]"));
        assertEquals(new RelayFrame.Unknown("NEG-ERR"), Frames.readRelay("[\"NEG-ERR\",\"s\",\"closed: x\",5]"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "{}|frame",
                "[]|frame",
                "null|frame",
                "[1]|frame",
                "[null,1]|frame",
                "[\"\"]|frame",
                "[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]|frame",
                "[\"REQ\"|json",
                "[\"REQ\"]|subscription",
                "[\"REQ\",\"\"]|subscription",
                "[\"REQ\",1,{}]|subscription",
                "[\"REQ\",\"s\"]|filter",
                "[\"REQ\",\"s\",[]]|filter",
                "[\"REQ\",\"s\",{},1]|filter",
                "[\"CLOSE\"]|subscription",
                "[\"CLOSE\",\"s\",\"x\"]|frame",
                "[\"EVENT\"]|event",
                "[\"EVENT\",[]]|event",
                "[\"EVENT\",\"sub\",{}]|event",
                "[\"AUTH\",\"challenge\"]|event",
                "[\"CLOSE\",\"s\"]]|json",
                "[\"CLOSE\",\"s\"] []|json",
                "[\"CLOSE\",\"s\",]|json",
                "['CLOSE','s']|json",
                "[\"X\",NaN]|json",
                "[\"X\"]//|json",
                "x|json",
                "|json"
            })
    void badFramesOfClientsAreRefused(String frame, String token) {
        refused(token, () -> Frames.readClient(frame == null ? "" : frame));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[\"OK\"]",
                "[\"OK\",\"x\",true,\"\"]",
                "[\"OK\",\"abababababababababababababababababababababababababababababababab\",1,\"\"]",
                "[\"OK\",\"abababababababababababababababababababababababababababababababab\",true,1]",
                "[\"EOSE\"]",
                "[\"NOTICE\",{}]",
                "[\"AUTH\",\"\"]",
                "[\"AUTH\"]",
                "[\"COUNT\",\"q\",{}]",
                "[\"COUNT\",\"q\",{\"count\":-1}]",
                "[\"COUNT\",\"q\",5]",
                "[\"EVENT\",\"s\"]",
                "[\"EVENT\",{}]",
                "[\"NOTICE\",\"\\u0000\"]",
                "[\"CLOSED\",\"s\",\"\\ud800\"]"
            })
    void badFramesOfRelaysAreRefused(String frame) {
        assertThrows(ProtocolException.class, () -> Frames.readRelay(frame));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "null|filter",
                "{\"ids\":null}|filter",
                "{\"ids\":\"a\"}|filter",
                "{\"ids\":[\"ab\"]}|hex",
                "{\"authors\":[1]}|hex",
                "{\"authors\":[[]]}|hex",
                "{\"kinds\":[1.0]}|kind",
                "{\"kinds\":[-1]}|kind",
                "{\"kinds\":[65536]}|kind",
                "{\"kinds\":[\"1\"]}|kind",
                "{\"kinds\":1}|filter",
                "{\"since\":-1}|filter",
                "{\"since\":1.5}|filter",
                "{\"until\":\"1\"}|filter",
                "{\"until\":null}|filter",
                "{\"limit\":-1}|filter",
                "{\"limit\":1e3}|filter",
                "{\"#e\":[\"x\"]}|hex",
                "{\"#p\":[\"AB\"]}|hex",
                "{\"#t\":[1]}|filter",
                "{\"#t\":\"x\"}|filter",
                "{\"#\":[]}|filter",
                "{\"#tt\":[]}|filter",
                "{\"#1\":[]}|filter",
                "{\"#é\":[]}|filter",
                "{\"&t\":[]}|filter",
                "{\"search\":\"x\"}|filter",
                "{\"IDS\":[]}|filter",
                "{\"kinds\":[1],\"kinds\":[2]}|duplicate-key",
                "{\"#t\":[],\"#t\":[]}|duplicate-key",
                "{\"#t\":[\"\\u0000\"]}|control-char",
                "{\"#t\":[\"\\ud800\"]}|bad-unicode",
                "{\"x\":[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]}|nesting",
                "{} {}|json"
            })
    void badFiltersAreRefused(String filter, String token) {
        refused(token, () -> Frames.readFilter(filter));
    }

    @Test
    void filterBoundsAreAccepted() throws Exception {
        Filter filter = Frames.readFilter(
                "{\"limit\":9007199254740991,\"until\":9007199254740991,\"kinds\":[0,65535],\"#T\":[]}");
        assertEquals(Integer.MAX_VALUE, filter.limit().orElseThrow());
        assertEquals(9_007_199_254_740_991L, filter.until().orElseThrow());
        assertEquals(java.util.Set.of(), filter.tags().get('T'));
        StringBuilder frame = new StringBuilder("[\"REQ\",\"s\"");
        frame.append(",{}".repeat(200));
        assertEquals(
                200,
                ((ClientFrame.Req) Frames.readClient(frame + "]")).filters().size());
        refused("filter", () -> Frames.readClient(frame + ",{}]"));
        refused("filter", () -> Frames.readFilter("{\"#t\":[\"" + "x".repeat(1025) + "\"]}"));
    }

    @Test
    void RL_16_aFilterHasThousandValuesInAllItsConditions() throws Exception {
        String kinds = "1" + ",1".repeat(499);
        String tags = "\"a\"" + ",\"a\"".repeat(499);
        Frames.readFilter("{\"kinds\":[" + kinds + "],\"#t\":[" + tags + "]}");
        refused("filter", () -> Frames.readFilter("{\"kinds\":[" + kinds + ",1],\"#t\":[" + tags + "]}"));
        refused("filter", () -> Frames.readFilter("{\"#x\":[" + tags + "],\"#t\":[" + tags + ",\"b\"]}"));
        String id = "\"" + ID + "\"";
        for (String name : List.of("ids", "authors", "#e", "#p")) {
            String many = "{\"" + name + "\":[" + id + ("," + id).repeat(999);
            Frames.readFilter(many + "]}");
            refused("filter", () -> Frames.readFilter(many + "," + id + "]}"));
        }
    }

    @Test
    void subscriptionIdsHaveUpTo64Characters() throws Exception {
        assertEquals(
                new ClientFrame.Close("x".repeat(64)), Frames.readClient("[\"CLOSE\",\"" + "x".repeat(64) + "\"]"));
        refused("subscription", () -> Frames.readClient("[\"CLOSE\",\"" + "x".repeat(65) + "\"]"));
        assertThrows(IllegalArgumentException.class, () -> Frames.close("x".repeat(65)));
        assertThrows(IllegalArgumentException.class, () -> Frames.eose(""));
        assertThrows(IllegalArgumentException.class, () -> Frames.req("s", List.of()));
    }

    private static MalformedFrameException malformed(String frame) {
        return assertThrows(MalformedFrameException.class, () -> Frames.readClient(frame));
    }

    @Test
    void aMalformedEventIsAnsweredByItsId() {
        String bad = "[\"EVENT\",{\"kind\":\"1\",\"x\":[{}],\"id\":\"" + ID + "\"}]";
        assertEquals(ID, malformed(bad).event().orElseThrow().hex());
        assertEquals(Optional.empty(), malformed(bad).subscription());
        assertEquals(
                "[\"OK\",\"" + ID + "\",false,\"invalid: kind kind is a whole number, 0 to 65535, digits only\"]",
                malformed(bad).answer());
        assertEquals(
                ID,
                malformed(bad.replace("EVENT", "AUTH")).event().orElseThrow().hex());
        assertEquals(
                ID,
                malformed("[\"EVENT\",{\"id\":\"" + ID + "\",")
                        .event()
                        .orElseThrow()
                        .hex());
        assertEquals(Optional.empty(), malformed("[\"EVENT\",{\"id\":\"x\"}]").event());
        assertEquals(
                Optional.empty(),
                malformed("[\"EVENT\",{\"x\":{\"id\":\"" + ID + "\"}}]").event());
    }

    @Test
    void aMalformedRequestIsAnsweredByItsSubscription() {
        assertEquals(
                "s", malformed("[\"REQ\",\"s\",{\"ids\":[1]}]").subscription().orElseThrow());
        assertEquals("s", malformed("[\"CLOSE\",\"s\"").subscription().orElseThrow());
        assertEquals(
                "[\"CLOSED\",\"s\",\"invalid: json this is not one complete JSON value\"]",
                malformed("[\"REQ\",\"s\",{").answer());
        assertEquals(Optional.empty(), malformed("[\"REQ\",\"\\ud800\",{}]").subscription());
        assertEquals(
                Optional.empty(),
                malformed("[\"REQ\",\"" + "x".repeat(65) + "\",{}]").subscription());
    }

    @Test
    void anythingElseIsAnsweredByANotice() {
        assertEquals(
                "[\"NOTICE\",\"invalid: frame a frame is a JSON array\"]",
                malformed("{}").answer());
        MalformedFrameException large = malformed("[\"CLOSE\",\"s\"" + " ".repeat(131_072) + "]");
        assertEquals("too-large", large.token());
        assertEquals("[\"NOTICE\",\"invalid: too-large the limit is 131072 bytes\"]", large.answer());
    }
}
