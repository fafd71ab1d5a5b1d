package im.parley.cli;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The session lock and its PIN. */
final class SessionCommands {
    private SessionCommands() {}

    @Command(name = "lock", description = "Locks the session until the PIN is given.")
    static final class Lock extends BaseCommand {
        Lock(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            show(ask("session.lock", Map.of()), advice("Locked. ./parley unlock opens it again."));
            return Exit.OK;
        }
    }

    @Command(name = "unlock", description = "Unlocks the session; asks for the PIN.")
    static final class Unlock extends BaseCommand {
        @Option(names = "--stdin", description = "Read the PIN from one line of standard input.")
        private boolean stdin;

        Unlock(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            try (NodeClient client = connect()) {
                Map<String, Object> session = client.call("session.state", Map.of());
                if (!Answer.flag(session, "locked")) {
                    show(session, "The session is not locked.");
                    return Exit.OK;
                }
                char[] pin = Pins.read(invocation(), "PIN", stdin);
                try {
                    show(client.call("session.unlock", Map.of(), Map.of("pin", pin)), "Unlocked.");
                    return Exit.OK;
                } finally {
                    Arrays.fill(pin, '\0');
                }
            }
        }
    }

    @Command(name = "set", description = "Sets, changes or removes the PIN; asks for it.")
    static final class SetPin extends BaseCommand {
        @Option(
                names = "--stdin",
                description =
                        "Read from standard input, one per line: the current PIN if one is set, then the new one.")
        private boolean stdin;

        @Option(names = "--remove", description = "Remove the PIN.")
        private boolean remove;

        SetPin(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, char[]> secrets = new LinkedHashMap<>();
            try (NodeClient client = connect()) {
                if (Answer.flag(client.call("session.state", Map.of()), "pinSet")) {
                    secrets.put("current", Pins.read(invocation(), "current PIN", stdin));
                }
                if (!remove) {
                    char[] next = Pins.read(invocation(), "new PIN", stdin);
                    secrets.put("next", next);
                    if (!stdin) {
                        Pins.repeat(invocation(), "PIN", next);
                    }
                }
                Map<String, Object> session = client.call("pin.set", Map.of(), secrets);
                show(
                        session,
                        remove
                                ? "The PIN is removed."
                                : advice("The PIN is set. It locks this session (./parley lock); by itself it does not"
                                        + " protect the data of a stolen disk."));
                return Exit.OK;
            } finally {
                secrets.values().forEach(secret -> Arrays.fill(secret, '\0'));
            }
        }
    }
}
