package im.parley.testkit;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Assumptions;

/**
 * The one way to leave a test out because something optional is missing. A run on a developer's machine prints a line
 * and goes on; a run with the environment variable {@code CI=true} fails, so that nothing is ever left out unseen. Only what
 * a machine cannot be given ({@link #becauseOfTheMachine}) is left out there too.
 */
public final class Skipped {
    private Skipped() {}

    /**
     * Goes on if the thing is there.
     *
     * @param what names the missing thing and how to get it, for the printed line
     */
    public static void unless(boolean available, String what) {
        if (!available) {
            because(what);
        }
    }

    /**
     * Ends the calling test: aborted, or failed when {@code CI=true}.
     *
     * @return never; the type lets the caller write {@code return Skipped.because(…)} or {@code throw}
     */
    public static RuntimeException because(String what) {
        if (onCi()) {
            throw new AssertionError("CI=true allows no skipped test, but this is missing: " + what);
        }
        System.out.println("SKIPPED: " + what);
        return Assumptions.abort("SKIPPED: " + what);
    }

    /**
     * As {@link #because}, for what no package brings, such as root or loop devices: aborts also when {@code CI=true},
     * and prints the line there too.
     */
    public static RuntimeException becauseOfTheMachine(String what) {
        System.out.println("SKIPPED: " + what);
        return Assumptions.abort("SKIPPED: " + what);
    }

    /** The executable of that name on the PATH; skips the calling test if there is none. */
    public static Path tool(String name) {
        return find(name).orElseThrow(() -> because("tool " + name + " is not on the PATH"));
    }

    /** The executable of that name on the PATH, if any. */
    public static Optional<Path> find(String name) {
        String path = System.getenv("PATH");
        if (path == null) {
            return Optional.empty();
        }
        for (String folder : path.split(File.pathSeparator, -1)) {
            if (!folder.isEmpty()) {
                Path candidate = Path.of(folder, name);
                if (Files.isRegularFile(candidate) && Files.isExecutable(candidate)) {
                    return Optional.of(candidate);
                }
            }
        }
        return Optional.empty();
    }

    /** True when the environment says {@code CI=true}. */
    public static boolean onCi() {
        return "true".equals(System.getenv("CI"));
    }
}
