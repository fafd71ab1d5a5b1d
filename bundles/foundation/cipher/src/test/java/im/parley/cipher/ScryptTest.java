package im.parley.cipher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Await;
import im.parley.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import org.bouncycastle.crypto.generators.SCrypt;
import org.junit.jupiter.api.Test;

class ScryptTest {
    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** RFC 7914, section 12: the vectors with r = 8 and p = 1. */
    @Test
    void theVectorOfTheRfcComesOutInAnyMemory() {
        String expected = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
        for (long memory : new long[] {1 << 30, 1 << 24, (1 << 24) - 1, 1 << 20}) {
            byte[] key = Scrypt.derive(utf8("pleaseletmein"), utf8("SodiumChloride"), 14, memory, 64);
            assertEquals(expected, HexFormat.of().formatHex(key), memory + " bytes");
        }
    }

    @Test
    void itIsWhatBouncyCastleComputes() {
        RandomGenerator random = Seeds.generator("ScryptTest");
        for (int run = 0; run < 60; run++) {
            byte[] password = new byte[random.nextInt(100)];
            byte[] salt = new byte[16];
            random.nextBytes(password);
            random.nextBytes(salt);
            int logN = 1 + random.nextInt(8);
            assertArrayEquals(
                    SCrypt.generate(password, salt, 1 << logN, 8, 1, 32),
                    Scrypt.derive(password, salt, logN, 1 + random.nextInt(1 << 18), 32),
                    "cost " + logN);
        }
    }

    @Test
    void lessMemoryTakesLongerAndSomeIsTooLittle() {
        assertEquals(1L << 26, Scrypt.memoryBytes(16), "64 MiB");
        long third = (256L << 20) / 3;
        for (int logN = 1; logN <= 20; logN++) {
            assertTrue(Scrypt.affordable(logN, third), "2^" + logN + " on a heap of 256 MiB");
        }
        for (int logN = 21; logN < 31; logN++) {
            assertFalse(Scrypt.affordable(logN, third), "2^" + logN);
        }
        assertTrue(Scrypt.affordable(22, 4L << 30));
        assertFalse(Scrypt.affordable(23, Long.MAX_VALUE));
        assertFalse(Scrypt.affordable(16, 1));
    }

    @Test
    void oneDerivationRunsAtATime() {
        byte[] salt = new byte[16];
        Scrypt.derive(salt, salt, 1, 1 << 20, 32);
        Thread large = new Thread(() -> Scrypt.derive(salt, salt, 15, 1 << 20, 32));
        Thread small = new Thread(() -> Scrypt.derive(salt, salt, 1, 1 << 20, 32));
        large.start();
        Await.until(
                "the large one runs",
                () -> Arrays.stream(large.getStackTrace())
                        .anyMatch(frame -> frame.getMethodName().equals("salsaCore")));
        small.start();
        Await.until("the other waits", () -> small.getState() == Thread.State.BLOCKED || !small.isAlive());
        assertTrue(small.getState() == Thread.State.BLOCKED || !large.isAlive(), "both had memory at once");
        Await.until("both end", () -> !small.isAlive() && !large.isAlive());
    }
}
