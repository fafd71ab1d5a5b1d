package im.parley.curve.secp256k1;

import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.lifecycle.ProviderException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;

/**
 * Fills the slot {@code curve} with libsecp256k1. Linux on x86-64 and 64-bit ARM; elsewhere {@link #open} says
 * {@code UNAVAILABLE curve.no-native} and the slot goes on to the next provider of its preference list.
 */
@Component(
        name = NativeCurve.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=curve")
public final class NativeCurve implements Provider<Secp256k1> {
    /** Factory PID; has no properties of its own. */
    public static final String PID = "im.parley.curve.secp256k1";

    @Activate
    public NativeCurve() {}

    @Override
    public Secp256k1 open(ProviderContext context) throws ProviderException {
        NativeLibrary.load(context.dataDir(), System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
        return tested(context.random());
    }

    /** The loaded library, after it gave the right answer to BIP-340 vector 1. */
    static Secp256k1 tested(SecureRandom random) throws ProviderException {
        HexFormat hex = HexFormat.of();
        byte[] secretKey = hex.parseHex("b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef");
        byte[] publicKey = hex.parseHex("dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659");
        byte[] message = hex.parseHex("243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89");
        byte[] auxiliary = new byte[32];
        auxiliary[31] = 1;
        byte[] expected = hex.parseHex("6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de3341"
                + "8906d11ac976abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a");
        try {
            Secp256k1 curve = new NativeSecp256k1(random);
            byte[] one = new byte[32];
            one[31] = 1;
            boolean right = Arrays.equals(publicKey, curve.publicKey(secretKey))
                    && Arrays.equals(expected, curve.sign(message, secretKey, auxiliary))
                    && curve.verify(expected, message, publicKey)
                    && !curve.verify(expected, auxiliary, publicKey)
                    && Arrays.equals(publicKey, curve.ecdhX(secretKey, curve.publicKey(one)));
            if (right) {
                return curve;
            }
        } catch (LinkageError e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "curve.no-native",
                    "The native secp256k1 library lacks a function. Put the pure Java provider behind it in the slot's"
                            + " preference list.",
                    e);
        }
        throw new ProviderException(
                Kind.UNAVAILABLE,
                "curve.no-native",
                "The native secp256k1 library gave a wrong answer to a known question and is not used. Put the pure Java"
                        + " provider behind it in the slot's preference list.");
    }
}
