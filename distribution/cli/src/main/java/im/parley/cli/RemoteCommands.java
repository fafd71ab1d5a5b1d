package im.parley.cli;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Identities whose keys are at remote signers. */
final class RemoteCommands {
    /** A signer may ask its user. */
    private static final Duration CONNECTING = Duration.ofMinutes(5);

    private RemoteCommands() {}

    @Command(
            name = "connect",
            description = "Takes an identity whose key stays at a remote signer (NIP-46): asks for its bunker:// URL.")
    static final class Connect extends BaseCommand {
        @Parameters(paramLabel = "NAME", description = "1 to 64 characters.")
        private String name = "";

        @Option(names = "--stdin", description = "Read the URL from one line of standard input.")
        private boolean stdin;

        Connect(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            SecretKeys.refuseAsIdentity("The identity was not taken.", name);
            if (name.startsWith("bunker:")) {
                throw new Failure(
                        Exit.REFUSED,
                        "identity.secret-key",
                        "The identity was not taken.",
                        "That is a bunker URL, not a name, and its secret stands in the history of your shell now.",
                        "Take it out of the history and ask the signer for another one. This command asks for it.");
            }
            try (NodeClient client = connect()) {
                char[] url = Pins.read(invocation(), "bunker URL", stdin);
                CountDownLatch done = new CountDownLatch(1);
                Thread watch = new Thread(() -> watch(done), "approvals");
                watch.setDaemon(true);
                watch.start();
                try {
                    Map<String, Object> account =
                            client.call("identity.connect", Map.of("name", name), Map.of("url", url), CONNECTING);
                    show(
                            account,
                            "You are " + Plain.line(Answer.text(account, "name"))
                                    + " here, too; the key stays at its signer.\n"
                                    + Plain.table(List.of(List.of("npub", Answer.text(account, "npub")))));
                    return Exit.OK;
                } finally {
                    done.countDown();
                    watch.join(2_000);
                    Arrays.fill(url, '\0');
                }
            }
        }

        /** Says where the signer wants its user to look, while it is waited for. */
        private void watch(CountDownLatch done) {
            Set<String> told = new HashSet<>();
            try (NodeClient client = connect()) {
                while (!done.await(1, TimeUnit.SECONDS)) {
                    for (Map<String, Object> remote :
                            Answer.objects(client.call("identity.remotes", Map.of()), "remotes")) {
                        String url = Answer.text(remote, "approval");
                        if (!url.isEmpty() && told.add(url)) {
                            invocation()
                                    .err()
                                    .println("The signer asks you to look at an address of its choice: "
                                            + Plain.line(url));
                        }
                    }
                }
            } catch (Failure e) {
                // The call itself says what is wrong.
                return;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Command(name = "remotes", description = "Lists remote signers, and where one waits for you.")
    static final class ListAll extends BaseCommand {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("identity.remotes", Map.of());
            List<List<String>> rows = new ArrayList<>();
            for (Map<String, Object> remote : Answer.objects(answer, "remotes")) {
                String approval = Answer.text(remote, "approval");
                rows.add(List.of(
                        Answer.text(remote, "pubkey").isEmpty() ? "connecting" : Answer.text(remote, "pubkey"),
                        Plain.line(String.join(", ", Answer.texts(remote, "relays"))),
                        approval.isEmpty() ? "" : "waits for you at " + Plain.line(approval)));
            }
            show(
                    answer,
                    rows.isEmpty()
                            ? advice("No remote signer. Connect one with ./parley identity connect NAME.")
                            : Plain.table(rows));
            return Exit.OK;
        }
    }
}
