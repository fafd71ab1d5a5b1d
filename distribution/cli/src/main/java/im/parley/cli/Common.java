package im.parley.cli;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The options that every command has, before or after its name. */
final class Common {
    @Option(
            names = "--data",
            paramLabel = "DIR",
            scope = ScopeType.INHERIT,
            converter = DirectoryOption.class,
            description = "The node's data directory. Default: $XDG_DATA_HOME/parley or ~/.local/share/parley.")
    private @Nullable Path data;

    @Option(names = "--json", scope = ScopeType.INHERIT, description = "Answer, and errors, as JSON.")
    private boolean json;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = ScopeType.INHERIT,
            description = "Show this help.")
    @SuppressWarnings("UnusedVariable") // picocli looks at it
    private boolean help;

    /** Absolute. */
    Path dataDir() {
        Path chosen = data;
        if (chosen == null) {
            String xdg = System.getenv("XDG_DATA_HOME");
            chosen = (xdg != null && xdg.startsWith("/")
                            ? Path.of(xdg)
                            : Path.of(System.getProperty("user.home", "/"), ".local", "share"))
                    .resolve("parley");
        }
        return chosen.toAbsolutePath().normalize();
    }

    /** As the user wrote it; null if she did not. */
    @Nullable
    Path chosenDataDir() {
        return data;
    }

    boolean json() {
        return json;
    }
}
