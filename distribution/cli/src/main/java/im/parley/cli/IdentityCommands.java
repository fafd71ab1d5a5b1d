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
    static final class New extends CircleCommand {
        @Parameters(paramLabel = "NAME", description = "1 to 64 characters.")
        private String name = "";

        @Option(names = "--passphrase", description = "Seal the key with a passphrase as well; asks for it twice.")
        private boolean passphrase;

        @Option(names = "--stdin", description = "With --passphrase: read it from one line of standard input.")
        private boolean stdin;

        New(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            if (stdin && !passphrase) {
                throw Failure.usage("--stdin gives a passphrase, so it goes with --passphrase.");
            }
            SecretKeys.refuseAsIdentity("The identity was not made.", name);
            Map<String, char[]> secrets = new LinkedHashMap<>();
            try (NodeClient client = connect()) {
                if (passphrase) {
                    char[] chosen = Pins.read(invocation(), "new passphrase", stdin);
                    secrets.put("passphrase", chosen);
                    if (chosen.length == 0) {
                        throw new Failure(
                                Exit.REFUSED,
                                "passphrase.empty",
                                "The identity was not made.",
                                "The passphrase is empty.",
                                "Choose one, or leave --passphrase out.");
                    }
                    if (!stdin) {
                        Pins.repeat(invocation(), "passphrase", chosen);
                    }
                }
                Map<String, Object> account = client.call("identity.new", Map.of("name", name), secrets);
                show(
                        account,
                        "You are " + Plain.line(Answer.text(account, "name")) + ".\n" + describe(account)
                                + advice(guidance(account)));
                return Exit.OK;
            } finally {
                secrets.values().forEach(secret -> Arrays.fill(secret, '\0'));
            }
        }
    }

    @Command(
            name = "import",
            description = "Takes an identity you have elsewhere: asks for its nsec, or its ncryptsec and password.")
    static final class Import extends CircleCommand {
        @Parameters(paramLabel = "NAME", description = "1 to 64 characters.")
        private String name = "";

        @Option(
                names = "--stdin",
                description =
                        "Read the key from one line of standard input, and the password of an ncryptsec from the next.")
        private boolean stdin;

        Import(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseAsIdentity("The identity was not taken.", name);
            Map<String, char[]> secrets = new LinkedHashMap<>();
            try (NodeClient client = connect()) {
                char[] key = Pins.read(invocation(), "nsec or ncryptsec", stdin);
                secrets.put("key", key);
                if (new String(key).strip().startsWith("ncryptsec1")) {
                    secrets.put("password", Pins.read(invocation(), "password of the ncryptsec", stdin));
                }
                Map<String, Object> account = client.call("identity.import", Map.of("name", name), secrets);
                show(
                        account,
                        "You are " + Plain.line(Answer.text(account, "name")) + " here, too.\n" + describe(account)
                                + advice(guidance(account)));
                return Exit.OK;
            } finally {
                secrets.values().forEach(secret -> Arrays.fill(secret, '\0'));
            }
        }
    }

    @Command(
            name = "export",
            description =
                    "Prints the key of an identity, sealed by a password that it asks for twice (ncryptsec, NIP-49).")
    static final class Export extends CircleCommand {
        @Parameters(paramLabel = "NAME", description = "Name or npub.")
        private String name = "";

        @Option(names = "--stdin", description = "Read the password from one line of standard input.")
        private boolean stdin;

        Export(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseAsIdentity("The key was not exported.", name);
            Map<String, char[]> secrets = new LinkedHashMap<>();
            try (NodeClient client = connect()) {
                char[] password = Pins.read(invocation(), "new password", stdin);
                secrets.put("password", password);
                if (!stdin) {
                    Pins.repeat(invocation(), "password", password);
                }
                Map<String, Object> answer = client.call("identity.export", Map.of("name", name), secrets);
                show(
                        answer,
                        Answer.text(answer, "ncryptsec")
                                + advice("\nWhoever has this and the password is " + Plain.line(name)
                                        + ". Keep the two apart; neither can be replaced.\n"));
                return Exit.OK;
            } finally {
                secrets.values().forEach(secret -> Arrays.fill(secret, '\0'));
            }
        }
    }

    @Command(name = "unlock", description = "Opens the key of an identity that has a passphrase; asks for it.")
    static final class Unlock extends CircleCommand {
        @Parameters(paramLabel = "NAME", description = "Name or npub.")
        private String name = "";

        @Option(names = "--stdin", description = "Read the passphrase from one line of standard input.")
        private boolean stdin;

        Unlock(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseAsIdentity("The key was not opened.", name);
            try (NodeClient client = connect()) {
                for (Map<String, Object> account : Answer.objects(client.call("identity.list", Map.of()), "accounts")) {
                    boolean meant =
                            name.equals(Answer.text(account, "name")) || name.equals(Answer.text(account, "npub"));
                    if (meant && !Answer.flag(account, "locked")) {
                        show(account, "The key of " + Plain.line(name) + " is open already.");
                        return Exit.OK;
                    }
                }
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
    static final class ListAll extends CircleCommand {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("identity.list", Map.of());
            StringBuilder text = new StringBuilder();
            for (Map<String, Object> account : Answer.objects(answer, "accounts")) {
                text.append(Plain.line(Answer.text(account, "name")))
                        .append(
                                Answer.flag(account, "locked")
                                        ? advice(" (its key is closed: ./parley identity unlock "
                                                + Shell.quoted(Answer.text(account, "name")) + ")")
                                        : "")
                        .append('\n')
                        .append(describe(account));
            }
            show(
                    answer,
                    text.isEmpty()
                            ? advice("No identity yet. Make one with ./parley identity new NAME.")
                            : text.toString());
            return Exit.OK;
        }
    }

    static String describe(Map<String, Object> account) throws Failure {
        List<String> relays = Answer.texts(account, "relays");
        return Plain.table(List.of(
                List.of("npub", Answer.text(account, "npub")),
                List.of("nprofile", Answer.text(account, "nprofile")),
                List.of("inbox", relays.isEmpty() ? "no relay yet" : String.join(", ", relays))));
    }

    /** What to do with the address, which is only as good as the relays in it. */
    private static String guidance(Map<String, Object> account) throws Failure {
        List<String> relays = Answer.texts(account, "relays");
        if (relays.isEmpty()) {
            return "Nobody can write to you yet: first add an inbox relay with ./parley relay add URL.\n"
                    + "Then ./parley identity list shows the nprofile to give to others.\n";
        }
        if (relays.stream().allMatch(IdentityCommands::isOfThisMachine)) {
            return "The nprofile works on this machine only: its relay listens here alone.\n"
                    + "To be reached from elsewhere, first add a relay with ./parley relay add URL.\n";
        }
        return "Give the nprofile to those who should write to you.\n";
    }

    private static boolean isOfThisMachine(String relay) {
        int begin = relay.indexOf("://") + 3;
        int end = begin;
        boolean six = relay.startsWith("[", begin);
        while (end < relay.length() && (six ? relay.charAt(end) != ']' : ":/?".indexOf(relay.charAt(end)) < 0)) {
            end++;
        }
        String host = relay.substring(begin, end);
        return host.equals("localhost")
                || host.endsWith(".localhost")
                || host.equals("[::1")
                || (host.startsWith("127.") && host.chars().allMatch(c -> c == '.' || (c >= '0' && c <= '9')));
    }
}
