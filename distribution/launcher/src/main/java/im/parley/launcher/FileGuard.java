package im.parley.launcher;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * One at a time through a lock file, of all threads of all processes. For acts of a few milliseconds; a holder that is
 * killed lets go.
 */
final class FileGuard {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

    private FileGuard() {}

    /** What is done meanwhile. */
    interface Act<T> {
        T run() throws IOException, LauncherException;
    }

    /**
     * Does the act while nobody else is within.
     *
     * @throws IOException also if another process stays in for {@code PATIENCE}
     */
    static <T> T holding(Path lock, Act<T> act) throws IOException, LauncherException {
        // The system forgets a process's lock when it closes any channel on the file, so its threads must not overlap.
        // Equal
        // strings are one object in a process once interned, whoever loaded this class.
        String monitor = ("parley lock " + lock.toAbsolutePath().normalize()).intern();
        synchronized (monitor) {
            try (FileChannel channel = FileChannel.open(
                            lock,
                            Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
                    FileLock held = take(channel, lock)) {
                assert held.isValid();
                return act.run();
            }
        }
    }

    private static FileLock take(FileChannel channel, Path lock) throws IOException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        for (FileLock held = channel.tryLock(); ; held = channel.tryLock()) {
            if (held != null) {
                return held;
            }
            if (System.nanoTime() > deadline) {
                throw new IOException("another process has " + lock + " and does not let go");
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
    }
}
