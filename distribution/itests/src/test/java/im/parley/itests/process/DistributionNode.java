package im.parley.itests.process;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * One node of the real distribution in a process of its own, driven through its {@code ./parley} as a person would. Data,
 * state and runtime directories are the test's; the ports are free ones.
 */
final class DistributionNode implements AutoCloseable {
    /** System property: the JDK that nodes and commands run on, if it is not the one of the tests. */
    static final String JAVA = "parley.node.java";

    private static final Duration COMMAND = Duration.ofMinutes(2);

    private final Path home;
    private final Path base;
    private final int port;
    private final Map<String, String> environment = new HashMap<>();
    private long pid;

    private DistributionNode(Path home, Path base, int port) {
        this.home = home;
        this.base = base;
        this.port = port;
    }

    /** A node that is not started yet, with empty directories. */
    static DistributionNode create(String name) throws IOException {
        return create(name, Path.of(System.getProperty("parley.dist")));
    }

    /** A node of that unpacked distribution. */
    static DistributionNode create(String name, Path home) throws IOException {
        // Short, because the path of a Unix socket has little room.
        Path base = Files.createTempDirectory(Path.of(System.getProperty("java.io.tmpdir")), "p-" + name);
        Files.createDirectories(base.resolve("run"));
        return new DistributionNode(home, base, freePorts());
    }

    /** The first of four free ports in a row. */
    static int freePorts() throws IOException {
        for (int attempt = 0; attempt < 100; attempt++) {
            try (ServerSocket probe = new ServerSocket(0)) {
                int port = probe.getLocalPort();
                if (port < 65000 && isFree(port + 1) && isFree(port + 2) && isFree(port + 3)) {
                    return port;
                }
            }
        }
        throw new IOException("no four free ports in a row");
    }

    private static boolean isFree(int port) {
        try (ServerSocket probe = new ServerSocket(port)) {
            return probe.isBound();
        } catch (IOException taken) {
            return false;
        }
    }

    /** Adds to the environment of every command, and of the node. */
    DistributionNode with(String name, String value) {
        environment.put(name, value);
        return this;
    }

    Path base() {
        return base;
    }

    Path data() {
        return base.resolve("data");
    }

    /** Where its device key lies, and whom its user trusts. */
    Path stateDir() {
        return base.resolve("state").resolve("parley");
    }

    long pid() {
        return pid;
    }

    int port() {
        return port;
    }

    URI relayUrl() {
        return URI.create("ws://127.0.0.1:" + port);
    }

    /** {@code ./parley start --detach …}; returns when the node is ready. */
    JsonNode start(String... options) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of("start", "--detach", "--port-base", Integer.toString(port)));
        line.addAll(List.of(options));
        JsonNode started = json(line.toArray(String[]::new));
        pid = json("status").path("pid").asLong();
        if (pid == 0) {
            throw new AssertionError("status gives no pid: " + json("status"));
        }
        return started;
    }

    /** Ends the process as a power button would end it. */
    void kill() throws InterruptedException {
        ProcessHandle handle = ProcessHandle.of(pid).orElseThrow();
        handle.destroyForcibly();
        try {
            handle.onExit().get(30, TimeUnit.SECONDS);
        } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
            throw new AssertionError("the node did not die", e);
        }
    }

    /** A command that must succeed, its answer as JSON. */
    JsonNode json(String command, String... rest) throws IOException, InterruptedException {
        return json(join(command, rest));
    }

    private JsonNode json(String[] line) throws IOException, InterruptedException {
        String[] withJson = java.util.Arrays.copyOf(line, line.length + 1);
        withJson[line.length] = "--json";
        Result result = run("", withJson);
        if (result.exit() != 0) {
            throw new AssertionError(
                    String.join(" ", line) + " ended with " + result.exit() + ": " + result.out() + result.err());
        }
        return Peers.JSON.readTree(result.out());
    }

    /** Any command, with its standard input. */
    Result run(String input, String... line) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(home.resolve("parley").toString()));
        command.addAll(List.of(line));
        command.addAll(List.of("--data", data().toString()));
        Path out = Files.createTempFile(base, "cmd", ".out");
        Path err = Files.createTempFile(base, "cmd", ".err");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().put("XDG_STATE_HOME", base.resolve("state").toString());
        builder.environment().put("XDG_RUNTIME_DIR", base.resolve("run").toString());
        builder.environment().put("JAVA_HOME", System.getProperty(JAVA, System.getProperty("java.home")));
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().write(input.getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().close();
        if (!process.waitFor(COMMAND.toSeconds(), TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError(String.join(" ", line) + " did not end within " + COMMAND);
        }
        Result result = new Result(process.exitValue(), Files.readString(out), Files.readString(err));
        Files.delete(out);
        Files.delete(err);
        return result;
    }

    private static String[] join(String command, String... rest) {
        String[] line = new String[rest.length + 1];
        line[0] = command;
        System.arraycopy(rest, 0, line, 1, rest.length);
        return line;
    }

    /** Stops the node and removes what it left. */
    @Override
    public void close() throws IOException, InterruptedException {
        if (pid != 0 && ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false)) {
            Result stopped = run("", "stop");
            if (stopped.exit() != 0) {
                kill();
            }
        }
        if (Boolean.getBoolean("parley.keep")) {
            System.out.println("kept " + base);
            return;
        }
        Files.walkFileTree(base, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path dir, IOException e) throws IOException {
                Files.delete(dir);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** The address of its first identity. */
    String npub() throws IOException, InterruptedException {
        return json("identity", "list").path("accounts").get(0).path("npub").asText();
    }

    /** Of the ledger's sums: whose relay has the message, and who said that she has it or has read it. */
    static long arrived(JsonNode byState) {
        return byState.path("at relays").asLong()
                + byState.path("delivered").asLong()
                + byState.path("read").asLong();
    }

    /** The texts that others sent it, in the order of appearance. */
    List<String> received() throws IOException {
        List<String> texts = new ArrayList<>();
        try (ControlSocket control = ControlSocket.open(this)) {
            long after = 0;
            while (true) {
                JsonNode page = control.call(
                                "message.list",
                                Peers.arguments().put("after", after).put("limit", 1000))
                        .path("messages");
                for (JsonNode message : page) {
                    after = Math.max(after, message.path("position").asLong());
                    if (!message.path("outgoing").asBoolean()) {
                        texts.add(message.path("text").asText());
                    }
                }
                if (page.isEmpty()) {
                    return texts;
                }
            }
        }
    }

    /** Every line that the node ever wrote about reaching out. */
    List<JsonNode> egressLog() throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String name : List.of("egress.jsonl.2", "egress.jsonl.1", "egress.jsonl")) {
            Path file = data().resolve("logs").resolve(name);
            if (Files.exists(file)) {
                for (String line : Files.readAllLines(file)) {
                    lines.add(Peers.JSON.readTree(line));
                }
            }
        }
        return lines;
    }

    /** Every regular file under the node's directories. */
    List<File> files() throws IOException {
        try (java.util.stream.Stream<Path> all = Files.walk(base)) {
            return all.filter(Files::isRegularFile).map(Path::toFile).toList();
        }
    }

    record Result(int exit, String out, String err) {}
}
