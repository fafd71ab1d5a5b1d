package im.parley.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Changes what fills a slot while the node works. */
final class SwapCommands {
    private SwapCommands() {}

    /** Puts another instance in. */
    @Command(
            name = "swap",
            description =
                    "Lets another part fill a slot while people write. What is under way finishes on the old one; what a store"
                            + " keeps is moved along, and the command shows how far that is.")
    static final class Swap extends BaseCommand {
        @Parameters(index = "0", paramLabel = "SLOT", description = "The slot, as ./parley slots names it.")
        private String slot = "";

        @Parameters(index = "1", paramLabel = "INSTANCE", description = "PID~name of a candidate.")
        private String instance = "";

        @Option(names = "--why", paramLabel = "TEXT", description = "Why, for the journal.")
        private @Nullable String why;

        Swap(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> params = new LinkedHashMap<>();
            params.put("slot", slot);
            params.put("instance", instance);
            if (why != null) {
                params.put("why", why);
            }
            Map<String, Object> report = HandoverCommands.watched(this, "slots.swap", params);
            show(report, Plain.line(Answer.text(report, "words")));
            return Exit.OK;
        }
    }

    /** Takes the newest one back, or the newest change of the stack if that came later. */
    @Command(
            name = "undo",
            description = "Takes the newest swap or change of the stack back that was not taken back yet, also after a"
                    + " restart.")
    static final class Undo extends BaseCommand {
        @Option(names = "--why", paramLabel = "TEXT", description = "Why, for the journal.")
        private @Nullable String why;

        Undo(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            String newest = Answer.text(ask("stack.show", Map.of()), "undo");
            if (!newest.isEmpty() && !newest.equals("swap")) {
                return StackCommands.undo(this, why);
            }
            Map<String, Object> params = new LinkedHashMap<>();
            if (why != null) {
                params.put("why", why);
            }
            Map<String, Object> report = HandoverCommands.watched(this, "slots.undo", params);
            show(report, Plain.line(Answer.text(report, "words")));
            return Exit.OK;
        }
    }
}
