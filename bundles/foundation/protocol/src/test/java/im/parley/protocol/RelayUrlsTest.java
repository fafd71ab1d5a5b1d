package im.parley.protocol;

import static im.parley.protocol.Samples.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URI;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RelayUrlsTest {
    @ParameterizedTest
    @CsvSource({
        "wss://relay.example, wss://relay.example",
        "WSS://Relay.Example/, wss://relay.example",
        "wss://relay.example:443, wss://relay.example",
        "ws://relay.example:80/, ws://relay.example",
        "ws://relay.example:443, ws://relay.example:443",
        "wss://relay.example:, wss://relay.example",
        "wss://relay.example., wss://relay.example",
        "wss://relay.example./A/b, wss://relay.example/A/b",
        "wss://relay.example/a/../b, wss://relay.example/b",
        "wss://relay.example/a/./b/, wss://relay.example/a/b/",
        "wss://relay.example/?, wss://relay.example",
        "wss://relay.example?x=1&y=%20, wss://relay.example?x=1&y=%20",
        "ws://127.0.0.1:7470, ws://127.0.0.1:7470",
        "ws://localhost, ws://localhost",
        "wss://xn--bcher-kva.example, wss://xn--bcher-kva.example",
        "ws://[::1]:7470/, ws://[::1]:7470",
        "ws://[0:0:0:0:0:0:0:1], ws://[::1]",
        "ws://[2001:DB8:0:0:1:0:0:1], ws://[2001:db8::1:0:0:1]",
        "ws://[2001:db8::0:1:1:1:1], ws://[2001:db8::1:1:1:1]",
        "ws://[2001:db8:0:1:1:1:1:1], ws://[2001:db8:0:1:1:1:1:1]",
        "ws://[1::], ws://[1::]",
        "ws://[::], ws://[::]",
        "ws://[::ffff:127.0.0.1], ws://127.0.0.1",
        "ws://[::ffff:7f00:1], ws://127.0.0.1",
        "ws://[64:ff9b::192.0.2.1], ws://[64:ff9b::c000:201]"
    })
    void oneSpellingPerRelay(String given, String normal) throws Exception {
        assertEquals(URI.create(normal), RelayUrls.normalise(given));
        assertEquals(URI.create(normal), RelayUrls.normalise(normal), "the normal form is its own normal form");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "relay.example",
                "//relay.example",
                "https://relay.example",
                "wss:relay.example",
                "wss:///x",
                "wss://",
                "wss://user@relay.example",
                "wss://user:pw@relay.example",
                "wss://@relay.example",
                "wss://relay.example#x",
                "wss://relay.example#",
                "wss://relay.example:0",
                "wss://relay.example:65536",
                "wss://relay.example:x",
                "wss://relay.example:-1",
                "wss://relay.example/ x",
                " wss://relay.example",
                "wss://relay.example\n",
                "wss://relay.example\\@evil.example",
                "wss://rel\u0430y.example",
                "wss://relay\u3002example",
                "wss://\uff52elay.example",
                "wss://relay.example/é",
                "wss://.",
                "wss://..",
                "wss://a..b",
                "wss://-a.example",
                "wss://a_b.example",
                "wss://127.1",
                "wss://2130706433",
                "wss://0x7f000001",
                "wss://0x7f.1",
                "wss://a.0x7f",
                "wss://0177.0.0.1",
                "wss://127.0.0.01",
                "wss://256.0.0.1",
                "wss://1.2.3",
                "wss://1.2.3.4.5",
                "wss://[::1%25eth0]",
                "wss://[fe80::1%eth0]",
                "wss://[::1",
                "wss://[1:2:3]",
                "wss://[:::1]",
                "wss://relay.example/../x",
                "wss://relay.example/%zz",
                "wss://relay.example/%u002e",
                "wss://a%2eexample",
                "javascript:alert(1)",
                "wss://relay.example,wss://b.example:1"
            })
    void anythingElseIsRefused(String given) {
        refused("relay-url", given, () -> RelayUrls.normalise(given));
    }

    @Test
    void lengthIsLimited() throws Exception {
        String head = "wss://relay.example/";
        RelayUrls.normalise(head + "x".repeat(512 - head.length()));
        refused("relay-url", () -> RelayUrls.normalise(head + "x".repeat(513 - head.length())));
        refused("relay-url", () -> RelayUrls.normalise("wss://" + "x".repeat(64) + ".example"));
        refused("relay-url", () -> RelayUrls.normalise("wss://" + "x.".repeat(130) + "example"));
    }
}
