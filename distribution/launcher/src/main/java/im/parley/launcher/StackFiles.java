package im.parley.launcher;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stack generations of a node: {@code stack/<n>.json}, never changed once written, and {@code stack/current}, which
 * names one and is switched by an atomic rename. A power loss leaves the old or the new one current, never neither. Used
 * by one thread at a time while the node's directory is locked.
 */
public final class StackFiles {
    /** How many generations are kept, with their jars, beside the current one. */
    public static final int KEPT = 4;

    private static final Logger LOG = LoggerFactory.getLogger(StackFiles.class);
    private static final String CURRENT = "current";
    private static final String SUFFIX = ".json";

    private final Path directory;
    private final @Nullable ApprovedStack approved;

    /** For reading, and for tests: what it writes is not approved. */
    public StackFiles(Path directory) {
        this.directory = directory;
        this.approved = null;
    }

    /** Has each generation that it writes approved. */
    StackFiles(Path directory, ApprovedStack approved) {
        this.directory = directory;
        this.approved = approved;
    }

    /**
     * A generation and its number.
     *
     * @param sha256 of its file
     */
    public record Numbered(long number, Generation generation, String sha256) {}

    /**
     * The current generation; null if there never was one.
     *
     * @throws LauncherException {@code stack.corrupt}
     */
    public @Nullable Numbered current() throws LauncherException {
        Path pointer = directory.resolve(CURRENT);
        if (!Files.exists(pointer)) {
            return null;
        }
        try {
            return read(Long.parseLong(new String(Files.readAllBytes(pointer), StandardCharsets.US_ASCII).strip()));
        } catch (IOException | RuntimeException e) {
            throw new LauncherException(
                    "stack.corrupt",
                    "The description of what this node runs cannot be read.",
                    "In " + directory + ": " + e.getMessage() + ".",
                    "Restore that directory from a backup; or move it away, then the node starts with the distribution's"
                            + " own set of parts and keeps its messages.",
                    e);
        }
    }

    private Numbered read(long number) throws IOException {
        byte[] content = Files.readAllBytes(fileOf(number));
        return new Numbered(number, Generation.parse(content), Hashes.sha256(content));
    }

    /**
     * An older generation that this node wrote; null if it is no longer kept.
     *
     * @throws LauncherException {@code stack.tampered} if it is not what was written
     */
    @Nullable
    Numbered earlier(long number) throws LauncherException {
        if (!Files.exists(fileOf(number))) {
            return null;
        }
        Numbered found;
        try {
            found = read(number);
        } catch (IOException | RuntimeException e) {
            throw tampered(number, "It cannot be read: " + e.getMessage(), e);
        }
        if (approved != null && !approved.wrote(number, found.sha256())) {
            throw tampered(number, "It is not what this node wrote", null);
        }
        return found;
    }

    private LauncherException tampered(long number, String why, @Nullable Throwable cause) {
        return new LauncherException(
                "stack.tampered",
                "An earlier stack generation cannot be returned to; nothing was changed.",
                fileOf(number) + ": " + why + ".",
                "Find out who can write to the data directory. Describe the stack you want in a file and apply that.",
                cause);
    }

    /** Whether this node wrote what is current, and made nothing newer current since. */
    boolean isApproved(Numbered current) {
        return approved != null && approved.mayBeCurrent(current.number(), current.sha256());
    }

    /** Takes a current generation for its own that was checked in another way. */
    void approve(Numbered current) throws LauncherException {
        if (approved != null) {
            try {
                approved.approve(current.number(), current.sha256());
                approved.switched(current.number());
            } catch (IOException e) {
                throw NodeDirectory.unusable(directory, e);
            }
        }
    }

    /** Writes the generation under the next free number and makes it current. */
    public Numbered append(Generation generation) throws LauncherException {
        try {
            NavigableSet<Long> numbers = numbers();
            long number = numbers.isEmpty() ? 1 : numbers.last() + 1;
            byte[] content = generation.toJson();
            Numbered next = new Numbered(number, generation, Hashes.sha256(content));
            if (approved != null) {
                approved.approve(number, next.sha256());
            }
            DurableFile.write(fileOf(number), content);
            DurableFile.write(directory.resolve(CURRENT), (number + "\n").getBytes(StandardCharsets.US_ASCII));
            noteSwitched(number);
            return next;
        } catch (IOException e) {
            throw NodeDirectory.unusable(directory, e);
        }
    }

    /** What is current is so already, and a note that is one behind is no harm. */
    private void noteSwitched(long number) {
        try {
            if (approved != null) {
                approved.switched(number);
            }
        } catch (IOException e) {
            LOG.warn(
                    "that stack generation {} is current was not noted beside the device key: {}",
                    number,
                    e.toString());
        }
    }

    /**
     * Forgets generations, but for the newest and those that an undo can return to.
     *
     * @param wanted numbers of those that an undo asks for; it returns to none of another distribution
     * @return hashes of all jars that the kept ones need
     */
    Set<String> prune(Numbered current, Set<Long> wanted) throws LauncherException {
        Set<String> hashes = new HashSet<>();
        try {
            NavigableSet<Long> numbers = numbers();
            NavigableSet<Long> kept = new TreeSet<>();
            numbers.descendingSet().stream().limit(KEPT + 1L).forEach(kept::add);
            kept.add(current.number());
            for (long number : numbers) {
                if (wanted.contains(number)
                        && isOfDistribution(number, current.generation().lock())) {
                    kept.add(number);
                }
            }
            for (long number : numbers) {
                if (kept.contains(number)) {
                    hashes.addAll(hashesOf(number));
                } else {
                    Files.deleteIfExists(fileOf(number));
                }
            }
            if (approved != null) {
                approved.keepOnly(kept);
            }
        } catch (IOException e) {
            throw NodeDirectory.unusable(directory, e);
        }
        return hashes;
    }

    private boolean isOfDistribution(long number, String lock) {
        try {
            return read(number).generation().lock().equals(lock);
        } catch (IOException | RuntimeException unreadable) {
            return false;
        }
    }

    /** An older generation that cannot be read is nothing to stop for. */
    private Set<String> hashesOf(long number) throws IOException {
        byte[] content = Files.readAllBytes(fileOf(number));
        Set<String> hashes = new HashSet<>();
        try {
            Generation generation = Generation.parse(content);
            generation.bundles().forEach(bundle -> hashes.add(bundle.sha256()));
            generation.plugins().forEach(plugin -> hashes.add(plugin.sha256()));
        } catch (IOException e) {
            LOG.warn("stack generation {} cannot be read, so there is no way back to it: {}", number, e.getMessage());
        }
        return hashes;
    }

    private NavigableSet<Long> numbers() throws IOException {
        NavigableSet<Long> numbers = new TreeSet<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + SUFFIX)) {
            for (Path file : files) {
                String name = String.valueOf(file.getFileName());
                String number = name.substring(0, name.length() - SUFFIX.length());
                if (!number.isEmpty() && number.length() < 18 && number.chars().allMatch(c -> c >= '0' && c <= '9')) {
                    numbers.add(Long.parseLong(number));
                }
            }
        }
        return numbers;
    }

    private Path fileOf(long number) {
        return directory.resolve(number + SUFFIX);
    }
}
