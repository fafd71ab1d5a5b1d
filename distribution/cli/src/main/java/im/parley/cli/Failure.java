package im.parley.cli;

import im.parley.launcher.LauncherException;
import im.parley.launcher.NodeDirectory;
import java.nio.file.Path;

/** A command that did not do what was asked, in three parts for people, a code and an exit code for programs. */
final class Failure extends Exception {
    /** Code of {@link #outputLost}. */
    static final String OUTPUT_LOST = "cli.output";

    private static final long serialVersionUID = 1L;

    private final int exit;
    private final String code;
    private final String what;
    private final String why;
    private final String next;

    Failure(int exit, String code, String what, String why, String next) {
        super(code + ": " + what);
        this.exit = exit;
        this.code = code;
        this.what = what;
        this.why = why;
        this.next = next;
    }

    static Failure of(LauncherException e) {
        return new Failure(
                e.code().equals("node.not-ready") ? Exit.UNAVAILABLE : Exit.REFUSED,
                e.code(),
                e.what(),
                e.why(),
                e.next());
    }

    /** Nothing was done because the command does not make sense. */
    static Failure usage(String why) {
        return new Failure(
                Exit.USAGE, "cli.usage", "The command was not understood.", why, "See its --help for what it takes.");
    }

    /** Standard output took less than there was to say. */
    static Failure outputLost() {
        return new Failure(
                Exit.UNAVAILABLE,
                OUTPUT_LOST,
                "The answer could not be written.",
                "Standard output takes no more: its disk may be full, or its reader gone.",
                "Make room and ask again. What the command was to do is done.");
    }

    /** What would have to be read belongs to somebody else. */
    static Failure denied(Path file) {
        return new Failure(
                Exit.REFUSED,
                "control.denied",
                "The node was not asked.",
                "You have no access to " + file + "; it belongs to another user.",
                "Be that user, or name a data directory of your own with --data.");
    }

    /** Nobody answers on that data directory. */
    static Failure notRunning(Path dataDir) {
        return new Failure(
                Exit.NOT_RUNNING,
                "node.not-running",
                "There is no node to ask.",
                "None runs on " + dataDir + ".",
                "Start one with ./parley start --detach, or name another directory with --data.");
    }

    /** A process has that data directory, but its node does not answer: it is on its way up or down, or in trouble. */
    static Failure notAnswering(Path dataDir, NodeDirectory.Holder holder) {
        String process = "Process " + holder.pid() + " has " + dataDir;
        return switch (holder.state()) {
            case STARTING ->
                new Failure(
                        Exit.UNAVAILABLE,
                        "node.starting",
                        "The node is starting and not ready yet.",
                        process + ".",
                        "Try again in a moment; ./parley start waits for it, ./parley stop ends it.");
            case STOPPING ->
                new Failure(
                        Exit.UNAVAILABLE,
                        "node.stopping",
                        "The node is stopping.",
                        process + ".",
                        "Wait a moment, then start it again if you want it.");
            case READY -> {
                NodeDirectory.Card card = NodeDirectory.card(dataDir);
                String socket = card == null ? "its socket" : card.socket().toString();
                yield new Failure(
                        Exit.UNAVAILABLE,
                        "node.unreachable",
                        "The node runs, but does not answer.",
                        process + ", and nobody answers on " + socket + "; somebody may have removed it.",
                        "./parley stop ends the process without it; then start the node again.");
            }
        };
    }

    int exit() {
        return exit;
    }

    String code() {
        return code;
    }

    String what() {
        return what;
    }

    String why() {
        return why;
    }

    String next() {
        return next;
    }
}
