package im.parley.vault.internal;

import im.parley.cipher.Argon2id;
import java.nio.ByteBuffer;

/**
 * What one guess costs. Kept beside what it protects, so that it can grow without breaking what exists.
 *
 * @param memoryKib Argon2id memory
 */
record KdfCost(int memoryKib, int passes, int lanes) {
    /** 64 MiB, three passes: about a quarter of a second. */
    static final KdfCost DEFAULT = new KdfCost(64 * 1024, 3, 1);

    static final int SALT = 16;
    static final int BYTES = 6;

    void write(ByteBuffer to) {
        to.putInt(memoryKib).put((byte) passes).put((byte) lanes);
    }

    static KdfCost read(ByteBuffer from) {
        return new KdfCost(from.getInt(), from.get() & 0xff, from.get() & 0xff);
    }

    /** The caller overwrites the result. */
    byte[] derive(byte[] password, byte[] salt) {
        return Argon2id.derive(password, salt, memoryKib, passes, lanes, 32);
    }
}
