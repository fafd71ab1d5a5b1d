package im.parley.cli;

import im.parley.launcher.NodeDirectory;
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

    StopCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure, InterruptedException {
        long begun = System.nanoTime();
        NodeDirectory.Holder holder = NodeDirectory.holder(dataDir());
        NodeDirectory.Card card = NodeDirectory.card(dataDir());
        try (NodeClient client = NodeClient.connect(dataDir())) {
            if (client != null) {
                stop(client);
            } else if (holder == null) {
                shown(false, 0, "No node runs on " + dataDir() + "; there is nothing to stop.");
                return Exit.OK;
            } else if (holder.starting()) {
                end(holder);
            }
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

    /** A node that is starting does not listen yet, so its process is asked. */
    private void end(NodeDirectory.Holder starting) throws Failure {
        if (!starting.ownProcess()) {
            throw new Failure(
                    Exit.REFUSED,
                    "node.hosted",
                    "The node was not stopped.",
                    "It is starting within another program, process " + starting.pid()
                            + ", which would be stopped with it.",
                    "Wait until it is ready and try again, or stop that program.");
        }
        ProcessHandle.of(starting.pid()).ifPresent(ProcessHandle::destroy);
    }

    /** The node may be gone before its answer is. */
    private static void stop(NodeClient client) throws Failure {
        try {
            client.call("node.stop", Map.of());
        } catch (Failure e) {
            if (!e.code().equals("node.no-answer")) {
                throw e;
            }
        }
    }

    private void shown(boolean stopped, double seconds, String text) {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("stopped", stopped);
        result.put("seconds", seconds);
        show(result, text);
    }
}
