package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.api.lifecycle.Scope;
import im.parley.egress.Web;
import im.parley.protocol.Nip19;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class WebNamesTest {
    private static final String KEY = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    private static WebNames answering(int status, String body) {
        return new WebNames((scope, address, maxBytes, reason, timeout) -> {
            assertEquals("https://example.org/.well-known/nostr.json?name=bob", address.toString());
            return new Web.Answer(status, body.getBytes(StandardCharsets.UTF_8));
        });
    }

    private static String code(WebNames names, String address) {
        return assertThrows(ProviderException.class, () -> names.find(Scope.DEFAULT, address))
                .code();
    }

    @Test
    void theKeyAndItsRelaysAreWhatTheDomainSays() throws Exception {
        var found = answering(
                        200, "{\"names\":{\"bob\":\"" + KEY + "\"},\"relays\":{\"" + KEY + "\":[\"wss://a.example\"]}}")
                .find(Scope.DEFAULT, "Bob@example.org");
        assertEquals("bob@example.org", found.address());
        assertEquals(KEY, found.pubkey().hex());
        assertEquals(List.of("wss://a.example"), ((Nip19.Profile) Nip19.decode(found.nprofile())).relays());
    }

    @Test
    void whateverElseComesHasACodeOfItsOwn() {
        assertEquals("nip05.bad-address", code(answering(200, "{}"), "bob@127.0.0.1"));
        assertEquals("nip05.unknown", code(answering(200, "{\"names\":{}}"), "bob@example.org"));
        assertEquals("nip05.unknown", code(answering(404, ""), "bob@example.org"));
        assertEquals("nip05.redirect", code(answering(301, ""), "bob@example.org"));
        assertEquals("nip05.bad-answer", code(answering(200, "<html>"), "bob@example.org"));
        for (String[] row : new String[][] {
            {"web.too-large", "nip05.bad-answer"},
            {"web.timeout", "nip05.unreachable"},
            {"tls.untrusted", "nip05.unreachable"}
        }) {
            assertEquals(
                    row[1],
                    code(
                            new WebNames((scope, address, maxBytes, reason, timeout) -> {
                                throw new ProviderException(Kind.UNAVAILABLE, row[0], "x");
                            }),
                            "bob@example.org"));
        }
        assertEquals(
                "egress.private",
                code(
                        new WebNames((scope, address, maxBytes, reason, timeout) -> {
                            throw new ProviderException(Kind.REJECTED, "egress.private", "x");
                        }),
                        "bob@example.org"));
    }
}
