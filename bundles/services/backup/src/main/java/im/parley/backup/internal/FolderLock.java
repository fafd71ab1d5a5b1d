package im.parley.backup.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Keeps two processes from writing to one backup directory. Given back by the system when its process ends. */
final class FolderLock implements AutoCloseable {
    static final String NAME = "lock";

    private final @Nullable FileChannel channel;

    private FolderLock(@Nullable FileChannel channel) {
        this.channel = channel;
    }

    /** Nobody else reads or writes. */
    static FolderLock toWrite(Path root) throws ProviderException {
        try {
            // Never replaced: two who found no lock would otherwise hold one each.
            return locked(
                    FileChannel.open(
                            root.resolve(NAME),
                            Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                            DiskFolder.privateFile(root)),
                    false);
        } catch (IOException e) {
            throw Failures.io("lock the directory", e);
        }
    }

    /** Nobody writes. A medium that cannot be written to needs no lock. */
    static FolderLock toRead(Path root) throws ProviderException {
        try {
            return locked(FileChannel.open(root.resolve(NAME), StandardOpenOption.READ), true);
        } catch (IOException e) {
            return new FolderLock(null);
        }
    }

    private static FolderLock locked(FileChannel channel, boolean shared) throws ProviderException, IOException {
        FileLock lock;
        try {
            lock = channel.tryLock(0, Long.MAX_VALUE, shared);
        } catch (OverlappingFileLockException e) {
            lock = null;
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        if (lock == null) {
            channel.close();
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "backup.locked",
                    "Another process is at work in this backup directory. Try again when it is done.");
        }
        return new FolderLock(channel);
    }

    @Override
    public void close() throws ProviderException {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                throw Failures.io("unlock the directory", e);
            }
        }
    }
}
