package im.parley.cli;

import java.io.Console;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** One call of the command: its streams, which tests replace, and the options that every command has. */
class Invocation {
    private final InputStream in;
    private final PrintStream out;
    private final PrintStream err;
    private final Common options = new Common();

    Invocation(InputStream in, PrintStream out, PrintStream err) {
        this.in = in;
        this.out = out;
        this.err = err;
    }

    /** This process's own streams, in UTF-8 whatever the locale says. */
    static Invocation system() {
        return new Invocation(
                System.in,
                new PrintStream(System.out, true, StandardCharsets.UTF_8),
                new PrintStream(System.err, true, StandardCharsets.UTF_8));
    }

    Common options() {
        return options;
    }

    InputStream in() {
        return in;
    }

    PrintStream out() {
        return out;
    }

    PrintStream err() {
        return err;
    }

    /** Asks without echo; null if there is nobody to ask. */
    char @Nullable [] ask(String prompt) {
        Console console = console();
        return console == null ? null : console.readPassword("%s: ", prompt);
    }

    /** From Java 22 on there is a console without a terminal too, which would take a pipe for a person. */
    @SuppressWarnings("SystemConsoleNull")
    private static @Nullable Console console() {
        Console console = System.console();
        if (console == null) {
            return null;
        }
        try {
            return Boolean.TRUE.equals(Console.class.getMethod("isTerminal").invoke(console)) ? console : null;
        } catch (NoSuchMethodException beforeJava22) {
            return console;
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }
}
