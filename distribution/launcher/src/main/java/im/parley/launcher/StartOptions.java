package im.parley.launcher;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What one start decides and the next one repeats unless told otherwise, so that a node does not move to other ports
 * (and its users' inbox relay with it) because an option was left out.
 *
 * @param portBase port of the relay
 * @param features capabilities, sorted
 * @param relayUrls addresses under which others reach the relay, beside the loopback ones; the first is the one to give away
 * @param stateDir where the device key is; kept so that another environment does not look for it elsewhere
 */
record StartOptions(int portBase, Set<String> features, List<String> relayUrls, Path stateDir) {
    /** Where they are kept, in the data directory. */
    static final String FILE = "start.json";

    /** The vault's folder for key files in the state directory. */
    private static final String DEVICES = "devices";

    StartOptions {
        features = java.util.Collections.unmodifiableSortedSet(new TreeSet<>(features));
        relayUrls = List.copyOf(relayUrls);
    }

    /** The given decisions, else those kept in the file, else the defaults. */
    static StartOptions resolve(Path file, ParleyConfig config, Path defaultState) throws LauncherException {
        Path state = defaultState;
        int port = ParleyConfig.DEFAULT_PORT_BASE;
        Set<String> features = ParleyConfig.FEATURES;
        List<String> relayUrls = List.of();
        try {
            Map<String, Object> kept = Json.object(Files.readAllBytes(file));
            port = Math.toIntExact(Json.number(kept, "portBase"));
            features = new TreeSet<>(Json.texts(kept, "features"));
            relayUrls = kept.containsKey("relayUrls") ? Json.texts(kept, "relayUrls") : relayUrls;
            Path keptState = Path.of(Json.text(kept, "stateDir"));
            // Data that was restored for another user or on another machine has its key where that one keeps keys.
            state = Files.isDirectory(keptState.resolve(DEVICES)) ? keptState : defaultState;
        } catch (NoSuchFileException firstStart) {
            // The defaults are right.
            port = ParleyConfig.DEFAULT_PORT_BASE;
        } catch (IOException | ArithmeticException | InvalidPathException e) {
            throw new LauncherException(
                    "data.unusable",
                    "The options of the last start cannot be read.",
                    file + ": " + e.getMessage() + ".",
                    "Delete that file and give --port-base, --only, --relay-url and --state again if you used them.",
                    e);
        }
        Integer chosen = config.portBase();
        return new StartOptions(
                chosen == null ? port : chosen,
                config.features().isEmpty() ? features : config.features(),
                config.relayUrls() == null ? relayUrls : config.relayUrls(),
                config.stateDir() == null ? state : config.stateDir());
    }

    /** The hosts of the relay's addresses, as a Host header names them. */
    List<String> relayHosts() {
        return relayUrls.stream().map(url -> URI.create(url).getRawAuthority()).toList();
    }

    /** Keeps them for the next start; called once this one succeeded. */
    void keep(Path file) throws LauncherException {
        Map<String, Object> content = new LinkedHashMap<>();
        content.put("portBase", portBase);
        content.put("features", features);
        content.put("relayUrls", relayUrls);
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
