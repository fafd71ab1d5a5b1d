package im.parley.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The lines of a log that is being written, each once, from a file to its successor when the log is turned over: the old
 * file stays open until it is read to its end. Used by one thread.
 */
final class LogLines implements AutoCloseable {
    private static final int PIECE_BYTES = 64 * 1024;

    private final Path log;
    private final ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
    private final ByteArrayOutputStream unfinished = new ByteArrayOutputStream();
    private FileChannel file;
    private @Nullable Object key;

    LogLines(Path log) throws IOException {
        this.log = log;
        this.file = FileChannel.open(log, StandardOpenOption.READ);
        this.key = key(log);
    }

    /** Lines that were finished since the last call; at first all. */
    List<String> next() throws IOException {
        List<String> lines = new ArrayList<>();
        // Looked at before the rest is read: what was turned over is written no more.
        Object successor = key(log);
        if (file.size() < file.position()) {
            file.position(0);
            unfinished.reset();
        }
        read(lines);
        if (successor != null && !Objects.equals(key, successor)) {
            String rest = rest();
            if (!rest.isEmpty()) {
                lines.add(rest);
            }
            file.close();
            file = FileChannel.open(log, StandardOpenOption.READ);
            key = key(log);
            read(lines);
        }
        return lines;
    }

    /** What stands behind the last finished line; it is not told a second time. */
    String rest() {
        String rest = unfinished.toString(StandardCharsets.UTF_8);
        unfinished.reset();
        return rest;
    }

    private void read(List<String> lines) throws IOException {
        while (file.read(piece.clear()) > 0) {
            piece.flip();
            while (piece.hasRemaining()) {
                byte b = piece.get();
                if (b == '\n') {
                    lines.add(rest());
                } else if (b != '\r') {
                    unfinished.write(b);
                }
            }
        }
    }

    /** Tells a file from the one that took its name; null in the moment in which there is none. */
    private static @Nullable Object key(Path log) throws IOException {
        try {
            return Files.readAttributes(log, BasicFileAttributes.class).fileKey();
        } catch (NoSuchFileException turningOver) {
            return null;
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
