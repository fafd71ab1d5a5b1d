package im.parley.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Circles: family, friends, work, which never mix. */
final class CircleCommands {
    private static final String WHICH = "As ./parley circle list shows it.";

    private CircleCommands() {}

    /** A line of a circle's name, what it is for, and how to name it in a command. */
    private static String in(String circle) {
        return " --circle " + Shell.quoted(circle);
    }

    private static void put(Map<String, Object> params, String name, List<String> lines) {
        if (!lines.isEmpty()) {
            params.put(name, String.join("\n", lines));
        }
    }

    @Command(name = "new", description = "Makes a circle with identities, contacts, relays and a key of its own.")
    static final class New extends BaseCommand {
        @Parameters(paramLabel = "NAME", description = "1 to 64 characters; it can be changed.")
        private String name = "";

        @Option(names = "--description", paramLabel = "TEXT", description = "One line, up to 200 characters.")
        private @Nullable String description;

        @Option(
                names = "--relay",
                paramLabel = "URL",
                description = "What identities made in it begin with, up to 3 times. Default: this node's own relay.")
        private List<String> relays = new ArrayList<>();

        @Option(names = "--file-server", paramLabel = "URL", description = "Kept for its invitations, up to 8 times.")
        private List<String> fileServers = new ArrayList<>();

        @Option(
                names = "--vanish",
                paramLabel = "TIME",
                description = "After what time messages written in it are wiped, where vanish says nothing else.")
        private @Nullable String time;

        New(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseAsIdentity("The circle was not made.", name);
            for (String relay : relays) {
                SecretKeys.refuseInUrl("The circle was not made.", relay);
            }
            Map<String, Object> params = new LinkedHashMap<>();
            params.put("name", name);
            if (description != null) {
                params.put("description", description);
            }
            put(params, "relays", relays);
            put(params, "fileServers", fileServers);
            if (time != null) {
                params.put("seconds", MessageCommands.seconds(time));
            }
            Map<String, Object> circle = ask("circle.new", params);
            String made = Answer.text(circle, "name");
            show(
                    circle,
                    "There is the circle " + Plain.line(made) + " now. Nobody is in it yet.\n"
                            + advice("Next: ./parley identity new" + in(made) + " YOUR-NAME\n"));
            return Exit.OK;
        }
    }

    @Command(name = "list", description = "Lists the circles: who and what is in them, and the sums of their ledgers.")
    static final class ListAll extends BaseCommand {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("circle.list", Map.of());
            StringBuilder text = new StringBuilder();
            for (Map<String, Object> circle : Answer.objects(answer, "circles")) {
                String description = Answer.text(circle, "description");
                text.append(Plain.line(Answer.text(circle, "name")))
                        .append(description.isEmpty() ? "" : ": " + Plain.line(description))
                        .append("\n  ")
                        .append(many(Answer.number(circle, "identities"), "identity", "identities"))
                        .append(", ")
                        .append(many(Answer.number(circle, "inboxRelays"), "inbox relay", "inbox relays"))
                        .append(", ")
                        .append(many(Answer.number(circle, "messages"), "message", "messages"))
                        .append("\n  ledger: ")
                        .append(LedgerCommand.totals(circle))
                        .append('\n');
                for (String relay : Answer.texts(circle, "relays")) {
                    text.append("  relay   ").append(Plain.line(relay)).append('\n');
                }
                for (String server : Answer.texts(circle, "fileServers")) {
                    text.append("  files   ").append(Plain.line(server)).append('\n');
                }
                long seconds = Answer.number(circle, "seconds");
                if (seconds > 0) {
                    text.append("  vanish  ")
                            .append(MessageCommands.words(seconds))
                            .append('\n');
                }
            }
            show(answer, text.toString());
            return Exit.OK;
        }

        private static String many(long number, String one, String several) {
            return number + " " + (number == 1 ? one : several);
        }
    }

    @Command(name = "rename", description = "Gives a circle another name; nothing else changes.")
    static final class Rename extends BaseCommand {
        @Parameters(index = "0", paramLabel = "NAME", description = WHICH)
        private String name = "";

        @Parameters(index = "1", paramLabel = "NEW-NAME", description = "1 to 64 characters.")
        private String next = "";

        Rename(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseAsIdentity("The circle was not renamed.", next);
            Map<String, Object> circle = ask("circle.rename", Map.of("circle", name, "name", next));
            show(circle, "It is called " + Plain.line(Answer.text(circle, "name")) + " now.");
            return Exit.OK;
        }
    }

    @Command(
            name = "delete",
            description = {
                "Ends a circle for good: its messages, contacts, identities and their keys, its connections.",
                "What was published stays with those who have it; keys that you want to keep are exported first."
            })
    static final class Delete extends BaseCommand {
        @Parameters(paramLabel = "NAME", description = WHICH)
        private String name = "";

        @Option(names = "--yes", paramLabel = "NAME", description = "The name again; without it the command asks.")
        private @Nullable String yes;

        Delete(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            String again = yes;
            if (again == null) {
                if (json() || !invocation().interactive()) {
                    throw new Failure(
                            Exit.REFUSED,
                            "cli.not-confirmed",
                            "Nothing was deleted.",
                            "Nobody is there to ask.",
                            "Say --yes and the name again.");
                }
                invocation()
                        .out()
                        .print("All of it goes and nothing brings it back. Type the name of the circle again: ");
                invocation().out().flush();
                again = Plans.answer(this);
            }
            Map<String, Object> answer = ask("circle.delete", Map.of("circle", name, "again", again));
            StringBuilder text =
                    new StringBuilder("The circle ").append(Plain.line(name)).append(" is gone.\n");
            for (String kept : Answer.texts(answer, "keysKept")) {
                text.append("The key of ").append(Plain.line(kept)).append(" lies elsewhere and is still there.\n");
            }
            show(answer, text.toString());
            return Exit.OK;
        }
    }

    /** What an invitation says, in lines. */
    private static String told(Map<String, Object> invitation) throws Failure {
        StringBuilder text = new StringBuilder();
        String description = Answer.text(invitation, "description");
        String from = Answer.text(invitation, "from");
        text.append("  circle  ")
                .append(Plain.line(Answer.text(invitation, "circle")))
                .append(description.isEmpty() ? "" : ": " + Plain.line(description))
                .append("\n  from    ")
                .append(from.isEmpty() ? "" : Plain.line(from) + " ")
                .append(Plain.line(Answer.text(invitation, "inviter")))
                .append('\n');
        for (String relay : Answer.texts(invitation, "relays")) {
            text.append("  relay   ").append(Plain.line(relay)).append('\n');
        }
        for (String server : Answer.texts(invitation, "fileServers")) {
            text.append("  files   ").append(Plain.line(server)).append('\n');
        }
        return text.toString();
    }

    @Command(
            name = "invite",
            description = "Prints a link that says where a circle meets and who you are in it. It has no secrets.")
    static final class Invite extends BaseCommand {
        @Parameters(paramLabel = "NAME", description = WHICH)
        private String name = "";

        @Option(names = "--qr", description = "Draw the link as a QR code, too.")
        private boolean qr;

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Who invites.")
        private @Nullable String as;

        Invite(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("circle", name);
            Map<String, Object> invitation = ask("circle.invite", params);
            String link = Answer.text(invitation, "link");
            String code = qr && !json() ? QrCodes.drawn(link) : "";
            if (qr && code.isEmpty() && !json()) {
                code = "It is too long for a QR code.\n";
            }
            String text = Plain.line(link) + "\n" + code + "It says:\n" + told(invitation)
                    + advice("Who gets it says: ./parley circle join \"LINK\" --identity THEIR-NAME\n");
            show(invitation, text);
            return Exit.OK;
        }
    }

    @Command(
            name = "join",
            description = {
                "Makes a circle after an invitation, an identity in it, and a contact of who invites.",
                "The invitation's relays are used if you agree, but never when they lead into a private network; name"
                        + " such a relay yourself with --relay."
            })
    static final class Join extends BaseCommand {
        @Parameters(paramLabel = "LINK", description = "parley:circle?..., between quotes.")
        private String link = "";

        @Option(
                names = "--identity",
                paramLabel = "NAME",
                required = true,
                description = "Who you are in it; an identity of this name is made.")
        private String identity = "";

        @Option(names = "--name", paramLabel = "NAME", description = "Call the circle so. Default: the invitation's.")
        private @Nullable String name;

        @Option(
                names = "--contact",
                paramLabel = "NAME",
                description = "Call who invites so. Default: as the invitation does.")
        private @Nullable String contact;

        @Option(
                names = "--relay",
                paramLabel = "URL",
                description = "Use this relay instead of the invitation's, up to 3 times.")
        private List<String> relays = new ArrayList<>();

        @Option(names = "--yes", description = "Do not ask.")
        private boolean yes;

        Join(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseAsIdentity("The circle was not joined.", identity);
            for (String relay : relays) {
                SecretKeys.refuseInUrl("The circle was not joined.", relay);
            }
            Map<String, Object> invitation = ask("circle.read", Map.of("link", link));
            if (!yes && relays.isEmpty()) {
                confirm(invitation);
            }
            Map<String, Object> params = new LinkedHashMap<>();
            params.put("link", link);
            params.put("identity", identity);
            if (name != null) {
                params.put("name", name);
            }
            if (contact != null) {
                params.put("contact", contact);
            }
            put(params, "relays", relays);
            Map<String, Object> joined = ask("circle.join", params);
            String circle = Answer.text(Answer.member(joined, "circle"), "name");
            Map<String, Object> account = Answer.member(joined, "account");
            String inviter = Answer.text(Answer.member(joined, "contact"), "name");
            show(
                    joined,
                    "You are " + Plain.line(Answer.text(account, "name")) + " in the circle " + Plain.line(circle)
                            + ".\n" + IdentityCommands.describe(account)
                            + advice(
                                    "Next: ./parley send" + in(circle) + " " + Shell.quoted(inviter) + " \"Hello\"\n"));
            return Exit.OK;
        }

        private void confirm(Map<String, Object> invitation) throws Failure {
            if (json() || !invocation().interactive()) {
                throw new Failure(
                        Exit.REFUSED,
                        "cli.not-confirmed",
                        "The circle was not joined.",
                        "Nobody is there to ask whether the invitation's relays may be used.",
                        "Say --yes, or name relays of your own with --relay.");
            }
            invocation().out().print("The invitation says:\n" + told(invitation) + "Join it? Type yes: ");
            invocation().out().flush();
            if (!Plans.answer(this).equals("yes")) {
                throw new Failure(
                        Exit.REFUSED,
                        "cli.not-confirmed",
                        "The circle was not joined.",
                        "The answer was not yes.",
                        "Ask again.");
            }
        }
    }
}
