package im.parley.cli;

import im.parley.launcher.Json;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Another process that has a data directory, as that of a node has it, and does nothing else. */
final class HeldDirectory implements AutoCloseable {
    private final Process process;

    private HeldDirectory(Process process) {
        this.process = process;
    }

    /**
     * Starts the process and returns when it has the directory.
     *
     * @param state as {@code node.pid} names it
     */
    static HeldDirectory by(Path data, boolean ownProcess, String state) throws IOException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        HeldDirectory.class.getName(),
                        data.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        if (process.getInputStream().read() != '!') {
            throw new IOException("the process did not take " + data);
        }
        mark(data, process.toHandle(), ownProcess, state);
        return new HeldDirectory(process);
    }

    /** Says that a process has the directory, whether it is true or not. */
    static void mark(Path data, ProcessHandle process, boolean ownProcess, String state) throws IOException {
        Map<String, Object> holder = Map.of(
                "pid",
                process.pid(),
                "startedAt",
                process.info().startInstant().orElseThrow().toEpochMilli(),
                "ownProcess",
                ownProcess,
                "state",
                state);
        Files.write(data.resolve("node.pid"), Json.pretty(holder));
    }

    /** What that process does: it takes the lock and waits for its end. */
    public static void main(String[] arguments) throws IOException {
        try (FileChannel channel = FileChannel.open(
                        Path.of(arguments[0], "node.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            if (lock.isValid()) {
                System.out.write("!".getBytes(StandardCharsets.UTF_8));
                System.out.flush();
            }
            while (System.in.read() >= 0) {
                System.out.flush();
            }
        }
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Its exit code; waits for its end. */
    int ended() throws InterruptedException {
        if (!process.waitFor(30, TimeUnit.SECONDS)) {
            throw new AssertionError("process " + pid() + " did not end");
        }
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
