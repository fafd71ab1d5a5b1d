package im.parley.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
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
        return rows.isEmpty() ? "  no identity yet\n" : Plain.table(rows);
    }

    /** The connections and their state; empty if there are none. */
    static String health(Map<String, Object> answer, long now) throws Failure {
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> relay : Answer.objects(answer, "health")) {
            String problem = Plain.line(Answer.text(relay, "problem"));
            long wait = Answer.number(relay, "retryAt") - now;
            if (now > 0 && wait > 0) {
                problem += (problem.isEmpty() ? "" : ", ") + "next try in " + Plain.duration(wait);
            }
            rows.add(List.of(
                    Plain.line(Answer.text(relay, "relay")),
                    Answer.text(relay, "state"),
                    Plain.line(Answer.text(relay, "lane")),
                    problem));
        }
        return rows.isEmpty() ? "" : "Connections\n" + Plain.table(rows);
    }

    @Command(name = "add", description = "Adds an inbox relay and tells the world.")
    static final class Add extends BaseCommand {
        @Parameters(paramLabel = "URL", description = "ws://host:port or wss://host.")
        private String url = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Only for this identity.")
        private @Nullable String as;

        Add(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("url", url);
            Map<String, Object> answer = ask("relay.add", params);
            show(answer, "Added. Inbox relays now:\n" + inboxes(answer));
            return Exit.OK;
        }
    }

    @Command(name = "remove", description = "Takes an inbox relay away and tells the world.")
    static final class Remove extends BaseCommand {
        @Parameters(paramLabel = "URL", description = "As ./parley relay list shows it.")
        private String url = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "Only for this identity.")
        private @Nullable String as;

        Remove(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> params = ContactCommands.as(as);
            params.put("url", url);
            Map<String, Object> answer = ask("relay.remove", params);
            show(answer, "Removed. Inbox relays now:\n" + inboxes(answer));
            return Exit.OK;
        }
    }

    @Command(name = "list", description = "Lists inbox relays and what the connections are like.")
    static final class ListAll extends BaseCommand {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("relay.list", Map.of());
            show(answer, "Inbox relays\n" + inboxes(answer) + health(answer, 0));
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
