package im.parley.egress.internal;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import im.parley.egress.EgressControl.Entry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What left this machine or was kept from leaving: the newest entries in memory, also those from before the start; all of
 * them as JSON lines in {@code egress.jsonl}, {@code egress.jsonl.1} and {@code egress.jsonl.2}, 5 MiB each. A disk that
 * fails never stops a connection; it is warned about once. Thread-safe.
 */
final class EgressLog implements AutoCloseable {
    static final int KEPT = 2_000;
    static final int FILES = 3;
    /** Of each file: more than {@link #KEPT} lines have. */
    private static final int RESTORED_BYTES = 1 << 20;

    private static final Logger log = LoggerFactory.getLogger(EgressLog.class);

    private final Path file;
    private final long maxBytes;
    private final JsonFactory json = new JsonFactory();
    private final ArrayDeque<Entry> newest = new ArrayDeque<>();
    /** Scopes that were forgotten since the start; their names never come back. */
    private final Set<String> over = new HashSet<>();

    private @Nullable FileChannel channel;
    private boolean warned;
    private boolean closed;

    EgressLog(Path dir, long maxBytes) {
        this.file = dir.resolve("egress.jsonl");
        this.maxBytes = maxBytes;
        for (Path each : List.of(numbered(1), file)) {
            try {
                if (Files.exists(each)) {
                    restore(each);
                }
            } catch (IOException e) {
                log.warn("What {} says of connections before this start cannot be read: {}", each, e.toString());
            }
        }
    }

    private void restore(Path from) throws IOException {
        byte[] end;
        try (FileChannel in = FileChannel.open(from, StandardOpenOption.READ)) {
            long start = Math.max(0, in.size() - RESTORED_BYTES);
            ByteBuffer buffer = ByteBuffer.allocate((int) (in.size() - start));
            while (buffer.hasRemaining() && in.read(buffer, start + buffer.position()) >= 0) {
                continue;
            }
            end = Arrays.copyOf(buffer.array(), buffer.position());
        }
        // The first line may have lost its beginning, and after a power cut the last one its end: no entry is made of
        // those.
        for (String line : new String(end, StandardCharsets.UTF_8).split("\n", -1)) {
            Entry entry = entry(line);
            if (entry != null) {
                keep(entry);
            }
        }
    }

    private @Nullable Entry entry(String line) {
        Map<String, String> texts = new HashMap<>();
        try (JsonParser in = json.createParser(line)) {
            if (in.nextToken() != JsonToken.START_OBJECT) {
                return null;
            }
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                String name = in.currentName();
                if (!in.nextToken().isScalarValue()) {
                    return null;
                }
                texts.put(name, in.getText());
            }
            return new Entry(
                    Instant.parse(texts.getOrDefault("at", "")),
                    texts.getOrDefault("scope", ""),
                    texts.getOrDefault("reason", ""),
                    texts.getOrDefault("host", ""),
                    Integer.parseInt(texts.getOrDefault("port", "")),
                    texts.getOrDefault("address", ""),
                    texts.getOrDefault("outcome", ""),
                    Boolean.parseBoolean(texts.get("named")));
        } catch (IOException | DateTimeParseException | NumberFormatException e) {
            return null;
        }
    }

    private void keep(Entry entry) {
        newest.add(entry);
        if (newest.size() > KEPT) {
            newest.remove();
        }
    }

    synchronized void add(Entry entry, String instance) {
        if (over.contains(entry.scope())) {
            // Begun before its scope was over.
            return;
        }
        keep(entry);
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

    /** Takes the entries of a scope away, here and in the files, each of which is replaced as a whole. */
    synchronized void forget(String scope) {
        over.add(scope);
        newest.removeIf(entry -> entry.scope().equals(scope));
        closeFile();
        for (int i = FILES - 1; i >= 0; i--) {
            Path each = i == 0 ? file : numbered(i);
            try {
                if (Files.exists(each)) {
                    rewrite(each, scope);
                }
            } catch (IOException e) {
                log.warn("What {} says of a scope that is over cannot be taken out: {}", each, e.toString());
            }
        }
    }

    private void rewrite(Path each, String scope) throws IOException {
        String before = Files.readString(each);
        StringBuilder kept = new StringBuilder(before.length());
        for (String line : before.split("\n", -1)) {
            Entry entry = entry(line);
            // Of a line without its end nobody can say whose it was, but that it names the scope.
            boolean over = entry == null ? line.contains(scope) : entry.scope().equals(scope);
            if (!over && !line.isEmpty()) {
                kept.append(line).append('\n');
            }
        }
        if (kept.length() == before.length()) {
            return;
        }
        Path rewritten = each.resolveSibling(each.getFileName() + ".new");
        Files.deleteIfExists(rewritten);
        try (FileChannel out = FileChannel.open(
                rewritten,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer buffer = ByteBuffer.wrap(kept.toString().getBytes(StandardCharsets.UTF_8));
            while (buffer.hasRemaining()) {
                out.write(buffer);
            }
            out.force(true);
        }
        Files.move(rewritten, each, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
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
            endTornLine(open);
        }
        return open;
    }

    /** So that the next entry does not become part of one that a power cut has cut short. */
    private void endTornLine(FileChannel open) throws IOException {
        if (open.size() == 0) {
            return;
        }
        ByteBuffer last = ByteBuffer.allocate(1);
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            in.read(last, in.size() - 1);
        }
        if (last.get(0) != '\n') {
            open.write(ByteBuffer.wrap(new byte[] {'\n'}));
        }
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
