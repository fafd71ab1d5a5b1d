package im.parley.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Inbox relays, and the own relay. */
final class RelayCommands {
    private RelayCommands() {}

    private static String inboxes(Map<String, Object> answer) throws Failure {
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> account : Answer.objects(answer, "accounts")) {
            List<String> relays = Answer.texts(account, "relays");
            rows.add(List.of(
                    Plain.line(Answer.text(account, "name")),
                    relays.isEmpty() ? "no relay" : String.join(", ", relays)));
        }
        return Plain.table(rows);
    }

    /** What the connections to one relay come to; there is one for each purpose and identity. */
    private static final class Connections {
        private static final List<String> FROM_WORST = List.of("", "idle", "waiting", "connecting", "connected");

        private final List<String> names = new ArrayList<>();
        private String state = "";
        private String problem = "";
        private long retryAt;

        void add(Map<String, Object> health) throws Failure {
            String another = Answer.text(health, "state");
            if (FROM_WORST.indexOf(another) > FROM_WORST.indexOf(state)) {
                state = another;
            }
            if (!Answer.text(health, "problem").isEmpty()) {
                problem = Answer.text(health, "problem");
                retryAt = Math.max(retryAt, Answer.number(health, "retryAt"));
            }
        }

        String state() {
            return state.isEmpty() ? "not connected" : state;
        }

        /** A relay that is connected for one purpose may have a problem with another. */
        String problem(long now) {
            if (problem.isEmpty()) {
                return "";
            }
            long wait = retryAt - now;
            return (state.equals("connected") ? "in part: " : "")
                    + Reasons.told(problem, "")
                    + (wait > 0 ? "; next try in " + Plain.duration(Math.max(1_000, wait)) : "");
        }
    }

    /** All connections, one line per relay. */
    static String overview(Map<String, Object> answer) throws Failure {
        Map<String, Connections> inbox = new LinkedHashMap<>();
        StringBuilder without = new StringBuilder();
        for (Map<String, Object> account : Answer.objects(answer, "accounts")) {
            String name = Plain.line(Answer.text(account, "name"));
            List<String> relays = Answer.texts(account, "relays");
            for (String relay : relays) {
                inbox.computeIfAbsent(relay, unused -> new Connections()).names.add(name);
            }
            if (relays.isEmpty()) {
                without.append("  ").append(name).append(" has no inbox relay; add one with ./parley relay add URL\n");
            }
        }
        Map<String, Connections> others = new LinkedHashMap<>();
        for (Map<String, Object> health : Answer.objects(answer, "health")) {
            String relay = Answer.text(health, "relay");
            Connections known = inbox.get(relay);
            (known == null ? others.computeIfAbsent(relay, unused -> new Connections()) : known).add(health);
        }
        long now = Answer.number(answer, "now");
        return (inbox.isEmpty() && without.isEmpty() ? "" : "Inbox relays\n" + rows(inbox, now) + without)
                + (others.isEmpty() ? "" : "Relays of your contacts\n" + rows(others, now));
    }

    private static String rows(Map<String, Connections> relays, long now) {
        List<List<String>> rows = new ArrayList<>();
        relays.forEach((relay, connections) -> rows.add(List.of(
                Plain.line(relay),
                connections.state(),
                String.join(", ", connections.names),
                connections.problem(now))));
        return Plain.table(rows);
    }

    @Command(
            name = "add",
            description = "Adds an inbox relay and tells the world. Waits up to 3 s to say whether it can be reached.")
    static final class Add extends CircleCommand {
        private static final long REACH_WITHIN_NANOS = TimeUnit.SECONDS.toNanos(3);
        /** A problem that is older than this is of the connection as it is now, not of one before. */
        private static final long SETTLED_NANOS = TimeUnit.MILLISECONDS.toNanos(700);

        private static final long POLL_MILLIS = 50;

        @Parameters(paramLabel = "URL", description = "ws://host:port or wss://host.")
        private String url = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Only for this identity.")
        private @Nullable String as;

        Add(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            SecretKeys.refuseInUrl("The relay was not added.", url);
            Map<String, Object> params = ContactCommands.as(as);
            params.put("url", url);
            try (NodeClient client = connect()) {
                Map<String, Object> answer = add(client, params);
                boolean closed = true;
                for (Map<String, Object> account : Answer.objects(answer, "accounts")) {
                    closed &= Answer.flag(account, "locked");
                }
                Connections reached = closed ? new Connections() : reached(client, Answer.text(answer, "relay"));
                Map<String, Object> result = new LinkedHashMap<>(answer);
                result.put("state", reached.state);
                result.put("problem", reached.problem);
                show(result, told(answer, closed, reached) + "Inbox relays now:\n" + inboxes(answer));
                return Exit.OK;
            }
        }

        private Map<String, Object> add(NodeClient client, Map<String, Object> params) throws Failure {
            try {
                return client.call("relay.add", params);
            } catch (Failure e) {
                int scheme = url.indexOf("://");
                if (!e.code().equals("relay.bad-url") || url.startsWith("ws://") || url.startsWith("wss://")) {
                    throw e;
                }
                String rest = scheme < 0 ? url : url.substring(scheme + 3);
                boolean near = rest.startsWith("127.") || rest.startsWith("localhost") || url.startsWith("http:");
                throw new Failure(
                        e.exit(),
                        e.code(),
                        e.what(),
                        e.why(),
                        "Did you mean " + (near ? "ws://" : "wss://") + rest + "?");
            }
        }

        private static Connections reached(NodeClient client, String relay) throws Failure, InterruptedException {
            long begun = System.nanoTime();
            while (true) {
                Connections now = new Connections();
                for (Map<String, Object> health : Answer.objects(client.call("relay.list", Map.of()), "health")) {
                    if (relay.equals(Answer.text(health, "relay"))) {
                        now.add(health);
                    }
                }
                long waited = System.nanoTime() - begun;
                boolean failing = now.state.equals("waiting") && waited > SETTLED_NANOS;
                if (now.state.equals("connected") || failing || waited > REACH_WITHIN_NANOS) {
                    return now;
                }
                TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
            }
        }

        private String told(Map<String, Object> answer, boolean closed, Connections reached) throws Failure {
            String done = Answer.flag(answer, "added")
                    ? "Added"
                    : Plain.line(Answer.text(answer, "relay")) + " is already there";
            if (closed) {
                return advice(done + "; it is connected once the key is open: ./parley identity unlock NAME.\n");
            }
            if (reached.state.equals("connected")) {
                return done + ". Connected.\n";
            }
            return done + "; not reachable yet"
                    + (reached.problem.isEmpty() ? "" : " (" + Reasons.told(reached.problem, "") + ")")
                    + ": it is tried again by itself.\n";
        }
    }

    @Command(name = "remove", description = "Takes an inbox relay away and tells the world.")
    static final class Remove extends CircleCommand {
        @Parameters(paramLabel = "URL", description = "As ./parley relay list shows it.")
        private String url = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Only for this identity.")
        private @Nullable String as;

        Remove(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseInUrl("The relay was not removed.", url);
            Map<String, Object> params = ContactCommands.as(as);
            params.put("url", url);
            Map<String, Object> answer = ask("relay.remove", params);
            show(answer, "Removed. Inbox relays now:\n" + inboxes(answer));
            return Exit.OK;
        }
    }

    @Command(name = "list", description = "Lists inbox relays, whose they are, and what the connections are like.")
    static final class ListAll extends CircleCommand {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("relay.list", Map.of());
            String text = overview(answer);
            show(answer, advice(text.isEmpty() ? "No identity yet. Make one with ./parley identity new NAME." : text));
            return Exit.OK;
        }
    }

    @Command(name = "status", description = "Counters of this node's own relay.")
    static final class Status extends BaseCommand {
        Status(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("relay.status", Map.of());
            List<List<String>> rows = new ArrayList<>();
            for (String name : List.of("connections", "subscriptions", "stored")) {
                rows.add(List.of(name, String.valueOf(Answer.number(answer, name))));
            }
            new TreeMap<>(Answer.member(answer, "drops"))
                    .forEach((code, count) -> rows.add(List.of("refused " + code, String.valueOf(count))));
            show(answer, "Own relay, since its start\n" + Plain.table(rows));
            return Exit.OK;
        }
    }
}
