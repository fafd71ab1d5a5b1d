package im.parley.launcher;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The process of a detached node. Its arguments come from {@code ./parley start}, pairs of {@code --home}, {@code --data},
 * {@code --state}, {@code --port-base}, {@code --relay-urls}, {@code
 * --files-urls}, {@code --only}. If the node does not start, the last line of standard error is
 * {@value #FAILURE} and a JSON object of code, what, why and next.
 */
public final class Main {
    /** Begins the line that tells the starting command why. */
    public static final String FAILURE = "parley-failure: ";

    /** The node was refused its start. */
    static final int EXIT_REFUSED = 1;

    static final int EXIT_USAGE = 2;
    static final int EXIT_BUG = 70;

    private Main() {}

    public static void main(String[] arguments) {
        int exit = run(arguments, new PrintStream(System.err, true, StandardCharsets.UTF_8));
        // Whatever thread a library left behind, a node that is down has no process.
        System.exit(exit);
    }

    static int run(String[] arguments, PrintStream errors) {
        try {
            NodeProcess.run(config(arguments), parley -> {});
            return 0;
        } catch (LauncherException e) {
            Map<String, Object> failure = new LinkedHashMap<>();
            failure.put("code", e.code());
            failure.put("what", e.what());
            failure.put("why", e.why());
            failure.put("next", e.next());
            errors.println(FAILURE + new String(Json.compact(failure), StandardCharsets.UTF_8));
            return EXIT_REFUSED;
        } catch (IllegalArgumentException e) {
            errors.println(e.getMessage());
            return EXIT_USAGE;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return EXIT_BUG;
        } catch (RuntimeException e) {
            e.printStackTrace(errors);
            return EXIT_BUG;
        }
    }

    private static ParleyConfig config(String[] arguments) {
        Map<String, String> options = new LinkedHashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        ParleyConfig.Builder builder = ParleyConfig.builder(
                path(options.remove("--home"), "--home"), path(options.remove("--data"), "--data"));
        String state = options.remove("--state");
        if (state != null) {
            builder.stateDir(Path.of(state));
        }
        String port = options.remove("--port-base");
        if (port != null) {
            builder.portBase(Integer.parseInt(port));
        }
        String relayUrls = options.remove("--relay-urls");
        if (relayUrls != null) {
            builder.relayUrls(relayUrls.isEmpty() ? List.of() : List.of(relayUrls.split(",", -1)));
        }
        String filesUrls = options.remove("--files-urls");
        if (filesUrls != null) {
            builder.filesUrls(filesUrls.isEmpty() ? List.of() : List.of(filesUrls.split(",", -1)));
        }
        String only = options.remove("--only");
        if (only != null) {
            builder.feature(only);
        }
        if (!options.isEmpty() || arguments.length % 2 != 0) {
            throw new IllegalArgumentException("unknown arguments: " + options.keySet());
        }
        return builder.build();
    }

    private static Path path(@Nullable String value, String option) {
        if (value == null) {
            throw new IllegalArgumentException(option + " is missing");
        }
        return Path.of(value);
    }
}
