package im.parley.cli;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Moving what a store keeps, and the time in which that can be taken back. */
final class HandoverCommands {
    /** A large store takes as long as it takes; the bar shows that it goes on. */
    private static final Duration PATIENCE = Duration.ofDays(2);

    private static final long LOOK_MILLIS = 250;
    private static final long SAY_NANOS = TimeUnit.SECONDS.toNanos(5);

    private HandoverCommands() {}

    /**
     * A call that may move a store: shows how far it is while it waits for the end. The node goes on if nobody waits.
     */
    static Map<String, Object> watched(BaseCommand command, String method, Map<String, Object> params)
            throws Failure, InterruptedException {
        CompletableFuture<Map<String, Object>> answer = new CompletableFuture<>();
        Thread asking = new Thread(
                () -> {
                    try (NodeClient client = command.connect()) {
                        answer.complete(client.call(method, params, PATIENCE));
                    } catch (Failure | RuntimeException e) {
                        answer.completeExceptionally(e);
                    }
                },
                "parley-asking");
        asking.setDaemon(true);
        asking.start();
        Bar bar = new Bar(command);
        try {
            while (true) {
                try {
                    return answer.get(LOOK_MILLIS, TimeUnit.MILLISECONDS);
                } catch (TimeoutException goesOn) {
                    bar.look();
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Failure failure) {
                throw failure;
            }
            throw new IllegalStateException(e.getCause());
        } finally {
            bar.end();
        }
    }

    /** On a terminal one line that changes; elsewhere a line now and then; nothing for programs. */
    private static final class Bar {
        private static final int WIDTH = 24;

        private final BaseCommand command;
        private final boolean terminal;
        private long said = System.nanoTime();
        private int shown;

        Bar(BaseCommand command) {
            this.command = command;
            this.terminal = command.invocation().interactive();
        }

        void look() throws Failure {
            if (command.json()) {
                return;
            }
            for (Map<String, Object> moving : Answer.objects(command.ask("slots.progress", Map.of()), "slots")) {
                if (!Answer.text(moving, "phase").equals("window")) {
                    show(line(moving));
                    return;
                }
            }
        }

        private void show(String line) {
            if (terminal) {
                command.invocation().err().print("\r" + line + " ".repeat(Math.max(0, shown - line.length())));
                shown = line.length();
            } else if (System.nanoTime() - said > SAY_NANOS) {
                said = System.nanoTime();
                command.invocation().err().println(line);
            }
            command.invocation().err().flush();
        }

        private static String line(Map<String, Object> moving) throws Failure {
            String phase = Answer.text(moving, "phase");
            long done = Answer.number(moving, "done");
            long total = Math.max(1, Answer.number(moving, "total"));
            long changes = Answer.number(moving, "changes");
            double share = Math.min(1, done / (double) total);
            int full = (int) (share * WIDTH);
            return String.format(
                    Locale.ROOT,
                    "%-9s [%s%s] %3d %%  %,d of %,d%s",
                    phase,
                    "#".repeat(full),
                    ".".repeat(WIDTH - full),
                    (int) (share * 100),
                    Math.min(done, total),
                    total,
                    changes > 0 ? String.format(Locale.ROOT, ", %,d changes since", changes) : "");
        }

        void end() {
            if (shown > 0) {
                command.invocation().err().print("\r" + " ".repeat(shown) + "\r");
                command.invocation().err().flush();
            }
        }
    }

    /** What moves, and what can be taken back without loss. */
    @Command(name = "status", description = "Shows what moves, and which former stores are still kept up to date.")
    static final class Status extends BaseCommand {
        Status(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("slots.progress", Map.of());
            List<List<String>> rows = new ArrayList<>();
            for (Map<String, Object> moving : Answer.objects(answer, "slots")) {
                String phase = Answer.text(moving, "phase");
                boolean window = phase.equals("window");
                rows.add(List.of(
                        Answer.text(moving, "slot"),
                        window ? "moved" : phase,
                        Answer.text(moving, "from") + " -> " + Answer.text(moving, "to"),
                        window
                                ? "an undo loses nothing" + behind(Answer.number(moving, "lag"))
                                : Answer.number(moving, "done") + " of " + Answer.number(moving, "total"),
                        Plain.line(Answer.text(moving, "problem"))));
            }
            show(answer, rows.isEmpty() ? "Nothing moves, and no former store is kept up to date." : Plain.table(rows));
            return Exit.OK;
        }

        private static String behind(long lag) {
            return lag == 0 ? "" : "; " + lag + " changes behind";
        }
    }

    /** Of one slot. */
    abstract static class OfSlot extends BaseCommand {
        @Parameters(index = "0", paramLabel = "SLOT", description = "storage.events or storage.records.")
        private String slot = "";

        OfSlot(Invocation invocation) {
            super(invocation);
        }

        Map<String, Object> params() {
            return Map.of("slot", slot);
        }
    }

    /** Row by row. */
    @Command(
            name = "compare",
            description =
                    "Compares what serves with the former store row by row, while both are used; exit code 1 if they"
                            + " differ.")
    static final class Compare extends OfSlot {
        Compare(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            Map<String, Object> answer = watched(this, "slots.compare", params());
            boolean equal = Answer.flag(answer, "equal");
            long changed = Answer.number(answer, "changed");
            long marks = Answer.number(answer, "marks");
            String text = Answer.number(answer, "rows") + " rows"
                    + (marks > 0 ? " and " + marks + " marks of deletions" : "")
                    + (equal
                            ? " are equal: " + Answer.text(answer, "serving")
                            : " are there. " + changed + " changed while they were compared; ask again when less is"
                                    + " written.\n  serving  " + Answer.text(answer, "serving") + "\n  former   "
                                    + Answer.text(answer, "former"));
            show(answer, text);
            return equal ? Exit.OK : Exit.REFUSED;
        }
    }

    /** Gives up. */
    @Command(name = "cancel", description = "Has a handover that copies or compares give up; the old store serves on.")
    static final class Cancel extends OfSlot {
        Cancel(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            show(ask("slots.cancel", params()), "Told it to give up.");
            return Exit.OK;
        }
    }

    /** Ends the time in which an undo loses nothing. */
    @Command(
            name = "finish",
            description = "Stops keeping the former store up to date and closes it. Its files stay; an undo copies"
                    + " everything back from then on.")
    static final class Finish extends OfSlot {
        Finish(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("slots.finish", params());
            show(
                    answer,
                    Answer.text(answer, "former") + " is no longer kept up to date and is closed. Its files are in "
                            + dataDir().resolve("providers").resolve(Answer.text(answer, "former"))
                            + "; delete them when you are sure.");
            return Exit.OK;
        }
    }
}
