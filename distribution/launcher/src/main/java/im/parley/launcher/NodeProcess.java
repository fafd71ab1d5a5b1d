package im.parley.launcher;

import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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

    /**
     * The class path of a node's process: exactly the jars that the distribution lists for it, each checked.
     *
     * @throws LauncherException {@code distribution.bad-path}, or as {@link DistributionLock#read}, or {@code
     *     distribution.tampered}
     */
    public static String classPath(Path home) throws LauncherException {
        if (home.toString().contains(File.pathSeparator)) {
            throw new LauncherException(
                    "distribution.bad-path",
                    "The node was not started.",
                    "The path of the distribution, " + home + ", holds a " + File.pathSeparator
                            + ", which a Java class path cannot.",
                    "Move the distribution to a directory without one.");
        }
        DistributionLock lock = DistributionLock.read(home);
        lock.refuseUnlisted(home);
        List<String> jars = new ArrayList<>();
        for (DistributionLock.Jar jar : lock.jars()) {
            if (!jar.bundle()) {
                DistributionLock.checked(home, jar.file(), jar.sha256());
                jars.add(home.resolve(jar.file()).toString());
            }
        }
        return String.join(File.pathSeparator, jars);
    }

    /**
     * Makes the data directory and its directory for logs, each for this user alone.
     *
     * @throws LauncherException {@code data.bad-path}, {@code data.unsafe} or {@code data.not-parley} before anything is
     *     written; {@code data.unusable}
     */
    public static Path prepareLogs(ParleyConfig config) throws LauncherException {
        DataPlace.check(config, System.getenv());
        Path logs = config.dataDir().resolve("logs");
        NodeDirectory.claim(config.dataDir());
        NodeDirectory.ownerOnly(logs, "data.unusable", "The data directory cannot be used.");
        return logs;
    }

    /**
     * What a start would have to change of the node that runs on the data directory, and cannot.
     *
     * @return each option as it was given and as it is; empty if the node is as wished
     * @throws LauncherException {@code data.unusable}
     */
    public static List<String> differences(ParleyConfig config) throws LauncherException {
        return StartOptions.differences(config.dataDir().resolve(StartOptions.FILE), config);
    }

    /**
     * Starts the node and returns when it is down.
     *
     * @param onReady told once, on this thread, when everything is ready
     * @throws LauncherException if it did not start
     */
    public static void run(ParleyConfig config, Consumer<Parley> onReady)
            throws LauncherException, InterruptedException {
        NodeLogging.toFile(prepareLogs(config).resolve(LOG_FILE));
        Logger log = LoggerFactory.getLogger(NodeProcess.class);
        Parley parley;
        try {
            parley = Parley.start(config, true);
        } catch (LauncherException e) {
            if (e.code().equals("node.running")) {
                // This is that node's log, and nothing is wrong with it.
                log.info("another start was refused: {}", e.code());
            } else {
                log.error("not started: {}", e.getMessage(), e.getCause());
            }
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
