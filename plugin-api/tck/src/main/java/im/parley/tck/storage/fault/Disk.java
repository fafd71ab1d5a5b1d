package im.parley.tck.storage.fault;

import im.parley.testkit.Skipped;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A small disk of its own that can be full, read-only, or without power. Needs root and, for a real file system, loop
 * devices; a test without them is left out, and says so.
 */
final class Disk implements AutoCloseable {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");
    private static final int ATTEMPTS = 50;

    private final Path root;
    private final @Nullable Path image;
    private boolean mounted = true;

    private Disk(Path root, @Nullable Path image) {
        this.root = root;
        this.image = image;
    }

    /** An ext4 file system of that size in a file, mounted in a new folder inside the given one. */
    static Disk ext4(Path folder, int mebibytes) throws Exception {
        // In memory, so that copying does not take long; what the file system sends to its disk is the same.
        Path place = Files.isWritable(SHARED_MEMORY) ? SHARED_MEMORY : folder;
        Path image = Files.createTempFile(place, "parley-disk", ".img");
        try {
            Tools.run("truncate", "-s", mebibytes + "M", image.toString());
            Tools.run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image.toString());
            return ext4(folder, image);
        } catch (IOException e) {
            Files.delete(image);
            throw Skipped.becauseOfTheMachine("a file system in a file (root, loop devices): " + e.getMessage());
        }
    }

    private static Disk ext4(Path folder, Path image) throws Exception {
        Path root = Files.createTempDirectory(folder, "disk");
        Tools.run("mount", "-o", "loop", image.toString(), root.toString());
        return new Disk(root, image);
    }

    /** A file system in memory with options such as {@code size=12m}. */
    static Disk memory(Path folder, String options) throws Exception {
        Path root = Files.createTempDirectory(folder, "memory");
        try {
            Tools.run("mount", "-t", "tmpfs", "-o", options, "parley", root.toString());
        } catch (IOException e) {
            throw Skipped.becauseOfTheMachine("a small file system (root): " + e.getMessage());
        }
        return new Disk(root, null);
    }

    Path root() {
        return root;
    }

    /** The same disk, with other options from now on. */
    void remount(String options) throws Exception {
        Tools.run("mount", "-o", "remount," + options, root.toString());
    }

    /** What the file system sees when the kernel gives up on its disk: from now on nothing is written. */
    void abort() throws Exception {
        Tools.run("mount", "-o", "remount,abort", root.toString());
    }

    /** Checks what the kernel gave up and mounts it at the same place; nobody may hold it any more. */
    void mountAgain() throws Exception {
        Tools.run("umount", "-l", root.toString());
        mounted = false;
        Path file = file();
        for (int attempt = 0; inUse(file); attempt++) {
            if (attempt > ATTEMPTS) {
                throw new AssertionError("something still holds " + root);
            }
            Tools.run("sleep", "0.1");
        }
        // Errors that were mended are an exit code of 1.
        Tools.run("sh", "-c", "e2fsck -y " + file + "; [ $? -le 1 ]");
        Tools.run("mount", "-o", "loop", file.toString(), root.toString());
        mounted = true;
    }

    private static boolean inUse(Path file) throws Exception {
        return !Tools.run("losetup", "-j", file.toString()).isEmpty();
    }

    private Path file() {
        Path file = image;
        if (file == null) {
            throw new IllegalStateException("only a disk in a file can do this");
        }
        return file;
    }

    /**
     * What would be on the disk if its power went now: everything the file system sent to it, nothing that is still in
     * memory. Nobody may write meanwhile; should the kernel do so, the copy is made again.
     */
    Disk withoutPower(Path folder) throws Exception {
        Path image = file();
        Path copy = Files.createTempFile(image.toAbsolutePath().getParent(), "parley-cut", ".img");
        Path device = Path.of(Tools.run("findmnt", "-n", "-o", "SOURCE", root.toString()));
        Path statistics = Path.of("/sys/block", device.getFileName().toString(), "stat");
        for (int attempt = 0; ; attempt++) {
            String before = writes(statistics);
            Tools.run("cp", "--sparse=always", image.toString(), copy.toString());
            if (writes(statistics).equals(before)) {
                break;
            }
            if (attempt > ATTEMPTS) {
                throw new AssertionError("the disk never stood still");
            }
        }
        return ext4(folder, copy);
    }

    /** How many writes were done, and how many are under way. */
    private static String writes(Path statistics) throws IOException {
        String[] fields = Files.readString(statistics).strip().split("\\s+");
        return String.format(Locale.ROOT, "%s done, %s under way", fields[4], fields[8]);
    }

    @Override
    public void close() throws Exception {
        if (mounted) {
            mounted = false;
            Tools.run("umount", "-l", root.toString());
        }
        Files.deleteIfExists(root);
        if (image != null) {
            Files.deleteIfExists(image);
        }
    }
}
