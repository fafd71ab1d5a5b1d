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
 * is never served unchecked, and what runs can be named by its hash. The signature of a plugin lies beside it as
 * {@code <sha256>.sig}. Used by one thread at a time.
 */
final class JarStore {
    private static final Logger LOG = LoggerFactory.getLogger(JarStore.class);
    private static final String SUFFIX = ".jar";
    private static final String SIGNATURE = ".sig";

    private final Path directory;

    JarStore(Path directory) {
        this.directory = directory;
    }

    /** Takes in bytes whose hash was just checked, if they are not here yet. */
    void admit(String sha256, byte[] checked) throws LauncherException {
        Path target = pathOf(sha256);
        if (Files.exists(target)) {
            return;
        }
        try {
            DurableFile.write(target, checked);
        } catch (IOException e) {
            throw NodeDirectory.unusable(target, e);
        }
    }

    /** Takes in a plugin that was just checked, with its signature. */
    void admit(TrustStore.Admitted plugin) throws LauncherException {
        String sha256 = plugin.archive().sha256();
        Path signature = directory.resolve(sha256 + SIGNATURE);
        try {
            DurableFile.write(signature, plugin.signature().toJson());
            DurableFile.write(pathOf(sha256), plugin.archive().bytes());
        } catch (IOException e) {
            throw NodeDirectory.unusable(signature, e);
        }
    }

    /** What lies beside a jar; empty if nothing does. */
    byte[] signature(String sha256) throws LauncherException {
        Path signature = directory.resolve(sha256 + SIGNATURE);
        try {
            return Files.exists(signature) ? Files.readAllBytes(signature) : new byte[0];
        } catch (IOException e) {
            throw NodeDirectory.unusable(signature, e);
        }
    }

    /** Whether there is a jar of that name; it still has to be hashed. */
    boolean holds(String sha256) {
        return Files.exists(pathOf(sha256));
    }

    /** Takes a plugin away again that nothing refers to; a failure is no harm, the next start tries again. */
    void discard(String sha256) {
        try {
            Files.deleteIfExists(pathOf(sha256));
            Files.deleteIfExists(directory.resolve(sha256 + SIGNATURE));
        } catch (IOException e) {
            LOG.debug("an unused jar stays: {}", e.toString());
        }
    }

    /**
     * Hashes the stored jar again.
     *
     * @return where it is
     * @throws LauncherException {@code distribution.tampered}
     */
    Path verified(String sha256) throws LauncherException {
        content(sha256);
        return pathOf(sha256);
    }

    /** The bytes of a stored jar, hashed again; otherwise as {@link #verified}. */
    byte[] content(String sha256) throws LauncherException {
        Path file = pathOf(sha256);
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
        return content;
    }

    /** Forgets jars that nothing refers to; a failure to delete is no harm. */
    void keepOnly(Set<String> hashes) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                String name = String.valueOf(file.getFileName());
                boolean ours = name.endsWith(SUFFIX) || name.endsWith(SIGNATURE);
                if (!ours || !hashes.contains(name.substring(0, name.length() - SUFFIX.length()))) {
                    Files.delete(file);
                }
            }
        } catch (IOException e) {
            LOG.debug("an unused jar stays: {}", e.toString());
        }
    }

    /** Where a jar lies, if it is there. */
    Path pathOf(String sha256) {
        return directory.resolve(sha256 + SUFFIX);
    }
}
