package im.parley.vault.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.api.storage.SpaceId;
import im.parley.cipher.CipherException;
import im.parley.cipher.Hkdf;
import im.parley.cipher.HmacSha256;
import im.parley.cipher.Utf8;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The two keys of one space and what they do to record keys and values. Thread-safe until {@link #destroy}.
 *
 * <pre>
 * record key    table u8, HMAC-SHA256(key key, table u8 name)[0..16], order
 * record value  version u8 = 1, nonce[24], XChaCha20-Poly1305(value key, plaintext; aad = version, u16 space id, record key)
 * </pre>
 */
final class SpaceKeys {
    static final byte VERSION = 1;
    static final int KEY = 32;
    /** Table byte and hashed name. */
    static final int PREFIX = 17;

    private final SpaceId id;
    private final byte[] keyKey;
    private final byte[] valueKey;
    private final Sealing sealing;

    /** @param spaceKey 32 random bytes; not kept */
    SpaceKeys(SpaceId id, byte[] spaceKey, Sealing sealing) {
        this.id = id;
        this.keyKey = Hkdf.expand(spaceKey, ("parley-space-1/key/" + id.value()).getBytes(UTF_8), KEY);
        this.valueKey = Hkdf.expand(spaceKey, ("parley-space-1/value/" + id.value()).getBytes(UTF_8), KEY);
        this.sealing = sealing;
    }

    /** Table and hashed name, then the order fields. */
    byte[] key(int table, String name, byte[] order) {
        byte[] encoded;
        try {
            encoded = Utf8.encode(name);
        } catch (CipherException e) {
            throw new IllegalArgumentException("a record name is a text without lone surrogates");
        }
        byte[] mac = HmacSha256.mac(keyKey, new byte[] {(byte) table}, encoded);
        byte[] key = new byte[PREFIX + order.length];
        key[0] = (byte) table;
        System.arraycopy(mac, 0, key, 1, PREFIX - 1);
        System.arraycopy(order, 0, key, PREFIX, order.length);
        return key;
    }

    /** The first key after all that begin with this one; null if there is none. */
    static byte @Nullable [] after(byte[] prefix) {
        for (int i = prefix.length - 1; i >= 0; i--) {
            if (prefix[i] != (byte) 0xff) {
                byte[] next = Arrays.copyOf(prefix, i + 1);
                next[i]++;
                return next;
            }
        }
        return null;
    }

    private byte[] data(byte[] key) {
        byte[] space = id.value().getBytes(UTF_8);
        return ByteBuffer.allocate(3 + space.length + key.length)
                .put(VERSION)
                .putShort((short) space.length)
                .put(space)
                .put(key)
                .array();
    }

    byte[] seal(byte[] key, byte[] value) {
        byte[] sealed = sealing.seal(valueKey, data(key), value);
        byte[] result = new byte[1 + sealed.length];
        result[0] = VERSION;
        System.arraycopy(sealed, 0, result, 1, sealed.length);
        return result;
    }

    /** Null if it is not what was sealed for that key. */
    byte @Nullable [] open(byte[] key, byte[] sealed) {
        if (sealed.length == 0 || sealed[0] != VERSION) {
            return null;
        }
        try {
            return Sealing.open(valueKey, data(key), sealed, 1);
        } catch (CipherException e) {
            return null;
        }
    }

    /** Nobody uses it any more. */
    void destroy() {
        Arrays.fill(keyKey, (byte) 0);
        Arrays.fill(valueKey, (byte) 0);
    }
}
