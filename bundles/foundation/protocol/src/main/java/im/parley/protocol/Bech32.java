package im.parley.protocol;

import java.io.ByteArrayOutputStream;
import java.util.Locale;

/** Bech32 as in BIP-173 (the constant is 1, not that of bech32m), without its limit of 90 characters. */
record Bech32(String prefix, byte[] data) {
    private static final String CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    private static final int[] GENERATOR = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    private static final int CHECKSUM = 6;

    static String encode(String prefix, byte[] data) {
        StringBuilder text = new StringBuilder(prefix).append('1');
        int check = prefixed(prefix);
        int bits = 0;
        int buffer = 0;
        for (byte b : data) {
            buffer = buffer << 8 | b & 0xFF;
            bits += 8;
            while (bits >= 5) {
                bits -= 5;
                int value = buffer >> bits & 31;
                check = step(check, value);
                text.append(CHARSET.charAt(value));
            }
            buffer &= (1 << bits) - 1;
        }
        if (bits > 0) {
            int value = buffer << 5 - bits & 31;
            check = step(check, value);
            text.append(CHARSET.charAt(value));
        }
        for (int i = 0; i < CHECKSUM; i++) {
            check = step(check, 0);
        }
        check ^= 1;
        for (int i = 0; i < CHECKSUM; i++) {
            text.append(CHARSET.charAt(check >> 5 * (CHECKSUM - 1 - i) & 31));
        }
        return text.toString();
    }

    static Bech32 decode(String given) throws ProtocolException {
        String text = oneCase(given);
        int separator = text.lastIndexOf('1');
        if (separator < 1 || text.length() - separator - 1 < CHECKSUM) {
            throw Nip19.fault("the text has no prefix or no checksum");
        }
        String prefix = text.substring(0, separator);
        int check = prefixed(prefix);
        int bits = 0;
        int buffer = 0;
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        for (int i = separator + 1; i < text.length(); i++) {
            int value = CHARSET.indexOf(text.charAt(i));
            if (value < 0) {
                throw Nip19.fault("the text has a character that bech32 does not use");
            }
            check = step(check, value);
            if (i < text.length() - CHECKSUM) {
                buffer = buffer << 5 | value;
                bits += 5;
                if (bits >= 8) {
                    bits -= 8;
                    data.write(buffer >> bits);
                    buffer &= (1 << bits) - 1;
                }
            }
        }
        if (check != 1) {
            throw Nip19.fault("the checksum is wrong: a character was mistyped or is missing");
        }
        if (bits >= 5 || buffer != 0) {
            throw Nip19.fault("the text ends in bits that belong to no byte");
        }
        return new Bech32(prefix, data.toByteArray());
    }

    private static String oneCase(String given) throws ProtocolException {
        boolean upper = false;
        boolean lower = false;
        for (int i = 0; i < given.length(); i++) {
            char c = given.charAt(i);
            if (c < 0x21 || c > 0x7E) {
                throw Nip19.fault("the text has a character that bech32 does not use");
            }
            upper |= c >= 'A' && c <= 'Z';
            lower |= c >= 'a' && c <= 'z';
        }
        if (upper && lower) {
            throw Nip19.fault("upper and lower case are mixed");
        }
        return upper ? given.toLowerCase(Locale.ROOT) : given;
    }

    private static int prefixed(String prefix) {
        int check = 1;
        for (int i = 0; i < prefix.length(); i++) {
            check = step(check, prefix.charAt(i) >> 5);
        }
        check = step(check, 0);
        for (int i = 0; i < prefix.length(); i++) {
            check = step(check, prefix.charAt(i) & 31);
        }
        return check;
    }

    private static int step(int check, int value) {
        int top = check >>> 25;
        int next = (check & 0x1ffffff) << 5 ^ value;
        for (int i = 0; i < GENERATOR.length; i++) {
            if ((top >> i & 1) == 1) {
                next ^= GENERATOR[i];
            }
        }
        return next;
    }
}
