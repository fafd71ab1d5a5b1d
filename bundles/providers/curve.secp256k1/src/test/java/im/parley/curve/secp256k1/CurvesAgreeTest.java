package im.parley.curve.secp256k1;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.ProviderException;
import im.parley.curve.bouncycastle.BouncyCastleSecp256k1;
import im.parley.testkit.Seeds;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two implementations that share no code must give the same answer to every input, right or wrong. */
class CurvesAgreeTest {
    private static final int ROUNDS = 1_000;
    private static final byte[][] EDGES = edges(
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000001",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e",
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");

    private final Secp256k1 pure = new BouncyCastleSecp256k1();

    @Test
    void bothCurvesGiveTheSameAnswers(@TempDir Path directory) throws Exception {
        Secp256k1 fast = new NativeCurve().open(new FakeContext(directory));
        RandomGenerator random = Seeds.generator("CurvesAgreeTest");
        int signed = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] secretKey = scalar(random);
            byte[] message = scalar(random);
            byte[] auxiliary = scalar(random);
            byte[] peer = scalar(random);
            assertEquals(answer(() -> pure.publicKey(secretKey)), answer(() -> fast.publicKey(secretKey)));
            assertEquals(answer(() -> pure.ecdhX(secretKey, peer)), answer(() -> fast.ecdhX(secretKey, peer)));
            String signature = answer(() -> pure.sign(message, secretKey, auxiliary));
            assertEquals(signature, answer(() -> fast.sign(message, secretKey, auxiliary)));
            if (signature.startsWith("crypto.")) {
                continue;
            }
            signed++;
            byte[] bytes = HexFormat.of().parseHex(signature);
            byte[] publicKey = pure.publicKey(secretKey);
            assertTrue(fast.verify(bytes, message, publicKey) && pure.verify(bytes, message, publicKey));
            mutate(bytes, random);
            assertEquals(pure.verify(bytes, message, publicKey), fast.verify(bytes, message, publicKey));
            assertEquals(pure.verify(bytes, message, peer), fast.verify(bytes, message, peer));
        }
        assertTrue(signed > ROUNDS / 2, "rounds that signed: " + signed);
    }

    @Test
    void aLibraryFileIsLeftNowhere(@TempDir Path directory) throws Exception {
        new NativeCurve().open(new FakeContext(directory));
        assertArrayEquals(new String[0], directory.toFile().list());
    }

    private static void mutate(byte[] signature, RandomGenerator random) {
        int half = random.nextBoolean() ? 0 : 32;
        if (random.nextBoolean()) {
            System.arraycopy(scalar(random), 0, signature, half, 32);
        } else {
            signature[half + random.nextInt(32)] ^= (byte) (1 << random.nextInt(8));
        }
    }

    /** Mostly random, now and then at the edge of a range. */
    private static byte[] scalar(RandomGenerator random) {
        if (random.nextInt(8) == 0) {
            return EDGES[random.nextInt(EDGES.length)].clone();
        }
        byte[] bytes = new byte[32];
        random.nextBytes(bytes);
        return bytes;
    }

    private static String answer(Question question) {
        try {
            return HexFormat.of().formatHex(question.ask());
        } catch (ProviderException e) {
            return e.code();
        }
    }

    private static byte[][] edges(String... hex) {
        return Arrays.stream(hex).map(HexFormat.of()::parseHex).toArray(byte[][]::new);
    }

    private interface Question {
        byte[] ask() throws ProviderException;
    }
}
