package im.parley.cipher;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * AES-256-GCM over something too large for memory, such as a file. Ciphertext is as long as plaintext; the tag comes last.
 *
 * <p>The JDK's own cipher holds a whole message back before it decrypts, and takes 2 GiB at most, so this one is put together
 * from its counter mode and GHASH. <strong>It hands out plaintext before the tag is known:</strong> to decrypt, run one object
 * over the whole ciphertext with {@link #authenticate} first, compare {@link #tagEquals}, and only then decrypt with another.
 *
 * <p>Use one of {@link #encrypt}, {@link #authenticate} and {@link #decrypt} per object. Not thread-safe.
 *
 * <p>Source: NIST SP 800-38D.
 */
public final class AesGcmStream {
    /** Length of a key in bytes. */
    public static final int KEY = 32;
    /** Length of a nonce of our own in bytes; others are taken, too. */
    public static final int NONCE = 12;
    /** Length of the tag in bytes. */
    public static final int TAG = 16;
    /** The most that may be encrypted under one key and nonce, in bytes. */
    public static final long MAX_BYTES = (1L << 36) - 32;

    private static final int BLOCK = 16;
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final long REDUCTION = 0xE100000000000000L;

    private final SecretKeySpec key;
    private final Cipher counter;
    private final Ghash ghash;
    private final byte[] first;
    private final byte[] mask = new byte[BLOCK];
    private long size;

    /** Blocks until the last 4 bytes of the counter are 0 again, which the counter of the JDK would carry on. */
    private long blocksToWrap;

    /** Bytes of the current block that the counter has given. */
    private int inBlock;

    /**
     * @param key {@value #KEY} bytes, copied
     * @param nonce 1 byte or more, of which {@value #NONCE} are usual; never twice with one key
     */
    public AesGcmStream(byte[] key, byte[] nonce) {
        if (key.length != KEY || nonce.length == 0) {
            throw new IllegalArgumentException("a key has " + KEY + " bytes and a nonce at least 1");
        }
        this.key = new SecretKeySpec(key, "AES");
        try {
            Cipher block = Cipher.getInstance("AES/ECB/NoPadding");
            block.init(Cipher.ENCRYPT_MODE, this.key);
            ghash = new Ghash(block.doFinal(new byte[BLOCK]));
            first = firstBlock(nonce, ghash);
            block.doFinal(first, 0, BLOCK, mask, 0);
            counter = Cipher.getInstance("AES/CTR/NoPadding");
            start((int) INT.get(first, 12) + 1);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has AES", e);
        }
    }

    private static byte[] firstBlock(byte[] nonce, Ghash ghash) {
        byte[] block = new byte[BLOCK];
        if (nonce.length == NONCE) {
            System.arraycopy(nonce, 0, block, 0, NONCE);
            block[BLOCK - 1] = 1;
            return block;
        }
        ghash.update(nonce, 0, nonce.length);
        ghash.end(0, nonce.length);
        ghash.result(block);
        ghash.reset();
        return block;
    }

    private void start(int at) throws GeneralSecurityException {
        byte[] block = first.clone();
        INT.set(block, 12, at);
        counter.init(Cipher.ENCRYPT_MODE, key, new IvParameterSpec(block));
        blocksToWrap = (1L << 32) - Integer.toUnsignedLong(at);
        inBlock = 0;
    }

    /** Encrypts in place. */
    public void encrypt(byte[] buffer, int from, int length) {
        count(length);
        cross(buffer, from, length);
        ghash.update(buffer, from, length);
    }

    /** Takes ciphertext in, for the tag; changes nothing. */
    public void authenticate(byte[] buffer, int from, int length) {
        count(length);
        ghash.update(buffer, from, length);
    }

    /** Decrypts in place what was authenticated before. */
    public void decrypt(byte[] buffer, int from, int length) {
        count(length);
        cross(buffer, from, length);
    }

    private void count(int length) {
        if (length > MAX_BYTES - size) {
            throw new IllegalStateException("one key and nonce are good for " + MAX_BYTES + " bytes");
        }
        size += length;
    }

    private void cross(byte[] buffer, int from, int length) {
        try {
            int at = from;
            int left = length;
            while (left > 0) {
                long room = blocksToWrap * BLOCK - inBlock;
                int n = (int) Math.min(left, room);
                if (counter.update(buffer, at, n, buffer, at) != n) {
                    throw new IllegalStateException("counter mode holds nothing back");
                }
                at += n;
                left -= n;
                blocksToWrap -= (inBlock + (long) n) / BLOCK;
                inBlock = (inBlock + n) % BLOCK;
                if (blocksToWrap == 0) {
                    start(0);
                }
            }
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("AES in counter mode failed", e);
        }
    }

    /** The tag of everything so far; ends the object. After {@link #decrypt} it means nothing. */
    public byte[] tag() {
        ghash.end(0, size);
        byte[] tag = new byte[TAG];
        ghash.result(tag);
        for (int i = 0; i < TAG; i++) {
            tag[i] ^= mask[i];
        }
        return tag;
    }

    /** Whether that is the {@link #tag}, in the same time wherever they differ; ends the object. */
    public boolean tagEquals(byte[] expected) {
        return MessageDigest.isEqual(tag(), expected);
    }

    /** Multiplies by a fixed element with a table for each byte of a block, 64 KiB in all. */
    private static final class Ghash {
        private final long[] high = new long[BLOCK * 256];
        private final long[] low = new long[BLOCK * 256];
        private final byte[] partial = new byte[BLOCK];
        private int inPartial;
        private long y0;
        private long y1;

        Ghash(byte[] h) {
            long h0 = (long) LONG.get(h, 0);
            long h1 = (long) LONG.get(h, 8);
            for (int position = 0; position < BLOCK; position++) {
                int base = position * 256;
                // Bit 7 of a byte is the lowest power of x in it.
                for (int bit = 0x80; bit > 0; bit >>= 1) {
                    high[base + bit] = h0;
                    low[base + bit] = h1;
                    long carry = -(h1 & 1) & REDUCTION;
                    h1 = h1 >>> 1 | h0 << 63;
                    h0 = h0 >>> 1 ^ carry;
                }
                for (int bit = 2; bit < 256; bit <<= 1) {
                    for (int rest = 1; rest < bit; rest++) {
                        high[base + bit + rest] = high[base + bit] ^ high[base + rest];
                        low[base + bit + rest] = low[base + bit] ^ low[base + rest];
                    }
                }
            }
        }

        void reset() {
            y0 = 0;
            y1 = 0;
            inPartial = 0;
        }

        void update(byte[] bytes, int from, int length) {
            int at = from;
            int left = length;
            if (inPartial > 0) {
                int n = Math.min(left, BLOCK - inPartial);
                System.arraycopy(bytes, at, partial, inPartial, n);
                inPartial += n;
                at += n;
                left -= n;
                if (inPartial < BLOCK) {
                    return;
                }
                block((long) LONG.get(partial, 0), (long) LONG.get(partial, 8));
                inPartial = 0;
            }
            for (; left >= BLOCK; left -= BLOCK, at += BLOCK) {
                block((long) LONG.get(bytes, at), (long) LONG.get(bytes, at + 8));
            }
            System.arraycopy(bytes, at, partial, 0, left);
            inPartial = left;
        }

        private void block(long x0, long x1) {
            long a = y0 ^ x0;
            long b = y1 ^ x1;
            long z0 = 0;
            long z1 = 0;
            for (int i = 0, shift = 56; i < 8; i++, shift -= 8) {
                int first = i * 256 + (int) (a >>> shift & 0xff);
                int second = (i + 8) * 256 + (int) (b >>> shift & 0xff);
                z0 ^= high[first] ^ high[second];
                z1 ^= low[first] ^ low[second];
            }
            y0 = z0;
            y1 = z1;
        }

        /** Fills the last block up and takes the lengths in. */
        void end(long associated, long bytes) {
            if (inPartial > 0) {
                Arrays.fill(partial, inPartial, BLOCK, (byte) 0);
                block((long) LONG.get(partial, 0), (long) LONG.get(partial, 8));
                inPartial = 0;
            }
            block(associated * 8, bytes * 8);
        }

        void result(byte[] to) {
            LONG.set(to, 0, y0);
            LONG.set(to, 8, y1);
        }
    }
}
