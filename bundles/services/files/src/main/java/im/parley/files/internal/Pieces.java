package im.parley.files.internal;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What of a file is sent, in order: ranges of it, and bytes that stand in for some. Not thread-safe while it is made. */
final class Pieces {
    private static final int MAX = 200_000;

    /** @param bytes null for a range of the file */
    private record Piece(long from, long length, byte @Nullable [] bytes) {}

    private final List<Piece> pieces = new ArrayList<>();
    private long size;

    static Pieces whole(long size) throws IOException {
        Pieces pieces = new Pieces();
        pieces.keep(0, size);
        return pieces;
    }

    void keep(long from, long length) throws IOException {
        if (length <= 0) {
            return;
        }
        Piece last = pieces.isEmpty() ? null : pieces.get(pieces.size() - 1);
        if (last != null && last.bytes() == null && last.from() + last.length() == from) {
            pieces.set(pieces.size() - 1, new Piece(last.from(), last.length() + length, null));
        } else {
            add(new Piece(from, length, null));
        }
        size += length;
    }

    void insert(byte[] bytes) throws IOException {
        add(new Piece(0, bytes.length, bytes));
        size += bytes.length;
    }

    void append(Pieces others) throws IOException {
        for (Piece piece : others.pieces) {
            add(piece);
        }
        size += others.size;
    }

    private void add(Piece piece) throws IOException {
        if (pieces.size() >= MAX) {
            throw new IOException("the file has more parts than any that is made in earnest");
        }
        pieces.add(piece);
    }

    long sizeBytes() {
        return size;
    }

    /** Takes bytes in order. */
    @FunctionalInterface
    interface To<E extends Exception> {
        void write(byte[] buffer, int length) throws E;
    }

    /** @throws EOFException if the file became shorter */
    <E extends Exception> void copy(FileChannel file, byte[] buffer, To<E> to) throws IOException, E {
        for (Piece piece : pieces) {
            long done = 0;
            while (done < piece.length()) {
                int n = (int) Math.min(buffer.length, piece.length() - done);
                byte[] bytes = piece.bytes();
                if (bytes == null) {
                    fill(file, piece.from() + done, buffer, n);
                } else {
                    System.arraycopy(bytes, (int) done, buffer, 0, n);
                }
                to.write(buffer, n);
                done += n;
            }
        }
    }

    /** Reads exactly that many bytes. */
    static void fill(FileChannel file, long from, byte[] buffer, int length) throws IOException {
        ByteBuffer into = ByteBuffer.wrap(buffer, 0, length);
        while (into.hasRemaining()) {
            if (file.read(into, from + into.position()) < 0) {
                throw new EOFException("the file ends early");
            }
        }
    }
}
