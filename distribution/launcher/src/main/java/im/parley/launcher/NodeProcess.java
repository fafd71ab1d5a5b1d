package im.parley.launcher;

import java.nio.file.Path;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A node as a process of its own: log file, clean stop on SIGTERM and SIGINT. Called once per process. */
public final class NodeProcess {
    private static final String LOG_FILE = "parley.log";

    private NodeProcess() {}

    /** The log of the node on a data directory. */
    public static Path logFile(Path dataDir) {
        return dataDir.resolve("logs").resolve(LOG_FILE);
    }

    /** Makes the data directory and its directory for logs, each for this user alone. */
    public static Path prepareLogs(Path dataDir) throws LauncherException {
        Path logs = dataDir.resolve("logs");
        NodeDirectory.ownerOnly(dataDir, "data.unusable", "The data directory cannot be used.");
        NodeDirectory.ownerOnly(logs, "data.unusable", "The data directory cannot be used.");
        return logs;
    }

    /**
     * Starts the node and returns when it is down.
     *
     * @param onReady told once, on this thread, when everything is ready
     * @throws LauncherException if it did not start
     */
    public static void run(ParleyConfig config, Consumer<Parley> onReady)
            throws LauncherException, InterruptedException {
        NodeLogging.toFile(prepareLogs(config.dataDir()).resolve(LOG_FILE));
        Logger log = LoggerFactory.getLogger(NodeProcess.class);
        Parley parley;
        try {
            parley = Parley.start(config);
        } catch (LauncherException e) {
            log.error("not started: {}", e.getMessage(), e.getCause());
            throw e;
        }
        Thread hook = new Thread(parley::close, "parley-stop");
        Runtime.getRuntime().addShutdownHook(hook);
        onReady.accept(parley);
        parley.await();
        parley.close();
        log.info("stopped");
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException goingDown) {
            log.debug("stopped by a signal");
        }
    }
}
