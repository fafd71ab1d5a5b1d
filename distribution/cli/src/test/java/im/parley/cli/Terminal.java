package im.parley.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** Somebody who runs commands on a data directory, with or without a terminal. */
final class Terminal {
    private final Path data;
    private final Queue<String> typed = new ArrayDeque<>();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private String input = "";
    private boolean interactive;
    private int width;

    Terminal(Path data) {
        this.data = data;
    }

    /** What is typed at prompts; then the input ends. */
    Terminal types(String... answers) {
        interactive = true;
        typed.clear();
        typed.addAll(List.of(answers));
        return this;
    }

    Terminal pipes(String text) {
        input = text;
        return this;
    }

    Terminal isWide(int columns) {
        width = columns;
        return this;
    }

    /** Runs a command on the data directory; what it prints is what {@link #out} and {@link #err} give. */
    int run(String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        int end = all.indexOf("--");
        all.addAll(end < 0 ? all.size() : end, List.of("--data", data.toString()));
        return runAsIs(all.toArray(new String[0]));
    }

    int runAsIs(String... arguments) {
        out.reset();
        err.reset();
        return Main.run(invocation(), arguments);
    }

    private Invocation invocation() {
        return new Invocation(
                new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8)) {
            @Override
            boolean interactive() {
                return interactive;
            }

            @Override
            int width() {
                return width;
            }

            @Override
            char @Nullable [] ask(String prompt) {
                String answer = typed.poll();
                return answer == null ? null : answer.toCharArray();
            }
        };
    }

    String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    String err() {
        return err.toString(StandardCharsets.UTF_8);
    }
}
