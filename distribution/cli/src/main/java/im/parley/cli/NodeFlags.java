package im.parley.cli;

import java.util.ArrayList;
import java.util.List;

/**
 * How the JVM of a node is started: small, quiet on newer Java, and rather dead than half alive, because a new start is
 * clean and a core dump would hold its keys. The script gives a node in the foreground the same flags.
 */
final class NodeFlags {
    private static final int FIRST_STRICT_JAVA = 24;

    private NodeFlags() {}

    static List<String> forThisJava() {
        List<String> flags = new ArrayList<>(List.of(
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-Xss512k",
                "-XX:+ExitOnOutOfMemoryError",
                "-XX:-CreateCoredumpOnCrash",
                "-Dfile.encoding=UTF-8"));
        if (Runtime.version().feature() >= FIRST_STRICT_JAVA) {
            flags.add("--enable-native-access=ALL-UNNAMED");
            flags.add("--sun-misc-unsafe-memory-access=allow");
        }
        return flags;
    }
}
