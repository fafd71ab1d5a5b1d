package im.parley.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Conversations as a whole. */
final class ChatCommands {
    private static final long FOR_EVER = 36_500L * 86_400;

    private ChatCommands() {}

    @Command(
            name = "chats",
            description = {
                "Lists conversations: pinned ones first, then those with the newest message.",
                "Requests of strangers stand below them: nobody learns that they were received until they are let in."
            })
    static final class ListAll extends CircleCommand {
        @Option(names = "--as", paramLabel = "IDENTITY", description = "Only this identity's conversations.")
        private @Nullable String as;

        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("chat.list", ContactCommands.as(as));
            List<List<String>> chats = new ArrayList<>();
            List<List<String>> requests = new ArrayList<>();
            for (Map<String, Object> chat : Answer.objects(answer, "chats")) {
                (Answer.flag(chat, "request") ? requests : chats).add(row(chat));
            }
            StringBuilder text = new StringBuilder(
                    chats.isEmpty() && requests.isEmpty()
                            ? advice("No conversation yet. Write to somebody with ./parley send.")
                            : chats.isEmpty() ? "" : Plain.table(chats));
            if (!requests.isEmpty()) {
                text.append(chats.isEmpty() ? "" : "\n")
                        .append("Requests, let in with ./parley chat accept, taken away with ./parley chat remove:\n")
                        .append(Plain.table(requests));
            }
            show(answer, advice(text.toString()));
            return Exit.OK;
        }
    }

    private static List<String> row(Map<String, Object> chat) throws Failure {
        long unread = Answer.number(chat, "unread");
        List<String> marks = new ArrayList<>();
        if (unread > 0) {
            marks.add(unread + " new" + (Answer.flag(chat, "mentioned") ? ", names you" : ""));
        }
        if (Answer.flag(chat, "pinned")) {
            marks.add("pinned");
        }
        if (Answer.number(chat, "mutedUntil") > 0) {
            marks.add("muted");
        }
        if (!Answer.text(chat, "draft").isEmpty()) {
            marks.add("draft");
        }
        List<Map<String, Object>> last = Answer.objects(chat, "last");
        return List.of(
                Plain.line(Answer.text(chat, "account")),
                Plain.line(String.join(", ", Answer.texts(chat, "members"))),
                last.isEmpty() ? "" : Plain.time(Answer.number(last.get(0), "sentAt")),
                String.join(", ", marks));
    }

    /** What is about the conversation with certain people. */
    private abstract static class With extends CircleCommand {
        @Parameters(
                index = "0",
                paramLabel = "WITH",
                description = "A contact, an own identity, an npub or an nprofile.")
        private String with = "";

        @Option(
                names = "--and",
                paramLabel = "NAME",
                description = "One more, up to 8 times: the room of these people.")
        private List<String> others = new ArrayList<>();

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Whose conversation.")
        private @Nullable String as;

        With(Invocation invocation) {
            super(invocation);
        }

        Map<String, Object> params() throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            SecretKeys.refuseAsAddress("Nothing was done.", with);
            params.put("with", with);
            if (!others.isEmpty()) {
                params.put("and", String.join("\n", others));
            }
            return params;
        }

        int act(String method, Map<String, Object> more, String done) throws Failure {
            Map<String, Object> params = params();
            params.putAll(more);
            show(ask(method, params), done + "\n");
            return Exit.OK;
        }
    }

    @Command(
            name = "show",
            description = "Shows a conversation's messages as they are to be read, and what is said of it.")
    static final class Show extends With {
        @Option(
                names = {"-n", "--count"},
                paramLabel = "N",
                description = "How many of the newest, 1 to 1000; 50 if left out.")
        private int count = 50;

        @Option(
                names = "--before",
                paramLabel = "POSITION",
                description = "Only those before this position (see --json): the page before.")
        private @Nullable Long before;

        @Option(names = "--pinned", description = "Only those that are kept at hand.")
        private boolean pinned;

        @Option(names = "--ids", description = "Show the beginning of each id, for reply, react, edit and delete.")
        private boolean ids;

        Show(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> params = params();
            if (!pinned) {
                params.put("limit", counted(count, 1_000));
                if (before != null) {
                    params.put("before", before);
                }
            }
            Map<String, Object> answer = ask(pinned ? "chat.pins" : "chat.page", params);
            StringBuilder text = new StringBuilder();
            int width = json() ? 0 : invocation().width();
            for (Map<String, Object> message : Answer.objects(answer, "messages")) {
                text.append(InboxCommand.shown(message, width, ids));
            }
            show(answer, text.isEmpty() ? "No messages.\n" : text.toString());
            return Exit.OK;
        }
    }

    @Command(
            name = "read",
            description = "Marks a conversation as read. The authors are told, unless that is off or it is a request.")
    static final class Read extends With {
        Read(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("chat.read", Map.of(), "Nothing there is new any more.");
        }
    }

    @Command(name = "pin", description = "Keeps a conversation above the others.")
    static final class Pin extends With {
        Pin(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("chat.pin", Map.of("pinned", true), "It stands above the others now.");
        }
    }

    @Command(name = "unpin", description = "Lets a conversation stand among the others again.")
    static final class Unpin extends With {
        Unpin(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("chat.pin", Map.of("pinned", false), "It stands among the others again.");
        }
    }

    @Command(name = "mute", description = "No notice of a conversation's messages, for a time or until further notice.")
    static final class Mute extends With {
        @Parameters(
                index = "1",
                arity = "0..1",
                paramLabel = "TIME",
                description = "For example 30m, 8h or 7d; off to end it; without end if left out.")
        private @Nullable String time;

        Mute(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            long seconds = time == null ? FOR_EVER : MessageCommands.seconds(time);
            return act(
                    "chat.mute",
                    Map.of("seconds", seconds),
                    seconds == 0
                            ? "You get notice of it again."
                            : "No notice of it"
                                    + (time == null ? "." : " for " + MessageCommands.words(seconds) + "."));
        }
    }

    @Command(
            name = "draft",
            description =
                    "Keeps a text for a conversation that is not sent yet; without a text it shows the one there is.")
    static final class Draft extends With {
        @Parameters(index = "1..*", arity = "0..*", paramLabel = "TEXT", description = "Words are joined by spaces.")
        private List<String> words = new ArrayList<>();

        @Option(names = "--clear", description = "Keep none.")
        private boolean clear;

        Draft(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            if (clear || !words.isEmpty()) {
                String text = clear ? "" : String.join(" ", words);
                return act("chat.draft", Map.of("text", text), clear ? "There is no draft any more." : "Kept.");
            }
            Map<String, Object> chat = ask("chat.show", params());
            String draft = Answer.text(chat, "draft");
            show(
                    chat,
                    draft.isEmpty()
                            ? "There is no draft.\n"
                            : Plain.message(draft, invocation().width()));
            return Exit.OK;
        }
    }

    @Command(
            name = "accept",
            description = "Lets a stranger's request in: from now on it is a conversation like any other.")
    static final class Accept extends With {
        Accept(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("chat.accept", Map.of(), "Let in.");
        }
    }

    @Command(
            name = "remove",
            description = "Takes a conversation away with all its messages, on this node only; nobody is told.")
    static final class Remove extends With {
        @Option(names = "--yes", description = "Do not ask: the messages are gone for good.")
        private boolean yes;

        Remove(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            if (!yes) {
                throw Failure.usage("The messages would be gone for good. Say --yes if that is meant.");
            }
            Map<String, Object> answer = ask("chat.remove", params());
            long removed = Answer.number(answer, "removed");
            show(answer, "Taken away with " + removed + " message" + (removed == 1 ? "" : "s") + ".\n");
            return Exit.OK;
        }
    }

    @Command(
            name = "typing",
            description = "Tells the others in a conversation that you write; for clients, more than for people.")
    static final class Typing extends With {
        Typing(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("chat.typing", Map.of(), "Told, unless that is off.");
        }
    }

    /** People who are not let in. */
    private abstract static class Blocking extends CircleCommand {
        @Parameters(index = "0", paramLabel = "WHO", description = "A contact, an npub or an nprofile.")
        private String who = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "For which identity.")
        private @Nullable String as;

        Blocking(Invocation invocation) {
            super(invocation);
        }

        int act(String method, String done) throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            SecretKeys.refuseAsAddress("Nothing was done.", who);
            params.put("who", who);
            show(ask(method, params), done + "\n");
            return Exit.OK;
        }
    }

    @Command(
            name = "block",
            description =
                    "Lets nothing of somebody in any more, in no conversation. She is not told; what she writes meanwhile"
                            + " is not kept.")
    static final class Block extends Blocking {
        Block(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("contact.block", "Nothing of this person is let in any more.");
        }
    }

    @Command(name = "unblock", description = "Lets somebody in again.")
    static final class Unblock extends Blocking {
        Unblock(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            return act("contact.unblock", "This person can write to you again. What came meanwhile is not there.");
        }
    }

    @Command(name = "blocked", description = "Lists who is not let in.")
    static final class Blocked extends CircleCommand {
        @Option(names = "--as", paramLabel = "IDENTITY", description = "For which identity.")
        private @Nullable String as;

        Blocked(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("contact.blocked", ContactCommands.as(as));
            StringBuilder text = new StringBuilder();
            for (String who : Answer.texts(answer, "blocked")) {
                text.append(Plain.line(who)).append('\n');
            }
            show(answer, text.isEmpty() ? "Nobody is blocked.\n" : text.toString());
            return Exit.OK;
        }
    }

    @Command(
            name = "settings",
            description = "What an identity tells others: whether messages were received and read, and that it writes.")
    static final class Settings extends CircleCommand {
        @Option(names = "--receipts", paramLabel = "on|off", description = "Authors learn what was received and read.")
        private @Nullable String receipts;

        @Option(names = "--typing", paramLabel = "on|off", description = "Others see that you write.")
        private @Nullable String typing;

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Which identity.")
        private @Nullable String as;

        Settings(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, IOException {
            Map<String, Object> params = ContactCommands.as(as);
            put(params, "receipts", receipts);
            put(params, "typing", typing);
            Map<String, Object> answer = ask("identity.settings", params);
            show(
                    answer,
                    Plain.table(List.of(
                            List.of(
                                    "receipts",
                                    word(Answer.flag(answer, "receipts")),
                                    "authors learn what was received and read"),
                            List.of("typing", word(Answer.flag(answer, "typing")), "others see that you write"))));
            return Exit.OK;
        }

        private static void put(Map<String, Object> params, String name, @Nullable String value) throws Failure {
            if (value == null) {
                return;
            }
            if (!value.equals("on") && !value.equals("off")) {
                throw Failure.usage("--" + name + " is " + Plain.line(value) + "; it is on or off.");
            }
            params.put(name, value.equals("on"));
        }

        private static String word(boolean on) {
            return on ? "on" : "off";
        }
    }
}
