package im.parley.itests.container;

import static org.ops4j.pax.exam.CoreOptions.bundle;
import static org.ops4j.pax.exam.CoreOptions.cleanCaches;
import static org.ops4j.pax.exam.CoreOptions.composite;
import static org.ops4j.pax.exam.CoreOptions.frameworkProperty;
import static org.ops4j.pax.exam.CoreOptions.frameworkStartLevel;
import static org.ops4j.pax.exam.CoreOptions.junitBundles;
import static org.ops4j.pax.exam.CoreOptions.systemPackages;
import static org.ops4j.pax.exam.CoreOptions.systemTimeout;

import im.parley.launcher.LaunchPlan;
import im.parley.launcher.LauncherException;
import im.parley.launcher.Parley;
import im.parley.launcher.ParleyConfig;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import org.ops4j.pax.exam.Option;
import org.osgi.framework.Constants;
import org.osgi.service.cm.Configuration;
import org.osgi.service.cm.ConfigurationAdmin;

/**
 * Pax Exam options made from the stack generation that the launcher itself writes, so that a container test runs the
 * distribution's bundles, start levels and configurations and nothing else.
 */
final class DistributionOptions {
    private static final int LAST_START_LEVEL = 100;

    private final LaunchPlan plan;

    private DistributionOptions(LaunchPlan plan) {
        this.plan = plan;
    }

    /** A plan on fresh directories and a free port. */
    static DistributionOptions fresh() throws IOException, LauncherException {
        Path base = Files.createTempDirectory("p-container");
        int port;
        try (ServerSocket probe = new ServerSocket(0)) {
            port = probe.getLocalPort();
        }
        return new DistributionOptions(
                Parley.plan(ParleyConfig.builder(Path.of(System.getProperty("parley.dist")), base.resolve("data"))
                        .stateDir(base.resolve("state"))
                        .runtimeDir(base.resolve("run"))
                        .portBase(port)
                        .build()));
    }

    LaunchPlan plan() {
        return plan;
    }

    Option[] options() {
        List<Option> options = new ArrayList<>();
        plan.frameworkProperties().forEach((name, value) -> {
            if (name.equals(Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA)) {
                // Pax Exam sets this property itself, from its own option.
                options.add(systemPackages(value.split(",")));
            } else if (!name.equals(Constants.FRAMEWORK_STORAGE)
                    && !name.equals(Constants.FRAMEWORK_BEGINNING_STARTLEVEL)) {
                options.add(frameworkProperty(name).value(value));
            }
        });
        for (LaunchPlan.Install install : plan.bundles()) {
            options.add(bundle(install.file().toUri().toString()).startLevel(install.startLevel()));
        }
        options.add(frameworkStartLevel(LAST_START_LEVEL));
        options.add(junitBundles());
        options.add(cleanCaches());
        options.add(systemTimeout(120_000));
        return new Option[] {composite(options.toArray(Option[]::new))};
    }

    /** Gives the plan's configurations to the container; each exactly once. */
    static void apply(Map<String, Map<String, Object>> configurations, ConfigurationAdmin admin) throws IOException {
        for (Map.Entry<String, Map<String, Object>> entry : configurations.entrySet()) {
            String pid = entry.getKey();
            int tilde = pid.indexOf('~');
            Configuration configuration = tilde < 0
                    ? admin.getConfiguration(pid, "?")
                    : admin.getFactoryConfiguration(pid.substring(0, tilde), pid.substring(tilde + 1), "?");
            Dictionary<String, Object> properties = new Hashtable<>(entry.getValue());
            configuration.update(properties);
        }
    }
}
