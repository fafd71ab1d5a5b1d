package im.parley.cli;

import im.parley.launcher.LauncherException;

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

    static Failure notRunning(java.nio.file.Path dataDir) {
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
