package im.parley.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Backups of this node, and bringing one back. */
final class BackupCommands {
    private static final Duration PATIENCE = Duration.ofDays(2);
    private static final long LOOK_MILLIS = 250;
    private static final long SAY_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final Pattern TIME = Pattern.compile("([1-9][0-9]{0,4})([mhd])");
    private static final String DAMAGED = "backup.damaged";

    private BackupCommands() {}

    /** A command about one directory. */
    abstract static class OfDirectory extends BaseCommand {
        @Parameters(index = "0", paramLabel = "DIR", description = "The backup directory, best on another disk.")
        private String directory = "";

        @Option(names = "--stdin", description = "Read the passphrase from one line of standard input.")
        private boolean stdin;

        OfDirectory(Invocation invocation) {
            super(invocation);
        }

        Path directory() {
            return Path.of(directory).toAbsolutePath().normalize();
        }

        /**
         * One call about the directory, with its passphrase if the node needs it, that shows how far it is.
         *
         * @param creates whether a new directory may become a backup
         * @param made a passphrase that was made up; wiped here
         */
        Map<String, Object> ask(String method, Map<String, Object> more, boolean creates, char @Nullable [] made)
                throws Failure, InterruptedException {
            Map<String, Object> params = new LinkedHashMap<>(more);
            params.put("directory", directory().toString());
            char[] passphrase = made;
            try {
                if (passphrase == null) {
                    passphrase = passphrase(creates);
                }
                Map<String, char[]> secrets = passphrase == null ? Map.of() : Map.of("passphrase", passphrase);
                return watched(this, method, params, secrets);
            } finally {
                if (passphrase != null) {
                    Arrays.fill(passphrase, '\0');
                }
            }
        }

        /** Null if the node knows the key. */
        private char @Nullable [] passphrase(boolean creates) throws Failure {
            String place = place();
            if (stdin) {
                return Pins.read(invocation(), "passphrase", true);
            }
            if (place.equals("remembered") || place.equals("new") && !creates) {
                return null;
            }
            if (place.equals("foreign")) {
                return Pins.read(invocation(), "passphrase of the backup", false);
            }
            char[] chosen = Pins.read(invocation(), "new passphrase of the backup", false);
            Pins.repeat(invocation(), "passphrase", chosen);
            return chosen;
        }

        String place() throws Failure {
            return Answer.text(
                    ask("backup.look", Map.of("directory", directory().toString())), "place");
        }
    }

    /** Shows how far it is while it waits for the end. The node goes on if nobody waits. */
    private static Map<String, Object> watched(
            BaseCommand command, String method, Map<String, Object> params, Map<String, char[]> secrets)
            throws Failure, InterruptedException {
        CompletableFuture<Map<String, Object>> answer = new CompletableFuture<>();
        Thread asking = new Thread(
                () -> {
                    try (NodeClient client = command.connect()) {
                        answer.complete(client.call(method, params, secrets, PATIENCE));
                    } catch (Failure | RuntimeException e) {
                        answer.completeExceptionally(e);
                    }
                },
                "parley-asking");
        asking.setDaemon(true);
        asking.start();
        Line line = new Line(command);
        try {
            while (true) {
                try {
                    return answer.get(LOOK_MILLIS, TimeUnit.MILLISECONDS);
                } catch (TimeoutException goesOn) {
                    line.look();
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Failure failure) {
                throw failure;
            }
            throw new IllegalStateException(e.getCause());
        } finally {
            line.end();
        }
    }

    /** On a terminal one line that changes; elsewhere a line now and then; nothing for programs. */
    private static final class Line {
        private final BaseCommand command;
        private final boolean terminal;
        private long said = System.nanoTime();
        private int shown;

        Line(BaseCommand command) {
            this.command = command;
            this.terminal = command.invocation().interactive();
        }

        void look() throws Failure {
            if (command.json() || !terminal && System.nanoTime() - said < SAY_NANOS) {
                return;
            }
            said = System.nanoTime();
            Map<String, Object> progress = command.ask("backup.progress", Map.of());
            String phase = Answer.text(progress, "phase");
            if (phase.isEmpty()) {
                return;
            }
            long done = Answer.number(progress, "done");
            long total = Answer.number(progress, "total");
            String text = phase + " " + String.format(Locale.ROOT, "%,d", done)
                    + (total > 0
                            ? String.format(Locale.ROOT, " of %,d, %d %%", total, Math.min(100, 100 * done / total))
                            : "");
            if (terminal) {
                command.invocation().err().print("\r" + text + " ".repeat(Math.max(0, shown - text.length())));
                shown = text.length();
            } else {
                command.invocation().err().println(text);
            }
            command.invocation().err().flush();
        }

        void end() {
            if (shown > 0) {
                command.invocation().err().print("\r" + " ".repeat(shown) + "\r");
                command.invocation().err().flush();
            }
        }
    }

    private static String many(long number, String thing) {
        return String.format(Locale.ROOT, "%,d", number) + " " + thing + (number == 1 ? "" : "s");
    }

    @Command(
            name = "now",
            description =
                    "Makes a snapshot of your messages, contacts and keys. The first one makes the directory a backup"
                            + " and asks for a passphrase; later ones write only what changed and ask for nothing.")
    static final class Now extends OfDirectory {
        @Option(
                names = "--recovery-key",
                description = "Make a passphrase up for a new backup and print it, once. It is kept nowhere else.")
        private boolean recoveryKey;

        Now(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            String key = recoveryKey && place().equals("new") ? Answer.text(ask("backup.key", Map.of()), "key") : "";
            Map<String, Object> made = ask("backup.run", Map.of(), true, key.isEmpty() ? null : key.toCharArray());
            StringBuilder text = new StringBuilder("Snapshot " + Answer.number(made, "number") + " of "
                    + many(Answer.number(made, "records"), "record") + " is in " + directory() + "; "
                    + Plain.bytes(Answer.number(made, "bytesWritten")) + " written.\n");
            Map<String, Object> result = new LinkedHashMap<>(made);
            if (!key.isEmpty()) {
                result.put("recoveryKey", key);
                text.append("Recovery key: ")
                        .append(key)
                        .append(
                                "\nWrite it down and keep it apart from the backup. Whoever has both has your messages and"
                                        + " keys; without it nobody can help you.\n");
            }
            show(result, text.toString());
            return Exit.OK;
        }
    }

    @Command(
            name = "list",
            description = "Without DIR, where this node makes backups, how often, and what went wrong; with it, the"
                    + " snapshots there.")
    static final class ListAll extends BaseCommand {
        @Parameters(index = "0", arity = "0..1", paramLabel = "DIR", description = "The backup directory.")
        private @Nullable String directory;

        @Option(names = "--stdin", description = "Read the passphrase from one line of standard input.")
        private boolean stdin;

        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            if (directory == null) {
                Map<String, Object> answer = ask("backup.plans", Map.of());
                show(answer, plans(this, answer));
                return Exit.OK;
            }
            Snapshots snapshots = new Snapshots(invocation());
            return snapshots.show(directory, stdin);
        }
    }

    /** The snapshots of one directory. */
    private static final class Snapshots extends OfDirectory {
        Snapshots(Invocation invocation) {
            super(invocation);
        }

        int show(String named, boolean fromInput) throws Failure, InterruptedException {
            super.directory = named;
            super.stdin = fromInput;
            return run();
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> answer = ask("backup.list", Map.of(), false, null);
            String rows = snapshots(answer);
            show(answer, rows.isEmpty() ? "No snapshot yet." : rows);
            return Exit.OK;
        }
    }

    private static String snapshots(Map<String, Object> answer) throws Failure {
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> snapshot : Answer.objects(answer, "snapshots")) {
            long at = Answer.number(snapshot, "createdAt");
            rows.add(List.of(
                    Long.toString(Answer.number(snapshot, "number")),
                    at == 0 ? "-" : Plain.time(at),
                    many(Answer.number(snapshot, "records"), "record"),
                    Answer.flag(snapshot, "whole") ? "" : "damaged"));
        }
        return rows.isEmpty() ? "" : Plain.table(rows);
    }

    /** One line for each directory in which backups are made by themselves, or went wrong. */
    static String overview(Map<String, Object> answer) throws Failure {
        StringBuilder text = new StringBuilder();
        for (Map<String, Object> plan : Answer.objects(answer, "plans")) {
            long last = Answer.number(plan, "lastAt");
            String problem = Answer.text(plan, "problem");
            if (Answer.number(plan, "nextAt") != 0 || !problem.isEmpty()) {
                text.append("  backup   ")
                        .append(last == 0 ? "none yet" : Plain.time(last))
                        .append(" in ")
                        .append(Plain.line(Answer.text(plan, "directory")))
                        .append(problem.isEmpty() ? "" : "; the last one failed: " + Plain.line(problem))
                        .append('\n');
            }
        }
        return text.toString();
    }

    private static String plans(BaseCommand command, Map<String, Object> answer) throws Failure {
        StringBuilder text = new StringBuilder();
        for (Map<String, Object> plan : Answer.objects(answer, "plans")) {
            long seconds = Answer.number(plan, "seconds");
            long keep = Answer.number(plan, "keep");
            long last = Answer.number(plan, "lastAt");
            long next = Answer.number(plan, "nextAt");
            String problem = Answer.text(plan, "problem");
            text.append(Plain.line(Answer.text(plan, "directory"))).append('\n');
            List<List<String>> rows = new ArrayList<>();
            rows.add(List.of("last", last == 0 ? "none from this node yet" : Plain.time(last)));
            rows.add(List.of(
                    "next",
                    next == 0
                            ? "when you ask for it"
                            : Plain.time(next) + ", every " + Plain.duration(seconds * 1_000)
                                    + (keep > 0 ? "; " + keep + " are kept" : "; all are kept")));
            if (!problem.isEmpty()) {
                rows.add(List.of("problem", Plain.line(problem)));
            }
            text.append(Plain.table(rows));
        }
        return text.isEmpty()
                ? command.advice("This node makes no backups. Begin with ./parley backup schedule DIR 1d.")
                : text.toString();
    }

    @Command(
            name = "verify",
            description = "Reads and opens everything in a backup and says which snapshots are whole; exit code 1 if"
                    + " anything is damaged.")
    static final class Verify extends OfDirectory {
        Verify(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> answer = ask("backup.verify", Map.of(), false, null);
            List<String> damaged = Answer.texts(answer, "damaged");
            StringBuilder text = new StringBuilder(snapshots(answer));
            text.append(many(Answer.number(answer, "chunks"), "chunk")).append(" read; ");
            if (damaged.isEmpty()) {
                text.append("everything is as it was written.\n");
            } else {
                text.append(damaged.size()).append(" damaged (").append(DAMAGED).append("):\n");
                damaged.stream()
                        .limit(20)
                        .forEach(each -> text.append("  ").append(each).append('\n'));
                text.append(
                        advice("Make a new one with ./parley backup now, which repairs what this node still has, and"
                                + " look at the disk.\n"));
            }
            show(answer, text.toString());
            return damaged.isEmpty() ? Exit.OK : Exit.REFUSED;
        }
    }

    @Command(
            name = "prune",
            description =
                    "Removes all but the newest snapshots. What vanished or was deleted before these is then gone from"
                            + " the backup, too.")
    static final class Prune extends OfDirectory {
        @Option(names = "--keep", required = true, paramLabel = "N", description = "How many stay.")
        private int keep;

        Prune(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            if (keep < 1) {
                throw Failure.usage("--keep is " + keep + "; it must be 1 or more.");
            }
            Map<String, Object> answer = ask("backup.prune", Map.of("keep", keep), false, null);
            show(
                    answer,
                    many(Answer.number(answer, "snapshots"), "snapshot") + " and "
                            + many(Answer.number(answer, "chunks"), "chunk") + " removed; "
                            + Answer.number(answer, "kept") + " stay.");
            return Exit.OK;
        }
    }

    @Command(
            name = "schedule",
            description =
                    "Makes a backup by itself from now on, the first at once. Its key is kept in the node's vault.")
    static final class Schedule extends OfDirectory {
        private static final int KEEP = 30;

        @Parameters(
                index = "1",
                paramLabel = "TIME",
                description = "Between two, for example 30m, 1h or 1d; off to stop. 15 minutes to 90 days.")
        private String time = "";

        @Option(
                names = "--keep",
                paramLabel = "N",
                description = "How many snapshots stay, 0 for all; " + KEEP + " if left out.")
        private int keep = KEEP;

        Schedule(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            if (keep < 0) {
                throw Failure.usage("--keep is " + keep + "; it must be 0 or more.");
            }
            long seconds = seconds(time);
            Map<String, Object> answer =
                    ask("backup.schedule", Map.of("seconds", seconds, "keep", keep), seconds > 0, null);
            show(answer, plans(this, answer));
            return Exit.OK;
        }

        private static long seconds(String time) throws Failure {
            if (time.equals("off")) {
                return 0;
            }
            Matcher parts = TIME.matcher(time);
            if (!parts.matches()) {
                throw Failure.usage("TIME is " + Plain.line(time) + "; it is for example 30m, 1h, 1d or off.");
            }
            long number = Long.parseLong(parts.group(1));
            return switch (parts.group(2)) {
                case "m" -> number * 60;
                case "h" -> number * 3_600;
                default -> number * 86_400;
            };
        }
    }

    @Command(
            name = "restore",
            description = "Brings a backup back into a node that has neither identities nor messages; asks for the"
                    + " passphrase. Stop the node that it comes from first.")
    static final class Restore extends OfDirectory {
        @Option(names = "--snapshot", paramLabel = "N", description = "Which one; the newest if left out.")
        private @Nullable Long snapshot;

        Restore(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> params = snapshot == null ? Map.of() : Map.of("snapshot", snapshot);
            Map<String, Object> answer = ask("backup.restore", params, false, null);
            show(
                    answer,
                    "Snapshot " + Answer.number(answer, "number") + " of "
                            + Plain.time(Answer.number(answer, "createdAt")) + " is back: "
                            + many(Answer.number(answer, "records"), "record") + ", "
                            + many(Answer.number(answer, "identities"), "key")
                            + advice(
                                    ".\nWhat came later is fetched from your relays as far as they have it. The PIN is not part"
                                            + " of a backup: ./parley pin set\n"));
            return Exit.OK;
        }
    }
}
