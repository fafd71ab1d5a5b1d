package im.parley.launcher;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.TreeMap;

/**
 * Which stack generations this node wrote itself: the SHA-256 of each of their files, and which one was made current last.
 * It lies beside the device key, so that whoever can write to the data directory alone can neither make up a generation
 * nor bring an older one back. Used under the lock of the data directory, by one thread at a time.
 *
 * <p>The hash is approved before its file is written, and the pointer is noted after it was moved; so a kill in between
 * leaves an approval too many, or a note that is one behind, and both are harmless.
 */
final class ApprovedStack {
    private static final String DIRECTORY = "stack";
    private static final String GENERATIONS = "generations";

    private final Path file;
    private final String dataDir;
    private final NavigableMap<Long, String> hashes = new TreeMap<>();
    private long newest;

    private ApprovedStack(Path file, String dataDir) {
        this.file = file;
        this.dataDir = dataDir;
    }

    /**
     * What is known of the generations in that data directory.
     *
     * @throws LauncherException {@code data.unusable} if it cannot be read
     */
    static ApprovedStack open(Path dataDir, Path stateDir) throws LauncherException {
        String path = dataDir.toAbsolutePath().normalize().toString();
        String name = Hashes.sha256(path.getBytes(StandardCharsets.UTF_8)).substring(0, 16) + ".json";
        ApprovedStack approved = new ApprovedStack(stateDir.resolve(DIRECTORY).resolve(name), path);
        try {
            approved.read();
            return approved;
        } catch (IOException e) {
            throw NodeDirectory.unusable(approved.file, e);
        }
    }

    private void read() throws IOException {
        byte[] content;
        try {
            content = Files.readAllBytes(file);
        } catch (NoSuchFileException first) {
            return;
        }
        Map<String, Object> known = Json.object(content);
        newest = Json.number(known, "current");
        Map<String, Object> generations = Json.member(known, GENERATIONS);
        for (String number : generations.keySet()) {
            hashes.put(Long.parseLong(number), Json.text(generations, number));
        }
    }

    /** Whether this node wrote that generation. */
    boolean wrote(long number, String sha256) {
        return sha256.equals(hashes.get(number));
    }

    /** Whether that generation may be current: this node wrote it, and none that is newer was current since. */
    boolean mayBeCurrent(long number, String sha256) {
        return number >= newest && wrote(number, sha256);
    }

    /** Before the file of a generation is written. */
    void approve(long number, String sha256) throws IOException {
        hashes.put(number, sha256);
        write();
    }

    /** After a generation became current. */
    void switched(long number) throws IOException {
        newest = number;
        write();
    }

    /** Forgets generations that are gone. */
    void keepOnly(NavigableSet<Long> kept) throws IOException {
        if (hashes.keySet().retainAll(kept)) {
            write();
        }
    }

    private void write() throws IOException {
        Path directory = DurableFile.parentOf(file);
        if (!Files.exists(directory)) {
            Files.createDirectories(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
        Map<String, Object> generations = new LinkedHashMap<>();
        hashes.forEach((number, sha256) -> generations.put(Long.toString(number), sha256));
        Map<String, Object> content = new LinkedHashMap<>();
        content.put("data", dataDir);
        content.put("current", newest);
        content.put(GENERATIONS, generations);
        DurableFile.write(file, Json.pretty(content));
    }
}
