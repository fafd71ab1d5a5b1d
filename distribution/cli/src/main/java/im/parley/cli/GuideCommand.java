package im.parley.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/** What {@code ./parley} alone says: where this person stands, and the next step to a first message. */
@Command(name = "guide", description = "Says where you stand and what comes next, as ./parley alone does.")
final class GuideCommand extends BaseCommand {
    GuideCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        NodeClient found;
        try {
            found = connect();
        } catch (Failure e) {
            without(e);
            return Exit.OK;
        }
        try (NodeClient client = found) {
            Map<String, Object> status = client.call("node.status", Map.of());
            if (Answer.flag(Answer.member(status, "session"), "locked")) {
                say("unlock", "Your node runs, and its session is locked.", List.of("./parley unlock"));
            } else if (!Answer.texts(status, "features").contains("personal")) {
                say(
                        "relay",
                        "This node is a relay and holds nobody's messages.",
                        List.of(
                                "./parley relay status",
                                "./parley stop && ./parley start --detach --only all     # to hold messages, too"));
            } else {
                person(client);
            }
            return Exit.OK;
        }
    }

    /** Nobody answers. */
    private void without(Failure reason) throws Failure {
        String where = reason.what() + " " + Plain.line(reason.why());
        switch (reason.code()) {
            case "node.not-running" ->
                say(
                        "start",
                        "No node runs on " + Plain.line(dataDir().toString()) + ".",
                        List.of("./parley start --detach"));
            case "node.starting" -> say("wait", where, List.of("./parley start"));
            case "node.stopping" -> say("wait", where, List.of("./parley stop"));
            case "node.unreachable" -> say("stop", where, List.of("./parley stop", "./parley start --detach"));
            default -> throw reason;
        }
    }

    private void person(NodeClient client) throws Failure {
        List<Map<String, Object>> accounts = Answer.objects(client.call("identity.list", Map.of()), "accounts");
        if (accounts.isEmpty()) {
            say("identity", "Your node runs. You have no identity yet.", List.of("./parley identity new YOUR-NAME"));
            return;
        }
        String me = Answer.text(accounts.get(0), "name");
        String as = accounts.size() > 1 ? "--as " + Shell.quoted(me) + " " : "";
        List<Map<String, Object>> contacts =
                Answer.objects(client.call("contact.list", Map.of("account", me)), "contacts");
        if (contacts.isEmpty() && accounts.size() == 1) {
            say(
                    "contact",
                    "You are " + Plain.line(me) + ". You know nobody yet: ask for an npub or nprofile, and give yours.",
                    List.of(
                            "./parley identity list",
                            "./parley contact add NAME NPUB",
                            "./parley identity new bob        # or try it with a second identity of your own"));
            return;
        }
        String whom = contacts.isEmpty() ? Answer.text(accounts.get(1), "name") : Answer.text(contacts.get(0), "name");
        List<Map<String, Object>> messages =
                Answer.objects(client.call("message.list", Map.of("after", 0L, "limit", 1L)), "messages");
        if (messages.isEmpty()) {
            say(
                    "send",
                    "You are " + Plain.line(me) + " and know " + Plain.line(whom) + ".",
                    List.of("./parley send " + as + Shell.quoted(whom) + " \"Hello\""));
        } else {
            say(
                    "inbox",
                    "You are " + Plain.line(me) + ".",
                    List.of("./parley inbox --follow", "./parley send " + as + Shell.quoted(whom) + " \"...\""));
        }
    }

    private void say(String step, String where, List<String> next) throws Failure {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("step", step);
        answer.put("text", where);
        List<String> here = next.stream().map(this::advice).toList();
        answer.put("next", here);
        StringBuilder text = new StringBuilder(where).append("\nNext:\n");
        here.forEach(command -> text.append("  ").append(command).append('\n'));
        show(answer, text.append("All commands: ./parley --help\n").toString());
    }
}
