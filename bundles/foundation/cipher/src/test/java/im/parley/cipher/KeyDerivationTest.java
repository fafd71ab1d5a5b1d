package im.parley.cipher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.testkit.Vectors;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class KeyDerivationTest {
    @Test
    void wycheproofHmac() {
        int checked = 0;
        for (JsonNode group : Vectors.json("wycheproof/hmac_sha256_test.json").path("testGroups")) {
            int length = group.path("tagSize").asInt() / 8;
            for (JsonNode vector : group.path("tests")) {
                byte[] tag = HmacSha256.mac(hex(vector, "key"), hex(vector, "msg"));
                boolean same = Arrays.equals(hex(vector, "tag"), Arrays.copyOf(tag, length));
                assertEquals(vector.path("result").asText().equals("valid"), same, "test " + vector.path("tcId"));
                if (length == HmacSha256.LENGTH) {
                    assertEquals(same, HmacSha256.verify(hex(vector, "tag"), hex(vector, "key"), hex(vector, "msg")));
                }
                checked++;
            }
        }
        assertTrue(checked >= 170, "vectors read: " + checked);
    }

    @Test
    void hmacPartsAreOneMessage() {
        byte[] key = {1, 2, 3};
        byte[] whole = {4, 5, 6, 7};
        assertArrayEquals(
                HmacSha256.mac(key, whole), HmacSha256.mac(key, new byte[] {4}, new byte[0], new byte[] {5, 6, 7}));
        assertFalse(HmacSha256.verify(new byte[0], key, whole));
    }

    @Test
    void wycheproofHkdf() {
        int valid = 0;
        int invalid = 0;
        for (JsonNode group : Vectors.json("wycheproof/hkdf_sha256_test.json").path("testGroups")) {
            for (JsonNode vector : group.path("tests")) {
                int size = vector.path("size").asInt();
                byte[] salt = hex(vector, "salt");
                byte[] key = hex(vector, "ikm");
                byte[] info = hex(vector, "info");
                if (vector.path("result").asText().equals("valid")) {
                    assertArrayEquals(
                            hex(vector, "okm"), Hkdf.derive(salt, key, info, size), "test " + vector.path("tcId"));
                    valid++;
                } else {
                    assertThrows(IllegalArgumentException.class, () -> Hkdf.derive(salt, key, info, size));
                    invalid++;
                }
            }
        }
        assertTrue(valid >= 80 && invalid >= 1, "vectors: " + valid + " valid, " + invalid + " invalid");
    }

    /** The reference implementation's own tests, and one value of Juicebox with other parameters. */
    @Test
    void argon2idReferenceValues() {
        assertEquals(
                "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
                argon2id("password", ascii("somesalt"), 256, 2, 1, 32));
        assertEquals(
                "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037",
                argon2id("password", ascii("somesalt"), 256, 2, 2, 32));
        assertEquals(
                "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
                argon2id("password", ascii("somesalt"), 65_536, 2, 1, 32));
        byte[] salt = HexFormat.of()
                .parseHex("00000010" + "05".repeat(16) + "00000007"
                        + HexFormat.of().formatHex(ascii("artemis")));
        assertEquals(
                "2935da84c97423b37f3457231b877ce6ac2093501d7255dbee1deb09a5d8821b"
                        + "87c8c9b5d3ea9fea83b6ac6a64e25b97c4722ca4e40bea2523efea262125e22a",
                argon2id("1234", salt, 16_384, 32, 1, 64));
    }

    @Test
    void argon2idRefusesParametersThatAreTooWeakOrCouldTakeTheNodeDown() {
        byte[] salt = new byte[16];
        for (int[] bad : new int[][] {
            {7, 1, 1, 32},
            {Argon2id.MAX_MEMORY_KIB + 1, 1, 1, 32},
            {-1, 1, 1, 32},
            {64, 0, 1, 32},
            {64, Argon2id.MAX_ITERATIONS + 1, 1, 32},
            {64, 1, 0, 32},
            {4096, 1, 17, 32},
            {64, 1, 1, 3},
            {64, 1, 1, 1025}
        }) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Argon2id.derive(new byte[4], salt, bad[0], bad[1], bad[2], bad[3]));
        }
        assertThrows(IllegalArgumentException.class, () -> Argon2id.derive(new byte[4], new byte[7], 64, 1, 1, 32));
    }

    private static String argon2id(String password, byte[] salt, int memory, int iterations, int lanes, int length) {
        return HexFormat.of().formatHex(Argon2id.derive(ascii(password), salt, memory, iterations, lanes, length));
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] hex(JsonNode node, String field) {
        return HexFormat.of().parseHex(node.path(field).asText());
    }
}
