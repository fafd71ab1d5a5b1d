package im.parley.cipher;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.ChaCha20ParameterSpec;

/**
 * NIP-44 version 2: padded, encrypted, authenticated text between two keys. No forward secrecy: who has one of the two
 * secret keys reads everything.
 *
 * <p>Called for each layer of each gift wrap. Thread-safe; arguments are not modified; derived keys are overwritten.
 *
 * <p>Source: NIP-44 with the extended length prefix of 2026-06-28.
 */
public final class Nip44 {
    /** Largest plaintext in bytes of UTF-8, both ways: 1 MiB, far below the 4 GiB of the format. */
    public static final int MAX_PLAINTEXT = 1 << 20;
    /** Largest plaintext that every peer reads; some refuse the extended prefix above it. Send no more than this. */
    public static final int INTEROPERABLE_PLAINTEXT = 65_535;
    /** Length of a conversation key in bytes. */
    public static final int CONVERSATION_KEY = 32;
    /** Length of a nonce in bytes. */
    public static final int NONCE = 32;

    private static final byte[] SALT = "nip44-v2".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 2;
    private static final int MAC = HmacSha256.LENGTH;
    private static final int HEADER = 1 + NONCE;
    private static final int MIN_PAYLOAD_BYTES = HEADER + 2 + 32 + MAC;
    private static final int MIN_PAYLOAD_CHARS = 132;
    private static final int EXTENDED_FROM = 65_536;
    private static final int MAX_PAYLOAD_CHARS =
            Math.toIntExact((HEADER + 6 + paddedLength(MAX_PLAINTEXT) + MAC + 2) / 3 * 4);

    private static final int CHACHA_KEY_END = 32;
    private static final int CHACHA_NONCE_END = 44;
    private static final int HMAC_KEY_END = 76;

    private Nip44() {}

    /**
     * The key that two parties share for all their messages.
     *
     * @param sharedX 32 bytes, the unhashed x coordinate of {@code Secp256k1.ecdhX}
     * @return {@value #CONVERSATION_KEY} bytes; the caller overwrites them
     */
    public static byte[] conversationKey(byte[] sharedX) {
        if (sharedX.length != 32) {
            throw new IllegalArgumentException("a shared x coordinate has 32 bytes");
        }
        return Hkdf.extract(SALT, sharedX);
    }

    /**
     * Encrypts a text.
     *
     * @param conversationKey {@value #CONVERSATION_KEY} bytes
     * @param nonce {@value #NONCE} fresh random bytes
     * @param plaintext 1 to {@value #MAX_PLAINTEXT} bytes of UTF-8
     * @return base64 with padding
     * @throws CipherException {@code crypto.empty}, {@code crypto.too-large}, {@code crypto.bad-unicode} for a lone
     *     surrogate
     */
    public static String encrypt(byte[] conversationKey, byte[] nonce, String plaintext) throws CipherException {
        checkLength(conversationKey, CONVERSATION_KEY, "a conversation key");
        checkLength(nonce, NONCE, "a nonce");
        if (plaintext.length() > MAX_PLAINTEXT) {
            throw tooLarge();
        }
        byte[] text = Utf8.encode(plaintext);
        byte[] padded;
        try {
            padded = pad(text);
        } finally {
            Arrays.fill(text, (byte) 0);
        }
        byte[] keys = Hkdf.expand(conversationKey, nonce, HMAC_KEY_END);
        try {
            byte[] payload = new byte[HEADER + padded.length + MAC];
            payload[0] = VERSION;
            System.arraycopy(nonce, 0, payload, 1, NONCE);
            chaCha20(Cipher.ENCRYPT_MODE, keys, padded, 0, padded.length, payload, HEADER);
            byte[] mac = mac(keys, payload);
            System.arraycopy(mac, 0, payload, payload.length - MAC, MAC);
            return Base64.getEncoder().encodeToString(payload);
        } finally {
            Arrays.fill(keys, (byte) 0);
            Arrays.fill(padded, (byte) 0);
        }
    }

    /**
     * Decrypts a payload. Nothing is decrypted before its MAC was checked, nothing is decoded before its size was.
     *
     * @param conversationKey {@value #CONVERSATION_KEY} bytes
     * @param payload as it came, from anyone
     * @throws CipherException {@code crypto.bad-payload}, {@code crypto.unsupported-version}, {@code crypto.too-large},
     *     {@code crypto.bad-base64}, {@code crypto.bad-mac}, {@code crypto.bad-padding}, {@code crypto.bad-unicode}
     */
    public static String decrypt(byte[] conversationKey, String payload) throws CipherException {
        checkLength(conversationKey, CONVERSATION_KEY, "a conversation key");
        byte[] bytes = decode(payload);
        byte[] nonce = Arrays.copyOfRange(bytes, 1, HEADER);
        byte[] keys = Hkdf.expand(conversationKey, nonce, HMAC_KEY_END);
        byte[] padded = new byte[0];
        try {
            byte[] given = Arrays.copyOfRange(bytes, bytes.length - MAC, bytes.length);
            if (!MessageDigest.isEqual(given, mac(keys, bytes))) {
                throw new CipherException(
                        "crypto.bad-mac", "The payload was changed on the way, or is for another pair of keys.");
            }
            padded = new byte[bytes.length - HEADER - MAC];
            chaCha20(Cipher.DECRYPT_MODE, keys, bytes, HEADER, padded.length, padded, 0);
            return unpad(padded);
        } finally {
            Arrays.fill(keys, (byte) 0);
            Arrays.fill(padded, (byte) 0);
        }
    }

    /**
     * Length of a padded plaintext without its prefix; 64-bit, because lengths up to 2^32-1 come from the wire.
     *
     * @param length 1 or more
     */
    static long paddedLength(long length) {
        if (length <= 32) {
            return 32;
        }
        long nextPower = 1L << 64 - Long.numberOfLeadingZeros(length - 1);
        long chunk = nextPower <= 256 ? 32 : nextPower / 8;
        return chunk * ((length - 1) / chunk + 1);
    }

    private static byte[] pad(byte[] text) throws CipherException {
        int length = text.length;
        if (length == 0) {
            throw new CipherException("crypto.empty", "NIP-44 has no empty message.");
        }
        if (length > MAX_PLAINTEXT) {
            throw tooLarge();
        }
        int prefix = length < EXTENDED_FROM ? 2 : 6;
        byte[] padded = new byte[Math.toIntExact(prefix + paddedLength(length))];
        for (int i = 0; i < 4 && i < prefix; i++) {
            padded[prefix - 1 - i] = (byte) (length >>> 8 * i);
        }
        System.arraycopy(text, 0, padded, prefix, length);
        return padded;
    }

    private static String unpad(byte[] padded) throws CipherException {
        long length = bigEndian(padded, 0, 2);
        int prefix = 2;
        if (length == 0) {
            prefix = 6;
            length = bigEndian(padded, 2, 4);
            if (length < EXTENDED_FROM) {
                throw badPadding();
            }
        }
        if (length > MAX_PLAINTEXT) {
            throw tooLarge();
        }
        if (prefix + paddedLength(length) != padded.length) {
            throw badPadding();
        }
        return Utf8.decode(padded, prefix, Math.toIntExact(length));
    }

    private static byte[] decode(String payload) throws CipherException {
        int length = payload.length();
        if (length > 0 && payload.charAt(0) == '#') {
            throw new CipherException(
                    "crypto.unsupported-version", "The payload is marked as a version that is not text.");
        }
        if (length < MIN_PAYLOAD_CHARS) {
            throw tooShort();
        }
        if (length > MAX_PAYLOAD_CHARS) {
            throw tooLarge();
        }
        byte[] bytes = base64(payload);
        if (bytes.length < MIN_PAYLOAD_BYTES) {
            throw tooShort();
        }
        if (bytes[0] != VERSION) {
            throw new CipherException(
                    "crypto.unsupported-version",
                    "The payload has version " + (bytes[0] & 0xff) + ", known is only " + VERSION + ".");
        }
        return bytes;
    }

    /** Canonical only: the JDK's decoder takes a missing padding and bits that encode nothing. */
    private static byte[] base64(String text) throws CipherException {
        int length = text.length();
        if (length % 4 != 0) {
            throw badBase64();
        }
        byte[] bytes;
        try {
            bytes = Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            throw badBase64();
        }
        int unused = text.charAt(length - 1) != '=' ? 0 : text.charAt(length - 2) != '=' ? 2 : 4;
        if (unused > 0) {
            int last = sextet(text.charAt(length - (unused == 2 ? 2 : 3)));
            if ((last & (1 << unused) - 1) != 0) {
                throw badBase64();
            }
        }
        return bytes;
    }

    /** Of a character that the decoder took. */
    private static int sextet(char c) {
        if (c >= 'A' && c <= 'Z') {
            return c - 'A';
        }
        if (c >= 'a' && c <= 'z') {
            return c - 'a' + 26;
        }
        if (c >= '0' && c <= '9') {
            return c - '0' + 52;
        }
        return c == '+' ? 62 : 63;
    }

    /** Over nonce and ciphertext, wherever they stand in the payload. */
    private static byte[] mac(byte[] keys, byte[] payload) {
        Mac mac = HmacSha256.keyed(keys, CHACHA_NONCE_END, HMAC_KEY_END);
        mac.update(payload, 1, payload.length - 1 - MAC);
        return mac.doFinal();
    }

    private static void chaCha20(
            int mode, byte[] keys, byte[] input, int inputAt, int length, byte[] output, int outputAt) {
        byte[] nonce = Arrays.copyOfRange(keys, CHACHA_KEY_END, CHACHA_NONCE_END);
        try (RawKey key = new RawKey("ChaCha20", keys, 0, CHACHA_KEY_END)) {
            Cipher cipher = Cipher.getInstance("ChaCha20");
            cipher.init(mode, key, new ChaCha20ParameterSpec(nonce, 0));
            cipher.doFinal(input, inputAt, length, output, outputAt);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform from 11 on has ChaCha20", e);
        }
    }

    private static long bigEndian(byte[] bytes, int from, int count) {
        long value = 0;
        for (int i = from; i < from + count; i++) {
            value = value << 8 | bytes[i] & 0xff;
        }
        return value;
    }

    private static void checkLength(byte[] bytes, int length, String what) {
        if (bytes.length != length) {
            throw new IllegalArgumentException(what + " has " + length + " bytes, not " + bytes.length);
        }
    }

    private static CipherException tooShort() {
        return new CipherException("crypto.bad-payload", "The payload is too short to be a NIP-44 message.");
    }

    private static CipherException tooLarge() {
        return new CipherException("crypto.too-large", "The text is larger than " + MAX_PLAINTEXT + " bytes.");
    }

    private static CipherException badBase64() {
        return new CipherException("crypto.bad-base64", "The payload is not canonical base64.");
    }

    private static CipherException badPadding() {
        return new CipherException("crypto.bad-padding", "The payload is authentic, but its length does not fit.");
    }
}
