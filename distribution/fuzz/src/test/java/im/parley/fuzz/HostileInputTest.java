package im.parley.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import im.parley.api.curve.Secp256k1;
import im.parley.cipher.CipherException;
import im.parley.cipher.Nip44;
import im.parley.curve.bouncycastle.BouncyCastleCurve;
import im.parley.curve.secp256k1.NativeCurve;
import im.parley.protocol.ClientFrame;
import im.parley.protocol.Frames;
import im.parley.protocol.GrammarLimits;
import im.parley.protocol.MalformedFrameException;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.protocol.RelayFrame;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Each method takes any bytes. The corpus lies under {@code src/test/resources}; a finding of the fuzzer becomes a file
 * there, and every build replays it.
 */
class HostileInputTest {
    private static final byte[] KEY = new byte[Nip44.CONVERSATION_KEY];

    @FuzzTest
    void CR_14_aFrameFromAClientIsReadOrRefused(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        try {
            ClientFrame frame = Frames.readClient(text, GrammarLimits.RELAY);
            if (frame instanceof ClientFrame.Publish publish) {
                String written = Frames.publish(publish.event());
                assertEquals(written, Frames.publish(((ClientFrame.Publish) Frames.readClient(written)).event()));
            }
        } catch (MalformedFrameException e) {
            assertFalse(e.getMessage() == null || e.getMessage().isEmpty());
        }
    }

    @FuzzTest
    void CR_14_aFrameFromARelayIsReadOrRefused(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        try {
            RelayFrame frame = Frames.readRelay(text);
            if (frame instanceof RelayFrame.Deliver deliver) {
                String written = Frames.deliver(deliver.subscription(), deliver.event());
                assertEquals(deliver.event(), ((RelayFrame.Deliver) Frames.readRelay(written)).event());
            }
        } catch (ProtocolException e) {
            assertFalse(e.token().isEmpty());
        }
    }

    @FuzzTest
    void CR_03_aPayloadIsDecryptedOrRefused(byte[] input) {
        try {
            String plain = Nip44.decrypt(KEY, new String(input, StandardCharsets.ISO_8859_1));
            assertTrue(plain.length() > 0);
        } catch (CipherException e) {
            assertTrue(e.code().startsWith("crypto."), e.code());
        }
    }

    @FuzzTest
    void CR_17_bothCurvesSayTheSameOfAnySignature(byte[] input) throws Exception {
        byte[] all = Arrays.copyOf(input, 128);
        byte[] signature = Arrays.copyOfRange(all, 0, 64);
        byte[] message = Arrays.copyOfRange(all, 64, 96);
        byte[] publicKey = Arrays.copyOfRange(all, 96, 128);
        assertEquals(
                Curves.NATIVE.verify(signature, message, publicKey), Curves.JAVA.verify(signature, message, publicKey));
    }

    @FuzzTest
    void anEntityIsDecodedOrRefused(byte[] input) {
        try {
            Nip19.decode(new String(input, StandardCharsets.ISO_8859_1));
        } catch (ProtocolException e) {
            assertFalse(e.token().isEmpty());
        }
    }

    /** Opened once: the native library is unpacked for each opening. */
    private static final class Curves {
        static final Secp256k1 NATIVE;
        static final Secp256k1 JAVA;

        static {
            try {
                NATIVE = new NativeCurve().open(new CurveHost());
                JAVA = new BouncyCastleCurve().open(new CurveHost());
            } catch (Exception e) {
                throw new ExceptionInInitializerError(e);
            }
        }
    }
}
