package im.parley.files.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Small things with files, and what can go wrong with them. No name of a user's file is in a text: they go to the log. */
final class Disk {
    private static final Logger LOG = LoggerFactory.getLogger(Disk.class);

    private Disk() {}

    static ProviderException writing(IOException e) {
        String said = String.valueOf(e.getMessage());
        if (said.contains("No space left") || said.contains("quota exceeded")) {
            return full(e);
        }
        if (said.contains("Read-only file system") || e instanceof AccessDeniedException) {
            return new ProviderException(
                    Kind.REJECTED, "file.not-writable", "The file cannot be written there. Choose another place.", e);
        }
        return reading(e);
    }

    static ProviderException full(IOException e) {
        return new ProviderException(
                Kind.EXHAUSTED,
                "storage.full",
                "The disk is full. Free some space; the transfer goes on by itself.",
                e);
    }

    static ProviderException reading(IOException e) {
        if (e instanceof NoSuchFileException) {
            return new ProviderException(Kind.REJECTED, "file.absent", "The file, or its folder, is not there.", e);
        }
        if (e instanceof AccessDeniedException) {
            return new ProviderException(Kind.REJECTED, "file.not-readable", "The file may not be read.", e);
        }
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.io-error",
                "A file could not be read or written; see whether the disk is well.",
                e);
    }

    static ProviderException exists() {
        return new ProviderException(
                Kind.REJECTED, "file.exists", "There is a file of that name already. Choose another, or replace it.");
    }

    static void checkRoom(Path folder, long bytes) throws ProviderException {
        long free = folder.toFile().getUsableSpace();
        if (free > 0 && free < bytes) {
            throw full(new IOException("only " + (free >> 20) + " MiB are free"));
        }
    }

    /** An empty file that only its owner reads. */
    static void createPrivate(Path file) throws ProviderException {
        try {
            Files.deleteIfExists(file);
            if (file.getFileSystem().supportedFileAttributeViews().contains("posix")) {
                Files.createFile(
                        file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            } else {
                Files.createFile(file);
            }
        } catch (IOException e) {
            throw writing(e);
        }
    }

    static void remove(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.warn("{} is no longer needed and could not be removed", file, e);
        }
    }

    static void syncFolder(Path file) throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        if (folder != null) {
            try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }
}
