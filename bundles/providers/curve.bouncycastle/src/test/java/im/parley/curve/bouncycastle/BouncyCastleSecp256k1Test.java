package im.parley.curve.bouncycastle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Vectors;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class BouncyCastleSecp256k1Test {
    private final BouncyCastleSecp256k1 curve = new BouncyCastleSecp256k1();

    /** The contract fits Nostr's 32-byte ids; the vectors of other lengths prove the tagged hashes beneath it. */
    @Test
    void CR_01_bip340VectorsOfEveryMessageLength() throws Exception {
        List<List<String>> rows = Vectors.csv("bip340/test-vectors.csv");
        int otherLengths = 0;
        for (List<String> row : rows.subList(1, rows.size())) {
            byte[] message = hex(row.get(4));
            byte[] signature = hex(row.get(5));
            assertEquals(
                    row.get(6).equals("TRUE"),
                    curve.verifyAnyLength(signature, message, hex(row.get(2))),
                    "vector " + row.get(0));
            if (!row.get(1).isEmpty()) {
                assertArrayEquals(
                        signature,
                        curve.signAnyLength(message, hex(row.get(1)), hex(row.get(3))),
                        "vector " + row.get(0));
            }
            otherLengths += message.length == 32 ? 0 : 1;
        }
        assertTrue(otherLengths >= 4, "vectors of other lengths: " + otherLengths);
    }

    private static byte[] hex(String hex) {
        return HexFormat.of().parseHex(hex.toLowerCase(Locale.ROOT));
    }
}
