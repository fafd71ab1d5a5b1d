package im.parley.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What the node is made of, as a file. */
final class StackCommands {
    private StackCommands() {}

    @Command(
            name = "show",
            description = "Shows what the node is made of beside its distribution: plugins, configurations, slots.")
    static final class Show extends BaseCommand {
        Show(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> stack = ask("stack.show", Map.of());
            StringBuilder text = new StringBuilder("Stack generation ")
                    .append(Answer.number(stack, "generation"))
                    .append(", features ")
                    .append(String.join(", ", Answer.texts(stack, "features")))
                    .append(".\n");
            List<Map<String, Object>> plugins = Answer.objects(stack, "plugins");
            text.append(plugins.isEmpty() ? "No plugins.\n" : "Plugins:\n" + PluginCommands.table(plugins));
            List<List<String>> overrides = new ArrayList<>();
            for (Map<String, Object> override : Answer.objects(stack, "overrides")) {
                overrides.add(List.of(
                        "  " + Plain.line(Answer.text(override, "pid")),
                        Plain.line(Answer.text(override, "properties"))));
            }
            text.append(
                    overrides.isEmpty()
                            ? "Configurations are those of the distribution.\n"
                            : "Configurations beside the distribution's:\n" + Plain.table(overrides));
            List<List<String>> slots = new ArrayList<>();
            for (Map<String, Object> slot : Answer.objects(stack, "slots")) {
                slots.add(List.of(
                        "  " + Plain.line(Answer.text(slot, "slot")),
                        Plain.line(String.join(", ", Answer.texts(slot, "select")))));
            }
            text.append("Slots:\n").append(Plain.table(slots));
            if (Answer.flag(stack, "restartNeeded")) {
                text.append("The next start runs something else than runs now.\n");
            }
            String undo = Answer.text(stack, "undoWords");
            text.append(
                    undo.isEmpty()
                            ? "There is nothing to undo.\n"
                            : "./parley stack undo takes back: " + Plain.line(undo) + "\n");
            show(stack, advice(text.toString()));
            return Exit.OK;
        }
    }

    @Command(
            name = "export",
            description = "Writes the stack as a file. Applying it on this node changes nothing; - is standard output.")
    static final class Export extends BaseCommand {
        @Parameters(index = "0", paramLabel = "FILE", description = "A file that does not exist yet, or -.")
        private String file = "";

        Export(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("stack.export", Map.of());
            String text = Answer.text(answer, "text");
            if (file.equals("-")) {
                invocation().out().print(text);
                if (invocation().out().checkError()) {
                    throw Failure.outputLost();
                }
                return Exit.OK;
            }
            Path target = Path.of(file);
            try {
                Files.write(
                        Files.createFile(
                                target,
                                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))),
                        text.getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                throw new Failure(
                        Exit.REFUSED,
                        "stack.not-written",
                        "The stack was not exported.",
                        target + ": " + e + ".",
                        "Name a file that does not exist yet, in a directory that you may write to.");
            }
            show(Map.of("file", target.toString()), "Written to " + Plain.line(target.toString()) + ".");
            return Exit.OK;
        }
    }

    @Command(name = "plan", description = "Checks a stack file and shows what applying it would change.")
    static final class Plan extends BaseCommand {
        @Parameters(index = "0", paramLabel = "FILE", description = "The stack file.")
        private Path file = Path.of("");

        Plan(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> plan = ask("stack.plan", Map.of("file", absolute(file)));
            show(plan, Plans.words(plan));
            return Exit.OK;
        }
    }

    @Command(
            name = "apply",
            description = "Makes the node what a stack file says, as one act: shows the plan, asks, does it. What fails"
                    + " leaves everything as it was.")
    static final class Apply extends BaseCommand {
        @Parameters(index = "0", paramLabel = "FILE", description = "The stack file.")
        private Path file = Path.of("");

        @Option(names = "--yes", description = "Do not ask.")
        private boolean yes;

        @Option(names = "--why", paramLabel = "TEXT", description = "Why, for the journal.")
        private @Nullable String why;

        Apply(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> params = new LinkedHashMap<>();
            params.put("file", absolute(file));
            return Plans.carryOut(this, yes, why, "stack.plan", params, "stack.apply", params);
        }
    }

    @Command(
            name = "undo",
            description = "Takes the newest change back that was not taken back yet: of the stack, or a swap.")
    static final class Undo extends BaseCommand {
        @Option(names = "--why", paramLabel = "TEXT", description = "Why, for the journal.")
        private @Nullable String why;

        Undo(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            return undo(this, why);
        }
    }

    static int undo(BaseCommand command, @Nullable String why) throws Failure, InterruptedException {
        Map<String, Object> params = new LinkedHashMap<>();
        if (why != null) {
            params.put("why", why);
        }
        Map<String, Object> report = HandoverCommands.watched(command, "stack.undo", params);
        command.show(
                report,
                "Taken back: " + Plain.line(Answer.text(report, "undone")) + "\n"
                        + command.advice(Plain.line(Answer.text(report, "words"))));
        return Exit.OK;
    }

    static String absolute(Path file) {
        return file.toAbsolutePath().normalize().toString();
    }
}
