package im.parley.cli;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Own identities. */
final class IdentityCommands {
    private IdentityCommands() {}

    @Command(name = "new", description = "Makes an identity with a new key.")
    static final class New extends BaseCommand {
        @Parameters(paramLabel = "NAME", description = "1 to 64 characters.")
        private String name = "";

        @Option(names = "--passphrase", description = "Seal the key with a passphrase as well; asks for it.")
        private boolean passphrase;

        @Option(names = "--stdin", description = "Read the passphrase from one line of standard input.")
        private boolean stdin;

        New(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, char[]> secrets = new LinkedHashMap<>();
            try (NodeClient client = connect()) {
                if (passphrase || stdin) {
                    secrets.put("passphrase", Pins.read(invocation(), "passphrase", stdin));
                }
                Map<String, Object> account = client.call("identity.new", Map.of("name", name), secrets);
                show(
                        account,
                        "You are " + Plain.line(Answer.text(account, "name")) + ".\n" + describe(account)
                                + "Give the nprofile to those who should write to you.\n");
                return Exit.OK;
            } finally {
                secrets.values().forEach(secret -> Arrays.fill(secret, '\0'));
            }
        }
    }

    @Command(name = "unlock", description = "Opens the key of an identity that has a passphrase; asks for it.")
    static final class Unlock extends BaseCommand {
        @Parameters(paramLabel = "NAME", description = "Name or npub.")
        private String name = "";

        @Option(names = "--stdin", description = "Read the passphrase from one line of standard input.")
        private boolean stdin;

        Unlock(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            try (NodeClient client = connect()) {
                char[] passphrase = Pins.read(invocation(), "passphrase", stdin);
                try {
                    Map<String, Object> account =
                            client.call("identity.unlock", Map.of("name", name), Map.of("passphrase", passphrase));
                    show(account, "The key of " + Plain.line(Answer.text(account, "name")) + " is open.");
                    return Exit.OK;
                } finally {
                    Arrays.fill(passphrase, '\0');
                }
            }
        }
    }

    @Command(name = "list", description = "Lists your identities.")
    static final class ListAll extends BaseCommand {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("identity.list", Map.of());
            StringBuilder text = new StringBuilder();
            for (Map<String, Object> account : Answer.objects(answer, "accounts")) {
                text.append(Plain.line(Answer.text(account, "name")))
                        .append(Answer.flag(account, "locked") ? " (its key is closed: ./parley identity unlock)" : "")
                        .append('\n')
                        .append(describe(account));
            }
            show(
                    answer,
                    text.isEmpty() ? "No identity yet. Make one with ./parley identity new NAME." : text.toString());
            return Exit.OK;
        }
    }

    private static String describe(Map<String, Object> account) throws Failure {
        List<String> relays = Answer.texts(account, "relays");
        return Plain.table(List.of(
                List.of("npub", Answer.text(account, "npub")),
                List.of("nprofile", Answer.text(account, "nprofile")),
                List.of(
                        "inbox",
                        relays.isEmpty()
                                ? "no relay yet; add one with ./parley relay add URL"
                                : String.join(", ", relays))));
    }
}
