package im.parley.cipher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.testkit.Seeds;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;

class AesGcmStreamTest {
    private static final String WRAPS = "be481d1aa10c90514fb27768366db156";

    private static byte[] bytes(RandomGenerator random, int size) {
        byte[] bytes = new byte[size];
        random.nextBytes(bytes);
        return bytes;
    }

    /** Ciphertext and tag, as the JDK makes them. */
    private static byte[] jdk(byte[] key, byte[] nonce, byte[] plaintext) throws Exception {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new GCMParameterSpec(128, nonce));
        return cipher.doFinal(plaintext);
    }

    private static byte[] ours(byte[] key, byte[] nonce, byte[] plaintext, RandomGenerator random) {
        AesGcmStream stream = new AesGcmStream(key, nonce);
        byte[] sealed = Arrays.copyOf(plaintext, plaintext.length + AesGcmStream.TAG);
        for (int at = 0; at < plaintext.length; ) {
            int n = Math.min(plaintext.length - at, 1 + random.nextInt(100));
            stream.encrypt(sealed, at, n);
            at += n;
        }
        System.arraycopy(stream.tag(), 0, sealed, plaintext.length, AesGcmStream.TAG);
        return sealed;
    }

    @Test
    void itIsWhatTheJdkMakes() throws Exception {
        RandomGenerator random = Seeds.generator("AES-GCM");
        for (int round = 0; round < 300; round++) {
            byte[] key = bytes(random, 32);
            byte[] nonce = bytes(random, round % 3 == 0 ? 16 : round % 7 == 0 ? 1 + random.nextInt(40) : 12);
            byte[] plaintext = bytes(random, random.nextInt(round < 40 ? round + 1 : 3_000));
            byte[] expected = jdk(key, nonce, plaintext);
            assertArrayEquals(expected, ours(key, nonce, plaintext, random));
            AesGcmStream check = new AesGcmStream(key, nonce);
            check.authenticate(expected, 0, plaintext.length);
            assertTrue(check.tagEquals(Arrays.copyOfRange(expected, plaintext.length, expected.length)));
            AesGcmStream open = new AesGcmStream(key, nonce);
            byte[] opened = Arrays.copyOf(expected, plaintext.length);
            int half = plaintext.length / 2;
            open.decrypt(opened, 0, half);
            open.decrypt(opened, half, plaintext.length - half);
            assertArrayEquals(plaintext, opened);
        }
    }

    @Test
    void aFlippedBitIsNoticedAnywhere() throws Exception {
        RandomGenerator random = Seeds.generator("AES-GCM bits");
        byte[] key = bytes(random, 32);
        byte[] nonce = bytes(random, 12);
        byte[] sealed = jdk(key, nonce, bytes(random, 100));
        for (int bit = 0; bit < sealed.length * 8; bit++) {
            byte[] other = sealed.clone();
            other[bit / 8] ^= (byte) (1 << bit % 8);
            AesGcmStream check = new AesGcmStream(key, nonce);
            check.authenticate(other, 0, 100);
            assertFalse(check.tagEquals(Arrays.copyOfRange(other, 100, other.length)));
        }
    }

    /** The last 4 bytes of a counter that a long nonce gave begin anywhere, and wrap without a carry. */
    @Test
    void aCounterWrapsAsTheStandardHasIt() throws Exception {
        // Calculated back: the counter of this key and nonce begins at 0xffffffe0.
        byte[] key = new byte[32];
        byte[] plaintext = new byte[1 << 20];
        RandomGenerator random = Seeds.generator("AES-GCM wrap");
        byte[] nonce = HexFormat.of().parseHex(WRAPS);
        assertArrayEquals(jdk(key, nonce, plaintext), ours(key, nonce, plaintext, random));
    }

    /** Test case 16 of the GCM specification, without its associated data: case 15. */
    @Test
    void theVectorOfTheSpecification() {
        HexFormat hex = HexFormat.of();
        byte[] key = hex.parseHex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        byte[] plaintext = hex.parseHex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255");
        AesGcmStream stream = new AesGcmStream(key, hex.parseHex("cafebabefacedbaddecaf888"));
        stream.encrypt(plaintext, 0, plaintext.length);
        assertEquals(
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
                hex.formatHex(plaintext));
        assertEquals("b094dac5d93471bdec1a502270e3cc6c", hex.formatHex(stream.tag()));
    }

    @Test
    void wrongLengthsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> new AesGcmStream(new byte[16], new byte[12]));
        assertThrows(IllegalArgumentException.class, () -> new AesGcmStream(new byte[32], new byte[0]));
        assertEquals(68_719_476_704L, AesGcmStream.MAX_BYTES);
    }
}
