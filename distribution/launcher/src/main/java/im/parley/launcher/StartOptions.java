package im.parley.launcher;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What one start decides and the next one repeats unless told otherwise, so that a node does not move to other ports
 * (and its users' inbox relay with it) because an option was left out.
 *
 * @param portBase port of the relay
 * @param features capabilities, sorted
 * @param relayUrls addresses under which others reach the relay, beside the loopback ones; the first is the one to give away
 * @param filesUrls addresses under which others reach the file server, beside the loopback ones; the first is the one told
 * @param stateDir where the device key is; kept so that another environment does not look for it elsewhere
 */
record StartOptions(int portBase, Set<String> features, List<String> relayUrls, List<String> filesUrls, Path stateDir) {
    /** Where they are kept, in the data directory. */
    static final String FILE = "start.json";

    /** The vault's folder for key files in the state directory. */
    private static final String DEVICES = "devices";

    StartOptions {
        features = java.util.Collections.unmodifiableSortedSet(new TreeSet<>(features));
        relayUrls = List.copyOf(relayUrls);
        filesUrls = List.copyOf(filesUrls);
    }

    /** The given decisions, else those kept in the file, else the defaults. */
    static StartOptions resolve(Path file, ParleyConfig config, Path defaultState) throws LauncherException {
        StartOptions last = kept(file);
        StartOptions defaults = new StartOptions(
                ParleyConfig.DEFAULT_PORT_BASE, ParleyConfig.FEATURES, List.of(), List.of(), defaultState);
        if (last == null) {
            return defaults.changedBy(config);
        }
        return new StartOptions(
                        last.portBase, last.features, last.relayUrls, last.filesUrls, last.stateDirOr(defaultState))
                .changedBy(config);
    }

    /** Where the device key of that node is, or will be. */
    static Path stateDir(Path file, Path defaultState) throws LauncherException {
        StartOptions last = kept(file);
        return last == null ? defaultState : last.stateDirOr(defaultState);
    }

    /** Data that was restored for another user or on another machine has its key where that one keeps keys. */
    private Path stateDirOr(Path defaultState) {
        return Files.isDirectory(stateDir.resolve(DEVICES)) ? stateDir : defaultState;
    }

    private StartOptions changedBy(ParleyConfig config) {
        Integer chosen = config.portBase();
        return new StartOptions(
                chosen == null ? portBase : chosen,
                config.features().isEmpty() ? features : config.features(),
                config.relayUrls() == null ? relayUrls : config.relayUrls(),
                config.filesUrls() == null ? filesUrls : config.filesUrls(),
                config.stateDir() == null ? stateDir : config.stateDir());
    }

    /**
     * Decisions that differ from those of the last start, each as the option was given and as it is.
     *
     * @throws LauncherException {@code data.unusable}
     */
    static List<String> differences(Path file, ParleyConfig config) throws LauncherException {
        StartOptions is = kept(file);
        if (is == null) {
            return List.of();
        }
        StartOptions wanted = is.changedBy(config);
        List<String> differences = new ArrayList<>();
        if (wanted.portBase != is.portBase) {
            differences.add("--port-base " + wanted.portBase + " (it has " + is.portBase + ")");
        }
        if (!wanted.features.equals(is.features)) {
            differences.add("--only " + named(wanted.features) + " (it has " + named(is.features) + ")");
        }
        if (!wanted.relayUrls.equals(is.relayUrls)) {
            differences.add("--relay-url " + named(wanted.relayUrls) + " (it has " + named(is.relayUrls) + ")");
        }
        if (!wanted.filesUrls.equals(is.filesUrls)) {
            differences.add("--files-url " + named(wanted.filesUrls) + " (it has " + named(is.filesUrls) + ")");
        }
        if (!wanted.stateDir.equals(is.stateDir)) {
            differences.add("--state " + wanted.stateDir + " (it has " + is.stateDir + ")");
        }
        return differences;
    }

    private static String named(Set<String> features) {
        return features.equals(ParleyConfig.FEATURES) ? ParleyConfig.ALL_FEATURES : String.join(", ", features);
    }

    private static String named(List<String> urls) {
        return urls.isEmpty() ? "none" : String.join(", ", urls);
    }

    /** What the last start decided; null before the first. */
    private static @Nullable StartOptions kept(Path file) throws LauncherException {
        try {
            Map<String, Object> kept = Json.object(Files.readAllBytes(file));
            return new StartOptions(
                    Math.toIntExact(Json.number(kept, "portBase")),
                    new TreeSet<>(Json.texts(kept, "features")),
                    kept.containsKey("relayUrls") ? Json.texts(kept, "relayUrls") : List.of(),
                    kept.containsKey("filesUrls") ? Json.texts(kept, "filesUrls") : List.of(),
                    Path.of(Json.text(kept, "stateDir")));
        } catch (NoSuchFileException firstStart) {
            return null;
        } catch (IOException | ArithmeticException | InvalidPathException e) {
            throw new LauncherException(
                    "data.unusable",
                    "The options of the last start cannot be read.",
                    file + ": " + e.getMessage() + ".",
                    "Delete that file and give --port-base, --only, --relay-url, --files-url and --state again if you used them.",
                    e);
        }
    }

    /** The hosts of the relay's addresses, as a Host header names them. */
    List<String> relayHosts() {
        return hosts(relayUrls);
    }

    /** The hosts of the file server's addresses, as a Host header names them. */
    List<String> filesHosts() {
        return hosts(filesUrls);
    }

    private static List<String> hosts(List<String> urls) {
        return urls.stream().map(url -> URI.create(url).getRawAuthority()).toList();
    }

    /** Keeps them for the next start; called once this one succeeded. */
    void keep(Path file) throws LauncherException {
        Map<String, Object> content = new LinkedHashMap<>();
        content.put("portBase", portBase);
        content.put("features", features);
        content.put("relayUrls", relayUrls);
        content.put("filesUrls", filesUrls);
        content.put("stateDir", stateDir.toString());
        byte[] json = Json.pretty(content);
        try {
            if (!Files.exists(file) || !java.util.Arrays.equals(Files.readAllBytes(file), json)) {
                DurableFile.write(file, json);
            }
        } catch (IOException e) {
            throw NodeDirectory.unusable(file, e);
        }
    }
}
