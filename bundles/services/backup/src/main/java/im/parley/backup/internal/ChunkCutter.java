package im.parley.backup.internal;

import im.parley.api.lifecycle.ProviderException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Cuts records into chunks, so that a record that changes, comes or goes moves few cuts: behind a record whose key says so,
 * once a chunk has a third of its size, and where a chunk is full, perhaps inside a record. Values never decide. Used by one
 * thread.
 *
 * <pre>
 * record = length of the key u8, key, length of the value u32, value
 * </pre>
 */
final class ChunkCutter {
    private static final int LEAST = Repository.CHUNK / 3;
    /** A cut behind every so many records on the average; a power of two. */
    private static final int EVERY = 32;

    private final RepositoryKeys keys;
    private final Out out;
    private final byte[] buffer = new byte[Repository.CHUNK];
    private int size;

    /** Takes chunks. */
    @FunctionalInterface
    interface Out {
        /** The array is the taker's. */
        void chunk(byte[] data) throws ProviderException;
    }

    ChunkCutter(RepositoryKeys keys, Out out) {
        this.keys = keys;
        this.out = out;
    }

    void record(byte[] key, byte[] value) throws ProviderException {
        append(head(key, value.length));
        append(value);
        if (size >= LEAST && (keys.boundary(key) & EVERY - 1) == 0) {
            end();
        }
    }

    static byte[] head(byte[] key, int valueLength) {
        return ByteBuffer.allocate(1 + key.length + Integer.BYTES)
                .put((byte) key.length)
                .put(key)
                .putInt(valueLength)
                .array();
    }

    private void append(byte[] bytes) throws ProviderException {
        int from = 0;
        while (from < bytes.length) {
            if (size == buffer.length) {
                end();
            }
            int part = Math.min(bytes.length - from, buffer.length - size);
            System.arraycopy(bytes, from, buffer, size, part);
            size += part;
            from += part;
        }
    }

    /** Gives out what is left. */
    void end() throws ProviderException {
        if (size > 0) {
            byte[] chunk = Arrays.copyOf(buffer, size);
            size = 0;
            out.chunk(chunk);
        }
    }
}
