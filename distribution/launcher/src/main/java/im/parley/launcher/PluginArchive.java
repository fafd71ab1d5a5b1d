package im.parley.launcher;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.osgi.framework.Version;

/**
 * A plugin's jar, read once into memory and checked as an archive. There is no other way to make one, so whoever has one
 * has bytes that were checked, and installs these and not the file again. Checking takes up to a second for the largest
 * file that is taken ({@value #MAX_BYTES} bytes) and writes nothing. Immutable.
 *
 * <p>It says nothing about who made it; that is {@link TrustStore#verify}.
 */
public final class PluginArchive {
    /** Of the file. */
    public static final int MAX_BYTES = 32 << 20;

    static final String MANIFEST = "META-INF/MANIFEST.MF";
    private static final String CLASS_PATH = "Bundle-ClassPath";
    private static final int MAX_CLASS_PATH = 200;
    private static final int READ_BYTES = 256 * 1024;

    private final byte[] bytes;
    private final String sha256;
    private final String bsn;
    private final String version;
    private final Map<String, String> manifest;
    private final Capabilities capabilities;

    private PluginArchive(byte[] bytes) throws LauncherException {
        this.bytes = bytes;
        this.sha256 = Hashes.sha256(bytes);
        ZipWalk.Budget budget = new ZipWalk.Budget();
        ZipWalk zip = ZipWalk.of(bytes, "The plugin's file", budget);
        byte[] text = zip.content(MANIFEST);
        if (text == null) {
            throw PluginRefusals.archive("The plugin's file has no " + MANIFEST);
        }
        this.manifest = ManifestText.mainAttributes(text);
        this.capabilities = Capabilities.of(manifest);
        this.bsn = ManifestRules.check(manifest, capabilities);
        this.version = version(manifest);
        ManifestRules.checkNames(zip.names(), bsn, capabilities);
        checkClassPath(zip, budget);
    }

    /**
     * Reads and checks a file. To install one, use {@link TrustStore#admit}, which checks the signature before anything of
     * the archive is looked at.
     *
     * @throws LauncherException {@code plugin.bad-archive}, {@code plugin.manifest-denied}, {@code plugin.not-read}
     */
    public static PluginArchive read(Path file) throws LauncherException {
        return new PluginArchive(bytesOf(file));
    }

    /**
     * Checks bytes that were read already; they are copied.
     *
     * @throws LauncherException {@code plugin.bad-archive}, {@code plugin.manifest-denied}
     */
    public static PluginArchive of(byte[] bytes) throws LauncherException {
        if (bytes.length > MAX_BYTES) {
            throw tooLarge();
        }
        return new PluginArchive(bytes.clone());
    }

    /** For bytes that nobody else has. */
    static PluginArchive owned(byte[] bytes) throws LauncherException {
        return new PluginArchive(bytes);
    }

    /** The file, read once, however it changes meanwhile; into one array, since a node has little room for a second. */
    static byte[] bytesOf(Path file) throws LauncherException {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            // One that is a pipe would be waited for.
            throw unreadable(file, new IOException("it is a directory or a device"));
        }
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = in.size();
            if (size > MAX_BYTES) {
                throw tooLarge();
            }
            ByteBuffer content = ByteBuffer.allocate((int) size);
            while (content.hasRemaining()) {
                // The JDK copies through a buffer of this size, which it keeps.
                content.limit(Math.min(content.capacity(), content.position() + READ_BYTES));
                int read = in.read(content);
                if (read < 0) {
                    return Arrays.copyOf(content.array(), content.position());
                }
                content.limit(content.capacity());
            }
            return content.array();
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    static LauncherException unreadable(Path file, IOException e) {
        return new LauncherException(
                "plugin.not-read",
                "The plugin was not read.",
                e instanceof NoSuchFileException
                        ? "There is no file " + file + "."
                        : file + ": " + e.getMessage() + ".",
                "Correct the name of the file or its rights.",
                e);
    }

    private static LauncherException tooLarge() {
        return PluginRefusals.archive("The plugin's file has more than " + (MAX_BYTES >> 20) + " MiB");
    }

    /** In the one spelling that a signature is over: 1.2 is 1.2.0. */
    private static String version(Map<String, String> manifest) throws LauncherException {
        String text = manifest.get("Bundle-Version");
        if (text == null || text.length() > 100) {
            throw PluginRefusals.manifest("It has no Bundle-Version, or one without end");
        }
        try {
            return new Version(text).toString();
        } catch (IllegalArgumentException e) {
            throw PluginRefusals.manifest("Its Bundle-Version is not written as OSGi says");
        }
    }

    private void checkClassPath(ZipWalk zip, ZipWalk.Budget budget) throws LauncherException {
        List<HeaderClause> clauses = HeaderClause.parse(CLASS_PATH, manifest.getOrDefault(CLASS_PATH, ""));
        Set<String> paths = new LinkedHashSet<>();
        clauses.forEach(clause -> paths.addAll(clause.paths()));
        if (paths.size() > MAX_CLASS_PATH) {
            throw PluginRefusals.archive("Its " + CLASS_PATH + " has more than " + MAX_CLASS_PATH + " places");
        }
        for (String path : paths) {
            String name = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
            if (name.equals(".")) {
                continue;
            }
            byte[] nested = zip.content(name);
            if (nested != null) {
                ZipWalk inner = ZipWalk.of(nested, name, budget);
                ManifestRules.checkNames(inner.names(), bsn, capabilities);
            } else if (zip.names().stream().noneMatch(each -> each.startsWith(name + "/"))) {
                throw PluginRefusals.archive("Its " + CLASS_PATH + " names " + path + ", which is not in the file");
            }
        }
    }

    /** The file, as a copy. */
    public byte[] bytes() {
        return bytes.clone();
    }

    /** Lower-case hex, of the file. */
    public String sha256() {
        return sha256;
    }

    /** Bundle symbolic name, of two parts at least. */
    public String bsn() {
        return bsn;
    }

    /** Bundle version, in OSGi's canonical spelling. */
    public String version() {
        return version;
    }

    /** Main attributes; their names are found in any letters. Unmodifiable. */
    public Map<String, String> manifest() {
        return manifest;
    }

    public Capabilities capabilities() {
        return capabilities;
    }

    @Override
    public String toString() {
        return bsn + " " + version + " " + sha256;
    }
}
