package im.parley.cipher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Seeds;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class Nip49Test {
    private static final long MUCH = 1L << 30;
    private static final int CHEAP = 4;
    /** Of a node as it is started. */
    private static final long HEAP = 256L << 20;

    private final RandomGenerator random = Seeds.generator("Nip49Test");

    private byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private byte[] sealed(String password, byte[] secret, int logN) throws CipherException {
        return Nip49.seal(
                password.toCharArray(),
                secret,
                logN,
                bytes(Nip49.SALT),
                bytes(Nip49.NONCE),
                Nip49.Handling.UNTRACKED,
                HEAP / 3);
    }

    private static String code(String password, byte[] sealed, long most) {
        return assertThrows(CipherException.class, () -> Nip49.open(password.toCharArray(), sealed, most))
                .code();
    }

    @Test
    void aSealedKeyOpensWithItsPasswordInAnySpelling() throws Exception {
        byte[] secret = bytes(Nip49.SECRET);
        byte[] sealed = sealed("\u212b\u2126\u1e9b\u0323 sesame", secret, CHEAP);
        assertEquals(Nip49.SEALED, sealed.length);
        assertArrayEquals(
                secret, Nip49.open("\u00c5\u03a9\u1e69 sesame".toCharArray(), sealed, MUCH), "NFKC of the same text");
        assertFalse(Arrays.equals(sealed, sealed("\u212b\u2126\u1e9b\u0323 sesame", secret, CHEAP)));
        assertEquals("crypto.bad-mac", code("sesame", sealed, MUCH));
    }

    @Test
    void everyChangedBitIsRefused() throws Exception {
        byte[] sealed = sealed("open sesame", bytes(Nip49.SECRET), 1);
        for (int bit = 0; bit < sealed.length * 8; bit++) {
            byte[] changed = sealed.clone();
            changed[bit / 8] ^= (byte) (1 << bit % 8);
            String code = code("open sesame", changed, 1 << 17);
            assertTrue(
                    code.equals("crypto.bad-mac")
                            || code.equals("crypto.unsupported-version")
                            || code.equals("crypto.bad-payload")
                            || code.equals("key.too-costly"),
                    bit + ": " + code);
        }
        assertEquals("crypto.bad-payload", code("open sesame", Arrays.copyOf(sealed, 90), MUCH));
    }

    @Test
    void aFileCannotAskForMoreThanIsAllowed() throws Exception {
        byte[] sealed = sealed("open sesame", bytes(Nip49.SECRET), CHEAP);
        assertEquals(1L << 26, Nip49.memoryBytes(Nip49.LOG_N), "64 MiB");
        for (int logN = 21; logN < 128; logN++) {
            sealed[1] = (byte) logN;
            assertEquals("key.too-costly", code("open sesame", sealed, HEAP / 3));
        }
        assertEquals(
                "key.too-costly",
                assertThrows(
                                CipherException.class,
                                () -> Nip49.seal(
                                        "open sesame".toCharArray(),
                                        bytes(Nip49.SECRET),
                                        22,
                                        bytes(Nip49.SALT),
                                        bytes(Nip49.NONCE),
                                        Nip49.Handling.SECURE,
                                        HEAP / 3))
                        .code());
    }

    @Test
    void whatOtherClientsSealOpensOnASmallHeap() throws Exception {
        byte[] secret = bytes(Nip49.SECRET);
        byte[] sealed = sealed("open sesame", secret, 18);
        assertArrayEquals(secret, Nip49.open("open sesame".toCharArray(), sealed, HEAP / 3));
    }

    @Test
    void CR_30_sealingCostsWhatItShould() throws Exception {
        long began = System.nanoTime();
        byte[] sealed = sealed("open sesame", bytes(Nip49.SECRET), Nip49.LOG_N);
        Nip49.open("open sesame".toCharArray(), sealed, MUCH);
        assertTrue(Nip49.memoryBytes(Nip49.LOG_N) >= 64L << 20);
        System.out.println("sealing and opening a key took " + (System.nanoTime() - began) / 1_000_000 + " ms");
    }
}
