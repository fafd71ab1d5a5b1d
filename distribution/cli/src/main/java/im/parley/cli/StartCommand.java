package im.parley.cli;

import im.parley.launcher.Json;
import im.parley.launcher.LauncherException;
import im.parley.launcher.NodeDirectory;
import im.parley.launcher.NodeProcess;
import im.parley.launcher.ParleyConfig;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Starts a node, here or in the background, and returns when it is ready. */
@Command(
        name = "start",
        description =
                "Starts a node. Ports, features, relay URLs and state directory are remembered for the next start. A node"
                        + " that runs is left as it is, and options that it does not have are refused.",
        sortOptions = false)
final class StartCommand extends BaseCommand {
    private static final long READY_WITHIN_NANOS = TimeUnit.SECONDS.toNanos(180);
    private static final long POLL_MILLIS = 25;
    private static final String BOOT_LOG = "boot.log";
    private static final String RUNNING = "node.running";
    private static final int KILLED_BY_TERM = 128 + 15;

    @Option(names = "--detach", description = "Run in the background; return when it is ready.")
    private boolean detach;

    @Option(
            names = "--port-base",
            paramLabel = "N",
            description = "Ports on loopback: relay N, web N+1, files N+2, admin N+3. At first 7470.")
    private @Nullable Integer portBase;

    @Option(
            names = "--relay-url",
            paramLabel = "URL",
            description = "Address under which others reach this node's relay, for example behind a TLS proxy; several"
                    + " times for several, none to have only the loopback ones again.")
    private @Nullable List<String> relayUrls;

    @Option(
            names = "--files-url",
            paramLabel = "URL",
            description = "Address under which others reach this node's file server, as --relay-url is for the relay.")
    private @Nullable List<String> filesUrls;

    @Option(
            names = "--only",
            paramLabel = "FEATURE",
            description =
                    "personal (your keys and messages), infrastructure (relay and file server), or all, which it is at first.")
    private @Nullable String only;

    @Option(
            names = "--state",
            paramLabel = "DIR",
            converter = DirectoryOption.class,
            description = "Where the device key lives. Default: under $XDG_STATE_HOME or ~/.local/state.")
    private @Nullable Path state;

    StartCommand(Invocation invocation) {
        super(invocation);
    }

    @Override
    int run() throws Failure, IOException, InterruptedException {
        Path home = invocation().home();
        if (home == null) {
            throw new Failure(
                    Exit.REFUSED,
                    "distribution.missing",
                    "The node was not started.",
                    "This command is not part of a complete distribution.",
                    "Unpack the distribution again, or run ./parley in a checkout.");
        }
        ParleyConfig config = config(home);
        long deadline = System.nanoTime() + READY_WITHIN_NANOS;
        while (true) {
            if (isReadyAlready(config, deadline)) {
                return Exit.OK;
            }
            try {
                return detach ? detached(home, config) : foreground(config);
            } catch (Failure e) {
                // Another start was quicker, or a stop has not come to its end.
                if (!e.code().equals(RUNNING) || System.nanoTime() > deadline) {
                    throw e;
                }
                TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
            }
        }
    }

    /** Waits while another process has the data directory; true if its node is ready, false if there is none. */
    private boolean isReadyAlready(ParleyConfig config, long deadline) throws Failure, InterruptedException {
        boolean said = false;
        boolean ready = false;
        while (true) {
            try (NodeClient running = NodeClient.connect(dataDir())) {
                if (running != null) {
                    refuseOtherOptions(config);
                    showReady(running, "A node runs on this data directory already.", null);
                    return true;
                }
            }
            NodeDirectory.Holder holder = NodeDirectory.holder(dataDir());
            if (holder == null) {
                return false;
            }
            if (holder.state() != NodeDirectory.State.READY) {
                ready = false;
            } else if (ready) {
                throw Failure.notAnswering(dataDir(), holder);
            } else {
                // It may have become ready since it was asked.
                ready = true;
                continue;
            }
            if (System.nanoTime() > deadline) {
                throw slow();
            }
            if (!said && !json()) {
                invocation()
                        .err()
                        .println("The node on " + dataDir() + " is "
                                + (holder.state() == NodeDirectory.State.STARTING ? "starting" : "stopping")
                                + " already, in process " + holder.pid() + "; waiting for it ...");
                said = true;
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
    }

    private static void refuseOtherOptions(ParleyConfig config) throws Failure {
        List<String> differences;
        try {
            differences = NodeProcess.differences(config);
        } catch (LauncherException e) {
            throw Failure.of(e);
        }
        if (!differences.isEmpty()) {
            throw new Failure(
                    Exit.REFUSED,
                    "node.other-options",
                    "A node runs on this data directory already, with other options; it was left as it is.",
                    "You gave " + String.join(", ", differences) + ".",
                    "Stop it with ./parley stop and start it again with these options, or leave them out.");
        }
    }

    private ParleyConfig config(Path home) throws Failure {
        try {
            ParleyConfig.Builder builder = ParleyConfig.builder(home, dataDir());
            if (portBase != null) {
                builder.portBase(portBase);
            }
            if (relayUrls != null) {
                builder.relayUrls(chosen(relayUrls));
            }
            if (filesUrls != null) {
                builder.filesUrls(chosen(filesUrls));
            }
            if (only != null) {
                builder.feature(only);
            }
            if (state != null) {
                builder.stateDir(state);
            }
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new Failure(
                    Exit.USAGE,
                    "cli.usage",
                    "The node was not started.",
                    String.valueOf(e.getMessage()) + ".",
                    "See ./parley start --help.");
        }
    }

    private static List<String> chosen(List<String> urls) {
        return urls.equals(List.of("none")) ? List.of() : urls;
    }

    private int foreground(ParleyConfig config) throws Failure, InterruptedException {
        long begun = System.nanoTime();
        try {
            NodeProcess.run(config, parley -> readyHere(begun));
            return Exit.OK;
        } catch (LauncherException e) {
            throw Failure.of(e);
        }
    }

    private void readyHere(long begun) {
        try (NodeClient client = connect()) {
            showReady(client, "Parley is ready; Ctrl-C stops it.", begun);
        } catch (Failure e) {
            // It went down in the same moment; the end of this command tells why.
            invocation().err().println(e.what());
        }
    }

    private int detached(Path home, ParleyConfig config) throws Failure, IOException, InterruptedException {
        Path logs;
        List<String> command;
        try {
            command = command(home);
            logs = NodeProcess.prepareLogs(config);
        } catch (LauncherException e) {
            throw Failure.of(e);
        }
        // Of this start alone: two at once must not read each other's reasons.
        Path ownBootLog = Files.createTempFile(logs, "boot-", ".log");
        String code = "";
        try {
            return detached(config, command, logs, ownBootLog);
        } catch (Failure e) {
            code = e.code();
            throw e;
        } finally {
            if (code.equals(RUNNING)) {
                Files.delete(ownBootLog);
            } else {
                Files.move(ownBootLog, logs.resolve(BOOT_LOG), StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    private int detached(ParleyConfig config, List<String> command, Path logs, Path bootLog)
            throws Failure, IOException, InterruptedException {
        long begun = System.nanoTime();
        if (!json()) {
            invocation().err().println("Starting the node on " + dataDir() + " ...");
        }
        Process process = new ProcessBuilder(command)
                .directory(logs.toFile())
                .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                .redirectErrorStream(true)
                .redirectOutput(bootLog.toFile())
                .start();
        while (System.nanoTime() - begun < READY_WITHIN_NANOS) {
            try (NodeClient client = NodeClient.connect(dataDir())) {
                if (client != null && Boolean.TRUE.equals(status(client).get("ready"))) {
                    // Another start may have been quicker; then this one's process will say so.
                    refuseOtherOptions(config);
                    showReady(client, "Parley is ready.", begun);
                    return Exit.OK;
                }
            } catch (Failure notYet) {
                if (!process.isAlive()) {
                    throw died(bootLog, process.exitValue());
                }
            }
            if (process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                throw died(bootLog, process.exitValue());
            }
        }
        throw slow();
    }

    private static Failure slow() {
        return new Failure(
                Exit.UNAVAILABLE,
                "node.slow",
                "The node is not ready yet.",
                "It has been starting for " + TimeUnit.NANOSECONDS.toSeconds(READY_WITHIN_NANOS) + " s and still does.",
                "Look at ./parley logs; stop it with ./parley stop.");
    }

    private List<String> command(Path home) throws LauncherException {
        List<String> command = new ArrayList<>();
        // A session of its own, so that closing the invocation does not end the node.
        for (String directory : List.of("/usr/bin/setsid", "/bin/setsid")) {
            if (Files.isExecutable(Path.of(directory))) {
                command.add(directory);
                break;
            }
        }
        command.add(
                Path.of(System.getProperty("java.home", "/usr"), "bin", "java").toString());
        command.addAll(NodeFlags.forThisJava());
        command.add("-cp");
        command.add(NodeProcess.classPath(home));
        command.add("im.parley.launcher.Main");
        command.addAll(List.of("--home", home.toString(), "--data", dataDir().toString()));
        if (state != null) {
            command.addAll(List.of("--state", state.toAbsolutePath().toString()));
        }
        if (portBase != null) {
            command.addAll(List.of("--port-base", portBase.toString()));
        }
        if (relayUrls != null) {
            command.addAll(List.of("--relay-urls", String.join(",", chosen(relayUrls))));
        }
        if (filesUrls != null) {
            command.addAll(List.of("--files-urls", String.join(",", chosen(filesUrls))));
        }
        if (only != null) {
            command.addAll(List.of("--only", only));
        }
        return command;
    }

    private Failure died(Path bootLog, int exit) throws IOException {
        List<String> lines = Files.readAllLines(bootLog, StandardCharsets.UTF_8);
        for (String line : lines) {
            if (line.startsWith(im.parley.launcher.Main.FAILURE)) {
                Map<String, Object> failure = Json.object(
                        line.substring(im.parley.launcher.Main.FAILURE.length()).getBytes(StandardCharsets.UTF_8));
                return Failure.of(new LauncherException(
                        Json.text(failure, "code"),
                        Json.text(failure, "what"),
                        Json.text(failure, "why"),
                        Json.text(failure, "next")));
            }
        }
        if (exit == KILLED_BY_TERM) {
            return new Failure(
                    Exit.REFUSED,
                    "node.stopped",
                    "The node was stopped while it started.",
                    "Its process was ended, as ./parley stop does.",
                    "Start it again when you want it.");
        }
        String last = lines.isEmpty() ? "It said nothing" : "It said: " + lines.get(lines.size() - 1);
        return new Failure(
                Exit.BUG,
                "node.died",
                "The node ended while it started.",
                last + " (exit code " + exit + ").",
                "Look at " + bootLog.resolveSibling(BOOT_LOG) + " and ./parley logs.");
    }

    private static Map<String, Object> status(NodeClient client) throws Failure {
        return client.call("node.status", Map.of());
    }

    /** @param begun when the start began; null if the node ran already */
    private void showReady(NodeClient client, String headline, @Nullable Long begun) throws Failure {
        double seconds = begun == null ? 0 : Plain.secondsSince(begun);
        Map<String, Object> status = status(client);
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("already", begun == null);
        result.put("seconds", seconds);
        result.put("status", status);
        StringBuilder text = new StringBuilder(headline);
        if (begun != null) {
            text.append(" (").append(seconds).append(" s)");
        }
        text.append('\n').append(StatusCommand.places(status));
        text.append("Next: ").append(advice(next(client, status))).append('\n');
        show(result, text.toString());
    }

    private static String next(NodeClient client, Map<String, Object> status) throws Failure {
        if (String.valueOf(status.get("session")).contains("locked=true")) {
            return "./parley unlock";
        }
        if (!String.valueOf(status.get("features")).contains("personal")) {
            return "give the relay's address to people, or look at ./parley status";
        }
        boolean anybody = client.call("identity.list", Map.of()).get("accounts") instanceof List<?> accounts
                && !accounts.isEmpty();
        return anybody ? "./parley inbox" : "./parley identity new NAME";
    }
}
