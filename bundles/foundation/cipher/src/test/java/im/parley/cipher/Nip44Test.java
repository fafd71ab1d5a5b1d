package im.parley.cipher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import im.parley.testkit.PeerData;
import im.parley.testkit.Seeds;
import im.parley.testkit.Vectors;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.random.RandomGenerator;
import javax.crypto.Cipher;
import javax.crypto.spec.ChaCha20ParameterSpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class Nip44Test {
    private static final String FILE = "nip44/nip44.vectors.json";
    private static final byte[] KEY =
            HexFormat.of().parseHex("c41c775356fd92eadc63ff5a0dc1da211b268cbea22316767095b2871ea1412d");
    private static final byte[] NONCE = new byte[32];

    @Test
    void CR_01_theVectorFileIsTheOneThatNip44Names() throws Exception {
        assertEquals("269ed0f69e4c192512cc779e78c555090cebc7c785b609e338a62afc3ce25040", sha256(Vectors.bytes(FILE)));
    }

    @Test
    void CR_01_messageKeys() {
        JsonNode group = valid().path("get_message_keys");
        byte[] key = hex(group, "conversation_key");
        int count = 0;
        for (JsonNode vector : group.path("keys")) {
            byte[] keys = Hkdf.expand(key, hex(vector, "nonce"), 76);
            assertArrayEquals(hex(vector, "chacha_key"), Arrays.copyOfRange(keys, 0, 32));
            assertArrayEquals(hex(vector, "chacha_nonce"), Arrays.copyOfRange(keys, 32, 44));
            assertArrayEquals(hex(vector, "hmac_key"), Arrays.copyOfRange(keys, 44, 76));
            count++;
        }
        assertTrue(count >= 32, "vectors read: " + count);
    }

    @Test
    void CR_01_paddedLengths() {
        JsonNode cases = valid().path("calc_padded_len");
        assertTrue(cases.size() >= 24);
        for (JsonNode vector : cases) {
            assertEquals(
                    vector.path(1).asLong(), Nip44.paddedLength(vector.path(0).asLong()));
        }
    }

    @Test
    void CR_01_encryptionAndDecryption() throws Exception {
        JsonNode cases = valid().path("encrypt_decrypt");
        assertTrue(cases.size() >= 10);
        for (JsonNode vector : cases) {
            byte[] key = hex(vector, "conversation_key");
            String plaintext = vector.path("plaintext").asText();
            String payload = vector.path("payload").asText();
            assertEquals(payload, Nip44.encrypt(key, hex(vector, "nonce"), plaintext));
            assertEquals(plaintext, Nip44.decrypt(key, payload));
        }
    }

    @Test
    void peersEncryptTheSameAndReadTheSame() throws Exception {
        JsonNode cases = PeerData.json("nip44.json");
        assertTrue(cases.size() >= 15, cases.size() + " cases");
        for (JsonNode each : cases) {
            byte[] key = hex(each, "conversationKey");
            String plaintext = each.path("plaintext").asText();
            String payload = each.path("payload").asText();
            assertEquals(payload, Nip44.encrypt(key, hex(each, "nonce"), plaintext));
            assertEquals(plaintext, Nip44.decrypt(key, payload));
        }
    }

    @Test
    void CR_01_longMessages() throws Exception {
        JsonNode cases = valid().path("encrypt_decrypt_long_msg");
        assertTrue(cases.size() >= 3);
        for (JsonNode vector : cases) {
            String plaintext =
                    vector.path("pattern").asText().repeat(vector.path("repeat").asInt());
            roundTrip(
                    hex(vector, "conversation_key"),
                    hex(vector, "nonce"),
                    plaintext,
                    vector.path("plaintext_sha256").asText(),
                    vector.path("payload_sha256").asText());
        }
    }

    @Test
    void CR_01_extendedLengthPrefix() throws Exception {
        JsonNode file = Vectors.json("nip44/extended_prefix.json");
        assertEquals(3, file.path("cases").size());
        for (JsonNode vector : file.path("cases")) {
            roundTrip(
                    hex(file, "conversation_key"),
                    hex(file, "nonce"),
                    "a".repeat(vector.path("plaintext_len").asInt()),
                    vector.path("plaintext_sha256").asText(),
                    vector.path("payload_sha256").asText());
        }
    }

    @Test
    void CR_01_everyInvalidPayloadIsRefusedForItsOwnReason() {
        Map<String, String> codes = Map.of(
                "unknown encryption version", "crypto.unsupported-version",
                "unknown encryption version 0", "crypto.unsupported-version",
                "invalid base64", "crypto.bad-base64",
                "invalid MAC", "crypto.bad-mac",
                "invalid padding", "crypto.bad-padding",
                "invalid payload length: 0", "crypto.bad-payload",
                "invalid payload length: 4", "crypto.bad-payload",
                "invalid payload length: 48", "crypto.bad-payload",
                "invalid payload length: 92", "crypto.bad-payload");
        JsonNode cases = Vectors.json(FILE).path("v2").path("invalid").path("decrypt");
        assertTrue(cases.size() >= 12);
        int claimsTooMuch = 0;
        for (JsonNode vector : cases) {
            String note = vector.path("note").asText();
            CipherException failure = assertThrows(
                    CipherException.class,
                    () -> Nip44.decrypt(
                            hex(vector, "conversation_key"),
                            vector.path("payload").asText()));
            if (note.equals("invalid padding") && failure.code().equals("crypto.too-large")) {
                claimsTooMuch++;
            } else {
                assertEquals(codes.getOrDefault(note, "no code for: " + note), failure.code(), note);
            }
        }
        // The length 0 of one vector is the mark of an extended prefix since 2026-06-28; the text behind it, read as a
        // length, is above the cap.
        assertEquals(1, claimsTooMuch);
    }

    /** The file predates the extended prefix: of its invalid lengths only 0 still is one. */
    @Test
    void CR_01_invalidLengths() throws Exception {
        for (JsonNode length : Vectors.json(FILE).path("v2").path("invalid").path("encrypt_msg_lengths")) {
            String plaintext = "a".repeat(length.asInt());
            if (plaintext.isEmpty()) {
                refused("crypto.empty", () -> Nip44.encrypt(KEY, NONCE, plaintext));
            } else if (plaintext.length() > Nip44.MAX_PLAINTEXT) {
                refused("crypto.too-large", () -> Nip44.encrypt(KEY, NONCE, plaintext));
            } else {
                assertEquals(plaintext, Nip44.decrypt(KEY, Nip44.encrypt(KEY, NONCE, plaintext)));
            }
        }
    }

    @Test
    void CR_03_payloadsOfEveryLengthBelowTheShortestAreRefused() {
        RandomGenerator random = Seeds.generator("CR_03");
        for (int length = 0; length < 99; length++) {
            byte[] bytes = new byte[length];
            random.nextBytes(bytes);
            if (length > 0) {
                bytes[0] = 2;
            }
            refused("crypto.bad-payload", () -> Nip44.decrypt(KEY, base64(bytes)));
        }
        for (int length = 0; length < 132; length++) {
            String text = "A".repeat(length);
            refused("crypto.bad-payload", () -> Nip44.decrypt(KEY, text));
        }
        refused("crypto.bad-payload", () -> Nip44.decrypt(KEY, "A"));
    }

    @Test
    void CR_03_randomTextGetsOnlyTheTypedException() {
        RandomGenerator random = Seeds.generator("CR_03 random");
        for (int round = 0; round < 20_000; round++) {
            char[] text = new char[random.nextInt(400)];
            int highest = random.nextBoolean() ? 128 : 65_536;
            for (int i = 0; i < text.length; i++) {
                text[i] = (char) random.nextInt(highest);
            }
            assertThrows(CipherException.class, () -> Nip44.decrypt(KEY, new String(text)));
        }
    }

    @Test
    void CR_04_otherVersionsAreUnsupported() throws Exception {
        refused("crypto.unsupported-version", () -> Nip44.decrypt(KEY, "#"));
        refused("crypto.unsupported-version", () -> Nip44.decrypt(KEY, "#".repeat(200)));
        byte[] payload = Base64.getDecoder().decode(Nip44.encrypt(KEY, NONCE, "hello"));
        for (int version = 0; version < 256; version++) {
            if (version != 2) {
                payload[0] = (byte) version;
                String text = base64(payload);
                refused("crypto.unsupported-version", () -> Nip44.decrypt(KEY, text));
            }
        }
    }

    @Test
    void CR_05_anySingleFlippedBitIsRefused() throws Exception {
        byte[] payload = Base64.getDecoder().decode(Nip44.encrypt(KEY, NONCE, "a"));
        assertEquals(99, payload.length);
        for (int bit = 0; bit < 8 * payload.length; bit++) {
            byte[] flipped = payload.clone();
            flipped[bit / 8] ^= (byte) (1 << bit % 8);
            refused(
                    bit < 8 ? "crypto.unsupported-version" : "crypto.bad-mac",
                    () -> Nip44.decrypt(KEY, base64(flipped)));
        }
    }

    @Test
    void CR_06_authenticPayloadsWithWrongPaddingAreRefused() throws Exception {
        // Length 0, with an extended length of 0 behind it.
        refusedPadding(padded(34, 0, 0));
        // Longer than the data.
        refusedPadding(padded(34, 0, 33));
        refusedPadding(padded(34, 0xff, 0xff));
        // The padded size of another length.
        refusedPadding(padded(2 + 64, 0, 32));
        refusedPadding(padded(2 + 32, 0, 40));
        refusedPadding(padded(2 + 33, 0, 5));
        // An extended prefix for a length that fits into two bytes.
        refusedPadding(padded(6 + 32, 0, 0, 0, 0, 0, 5));
        refusedPadding(padded(6 + 65_536, 0, 0, 0, 0, 0xff, 0xff));
        // And one whose size is that of the short prefix.
        refusedPadding(padded(2 + 65_536, 0, 0, 0, 1, 0, 0));
        assertEquals("\0\0\0\0\0", Nip44.decrypt(KEY, forge(padded(34, 0, 5))), "the forge itself is right");
        assertEquals(
                65_536,
                Nip44.decrypt(KEY, forge(padded(6 + 65_536, 0, 0, 0, 1, 0, 0))).length());
    }

    @Test
    void CR_06_authenticPayloadsThatAreNotUtf8AreRefused() throws Exception {
        for (int[] bytes : new int[][] {{0xc0, 0xaf}, {0xed, 0xa0, 0x80}, {0xf4, 0x90, 0x80, 0x80}, {0xe2, 0x82}}) {
            int[] content = new int[2 + bytes.length];
            content[1] = bytes.length;
            System.arraycopy(bytes, 0, content, 2, bytes.length);
            refused("crypto.bad-unicode", () -> Nip44.decrypt(KEY, forge(padded(34, content))));
        }
        refused("crypto.bad-unicode", () -> Nip44.encrypt(KEY, NONCE, "lone \ud800 surrogate"));
        refused("crypto.bad-unicode", () -> Nip44.encrypt(KEY, NONCE, "at the end \ud83d"));
    }

    @Test
    void CR_07_hugeClaimsInASmallPayloadAreTooLarge() throws Exception {
        refused("crypto.too-large", () -> Nip44.decrypt(KEY, forge(padded(80, 0, 0, 0x7f, 0xff, 0xff, 0xff))));
        refused("crypto.too-large", () -> Nip44.decrypt(KEY, forge(padded(80, 0, 0, 0x80, 0, 0, 0))));
        refused("crypto.too-large", () -> Nip44.decrypt(KEY, forge(padded(80, 0, 0, 0xff, 0xff, 0xff, 0xff))));
    }

    @Test
    void CR_07_payloadsAboveTheCapAreRefusedBeforeTheyAreDecoded() throws Exception {
        // Not base64 at all: a decoder that ran first would say so.
        refused("crypto.too-large", () -> Nip44.decrypt(KEY, "!".repeat(3 * Nip44.MAX_PLAINTEXT)));
        refused("crypto.too-large", () -> Nip44.encrypt(KEY, NONCE, "a".repeat(Nip44.MAX_PLAINTEXT + 1)));
        refused("crypto.too-large", () -> Nip44.encrypt(KEY, NONCE, "é".repeat(Nip44.MAX_PLAINTEXT / 2 + 1)));
        String largest = "a".repeat(Nip44.MAX_PLAINTEXT);
        assertEquals(largest, Nip44.decrypt(KEY, Nip44.encrypt(KEY, NONCE, largest)));
    }

    @Test
    void CR_07_paddedLengthsAre64BitAndAgreeWithADumbTwin() {
        assertEquals(1L << 31, Nip44.paddedLength((1L << 31) - 1));
        assertEquals(1L << 31, Nip44.paddedLength(1L << 31));
        assertEquals((1L << 31) + (1L << 29), Nip44.paddedLength((1L << 31) + 1));
        assertEquals(1L << 32, Nip44.paddedLength((1L << 32) - 1));
        RandomGenerator random = Seeds.generator("CR_07");
        for (int round = 0; round < 100_000; round++) {
            long length = 1 + (random.nextLong() >>> 32 + random.nextInt(31));
            assertEquals(twin(length), Nip44.paddedLength(length), "length " + length);
        }
        for (long length = 1; length < 5_000; length++) {
            assertEquals(twin(length), Nip44.paddedLength(length), "length " + length);
        }
    }

    @Test
    void CR_08_onlyCanonicalBase64IsTaken() throws Exception {
        String good = Nip44.encrypt(KEY, NONCE, "a");
        assertEquals(132, good.length());
        assertTrue(!good.endsWith("="));
        // One '=' and two '='.
        String one = forge(padded(2 + 32, 0, 1), 1);
        String two = forge(padded(2 + 32, 0, 1), 2);
        assertTrue(one.endsWith("=") && !one.endsWith("==") && two.endsWith("=="));
        for (String payload : new String[] {
            good.substring(0, 131),
            good + "=",
            good + "====",
            good + "\n",
            good.substring(0, 66) + "\n" + good.substring(66),
            good.substring(0, 66) + "\r\n\r\n" + good.substring(66),
            good.substring(0, 66) + " " + good.substring(67),
            good.substring(0, 66) + "-" + good.substring(67),
            good.substring(0, 66) + "_" + good.substring(67),
            good.substring(0, 66) + "=" + good.substring(67),
            good.substring(0, 66) + "\u00c3" + good.substring(67),
            good.substring(0, 66) + "\uff21" + good.substring(67),
            one.substring(0, one.length() - 1),
            two.substring(0, two.length() - 1),
            two.substring(0, two.length() - 2),
            withTrailingBits(one, 1),
            withTrailingBits(two, 2)
        }) {
            String expected = payload.length() < 132 ? "crypto.bad-payload" : "crypto.bad-base64";
            refused(expected, () -> Nip44.decrypt(KEY, payload));
        }
    }

    @Test
    void textsOfManyLengthsComeBack() throws Exception {
        RandomGenerator random = Seeds.generator("Nip44Test.roundTrip");
        String[] alphabet = {"a", "é", "م", "न", "漢", "😀", "👩‍👩‍👧", "\0", "\u2028"};
        for (int round = 0; round < 500; round++) {
            StringBuilder text = new StringBuilder();
            int length = 1 + random.nextInt(600);
            while (text.length() < length) {
                text.append(alphabet[random.nextInt(alphabet.length)]);
            }
            byte[] key = new byte[32];
            byte[] nonce = new byte[32];
            random.nextBytes(key);
            random.nextBytes(nonce);
            String payload = Nip44.encrypt(key, nonce, text.toString());
            assertEquals(text.toString(), Nip44.decrypt(key, payload));
            key[random.nextInt(32)] ^= 1;
            refused("crypto.bad-mac", () -> Nip44.decrypt(key, payload));
        }
    }

    @Test
    void keysAndNoncesOfAnotherLengthAreABugOfTheCaller() {
        byte[] shorter = new byte[31];
        assertThrows(IllegalArgumentException.class, () -> Nip44.encrypt(shorter, NONCE, "a"));
        assertThrows(IllegalArgumentException.class, () -> Nip44.encrypt(KEY, shorter, "a"));
        assertThrows(IllegalArgumentException.class, () -> Nip44.decrypt(shorter, "a"));
        assertThrows(IllegalArgumentException.class, () -> Nip44.conversationKey(shorter));
    }

    private static void roundTrip(byte[] key, byte[] nonce, String plaintext, String plaintextHash, String payloadHash)
            throws Exception {
        assertEquals(plaintextHash, sha256(plaintext.getBytes(StandardCharsets.UTF_8)));
        String payload = Nip44.encrypt(key, nonce, plaintext);
        assertEquals(payloadHash, sha256(payload.getBytes(StandardCharsets.US_ASCII)));
        assertEquals(plaintext, Nip44.decrypt(key, payload));
    }

    /** The padding rule as the text of NIP-44 puts it, with a loop for the power. */
    private static long twin(long length) {
        if (length <= 32) {
            return 32;
        }
        long power = 1;
        while (power < length) {
            power *= 2;
        }
        long chunk = power <= 256 ? 32 : power / 8;
        return chunk * (Math.floorDiv(length - 1, chunk) + 1);
    }

    private static String withTrailingBits(String payload, int equalsSigns) {
        int at = payload.length() - equalsSigns - 1;
        String alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char next = alphabet.charAt(alphabet.indexOf(payload.charAt(at)) + 1);
        return payload.substring(0, at) + next + payload.substring(at + 1);
    }

    /** The first bytes of a padded plaintext of that size; the rest is zero. */
    private static byte[] padded(int size, int... first) {
        byte[] padded = new byte[size];
        for (int i = 0; i < first.length; i++) {
            padded[i] = (byte) first[i];
        }
        return padded;
    }

    private static void refusedPadding(byte[] padded) throws Exception {
        String payload = forge(padded);
        refused("crypto.bad-padding", () -> Nip44.decrypt(KEY, payload));
    }

    private static String forge(byte[] padded) throws Exception {
        return forge(padded, 0);
    }

    /** An authentic payload of arbitrary content, made longer by zeros until its base64 ends with that many '='. */
    private static String forge(byte[] content, int equalsSigns) throws Exception {
        byte[] padded = content;
        while (equalsSigns > 0 && (65 + padded.length) % 3 != 3 - equalsSigns) {
            padded = Arrays.copyOf(padded, padded.length + 1);
        }
        byte[] keys = Hkdf.expand(KEY, NONCE, 76);
        Cipher cipher = Cipher.getInstance("ChaCha20");
        cipher.init(
                Cipher.ENCRYPT_MODE,
                new RawKey("ChaCha20", keys, 0, 32),
                new ChaCha20ParameterSpec(Arrays.copyOfRange(keys, 32, 44), 0));
        byte[] ciphertext = cipher.doFinal(padded);
        byte[] payload = new byte[65 + ciphertext.length];
        payload[0] = 2;
        System.arraycopy(NONCE, 0, payload, 1, 32);
        System.arraycopy(ciphertext, 0, payload, 33, ciphertext.length);
        byte[] mac = HmacSha256.mac(Arrays.copyOfRange(keys, 44, 76), NONCE, ciphertext);
        System.arraycopy(mac, 0, payload, payload.length - 32, 32);
        return base64(payload);
    }

    private static void refused(String code, Executable call) {
        CipherException failure = assertThrows(CipherException.class, call);
        assertEquals(code, failure.code(), failure.getMessage());
    }

    private static JsonNode valid() {
        return Vectors.json(FILE).path("v2").path("valid");
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static byte[] hex(JsonNode node, String field) {
        return HexFormat.of().parseHex(node.path(field).asText());
    }
}
