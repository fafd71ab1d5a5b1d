package im.parley.launcher;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what swaps change: the next stack generation, and {@code stack/journal.jsonl}, one line per step. The order makes
 * a kill at any instant harmless: first a line that says what is meant, then the generation, then the pointer to it, so
 * the next start finds the old or the new selection and {@link #settle} can say which.
 *
 * <p>Bundles reach it as a {@code Function} between maps of JDK types, because they share no classes with the launcher.
 * Operations, by {@code op}: {@code select} {slot, select, who, why, undoes} answers {generation, entry}, both 0 if the
 * selection names an instance that this node's generation does not configure and therefore is not kept; {@code done}
 * {entry, …numbers}; {@code undoable} answers {slot, from, to, entry}, empty if there is nothing. A failure answers
 * {problem}. Thread-safe.
 */
final class StackDesk implements Function<Map<String, Object>, Map<String, Object>> {
    private static final Logger LOG = LoggerFactory.getLogger(StackDesk.class);
    private static final String JOURNAL = "journal.jsonl";
    private static final int MAX_LINES = 2_000;
    private static final int KEPT_LINES = 1_000;

    private final StackFiles stack;
    private final Path journal;
    private final InstantSource clock;
    private final AuditLog audit;

    StackDesk(StackFiles stack, Path directory, InstantSource clock, AuditLog audit) {
        this.stack = stack;
        this.journal = directory.resolve(JOURNAL);
        this.clock = clock;
        this.audit = audit;
    }

    @Override
    public synchronized Map<String, Object> apply(Map<String, Object> request) {
        try {
            return switch (String.valueOf(request.get("op"))) {
                case "select" -> select(request);
                case "done" -> done(request);
                case "undoable" -> undoable();
                default -> Map.of("problem", "The launcher does not know " + request.get("op") + ".");
            };
        } catch (IOException | LauncherException | RuntimeException e) {
            LOG.error("What a swap changes could not be written", e);
            return Map.of(
                    "problem",
                    "The next stack generation could not be written (" + e.getMessage()
                            + "), so nothing was changed. Make room or correct the owner of the data directory.");
        }
    }

    private Map<String, Object> select(Map<String, Object> request) throws IOException, LauncherException {
        String slot = Json.text(request, "slot");
        List<String> select = Json.texts(request, "select");
        StackFiles.Numbered current = stack.current();
        if (current == null) {
            return Map.of();
        }
        Generation generation = current.generation();
        List<String> before = generation.slots().get(slot);
        // A preference list may hold instances of the moment behind one that is kept.
        List<String> kept =
                select.stream().filter(generation.configurations()::containsKey).toList();
        boolean lasts = before != null && !kept.isEmpty() && kept.get(0).equals(select.get(0));
        long entry = lasts ? nextEntry() : 0;
        Map<String, Object> act = new LinkedHashMap<>();
        act.put("entry", entry);
        act.put("slot", slot);
        act.put("select", select);
        act.put("who", Json.text(request, "who"));
        act.put("why", Json.text(request, "why"));
        act.put("undoes", request.get("undoes") instanceof Long undone ? undone : 0L);
        audit.add("swap", act);
        if (!lasts || before == null) {
            return Map.of();
        }
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("entry", entry);
        line.put("phase", "begun");
        line.put("at", clock.instant().toString());
        line.put("slot", slot);
        line.put("from", before.get(0));
        line.put("to", kept.get(0));
        line.put("who", Json.text(request, "who"));
        line.put("why", Json.text(request, "why"));
        line.put("undoes", request.get("undoes") instanceof Long undoes ? undoes : 0L);
        line.put("previous", current.number());
        append(line);
        StackFiles.Numbered next = stack.append(generation.selecting(slot, kept));
        append(step(entry, "switched", next.number()));
        return Map.of("generation", next.number(), "entry", entry);
    }

    private Map<String, Object> done(Map<String, Object> request) throws IOException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("entry", Json.number(request, "entry"));
        line.put("phase", "done");
        line.put("at", clock.instant().toString());
        for (String number : List.of("inFlight", "drained", "cut", "longestPauseMicros")) {
            line.put(number, Json.number(request, number));
        }
        append(line);
        line.keySet().removeAll(Set.of("phase", "at"));
        audit.add("swap.done", line);
        return Map.of();
    }

    private Map<String, Object> step(long entry, String phase, long generation) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("entry", entry);
        line.put("phase", phase);
        line.put("at", clock.instant().toString());
        line.put("generation", generation);
        return line;
    }

    private Map<String, Object> undoable() throws IOException {
        Map<Long, Map<String, Object>> open = new LinkedHashMap<>();
        Map<Long, Map<String, Object>> begun = new LinkedHashMap<>();
        for (Map<String, Object> line : lines()) {
            long entry = Json.number(line, "entry");
            String phase = Json.text(line, "phase");
            if (phase.equals("begun")) {
                begun.put(entry, line);
            } else if (phase.equals("switched")) {
                Map<String, Object> what = begun.get(entry);
                if (what != null) {
                    long undoes = Json.number(what, "undoes");
                    open.remove(undoes);
                    if (undoes == 0) {
                        open.put(entry, what);
                    }
                }
            }
        }
        if (open.isEmpty()) {
            return Map.of();
        }
        Map<String, Object> newest = new ArrayList<>(open.values()).get(open.size() - 1);
        return Map.of(
                "slot", Json.text(newest, "slot"),
                "from", Json.text(newest, "from"),
                "to", Json.text(newest, "to"),
                "entry", Json.number(newest, "entry"));
    }

    /** At a start, before anything is selected: closes what a kill left open, and says how it ended. */
    synchronized void settle(long generation) throws LauncherException {
        try {
            List<Map<String, Object>> lines = lines();
            if (lines.size() > MAX_LINES) {
                lines = lines.subList(lines.size() - KEPT_LINES, lines.size());
                DurableFile.write(journal, text(lines));
            }
            Map<Long, Map<String, Object>> open = new LinkedHashMap<>();
            for (Map<String, Object> line : lines) {
                if (Json.text(line, "phase").equals("begun")) {
                    open.put(Json.number(line, "entry"), line);
                } else {
                    open.remove(Json.number(line, "entry"));
                }
            }
            for (Map<String, Object> begun : open.values()) {
                boolean switched = generation > Json.number(begun, "previous");
                String phase = switched ? "switched" : "abandoned";
                append(step(Json.number(begun, "entry"), phase, generation));
                audit.add("swap." + phase, Map.of("entry", Json.number(begun, "entry"), "generation", generation));
                LOG.warn(
                        "A swap of slot {} to {} was cut off by the end of the node; it starts with the {} one",
                        begun.get("slot"),
                        begun.get("to"),
                        switched ? "new" : "old");
            }
        } catch (IOException e) {
            throw NodeDirectory.unusable(journal, e);
        }
    }

    private long nextEntry() throws IOException {
        long last = 0;
        for (Map<String, Object> line : lines()) {
            last = Math.max(last, Json.number(line, "entry"));
        }
        return last + 1;
    }

    /** A last line that a kill cut short is left out; it is ended before the next one is written. */
    private List<Map<String, Object>> lines() throws IOException {
        List<Map<String, Object>> lines = new ArrayList<>();
        if (!Files.exists(journal)) {
            return lines;
        }
        for (String line : Files.readString(journal).split("\n", -1)) {
            if (!line.isEmpty()) {
                Map<String, Object> read = readable(line);
                if (read != null) {
                    lines.add(read);
                }
            }
        }
        return lines;
    }

    private static @Nullable Map<String, Object> readable(String line) {
        try {
            return Json.object(line.getBytes(StandardCharsets.UTF_8));
        } catch (IOException | RuntimeException e) {
            LOG.debug("a line of the journal is cut short", e);
            return null;
        }
    }

    private static byte[] text(List<Map<String, Object>> lines) {
        StringBuilder text = new StringBuilder();
        lines.forEach(line -> text.append(line(line)));
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static String line(Map<String, Object> line) {
        return new String(Json.compact(line), StandardCharsets.UTF_8) + "\n";
    }

    private void append(Map<String, Object> line) throws IOException {
        boolean fresh = !Files.exists(journal);
        try (FileChannel channel = FileChannel.open(
                journal,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            long end = channel.size();
            channel.position(end);
            String text = (endsInside(channel, end) ? "\n" : "") + line(line);
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        if (fresh) {
            DurableFile.sync(DurableFile.parentOf(journal));
        }
    }

    private static boolean endsInside(FileChannel channel, long end) throws IOException {
        if (end == 0) {
            return false;
        }
        ByteBuffer last = ByteBuffer.allocate(1);
        channel.read(last, end - 1);
        return last.get(0) != '\n';
    }
}
