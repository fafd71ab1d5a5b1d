package im.parley.cli;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Messages, as they appeared. */
@Command(
        name = "inbox",
        description = {
            "Shows messages in the order they appeared, late ones in their place: time, who, state, text.",
            "A message between two identities of this node is shown once, as its sender's; with --json, or for one"
                    + " identity with --as, each side is shown."
        },
        footer = {
            "",
            "With --json: one object {\"messages\":[...]}. With --json and --follow: one object per line, either"
                    + " {\"event\":\"message\",...} with the members of a message, or"
                    + " {\"event\":\"state\",\"position\":...,\"state\":...} when the state of a message of yours changes."
        })
final class InboxCommand extends CircleCommand {
    private static final int MOST = 1_000;
    private static final int ID_SHOWN = 8;
    /** Messages whose later states are shown. */
    private static final int MOST_REMEMBERED = 10_000;

    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description = "How many of the newest, 1 to 1000; 50 if left out.")
    private int count = 50;

    @Option(names = "--after", paramLabel = "POSITION", description = "Only those after this position (see --json).")
    private @Nullable Long after;

    @Option(
            names = {"-f", "--follow"},
            description = "Go on showing messages as they arrive, and what becomes of yours.")
    private boolean follow;

    @Option(names = "--ids", description = "Show the beginning of each id, for reply, react and delete.")
    private boolean ids;

    @Option(names = "--as", paramLabel = "IDENTITY", description = "Only this identity's messages.")
    private @Nullable String as;

    /** Own messages that were shown, by id: the state that was shown last. */
    private final Map<String, String> states = new LinkedHashMap<>();

    private String lastShown = "";

    InboxCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        int wanted = counted(count, MOST);
        if (after != null && after < 0) {
            throw Failure.usage("--after is " + after + "; it must be 0 or more.");
        }
        try (NodeClient client = connect()) {
            Map<String, Object> params = ContactCommands.as(as);
            if (after != null) {
                params.put("after", after);
            }
            // Of two that are one message, one is shown.
            params.put("limit", once() ? Math.min(MOST, 2 * wanted) : wanted);
            Map<String, Object> answer = client.call("message.list", params);
            List<Map<String, Object>> messages = cut(Answer.objects(answer, "messages"), wanted);
            long position = after == null ? 0 : after;
            for (Map<String, Object> message : messages) {
                position = Math.max(position, Answer.number(message, "position"));
            }
            if (follow) {
                for (Map<String, Object> message : messages) {
                    showFollowed(message);
                }
                return follow(client, position);
            }
            StringBuilder text = new StringBuilder();
            int width = json() ? 0 : invocation().width();
            for (Map<String, Object> message : messages) {
                text.append(shown(message, width, ids));
            }
            show(answer, text.isEmpty() ? nothing() : text.toString());
            return Exit.OK;
        }
    }

    private boolean once() {
        return as == null && !json();
    }

    /** The newest, or the first after a position, without the received side of what was sent here. */
    private List<Map<String, Object>> cut(List<Map<String, Object>> all, int wanted) throws Failure {
        if (!once()) {
            return all;
        }
        Set<String> own = new HashSet<>();
        for (Map<String, Object> message : all) {
            if (Answer.flag(message, "outgoing")) {
                own.add(Answer.text(message, "id"));
            }
        }
        List<Map<String, Object>> kept = new ArrayList<>();
        for (Map<String, Object> message : all) {
            if (Answer.flag(message, "outgoing") || !own.contains(Answer.text(message, "id"))) {
                kept.add(message);
            }
        }
        int size = kept.size();
        return size <= wanted ? kept : after == null ? kept.subList(size - wanted, size) : kept.subList(0, wanted);
    }

    private String nothing() {
        String whose = as == null ? "" : " of " + Plain.line(as);
        return after == null ? "No messages" + whose + " yet." : "Nothing" + whose + " after position " + after + ".";
    }

    private int follow(NodeClient client, long position) throws Failure {
        Map<String, Object> params = ContactCommands.as(as);
        params.put("after", position);
        params.put("states", true);
        client.call("message.follow", params);
        NodeClient.Told told = client.notification();
        while (told != null) {
            if (told.method().equals("message.event")) {
                showFollowed(told.params());
            } else if (told.method().equals("message.state")) {
                showState(told.params());
            }
            told = client.notification();
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

    private void showFollowed(Map<String, Object> message) throws Failure {
        String id = Answer.text(message, "id");
        if (Answer.flag(message, "outgoing")) {
            states.put(id, Answer.text(message, "state"));
            forgetOldest();
        } else if (once() && states.containsKey(id)) {
            return;
        }
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("event", "message");
        event.putAll(message);
        show(event, json() ? "" : shown(message, invocation().width(), ids));
        lastShown = id;
    }

    private void forgetOldest() {
        if (states.size() > MOST_REMEMBERED) {
            Iterator<String> oldest = states.keySet().iterator();
            oldest.next();
            oldest.remove();
        }
    }

    /** What becomes of a message that was shown; the node may tell again what is known. */
    private void showState(Map<String, Object> told) throws Failure {
        String id = Answer.text(told, "id");
        String state = Answer.text(told, "state");
        String before = states.get(id);
        if (before == null || before.equals(state)) {
            return;
        }
        states.put(id, state);
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("event", "state");
        event.putAll(told);
        String which = id.equals(lastShown)
                ? ""
                : "to " + Plain.line(Answer.text(told, "peerName")) + " at " + Plain.time(Answer.number(told, "sentAt"))
                        + ": ";
        show(event, "    -> " + which + Plain.line(state) + "\n");
    }

    /** A line of who and when, then the text behind a bar, where it can disturb nothing else. */
    static String shown(Map<String, Object> message, int width, boolean ids) throws Failure {
        String self = Plain.line(Answer.text(message, "account"));
        String author = Answer.flag(message, "outgoing") ? self : Plain.line(Answer.text(message, "peerName"));
        String about = begin(Answer.text(message, "about"));
        switch (Answer.text(message, "what")) {
            case "reaction" -> {
                return "    " + author + ": " + Plain.line(Answer.text(message, "text")) + " to " + about + "\n";
            }
            case "edit" -> {
                return "    " + author + " changed " + about + "\n";
            }
            case "deletion" -> {
                return "    " + author + " deleted " + about + "\n";
            }
            default -> {
                // A text.
            }
        }
        StringBuilder line = new StringBuilder(Plain.time(Answer.number(message, "sentAt")))
                .append("  ")
                .append(author)
                .append(" -> ")
                .append(readers(message, self))
                .append("  [")
                .append(Plain.line(Answer.text(message, "state")))
                .append(']');
        if (ids) {
            line.append(' ').append(begin(Answer.text(message, "id")));
        }
        long expires = Answer.number(message, "expires");
        if (expires > 0) {
            line.append(" until ").append(Plain.time(expires * 1_000));
        }
        if (!about.isEmpty()) {
            line.append(" answers ").append(about);
        }
        if (Answer.number(message, "edits") > 0) {
            line.append(" changed");
        }
        line.append('\n')
                .append(Answer.flag(message, "deleted") ? "    (deleted)\n" : Plain.message(text(message), width));
        for (Map<String, Object> reaction : Answer.objects(message, "reactions")) {
            line.append("    ")
                    .append(Plain.line(Answer.text(reaction, "by")))
                    .append(": ")
                    .append(Plain.line(Answer.text(reaction, "content")))
                    .append('\n');
        }
        return line.toString();
    }

    /** With the names of those whom it names. */
    private static String text(Map<String, Object> message) throws Failure {
        List<Map<String, Object>> files = Answer.objects(message, "file");
        if (!files.isEmpty()) {
            Map<String, Object> file = files.get(0);
            String name = Answer.text(file, "name");
            long size = Answer.number(file, "size");
            return "[file] " + (name.isEmpty() ? "without a name" : name) + ", " + Answer.text(file, "type")
                    + (size < 0 ? "" : ", " + Plain.bytes(size));
        }
        String text = Answer.text(message, "text");
        for (Map<String, Object> mention : Answer.objects(message, "mentions")) {
            text = text.replace(Answer.text(mention, "address"), "@" + Answer.text(mention, "name"));
        }
        return text;
    }

    /** Everybody but the author. */
    private static String readers(Map<String, Object> message, String self) throws Failure {
        List<String> readers = new ArrayList<>();
        boolean outgoing = Answer.flag(message, "outgoing");
        if (!outgoing) {
            readers.add(self);
        }
        for (String member : Answer.texts(message, "members")) {
            if (outgoing || !member.equals(Answer.text(message, "peerName"))) {
                readers.add(Plain.line(member));
            }
        }
        return String.join(", ", readers);
    }

    private static String begin(String id) {
        return id.substring(0, Math.min(ID_SHOWN, id.length()));
    }
}
