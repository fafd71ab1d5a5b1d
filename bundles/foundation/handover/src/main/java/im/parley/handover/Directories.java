package im.parley.handover;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;

/** Directories for the owner only, and their entries on disk. */
final class Directories {
    private Directories() {}

    static Path made(Path directory) throws ProviderException {
        try {
            return Files.createDirectories(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw new ProviderException(
                    Kind.UNAVAILABLE,
                    "storage.io-error",
                    "The directory " + directory.getFileName() + " of a handover cannot be made: check the data"
                            + " directory's owner and space.",
                    e);
        }
    }

    /** Has the directory itself on disk, with the names in it. */
    static void sync(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
