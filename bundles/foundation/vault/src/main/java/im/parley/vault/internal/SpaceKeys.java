package im.parley.vault.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import im.parley.api.storage.SpaceId;
import im.parley.cipher.CipherException;
import im.parley.cipher.Hkdf;
import im.parley.cipher.HmacSha256;
import im.parley.cipher.Utf8;
import im.parley.cipher.XChaCha20Poly1305;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The keys of one space and what they do to record keys and values. Thread-safe until {@link #destroy}.
 *
 * <pre>
 * record key    table u8, HMAC-SHA256(key key, table u8 name)[0..16], order
 * record value  version u8 = 1, nonce[24], XChaCha20-Poly1305(value key, plaintext; aad = version, u16 space id, record key)
 * in a bucket   head = version u8 = 2, slot u32, serial u64, HMAC-SHA256(head key, the three, u16 space id, record key)[0..8],
 *               nonce[24], XChaCha20-Poly1305(bucket key, plaintext; aad = head, u16 space id, record key)
 * for a backup  head = version u8 = 3, bucket u64,
 *               nonce = HMAC-SHA256(head key, head, value as it was kept)[0..24],
 *               XChaCha20-Poly1305(value key, plaintext; aad = head, u16 space id, record key)
 * bucket key    HMAC-SHA256(secret of the slot, "parley-space-1/bucket", value key)
 * </pre>
 */
final class SpaceKeys {
    static final byte VERSION = 1;
    static final byte IN_BUCKET = 2;
    /** Of a bucket, and without its secret: in no store. */
    static final byte PORTABLE = 3;

    static final int KEY = 32;
    /** Table byte and hashed name. */
    static final int PREFIX = 17;

    private static final byte[] HEAD = {VERSION};
    private static final int BUCKET_REF = 1 + Integer.BYTES + Long.BYTES;
    private static final int BUCKET_HEAD = BUCKET_REF + 8;
    private static final int PORTABLE_HEAD = 1 + Long.BYTES;
    private static final byte[] BUCKET = "parley-space-1/bucket".getBytes(UTF_8);

    private final SpaceId id;
    private final byte[] keyKey;
    private final byte[] valueKey;
    private final byte[] headKey;
    private final Sealing sealing;

    /** @param spaceKey 32 random bytes; not kept */
    SpaceKeys(SpaceId id, byte[] spaceKey, Sealing sealing) {
        this.id = id;
        this.keyKey = Hkdf.expand(spaceKey, ("parley-space-1/key/" + id.value()).getBytes(UTF_8), KEY);
        this.valueKey = Hkdf.expand(spaceKey, ("parley-space-1/value/" + id.value()).getBytes(UTF_8), KEY);
        this.headKey = Hkdf.expand(spaceKey, ("parley-space-1/head/" + id.value()).getBytes(UTF_8), KEY);
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

    private byte[] data(byte[] head, byte[] key) {
        byte[] space = id.value().getBytes(UTF_8);
        return ByteBuffer.allocate(head.length + 2 + space.length + key.length)
                .put(head)
                .putShort((short) space.length)
                .put(space)
                .put(key)
                .array();
    }

    byte[] seal(byte[] key, byte[] value) {
        return seal(valueKey, HEAD, key, value);
    }

    /** Only who has the secret of that slot as well can open it. */
    byte[] seal(byte[] key, byte[] value, KeyFile.Ref ref, byte[] bucketKey) {
        byte[] head = ByteBuffer.allocate(BUCKET_HEAD)
                .put(IN_BUCKET)
                .putInt((int) ref.slot())
                .putLong(ref.serial())
                .array();
        System.arraycopy(headTag(head, key), 0, head, BUCKET_REF, BUCKET_HEAD - BUCKET_REF);
        return seal(bucketKey, head, key, value);
    }

    private byte[] seal(byte[] under, byte[] head, byte[] key, byte[] value) {
        byte[] sealed = sealing.seal(under, data(head, key), value);
        byte[] result = Arrays.copyOf(head, head.length + sealed.length);
        System.arraycopy(sealed, 0, result, head.length, sealed.length);
        return result;
    }

    private byte[] headTag(byte[] head, byte[] key) {
        return HmacSha256.mac(headKey, data(Arrays.copyOf(head, BUCKET_REF), key));
    }

    /** Whether a value that {@link #bucketOf} says is in a bucket was, also if nobody can open it any more. */
    boolean wasInBucket(byte[] key, byte[] sealed) {
        byte[] tag = Arrays.copyOfRange(sealed, BUCKET_REF, BUCKET_HEAD);
        return MessageDigest.isEqual(tag, Arrays.copyOf(headTag(sealed, key), tag.length));
    }

    /** The secret that this value is under as well; null if none. */
    static KeyFile.@Nullable Ref bucketOf(byte[] sealed) {
        if (sealed.length < BUCKET_HEAD || sealed[0] != IN_BUCKET) {
            return null;
        }
        ByteBuffer head = ByteBuffer.wrap(sealed, 1, BUCKET_REF - 1);
        return new KeyFile.Ref(head.getInt() & 0xffff_ffffL, head.getLong());
    }

    /** Null if it is not what was sealed for that key. */
    byte @Nullable [] open(byte[] key, byte[] sealed) {
        return sealed.length == 0 || sealed[0] != VERSION ? null : open(valueKey, HEAD, key, sealed);
    }

    /** The same for a value that {@link #bucketOf} says is in a bucket. */
    byte @Nullable [] open(byte[] key, byte[] sealed, byte[] bucketKey) {
        return open(bucketKey, Arrays.copyOf(sealed, BUCKET_HEAD), key, sealed);
    }

    private byte @Nullable [] open(byte[] under, byte[] head, byte[] key, byte[] sealed) {
        try {
            return Sealing.open(under, data(head, key), sealed, head.length);
        } catch (CipherException e) {
            return null;
        }
    }

    /**
     * A value of a bucket that does not need the bucket's secret; the same for the same kept value, so that a backup sees that
     * nothing changed.
     *
     * @param kept as it lies in the store
     */
    byte[] portable(byte[] key, byte[] kept, byte[] value, long bucket) {
        byte[] head =
                ByteBuffer.allocate(PORTABLE_HEAD).put(PORTABLE).putLong(bucket).array();
        byte[] nonce = Arrays.copyOf(HmacSha256.mac(headKey, head, kept), XChaCha20Poly1305.NONCE);
        byte[] sealed = XChaCha20Poly1305.seal(valueKey, nonce, data(head, key), value);
        return ByteBuffer.allocate(head.length + nonce.length + sealed.length)
                .put(head)
                .put(nonce)
                .put(sealed)
                .array();
    }

    /** The bucket of a portable value; 0 if it is none. */
    static long portableBucket(byte[] sealed) {
        return sealed.length < PORTABLE_HEAD || sealed[0] != PORTABLE
                ? 0
                : ByteBuffer.wrap(sealed, 1, Long.BYTES).getLong();
    }

    /** As {@link #open(byte[], byte[])}, for a portable value. */
    byte @Nullable [] openPortable(byte[] key, byte[] sealed) {
        return open(valueKey, Arrays.copyOf(sealed, PORTABLE_HEAD), key, sealed);
    }

    /** What seals values of a bucket; the caller overwrites it. */
    byte[] bucketKey(byte[] secret) {
        return HmacSha256.mac(secret, BUCKET, valueKey);
    }

    /** Nobody uses it any more. */
    void destroy() {
        Arrays.fill(keyKey, (byte) 0);
        Arrays.fill(valueKey, (byte) 0);
        Arrays.fill(headKey, (byte) 0);
    }
}
