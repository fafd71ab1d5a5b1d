package im.parley.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/** What the node is like now. */
@Command(
        name = "status",
        description =
                "Whether the node runs, where it listens, how its relays and messages are. With --json, relays, ledger"
                        + " and backups are null while the session is locked.")
final class StatusCommand extends CircleCommand {
    StatusCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure {
        try (NodeClient client = connect()) {
            Map<String, Object> status = client.call("node.status", Map.of());
            Map<String, Object> session = Answer.member(status, "session");
            Map<String, @Nullable Object> result = new LinkedHashMap<>(status);
            StringBuilder text = new StringBuilder();
            text.append("Parley ").append(Answer.text(status, "version"));
            text.append(Answer.flag(status, "ready") ? " is ready" : " is not ready");
            text.append(", up ")
                    .append(Plain.duration(Answer.number(status, "now") - Answer.number(status, "startedAt")))
                    .append(".\n");
            for (String missing : Answer.texts(status, "missing")) {
                text.append("  missing  ").append(Plain.line(missing)).append('\n');
            }
            for (String degraded : Answer.texts(status, "degraded")) {
                text.append("  without  ").append(Plain.line(degraded)).append('\n');
            }
            text.append(places(status));
            text.append("  session  ")
                    .append(session(session, Answer.number(status, "now")))
                    .append('\n');
            result.put("relays", null);
            result.put("ledger", null);
            result.put("backups", null);
            if (Answer.flag(session, "locked")) {
                text.append(advice("Next: ./parley unlock\n"));
            } else if (Answer.texts(status, "features").contains("personal")) {
                Map<String, Object> relays = client.call("relay.list", Map.of());
                Map<String, Object> ledger = client.call("ledger.get", Map.of("limit", 0));
                result.put("relays", relays);
                result.put("ledger", ledger);
                text.append("  ledger   ").append(LedgerCommand.totals(ledger)).append('\n');
                Map<String, Object> backups = client.call("backup.plans", Map.of());
                result.put("backups", backups);
                text.append(BackupCommands.overview(backups));
                text.append(advice(RelayCommands.overview(relays)));
            }
            show(result, text.toString());
            return Exit.OK;
        }
    }

    /** URLs, data directory and parts, one per line. */
    static String places(Map<String, Object> status) throws Failure {
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> url : Answer.objects(status, "urls")) {
            rows.add(List.of(Answer.text(url, "name"), Answer.text(url, "url")));
        }
        rows.add(List.of("data", Answer.text(status, "dataDir")));
        rows.add(List.of(
                "runs",
                String.join(", ", Answer.texts(status, "features")) + " (process " + Answer.number(status, "pid")
                        + ", stack generation " + Answer.number(status, "generation") + ")"));
        StringBuilder text = new StringBuilder();
        for (List<String> row : rows) {
            text.append("  ")
                    .append(row.get(0))
                    .append(" ".repeat(Math.max(1, 9 - row.get(0).length())));
            text.append(row.get(1)).append('\n');
        }
        return text.toString();
    }

    static String session(Map<String, Object> session, long now) throws Failure {
        String text = Answer.flag(session, "locked")
                ? "locked"
                : Answer.flag(session, "pinSet") ? "unlocked" : "open; no PIN is set";
        long failures = Answer.number(session, "failures");
        long wait = Answer.number(session, "retryAt") - now;
        if (failures > 0) {
            text += ", " + failures + " wrong PINs";
        }
        if (wait > 0) {
            text += ", next try in " + Plain.duration(wait);
        }
        return text;
    }
}
