package im.parley.messenger.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.api.lifecycle.ProviderException;
import im.parley.cipher.Nip49;
import im.parley.protocol.Nip19;
import im.parley.testkit.Vectors;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SealedKeysTest {
    private static final byte[] SECRET = HexFormat.of().parseHex("01".repeat(32));

    @Test
    void theOfficialVectorsOpen() throws Exception {
        int opened = 0;
        for (JsonNode each : Vectors.json("nips/nip49.json").path("cases")) {
            byte[] secret = SealedKeys.open(
                    each.path("ncryptsec").asText().toCharArray(),
                    each.path("password").asText().toCharArray());
            assertEquals(each.path("secret").asText(), HexFormat.of().formatHex(secret));
            opened++;
        }
        assertTrue(opened > 10, opened + " vectors");
    }

    @Test
    void whatIsSealedCanBeImported() throws Exception {
        char[] password = "a sentence of my own".toCharArray();
        String sealed = Nip19.ncryptsec(Nip49.seal(
                password, SECRET, 4, new byte[Nip49.SALT], new byte[Nip49.NONCE], Nip49.Handling.UNTRACKED, 1L << 28));
        assertArrayEquals(SECRET, SealedKeys.open((" " + sealed + "\n").toCharArray(), password));
        assertEquals("key.wrong-password", code(sealed, "another sentence"));
        assertArrayEquals(SECRET, SealedKeys.open(Nip19.nsec(SECRET).toCharArray(), null));
    }

    @Test
    void whatIsNoKeyIsRefusedWithoutShowingIt() {
        String nsec = Nip19.nsec(SECRET);
        for (String bad : new String[] {"", "npub1x", nsec.substring(0, 40), nsec + "q", "ncryptsec1qqqq", "nsec1"}) {
            ProviderException refused =
                    assertThrows(ProviderException.class, () -> SealedKeys.open(bad.toCharArray(), new char[] {'x'}));
            assertEquals("identity.bad-key", refused.code(), bad);
            assertTrue(bad.isEmpty() || !String.valueOf(refused.getMessage()).contains(bad.concat("x")));
        }
        String sealed = "ncryptsec1x";
        assertEquals(
                "identity.bad-key",
                assertThrows(ProviderException.class, () -> SealedKeys.open(sealed.toCharArray(), null))
                        .code());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "1234",
                "1234567890",
                "123456789012",
                "12345678901234567890",
                "0987654321098765",
                "1357913579135791",
                "abcdefghijklmnopqrstuvwxyz",
                "ABCDEFGH12345678",
                "aaaabbbbccccddddeeeeffffgggg",
                "aaaaaaaaaaaaaaaa",
                "abababababababab",
                "passpasspasspass",
                "secret1secret1secret1",
                "short one",
                "\uD83D\uDE00\uD83D\uDE01\uD83D\uDE02\uD83D\uDE03\uD83D\uDE04\uD83D\uDE05",
                "with a \u0000 in it"
            })
    void CR_30_weakPasswordsAreRefused(String password) {
        assertEquals(
                "key.weak-passphrase",
                assertThrows(ProviderException.class, () -> SealedKeys.checkPassword(password.toCharArray()))
                        .code());
    }

    @Test
    void CR_30_aMegabyteIsNoPasswordAndASentenceIs() throws Exception {
        char[] huge = new char[1 << 20];
        assertEquals(
                "key.weak-passphrase",
                assertThrows(ProviderException.class, () -> SealedKeys.checkPassword(huge))
                        .code());
        char[] half = "a sentence with half a \uD83D in it".toCharArray();
        assertEquals(
                "key.weak-passphrase",
                assertThrows(ProviderException.class, () -> SealedKeys.checkPassword(half))
                        .code());
        for (String good : List.of("a sentence of my own", "correct horse battery", "kT7#pQ2!xW9z", "q8Zr4mWv1Lsa")) {
            SealedKeys.checkPassword(good.toCharArray());
        }
        SealedKeys.checkPassword("\u0643\u0644\u0645\u0629 \u0633\u0631 \u0637\u0648\u064a\u0644\u0629".toCharArray());
    }

    private static String code(String key, String password) {
        return assertThrows(ProviderException.class, () -> SealedKeys.open(key.toCharArray(), password.toCharArray()))
                .code();
    }
}
