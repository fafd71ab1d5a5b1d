package im.parley.cli;

import im.parley.launcher.LauncherException;
import im.parley.launcher.NodeDirectory;

/** A command that did not do what was asked, in three parts for people, a code and an exit code for programs. */
final class Failure extends Exception {
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

    /** What would have to be read belongs to somebody else. */
    static Failure denied(java.nio.file.Path file) {
        return new Failure(
                Exit.REFUSED,
                "control.denied",
                "The node was not asked.",
                "You have no access to " + file + "; it belongs to another user.",
                "Be that user, or name a data directory of your own with --data.");
    }

    /** Nobody answers on that data directory: none runs, or one is on its way up or down. */
    static Failure notRunning(java.nio.file.Path dataDir) {
        NodeDirectory.Holder holder = NodeDirectory.holder(dataDir);
        if (holder != null) {
            return new Failure(
                    Exit.UNAVAILABLE,
                    holder.starting() ? "node.starting" : "node.stopping",
                    holder.starting() ? "The node is starting and not ready yet." : "The node is stopping.",
                    "Process " + holder.pid() + " has " + dataDir + ".",
                    holder.starting()
                            ? "Try again in a moment; ./parley start waits for it, ./parley stop ends it."
                            : "Wait a moment, then start it again if you want it.");
        }
        return new Failure(
                Exit.NOT_RUNNING,
                "node.not-running",
                "There is no node to ask.",
                "None runs on " + dataDir + ".",
                "Start one with ./parley start --detach, or name another directory with --data.");
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
