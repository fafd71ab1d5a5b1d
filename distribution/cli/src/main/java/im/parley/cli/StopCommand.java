package im.parley.cli;

import im.parley.launcher.NodeDirectory;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;

/** Stops the node and returns when it is down. */
@Command(name = "stop", description = "Stops the node; returns when it is down.")
final class StopCommand extends BaseCommand {
    private static final long STOP_WITHIN_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long POLL_MILLIS = 25;

    /** A node that is well answers this call at once. */
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(5);

    StopCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure, InterruptedException {
        long begun = System.nanoTime();
        NodeDirectory.Holder holder = NodeDirectory.holder(dataDir());
        NodeDirectory.Card card = NodeDirectory.card(dataDir());
        boolean told = false;
        try (NodeClient client = NodeClient.connect(dataDir())) {
            if (client == null && holder == null) {
                shown(false, 0, "No node runs on " + dataDir() + "; there is nothing to stop.");
                return Exit.OK;
            }
            told = client != null && stop(client);
        } catch (Failure e) {
            if (holder == null || !e.code().equals("control.foreign")) {
                throw e;
            }
        }
        if (!told) {
            end();
        }
        long pid = holder != null ? holder.pid() : card != null ? card.pid() : 0;
        Optional<ProcessHandle> process = ProcessHandle.of(pid);
        while (heldBy(pid) && process.map(ProcessHandle::isAlive).orElse(false)) {
            if (System.nanoTime() - begun > STOP_WITHIN_NANOS) {
                throw new Failure(
                        Exit.UNAVAILABLE,
                        "node.stop-slow",
                        "The node has not stopped yet.",
                        "Process " + pid + " is still at it after 60 s.",
                        "Wait, look at ./parley logs, or end the process.");
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
        double seconds = Plain.secondsSince(begun);
        shown(true, seconds, "Stopped (" + seconds + " s).");
        return Exit.OK;
    }

    private boolean heldBy(long pid) {
        NodeDirectory.Holder holder = NodeDirectory.holder(dataDir());
        NodeDirectory.Card card = NodeDirectory.card(dataDir());
        return holder != null && holder.pid() == pid || card != null && card.pid() == pid;
    }

    /** Asks the process that has the directory: a node that starts does not listen yet, and one in trouble may not. */
    private void end() throws Failure {
        NodeDirectory.Holder holder = NodeDirectory.holder(dataDir());
        if (holder == null || holder.state() == NodeDirectory.State.STOPPING) {
            return;
        }
        if (!holder.ownProcess()) {
            boolean starting = holder.state() == NodeDirectory.State.STARTING;
            throw new Failure(
                    Exit.REFUSED,
                    "node.hosted",
                    "The node was not stopped.",
                    (starting ? "It is starting" : "It does not answer, and it runs")
                            + " within another program, process " + holder.pid() + ", which would be stopped with it.",
                    starting ? "Wait until it is ready and try again, or stop that program." : "Stop that program.");
        }
        holder.process().destroy();
    }

    /** Whether the node knows now; it may be gone before its answer is. */
    private static boolean stop(NodeClient client) throws Failure {
        try {
            client.call("node.stop", Map.of(), ANSWER_WITHIN);
            return true;
        } catch (Failure e) {
            return switch (e.code()) {
                case "node.no-answer" -> true;
                case "node.silent" -> false;
                default -> throw e;
            };
        }
    }

    private void shown(boolean stopped, double seconds, String text) throws Failure {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("stopped", stopped);
        result.put("seconds", seconds);
        show(result, text);
    }
}
