package im.parley.tck.storage.fault;

import im.parley.api.lifecycle.ProviderException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The process that suffers. Takes commands as lines and answers in lines; ends with its input.
 *
 * <ul>
 *   <li>{@code open HOME}: {@code opened MILLIS} or {@code refused CODE TEXT}
 *   <li>{@code present}: {@code present TAMPERED BITS}, {@code unreadable CODE TEXT} or {@code partly TEXT}
 *   <li>{@code put NUMBER}: {@code ack NUMBER} or {@code failed NUMBER CODE TEXT}
 *   <li>{@code run FIRST THREADS}: the same without end, each thread until it fails, then {@code stopped}
 *   <li>{@code close}: {@code closed}
 * </ul>
 *
 * A number is said to be acknowledged only after the store did.
 */
public final class StoreServer {
    /** Answers only; what the store and its libraries print goes to the other stream. */
    private static final PrintStream ANSWERS = System.out;

    private final StoreUnderTest provider;
    private StoreUnderTest.@Nullable Stores stores;
    private @Nullable NumberedStores numbered;

    private StoreServer(StoreUnderTest provider) {
        this.provider = provider;
    }

    /** The one argument is the class of the {@link StoreUnderTest}. */
    public static void main(String[] args) throws Exception {
        System.setOut(System.err);
        StoreServer server = new StoreServer(
                (StoreUnderTest) Class.forName(args[0]).getDeclaredConstructor().newInstance());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        say("ready");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            switch (words[0]) {
                case "open" -> server.open(Path.of(line.substring(5)));
                case "present" -> server.present();
                case "put" -> server.put(Integer.parseInt(words[1]));
                case "run" -> server.run(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
                case "close" -> server.close();
                default -> throw new IOException("no such command: " + line);
            }
        }
        System.exit(0);
    }

    private static void say(String line) {
        synchronized (ANSWERS) {
            ANSWERS.println(line.replace('\n', ' '));
            ANSWERS.flush();
        }
    }

    private void open(Path home) throws Exception {
        long start = System.nanoTime();
        try {
            StoreUnderTest.Stores opened = provider.open(home);
            stores = opened;
            numbered = new NumberedStores(opened);
            say("opened " + (System.nanoTime() - start) / 1_000_000);
        } catch (ProviderException e) {
            say("refused " + e.code() + " " + e.getMessage());
        }
    }

    private NumberedStores numbered() {
        NumberedStores open = numbered;
        if (open == null) {
            throw new IllegalStateException("nothing is open");
        }
        return open;
    }

    private void present() {
        try {
            NumberedStores open = numbered();
            String bits = Base64.getEncoder().encodeToString(open.present().toByteArray());
            say("present " + open.tampered() + " " + bits);
        } catch (ProviderException e) {
            say("unreadable " + e.code() + " " + e.getMessage());
        } catch (AssertionError e) {
            say("partly " + e.getMessage());
        }
    }

    private boolean put(int number) {
        try {
            numbered().write(number);
            say("ack " + number);
            return true;
        } catch (ProviderException e) {
            say("failed " + number + " " + e.code() + " " + e.getMessage());
            return false;
        }
    }

    private void run(int first, int threads) {
        AtomicInteger next = new AtomicInteger(first);
        AtomicInteger running = new AtomicInteger(threads);
        for (int i = 0; i < threads; i++) {
            Thread thread = new Thread(
                    () -> {
                        boolean going = true;
                        while (going) {
                            going = put(next.getAndIncrement());
                        }
                        if (running.decrementAndGet() == 0) {
                            say("stopped");
                        }
                    },
                    "writer-" + i);
            thread.setDaemon(true);
            thread.setUncaughtExceptionHandler((which, e) -> say("broken " + e));
            thread.start();
        }
    }

    private void close() throws Exception {
        StoreUnderTest.Stores open = stores;
        stores = null;
        numbered = null;
        if (open != null) {
            open.close();
        }
        say("closed");
    }
}
