package im.parley.launcher;

import com.sun.security.auth.module.UnixSystem;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A node's data directory: owned by the user alone, and by one process at a time. {@code node.pid} says which process that
 * is, and while its node is ready {@code node.json} says how to reach it.
 */
public final class NodeDirectory implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NodeDirectory.class);
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");
    /**
     * Opened once per process: whoever closes a second channel on it gives the lock of the first one back. So what is to
     * be read while a node runs stands in other files.
     */
    static final String LOCK = "node.lock";

    /** The framework's cache. */
    static final String CACHE = "cache";

    private static final String CARD = "node.json";
    private static final String HOLDER = "node.pid";
    private static final String SOCKET = "node.sock";
    private static final Set<PosixFilePermission> FILE_OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

    /** The system derives the time a process started at from a clock that is set now and then. */
    private static final long START_TIME_SLACK_MILLIS = 1000;

    private static final int MAX_SOCKET_BYTES = 100;

    private final Path root;
    private final FileChannel channel;
    private final FileLock lock;
    private final boolean ownProcess;

    private NodeDirectory(Path root, FileChannel channel, FileLock lock, boolean ownProcess) {
        this.root = root;
        this.channel = channel;
        this.lock = lock;
        this.ownProcess = ownProcess;
    }

    /**
     * How to reach a node that runs.
     *
     * @param socket control socket
     * @param pid process
     * @param version of the distribution it runs
     */
    public record Card(Path socket, long pid, String version) {}

    /**
     * The card of the node that runs on a data directory.
     *
     * @return null if none runs; one that was killed may have left its card, so the socket decides
     */
    public static @Nullable Card card(Path dataDir) {
        try {
            Map<String, Object> card = Json.object(Files.readAllBytes(dataDir.resolve(CARD)));
            return new Card(Path.of(Json.text(card, "socket")), Json.number(card, "pid"), Json.text(card, "version"));
        } catch (IOException | RuntimeException unreadable) {
            return null;
        }
    }

    /** What a node is at, in its own words. */
    public enum State {
        STARTING,
        READY,
        STOPPING;

        private static State of(@Nullable Object name) {
            for (State state : values()) {
                if (state.word().equals(name)) {
                    return state;
                }
            }
            return STARTING;
        }

        private String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * The process that has the data directory, from its start until it is down.
     *
     * @param process the very one: what has its number later is another
     * @param ownProcess whether the process is there for the node alone, so that ending it ends nothing else
     * @param state what its node is at; one that is ready and does not answer is in trouble
     */
    public record Holder(ProcessHandle process, boolean ownProcess, State state) {
        /** Number of the process. */
        public long pid() {
            return process.pid();
        }
    }

    /**
     * Which process has the data directory: the one that it names, if it started when it says and the lock is taken. So
     * it is never one that got the number of a dead one, nor, in a copy of a directory, the one that has the original.
     *
     * @return null if none has
     */
    public static @Nullable Holder holder(Path dataDir) {
        long pid;
        long startedAt;
        boolean own;
        State state;
        try {
            Map<String, Object> holder = Json.object(Files.readAllBytes(dataDir.resolve(HOLDER)));
            pid = Json.number(holder, "pid");
            startedAt = Json.number(holder, "startedAt");
            own = Boolean.TRUE.equals(holder.get("ownProcess"));
            state = State.of(holder.get("state"));
        } catch (IOException | RuntimeException unreadable) {
            return null;
        }
        if (startedAt <= 0) {
            // A system that does not tell when a process started cannot tell two of the same number apart.
            return null;
        }
        boolean self = pid == ProcessHandle.current().pid();
        long slack = self ? 0 : START_TIME_SLACK_MILLIS;
        return ProcessHandle.of(pid)
                .filter(ProcessHandle::isAlive)
                .filter(process -> Math.abs(startOf(process) - startedAt) <= slack)
                .filter(process -> self || isLocked(dataDir))
                .map(process -> new Holder(process, own, state))
                .orElse(null);
    }

    /** Whether another process has the lock. Not for a directory of this one, whose lock would go with the channel. */
    private static boolean isLocked(Path dataDir) {
        try (FileChannel channel = FileChannel.open(dataDir.resolve(LOCK), StandardOpenOption.WRITE)) {
            FileLock free = tryLock(channel);
            if (free != null) {
                free.release();
            }
            return free == null;
        } catch (IOException e) {
            return false;
        }
    }

    private static long startOf(ProcessHandle process) {
        return process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
    }

    /**
     * Makes the directory if needed, and leaves a mark that it is a node's.
     *
     * @throws LauncherException {@code data.unusable}
     */
    static void claim(Path root) throws LauncherException {
        ownerOnly(root, "data.unusable", "The data directory cannot be used.");
        Path lock = root.resolve(LOCK);
        try {
            Files.createFile(lock, PosixFilePermissions.asFileAttribute(FILE_OWNER_ONLY));
        } catch (FileAlreadyExistsException claimed) {
            return;
        } catch (IOException e) {
            throw unusable(lock, e);
        }
    }

    /** Opens it for a node that shares its process with something else. */
    static NodeDirectory open(Path root) throws LauncherException {
        return open(root, false);
    }

    /**
     * Makes the directory if needed and takes its lock.
     *
     * @param ownProcess whether this process is there for the node alone
     * @throws LauncherException {@code node.running}, {@code data.unusable}
     */
    static NodeDirectory open(Path root, boolean ownProcess) throws LauncherException {
        claim(root);
        Holder holder = holder(root);
        if (holder != null && holder.pid() == ProcessHandle.current().pid()) {
            throw running(root);
        }
        FileChannel channel = null;
        try {
            channel = FileChannel.open(root.resolve(LOCK), StandardOpenOption.WRITE);
            FileLock lock = tryLock(channel);
            if (lock == null) {
                channel.close();
                throw running(root);
            }
            NodeDirectory directory = new NodeDirectory(root, channel, lock, ownProcess);
            // Of a node that was killed.
            Files.deleteIfExists(directory.sub(CARD));
            directory.writeHolder(State.STARTING);
            for (String name : Set.of("stack", "jars", "logs")) {
                ownerOnly(root.resolve(name), "data.unusable", "The data directory cannot be used.");
            }
            return directory;
        } catch (IOException e) {
            closeQuietly(channel);
            throw unusable(root, e);
        }
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException sameProcess) {
            return null;
        }
    }

    private static LauncherException running(Path root) {
        Holder holder = holder(root);
        return new LauncherException(
                "node.running",
                "A node runs on " + root + " already.",
                holder == null ? "Another process holds its lock." : "Process " + holder.pid() + " holds its lock.",
                "Use it (./parley status), stop it (./parley stop), or start this one with another --data directory.");
    }

    Path root() {
        return root;
    }

    Path sub(String name) {
        return root.resolve(name);
    }

    private void writeHolder(State state) throws IOException {
        ProcessHandle process = ProcessHandle.current();
        Map<String, Object> content = new LinkedHashMap<>();
        content.put("pid", process.pid());
        content.put("startedAt", startOf(process));
        content.put("ownProcess", ownProcess);
        content.put("state", state.word());
        DurableFile.write(sub(HOLDER), Json.pretty(content));
    }

    /** Tells how to reach the node, and that it is ready. */
    synchronized void writeCard(Card card) throws LauncherException {
        Map<String, Object> content = new LinkedHashMap<>();
        content.put("socket", card.socket().toString());
        content.put("pid", card.pid());
        content.put("version", card.version());
        try {
            DurableFile.write(sub(CARD), Json.pretty(content));
            writeHolder(State.READY);
        } catch (IOException e) {
            throw unusable(sub(CARD), e);
        }
    }

    /** Tells that the node is going down. Nothing once it is closed. */
    synchronized void stopping() {
        try {
            if (lock.isValid()) {
                writeHolder(State.STOPPING);
            }
        } catch (IOException e) {
            // It stops all the same; it only looks as if it did not answer.
            LOG.debug("marking the node as stopping: {}", e.toString());
        }
    }

    /** Empties the framework's cache: it is made anew at every start, so it can never disagree with the generation. */
    void freshCache() throws LauncherException {
        Path cache = sub(CACHE);
        try {
            delete(cache);
            Files.createDirectory(cache, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        } catch (IOException e) {
            throw unusable(cache, e);
        }
    }

    private static void delete(Path path) throws IOException {
        if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(path)) {
                for (Path entry : entries) {
                    delete(entry);
                }
            }
        }
        Files.deleteIfExists(path);
    }

    /** Takes the card away and gives the lock back. Idempotent. */
    @Override
    public synchronized void close() {
        try {
            if (lock.isValid()) {
                Files.deleteIfExists(sub(HOLDER));
                Files.deleteIfExists(sub(CARD));
                lock.release();
            }
        } catch (IOException e) {
            // The lock goes with the channel or the process; a stale card is recognised by its dead socket.
            closeQuietly(channel);
        }
        closeQuietly(channel);
    }

    private static void closeQuietly(@Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            LOG.debug("closing the lock file: {}", e.toString());
        }
    }

    /**
     * Where the control socket of a data directory belongs: in it, and not where a session keeps its own things, since a
     * logout takes those away and leaves a detached node. The system allows about a hundred bytes for its path, so a
     * data directory of a longer one has it in a private directory under {@code /tmp}.
     *
     * @param chosen the directory if a host chose one
     * @throws LauncherException {@code runtime.unsafe} if the directory is not this user's alone, or its path too long
     */
    static Path socketFor(Path dataDir, @Nullable Path chosen) throws LauncherException {
        if (chosen == null && bytesOf(dataDir.resolve(SOCKET)) <= MAX_SOCKET_BYTES) {
            return dataDir.resolve(SOCKET);
        }
        Path directory = chosen == null ? Path.of("/tmp/parley-" + new UnixSystem().getUid()) : chosen;
        Path socket = directory.resolve(shortHash(dataDir) + ".sock");
        if (bytesOf(socket) > MAX_SOCKET_BYTES) {
            throw new LauncherException(
                    "runtime.unsafe",
                    "There is no place for the control socket.",
                    "The path " + socket + " is longer than " + MAX_SOCKET_BYTES + " bytes, which the system refuses.",
                    "Choose a shorter runtime directory.");
        }
        ownerOnly(directory, "runtime.unsafe", "The directory of the control socket is not safe.");
        return socket;
    }

    /**
     * The default place of device keys: one for all nodes of a user, since a key file is named after its vault. So a data
     * directory can be renamed, and restored elsewhere.
     */
    static Path stateFor(Map<String, String> environment) {
        String state = environment.get("XDG_STATE_HOME");
        Path base = state != null && state.startsWith("/")
                ? Path.of(state)
                : Path.of(System.getProperty("user.home", "/"), ".local", "state");
        return base.resolve("parley");
    }

    private static String shortHash(Path dataDir) {
        return Hashes.sha256(dataDir.toString().getBytes(StandardCharsets.UTF_8))
                .substring(0, 16);
    }

    private static int bytesOf(Path socket) {
        return socket.toString().getBytes(StandardCharsets.UTF_8).length;
    }

    /**
     * Makes a directory of mode 0700, or checks that it is a real directory of this user and closes it to others.
     *
     * @throws LauncherException with the given code and first sentence
     */
    static void ownerOnly(Path directory, String code, String what) throws LauncherException {
        try {
            if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
                Path parent = directory.getParent();
                if (parent != null) {
                    Files.createDirectories(parent, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
                }
                Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
            }
            if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
                throw refused(code, what, directory, "is not a directory (a link does not do)");
            }
            Object owner = Files.getAttribute(directory, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            if (((Number) owner).longValue() != new UnixSystem().getUid()) {
                throw refused(code, what, directory, "belongs to another user");
            }
            if (!Files.getPosixFilePermissions(directory, LinkOption.NOFOLLOW_LINKS)
                    .equals(OWNER_ONLY)) {
                Files.setPosixFilePermissions(directory, OWNER_ONLY);
            }
        } catch (NoSuchFileException e) {
            throw refused(code, what, directory, "cannot be made: " + e.getMessage() + " is missing");
        } catch (IOException | UnsupportedOperationException e) {
            throw new LauncherException(
                    code, what, directory + ": " + e + ".", "Choose another directory or correct its rights.", e);
        }
    }

    private static LauncherException refused(String code, String what, Path directory, String why) {
        return new LauncherException(
                code, what, directory + " " + why + ".", "Choose another directory, or move that one away.");
    }

    static LauncherException unusable(Path file, IOException cause) {
        return new LauncherException(
                "data.unusable",
                "The data directory cannot be used.",
                file + ": " + cause + ".",
                "Check free space and the rights of the directory, then start again.",
                cause);
    }
}
