package im.parley.curve.bouncycastle;

import im.parley.api.curve.Secp256k1;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.math.BigInteger;
import java.util.Arrays;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.math.ec.ECAlgorithms;
import org.bouncycastle.math.ec.ECCurve;
import org.bouncycastle.math.ec.ECFieldElement;
import org.bouncycastle.math.ec.ECPoint;
import org.bouncycastle.math.ec.FixedPointCombMultiplier;
import org.jspecify.annotations.Nullable;

/**
 * {@link Secp256k1} on the lightweight API of Bouncy Castle; no native code, no security provider.
 *
 * <p>Verification uses the GLV endomorphism. Operations with a secret key go through {@code BigInteger} and are not
 * constant time; where an attacker shares the machine, prefer the native provider.
 *
 * <p>Thread-safe and stateless.
 *
 * <p>Source: BIP-340.
 */
public final class BouncyCastleSecp256k1 implements Secp256k1 {
    private static final int SCALAR = 32;
    private static final int SIGNATURE = 64;

    private final ECCurve curve;
    private final ECPoint generator;
    private final BigInteger order;
    private final BigInteger prime;
    private final TaggedHash auxiliaryHash = new TaggedHash("BIP0340/aux");
    private final TaggedHash nonceHash = new TaggedHash("BIP0340/nonce");
    private final TaggedHash challengeHash = new TaggedHash("BIP0340/challenge");

    public BouncyCastleSecp256k1() {
        X9ECParameters parameters = CustomNamedCurves.getByName("secp256k1");
        curve = parameters.getCurve();
        generator = parameters.getG();
        order = parameters.getN();
        prime = curve.getField().getCharacteristic();
    }

    @Override
    public boolean verify(byte[] signature, byte[] message, byte[] publicKey) {
        return message.length == SCALAR && verifyAnyLength(signature, message, publicKey);
    }

    /** As {@link #verify}, for messages of any length as BIP-340 allows them. */
    boolean verifyAnyLength(byte[] signature, byte[] message, byte[] publicKey) {
        if (signature.length != SIGNATURE || publicKey.length != SCALAR) {
            return false;
        }
        byte[] encodedR = Arrays.copyOf(signature, SCALAR);
        BigInteger r = new BigInteger(1, encodedR);
        BigInteger s = new BigInteger(1, signature, SCALAR, SCALAR);
        if (r.compareTo(prime) >= 0 || s.compareTo(order) >= 0) {
            return false;
        }
        ECPoint author = lift(publicKey);
        if (author == null) {
            return false;
        }
        BigInteger e = new BigInteger(1, challengeHash.hash(encodedR, publicKey, message)).mod(order);
        ECPoint commitment = ECAlgorithms.sumOfTwoMultiplies(generator, s, author, order.subtract(e));
        if (commitment.isInfinity()) {
            return false;
        }
        // x = X / Z^2, so a wrong signature costs no inversion.
        ECFieldElement z = commitment.getZCoord(0);
        if (!commitment.getXCoord().equals(curve.fromBigInteger(r).multiply(z.square()))) {
            return false;
        }
        // Everything here is public, so the blinded inversion of normalize() would only cost time.
        ECFieldElement inverse = z.invert();
        ECFieldElement y = commitment.getYCoord().multiply(inverse.square().multiply(inverse));
        return !y.testBitZero();
    }

    @Override
    public byte[] sign(byte[] message, byte[] secretKey, byte[] auxiliary) throws ProviderException {
        checkLength(message, "A message");
        return signAnyLength(message, secretKey, auxiliary);
    }

    /** As {@link #sign}, for messages of any length as BIP-340 allows them. */
    byte[] signAnyLength(byte[] message, byte[] secretKey, byte[] auxiliary) throws ProviderException {
        checkLength(auxiliary, "The auxiliary randomness");
        BigInteger d = secret(secretKey);
        ECPoint author = multiplyGenerator(d);
        byte[] authorX = author.getAffineXCoord().getEncoded();
        if (author.getAffineYCoord().testBitZero()) {
            d = order.subtract(d);
        }
        byte[] masked = encode(d);
        byte[] nonce = new byte[0];
        try {
            byte[] mask = auxiliaryHash.hash(auxiliary);
            for (int i = 0; i < SCALAR; i++) {
                masked[i] ^= mask[i];
            }
            nonce = nonceHash.hash(masked, authorX, message);
            BigInteger k = new BigInteger(1, nonce).mod(order);
            if (k.signum() == 0) {
                throw new ProviderException(
                        Kind.INTERNAL,
                        "crypto.nonce",
                        "The nonce of a signature came out as zero. Sign again with other randomness.");
            }
            ECPoint commitment = multiplyGenerator(k);
            if (commitment.getAffineYCoord().testBitZero()) {
                k = order.subtract(k);
            }
            byte[] commitmentX = commitment.getAffineXCoord().getEncoded();
            BigInteger e = new BigInteger(1, challengeHash.hash(commitmentX, authorX, message)).mod(order);
            byte[] signature = Arrays.copyOf(commitmentX, SIGNATURE);
            System.arraycopy(encode(e.multiply(d).add(k).mod(order)), 0, signature, SCALAR, SCALAR);
            return signature;
        } finally {
            Arrays.fill(masked, (byte) 0);
            Arrays.fill(nonce, (byte) 0);
        }
    }

    @Override
    public byte[] publicKey(byte[] secretKey) throws ProviderException {
        return multiplyGenerator(secret(secretKey)).getAffineXCoord().getEncoded();
    }

    @Override
    public byte[] ecdhX(byte[] secretKey, byte[] publicKey) throws ProviderException {
        checkLength(publicKey, "A public key");
        BigInteger d = secret(secretKey);
        ECPoint peer = lift(publicKey);
        if (peer == null) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "crypto.bad-pubkey",
                    "The public key is not a point of secp256k1. Ask its owner for the right key.");
        }
        return peer.multiply(d).normalize().getAffineXCoord().getEncoded();
    }

    private ECPoint multiplyGenerator(BigInteger scalar) {
        return new FixedPointCombMultiplier().multiply(generator, scalar).normalize();
    }

    /** The point with that x and an even y (BIP-340 {@code lift_x}), or null if there is none. */
    private @Nullable ECPoint lift(byte[] encodedX) {
        BigInteger value = new BigInteger(1, encodedX);
        if (value.compareTo(prime) >= 0) {
            return null;
        }
        ECFieldElement x = curve.fromBigInteger(value);
        ECFieldElement y = x.square().multiply(x).add(curve.getB()).sqrt();
        if (y == null) {
            return null;
        }
        return curve.createPoint(value, (y.testBitZero() ? y.negate() : y).toBigInteger());
    }

    private BigInteger secret(byte[] secretKey) throws ProviderException {
        checkLength(secretKey, "A secret key");
        BigInteger d = new BigInteger(1, secretKey);
        if (d.signum() == 0 || d.compareTo(order) >= 0) {
            throw new ProviderException(
                    Kind.REJECTED,
                    "crypto.bad-secret",
                    "The secret key is zero or not below the order of secp256k1. Make or import another key.");
        }
        return d;
    }

    private static void checkLength(byte[] bytes, String what) throws ProviderException {
        if (bytes.length != SCALAR) {
            throw new ProviderException(
                    Kind.REJECTED, "crypto.bad-length", what + " has 32 bytes, not " + bytes.length + ".");
        }
    }

    private static byte[] encode(BigInteger scalar) {
        byte[] bytes = scalar.toByteArray();
        if (bytes.length == SCALAR) {
            return bytes;
        }
        byte[] fixed = new byte[SCALAR];
        int length = Math.min(bytes.length, SCALAR);
        System.arraycopy(bytes, bytes.length - length, fixed, SCALAR - length, length);
        Arrays.fill(bytes, (byte) 0);
        return fixed;
    }
}
