package im.parley.launcher;

import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;
import java.util.Set;

/** RFC 8032 with the JDK's own provider; public keys as their 32 bytes in lower-case hex. */
final class Ed25519 {
    static final String NAME = "Ed25519";
    static final int KEY_BYTES = 32;

    /** What stands before the 32 bytes in an X.509 key (RFC 8410). */
    private static final byte[] X509 = HexFormat.of().parseHex("302a300506032b6570032100");

    private static final BigInteger PRIME = BigInteger.TWO.pow(255).subtract(BigInteger.valueOf(19));

    /**
     * The y of all points of small order, little-endian, without the sign: under such a key one signature fits any text.
     */
    private static final Set<String> SMALL_ORDER = Set.of(
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");

    private Ed25519() {}

    /** Whether that is the one spelling of a key that means something. */
    static boolean isKey(String hex) {
        if (!hex.matches("[0-9a-f]{64}")) {
            return false;
        }
        byte[] key = HexFormat.of().parseHex(hex);
        byte[] big = new byte[KEY_BYTES];
        for (int i = 0; i < KEY_BYTES; i++) {
            big[i] = key[KEY_BYTES - 1 - i];
        }
        big[0] &= 0x7F;
        key[KEY_BYTES - 1] &= 0x7F;
        return new BigInteger(1, big).compareTo(PRIME) < 0
                && !SMALL_ORDER.contains(HexFormat.of().formatHex(key));
    }

    /** Whether signatures of that key can be checked. */
    static boolean isUsable(String hex) {
        try {
            Signature.getInstance(NAME).initVerify(publicKey(hex));
            return true;
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    static PublicKey publicKey(String hex) throws GeneralSecurityException {
        if (!isKey(hex)) {
            throw new GeneralSecurityException("no key");
        }
        byte[] encoded = new byte[X509.length + KEY_BYTES];
        System.arraycopy(X509, 0, encoded, 0, X509.length);
        System.arraycopy(HexFormat.of().parseHex(hex), 0, encoded, X509.length, KEY_BYTES);
        return KeyFactory.getInstance(NAME).generatePublic(new X509EncodedKeySpec(encoded));
    }

    /** The key's 32 bytes as hex. */
    static String hex(PublicKey key) throws IOException {
        return hex(key.getEncoded());
    }

    /** Of an X.509 key. */
    static String hex(byte[] encoded) throws IOException {
        if (encoded.length != X509.length + KEY_BYTES
                || !java.util.Arrays.equals(encoded, 0, X509.length, X509, 0, X509.length)) {
            throw new IOException("it is no Ed25519 key");
        }
        return HexFormat.of().formatHex(encoded, X509.length, encoded.length);
    }

    static boolean verifies(String key, byte[] message, byte[] signature) {
        try {
            Signature verifier = Signature.getInstance(NAME);
            verifier.initVerify(publicKey(key));
            verifier.update(message);
            return verifier.verify(signature);
        } catch (GeneralSecurityException e) {
            // The JDK says so of a key or a signature that is none.
            return false;
        }
    }

    static byte[] sign(PrivateKey key, byte[] message) throws GeneralSecurityException {
        Signature signer = Signature.getInstance(NAME);
        signer.initSign(key);
        signer.update(message);
        return signer.sign();
    }
}
