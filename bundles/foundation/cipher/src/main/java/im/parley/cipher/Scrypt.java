package im.parley.cipher;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.util.Arrays;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.engines.Salsa20Engine;
import org.bouncycastle.crypto.generators.PKCS5S2ParametersGenerator;
import org.bouncycastle.crypto.params.KeyParameter;

/**
 * scrypt (RFC 7914) with r = 8 and p = 1, in less memory than its cost names: it may keep every second, fourth, ... block
 * only and compute those between again. The result is the same, later. One derivation runs at a time in the whole process,
 * so several callers take no more memory than one; the others wait.
 */
final class Scrypt {
    private static final int R = 8;
    /** Of one block, in ints and in bytes. */
    private static final int BLOCK = 32 * R;

    private static final int BLOCK_BYTES = 4 * BLOCK;
    private static final int SALSA = 16;
    private static final int SALSA_ROUNDS = 8;
    /** Block mixes, each about two microseconds: half a minute on a slow machine. */
    private static final long MOST_STEPS = 12_000_000;

    /** Whoever holds it has the memory. */
    private static final Object PERMIT = new Object();

    private Scrypt() {}

    /** Bytes that a derivation fills when it keeps every block. */
    static long memoryBytes(int logN) {
        return (long) BLOCK_BYTES << logN;
    }

    /** Whether a derivation that may take so much memory ends in half a minute. */
    static boolean affordable(int logN, long mostMemoryBytes) {
        long every = every(logN, mostMemoryBytes);
        // N to fill, N to mix, and half of what was left out to compute again, on the average.
        return (1L << logN) / 2 * (3 + every) <= MOST_STEPS;
    }

    /** One block of how many is kept; a power of two. */
    private static long every(int logN, long mostMemoryBytes) {
        long every = 1;
        while (memoryBytes(logN) / every > mostMemoryBytes && every < 1L << logN) {
            every *= 2;
        }
        return every;
    }

    /**
     * Derives a key.
     *
     * @param logN 1 to 30, {@link #affordable}
     * @param length of the result, in bytes
     */
    static byte[] derive(byte[] password, byte[] salt, int logN, long mostMemoryBytes, int length) {
        byte[] expanded = pbkdf2(password, salt, BLOCK_BYTES);
        try {
            int[] block = new int[BLOCK];
            ints(expanded).get(block);
            synchronized (PERMIT) {
                mix(block, 1 << logN, (int) every(logN, mostMemoryBytes));
            }
            ints(expanded).put(block);
            Arrays.fill(block, 0);
            return pbkdf2(password, expanded, length);
        } finally {
            Arrays.fill(expanded, (byte) 0);
        }
    }

    private static IntBuffer ints(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
    }

    private static byte[] pbkdf2(byte[] password, byte[] salt, int length) {
        PKCS5S2ParametersGenerator generator = new PKCS5S2ParametersGenerator(new SHA256Digest());
        generator.init(password, salt, 1);
        return ((KeyParameter) generator.generateDerivedMacParameters(8 * length)).getKey();
    }

    /** scryptROMix in place. */
    private static void mix(int[] block, int n, int every) {
        int[][] kept = new int[n / every][];
        Blocks blocks = new Blocks();
        int[] again = new int[BLOCK];
        try {
            for (int i = 0; i < n; i++) {
                if (i % every == 0) {
                    kept[i / every] = block.clone();
                }
                blocks.mix(block);
            }
            for (int i = 0; i < n; i++) {
                int wanted = block[BLOCK - SALSA] & n - 1;
                System.arraycopy(kept[wanted / every], 0, again, 0, BLOCK);
                for (int j = wanted % every; j > 0; j--) {
                    blocks.mix(again);
                }
                for (int j = 0; j < BLOCK; j++) {
                    block[j] ^= again[j];
                }
                blocks.mix(block);
            }
        } finally {
            for (int[] each : kept) {
                if (each != null) {
                    Arrays.fill(each, 0);
                }
            }
            Arrays.fill(again, 0);
            blocks.clear();
        }
    }

    /** scryptBlockMix, with its scratch space. */
    private static final class Blocks {
        private final int[] input = new int[SALSA];
        private final int[] output = new int[SALSA];
        private final int[] mixed = new int[BLOCK];

        void mix(int[] block) {
            System.arraycopy(block, BLOCK - SALSA, output, 0, SALSA);
            for (int i = 0; i < 2 * R; i++) {
                for (int j = 0; j < SALSA; j++) {
                    input[j] = output[j] ^ block[i * SALSA + j];
                }
                Salsa20Engine.salsaCore(SALSA_ROUNDS, input, output);
                // Even ones first, then odd ones.
                System.arraycopy(output, 0, mixed, (i / 2 + i % 2 * R) * SALSA, SALSA);
            }
            System.arraycopy(mixed, 0, block, 0, BLOCK);
        }

        void clear() {
            Arrays.fill(input, 0);
            Arrays.fill(output, 0);
            Arrays.fill(mixed, 0);
        }
    }
}
