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
 * by one thread while the node's directory is locked.
 */
public final class StackFiles {
    /** How many generations are kept, with their jars, beside the current one. */
    public static final int KEPT = 4;

    private static final Logger LOG = LoggerFactory.getLogger(StackFiles.class);
    private static final String CURRENT = "current";
    private static final String SUFFIX = ".json";

    private final Path directory;

    public StackFiles(Path directory) {
        this.directory = directory;
    }

    /** A generation and its number. */
    public record Numbered(long number, Generation generation) {}

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
            long number = Long.parseLong(new String(Files.readAllBytes(pointer), StandardCharsets.US_ASCII).strip());
            return new Numbered(number, Generation.parse(Files.readAllBytes(fileOf(number))));
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

    /** Writes the generation under the next free number and makes it current. */
    public Numbered append(Generation generation) throws LauncherException {
        try {
            NavigableSet<Long> numbers = numbers();
            long number = numbers.isEmpty() ? 1 : numbers.last() + 1;
            DurableFile.write(fileOf(number), generation.toJson());
            DurableFile.write(directory.resolve(CURRENT), (number + "\n").getBytes(StandardCharsets.US_ASCII));
            return new Numbered(number, generation);
        } catch (IOException e) {
            throw NodeDirectory.unusable(directory, e);
        }
    }

    /** Hashes of all jars that the kept generations need; older generations are deleted. */
    Set<String> prune(long current) throws LauncherException {
        Set<String> hashes = new HashSet<>();
        try {
            NavigableSet<Long> numbers = numbers();
            NavigableSet<Long> kept = new TreeSet<>();
            numbers.descendingSet().stream().limit(KEPT + 1L).forEach(kept::add);
            kept.add(current);
            for (long number : numbers) {
                if (kept.contains(number)) {
                    hashes.addAll(hashesOf(number));
                } else {
                    Files.deleteIfExists(fileOf(number));
                }
            }
        } catch (IOException e) {
            throw NodeDirectory.unusable(directory, e);
        }
        return hashes;
    }

    /** An older generation that cannot be read is nothing to stop for. */
    private Set<String> hashesOf(long number) throws IOException {
        byte[] content = Files.readAllBytes(fileOf(number));
        Set<String> hashes = new HashSet<>();
        try {
            Generation.parse(content).bundles().forEach(bundle -> hashes.add(bundle.sha256()));
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
