package im.parley.cli;

import java.io.PrintStream;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import picocli.CommandLine;

/** Shows what went wrong, on standard error: what happened, why, what next; or the same as JSON. */
final class Errors implements CommandLine.IExecutionExceptionHandler, CommandLine.IParameterExceptionHandler {
    private static final Pattern SECRET_KEY = Pattern.compile("(?i)n(crypt)?sec1[0-9a-z]+|\\b[0-9a-f]{64}\\b");

    private final Invocation invocation;
    private final PrintStream err;
    private final boolean json;

    Errors(Invocation invocation, String[] arguments) {
        this.invocation = invocation;
        this.err = invocation.err();
        List<String> all = Arrays.asList(arguments);
        int end = all.indexOf("--");
        this.json = (end < 0 ? all : all.subList(0, end)).contains("--json");
    }

    @Override
    public int handleExecutionException(Exception e, CommandLine command, CommandLine.ParseResult parsed) {
        if (e instanceof Failure failure) {
            return show(failure);
        }
        if (e instanceof InterruptedException) {
            Thread.currentThread().interrupt();
        }
        int exit = show(new Failure(
                Exit.BUG,
                "cli.bug",
                "The command failed.",
                "Something unexpected happened: " + e + ".",
                "This is a fault of Parley: please report it with the lines below."));
        if (!json) {
            e.printStackTrace(err);
        }
        return exit;
    }

    @Override
    public int handleParseException(CommandLine.ParameterException e, String[] arguments) {
        String typed = String.valueOf(e.getMessage());
        String message = SECRET_KEY.matcher(typed).replaceAll("(what looks like a secret key)");
        List<String> suggestions =
                e instanceof CommandLine.UnmatchedArgumentException unmatched ? unmatched.getSuggestions() : List.of();
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        String next = "See ./" + command + " --help.";
        if (e instanceof CommandLine.UnmatchedArgumentException unmatched
                && unmatched.isUnknownOption()
                && e.getCommandLine().getCommandSpec().userObject() instanceof SendCommand) {
            next = "A text that begins with - goes behind --, as in ./parley send bob -- \"-5 degrees\".";
        } else if (!suggestions.isEmpty()) {
            next = "Did you mean " + String.join(" or ", suggestions) + "? " + next;
        }
        if (!message.equals(typed)) {
            next = "The key stands in the history of your shell now: take it out there. " + next;
        }
        return show(new Failure(
                Exit.USAGE,
                "cli.usage",
                "The command was not understood.",
                message.endsWith(".") ? message : message + ".",
                next));
    }

    int show(Failure failure) {
        if (failure.code().equals(Failure.OUTPUT_LOST) && invocation.isPiped()) {
            // As any command in front of head: whoever ended the pipe knows.
            return failure.exit();
        }
        if (json) {
            Map<String, Object> error = new LinkedHashMap<>();
            error.put("code", failure.code());
            error.put("what", failure.what());
            error.put("why", failure.why());
            error.put("next", invocation.advice(failure.next()));
            error.put("exit", failure.exit());
            err.println(JsonText.of(Map.of("error", error)));
        } else {
            err.println(Plain.line(failure.what()));
            err.println("  Why:  " + Plain.line(failure.why()));
            err.println("  Next: " + Plain.line(invocation.advice(failure.next())));
            err.println("  Code: " + Plain.line(failure.code()));
        }
        return failure.exit();
    }
}
