package im.parley.launcher;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was done to this node, in {@code audit.jsonl} of its data directory: one JSON object per line with its number, the
 * SHA-256 of the line before, and its own over everything in front of it. The number and hash of the newest line are kept
 * beside the device key as well, so that whoever can write to the data directory alone cannot change, cut or replace the
 * log unnoticed. Nothing is ever removed from it. Thread-safe.
 *
 * <p>Acts: {@code stack} (a generation was written because the distribution or the features changed), {@code start}, {@code
 * swap}, {@code swap.done}, {@code swap.switched} and {@code swap.abandoned} (how one ended that a kill had cut off), {@code
 * log.gap} (what was there before is not what was written).
 */
public final class AuditLog {
    static final String FILE = "audit.jsonl";

    private static final Logger LOG = LoggerFactory.getLogger(AuditLog.class);
    private static final String HEADS = "audit";
    private static final String NOTHING = "0".repeat(64);
    private static final String HASH = ",\"hash\":\"";
    private static final String GAP = "log.gap";
    private static final int MAX_LINE = 64 * 1024;

    private final Path file;
    private final Path head;
    private final InstantSource clock;
    private long number;
    private String last = NOTHING;

    /** The newest line, as the state directory knows it. */
    private record Head(long number, String hash) {}

    /**
     * One line.
     *
     * @param what its own members, beside number, time and hashes
     */
    public record Entry(long number, String at, String act, Map<String, Object> what) {}

    /**
     * What a check found.
     *
     * @param entries lines that belong to the chain
     * @param attested whether the state directory knows the newest line
     * @param problem empty if the log is what was written
     */
    public record Check(long entries, boolean attested, String problem) {}

    private AuditLog(Path file, Path head, InstantSource clock) {
        this.file = file;
        this.head = head;
        this.clock = clock;
    }

    /** Goes on where the log of that data directory ends; what does not fit is put aside and said so in the new log. */
    static AuditLog open(Path dataDir, Path stateDir, InstantSource clock) throws LauncherException {
        AuditLog log = new AuditLog(dataDir.resolve(FILE), headOf(dataDir, stateDir), clock);
        try {
            log.resume();
            return log;
        } catch (IOException e) {
            throw NodeDirectory.unusable(log.file, e);
        }
    }

    /** By the data directory's path: a log that is gone has to be missed. */
    private static Path headOf(Path dataDir, Path stateDir) {
        byte[] path = dataDir.toAbsolutePath().normalize().toString().getBytes(StandardCharsets.UTF_8);
        return stateDir.resolve(HEADS).resolve(Hashes.sha256(path).substring(0, 16) + ".json");
    }

    private void resume() throws IOException {
        Head known = head(head);
        Tail tail = tail();
        if (tail == null) {
            if (known != null) {
                gap("The log was gone.", known);
            }
            return;
        }
        String line = tail.line();
        Entry newest = entry(line);
        if (newest == null || !hash(line).equals(claimed(line))) {
            Path aside = file.resolveSibling(FILE + "." + clock.millis() + ".broken");
            Files.move(file, aside);
            gap("The newest line could not be read, so the log was put aside as " + aside.getFileName() + ".", known);
            return;
        }
        number = newest.number();
        last = claimed(line);
        boolean fits = known == null
                || known.number() == number && known.hash().equals(last)
                // Killed between the line and the note beside the device key.
                || known.number() == number - 1 && known.hash().equals(previous(line));
        if (!fits) {
            gap("The newest line is not the one that was written.", known);
        } else if (known == null || known.number() != number) {
            note();
        }
    }

    private void gap(String text, @Nullable Head known) throws IOException {
        LOG.warn("The audit log has a gap: {} See ./parley audit verify", text);
        Map<String, Object> what = new LinkedHashMap<>();
        what.put("text", text);
        if (known != null) {
            what.put("expectedNumber", known.number());
            what.put("expectedHash", known.hash());
        }
        add(GAP, what);
    }

    /**
     * Appends a line; when this returns it is on disk.
     *
     * @param what members beside number, time and hashes; values as {@link Json} writes them, no secrets
     */
    synchronized void add(String act, Map<String, Object> what) throws IOException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("n", number + 1);
        line.put("at", clock.instant().toString());
        line.put("act", act);
        line.putAll(what);
        line.put("prev", last);
        String open = new String(Json.compact(line), StandardCharsets.UTF_8);
        String covered = open.substring(0, open.length() - 1);
        String hash = Hashes.sha256(covered.getBytes(StandardCharsets.UTF_8));
        byte[] bytes = (covered + HASH + hash + "\"}\n").getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_LINE) {
            throw new IOException("a line of the audit log may have " + MAX_LINE + " bytes");
        }
        boolean fresh = !Files.exists(file);
        try (FileChannel channel = FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            channel.force(true);
        }
        if (fresh) {
            DurableFile.sync(DurableFile.parentOf(file));
        }
        number++;
        last = hash;
        note();
    }

    private void note() throws IOException {
        Path directory = DurableFile.parentOf(head);
        if (!Files.exists(directory)) {
            Files.createDirectories(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
        Map<String, Object> content = new LinkedHashMap<>();
        content.put("number", number);
        content.put("hash", last);
        DurableFile.write(head, Json.pretty(content));
    }

    // ---- reading ----

    private record Tail(String line) {}

    /** The newest whole line; a last one that a kill has cut short was never answered and is taken away. */
    private @Nullable Tail tail() throws IOException {
        if (!Files.exists(file)) {
            return null;
        }
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "rw")) {
            long end = in.length();
            long whole = endOfLine(in, end);
            if (whole < end) {
                in.setLength(whole);
                in.getChannel().force(true);
            }
            if (whole == 0) {
                return null;
            }
            long start = endOfLine(in, whole - 1);
            byte[] line = new byte[(int) (whole - 1 - start)];
            in.seek(start);
            in.readFully(line);
            return new Tail(new String(line, StandardCharsets.UTF_8));
        }
    }

    /** Behind the last line feed before that place; 0 if there is none, and further back than any line of ours is no line. */
    private static long endOfLine(RandomAccessFile in, long before) throws IOException {
        for (long at = before - 1; at >= 0; at--) {
            if (before - at > 2 * MAX_LINE) {
                return at;
            }
            in.seek(at);
            if (in.read() == '\n') {
                return at + 1;
            }
        }
        return 0;
    }

    private static @Nullable Head head(Path head) throws IOException {
        try {
            Map<String, Object> content = Json.object(Files.readAllBytes(head));
            return new Head(Json.number(content, "number"), Json.text(content, "hash"));
        } catch (NoSuchFileException first) {
            return null;
        }
    }

    private static @Nullable Entry entry(String line) {
        try {
            Map<String, Object> all = Json.object(line.getBytes(StandardCharsets.UTF_8));
            Entry entry = new Entry(
                    Json.number(all, "n"), Json.text(all, "at"), Json.text(all, "act"), new LinkedHashMap<>(all));
            entry.what().keySet().removeAll(Set.of("n", "at", "act", "prev", "hash"));
            return entry;
        } catch (IOException e) {
            return null;
        }
    }

    private static String hash(String line) {
        int end = Math.max(0, line.lastIndexOf(HASH));
        return Hashes.sha256(line.substring(0, end).getBytes(StandardCharsets.UTF_8));
    }

    private static String claimed(String line) {
        int start = line.lastIndexOf(HASH) + HASH.length();
        return line.endsWith("\"}") && start <= line.length() - 2 ? line.substring(start, line.length() - 2) : "";
    }

    private static String previous(String line) {
        try {
            return Json.text(Json.object(line.getBytes(StandardCharsets.UTF_8)), "prev");
        } catch (IOException e) {
            return "";
        }
    }

    /** What is no UTF-8 comes out as something else, and then has another hash. */
    private static List<String> lines(Path file) throws IOException {
        return Files.exists(file)
                ? List.of(new String(Files.readAllBytes(file), StandardCharsets.UTF_8).split("\n", -1))
                : List.of("");
    }

    /** The newest entries, oldest first; lines that cannot be read are left out. */
    public static List<Entry> newest(Path dataDir, int limit) throws IOException {
        List<Entry> entries = new ArrayList<>();
        for (String line : lines(dataDir.resolve(FILE))) {
            Entry entry = entry(line);
            if (entry != null) {
                entries.add(entry);
            }
        }
        return List.copyOf(entries.subList(Math.max(0, entries.size() - limit), entries.size()));
    }

    /** Checks every line, and the newest against what the state directory knows. The node may run meanwhile. */
    public static Check verify(Path dataDir, Map<String, String> environment) throws IOException, LauncherException {
        Path stateDir = StartOptions.stateDir(dataDir.resolve(StartOptions.FILE), NodeDirectory.stateFor(environment));
        // First the note: what is written meanwhile is then a line more than it knows.
        return verify(dataDir.resolve(FILE), head(headOf(dataDir, stateDir)));
    }

    private static Check verify(Path file, @Nullable Head known) throws IOException {
        long number = 0;
        String last = NOTHING;
        boolean attested = false;
        String gap = "";
        List<String> lines = lines(file);
        // Behind the last line feed stands nothing, or a line that is being written.
        for (String line : lines.subList(0, lines.size() - 1)) {
            Entry entry = entry(line);
            if (entry == null || entry.number() != number + 1) {
                return new Check(number, false, "Line " + (number + 1) + " is not entry " + (number + 1) + ".");
            }
            if (!previous(line).equals(last)) {
                return new Check(number, false, "Entry " + (number + 1) + " does not follow the one before it.");
            }
            if (!hash(line).equals(claimed(line))) {
                return new Check(number, false, "Entry " + (number + 1) + " was changed.");
            }
            number++;
            last = claimed(line);
            attested |=
                    known != null && known.number() == number && known.hash().equals(last);
            if (entry.act().equals(GAP) && gap.isEmpty()) {
                gap = "Entry " + number + " notes a gap: " + entry.what().get("text");
            }
        }
        if (known != null && !attested) {
            return new Check(
                    number,
                    false,
                    number < known.number()
                            ? "Entries after " + number + " are missing; there were " + known.number() + "."
                            : "Entry " + known.number() + " is not the one that was written.");
        }
        if (known != null && number > known.number() + 1) {
            return new Check(
                    number, false, "Entries after " + (known.number() + 1) + " were not written by this node.");
        }
        return new Check(number, attested, gap);
    }
}
