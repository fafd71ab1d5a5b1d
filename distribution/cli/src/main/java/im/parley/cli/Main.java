package im.parley.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The command {@code ./parley}. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        System.exit(run(Invocation.system(), arguments));
    }

    /** Runs one command and returns its exit code. */
    static int run(Invocation invocation, String... arguments) {
        Errors errors = new Errors(invocation, arguments);
        int exit = commandLine(invocation, errors, arguments).execute(arguments);
        // Help is printed by the library.
        return exit == Exit.OK && invocation.out().checkError() ? errors.show(Failure.outputLost()) : exit;
    }

    private static CommandLine commandLine(Invocation invocation, Errors errors, String[] arguments) {
        CommandLine parley = new CommandLine(new Root(invocation));
        Map<String, Supplier<CommandLine>> commands = commands(invocation);
        // Building the model of every command takes longer than the command itself, so only the one that is wanted is.
        Supplier<CommandLine> wanted = arguments.length == 0 ? null : commands.get(arguments[0]);
        if (wanted == null) {
            commands.values().forEach(command -> parley.addSubcommand(command.get()));
        } else {
            parley.addSubcommand(wanted.get());
        }
        // A text that begins with @ is a text, not the name of a file to read the arguments from.
        parley.setExpandAtFiles(false);
        parley.setOut(new PrintWriter(invocation.out(), true, StandardCharsets.UTF_8));
        parley.setErr(new PrintWriter(invocation.err(), true, StandardCharsets.UTF_8));
        parley.setExecutionExceptionHandler(errors);
        parley.setParameterExceptionHandler(errors);
        parley.setUsageHelpWidth(100);
        parley.setUsageHelpAutoWidth(false);
        return parley;
    }

    private static Map<String, Supplier<CommandLine>> commands(Invocation invocation) {
        Map<String, Supplier<CommandLine>> commands = new LinkedHashMap<>();
        commands.put("start", () -> new CommandLine(new StartCommand(invocation)));
        commands.put("stop", () -> new CommandLine(new StopCommand(invocation)));
        commands.put("status", () -> new CommandLine(new StatusCommand(invocation)));
        commands.put("logs", () -> new CommandLine(new LogsCommand(invocation)));
        commands.put("lock", () -> new CommandLine(new SessionCommands.Lock(invocation)));
        commands.put("unlock", () -> new CommandLine(new SessionCommands.Unlock(invocation)));
        commands.put(
                "pin", () -> new CommandLine(new PinGroup()).addSubcommand(new SessionCommands.SetPin(invocation)));
        commands.put(
                "circle",
                () -> new CommandLine(new CircleGroup())
                        .addSubcommand(new CircleCommands.New(invocation))
                        .addSubcommand(new CircleCommands.ListAll(invocation))
                        .addSubcommand(new CircleCommands.Rename(invocation))
                        .addSubcommand(new CircleCommands.Delete(invocation))
                        .addSubcommand(new CircleCommands.Invite(invocation))
                        .addSubcommand(new CircleCommands.Join(invocation)));
        commands.put(
                "identity",
                () -> new CommandLine(new IdentityGroup())
                        .addSubcommand(new IdentityCommands.New(invocation))
                        .addSubcommand(new IdentityCommands.Import(invocation))
                        .addSubcommand(new IdentityCommands.Export(invocation))
                        .addSubcommand(new RemoteCommands.Connect(invocation))
                        .addSubcommand(new RemoteCommands.ListAll(invocation))
                        .addSubcommand(new IdentityCommands.Unlock(invocation))
                        .addSubcommand(new IdentityCommands.ListAll(invocation)));
        commands.put(
                "bunker",
                () -> new CommandLine(new BunkerGroup())
                        .addSubcommand(new BunkerCommands.New(invocation))
                        .addSubcommand(new BunkerCommands.ListAll(invocation))
                        .addSubcommand(new BunkerCommands.Revoke(invocation)));
        commands.put(
                "contact",
                () -> new CommandLine(new ContactGroup())
                        .addSubcommand(new ContactCommands.Add(invocation))
                        .addSubcommand(new ContactCommands.ListAll(invocation))
                        .addSubcommand(new ChatCommands.Block(invocation))
                        .addSubcommand(new ChatCommands.Unblock(invocation))
                        .addSubcommand(new ChatCommands.Blocked(invocation)));
        commands.put(
                "files",
                () -> new CommandLine(new FilesGroup())
                        .addSubcommand(new CommandLine(new FileServerGroup())
                                .addSubcommand(new FileCommands.Add(invocation))
                                .addSubcommand(new FileCommands.Remove(invocation))
                                .addSubcommand(new FileCommands.Servers(invocation))
                                .addSubcommand(new FileCommands.Probe(invocation)))
                        .addSubcommand(new FileCommands.Put(invocation))
                        .addSubcommand(new FileCommands.Save(invocation))
                        .addSubcommand(new FileCommands.Get(invocation))
                        .addSubcommand(new FileCommands.Delete(invocation))
                        .addSubcommand(new FileCommands.Jobs(invocation))
                        .addSubcommand(new FileCommands.Cancel(invocation))
                        .addSubcommand(new FileCommands.Retry(invocation)));
        commands.put(
                "relay",
                () -> new CommandLine(new RelayGroup())
                        .addSubcommand(new RelayCommands.Add(invocation))
                        .addSubcommand(new RelayCommands.Remove(invocation))
                        .addSubcommand(new RelayCommands.ListAll(invocation))
                        .addSubcommand(new RelayCommands.Status(invocation))
                        .addSubcommand(new RelayArchiveCommands.Export(invocation))
                        .addSubcommand(new RelayArchiveCommands.Import(invocation)));
        commands.put("send", () -> new CommandLine(new SendCommand(invocation)));
        commands.put("reply", () -> new CommandLine(new MessageCommands.Reply(invocation)));
        commands.put("react", () -> new CommandLine(new MessageCommands.React(invocation)));
        commands.put("vanish", () -> new CommandLine(new MessageCommands.Vanish(invocation)));
        commands.put("delete", () -> new CommandLine(new MessageCommands.Delete(invocation)));
        commands.put("edit", () -> new CommandLine(new MessageCommands.Edit(invocation)));
        commands.put("history", () -> new CommandLine(new MessageCommands.History(invocation)));
        commands.put("keep", () -> new CommandLine(new MessageCommands.Keep(invocation)));
        commands.put("chats", () -> new CommandLine(new ChatCommands.ListAll(invocation)));
        commands.put(
                "chat",
                () -> new CommandLine(new ChatGroup())
                        .addSubcommand(new ChatCommands.Show(invocation))
                        .addSubcommand(new ChatCommands.Read(invocation))
                        .addSubcommand(new ChatCommands.Pin(invocation))
                        .addSubcommand(new ChatCommands.Unpin(invocation))
                        .addSubcommand(new ChatCommands.Mute(invocation))
                        .addSubcommand(new ChatCommands.Draft(invocation))
                        .addSubcommand(new ChatCommands.Accept(invocation))
                        .addSubcommand(new ChatCommands.Remove(invocation))
                        .addSubcommand(new ChatCommands.Typing(invocation)));
        commands.put("settings", () -> new CommandLine(new ChatCommands.Settings(invocation)));
        commands.put("inbox", () -> new CommandLine(new InboxCommand(invocation)));
        commands.put("ledger", () -> new CommandLine(new LedgerCommand(invocation)));
        commands.put("egress", () -> new CommandLine(new EgressCommand(invocation)));
        commands.put("drops", () -> new CommandLine(new DropsCommand(invocation)));
        commands.put(
                "backup",
                () -> new CommandLine(new BackupGroup())
                        .addSubcommand(new BackupCommands.Now(invocation))
                        .addSubcommand(new BackupCommands.ListAll(invocation))
                        .addSubcommand(new BackupCommands.Verify(invocation))
                        .addSubcommand(new BackupCommands.Prune(invocation))
                        .addSubcommand(new BackupCommands.Schedule(invocation)));
        commands.put("restore", () -> new CommandLine(new BackupCommands.Restore(invocation)));
        commands.put("slots", () -> new CommandLine(new SlotsCommand(invocation)));
        commands.put("swap", () -> new CommandLine(new SwapCommands.Swap(invocation)));
        commands.put("undo", () -> new CommandLine(new SwapCommands.Undo(invocation)));
        commands.put(
                "handover",
                () -> new CommandLine(new HandoverGroup())
                        .addSubcommand(new HandoverCommands.Status(invocation))
                        .addSubcommand(new HandoverCommands.Compare(invocation))
                        .addSubcommand(new HandoverCommands.Cancel(invocation))
                        .addSubcommand(new HandoverCommands.Finish(invocation)));
        commands.put(
                "plugin",
                () -> new CommandLine(new PluginGroup())
                        .addSubcommand(new PluginCommands.Install(invocation))
                        .addSubcommand(new PluginCommands.Upgrade(invocation))
                        .addSubcommand(new PluginCommands.Remove(invocation))
                        .addSubcommand(new PluginCommands.Undo(invocation))
                        .addSubcommand(new PluginCommands.ListAll(invocation)));
        commands.put(
                "stack",
                () -> new CommandLine(new StackGroup())
                        .addSubcommand(new StackCommands.Show(invocation))
                        .addSubcommand(new StackCommands.Plan(invocation))
                        .addSubcommand(new StackCommands.Apply(invocation))
                        .addSubcommand(new StackCommands.Undo(invocation))
                        .addSubcommand(new StackCommands.Export(invocation)));
        commands.put(
                "audit",
                () -> new CommandLine(new AuditGroup())
                        .addSubcommand(new AuditCommands.ListAll(invocation))
                        .addSubcommand(new AuditCommands.Verify(invocation)));
        commands.put(
                "trust",
                () -> new CommandLine(new TrustGroup())
                        .addSubcommand(new TrustCommands.ListAll(invocation))
                        .addSubcommand(new TrustCommands.Add(invocation))
                        .addSubcommand(new TrustCommands.Remove(invocation))
                        .addSubcommand(new TrustCommands.Revoke(invocation))
                        .addSubcommand(new TrustCommands.Minimum(invocation))
                        .addSubcommand(new TrustCommands.Check(invocation))
                        .addSubcommand(new TrustCommands.Keygen(invocation))
                        .addSubcommand(new TrustCommands.Sign(invocation)));
        commands.put("guide", () -> new CommandLine(new GuideCommand(invocation)));
        commands.put("version", () -> new CommandLine(new VersionCommand(invocation)));
        return commands;
    }

    /** Commands that only group others say so when called alone. */
    private static class Group implements Runnable {
        @Spec
        private @Nullable CommandSpec spec;

        @Override
        public void run() {
            if (spec != null) {
                throw new CommandLine.ParameterException(
                        spec.commandLine(),
                        "parley " + spec.name() + " needs one of "
                                + spec.subcommands().keySet());
            }
        }
    }

    @Command(
            name = "parley",
            header = "End-to-end encrypted messaging that is yours.",
            synopsisSubcommandLabel = "COMMAND",
            description = "%nDay one:%n"
                    + "  ./parley start --detach%n"
                    + "  ./parley identity new alice%n"
                    + "  ./parley contact add bob NPUB%n"
                    + "  ./parley send bob \"hello\"%n"
                    + "  ./parley inbox%n",
            footer = "%nExit codes: 0 done, 1 refused, 2 not understood, 3 no node runs, 4 session locked, 5"
                    + " unavailable or too late, 70 a fault of Parley.")
    private static final class Root implements Callable<Integer> {
        private final Invocation invocation;

        @Spec
        private @Nullable CommandSpec spec;

        @Mixin
        @SuppressWarnings("UnusedVariable") // picocli fills it for every command
        private final Common options;

        @Option(names = "--version", description = "Show the version, as the command version does.")
        private boolean version;

        Root(Invocation invocation) {
            this.invocation = invocation;
            this.options = invocation.options();
        }

        @Override
        public Integer call() throws Failure {
            if (version) {
                return new VersionCommand(invocation).run();
            }
            return new GuideCommand(invocation).run();
        }
    }

    @Command(name = "pin", description = "The PIN that locks this session.")
    private static final class PinGroup extends Group {}

    @Command(name = "circle", description = "Family, friends, work: circles that never mix.")
    private static final class CircleGroup extends Group {}

    @Command(name = "identity", description = "Who you are: make and list identities.")
    private static final class IdentityGroup extends Group {}

    @Command(name = "bunker", description = "Other programs that act with an identity of yours: invite, list, revoke.")
    private static final class BunkerGroup extends Group {}

    @Command(name = "chat", description = "One conversation: show, read, pin, mute, draft, let in, take away.")
    private static final class ChatGroup extends Group {}

    @Command(name = "contact", description = "Whom you know: add, list and block people.")
    private static final class ContactGroup extends Group {}

    @Command(name = "backup", description = "Sealed copies of your messages and keys in a directory.")
    private static final class BackupGroup extends Group {}

    @Command(name = "audit", description = "The log of what was done to this node, and whether it is whole.")
    private static final class AuditGroup extends Group {}

    @Command(name = "handover", description = "Stores that move, and former ones that are kept up to date.")
    private static final class HandoverGroup extends Group {}

    @Command(name = "plugin", description = "Parts from outside the distribution: install, upgrade, remove.")
    private static final class PluginGroup extends Group {}

    @Command(name = "stack", description = "What the node is made of, as a file: show, plan, apply, undo, export.")
    private static final class StackGroup extends Group {}

    @Command(name = "trust", description = "Who may make plugins for your nodes.")
    private static final class TrustGroup extends Group {}

    @Command(name = "files", description = "Files: send them encrypted to file servers, and get them from there.")
    private static final class FilesGroup extends Group {}

    @Command(name = "server", description = "The file servers of an identity.")
    private static final class FileServerGroup extends Group {}

    @Command(name = "relay", description = "Your inbox relays, and this node's own relay.")
    private static final class RelayGroup extends Group {}
}
