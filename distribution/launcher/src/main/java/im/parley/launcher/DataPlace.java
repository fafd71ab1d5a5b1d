package im.parley.launcher;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/** Whether a node may live in a directory at all. Looks only, so that a slip of the hand changes nothing anywhere. */
final class DataPlace {
    /** One of these is in every data directory that a node was ever started on, or a backup of one. */
    private static final Set<String> MARKS = Set.of("start.json", "stack", NodeDirectory.LOCK);

    /** What a file system puts into its own root. */
    private static final String FOUND = "lost+found";

    private static final String WHAT = "Nothing was started or changed.";

    private DataPlace() {}

    /**
     * Refuses a data directory that cannot or must not be one.
     *
     * @throws LauncherException {@code data.bad-path}, {@code data.unsafe}, {@code data.not-parley}; {@code
     *     data.unusable} if it cannot be read
     */
    static void check(ParleyConfig config, Map<String, String> environment) throws LauncherException {
        Path data = config.dataDir();
        refuseBadPath(data);
        if (Files.exists(data) && !Files.isDirectory(data)) {
            // Taking it says so.
            return;
        }
        check(
                data,
                StartOptions.resolve(data.resolve(StartOptions.FILE), config, NodeDirectory.stateFor(environment))
                        .stateDir());
    }

    /** The same for what is done to a node that is not started. */
    static void check(Path data, Path state) throws LauncherException {
        refuseBadPath(data);
        if (state.startsWith(data) || real(state).startsWith(real(data))) {
            throw new LauncherException(
                    "data.unsafe",
                    WHAT,
                    "The directory of the device key, " + state + ", lies within the data directory " + data
                            + ", so a copy of the data would have its key with it.",
                    "Choose another directory with --data, or another one for the key with --state.");
        }
        if (Files.isDirectory(data, LinkOption.NOFOLLOW_LINKS) && !ours(data)) {
            throw new LauncherException(
                    "data.not-parley",
                    WHAT,
                    "The directory " + data + " is not empty and was not made by Parley.",
                    "Choose an empty or a new directory with --data.");
        }
    }

    private static void refuseBadPath(Path data) throws LauncherException {
        if (data.toString().chars().anyMatch(c -> c == ':' || c == ';' || Character.isISOControl(c))) {
            throw new LauncherException(
                    "data.bad-path",
                    WHAT,
                    "The path of the data directory, " + data
                            + ", holds a colon, a semicolon or a control character, which"
                            + " its databases cannot take.",
                    "Choose another directory with --data, or rename that one.");
        }
    }

    private static boolean ours(Path data) throws LauncherException {
        boolean empty = true;
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(data)) {
            for (Path entry : entries) {
                String name = String.valueOf(entry.getFileName());
                if (MARKS.contains(name)) {
                    return true;
                }
                empty &= name.equals(FOUND);
            }
        } catch (IOException e) {
            throw NodeDirectory.unusable(data, e);
        }
        return empty;
    }

    /** With the links of the part that exists resolved. */
    private static Path real(Path path) {
        Path existing = path;
        while (existing != null && !Files.exists(existing)) {
            existing = existing.getParent();
        }
        try {
            return existing == null ? path : existing.toRealPath().resolve(existing.relativize(path));
        } catch (IOException unreadable) {
            return path;
        }
    }
}
