package im.parley.launcher;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.format.DateTimeParseException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was done to this node, in {@code audit.jsonl} of its data directory: one JSON object per line with its number, the
 * SHA-256 of the line before, and its own over everything in front of it. The number and hash of the newest line are kept
 * beside the device key as well, so that whoever can write to the data directory alone cannot change, cut or replace the
 * log unnoticed. Nothing is ever removed from it. The node and commands write to it, each under a lock beside that note, and
 * go on from what is there. Thread-safe.
 *
 * <p>Acts: {@code stack} (a generation was written because the distribution or the features changed), {@code start}, {@code
 * swap}, {@code swap.done}, {@code swap.switched} and {@code swap.abandoned} (how one ended that a kill had cut off), {@code
 * plugin.install}, {@code plugin.upgrade}, {@code plugin.remove}, {@code stack.apply}, {@code stack.undo}, {@code
 * stack.done}, {@code plugin.rollback} (one failed and all was put back), {@code plugin.refused} and {@code stack.refused}
 * (one was asked for and not begun), {@code plugin.left-out} (a start ran without it), {@code stack.switched} and {@code stack.abandoned} (as those of a swap), {@code
 * trust.add}, {@code trust.remove}, {@code trust.revoke}, {@code trust.minimum}, {@code trust.accept}, {@code trust.forget}
 * and {@code trust.failed} (of {@link TrustStore}), {@code plugin.denied}, {@code service.impostor}, {@code
 * plugin.quarantined} and {@code plugin.leftover} (of the fence around plugins), {@code log.gap} (what was there before is not what was written, or the
 * clock was set back).
 */
public final class AuditLog {
    /** The code of a log that is not what was written. */
    public static final String BROKEN = "audit.chain-broken";

    static final String FILE = "audit.jsonl";

    private static final Logger LOG = LoggerFactory.getLogger(AuditLog.class);
    private static final String HEADS = "audit";
    private static final String NOTHING = "0".repeat(64);
    private static final String HASH = ",\"hash\":\"";
    private static final String GAP = "log.gap";
    private static final int MAX_LINE = 64 * 1024;

    /** Clocks are set by a little all the time. */
    private static final Duration SLACK = Duration.ofMinutes(2);

    private final Path file;
    private final Path head;
    private final InstantSource clock;
    private long number;
    private String last = NOTHING;
    private @Nullable Instant lastAt;
    private long length;

    /**
     * The newest line, as the state directory knows it.
     *
     * @param pending hash of the line behind it, while that is being written; else empty. So a kill is told from a hand
     *     that cut the last line off or added one
     */
    private record Head(long number, String hash, String pending) {
        boolean fits(long found, String foundHash) {
            return found == number && foundHash.equals(hash) || isPending(found, foundHash);
        }

        boolean isPending(long found, String foundHash) {
            return found == number + 1 && !pending.isEmpty() && foundHash.equals(pending);
        }
    }

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

    /**
     * Goes on where the log of that data directory ends; what does not fit is put aside and said so in the new log. All of
     * it is checked: one that is not whole is an ERROR of code {@value #BROKEN}, and the node starts, since whoever can
     * write to its data directory must not have a way to keep it down.
     */
    static AuditLog open(Path dataDir, Path stateDir, InstantSource clock) throws LauncherException {
        Path head = headOf(dataDir, stateDir);
        AuditLog log = new AuditLog(dataDir.resolve(FILE), head, clock);
        NodeDirectory.ownerOnly(stateDir, "data.unusable", "The directory of the device key cannot be used.");
        NodeDirectory.ownerOnly(stateDir.resolve(HEADS), "data.unusable", "The audit log cannot be written.");
        try {
            return FileGuard.holding(lockOf(head), () -> {
                Check check = verify(log.file, head(head));
                if (!check.problem().isEmpty()) {
                    LOG.error("{}: {} See ./parley audit verify", BROKEN, check.problem());
                }
                log.resume();
                return log;
            });
        } catch (IOException e) {
            throw NodeDirectory.unusable(log.file, e);
        }
    }

    private static Path lockOf(Path head) {
        return head.resolveSibling(head.getFileName() + ".lock");
    }

    /** By the data directory's path: a log that is gone has to be missed. */
    private static Path headOf(Path dataDir, Path stateDir) {
        byte[] path = dataDir.toAbsolutePath().normalize().toString().getBytes(StandardCharsets.UTF_8);
        return stateDir.resolve(HEADS).resolve(Hashes.sha256(path).substring(0, 16) + ".json");
    }

    private void resume() throws IOException {
        number = 0;
        last = NOTHING;
        lastAt = null;
        length = 0;
        Head known = head(head);
        Tail tail = tail();
        if (tail == null) {
            // An empty one belongs to a first line that was never written.
            if (known != null && known.number() > 0) {
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
        lastAt = time(newest);
        length = Files.size(file);
        boolean fits = known == null || known.fits(number, last);
        if (!fits) {
            gap("The newest line is not the one that was written.", known);
        } else if (known == null || known.number() != number) {
            note("");
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
        append(GAP, what, clock.instant());
    }

    /** Somebody else may have written since; the note tells, and the length that somebody wrote who does not take notes. */
    private void refresh() throws IOException {
        Head known = head(head);
        boolean ours = known == null
                ? number == 0
                : known.number() == number && known.hash().equals(last);
        if (!ours || length != (Files.exists(file) ? Files.size(file) : 0)) {
            resume();
        }
    }

    /**
     * Appends a line; when this returns it is on disk.
     *
     * @param what members beside number, time and hashes; values as {@link Json} writes them, no secrets
     */
    synchronized void add(String act, Map<String, Object> what) throws IOException {
        try {
            FileGuard.holding(lockOf(head), () -> {
                refresh();
                Instant now = clock.instant();
                Instant before = lastAt;
                if (before != null && now.isBefore(before.minus(SLACK))) {
                    String text = "The clock was set back from " + before + " to " + now + ".";
                    LOG.error("{}: {} See ./parley audit verify", BROKEN, text);
                    append(GAP, Map.of("text", text), now);
                }
                append(act, what, now);
                return number;
            });
        } catch (LauncherException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private void append(String act, Map<String, Object> what, Instant now) throws IOException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("n", number + 1);
        line.put("at", now.toString());
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
        note(hash);
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
        lastAt = now;
        length = Files.size(file);
        note("");
    }

    private void note(String pending) throws IOException {
        Map<String, Object> content = new LinkedHashMap<>();
        content.put("number", number);
        content.put("hash", last);
        content.put("pending", pending);
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
            return new Head(
                    Json.number(content, "number"),
                    Json.text(content, "hash"),
                    // Those of before the member was there have none.
                    content.containsKey("pending") ? Json.text(content, "pending") : "");
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

    private static @Nullable Instant time(Entry entry) {
        try {
            return Instant.parse(entry.at());
        } catch (DateTimeParseException e) {
            return null;
        }
    }

    /**
     * Each whole line until one answers false. What stands behind the last line feed is none yet; one that is longer than
     * any of ours comes as an empty one, and what is no UTF-8 comes out as something else, and then has another hash.
     */
    private static void eachLine(Path file, Predicate<String> action) throws IOException {
        if (!Files.exists(file)) {
            return;
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[MAX_LINE];
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            boolean endless = false;
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                for (int i = 0; i < read; i++) {
                    if (buffer[i] == '\n') {
                        if (!action.test(endless ? "" : line.toString(StandardCharsets.UTF_8))) {
                            return;
                        }
                        line.reset();
                        endless = false;
                    } else if (line.size() < MAX_LINE) {
                        line.write(buffer[i]);
                    } else {
                        endless = true;
                    }
                }
            }
        }
    }

    /** The newest entries, oldest first; lines that cannot be read are left out. */
    public static List<Entry> newest(Path dataDir, int limit) throws IOException {
        Deque<Entry> entries = new ArrayDeque<>();
        eachLine(dataDir.resolve(FILE), line -> {
            Entry entry = entry(line);
            if (entry != null) {
                entries.add(entry);
                if (entries.size() > limit) {
                    entries.remove();
                }
            }
            return true;
        });
        return List.copyOf(entries);
    }

    /** Checks every line, and the newest against what the state directory knows. The node may run meanwhile. */
    public static Check verify(Path dataDir, Map<String, String> environment) throws IOException, LauncherException {
        Path stateDir = StartOptions.stateDir(dataDir.resolve(StartOptions.FILE), NodeDirectory.stateFor(environment));
        Path head = headOf(dataDir, stateDir);
        FileGuard.Act<Check> check = () -> verify(dataDir.resolve(FILE), head(head));
        // Nobody writes meanwhile, but for a log that nobody ever wrote here.
        return Files.exists(lockOf(head)) ? FileGuard.holding(lockOf(head), check) : check.run();
    }

    private static Check verify(Path file, @Nullable Head known) throws IOException {
        Walk walk = new Walk(known);
        eachLine(file, walk::take);
        return walk.check();
    }

    /** A check on its way through the lines. Confined to one thread. */
    private static final class Walk {
        private final @Nullable Head known;
        private long number;
        private String last = NOTHING;
        private @Nullable Instant lastAt;
        private boolean attested;
        private boolean whole;
        private String gap = "";
        private @Nullable String broken;

        Walk(@Nullable Head known) {
            this.known = known;
        }

        boolean take(String line) {
            Entry entry = entry(line);
            long next = number + 1;
            if (entry == null || entry.number() != next) {
                broken = "Line " + next + " is not entry " + next + ".";
                return false;
            }
            if (!previous(line).equals(last)) {
                broken = "Entry " + next + " does not follow the one before it.";
                return false;
            }
            if (!hash(line).equals(claimed(line))) {
                broken = "Entry " + next + " was changed.";
                return false;
            }
            Instant at = time(entry);
            boolean noted = entry.act().equals(GAP);
            if (at == null || lastAt != null && at.isBefore(lastAt.minus(SLACK)) && !noted) {
                broken = "Entry " + next + " is older than the one before it.";
                return false;
            }
            number = next;
            last = claimed(line);
            lastAt = at;
            attested |=
                    known != null && known.number() == number && known.hash().equals(last);
            whole = known != null && known.fits(number, last);
            if (noted && gap.isEmpty()) {
                gap = "Entry " + number + " notes a gap: " + entry.what().get("text");
            }
            return true;
        }

        Check check() {
            if (broken != null) {
                return new Check(number, false, broken);
            }
            if (known != null && known.number() > 0 && !attested) {
                return new Check(
                        number,
                        false,
                        number < known.number()
                                ? "Entries after " + number + " are missing; there were " + known.number() + "."
                                : "Entry " + known.number() + " is not the one that was written.");
            }
            if (known != null && number > 0 && !whole) {
                return new Check(number, false, "Entries after " + known.number() + " were not written by this node.");
            }
            return new Check(number, attested || whole, gap);
        }
    }
}
