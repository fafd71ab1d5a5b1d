package im.parley.cipher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.testkit.Seeds;
import im.parley.testkit.Vectors;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class XChaCha20Poly1305Test {
    /** draft-irtf-cfrg-xchacha-03, section 2.2.1. */
    @Test
    void hChaCha20GivesTheSubkeyOfTheDraft() {
        HexFormat hex = HexFormat.of();
        assertEquals(
                "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
                hex.formatHex(XChaCha20Poly1305.hChaCha20(
                        hex.parseHex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
                        hex.parseHex("000000090000004a0000000031415927"))));
    }

    @Test
    void wycheproofVectors() throws Exception {
        int valid = 0;
        int invalid = 0;
        int otherNonces = 0;
        for (JsonNode group :
                Vectors.json("wycheproof/xchacha20_poly1305_test.json").path("testGroups")) {
            for (JsonNode vector : group.path("tests")) {
                String name = vector.path("tcId") + " " + vector.path("comment").asText();
                byte[] key = hex(vector, "key");
                byte[] nonce = hex(vector, "iv");
                byte[] associated = hex(vector, "aad");
                byte[] plaintext = hex(vector, "msg");
                byte[] sealed = join(hex(vector, "ct"), hex(vector, "tag"));
                if (nonce.length != XChaCha20Poly1305.NONCE) {
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> XChaCha20Poly1305.open(key, nonce, associated, sealed),
                            name);
                    otherNonces++;
                } else if (vector.path("result").asText().equals("valid")) {
                    assertArrayEquals(sealed, XChaCha20Poly1305.seal(key, nonce, associated, plaintext), name);
                    assertArrayEquals(plaintext, XChaCha20Poly1305.open(key, nonce, associated, sealed), name);
                    valid++;
                } else {
                    refused("crypto.bad-mac", key, nonce, associated, sealed);
                    invalid++;
                }
            }
        }
        assertTrue(
                valid >= 200 && invalid >= 50 && otherNonces >= 9,
                "vectors: " + valid + " valid, " + invalid + " invalid, " + otherNonces + " of another nonce length");
    }

    @Test
    void anyChangedBitAnywhereIsRefused() throws Exception {
        RandomGenerator random = Seeds.generator("XChaCha20Poly1305Test");
        byte[] key = bytes(random, 32);
        byte[] nonce = bytes(random, 24);
        byte[] associated = bytes(random, 20);
        byte[] sealed = XChaCha20Poly1305.seal(key, nonce, associated, bytes(random, 40));
        for (byte[] part : new byte[][] {key, nonce, associated, sealed}) {
            for (int bit = 0; bit < 8 * part.length; bit++) {
                part[bit / 8] ^= (byte) (1 << bit % 8);
                refused("crypto.bad-mac", key, nonce, associated, sealed);
                part[bit / 8] ^= (byte) (1 << bit % 8);
            }
        }
        assertEquals(40, XChaCha20Poly1305.open(key, nonce, associated, sealed).length);
        for (int length = 0; length < sealed.length; length++) {
            refused(
                    length < 16 ? "crypto.bad-payload" : "crypto.bad-mac",
                    key,
                    nonce,
                    associated,
                    Arrays.copyOf(sealed, length));
        }
    }

    @Test
    void anEmptyPlaintextIsATag() throws Exception {
        byte[] sealed = XChaCha20Poly1305.seal(new byte[32], new byte[24], new byte[0], new byte[0]);
        assertEquals(XChaCha20Poly1305.TAG, sealed.length);
        assertEquals(0, XChaCha20Poly1305.open(new byte[32], new byte[24], new byte[0], sealed).length);
    }

    private static void refused(String code, byte[] key, byte[] nonce, byte[] associated, byte[] sealed) {
        CipherException failure =
                assertThrows(CipherException.class, () -> XChaCha20Poly1305.open(key, nonce, associated, sealed));
        assertEquals(code, failure.code());
    }

    private static byte[] bytes(RandomGenerator random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] join(byte[] a, byte[] b) {
        byte[] joined = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, joined, a.length, b.length);
        return joined;
    }

    private static byte[] hex(JsonNode node, String field) {
        return HexFormat.of().parseHex(node.path(field).asText());
    }
}
