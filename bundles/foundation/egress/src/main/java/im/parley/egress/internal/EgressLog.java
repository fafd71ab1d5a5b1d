package im.parley.egress.internal;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import im.parley.egress.EgressControl.Entry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What left this machine or was kept from leaving: the newest entries in memory, all of them as JSON lines in {@code
 * egress.jsonl}, {@code egress.jsonl.1} and {@code egress.jsonl.2}, 5 MiB each. A disk that fails never stops a
 * connection; it is warned about once. Thread-safe.
 */
final class EgressLog implements AutoCloseable {
    static final int KEPT = 2_000;
    static final int FILES = 3;

    private static final Logger log = LoggerFactory.getLogger(EgressLog.class);

    private final Path file;
    private final long maxBytes;
    private final JsonFactory json = new JsonFactory();
    private final ArrayDeque<Entry> newest = new ArrayDeque<>();
    private @Nullable FileChannel channel;
    private boolean warned;
    private boolean closed;

    EgressLog(Path dir, long maxBytes) {
        this.file = dir.resolve("egress.jsonl");
        this.maxBytes = maxBytes;
    }

    synchronized void add(Entry entry, String instance) {
        newest.add(entry);
        if (newest.size() > KEPT) {
            newest.remove();
        }
        if (closed) {
            return;
        }
        try {
            write(line(entry, instance));
            warned = false;
        } catch (IOException e) {
            closeFile();
            if (!warned) {
                warned = true;
                log.warn(
                        "The egress log {} cannot be written: {}. Connections go on and are kept in memory.",
                        file,
                        e.toString());
            }
        }
    }

    private byte[] line(Entry entry, String instance) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream(256);
        try (JsonGenerator out = json.createGenerator(line)) {
            out.writeStartObject();
            out.writeStringField("at", entry.at().toString());
            out.writeStringField("scope", entry.scope());
            out.writeStringField("by", instance);
            out.writeStringField("reason", entry.reason());
            out.writeStringField("host", entry.host());
            out.writeNumberField("port", entry.port());
            out.writeStringField("address", entry.address());
            out.writeStringField("outcome", entry.outcome());
            out.writeBooleanField("named", entry.named());
            out.writeEndObject();
        }
        line.write('\n');
        return line.toByteArray();
    }

    private void write(byte[] line) throws IOException {
        FileChannel to = open();
        if (to.size() > 0 && to.size() + line.length > maxBytes) {
            closeFile();
            for (int i = FILES - 1; i > 0; i--) {
                Path from = i == 1 ? file : numbered(i - 1);
                if (Files.exists(from)) {
                    Files.move(from, numbered(i), StandardCopyOption.REPLACE_EXISTING);
                }
            }
            to = open();
        }
        ByteBuffer buffer = ByteBuffer.wrap(line);
        while (buffer.hasRemaining()) {
            to.write(buffer);
        }
    }

    private Path numbered(int number) {
        return file.resolveSibling(file.getFileName() + "." + number);
    }

    private FileChannel open() throws IOException {
        FileChannel open = channel;
        if (open == null) {
            Path dir = file.toAbsolutePath().getParent();
            if (dir != null) {
                Files.createDirectories(
                        dir, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            }
            open = FileChannel.open(
                    file,
                    Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            channel = open;
        }
        return open;
    }

    synchronized List<Entry> newest(int limit) {
        List<Entry> all = new ArrayList<>(newest);
        return List.copyOf(all.subList(Math.max(0, all.size() - Math.max(0, limit)), all.size()));
    }

    private void closeFile() {
        FileChannel open = channel;
        channel = null;
        if (open != null) {
            try {
                open.close();
            } catch (IOException e) {
                log.debug("egress log not closed cleanly: {}", e.toString());
            }
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        closeFile();
    }
}
