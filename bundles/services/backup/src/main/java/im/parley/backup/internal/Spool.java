package im.parley.backup.internal;

import im.parley.api.lifecycle.ProviderException;
import im.parley.vault.SpaceArchive;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The sealed records of one space for as long as it takes to cut them into chunks. Writers of the node wait while a store is
 * read as of one moment, so that reading does nothing but this. A file in the data directory, removed when it is closed.
 */
final class Spool implements SpaceArchive.Reader, AutoCloseable {
    private static final String FILE = "spool";
    private static final int BUFFER = 1 << 16;

    private final Path file;
    private final Meter meter;
    private @Nullable OutputStream out;
    private long records;

    Spool(Path directory, Meter meter) throws ProviderException {
        this.file = directory.resolve(FILE);
        this.meter = meter;
        try {
            Files.createDirectories(directory, DiskFolder.privateDirectory(directory));
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw Failures.io("make room for what it reads", e);
        }
    }

    /** What a killed node left. */
    static void remove(Path directory) throws IOException {
        Files.deleteIfExists(directory.resolve(FILE));
    }

    @Override
    public void begin() throws ProviderException {
        try {
            close();
            records = 0;
            Files.createFile(file, DiskFolder.privateFile(file));
            out = new BufferedOutputStream(Files.newOutputStream(file), BUFFER);
        } catch (IOException e) {
            throw Failures.io("keep what it reads", e);
        }
    }

    @Override
    public void record(byte[] key, byte[] sealed) throws ProviderException {
        try {
            OutputStream to = Objects.requireNonNull(out);
            to.write(ChunkCutter.head(key, sealed.length));
            to.write(sealed);
            records++;
            meter.step();
        } catch (IOException e) {
            throw Failures.io("keep what it reads", e);
        }
    }

    long records() {
        return records;
    }

    /** Shows what was read. */
    void readTo(SpaceArchive.Sink sink) throws ProviderException {
        try {
            Objects.requireNonNull(out).close();
            try (BufferedInputStream in = new BufferedInputStream(Files.newInputStream(file), BUFFER)) {
                ChunkStream.records(in, sink);
            }
        } catch (IOException e) {
            throw Failures.io("read what it kept", e);
        }
    }

    @Override
    public void close() throws ProviderException {
        try {
            if (out != null) {
                out.close();
                out = null;
            }
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw Failures.io("remove what it kept", e);
        }
    }
}
