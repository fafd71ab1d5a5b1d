package im.parley.cli;

import im.parley.launcher.NodeProcess;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The end of the node's log; works without a node. */
@Command(name = "logs", description = "Shows the end of the node's log, also of one that no longer runs.")
final class LogsCommand extends BaseCommand {
    private static final long POLL_MILLIS = 200;

    @Option(
            names = {"-n", "--lines"},
            paramLabel = "N",
            description = "How many lines, 1 or more; 50 if left out.")
    private int count = 50;

    @Option(
            names = {"-f", "--follow"},
            description = "Go on showing lines as they are written. With --json, one object per line.")
    private boolean follow;

    LogsCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure, IOException, InterruptedException {
        if (count < 1) {
            throw Failure.usage("-n is " + count + "; it must be 1 or more.");
        }
        Path log = NodeProcess.logFile(dataDir());
        NodeClient.refuseIfDenied(log);
        if (!Files.exists(log)) {
            throw new Failure(
                    Exit.NOT_RUNNING,
                    "node.no-log",
                    "There is no log.",
                    "No node has run on " + dataDir() + ".",
                    "Start one with ./parley start, or name another directory with --data.");
        }
        long end = Files.size(log);
        Object file = key(log);
        for (String line : tail(log, count)) {
            print(line);
        }
        StringBuilder partial = new StringBuilder();
        while (follow) {
            if (!java.util.Objects.equals(file, key(log)) || Files.size(log) < end) {
                end = 0;
                file = key(log);
            }
            end = printFrom(log, end, partial);
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
        return Exit.OK;
    }

    /** Tells a file from the one that took its name when the log was turned over. */
    private static Object key(Path log) throws IOException {
        Object key = Files.readAttributes(log, BasicFileAttributes.class).fileKey();
        return key == null ? log : key;
    }

    private long printFrom(Path log, long from, StringBuilder partial) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "r")) {
            file.seek(from);
            byte[] fresh = new byte[(int) Math.min(1 << 20, Math.max(0, file.length() - from))];
            file.readFully(fresh);
            int whole = fresh.length;
            while (whole > 0 && fresh[whole - 1] != '\n') {
                whole--;
            }
            partial.append(new String(fresh, 0, whole, StandardCharsets.UTF_8));
            partial.toString().lines().forEach(this::print);
            partial.setLength(0);
            return from + whole;
        }
    }

    private void print(String line) {
        show(Map.of("line", line), Plain.line(line) + "\n");
    }

    static List<String> tail(Path log, int count) throws IOException {
        Deque<String> last = new ArrayDeque<>();
        try (Stream<String> lines = new String(Files.readAllBytes(log), StandardCharsets.UTF_8).lines()) {
            lines.forEach(line -> {
                last.addLast(line);
                if (last.size() > count) {
                    last.removeFirst();
                }
            });
        }
        return List.copyOf(last);
    }
}
