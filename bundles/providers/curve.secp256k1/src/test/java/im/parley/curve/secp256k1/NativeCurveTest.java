package im.parley.curve.secp256k1;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.testkit.Seeds;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeCurveTest {
    @Test
    void anotherMachineIsUnavailableSoThatTheSlotGoesOn(@TempDir Path directory) {
        for (String[] machine :
                new String[][] {{"Linux", "riscv64"}, {"Linux", ""}, {"Mac OS X", "aarch64"}, {"Windows 11", "amd64"}
                }) {
            ProviderException failure =
                    assertThrows(ProviderException.class, () -> NativeLibrary.load(directory, machine[0], machine[1]));
            assertEquals(Kind.UNAVAILABLE, failure.kind());
            assertEquals("curve.no-native", failure.code());
        }
    }

    @Test
    void aLibraryForAnotherProcessorIsUnavailable(@TempDir Path directory) {
        String other = System.getProperty("os.arch").equals("aarch64") ? "amd64" : "aarch64";
        ProviderException failure =
                assertThrows(ProviderException.class, () -> NativeLibrary.load(directory, "Linux", other));
        assertEquals("curve.no-native", failure.code());
        assertEquals(0, directory.toFile().list().length);
    }

    @Test
    void aDirectoryThatCannotBeWrittenIsUnavailable(@TempDir Path directory) {
        ProviderException failure = assertThrows(
                ProviderException.class, () -> new NativeCurve().open(new FakeContext(directory.resolve("absent"))));
        assertEquals(Kind.UNAVAILABLE, failure.kind());
        assertEquals("curve.no-native", failure.code());
    }

    @Test
    void openingAgainWorks(@TempDir Path directory) throws Exception {
        for (int i = 0; i < 3; i++) {
            Secp256k1 curve = new NativeCurve().open(new FakeContext(directory));
            byte[] secretKey = new byte[32];
            secretKey[31] = 7;
            byte[] signature = curve.sign(new byte[32], secretKey, new byte[32]);
            assertTrue(curve.verify(signature, new byte[32], curve.publicKey(secretKey)));
        }
    }

    /** The random split of the secret is what hides it; a dead generator must stop it, not weaken it. */
    @Test
    void CR_27_aDeadGeneratorStopsTheKeyAgreement(@TempDir Path directory) throws Exception {
        new NativeCurve().open(new FakeContext(directory));
        byte[] secretKey = new byte[32];
        secretKey[31] = 7;
        Secp256k1 dead = new NativeSecp256k1(new ConstantRandom((byte) 0));
        byte[] publicKey = dead.publicKey(secretKey);
        ProviderException failure = assertThrows(ProviderException.class, () -> dead.ecdhX(secretKey, publicKey));
        assertEquals("crypto.rng", failure.code());
        Secp256k1 seeded = new NativeSecp256k1(Seeds.secureRandom("CR_27"));
        assertEquals(32, seeded.ecdhX(secretKey, publicKey).length);
    }

    private static final class ConstantRandom extends SecureRandom {
        private static final long serialVersionUID = 1L;

        private final byte value;

        ConstantRandom(byte value) {
            this.value = value;
        }

        @Override
        public void nextBytes(byte[] bytes) {
            Arrays.fill(bytes, value);
        }
    }
}
