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
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what swaps and other acts change: the next stack generation, and {@code stack/journal.jsonl}, one line per step.
 * The order makes a kill at any instant harmless: first a line that says what is meant, then the generation, then the
 * pointer to it, so the next start finds the old or the new stack and {@link #settle} can say which.
 *
 * <p>An act ({@link #begin}) may swap several slots and has one generation, which is written when the last of them
 * switches. Until it has ended, no other swap is written.
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
    /** How many acts can be taken back one after the other, whatever the number of starts between. */
    private static final int UNDOABLE = 20;

    private final StackFiles stack;
    private final Path journal;
    private final InstantSource clock;
    private final AuditLog audit;
    private @Nullable Act act;

    /** An act that is under way. */
    private static final class Act {
        private final long entry;
        private final StackFiles.Numbered before;
        private final Generation target;
        private final Map<String, String> swaps;
        private final Map<String, String> made = new LinkedHashMap<>();
        private StackFiles.@Nullable Numbered committed;

        Act(long entry, StackFiles.Numbered before, Generation target, Map<String, String> swaps) {
            this.entry = entry;
            this.before = before;
            this.target = target;
            this.swaps = swaps;
        }
    }

    /**
     * What was done last and not taken back.
     *
     * @param act {@code swap}, or what {@link #begin} was told
     * @param words for people
     * @param previous generation before it
     */
    record Newest(long entry, String act, String words, long previous) {}

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
                case "current" -> current();
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

    private Map<String, Object> current() throws LauncherException {
        StackFiles.Numbered now = stack.current();
        return Map.of("generation", now == null ? 0L : now.number());
    }

    private Map<String, Object> select(Map<String, Object> request) throws IOException, LauncherException {
        String slot = Json.text(request, "slot");
        List<String> select = Json.texts(request, "select");
        Act under = act;
        if (under != null) {
            return select(under, slot, select);
        }
        StackFiles.Numbered current = stack.current();
        if (current == null) {
            return Map.of();
        }
        Generation generation = current.generation();
        List<String> before = generation.slots().get(slot);
        Set<String> configured = generation.complete().keySet();
        // A preference list may hold instances of the moment behind one that is kept.
        List<String> kept = select.stream().filter(configured::contains).toList();
        boolean lasts = before != null && !kept.isEmpty() && kept.get(0).equals(select.get(0));
        long entry = lasts ? nextEntry() : 0;
        Map<String, Object> swap = new LinkedHashMap<>();
        swap.put("entry", entry);
        swap.put("slot", slot);
        swap.put("select", select);
        swap.put("who", Json.text(request, "who"));
        swap.put("why", Json.text(request, "why"));
        swap.put("undoes", request.get("undoes") instanceof Long undone ? undone : 0L);
        audit.add("swap", swap);
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

    /** The last swap of an act makes its generation current; one that is taken back makes the one before it current. */
    private Map<String, Object> select(Act under, String slot, List<String> select) throws LauncherException {
        String first = select.isEmpty() ? "" : select.get(0);
        StackFiles.Numbered committed = under.committed;
        if (first.equals(under.swaps.get(slot))) {
            under.made.put(slot, first);
            if (committed == null && under.made.keySet().containsAll(under.swaps.keySet())) {
                committed = stack.append(under.target);
                under.committed = committed;
            }
        } else if (under.swaps.containsKey(slot)) {
            under.made.remove(slot);
            if (committed != null) {
                stack.append(under.before.generation());
                under.committed = null;
            }
        } else {
            return Map.of(
                    "code",
                    "swap.busy",
                    "problem",
                    "A change of the stack is under way, so " + first
                            + " was not swapped in; try again when it is done.");
        }
        return Map.of("generation", under.committed == null ? 0L : under.committed.number(), "entry", 0L, "act", true);
    }

    // ---- acts ----

    /**
     * Notes what is meant, before anything of it is done.
     *
     * @param name of the act, as the audit log has it
     * @param words for people
     * @param what members for the audit log
     * @param target the generation that the act makes
     * @param swaps slot to the instance that comes first in it, for all that will be swapped
     * @param undoes entry that this takes back; 0 if none
     * @return the entry
     */
    synchronized long begin(
            String name,
            String words,
            Map<String, Object> what,
            StackFiles.Numbered before,
            Generation target,
            Map<String, String> swaps,
            long undoes)
            throws IOException {
        long entry = nextEntry();
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("entry", entry);
        told.putAll(what);
        told.put("undoes", undoes);
        audit.add(name, told);
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("entry", entry);
        line.put("phase", "begun");
        line.put("at", clock.instant().toString());
        line.put("act", name);
        line.put("words", words);
        line.put("undoes", undoes);
        line.put("previous", before.number());
        append(line);
        act = new Act(entry, before, target, Map.copyOf(swaps));
        return entry;
    }

    /** Makes the act's generation current, unless its last swap did; then it is done. */
    synchronized StackFiles.Numbered commit() throws LauncherException {
        Act under = act;
        if (under == null) {
            throw new IllegalStateException("no act is under way");
        }
        StackFiles.Numbered committed = under.committed;
        if (committed == null) {
            committed = stack.append(under.target);
            under.committed = committed;
        }
        return committed;
    }

    /** Whether the act's generation is the one that the next start takes. */
    synchronized boolean isCommitted() {
        return act != null && act.committed != null;
    }

    /**
     * Closes the act.
     *
     * @param problem code of what it failed with; empty if it is done
     */
    synchronized void end(String problem) {
        Act under = act;
        act = null;
        if (under == null) {
            return;
        }
        StackFiles.Numbered committed = under.committed;
        try {
            if (committed == null) {
                append(step(under.entry, "abandoned", under.before.number()));
                audit.add("plugin.rollback", Map.of("entry", under.entry, "code", problem));
            } else {
                append(step(under.entry, "switched", committed.number()));
                audit.add("stack.done", Map.of("entry", under.entry, "generation", committed.number()));
            }
        } catch (IOException e) {
            LOG.error("The journal has no end for entry {}", under.entry, e);
        }
    }

    /** Notes an act that was refused before anything of it was done. */
    synchronized void refused(String name, Map<String, Object> what) {
        try {
            audit.add(name, what);
        } catch (IOException e) {
            LOG.error("A refused {} is not in the audit log", name, e);
        }
    }

    /** Generations that an undo would return to, one after the other; of many the newest. */
    synchronized Set<Long> returnable() throws LauncherException {
        try {
            List<Map<String, Object>> open = open();
            Set<Long> returnable = new TreeSet<>();
            for (Map<String, Object> line : open.subList(Math.max(0, open.size() - UNDOABLE), open.size())) {
                returnable.add(Json.number(line, "previous"));
            }
            return returnable;
        } catch (IOException e) {
            throw NodeDirectory.unusable(journal, e);
        }
    }

    /** Null if nothing was done, or all of it was taken back. */
    synchronized @Nullable Newest newest() throws IOException {
        List<Map<String, Object>> open = open();
        if (open.isEmpty()) {
            return null;
        }
        Map<String, Object> newest = open.get(open.size() - 1);
        boolean swap = !newest.containsKey("act");
        return new Newest(
                Json.number(newest, "entry"),
                swap ? "swap" : Json.text(newest, "act"),
                swap
                        ? "slot " + newest.get("slot") + ": " + newest.get("from") + " gave way to " + newest.get("to")
                        : Json.text(newest, "words"),
                Json.number(newest, "previous"));
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

    /** Only a swap: another act is taken back as a whole, by whoever did it. */
    private Map<String, Object> undoable() throws IOException {
        List<Map<String, Object>> open = open();
        if (open.isEmpty() || open.get(open.size() - 1).containsKey("act")) {
            return Map.of();
        }
        Map<String, Object> newest = open.get(open.size() - 1);
        return Map.of(
                "slot", Json.text(newest, "slot"),
                "from", Json.text(newest, "from"),
                "to", Json.text(newest, "to"),
                "entry", Json.number(newest, "entry"));
    }

    /** What was done and not taken back, the newest last. */
    private List<Map<String, Object>> open() throws IOException {
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
        return new ArrayList<>(open.values());
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
                boolean swap = !begun.containsKey("act");
                audit.add(
                        (swap ? "swap." : "stack.") + phase,
                        Map.of("entry", Json.number(begun, "entry"), "generation", generation));
                LOG.warn(
                        "It was cut off by the end of the node: {}; it starts with the {} stack",
                        swap ? "a swap of slot " + begun.get("slot") + " to " + begun.get("to") : begun.get("words"),
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
