package im.parley.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What is done to a message that is there. */
final class MessageCommands {
    private static final String WHICH = "The message: the beginning of its id, as ./parley inbox --ids shows it.";

    private static final Pattern TIME = Pattern.compile("(\\d{1,8})([smhd])");

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
    private abstract static class Act extends CircleCommand {
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
            name = "vanish",
            description =
                    "Says after what time messages that you write to somebody from now on are wiped, here and there; without"
                            + " a time it tells.")
    static final class Vanish extends CircleCommand {
        @Parameters(
                index = "0",
                paramLabel = "WITH",
                description = "A contact, an own identity, an npub or an nprofile.")
        private String with = "";

        @Parameters(
                index = "1",
                arity = "0..1",
                paramLabel = "TIME",
                description = "For example 30s, 5m, 12h or 7d; off for never. 5 seconds to 365 days.")
        private @Nullable String time;

        @Option(
                names = "--and",
                paramLabel = "NAME",
                description = "One more, up to 8 times: the room of these people.")
        private List<String> others = new ArrayList<>();

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Whose messages.")
        private @Nullable String as;

        Vanish(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            SecretKeys.refuseAsAddress("The timer was not set.", with);
            params.put("with", with);
            if (!others.isEmpty()) {
                params.put("and", String.join("\n", others));
            }
            if (time != null) {
                params.put("seconds", seconds(time));
            }
            Map<String, Object> answer = ask("message.timer", params);
            long seconds = Answer.number(answer, "seconds");
            show(
                    answer,
                    seconds == 0
                            ? "What you write there stays."
                            : "What you write there is wiped " + words(seconds)
                                    + " later, here and wherever a client keeps to it.");
            return Exit.OK;
        }
    }

    static long seconds(String time) throws Failure {
        if (time.equals("off")) {
            return 0;
        }
        Matcher parts = TIME.matcher(time);
        if (!parts.matches()) {
            throw Failure.usage("TIME is " + Plain.line(time) + "; it is for example 30s, 5m, 12h, 7d or off.");
        }
        long number = Long.parseLong(parts.group(1));
        return switch (parts.group(2)) {
            case "s" -> number;
            case "m" -> number * 60;
            case "h" -> number * 3_600;
            default -> number * 86_400;
        };
    }

    static String words(long seconds) {
        long[] lengths = {86_400, 3_600, 60};
        String[] names = {"day", "hour", "minute"};
        for (int i = 0; i < lengths.length; i++) {
            if (seconds % lengths[i] == 0) {
                return many(seconds / lengths[i], names[i]);
            }
        }
        return many(seconds, "second");
    }

    static String many(long number, String name) {
        return number + " " + name + (number == 1 ? "" : "s");
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

    @Command(
            name = "edit",
            description =
                    "Changes the text of a message of yours, here and wherever a client knows edits; others see a new"
                            + " message in the place of the old one.")
    static final class Edit extends WritingCommand {
        @Parameters(index = "0", paramLabel = "ID", description = WHICH)
        private String message = "";

        Edit(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, IOException, InterruptedException {
            // Where the message is says nothing of its new text.
            return write(
                    "message.edit",
                    Map.of("message", message),
                    (client, changed) -> "Changed here. The new text goes to "
                            + Plain.line(String.join(", ", Answer.texts(changed, "members"))) + ".");
        }
    }

    @Command(name = "history", description = "Shows the texts that a message had, oldest first.")
    static final class History extends CircleCommand {
        @Parameters(index = "0", paramLabel = "ID", description = WHICH)
        private String message = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Whose message.")
        private @Nullable String as;

        History(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("message", message);
            Map<String, Object> answer = ask("message.history", params);
            StringBuilder text = new StringBuilder();
            for (Map<String, Object> version : Answer.objects(answer, "versions")) {
                text.append(Plain.time(Answer.number(version, "at")))
                        .append('\n')
                        .append(Plain.message(
                                Answer.text(version, "text"),
                                json() ? 0 : invocation().width()));
            }
            show(answer, text.toString());
            return Exit.OK;
        }
    }

    @Command(
            name = "keep",
            description = "Keeps a message at hand in its conversation: ./parley chat show --pinned lists them.")
    static final class Keep extends Act {
        @Option(names = "--no-longer", description = "Do not keep it any more.")
        private boolean noLonger;

        Keep(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act(
                    "message.pin",
                    Map.of("pinned", !noLonger),
                    noLonger ? "No longer kept, of the conversation with" : "Kept at hand in the conversation with");
        }
    }
}
