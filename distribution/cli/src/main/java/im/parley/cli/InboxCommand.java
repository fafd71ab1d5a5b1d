package im.parley.cli;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Messages, as they appeared. */
@Command(name = "inbox", description = "Shows messages in the order they appeared: time, who, state, text.")
final class InboxCommand extends BaseCommand {
    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description = "How many of the newest, 0 to 1000; 50 if left out.")
    private int count = 50;

    @Option(names = "--after", paramLabel = "POSITION", description = "Only those after this position (see --json).")
    private @Nullable Long after;

    @Option(
            names = {"-f", "--follow"},
            description = "Go on showing messages as they arrive.")
    private boolean follow;

    @Option(names = "--as", paramLabel = "IDENTITY", description = "Only this identity's messages.")
    private @Nullable String as;

    InboxCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        try (NodeClient client = connect()) {
            Map<String, Object> params = ContactCommands.as(as);
            if (after != null) {
                params.put("after", after);
            }
            long position = after == null ? 0 : after;
            Map<String, Object> answer = Map.of("messages", java.util.List.of());
            if (count > 0) {
                params.put("limit", count);
                answer = client.call("message.list", params);
            }
            StringBuilder text = new StringBuilder();
            for (Map<String, Object> message : Answer.objects(answer, "messages")) {
                text.append(line(message));
                position = Math.max(position, Answer.number(message, "position"));
            }
            if (!follow) {
                show(answer, text.isEmpty() ? "No messages yet." : text.toString());
                return Exit.OK;
            }
            for (Map<String, Object> message : Answer.objects(answer, "messages")) {
                show(message, line(message));
            }
            return follow(client, position);
        }
    }

    private int follow(NodeClient client, long position) throws Failure {
        Map<String, Object> params = ContactCommands.as(as);
        if (position > 0) {
            params.put("after", position);
        }
        client.call("message.follow", params);
        Map<String, Object> message = client.notification();
        while (message != null) {
            show(message, line(message));
            message = client.notification();
        }
        try (NodeClient again = NodeClient.connect(dataDir())) {
            if (again != null && Answer.flag(again.call("session.state", Map.of()), "locked")) {
                throw new Failure(
                        Exit.LOCKED,
                        "session.locked",
                        "The messages are no longer followed.",
                        "The session was locked.",
                        "Unlock it with ./parley unlock, then follow again.");
            }
        }
        throw new Failure(
                Exit.UNAVAILABLE,
                "node.gone",
                "The messages are no longer followed.",
                "The node ended the connection.",
                "Look at ./parley status.");
    }

    /** A line of who and when, then the text on lines of its own, where it can disturb nothing else. */
    private static String line(Map<String, Object> message) throws Failure {
        String peer = Plain.line(Answer.text(message, "peerName"));
        String self = Plain.line(Answer.text(message, "account"));
        boolean outgoing = Answer.flag(message, "outgoing");
        return Plain.time(Answer.number(message, "sentAt")) + "  "
                + (outgoing ? self + " -> " + peer : peer + " -> " + self)
                + "  [" + Plain.line(Answer.text(message, "state")) + "]\n"
                + Plain.block(Answer.text(message, "text"), "    ") + "\n";
    }
}
