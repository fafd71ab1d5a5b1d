package im.parley.nip46;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.api.event.EventTemplate;
import im.parley.protocol.ProtocolException;
import java.net.URI;
import java.util.List;
import org.junit.jupiter.api.Test;

class RpcTest {
    private static final String KEY = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    @Test
    void whatIsWrittenIsRead() throws Exception {
        Rpc.Request request = new Rpc.Request("1", "sign_event", List.of("{\"a\":\"\\n\"}", "✓"));
        assertEquals(request, Rpc.readRequest(Rpc.write(request)));
        Rpc.Response response = new Rpc.Response("1", "", "no \"reason\"");
        assertEquals(response, Rpc.readResponse(Rpc.write(response)));
        EventTemplate template = new EventTemplate(5, 1, List.of(List.of("t", "x")), "a\nb");
        assertEquals(template, Rpc.readUnsigned(Rpc.write(template)).template());
        assertEquals(List.of(), Rpc.readTexts("null"));
        assertEquals(List.of("a"), Rpc.readTexts("[\"a\"]"));
    }

    @Test
    void whatIsNoRpcIsRefused() {
        for (String bad : List.of(
                "",
                "null",
                "[]",
                "{}",
                "{\"id\":1,\"method\":\"ping\"}",
                "{\"id\":\"1\"}",
                "{\"id\":\"1\",\"method\":\"ping\",\"params\":[1]}",
                "{\"id\":\"1\",\"method\":\"ping\",\"params\":\"x\"}",
                "{\"id\":\"1\",\"id\":\"2\",\"method\":\"ping\"}",
                "{\"id\":\"" + "x".repeat(129) + "\",\"method\":\"ping\"}",
                "{\"id\":\"1\",\"method\":\"ping\"} x",
                "[".repeat(100))) {
            assertThrows(ProtocolException.class, () -> Rpc.readRequest(bad), bad);
        }
        for (String bad : List.of(
                "{\"kind\":70000,\"content\":\"\",\"tags\":[],\"created_at\":1}",
                "{\"kind\":1,\"content\":\"\",\"tags\":[[]],\"created_at\":1}",
                "{\"kind\":1,\"content\":\"\",\"tags\":[],\"created_at\":-1}",
                "{\"kind\":1,\"tags\":[],\"created_at\":1}",
                "{\"kind\":1,\"content\":\"\",\"pubkey\":\"zz\",\"tags\":[],\"created_at\":1}")) {
            assertThrows(ProtocolException.class, () -> Rpc.readUnsigned(bad), bad);
        }
    }

    @Test
    void aBunkerUrlIsReadAndWrittenAndDoesNotShowItsSecret() throws Exception {
        String text = "bunker://" + KEY + "?relay=wss%3A%2F%2Fa.example&relay=ws://127.0.0.1:7470&secret=s%26x";
        BunkerUrl url = BunkerUrl.read(text);
        assertEquals(List.of(URI.create("wss://a.example"), URI.create("ws://127.0.0.1:7470")), url.relays());
        assertEquals("s&x", url.secret());
        assertEquals(url, BunkerUrl.read(url.write()));
        assertFalse(url.toString().contains("s&x"));
        for (String bad : List.of(
                "",
                "bunker://" + KEY,
                "bunker://" + KEY.substring(1) + "?relay=wss://a.example",
                "bunker://" + KEY + "?relay=https://a.example",
                "bunker://" + KEY + "?relay=%zz",
                "bunker://" + KEY + "?relay=wss://a.example".repeat(1) + "&secret=" + "x".repeat(300),
                "nostrconnect://" + KEY + "?relay=wss://a.example")) {
            assertThrows(ProtocolException.class, () -> BunkerUrl.read(bad), bad);
        }
    }
}
