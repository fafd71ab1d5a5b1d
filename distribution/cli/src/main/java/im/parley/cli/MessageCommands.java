package im.parley.cli;

import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What is done to a message that is there. */
final class MessageCommands {
    private static final String WHICH = "The message: the beginning of its id, as ./parley inbox --ids shows it.";

    private MessageCommands() {}

    @Command(name = "reply", description = "Answers a message before everybody in its room; otherwise as send.")
    static final class Reply extends WritingCommand {
        @Parameters(index = "0", paramLabel = "ID", description = WHICH)
        private String message = "";

        Reply(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, IOException, InterruptedException {
            return write("message.reply", Map.of("message", message));
        }
    }

    /** What the others share. */
    private abstract static class Act extends BaseCommand {
        @Parameters(index = "0", paramLabel = "ID", description = WHICH)
        private String message = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Who does it.")
        private @Nullable String as;

        Act(Invocation invocation) {
            super(invocation);
        }

        int act(String method, Map<String, Object> more, String done) throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("message", message);
            params.putAll(more);
            Map<String, Object> sent = ask(method, params);
            show(sent, done + " " + Plain.line(String.join(", ", Answer.texts(sent, "members"))) + ".");
            return Exit.OK;
        }
    }

    @Command(
            name = "react",
            description = "Puts a picture or a short word beside a message, for everybody in its room.")
    static final class React extends Act {
        @Parameters(index = "1", paramLabel = "REACTION", description = "Up to 64 bytes, for example a heart.")
        private String reaction = "";

        React(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("message.react", Map.of("reaction", reaction), "Your reaction goes to");
        }
    }

    @Command(
            name = "delete",
            description =
                    "Takes a message or reaction of yours back. Its text is gone here at once; the others' clients are"
                            + " asked to delete it too, which those do that keep to the rules.")
    static final class Delete extends Act {
        Delete(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("message.delete", Map.of(), "Deleted here. The same is asked of");
        }
    }
}
