package im.parley.cipher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import im.parley.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class Utf8Test {
    @Test
    void everyCodePointComesBack() throws Exception {
        for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint++) {
            if (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE) {
                continue;
            }
            String text = Character.toString(codePoint);
            byte[] bytes = Utf8.encode(text);
            assertArrayEquals(text.getBytes(StandardCharsets.UTF_8), bytes);
            assertEquals(text, Utf8.decode(bytes));
        }
        assertEquals("", Utf8.decode(Utf8.encode("")));
        assertEquals("b", Utf8.decode(new byte[] {'a', 'b', 'c'}, 1, 1));
    }

    @Test
    void CR_09_loneSurrogatesAreNeverReplaced() {
        for (String text :
                new String[] {"\ud800", "\udfff", "a\ud83d", "\ud83da", "\ude00\ud83d", "\ud83d\ud83d\ude00"}) {
            refused(() -> Utf8.encode(text));
            refused(() -> Utf8.encode(text.toCharArray()));
        }
    }

    @Test
    void CR_10_malformedBytesAreRefused() {
        for (String hex : new String[] {
            "c0af",
            "eda080",
            "edbfbf",
            "f888808080",
            "f4908080",
            "80",
            "c3",
            "e282",
            "f09f98",
            "e08080",
            "fe",
            "ff",
            "61c3"
        }) {
            refused(() -> Utf8.decode(HexFormat.of().parseHex(hex)));
        }
    }

    @Test
    void randomBytesAreRefusedOrComeBack() throws Exception {
        RandomGenerator random = Seeds.generator("Utf8Test");
        for (int round = 0; round < 50_000; round++) {
            byte[] bytes = new byte[random.nextInt(8)];
            random.nextBytes(bytes);
            String text;
            try {
                text = Utf8.decode(bytes);
            } catch (CipherException e) {
                assertEquals("crypto.bad-unicode", e.code());
                continue;
            }
            assertArrayEquals(bytes, Utf8.encode(text));
        }
    }

    private static void refused(Executable call) {
        assertEquals(
                "crypto.bad-unicode", assertThrows(CipherException.class, call).code());
    }
}
