package im.parley.curve.secp256k1;

import fr.acinq.secp256k1.Secp256k1CFunctions;
import fr.acinq.secp256k1.Secp256k1Exception;
import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * {@link Secp256k1} on libsecp256k1.
 *
 * <p>Signing is constant time in the library. The only multiplication of a foreign point that it offers without hashing
 * the result is not, so {@link #ecdhX} splits the secret into two random summands for each call: what the time tells
 * is about numbers that are never used again.
 *
 * <p>Thread-safe: the library only reads its context. The context, a few hundred bytes, is never freed, because freeing
 * it under a late caller would end the process.
 *
 * <p>Source: BIP-340.
 */
final class NativeSecp256k1 implements Secp256k1 {
    private static final int SCALAR = 32;
    private static final int SIGNATURE = 64;
    private static final byte[] ORDER =
            HexFormat.of().parseHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

    private final long context;
    private final SecureRandom random;

    /** After {@link NativeLibrary#load}. */
    NativeSecp256k1(SecureRandom random) {
        this.random = random;
        this.context = Secp256k1CFunctions.secp256k1_context_create(
                Secp256k1CFunctions.SECP256K1_CONTEXT_SIGN | Secp256k1CFunctions.SECP256K1_CONTEXT_VERIFY);
    }

    @Override
    public boolean verify(byte[] signature, byte[] message, byte[] publicKey) {
        if (signature.length != SIGNATURE || message.length != SCALAR || publicKey.length != SCALAR) {
            return false;
        }
        try {
            return Secp256k1CFunctions.secp256k1_schnorrsig_verify(context, signature, message, publicKey) == 1;
        } catch (Secp256k1Exception e) {
            // A key that does not lift to the curve.
            return false;
        }
    }

    @Override
    public byte[] sign(byte[] message, byte[] secretKey, byte[] auxiliary) throws ProviderException {
        checkLength(message, "A message");
        checkLength(auxiliary, "The auxiliary randomness");
        checkSecret(secretKey);
        try {
            return Secp256k1CFunctions.secp256k1_schnorrsig_sign(context, message, secretKey, auxiliary);
        } catch (Secp256k1Exception e) {
            throw failed("signing");
        }
    }

    @Override
    public byte[] publicKey(byte[] secretKey) throws ProviderException {
        checkSecret(secretKey);
        try {
            return x(Secp256k1CFunctions.secp256k1_ec_pubkey_create(context, secretKey));
        } catch (Secp256k1Exception e) {
            throw failed("making a public key");
        }
    }

    @Override
    public byte[] ecdhX(byte[] secretKey, byte[] publicKey) throws ProviderException {
        checkLength(publicKey, "A public key");
        checkSecret(secretKey);
        byte[] point = lift(publicKey);
        byte[] first = split(secretKey);
        byte[] negated = new byte[0];
        byte[] second = new byte[0];
        try {
            negated = Secp256k1CFunctions.secp256k1_ec_seckey_negate(context, first);
            second = Secp256k1CFunctions.secp256k1_ec_seckey_tweak_add(context, negated, secretKey);
            return x(Secp256k1CFunctions.secp256k1_ec_pubkey_combine(context, new byte[][] {
                Secp256k1CFunctions.secp256k1_ec_pubkey_tweak_mul(context, point, first),
                Secp256k1CFunctions.secp256k1_ec_pubkey_tweak_mul(context, point, second)
            }));
        } catch (Secp256k1Exception e) {
            throw failed("multiplying a point");
        } finally {
            Arrays.fill(first, (byte) 0);
            Arrays.fill(negated, (byte) 0);
            Arrays.fill(second, (byte) 0);
        }
    }

    /** {@code lift_x} of BIP-340: the point with an even y, uncompressed. */
    private byte[] lift(byte[] publicKey) throws ProviderException {
        byte[] compressed = new byte[1 + SCALAR];
        compressed[0] = 2;
        System.arraycopy(publicKey, 0, compressed, 1, SCALAR);
        try {
            return Secp256k1CFunctions.secp256k1_ec_pubkey_parse(context, compressed);
        } catch (Secp256k1Exception e) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "crypto.bad-pubkey",
                    "The public key is not a point of secp256k1. Ask its owner for the right key.");
        }
    }

    /** A random summand of the secret that leaves a second one. */
    private byte[] split(byte[] secretKey) throws ProviderException {
        byte[] summand = new byte[SCALAR];
        for (int attempt = 0; attempt < 8; attempt++) {
            random.nextBytes(summand);
            if (inRange(summand) && !MessageDigest.isEqual(summand, secretKey)) {
                return summand;
            }
        }
        // By chance an attempt fails once in 2^127.
        throw new ProviderException(
                Kind.INTERNAL,
                "crypto.rng",
                "The random generator gives no usable numbers. Stop and check the system's source of randomness.");
    }

    /** Whether 0 &lt; scalar &lt; n, in a time that does not depend on it. */
    private static boolean inRange(byte[] scalar) {
        int any = 0;
        int borrow = 0;
        for (int i = SCALAR - 1; i >= 0; i--) {
            any |= scalar[i];
            borrow = ((scalar[i] & 0xff) - (ORDER[i] & 0xff) - borrow) >>> 31;
        }
        return any != 0 & borrow == 1;
    }

    private static void checkSecret(byte[] secretKey) throws ProviderException {
        checkLength(secretKey, "A secret key");
        if (!inRange(secretKey)) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "crypto.bad-secret",
                    "The secret key is zero or not below the order of secp256k1. Make or import another key.");
        }
    }

    private static void checkLength(byte[] bytes, String what) throws ProviderException {
        if (bytes.length != SCALAR) {
            throw new ProviderException(
                    Kind.REJECTED, "crypto.bad-length", what + " has 32 bytes, not " + bytes.length + ".");
        }
    }

    private static byte[] x(byte[] uncompressed) {
        return Arrays.copyOfRange(uncompressed, 1, 1 + SCALAR);
    }

    private static ProviderException failed(String what) {
        return new ProviderException(
                Kind.INTERNAL,
                "curve.native",
                "The native library failed while " + what + " with arguments that were checked. Report this as a bug.");
    }
}
