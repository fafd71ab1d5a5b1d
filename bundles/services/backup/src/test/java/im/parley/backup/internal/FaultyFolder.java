package im.parley.backup.internal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A folder whose process is killed, or whose disk is full, at a chosen call that changes something. */
final class FaultyFolder implements Folder {
    static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private final Path root;
    private final Folder folder;
    private final boolean kill;
    private int left;

    /** @param left calls that go well */
    FaultyFolder(Path root, int left, boolean kill) {
        this.root = root;
        this.folder = new DiskFolder(root);
        this.left = left;
        this.kill = kill;
    }

    boolean reached() {
        return left < 0;
    }

    private void change(String name, byte @Nullable [] content) throws IOException {
        if (left-- > 0) {
            return;
        }
        left = -1;
        if (content != null) {
            // Half a file lies there under its temporary name.
            Path half = root.resolve(name + ".tmp");
            if (Files.isDirectory(half.resolveSibling("."))) {
                Files.write(half, java.util.Arrays.copyOf(content, content.length / 2));
            }
        }
        if (kill) {
            throw new Killed();
        }
        throw new IOException("No space left on device");
    }

    @Override
    public byte @Nullable [] read(String name, int maxBytes) throws IOException {
        return folder.read(name, maxBytes);
    }

    @Override
    public void write(String name, byte[] content) throws IOException {
        change(name, content);
        folder.write(name, content);
    }

    @Override
    public void sync(String directory) throws IOException {
        change(directory, null);
        folder.sync(directory);
    }

    @Override
    public void delete(String name) throws IOException {
        change(name, null);
        folder.delete(name);
    }

    @Override
    public List<String> list(String directory) throws IOException {
        return folder.list(directory);
    }
}
