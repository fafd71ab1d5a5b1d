package im.parley.cli;

import im.parley.launcher.Parley;
import java.io.Console;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** One call of the command: its streams, which tests replace, and the options that every command has. */
class Invocation {
    private static final String COMMAND = "./parley ";
    private static final Set<String> GROUPS = Set.of(
            "pin",
            "circle",
            "identity",
            "contact",
            "relay",
            "audit",
            "plugin",
            "stack",
            "trust",
            "backup",
            "chat",
            "files");

    /** Commands that take a circle. */
    private static final Set<String> IN_CIRCLES = Set.of(
            "identity",
            "contact",
            "send",
            "reply",
            "react",
            "edit",
            "history",
            "keep",
            "vanish",
            "delete",
            "chats",
            "chat",
            "settings",
            "files",
            "inbox",
            "ledger",
            "status",
            "drops");

    private static final Set<String> RELAYS_IN_CIRCLES = Set.of("add", "remove", "list");
    private static final Path STANDARD_OUTPUT = Path.of("/proc/self/fd/1");
    private static final int USUAL_WIDTH = 80;

    private final InputStream in;
    private final PrintStream out;
    private final PrintStream err;
    private final Common options = new Common();
    private @Nullable String circle;

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

    /** The command is about this circle. */
    void chooseCircle(String name) {
        circle = name;
    }

    /** As the user wrote it; null for the default one. */
    @Nullable
    String circle() {
        return circle;
    }

    /**
     * Advice of ours as it holds for this call: commands in it are for the same data directory and circle. Never for text
     * that somebody else wrote.
     */
    String advice(String text) {
        Path chosen = options.chosenDataDir();
        if (chosen == null && circle == null) {
            return text;
        }
        String data = chosen == null ? "" : " --data " + Shell.quoted(chosen.toString());
        StringBuilder advice = new StringBuilder();
        int from = 0;
        for (int at = text.indexOf(COMMAND); at >= 0; at = text.indexOf(COMMAND, Math.max(from, at + 1))) {
            int word = at + COMMAND.length();
            int end = endOfWord(text, word);
            String command = text.substring(word, end);
            boolean inCircle = IN_CIRCLES.contains(command);
            if (GROUPS.contains(command) && end < text.length() && text.charAt(end) == ' ') {
                int second = end + 1;
                end = endOfWord(text, second);
                if (text.startsWith("server ", second)) {
                    end = endOfWord(text, end + 1);
                }
                inCircle |= command.equals("relay") && RELAYS_IN_CIRCLES.contains(text.substring(second, end));
            }
            // Advice about another circle names it already.
            boolean names = text.startsWith(" --circle ", end);
            String option = data + (circle != null && inCircle && !names ? " --circle " + Shell.quoted(circle) : "");
            if (end == word) {
                // No command, but an option of ./parley itself.
                advice.append(text, from, end - 1).append(option);
                from = end - 1;
            } else {
                advice.append(text, from, end).append(option);
                from = end;
            }
        }
        return advice.append(text, from, text.length()).toString();
    }

    private static int endOfWord(String text, int from) {
        int end = from;
        while (end < text.length() && text.charAt(end) >= 'a' && text.charAt(end) <= 'z') {
            end++;
        }
        return end;
    }

    /** Variables of the environment. */
    Map<String, String> environment() {
        return System.getenv();
    }

    /** The distribution that this command is part of; null if it lies alone. */
    @Nullable
    Path home() {
        return Parley.homeOf(Invocation.class);
    }

    /** Whether there is somebody to ask. */
    boolean interactive() {
        return console() != null;
    }

    /** Asks without echo; null if the answer ended before it began. */
    char @Nullable [] ask(String prompt) {
        Console console = console();
        return console == null ? null : console.readPassword("%s: ", prompt);
    }

    /** How many columns the terminal has that the output goes to; 0 if it goes elsewhere. */
    int width() {
        String terminal = terminal();
        if (terminal == null) {
            return 0;
        }
        int wished = number(System.getenv("COLUMNS"));
        int there = terminal.isEmpty() ? 0 : columnsOf(terminal);
        int width = wished > 0 && there > 0 ? Math.min(wished, there) : Math.max(wished, there);
        return width > 0 ? width : USUAL_WIDTH;
    }

    /** Whether the output goes to another program. */
    boolean isPiped() {
        try {
            return Files.readSymbolicLink(STANDARD_OUTPUT).toString().startsWith("pipe:");
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    /** Where the output's terminal is, empty if that is not known; null if it is none. A pipe for input changes nothing. */
    private static @Nullable String terminal() {
        try {
            String target = Files.readSymbolicLink(STANDARD_OUTPUT).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console")
                    ? target
                    : null;
        } catch (IOException | UnsupportedOperationException e) {
            return console() == null ? null : "";
        }
    }

    private static int columnsOf(String terminal) {
        try {
            Process stty = new ProcessBuilder("stty", "size")
                    .redirectInput(new File(terminal))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (!stty.waitFor(1, TimeUnit.SECONDS)) {
                stty.destroy();
                return 0;
            }
            String size = new String(stty.getInputStream().readNBytes(64), StandardCharsets.US_ASCII).strip();
            return number(size.substring(size.indexOf(' ') + 1));
        } catch (IOException e) {
            return 0;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return 0;
        }
    }

    private static int number(@Nullable String text) {
        boolean number = text != null
                && !text.isEmpty()
                && text.length() <= 4
                && text.chars().allMatch(c -> c >= '0' && c <= '9');
        return number ? Integer.parseInt(text) : 0;
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
