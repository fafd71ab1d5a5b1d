package im.parley.launcher;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Everything a framework needs to become this node: checked jars, resolved configurations, framework properties. Made by
 * {@link Parley#plan}; immutable.
 *
 * @param generation number of the stack generation it was made from
 * @param features names, sorted
 * @param bundles in install order, from the content-addressed store
 * @param configurations PID (or {@code factoryPID~name}) to properties, placeholders resolved
 * @param owners PID of an instance to the file of the bundle that it is for; the others are for any bundle
 * @param frameworkProperties as the launcher itself sets them
 */
public record LaunchPlan(
        long generation,
        List<String> features,
        List<Install> bundles,
        Map<String, Map<String, Object>> configurations,
        Map<String, Path> owners,
        Map<String, String> frameworkProperties) {
    public LaunchPlan {
        features = List.copyOf(features);
        bundles = List.copyOf(bundles);
        configurations = Map.copyOf(configurations);
        owners = Map.copyOf(owners);
        frameworkProperties = Map.copyOf(frameworkProperties);
    }

    /**
     * A jar to install and when to start it.
     *
     * @param plugin whether it comes from elsewhere; the node runs without one that does not resolve or start
     */
    public record Install(String bsn, Path file, int startLevel, boolean plugin) {}
}
