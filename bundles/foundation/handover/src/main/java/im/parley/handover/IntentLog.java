package im.parley.handover;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * What is about to be removed from a store and leaves no mark there: one line each, on disk before the removal. A line says
 * "look at this again", so one too many does no harm. A line cut short by a crash belongs to a removal that did not begin.
 * Thread-safe.
 */
final class IntentLog implements AutoCloseable {
    private static final long COMPACT_BYTES = 256 * 1024;

    private final Path file;
    private final Map<Long, Intent> open = new LinkedHashMap<>();
    private FileChannel channel;
    private long lastNumber;
    private long obsoleteBytes;
    /** A line may be cut short in the middle of the file. */
    private boolean torn;

    private record Intent(List<String> lines, boolean done) {}

    /** Something to look at. */
    record Told(long number, List<String> lines) {}

    private IntentLog(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /** Opens the log of an earlier run, or a new one. */
    static IntentLog open(Path file) throws ProviderException {
        try {
            List<String> lines = Files.exists(file) ? whole(Files.readString(file)) : List.of();
            IntentLog log = new IntentLog(file, rewritten(file, lines));
            if (!lines.isEmpty()) {
                log.open.put(++log.lastNumber, new Intent(lines, true));
            }
            return log;
        } catch (IOException e) {
            throw failed(file, e);
        }
    }

    private static List<String> whole(String text) {
        List<String> lines = new ArrayList<>(List.of(text.split("\n", -1)));
        // Behind the last line end there is nothing, or what a crash cut short.
        lines.remove(lines.size() - 1);
        return lines;
    }

    private static FileChannel rewritten(Path file, List<String> lines) throws IOException {
        Path next = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(next);
        FileChannel channel = FileChannel.open(
                next,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try {
            write(channel, lines);
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            Directories.sync(Objects.requireNonNull(file.toAbsolutePath().getParent()));
            return channel;
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    private static void write(FileChannel channel, List<String> lines) throws IOException {
        StringBuilder text = new StringBuilder();
        lines.forEach(line -> text.append(line).append('\n'));
        ByteBuffer bytes = ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        channel.force(true);
    }

    /**
     * Writes lines; on disk when it returns.
     *
     * @return to be handed to {@link #done} once what was meant has happened or failed
     */
    synchronized long append(List<String> lines) throws ProviderException {
        try {
            if (torn) {
                rewrite();
            }
            torn = true;
            write(channel, lines);
            torn = false;
        } catch (IOException e) {
            throw failed(file, e);
        }
        open.put(++lastNumber, new Intent(List.copyOf(lines), false));
        return lastNumber;
    }

    synchronized void done(long number) {
        open.computeIfPresent(number, (same, intent) -> new Intent(intent.lines(), true));
    }

    /** Those that are done, oldest first. */
    synchronized List<Told> told() {
        List<Told> told = new ArrayList<>();
        open.forEach((number, intent) -> {
            if (intent.done()) {
                told.add(new Told(number, intent.lines()));
            }
        });
        return told;
    }

    /** They have been looked at. */
    synchronized void forget(List<Told> told) throws ProviderException {
        for (Told each : told) {
            open.remove(each.number());
            for (String line : each.lines()) {
                obsoleteBytes += line.length() + 1L;
            }
        }
        if (obsoleteBytes > 0 && (open.isEmpty() || obsoleteBytes > COMPACT_BYTES)) {
            try {
                rewrite();
            } catch (IOException e) {
                throw failed(file, e);
            }
        }
    }

    private void rewrite() throws IOException {
        List<String> left = new ArrayList<>();
        open.values().forEach(intent -> left.addAll(intent.lines()));
        FileChannel next = rewritten(file, left);
        channel.close();
        channel = next;
        obsoleteBytes = 0;
        torn = false;
    }

    private static ProviderException failed(Path file, IOException e) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.io-error",
                "The journal of removals cannot be written (" + file.getFileName() + ": " + e.getMessage()
                        + "), so nothing was removed. Make room or correct the owner of the data directory.");
    }

    @Override
    public synchronized void close() throws ProviderException {
        try {
            channel.close();
        } catch (IOException e) {
            throw failed(file, e);
        }
    }
}
