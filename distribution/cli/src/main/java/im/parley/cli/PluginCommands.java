package im.parley.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Parts from outside the distribution. */
final class PluginCommands {
    private PluginCommands() {}

    static String table(List<Map<String, Object>> plugins) throws Failure {
        List<List<String>> rows = new ArrayList<>();
        for (Map<String, Object> plugin : plugins) {
            rows.add(List.of(
                    "  " + Plain.line(Answer.text(plugin, "bsn")),
                    Plain.line(Answer.text(plugin, "version")),
                    Plain.line(Answer.text(plugin, "state")),
                    "by " + Plain.line(Answer.text(plugin, "signer")),
                    Plain.line(String.join(", ", Answer.texts(plugin, "instances")))));
        }
        return Plain.table(rows);
    }

    @Command(name = "list", description = "The plugins of this node, who signed them, and what they reach.")
    static final class ListAll extends BaseCommand {
        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("plugin.list", Map.of());
            StringBuilder text = new StringBuilder();
            for (Map<String, Object> plugin : Answer.objects(answer, "plugins")) {
                text.append(Plans.reach(plugin))
                        .append("  state         ")
                        .append(Plain.line(Answer.text(plugin, "state")))
                        .append("\n  instances     ")
                        .append(Plain.line(String.join(", ", Answer.texts(plugin, "instances"))))
                        .append('\n');
            }
            show(answer, text.isEmpty() ? "No plugins are installed." : text.toString());
            return Exit.OK;
        }
    }

    /** What the acts share. */
    private abstract static class Act extends BaseCommand {
        @Option(names = "--yes", description = "Do not ask.")
        private boolean yes;

        @Option(names = "--why", paramLabel = "TEXT", description = "Why, for the journal.")
        private @Nullable String why;

        Act(Invocation invocation) {
            super(invocation);
        }

        int carryOut(String act, Map<String, Object> params) throws Failure, InterruptedException {
            Map<String, Object> planned = new LinkedHashMap<>(params);
            planned.put("act", act);
            return Plans.carryOut(this, yes, why, "plugin.plan", planned, "plugin." + act, params);
        }
    }

    /** Those that take a file. */
    private abstract static class FromFile extends Act {
        @Parameters(index = "0", paramLabel = "FILE", description = "The plugin's jar.")
        private Path file = Path.of("");

        @Option(
                names = "--sig",
                paramLabel = "FILE",
                description = "Its signature; FILE.sig beside the jar if left out.")
        private @Nullable Path signature;

        FromFile(Invocation invocation) {
            super(invocation);
        }

        int carryOut(String act) throws Failure, InterruptedException {
            Map<String, Object> params = new LinkedHashMap<>();
            params.put("file", StackCommands.absolute(file));
            if (signature != null) {
                params.put("signature", StackCommands.absolute(signature));
            }
            return carryOut(act, params);
        }
    }

    @Command(
            name = "install",
            description =
                    "Installs a plugin: says what it reaches and who signed it, asks, does it. Its instances fill no"
                            + " slot before you swap them in.")
    static final class Install extends FromFile {
        Install(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            return carryOut("install");
        }
    }

    @Command(
            name = "upgrade",
            description =
                    "Puts a newer version in the place of a plugin while people write. What is under way finishes on"
                            + " the old one.")
    static final class Upgrade extends FromFile {
        Upgrade(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            return carryOut("upgrade");
        }
    }

    @Command(
            name = "remove",
            description = "Takes a plugin away; slots that it fills go back to what the distribution selects.")
    static final class Remove extends Act {
        @Parameters(index = "0", paramLabel = "NAME", description = "Its symbolic name, as ./parley plugin list shows.")
        private String plugin = "";

        Remove(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            return carryOut("remove", Map.of("plugin", plugin));
        }
    }

    @Command(
            name = "undo",
            description = "Takes the newest change back that was not taken back yet: of the stack, or a swap.")
    static final class Undo extends BaseCommand {
        @Option(names = "--why", paramLabel = "TEXT", description = "Why, for the journal.")
        private @Nullable String why;

        Undo(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure, InterruptedException {
            return StackCommands.undo(this, why);
        }
    }
}
