package im.parley.storage.lmdb;

import static org.lwjgl.system.MemoryUtil.memAddress;
import static org.lwjgl.system.MemoryUtil.memAlloc;
import static org.lwjgl.system.MemoryUtil.memCopy;
import static org.lwjgl.system.MemoryUtil.memFree;
import static org.lwjgl.system.MemoryUtil.memGetAddress;
import static org.lwjgl.system.MemoryUtil.memPutInt;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.lwjgl.util.lmdb.LMDB;
import org.lwjgl.util.lmdb.MDBSumFunc;

/**
 * The sums that LMDB puts at the end of each page, or run of pages, that it writes. It calls this once for each while a
 * transaction is committed, on the thread that commits; one thread writes at a time, so nothing here is shared.
 *
 * <p>As its pages are mapped here, LMDB itself never compares them; {@link PageCheck} does, when the file is opened.
 */
final class PageSums implements AutoCloseable {
    /** A CRC-32C: it is to find damage; who changes a file on purpose meets the seals of its values. */
    static final int BYTES = Integer.BYTES;

    private static final int CHUNK = 16_384;

    // All of it made once: an exception, also one of memory, must not leave a page without its sum.
    private final CRC32C sum = new CRC32C();
    private final ByteBuffer chunk = memAlloc(CHUNK);
    private final long chunkAddress = memAddress(chunk);
    private final MDBSumFunc function = MDBSumFunc.create(this::put);

    /** Has an environment that is not open yet write sums; answers LMDB's code. */
    int writtenBy(long environment) {
        return LMDB.nmdb_env_set_checksum(environment, function.address(), BYTES);
    }

    private void put(long source, long target, long key) {
        long left = memGetAddress(source);
        long from = memGetAddress(source + Long.BYTES);
        sum.reset();
        while (left > 0) {
            int length = (int) Math.min(left, CHUNK);
            memCopy(from, chunkAddress, length);
            sum.update(chunk.clear().limit(length));
            from += length;
            left -= length;
        }
        memPutInt(memGetAddress(target + Long.BYTES), (int) sum.getValue());
    }

    /** To be called after the environment was closed, which calls it until then. */
    @Override
    public void close() {
        function.free();
        memFree(chunk);
    }
}
