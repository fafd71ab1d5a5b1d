package im.parley.control;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.Arrays;

/**
 * Reads lines of bytes and leaves none of them in memory behind it: a PIN may be among them. The network side is a direct
 * buffer, which is in no heap dump and is zeroed all the same. Used by one thread.
 */
final class LineReader implements AutoCloseable {
    private static final int NETWORK_BYTES = 8192;

    private final ReadableByteChannel channel;
    private final int maxBytes;
    private final ByteBuffer network = ByteBuffer.allocateDirect(NETWORK_BYTES).flip();
    private byte[] line = new byte[1024];
    private int length;

    LineReader(ReadableByteChannel channel, int maxBytes) {
        this.channel = channel;
        this.maxBytes = maxBytes;
    }

    /** What {@link #next} found. */
    enum Found {
        LINE,
        TOO_LONG,
        END
    }

    /** Wipes the last line and reads the next; it is in {@link #bytes} up to {@link #length}. Blocks. */
    Found next() throws IOException {
        wipe();
        while (true) {
            while (network.hasRemaining()) {
                byte b = network.get();
                network.put(network.position() - 1, (byte) 0);
                if (b == '\n') {
                    return Found.LINE;
                }
                if (length == maxBytes) {
                    return Found.TOO_LONG;
                }
                if (length == line.length) {
                    grow();
                }
                line[length++] = b;
            }
            network.clear();
            int read = channel.read(network);
            network.flip();
            if (read < 0) {
                return Found.END;
            }
        }
    }

    byte[] bytes() {
        return line;
    }

    int length() {
        return length;
    }

    private void grow() {
        byte[] old = line;
        line = Arrays.copyOf(old, Math.min(maxBytes, old.length * 2));
        Arrays.fill(old, (byte) 0);
    }

    private void wipe() {
        Arrays.fill(line, 0, length, (byte) 0);
        length = 0;
    }

    /** Wipes everything. */
    @Override
    public void close() {
        wipe();
        network.clear();
        while (network.hasRemaining()) {
            network.put((byte) 0);
        }
    }
}
