package im.parley.vault.internal;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A file for the owner only. Not a channel: an interrupt of a thread that reads would close it for all. */
final class DiskSlotFile implements SlotFile {
    private static final Logger log = LoggerFactory.getLogger(DiskSlotFile.class);
    private static final int ZEROS = 65_536;

    private final Path path;
    private @Nullable RandomAccessFile open;
    private boolean nameUnforced;

    DiskSlotFile(Path path) {
        this.path = path;
    }

    private @Nullable RandomAccessFile existing() throws IOException {
        if (open == null && !Files.notExists(path)) {
            open = new RandomAccessFile(path.toFile(), "rw");
        }
        return open;
    }

    @Override
    public long size() throws IOException {
        RandomAccessFile file = existing();
        return file == null ? 0 : file.length();
    }

    @Override
    public byte[] read(long from, int length) throws IOException {
        RandomAccessFile file = existing();
        if (file == null) {
            return new byte[0];
        }
        byte[] bytes = new byte[(int) Math.max(0, Math.min(length, file.length() - from))];
        file.seek(from);
        file.readFully(bytes);
        return bytes;
    }

    @Override
    public void write(long from, byte[] bytes) throws IOException {
        RandomAccessFile file = existing();
        if (file == null) {
            PrivateFiles.directory(PrivateFiles.parent(path));
            nameUnforced = true;
            PrivateFiles.create(path);
            file = new RandomAccessFile(path.toFile(), "rw");
            open = file;
        }
        file.seek(from);
        file.write(bytes);
    }

    @Override
    public void force() throws IOException {
        RandomAccessFile file = existing();
        if (file != null) {
            file.getFD().sync();
        }
        if (nameUnforced) {
            PrivateFiles.sync(PrivateFiles.parent(path));
            nameUnforced = false;
        }
    }

    @Override
    public void erase() throws IOException {
        RandomAccessFile file = existing();
        if (file == null) {
            return;
        }
        long size = file.length();
        for (long at = 0; at < size; at += ZEROS) {
            write(at, new byte[(int) Math.min(ZEROS, size - at)]);
        }
        force();
        close();
        PrivateFiles.delete(path);
    }

    @Override
    public void close() {
        RandomAccessFile file = open;
        open = null;
        try {
            if (file != null) {
                file.close();
            }
        } catch (IOException e) {
            log.debug("a file of keys did not close: {}", e.toString());
        }
    }
}
