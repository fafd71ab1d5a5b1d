package im.parley.tck.curve;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.api.curve.Secp256k1;
import im.parley.api.curve.SignedMessage;
import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.testkit.PeerData;
import im.parley.testkit.Seeds;
import im.parley.testkit.Vectors;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.random.RandomGenerator;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/**
 * What every {@link Secp256k1} does. Extend it in the provider's tests and hand in the provider's object; the official
 * vectors are read through {@link Vectors}.
 */
public abstract class Secp256k1Contract {
    /** Order of the field. */
    protected static final BigInteger P =
            new BigInteger("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", 16);
    /** Order of the group. */
    protected static final BigInteger N =
            new BigInteger("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16);

    private static final int ROUNDS = 200;
    private static final HexFormat HEX = HexFormat.of();

    /** The object under test; may be the same each time. */
    protected abstract Secp256k1 curve() throws ProviderException;

    @Test
    void CR_01_bip340VectorsAreSignedAndVerified() throws Exception {
        Secp256k1 curve = curve();
        List<List<String>> rows = Vectors.csv("bip340/test-vectors.csv");
        int verified = 0;
        int signed = 0;
        for (List<String> row : rows.subList(1, rows.size())) {
            String name = "vector " + row.get(0) + " " + row.get(7);
            byte[] publicKey = unhex(row.get(2));
            byte[] message = unhex(row.get(4));
            byte[] signature = unhex(row.get(5));
            boolean fits = message.length == 32;
            assertEquals(fits && row.get(6).equals("TRUE"), curve.verify(signature, message, publicKey), name);
            verified++;
            if (fits && !row.get(1).isEmpty()) {
                byte[] secretKey = unhex(row.get(1));
                assertArrayEquals(publicKey, curve.publicKey(secretKey), name);
                assertArrayEquals(signature, curve.sign(message, secretKey, unhex(row.get(3))), name);
                signed++;
            }
        }
        assertTrue(verified >= 19 && signed >= 4, "vectors read: " + verified + ", of them signed: " + signed);
    }

    @Test
    void libsecp256k1SignsAndAgreesTheSame() throws Exception {
        Secp256k1 curve = curve();
        JsonNode cases = PeerData.json("bip340.json");
        assertTrue(cases.size() >= 40, cases.size() + " cases");
        for (JsonNode each : cases) {
            byte[] secretKey = hex(each, "secret");
            byte[] message = hex(each, "message");
            byte[] signature = hex(each, "signature");
            assertArrayEquals(hex(each, "pubkey"), curve.publicKey(secretKey));
            assertArrayEquals(signature, curve.sign(message, secretKey, hex(each, "aux")));
            assertTrue(curve.verify(signature, message, hex(each, "pubkey")));
            assertFalse(curve.verify(signature, message, hex(each, "peer")));
            assertArrayEquals(hex(each, "shared"), curve.ecdhX(secretKey, hex(each, "peer")));
        }
    }

    @Test
    void CR_01_nip44ConversationKeysComeFromTheUnhashedX() throws Exception {
        Secp256k1 curve = curve();
        JsonNode cases = Vectors.json("nip44/nip44.vectors.json")
                .path("v2")
                .path("valid")
                .path("get_conversation_key");
        assertTrue(cases.size() >= 35, "vectors read: " + cases.size());
        for (JsonNode vector : cases) {
            byte[] x = curve.ecdhX(hex(vector, "sec1"), hex(vector, "pub2"));
            assertArrayEquals(hex(vector, "conversation_key"), hmac("nip44-v2", x), vector.toString());
        }
    }

    @Test
    void CR_02_keysOffTheCurveAreRefused() throws Exception {
        Secp256k1 curve = curve();
        byte[] secretKey = unhex("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");
        List<byte[]> keys = List.of(
                new byte[32],
                // Points of order 13 and 3319 on the twist: accepting them leaks the secret key modulo those orders.
                unhex("eb1f7200aecaa86682376fb1c13cd12b732221e774f553b0a0857f88fa20f86d"),
                unhex("709858a4c121e4a84eb59c0ded0261093c71e8ca29efeef21a6161c447bcaf9f"),
                encode(P),
                encode(P.add(BigInteger.ONE)),
                encode(BigInteger.ONE.shiftLeft(256).subtract(BigInteger.ONE)),
                unhex("1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef"));
        for (byte[] key : keys) {
            refused("crypto.bad-pubkey", secretKey, () -> curve.ecdhX(secretKey, key));
            assertFalse(curve.verify(new byte[64], new byte[32], key));
        }
    }

    @Test
    void CR_02_nip44KeysThatMustFailDoFail() throws Exception {
        Secp256k1 curve = curve();
        JsonNode cases = Vectors.json("nip44/nip44.vectors.json")
                .path("v2")
                .path("invalid")
                .path("get_conversation_key");
        assertTrue(cases.size() >= 8, "vectors read: " + cases.size());
        for (JsonNode vector : cases) {
            byte[] secretKey = hex(vector, "sec1");
            boolean secretIsFine = isSecret(secretKey);
            refused(
                    secretIsFine ? "crypto.bad-pubkey" : "crypto.bad-secret",
                    secretKey,
                    () -> curve.ecdhX(secretKey, hex(vector, "pub2")));
        }
    }

    @Test
    void CR_17_signaturesOutOfRangeAreFalseAndNeverThrow() throws Exception {
        Secp256k1 curve = curve();
        RandomGenerator random = Seeds.generator("Secp256k1Contract.CR_17");
        byte[] message = bytes(random, 32);
        byte[] secretKey = secret(random);
        byte[] publicKey = curve.publicKey(secretKey);
        byte[] good = curve.sign(message, secretKey, bytes(random, 32));
        assertTrue(curve.verify(good, message, publicKey));
        byte[] r = Arrays.copyOf(good, 32);
        byte[] s = Arrays.copyOfRange(good, 32, 64);
        byte[] ones = encode(BigInteger.ONE.shiftLeft(256).subtract(BigInteger.ONE));
        for (byte[] badR : List.of(encode(P), encode(P.add(BigInteger.ONE)), ones, new byte[32])) {
            assertFalse(curve.verify(join(badR, s), message, publicKey));
        }
        for (byte[] badS : List.of(encode(N), encode(N.add(BigInteger.ONE)), ones, new byte[32])) {
            assertFalse(curve.verify(join(r, badS), message, publicKey));
        }
        assertFalse(curve.verify(join(r, encode(N.subtract(new BigInteger(1, s)))), message, publicKey), "negated s");
        assertFalse(curve.verify(new byte[64], message, publicKey));
        assertFalse(curve.verify(good, message, new byte[32]));
        assertFalse(curve.verify(good, message, encode(P)));
        assertFalse(curve.verify(good, message, ones));
        for (int length : new int[] {0, 1, 31, 32, 33, 63, 65, 128}) {
            assertFalse(curve.verify(Arrays.copyOf(good, length), message, publicKey), "signature of " + length);
        }
    }

    @Test
    void wrongLengthsAreFalseOrRefused() throws Exception {
        Secp256k1 curve = curve();
        RandomGenerator random = Seeds.generator("Secp256k1Contract.lengths");
        byte[] message = bytes(random, 32);
        byte[] secretKey = secret(random);
        byte[] publicKey = curve.publicKey(secretKey);
        byte[] good = curve.sign(message, secretKey, bytes(random, 32));
        for (int length : new int[] {0, 1, 31, 33, 64, 65}) {
            byte[] wrong = new byte[length];
            Arrays.fill(wrong, (byte) 1);
            assertFalse(curve.verify(good, Arrays.copyOf(message, length), publicKey));
            assertFalse(curve.verify(good, message, Arrays.copyOf(publicKey, length)));
            refused("crypto.bad-length", secretKey, () -> curve.sign(wrong, secretKey, message));
            refused("crypto.bad-length", secretKey, () -> curve.sign(message, wrong, message));
            refused("crypto.bad-length", secretKey, () -> curve.sign(message, secretKey, wrong));
            refused("crypto.bad-length", secretKey, () -> curve.publicKey(wrong));
            refused("crypto.bad-length", secretKey, () -> curve.ecdhX(wrong, publicKey));
            refused("crypto.bad-length", secretKey, () -> curve.ecdhX(secretKey, wrong));
        }
    }

    @Test
    void secretsOutOfRangeAreRefusedByEveryOperation() throws Exception {
        Secp256k1 curve = curve();
        byte[] one = encode(BigInteger.ONE);
        byte[] publicKey = curve.publicKey(one);
        for (BigInteger value : List.of(
                BigInteger.ZERO,
                N,
                N.add(BigInteger.ONE),
                BigInteger.ONE.shiftLeft(256).subtract(BigInteger.ONE))) {
            byte[] secretKey = encode(value);
            refused("crypto.bad-secret", secretKey, () -> curve.publicKey(secretKey));
            refused("crypto.bad-secret", secretKey, () -> curve.sign(new byte[32], secretKey, new byte[32]));
            refused("crypto.bad-secret", secretKey, () -> curve.ecdhX(secretKey, publicKey));
        }
        byte[] last = encode(N.subtract(BigInteger.ONE));
        assertArrayEquals(publicKey, curve.publicKey(last), "1 and n-1 share their x");
        assertTrue(curve.verify(curve.sign(new byte[32], last, new byte[32]), new byte[32], publicKey));
        assertArrayEquals(publicKey, curve.ecdhX(last, publicKey));
    }

    @Test
    void signaturesVerifyAndAnySingleChangeDoesNot() throws Exception {
        Secp256k1 curve = curve();
        RandomGenerator random = Seeds.generator("Secp256k1Contract.signatures");
        for (int round = 0; round < ROUNDS; round++) {
            byte[] secretKey = secret(random);
            byte[] message = bytes(random, 32);
            byte[] auxiliary = bytes(random, 32);
            byte[] publicKey = curve.publicKey(secretKey);
            byte[] signature = curve.sign(message, secretKey, auxiliary);
            assertEquals(64, signature.length);
            assertTrue(curve.verify(signature, message, publicKey));
            assertArrayEquals(signature, curve.sign(message, secretKey, auxiliary), "deterministic in its arguments");
            assertFalse(curve.verify(flipped(signature, random), message, publicKey));
            assertFalse(curve.verify(signature, flipped(message, random), publicKey));
            assertFalse(curve.verify(signature, message, flipped(publicKey, random)));
        }
    }

    @Test
    void aBatchIsValidIfEachEntryIs() throws Exception {
        Secp256k1 curve = curve();
        RandomGenerator random = Seeds.generator("Secp256k1Contract.batch");
        assertTrue(curve.verifyBatch(List.of()));
        List<SignedMessage> batch = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            byte[] secretKey = secret(random);
            byte[] message = bytes(random, 32);
            batch.add(new SignedMessage(
                    curve.sign(message, secretKey, bytes(random, 32)), message, curve.publicKey(secretKey)));
        }
        assertTrue(curve.verifyBatch(batch));
        for (int i = 0; i < batch.size(); i++) {
            SignedMessage entry = batch.get(i);
            List<SignedMessage> spoilt = new ArrayList<>(batch);
            spoilt.set(i, new SignedMessage(flipped(entry.signature(), random), entry.message(), entry.publicKey()));
            assertFalse(curve.verifyBatch(spoilt), "entry " + i);
        }
        // Two wrong entries whose errors cancel out in a plain sum of the equations.
        SignedMessage first = batch.get(0);
        SignedMessage second = batch.get(1);
        List<SignedMessage> cancelling = new ArrayList<>(batch);
        cancelling.set(0, new SignedMessage(shifted(first.signature(), 1), first.message(), first.publicKey()));
        cancelling.set(1, new SignedMessage(shifted(second.signature(), -1), second.message(), second.publicKey()));
        assertFalse(curve.verifyBatch(cancelling));
    }

    @Test
    void ecdhAgreesOnBothSidesAndIgnoresTheSign() throws Exception {
        Secp256k1 curve = curve();
        RandomGenerator random = Seeds.generator("Secp256k1Contract.ecdh");
        for (int round = 0; round < ROUNDS; round++) {
            byte[] a = secret(random);
            byte[] b = secret(random);
            byte[] shared = curve.ecdhX(a, curve.publicKey(b));
            assertEquals(32, shared.length);
            assertArrayEquals(shared, curve.ecdhX(b, curve.publicKey(a)));
            byte[] negated = encode(N.subtract(new BigInteger(1, a)));
            assertArrayEquals(curve.publicKey(a), curve.publicKey(negated));
            assertArrayEquals(shared, curve.ecdhX(negated, curve.publicKey(b)));
        }
    }

    @Test
    void wycheproofSharedSecretsMatch() throws Exception {
        Secp256k1 curve = curve();
        int agreed = 0;
        int refused = 0;
        // The vectors carry whole points in ASN.1; those with the plain header of an uncompressed secp256k1 key fit
        // here.
        String header = "3056301006072a8648ce3d020106052b8104000a03420004";
        for (JsonNode group :
                Vectors.json("wycheproof/ecdh_secp256k1_test.json").path("testGroups")) {
            for (JsonNode vector : group.path("tests")) {
                String publicKey = vector.path("public").asText();
                if (!publicKey.startsWith(header) || publicKey.length() != header.length() + 128) {
                    continue;
                }
                String name = vector.path("tcId") + " " + vector.path("comment").asText();
                byte[] x = unhex(publicKey.substring(header.length(), header.length() + 64));
                byte[] secretKey = encode(new BigInteger(vector.path("private").asText(), 16));
                if (vector.path("result").asText().equals("valid")) {
                    assertArrayEquals(hex(vector, "shared"), curve.ecdhX(secretKey, x), name);
                    agreed++;
                } else if (!lifts(x)) {
                    refused("crypto.bad-pubkey", secretKey, () -> curve.ecdhX(secretKey, x));
                    refused++;
                }
            }
        }
        assertTrue(agreed >= 400 && refused >= 1, "vectors used: " + agreed + " valid, " + refused + " invalid");
    }

    @Test
    void argumentsStayAsTheyWere() throws Exception {
        Secp256k1 curve = curve();
        RandomGenerator random = Seeds.generator("Secp256k1Contract.arguments");
        byte[] message = bytes(random, 32);
        byte[] secretKey = secret(random);
        byte[] auxiliary = bytes(random, 32);
        byte[] publicKey = curve.publicKey(secretKey);
        byte[] signature = curve.sign(message, secretKey, auxiliary);
        byte[][] arguments = {message, secretKey, auxiliary, publicKey, signature};
        byte[][] before = {message.clone(), secretKey.clone(), auxiliary.clone(), publicKey.clone(), signature.clone()};
        curve.publicKey(secretKey);
        curve.sign(message, secretKey, auxiliary);
        curve.verify(signature, message, publicKey);
        curve.ecdhX(secretKey, publicKey);
        for (int i = 0; i < arguments.length; i++) {
            assertArrayEquals(before[i], arguments[i], "argument " + i);
        }
    }

    @Test
    void manyThreadsGetTheSameAnswers() throws Exception {
        Secp256k1 curve = curve();
        RandomGenerator random = Seeds.generator("Secp256k1Contract.threads");
        byte[] message = bytes(random, 32);
        byte[] secretKey = secret(random);
        byte[] auxiliary = bytes(random, 32);
        byte[] publicKey = curve.publicKey(secretKey);
        byte[] signature = curve.sign(message, secretKey, auxiliary);
        byte[] shared = curve.ecdhX(secretKey, publicKey);
        int threads = 8;
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Callable<Boolean>> work = new ArrayList<>();
            for (int thread = 0; thread < threads; thread++) {
                work.add(() -> {
                    for (int i = 0; i < 50; i++) {
                        if (!curve.verify(signature, message, publicKey)
                                || !Arrays.equals(signature, curve.sign(message, secretKey, auxiliary))
                                || !Arrays.equals(shared, curve.ecdhX(secretKey, publicKey))) {
                            return false;
                        }
                    }
                    return true;
                });
            }
            for (Future<Boolean> result : pool.invokeAll(work)) {
                assertTrue(result.get());
            }
        } finally {
            pool.shutdownNow();
        }
    }

    /** Asserts a refusal with that code, whose text does not hold the key. */
    private static void refused(String code, byte[] secretKey, Executable call) {
        ProviderException failure = assertThrows(ProviderException.class, call);
        assertEquals(Kind.REJECTED, failure.kind(), failure.toString());
        assertEquals(code, failure.code(), failure.toString());
        if (secretKey[31] != 0) {
            assertFalse(failure.toString().toLowerCase(Locale.ROOT).contains(HEX.formatHex(secretKey)));
        }
    }

    private static byte[] hmac(String key, byte[] message) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.US_ASCII), "HmacSHA256"));
        return mac.doFinal(message);
    }

    private static boolean lifts(byte[] x) {
        BigInteger value = new BigInteger(1, x);
        BigInteger square = value.pow(3).add(BigInteger.valueOf(7)).mod(P);
        return value.compareTo(P) < 0
                && square.modPow(P.subtract(BigInteger.ONE).shiftRight(1), P).equals(BigInteger.ONE);
    }

    private static boolean isSecret(byte[] bytes) {
        BigInteger value = new BigInteger(1, bytes);
        return value.signum() > 0 && value.compareTo(N) < 0;
    }

    /** A random secret key in range. */
    protected static byte[] secret(RandomGenerator random) {
        byte[] candidate = bytes(random, 32);
        while (!isSecret(candidate)) {
            candidate = bytes(random, 32);
        }
        return candidate;
    }

    /** Random bytes. */
    protected static byte[] bytes(RandomGenerator random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] flipped(byte[] bytes, RandomGenerator random) {
        byte[] copy = bytes.clone();
        copy[random.nextInt(copy.length)] ^= (byte) (1 << random.nextInt(8));
        return copy;
    }

    /** The signature with s moved by an amount. */
    private static byte[] shifted(byte[] signature, int by) {
        BigInteger s = new BigInteger(1, Arrays.copyOfRange(signature, 32, 64));
        return join(
                Arrays.copyOf(signature, 32),
                encode(s.add(BigInteger.valueOf(by)).mod(N)));
    }

    private static byte[] join(byte[] a, byte[] b) {
        byte[] joined = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, joined, a.length, b.length);
        return joined;
    }

    /** Big-endian, 32 bytes. */
    protected static byte[] encode(BigInteger value) {
        return unhex(String.format(Locale.ROOT, "%064x", value));
    }

    private static byte[] hex(JsonNode node, String field) {
        return unhex(node.path(field).asText());
    }

    private static byte[] unhex(String hex) {
        return HEX.parseHex(hex.toLowerCase(Locale.ROOT));
    }
}
