package im.parley.cli;

import im.parley.launcher.NodeProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
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
        try (LogLines lines = new LogLines(log)) {
            List<String> last = new ArrayList<>(lines.next());
            String unfinished = follow ? "" : lines.rest();
            if (!unfinished.isEmpty()) {
                last.add(unfinished);
            }
            print(last.subList(Math.max(0, last.size() - count), last.size()));
            while (follow) {
                TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
                print(lines.next());
            }
        }
        return Exit.OK;
    }

    private void print(List<String> lines) throws Failure {
        for (String line : lines) {
            show(Map.of("line", line), Plain.line(line) + "\n");
        }
    }
}
