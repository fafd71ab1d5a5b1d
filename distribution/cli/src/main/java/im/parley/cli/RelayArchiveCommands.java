package im.parley.cli;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The events of the own relay as JSON lines, which other relays and tools write and read too. */
final class RelayArchiveCommands {
    private static final String STREAM = "-";

    private RelayArchiveCommands() {}

    /** Says how far it is: on a terminal in one line that changes, elsewhere a line now and then. */
    private static final class Progress {
        private static final long TERMINAL_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
        private static final long FILE_NANOS = TimeUnit.SECONDS.toNanos(5);

        private final Invocation invocation;
        private final boolean quiet;
        private final boolean terminal;
        private long said = System.nanoTime();
        private boolean open;

        Progress(Invocation invocation, boolean quiet) {
            this.invocation = invocation;
            this.quiet = quiet;
            this.terminal = invocation.interactive();
        }

        void at(long events, String share) {
            long now = System.nanoTime();
            if (quiet || now - said < (terminal ? TERMINAL_NANOS : FILE_NANOS)) {
                return;
            }
            said = now;
            open = terminal;
            invocation.err().print((terminal ? "\r" : "") + many(events) + share + (terminal ? "   " : "\n"));
            invocation.err().flush();
        }

        void end() {
            if (open) {
                invocation.err().print("\r" + " ".repeat(40) + "\r");
                invocation.err().flush();
            }
        }
    }

    private static String many(long events) {
        return String.format(Locale.ROOT, "%,d", events) + (events == 1 ? " event" : " events");
    }

    @Command(
            name = "export",
            description = "Writes every event of this node's own relay, one JSON object per line, oldest commit first."
                    + " Whoever has the file can read what is public in it; messages stay sealed.")
    static final class Export extends BaseCommand {
        @Parameters(paramLabel = "FILE", description = "A new file, or - for standard output.")
        private String file = "";

        @Option(names = "--force", description = "Replace the file if it is there.")
        private boolean force;

        Export(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, IOException {
            if (file.equals(STREAM)) {
                try (NodeClient client = connect()) {
                    long[] sums = copy(client, invocation().out());
                    invocation().err().println(many(sums[0]) + " written.");
                }
                return Exit.OK;
            }
            Path target = Path.of(file).toAbsolutePath();
            refuseExisting(target);
            Path part = target.resolveSibling(
                    "." + target.getFileName() + "." + ProcessHandle.current().pid() + ".part");
            try (NodeClient client = connect()) {
                long[] sums;
                try (OutputStream out = Files.newOutputStream(create(part))) {
                    sums = copy(client, out);
                }
                refuseExisting(target);
                Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                show(
                        Map.of("file", target.toString(), "events", sums[0], "bytes", sums[1]),
                        many(sums[0]) + " written to " + target + ", " + Plain.bytes(sums[1]) + ".");
                return Exit.OK;
            } catch (IOException e) {
                throw new Failure(
                        Exit.REFUSED,
                        "file.not-written",
                        "The events were not exported.",
                        target + " cannot be written: " + reason(e) + ".",
                        e instanceof NoSuchFileException || e instanceof AccessDeniedException
                                ? "Name a file in a directory that is there and yours."
                                : "Free some space or name another file.");
            } finally {
                Files.deleteIfExists(part);
            }
        }

        /** What is in it concerns nobody but the operator. */
        private static Path create(Path part) throws IOException {
            return Files.createFile(
                    part, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        }

        private void refuseExisting(Path target) throws Failure {
            if (!force && Files.exists(target)) {
                throw new Failure(
                        Exit.REFUSED,
                        "file.exists",
                        "The events were not exported.",
                        target + " is there already.",
                        "Name another file, or replace it with --force.");
            }
        }

        /** Events and bytes. */
        private long[] copy(NodeClient client, OutputStream out) throws Failure, IOException {
            Progress progress = new Progress(invocation(), json());
            long[] sums = new long[2];
            long after = 0;
            boolean last = false;
            while (!last) {
                Map<String, Object> page = client.call("relay.export", Map.of("after", after));
                String events = Answer.text(page, "events");
                if (!events.isEmpty()) {
                    byte[] lines = (events + "\n").getBytes(StandardCharsets.UTF_8);
                    out.write(lines);
                    // A stream of text keeps its errors to itself; whoever reads the other end may have had enough.
                    if (out instanceof PrintStream text && text.checkError()) {
                        throw Failure.outputLost();
                    }
                    sums[0] += events.chars().filter(c -> c == '\n').count() + 1;
                    sums[1] += lines.length;
                }
                after = Answer.number(page, "next");
                last = Answer.flag(page, "last");
                progress.at(sums[0], ", " + Plain.bytes(sums[1]));
            }
            out.flush();
            progress.end();
            return sums;
        }
    }

    private static String reason(IOException e) {
        if (e instanceof AccessDeniedException) {
            return "access is denied";
        }
        if (e instanceof NoSuchFileException) {
            return "there is no such file or directory";
        }
        if (e instanceof FileAlreadyExistsException) {
            return "it is there already";
        }
        String message = e.getMessage();
        return message == null ? e.getClass().getSimpleName() : message;
    }

    @Command(
            name = "import",
            description =
                    "Verifies events and stores them in this node's own relay: one JSON object per line, as"
                            + " ./parley relay export and other Nostr tools write them, gzip too. Doing it again changes nothing.")
    static final class Import extends BaseCommand {
        /** Of one call: the node takes 1 MiB, and every quote and backslash is two on the way. */
        private static final int CALL_BYTES = 400_000;

        private static final int CALL_LINES = 200;
        private static final int MOST_TOLD = 20;
        private static final int BUSY_TRIES = 20;
        private static final long BUSY_MILLIS = 250;
        private static final int GZIP = 0x1f8b;

        @Parameters(paramLabel = "FILE", description = "The file, or - for standard input.")
        private String file = "";

        private final Progress progress;
        private final Map<String, Long> byCode = new TreeMap<>();
        private final List<Map<String, Object>> told = new ArrayList<>();
        private long stored;
        private long known;
        private long gone;
        private long refused;
        private long taken;

        Import(Invocation invocation) {
            super(invocation);
            progress = new Progress(invocation, false);
        }

        @Override
        int run() throws Failure, IOException, InterruptedException {
            try (NodeClient client = connect()) {
                if (file.equals(STREAM)) {
                    read(client, invocation().in(), 0);
                } else {
                    Path from = Path.of(file);
                    try (InputStream in = Files.newInputStream(from)) {
                        read(client, in, Files.size(from));
                    } catch (IOException e) {
                        throw new Failure(
                                Exit.REFUSED,
                                "file.not-read",
                                stored + known == 0 ? "No events were imported." : "Not all events were imported.",
                                from.toAbsolutePath() + " cannot be read: " + reason(e) + ".",
                                e instanceof NoSuchFileException
                                        ? "Check its name."
                                        : "Import it again when it can: what is stored is not stored twice.");
                    }
                }
            }
            progress.end();
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("stored", stored);
            result.put("known", known);
            result.put("gone", gone);
            result.put("refused", refused);
            result.put("byCode", byCode);
            result.put("first", told);
            show(result, words());
            return refused == 0 ? Exit.OK : Exit.REFUSED;
        }

        private String words() {
            StringBuilder words =
                    new StringBuilder(many(stored) + " stored, " + known + " known before, " + refused + " refused.\n");
            if (gone > 0) {
                words.append("  ")
                        .append(gone)
                        .append(gone == 1 ? " stays" : " stay")
                        .append(" gone: deleted by the author, or the time is over\n");
            }
            byCode.forEach((code, count) ->
                    words.append("  ").append(count).append(" x ").append(code).append('\n'));
            for (Map<String, Object> each : told) {
                words.append("  line ")
                        .append(each.get("line"))
                        .append(": ")
                        .append(each.get("reason"))
                        .append('\n');
            }
            if (refused > told.size()) {
                words.append("  ... and ").append(refused - told.size()).append(" more\n");
            }
            return words.toString();
        }

        private void read(NodeClient client, InputStream given, long size)
                throws Failure, IOException, InterruptedException {
            CountingStream counted = new CountingStream(given);
            InputStream in = unpacked(new BufferedInputStream(counted));
            Batch batch = new Batch();
            for (long number = 1; true; number++) {
                byte[] line = line(in);
                if (line == null || !batch.fits(line)) {
                    put(client, batch);
                    batch = new Batch();
                    long percent = size == 0 ? 0 : 100 * counted.count() / size;
                    progress.at(taken, size == 0 ? "" : ", " + percent + " %");
                }
                if (line == null) {
                    return;
                }
                if (line.length > CALL_BYTES) {
                    refuse(number, "invalid.too-big", "invalid: too-big the line is longer than an import can carry");
                } else if (hasControls(line)) {
                    refuse(number, "invalid.json", "invalid: json the line has control characters");
                } else if (!isBlank(line)) {
                    batch.add(line, number);
                }
            }
        }

        /** Lines for one call, with their numbers in the file. */
        private static final class Batch {
            final StringBuilder events = new StringBuilder();
            final List<Long> numbers = new ArrayList<>();
            private int bytes;

            boolean fits(byte[] line) {
                return numbers.size() < CALL_LINES && bytes + line.length <= CALL_BYTES;
            }

            void add(byte[] line, long number) {
                events.append(new String(line, StandardCharsets.UTF_8)).append('\n');
                numbers.add(number);
                bytes += line.length;
            }
        }

        /** JSON has them escaped; as they are they would take six times the room on their way. */
        private static boolean hasControls(byte[] line) {
            for (byte each : line) {
                if (each >= 0 && each < ' ' && each != '\t' && each != '\r') {
                    return true;
                }
            }
            return false;
        }

        private static boolean isBlank(byte[] line) {
            for (byte each : line) {
                if (each != ' ' && each != '\t' && each != '\r') {
                    return false;
                }
            }
            return true;
        }

        private static InputStream unpacked(BufferedInputStream in) throws IOException {
            in.mark(2);
            int magic = in.read() << 8 | in.read();
            in.reset();
            return magic == GZIP ? new BufferedInputStream(new GZIPInputStream(in)) : in;
        }

        /** The next line; cut a little behind the longest that is taken. Null at the end. */
        private static byte @Nullable [] line(InputStream in) throws IOException {
            ByteArrayOutputStream line = new ByteArrayOutputStream(1_024);
            int c = in.read();
            if (c < 0) {
                return null;
            }
            for (; c >= 0 && c != '\n'; c = in.read()) {
                if (line.size() <= CALL_BYTES) {
                    line.write(c);
                }
            }
            return line.toByteArray();
        }

        private void put(NodeClient client, Batch batch) throws Failure, InterruptedException {
            if (batch.numbers.isEmpty()) {
                return;
            }
            Map<String, Object> report = call(client, batch.events.toString());
            stored += Answer.number(report, "stored");
            known += Answer.number(report, "known");
            gone += Answer.number(report, "gone");
            taken += batch.numbers.size();
            for (Map<String, Object> refusal : Answer.objects(report, "refused")) {
                refuse(
                        batch.numbers.get((int) Answer.number(refusal, "line")),
                        Answer.text(refusal, "code"),
                        Plain.line(Answer.text(refusal, "reason")));
            }
        }

        private static Map<String, Object> call(NodeClient client, String events) throws Failure, InterruptedException {
            for (int i = 1; true; i++) {
                try {
                    return client.call("relay.import", Map.of("events", events));
                } catch (Failure e) {
                    if (!e.code().equals("relay.busy") || i == BUSY_TRIES) {
                        throw e;
                    }
                    TimeUnit.MILLISECONDS.sleep(BUSY_MILLIS);
                }
            }
        }

        private void refuse(long line, String code, String reason) {
            refused++;
            byCode.merge(code, 1L, Long::sum);
            if (told.size() < MOST_TOLD) {
                told.add(Map.of("line", line, "code", code, "reason", reason));
            }
        }
    }

    /** How far a file is read. */
    private static final class CountingStream extends java.io.FilterInputStream {
        private long count;

        CountingStream(InputStream in) {
            super(in);
        }

        long count() {
            return count;
        }

        @Override
        public int read() throws IOException {
            int c = super.read();
            count += c < 0 ? 0 : 1;
            return c;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int n = super.read(bytes, offset, length);
            count += Math.max(0, n);
            return n;
        }
    }
}
