package im.parley.cipher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class PassphraseTest {
    @Test
    void CR_30_whatAFewGuessesFindIsRefused() throws Exception {
        for (String weak : List.of(
                "",
                "1234",
                "123456789012345",
                "abcdefghijklmnop",
                "aaaaaaaaaaaaaaaa",
                "abc1abc1abc1abc1",
                "with\0a nul in it",
                "half of \ud83d a character",
                "a".repeat(1 << 20))) {
            CipherException e = assertThrows(CipherException.class, () -> Passphrase.check(weak.toCharArray()));
            assertEquals("key.weak-passphrase", e.code());
        }
        Passphrase.check("nobody else writes this".toCharArray());
        Passphrase.check("ein blauer Käfer 👋".toCharArray());
    }

    @Test
    void CR_30_composedAndDecomposedAreTheSame() throws Exception {
        assertArrayEquals(
                Passphrase.bytes("K\u00e4fer \ufb01".toCharArray()), Passphrase.bytes("Ka\u0308fer fi".toCharArray()));
    }
}
