package im.parley.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.api.event.PublicKey;
import java.net.URI;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class Nip05Test {
    private static final String KEY = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    @Test
    void aNameIsANameAtADomain() {
        Nip05 bob = Objects.requireNonNull(Nip05.read(" Bob@Example.org "));
        assertEquals(new Nip05("bob", "example.org"), bob);
        assertEquals(URI.create("https://example.org/.well-known/nostr.json?name=bob"), bob.document());
        for (String bad : List.of(
                "bob",
                "@example.org",
                "bob@",
                "bob@localhost",
                "bob@127.0.0.1",
                "bob@[::1]",
                "bob@example.org:8443",
                "bob@example.org/x",
                "bob@evil@example.org",
                "b%20b@example.org",
                "b&name=a@example.org",
                "bob@exa mple.org")) {
            assertNull(Nip05.read(bad), bad);
        }
    }

    @Test
    void theDocumentSaysWhoseItIs() throws Exception {
        Nip05 bob = new Nip05("bob", "example.org");
        Nip05.Found found =
                Objects.requireNonNull(bob.find("{\"names\":{\"alice\":\"x\",\"bob\":\"" + KEY + "\"},\"relays\":{\""
                        + KEY + "\":[\"wss://a.example\",\"https://b.example\"],\"zz\":[1]},\"more\":1}"));
        assertEquals(PublicKey.ofHex(KEY), found.pubkey());
        assertEquals(List.of(URI.create("wss://a.example")), found.relays());
        assertNull(bob.find("{\"names\":{}}"));
        assertNull(bob.find("{}"));
        for (String bad : List.of(
                "",
                "[]",
                "<html>",
                "{\"names\":{\"bob\":1}}",
                "{\"names\":{\"bob\":\"" + KEY.toUpperCase(java.util.Locale.ROOT) + "\"}}",
                "{\"names\":{}} x")) {
            assertThrows(ProtocolException.class, () -> bob.find(bad), bad);
        }
    }
}
