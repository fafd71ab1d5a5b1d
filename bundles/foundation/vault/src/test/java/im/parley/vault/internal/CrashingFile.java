package im.parley.vault.internal;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A disk that keeps for certain only what was forced, and that fails or ends its process when it is told to. */
final class CrashingFile implements SlotFile {
    /** The process is no more. */
    static final class Crash extends Error {
        private static final long serialVersionUID = 1L;
    }

    private record Write(int from, byte[] bytes) {}

    private byte[] forced = {};
    private final List<Write> unforced = new ArrayList<>();
    /** Everything that was ever written. */
    final ByteArrayOutputStream written = new ByteArrayOutputStream();

    /** Steps until the process ends: writes, forces and what a test counts; 0 for never. */
    int crashIn;

    /** Bytes that reach the disk of a write during which the process ends. */
    int torn;

    boolean refuses;
    int forces;

    void step(Runnable partly) {
        if (crashIn > 0 && --crashIn == 0) {
            partly.run();
            throw new Crash();
        }
    }

    /** What the next process finds. */
    byte[] left(boolean unforcedToo) {
        byte[] left = forced;
        if (unforcedToo) {
            for (Write write : unforced) {
                left = applied(left, write);
            }
        }
        return left.clone();
    }

    static CrashingFile of(byte[] left) {
        CrashingFile file = new CrashingFile();
        file.forced = left;
        return file;
    }

    private static byte[] applied(byte[] to, Write write) {
        byte[] bytes = Arrays.copyOf(to, Math.max(to.length, write.from + write.bytes.length));
        System.arraycopy(write.bytes, 0, bytes, write.from, write.bytes.length);
        return bytes;
    }

    @Override
    public long size() {
        return left(true).length;
    }

    @Override
    public byte[] read(long from, int length) {
        byte[] all = left(true);
        return from >= all.length
                ? new byte[0]
                : Arrays.copyOfRange(all, (int) from, (int) Math.min(all.length, from + length));
    }

    @Override
    public void write(long from, byte[] bytes) throws IOException {
        if (refuses) {
            throw new IOException("planted");
        }
        step(() -> unforced.add(new Write((int) from, Arrays.copyOf(bytes, Math.min(torn, bytes.length)))));
        written.writeBytes(bytes);
        unforced.add(new Write((int) from, bytes.clone()));
    }

    @Override
    public void force() throws IOException {
        if (refuses) {
            throw new IOException("planted");
        }
        step(() -> {});
        forced = left(true);
        unforced.clear();
        forces++;
    }

    @Override
    public void erase() {
        forced = new byte[0];
        unforced.clear();
    }

    @Override
    public void close() {}
}
