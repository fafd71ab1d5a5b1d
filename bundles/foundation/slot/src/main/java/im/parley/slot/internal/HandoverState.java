package im.parley.slot.internal;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import java.io.IOException;
import java.io.Reader;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Properties;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What is on disk about the handovers of one slot: how far one has got, and which instances keep only what is out of date.
 * Everything is on disk when a method returns. Used by one thread at a time.
 */
final class HandoverState {
    private static final String STALE = ".stale";

    private final String slot;
    private final Path directory;

    /**
     * What a kill may leave behind.
     *
     * @param back whether it takes an earlier one back
     */
    record Mark(Phase phase, String from, String to, boolean back, long sinceMillis) {}

    /** Where a kill may fall. */
    enum Phase {
        /** The new one is incomplete. */
        COPYING,
        /** Both are complete, and the stack generation tells which one serves. */
        SWITCHING,
        /** The new one serves, and the old one is kept up to date. */
        WINDOW
    }

    HandoverState(String slot, Path handovers) {
        this.slot = slot;
        this.directory = handovers.resolve(slot);
    }

    @Nullable
    Mark read() throws ProviderException {
        Path file = file();
        if (!Files.exists(file)) {
            return null;
        }
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
            return new Mark(
                    Phase.valueOf(properties.getProperty("phase", "")),
                    properties.getProperty("from", ""),
                    properties.getProperty("to", ""),
                    Boolean.parseBoolean(properties.getProperty("back")),
                    Long.parseLong(properties.getProperty("since", "0")));
        } catch (IOException | IllegalArgumentException e) {
            throw new ProviderException(
                    Kind.CORRUPT,
                    "handover.state-corrupt",
                    file + " cannot be read (" + e.getMessage() + "), so it is not known which store of the slot "
                            + slot
                            + " has everything. Restore that file; or, if no handover was under way, delete it.");
        }
    }

    void write(Mark mark) throws ProviderException {
        Properties properties = new Properties();
        properties.setProperty("phase", mark.phase().name());
        properties.setProperty("from", mark.from());
        properties.setProperty("to", mark.to());
        properties.setProperty("back", String.valueOf(mark.back()));
        properties.setProperty("since", String.valueOf(mark.sinceMillis()));
        StringWriter text = new StringWriter();
        try {
            properties.store(text, null);
            durably(file(), text.toString());
        } catch (IOException e) {
            throw failed(e);
        }
    }

    void clear() throws ProviderException {
        try {
            if (Files.deleteIfExists(file())) {
                sync(directory);
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** Says that what that instance keeps is incomplete or out of date, so that it may be thrown away. */
    void stale(String instance) throws ProviderException {
        try {
            durably(directory.resolve(instance + STALE), "");
        } catch (IOException e) {
            throw failed(e);
        }
    }

    void current(String instance) throws ProviderException {
        try {
            if (Files.deleteIfExists(directory.resolve(instance + STALE))) {
                sync(directory);
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /**
     * Makes room for a copy: what is known to be out of date is deleted, anything else is refused.
     *
     * @param data directory of the instance; may be absent
     * @throws ProviderException {@code REJECTED swap.target-not-empty}
     */
    void emptied(String instance, Path data) throws ProviderException {
        try {
            if (Files.exists(directory.resolve(instance + STALE))) {
                delete(data);
            }
            if (Files.exists(data)) {
                try (DirectoryStream<Path> files = Files.newDirectoryStream(data)) {
                    if (files.iterator().hasNext()) {
                        throw new ProviderException(
                                Kind.REJECTED,
                                "swap.target-not-empty",
                                instance + " keeps something of its own in " + data + ", which a copy would mix with."
                                        + " Look what it is, it may be all you have; if you do not need it, move that directory away.");
                    }
                }
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /** The directory for the journal of that primary, empty. */
    Path freshJournal(String primary) throws ProviderException {
        Path journal = journal(primary);
        try {
            delete(journal);
        } catch (IOException e) {
            throw failed(e);
        }
        return journal;
    }

    Path journal(String primary) {
        return directory.resolve(primary);
    }

    private Path file() {
        return directory.resolve("state.properties");
    }

    private static void delete(Path tree) throws IOException {
        if (!Files.exists(tree)) {
            return;
        }
        Files.walkFileTree(tree, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failure) throws IOException {
                if (failure != null) {
                    throw failure;
                }
                Files.delete(visited);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private void durably(Path file, String text) throws IOException {
        Files.createDirectories(
                directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Path next = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(next);
        try (FileChannel channel = FileChannel.open(
                next,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        sync(directory);
    }

    private static void sync(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private ProviderException failed(IOException e) {
        return new ProviderException(
                Kind.UNAVAILABLE,
                "storage.io-error",
                "The state of a handover cannot be written in " + directory + " (" + e.getMessage()
                        + "): make room or correct the owner of the data directory.");
    }
}
