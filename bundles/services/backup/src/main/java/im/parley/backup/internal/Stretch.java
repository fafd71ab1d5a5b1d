package im.parley.backup.internal;

import im.parley.cipher.Argon2id;

/**
 * What one guess of the passphrase costs; kept in the head so that it can grow.
 *
 * @param memoryKib Argon2id memory
 */
record Stretch(int memoryKib, int passes, int lanes) {
    /** 64 MiB, three passes: about a quarter of a second. */
    static final Stretch DEFAULT = new Stretch(64 * 1024, 3, 1);

    /** A head from elsewhere must not take the node down. */
    private static final int MOST_MEMORY_KIB = 256 * 1024;

    private static final int MOST_PASSES = 16;
    private static final int MOST_LANES = 4;

    boolean affordable() {
        return lanes >= 1
                && lanes <= MOST_LANES
                && memoryKib >= 8 * lanes
                && memoryKib <= MOST_MEMORY_KIB
                && passes >= 1
                && passes <= MOST_PASSES;
    }

    /** The caller overwrites the result. */
    byte[] derive(byte[] passphrase, byte[] salt) {
        return Argon2id.derive(passphrase, salt, memoryKib, passes, lanes, RepositoryKeys.KEY);
    }
}
