package im.parley.cli;

import im.parley.launcher.AuditLog;
import im.parley.launcher.LauncherException;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The log of what was done to the node. Read from the data directory, so no node has to run. */
final class AuditCommands {
    private AuditCommands() {}

    private static Failure unreadable(BaseCommand command, IOException e) {
        return new Failure(
                Exit.REFUSED,
                "audit.not-read",
                "The audit log was not read.",
                command.dataDir() + ": " + e.getMessage() + ".",
                "Be the user whose node it is, or name a data directory with --data.");
    }

    private static void checkNode(BaseCommand command) throws Failure {
        if (!Files.isDirectory(command.dataDir())) {
            throw unreadable(command, new IOException("there is no such directory, so no node was ever here"));
        }
    }

    @Command(name = "list", description = "Starts, swaps, acts of trust, and what else changed what the node runs.")
    static final class ListAll extends BaseCommand {
        @Option(
                names = {"-n", "--count"},
                paramLabel = "N",
                description = "How many of the newest, 1 to 10000; 50 if left out.")
        private int count = 50;

        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            checkNode(this);
            List<AuditLog.Entry> entries;
            try {
                entries = AuditLog.newest(dataDir(), counted(count, 10_000));
            } catch (IOException e) {
                throw unreadable(this, e);
            }
            List<Map<String, Object>> shown = new ArrayList<>();
            List<List<String>> rows = new ArrayList<>();
            for (AuditLog.Entry entry : entries) {
                Map<String, Object> one = new LinkedHashMap<>();
                one.put("n", entry.number());
                one.put("at", entry.at());
                one.put("act", entry.act());
                one.put("what", entry.what());
                shown.add(one);
                rows.add(List.of(
                        Long.toString(entry.number()), time(entry.at()), Plain.line(entry.act()), words(entry.what())));
            }
            show(Map.of("entries", shown), rows.isEmpty() ? "Nothing was done to this node yet." : Plain.table(rows));
            return Exit.OK;
        }

        private static String time(String at) {
            try {
                return Plain.time(Instant.parse(at).toEpochMilli());
            } catch (DateTimeParseException e) {
                return Plain.line(at);
            }
        }

        private static String words(Map<String, Object> what) {
            List<String> words = new ArrayList<>();
            what.forEach((name, value) -> {
                String text = value instanceof List<?> list
                        ? String.join(", ", list.stream().map(String::valueOf).toList())
                        : String.valueOf(value);
                if (!text.isEmpty() && !(value instanceof Long number && number == 0)) {
                    words.add(name + " " + Plain.line(text));
                }
            });
            return String.join("; ", words);
        }
    }

    @Command(
            name = "verify",
            description = "Checks that no entry was changed, cut, added or replaced. Ends with 1 if one was.")
    static final class Verify extends BaseCommand {
        Verify(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            checkNode(this);
            AuditLog.Check check;
            try {
                check = AuditLog.verify(dataDir(), invocation().environment());
            } catch (IOException e) {
                throw unreadable(this, e);
            } catch (LauncherException e) {
                throw Failure.of(e);
            }
            if (!check.problem().isEmpty()) {
                throw new Failure(
                        Exit.REFUSED,
                        AuditLog.BROKEN,
                        "The audit log is not what this node wrote.",
                        check.problem(),
                        "Find out who can write to the data directory; a backup of audit.jsonl shows what was there.");
            }
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("entries", check.entries());
            result.put("attested", check.attested());
            show(
                    result,
                    check.attested() || check.entries() == 0
                            ? "All " + check.entries() + " entries are as they were written."
                            : "All " + check.entries() + " entries follow each other, but nothing beside the device key"
                                    + " says that they are all: this data was started elsewhere.");
            return Exit.OK;
        }
    }
}
