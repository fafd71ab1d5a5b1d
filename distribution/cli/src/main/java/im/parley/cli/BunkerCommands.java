package im.parley.cli;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Other programs that act with an identity of this node. */
final class BunkerCommands {
    private BunkerCommands() {}

    @Command(name = "new", description = "Prints a bunker:// URL that admits one other program, once, within an hour.")
    static final class New extends BaseCommand {
        @Option(names = "--for", required = true, paramLabel = "NAME", description = "How to call the program.")
        private String name = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "The identity that it may act with.")
        private @Nullable String as;

        @Option(
                names = "--kinds",
                paramLabel = "KIND,...",
                description =
                        "Only events of these kinds are signed. Without it all but 5, 13, 62, 22242, 24242 and 27235 are.")
        private @Nullable String kinds;

        @Option(names = "--sign-only", description = "It may neither encrypt nor decrypt.")
        private boolean signOnly;

        New(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("name", name);
            if (kinds != null) {
                params.put("kinds", kinds);
            }
            if (signOnly) {
                params.put("signOnly", true);
            }
            Map<String, Object> answer = ask("bunker.new", params);
            show(
                    answer,
                    Answer.text(answer, "url")
                            + advice("\nWho opens this first acts as " + Plain.line(Answer.text(answer, "account"))
                                    + ", as far as you granted. ./parley bunker revoke "
                                    + Shell.quoted(name) + " ends it.\n"));
            return Exit.OK;
        }
    }

    @Command(name = "list", description = "Lists programs that were invited or are connected.")
    static final class ListAll extends BaseCommand {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("bunker.list", Map.of());
            List<List<String>> rows = new ArrayList<>();
            for (Map<String, Object> client : Answer.objects(answer, "clients")) {
                List<String> kinds = Answer.texts(client, "kinds");
                long asked = Answer.number(client, "lastAsked");
                rows.add(List.of(
                        Plain.line(Answer.text(client, "name")),
                        Answer.text(client, "client").isEmpty() ? "invited" : "connected",
                        kinds.isEmpty() ? "all but sensitive kinds" : "kinds " + String.join(",", kinds),
                        Answer.flag(client, "nip44") ? "encrypts" : "signs only",
                        asked == 0 ? "" : "asked " + Instant.ofEpochSecond(asked)));
            }
            show(
                    answer,
                    rows.isEmpty()
                            ? advice("No program acts for you. Invite one with ./parley bunker new --for NAME.")
                            : Plain.table(rows));
            return Exit.OK;
        }
    }

    @Command(name = "revoke", description = "Ends what a program may do, at once.")
    static final class Revoke extends BaseCommand {
        @Parameters(paramLabel = "NAME", description = "As given when it was invited.")
        private String name = "";

        Revoke(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("bunker.revoke", Map.of("name", name));
            show(answer, Plain.line(name) + " acts for you no longer.");
            return Exit.OK;
        }
    }
}
