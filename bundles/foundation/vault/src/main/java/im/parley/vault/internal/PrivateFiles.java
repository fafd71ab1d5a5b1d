package im.parley.vault.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Small files that only their owner reads and that are never half written. */
final class PrivateFiles {
    private static final Set<PosixFilePermission> OWNER_DIR = PosixFilePermissions.fromString("rwx------");
    private static final FileAttribute<Set<PosixFilePermission>> DIR = PosixFilePermissions.asFileAttribute(OWNER_DIR);
    private static final FileAttribute<Set<PosixFilePermission>> FILE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    /** Disk work that may fail. */
    @FunctionalInterface
    interface Work<R> {
        R run() throws IOException;
    }

    /** The same without a result. */
    @FunctionalInterface
    interface Action {
        void run() throws IOException;
    }

    private PrivateFiles() {}

    static <R> R call(String what, Work<R> work) throws ProviderException {
        try {
            return work.run();
        } catch (IOException e) {
            throw failed(what, e);
        }
    }

    static void run(String what, Action action) throws ProviderException {
        try {
            action.run();
        } catch (IOException e) {
            throw failed(what, e);
        }
    }

    /** Null if absent. */
    static byte @Nullable [] load(String what, Path file, int maxBytes) throws ProviderException {
        try {
            return read(file, maxBytes);
        } catch (IOException e) {
            throw failed(what, e);
        }
    }

    private static ProviderException failed(String what, IOException e) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "vault.io-error",
                "The vault could not " + what + ": " + e
                        + ". Check the disk, its free space and who owns the directory.",
                e);
    }

    static void directory(Path dir) throws IOException {
        if (!Files.isDirectory(dir)) {
            Files.createDirectories(dir, DIR);
            sync(parent(dir));
        }
    }

    private static byte @Nullable [] read(Path file, int maxBytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size > maxBytes) {
                throw new IOException(file.getFileName() + " has " + size + " bytes, more than any such file");
            }
            ByteBuffer buffer = ByteBuffer.allocate((int) size);
            while (buffer.hasRemaining() && channel.read(buffer) >= 0) {
                continue;
            }
            return buffer.array();
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** Durable when it returns; before, the old content is there. The caller keeps others from the same file. */
    static void replace(Path file, byte[] content) throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        Files.deleteIfExists(temporary);
        try (FileChannel channel =
                FileChannel.open(temporary, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), FILE)) {
            ByteBuffer buffer = ByteBuffer.wrap(content);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            channel.force(true);
        }
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        sync(parent(file));
    }

    /** An empty file; its name is on disk when the directory is. */
    static void create(Path file) throws IOException {
        Files.createFile(file, FILE);
    }

    /**
     * Overwritten before it is taken away, under another name so that a crash leaves no damaged file in its place. A disk or
     * file system that writes elsewhere may keep the old blocks all the same.
     */
    static void delete(Path file) throws IOException {
        Path gone = file.resolveSibling(file.getFileName() + ".gone");
        if (Files.exists(file)) {
            Files.move(file, gone, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            sync(parent(file));
        }
        if (Files.exists(gone)) {
            try (FileChannel channel = FileChannel.open(gone, StandardOpenOption.WRITE)) {
                ByteBuffer zeros = ByteBuffer.allocate((int) channel.size());
                while (zeros.hasRemaining()) {
                    channel.write(zeros);
                }
                channel.force(true);
            }
            Files.delete(gone);
            sync(parent(file));
        }
    }

    static Path parent(Path path) {
        return Objects.requireNonNull(path.toAbsolutePath().getParent());
    }

    static void sync(Path dir) throws IOException {
        try (FileChannel channel = FileChannel.open(dir, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
