package im.parley.cli;

import java.util.Locale;

/** Exit codes; scripts rely on them, so they never change their meaning. */
final class Exit {
    /** Done. */
    static final int OK = 0;
    /** The node, or the start of one, said no. */
    static final int REFUSED = 1;
    /** The command was not understood. */
    static final int USAGE = 2;
    /** No node runs on the data directory. */
    static final int NOT_RUNNING = 3;
    /** The session is locked. */
    static final int LOCKED = 4;
    /** Something could not be reached, or not in time. */
    static final int UNAVAILABLE = 5;
    /** A fault of Parley. */
    static final int BUG = 70;

    private Exit() {}

    /** The exit code for an error of the node. */
    static int of(String code, String kind) {
        if (code.equals("session.locked")) {
            return LOCKED;
        }
        if (code.equals("backup.damaged")) {
            // Of a disk elsewhere: no fault of this node.
            return REFUSED;
        }
        return switch (kind.toLowerCase(Locale.ROOT)) {
            case "unavailable", "timeout", "exhausted" -> UNAVAILABLE;
            case "internal", "corrupt" -> BUG;
            default -> REFUSED;
        };
    }
}
