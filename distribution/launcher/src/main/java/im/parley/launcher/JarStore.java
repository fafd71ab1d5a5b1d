package im.parley.launcher;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Jars by content: {@code data/jars/<sha256>.jar}. The framework runs from here, so a jar that changes in the distribution
 * is never served unchecked, and what runs can be named by its hash. Used by one thread, before the framework starts.
 */
final class JarStore {
    private static final Logger LOG = LoggerFactory.getLogger(JarStore.class);
    private static final String SUFFIX = ".jar";

    private final Path directory;

    JarStore(Path directory) {
        this.directory = directory;
    }

    /** Takes in bytes whose hash was just checked, if they are not here yet. */
    void admit(String sha256, byte[] checked) throws LauncherException {
        Path target = fileOf(sha256);
        if (Files.exists(target)) {
            return;
        }
        try {
            DurableFile.write(target, checked);
        } catch (IOException e) {
            throw NodeDirectory.unusable(target, e);
        }
    }

    /**
     * Hashes the stored jar again.
     *
     * @return where it is
     * @throws LauncherException {@code distribution.tampered}
     */
    Path verified(String sha256) throws LauncherException {
        Path file = fileOf(sha256);
        if (Files.isSymbolicLink(file)) {
            throw DistributionLock.tampered(file.toString(), "It is a link, so what it names may change", null);
        }
        byte[] content;
        try {
            content = Files.readAllBytes(file);
        } catch (IOException e) {
            throw DistributionLock.tampered(file.toString(), "It is missing or cannot be read", e);
        }
        if (!Hashes.sha256(content).equals(sha256)) {
            throw DistributionLock.tampered(file.toString(), "Its content is not what its name says", null);
        }
        return file;
    }

    /** Forgets jars that nothing refers to; a failure to delete is no harm. */
    void keepOnly(Set<String> hashes) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                String name = String.valueOf(file.getFileName());
                if (!name.endsWith(SUFFIX) || !hashes.contains(name.substring(0, name.length() - SUFFIX.length()))) {
                    Files.delete(file);
                }
            }
        } catch (IOException e) {
            LOG.debug("an unused jar stays: {}", e.toString());
        }
    }

    private Path fileOf(String sha256) {
        return directory.resolve(sha256 + SUFFIX);
    }
}
