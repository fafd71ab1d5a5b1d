package im.parley.tck.storage.fault;

import im.parley.testkit.Await;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A {@link StoreServer} and what it acknowledged. For one thread. */
final class StoreProcess implements AutoCloseable {
    private static final String END = "";
    private static final long PATIENCE_SECONDS = 120;

    /** What a number's writer was told that is not an acknowledgement. */
    record Failure(int number, String code, String text) {}

    private final Process process;
    private final Path log;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
    private final BitSet acked = new BitSet();
    private final List<Failure> failures = new ArrayList<>();
    private boolean stopped;

    /** Starts one and waits until it takes commands. */
    static StoreProcess start(Class<? extends StoreUnderTest> store) throws Exception {
        return start(store, List.of());
    }

    /** As above, with a command before the one of Java. */
    static StoreProcess start(Class<? extends StoreUnderTest> store, List<String> before) throws Exception {
        List<String> command = new ArrayList<>(before);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                StoreServer.class.getName(),
                store.getName()));
        Path log = Files.createTempFile("store-process", ".log");
        StoreProcess started = new StoreProcess(
                new ProcessBuilder(command).redirectError(log.toFile()).start(), log);
        started.expect("ready");
        return started;
    }

    private StoreProcess(Process process, Path log) {
        this.process = process;
        this.log = log;
        Thread reader = new Thread(this::readLines, "store-process-lines");
        reader.setDaemon(true);
        reader.start();
    }

    private void readLines() {
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                lines.add(line);
            }
        } catch (IOException ended) {
            // As good as the end: the process was killed.
        }
        lines.add(END);
    }

    private void tell(String command) throws IOException {
        process.getOutputStream().write((command + "\n").getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
    }

    private String next() throws Exception {
        String line = lines.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (line == null) {
            throw new AssertionError("the process said nothing for " + PATIENCE_SECONDS + " s");
        }
        if (line.equals(END)) {
            String said = Files.readString(log);
            throw new Died("the process ended by itself with " + process.waitFor() + ": "
                    + said.substring(Math.max(0, said.length() - 4_000)));
        }
        return line;
    }

    /** The process ended although nobody ended it. */
    static final class Died extends AssertionError {
        private static final long serialVersionUID = 1;

        Died(String text) {
            super(text);
        }
    }

    /** The next line that begins so; what writers say in between is noted. */
    private String expect(String... beginnings) throws Exception {
        while (true) {
            String line = next();
            for (String beginning : beginnings) {
                if (line.startsWith(beginning)) {
                    return line;
                }
            }
            note(line);
        }
    }

    private void note(String line) {
        if (line.startsWith("ack ")) {
            acked.set(Integer.parseInt(line.substring(4)));
        } else if (line.startsWith("failed ")) {
            String[] words = line.split(" ", 4);
            failures.add(new Failure(Integer.parseInt(words[1]), words[2], words[3]));
        } else if (line.equals("stopped")) {
            stopped = true;
        } else {
            throw new AssertionError(line);
        }
    }

    /** What came of opening. */
    record Opening(long millis, @Nullable String code, String text) {
        boolean refused() {
            return code != null;
        }
    }

    Opening tryOpen(Path home) throws Exception {
        tell("open " + home);
        String line = expect("opened ", "refused ");
        if (line.startsWith("opened ")) {
            return new Opening(Long.parseLong(line.substring(7)), null, "");
        }
        String[] words = line.split(" ", 3);
        return new Opening(0, words[1], words[2]);
    }

    /** Opens, which must succeed; answers how long it took. */
    long open(Path home) throws Exception {
        Opening opening = tryOpen(home);
        if (opening.refused()) {
            throw new AssertionError("not opened: " + opening);
        }
        return opening.millis();
    }

    /** What can be read: numbers, or why not. */
    record Content(BitSet numbers, long tampered, @Nullable String code, String text) {}

    Content content() throws Exception {
        tell("present");
        String line = expect("present ", "unreadable ", "partly ");
        String[] words = line.split(" ", 3);
        if (line.startsWith("present ")) {
            return new Content(
                    BitSet.valueOf(Base64.getDecoder().decode(words[2])), Long.parseLong(words[1]), null, "");
        }
        return line.startsWith("partly ")
                ? new Content(new BitSet(), 0, "partly", line.substring(7))
                : new Content(new BitSet(), 0, words[1], words[2]);
    }

    /** The numbers that are there, when reading must succeed. */
    BitSet present() throws Exception {
        Content content = content();
        if (content.code() != null || content.tampered() > 0) {
            throw new AssertionError("not read: " + content);
        }
        return content.numbers();
    }

    /** One write; null if it was acknowledged. */
    @Nullable
    Failure put(int number) throws Exception {
        tell("put " + number);
        while (true) {
            note(next());
            if (acked.get(number)) {
                return null;
            }
            Optional<Failure> failure =
                    failures.stream().filter(each -> each.number() == number).reduce((first, last) -> last);
            if (failure.isPresent()) {
                failures.remove(failure.get());
                return failure.get();
            }
        }
    }

    void run(int first, int threads) throws Exception {
        stopped = false;
        tell("run " + first + " " + threads);
    }

    /** Waits for that many acknowledgements more; false if the writers stopped before. */
    boolean awaitAcks(int more) throws Exception {
        int wanted = acked.cardinality() + more;
        while (acked.cardinality() < wanted && !stopped) {
            note(next());
        }
        return acked.cardinality() >= wanted;
    }

    BitSet acked() {
        return (BitSet) acked.clone();
    }

    /** What the writers were told since the last call. */
    List<Failure> takeFailures() {
        List<Failure> taken = List.copyOf(failures);
        failures.clear();
        return taken;
    }

    /** The process of Java itself, also where another started it. */
    private ProcessHandle handle() {
        return process.toHandle().descendants().findFirst().orElse(process.toHandle());
    }

    /** SIGSTOP, and everything that was said before it is read. */
    void pause() throws Exception {
        signal("-STOP");
        Path stat = Path.of("/proc", Long.toString(handle().pid()), "stat");
        Await.until("the process stands still", () -> {
            String line = Files.readString(stat);
            return line.charAt(line.lastIndexOf(')') + 2) == 'T';
        });
        // What it said is in the pipe; the reader needs a moment only.
        for (String line = lines.poll(100, TimeUnit.MILLISECONDS);
                line != null && !line.equals(END);
                line = lines.poll(100, TimeUnit.MILLISECONDS)) {
            note(line);
        }
    }

    void resume() throws Exception {
        signal("-CONT");
    }

    private void signal(String signal) throws Exception {
        Tools.run("kill", signal, Long.toString(handle().pid()));
    }

    /** SIGKILL; what was said before is still noted. */
    void kill() throws Exception {
        // By its handle, because Process would also close the pipe with what was said last.
        handle().destroyForcibly();
        process.waitFor();
        for (String line = lines.poll(10, TimeUnit.SECONDS);
                line != null && !line.equals(END);
                line = lines.poll(10, TimeUnit.SECONDS)) {
            // The last line may be cut.
            if (line.matches("ack [0-9]+") && !END.equals(lines.peek())) {
                note(line);
            }
        }
    }

    void closeStores() throws Exception {
        tell("close");
        expect("closed");
    }

    @Override
    public void close() throws Exception {
        ProcessHandle java = handle();
        java.destroyForcibly();
        process.destroyForcibly().waitFor();
        Files.delete(log);
    }
}
