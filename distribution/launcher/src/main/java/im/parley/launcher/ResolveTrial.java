package im.parley.launcher;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.felix.framework.FrameworkFactory;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.Version;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.namespace.ExecutionEnvironmentNamespace;
import org.osgi.framework.namespace.PackageNamespace;
import org.osgi.framework.wiring.BundleRevision;
import org.osgi.framework.wiring.BundleWire;
import org.osgi.framework.wiring.BundleWiring;
import org.osgi.framework.wiring.FrameworkWiring;
import org.osgi.resource.Capability;
import org.osgi.resource.Requirement;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a set of bundles would resolve, answered by the framework's own resolver in a framework of its own, in which
 * nothing is started. So what a plan promises is what the next start does. Takes a few tenths of a second.
 */
final class ResolveTrial {
    private static final Logger LOG = LoggerFactory.getLogger(ResolveTrial.class);
    private static final long STOP_MILLIS = 10_000;
    private static final Pattern LEAST = Pattern.compile("\\(version>=([^)]+)\\)");
    private static final Pattern BELOW = Pattern.compile("\\(!\\(version>=([^)]+)\\)\\)");
    private static final Pattern NAME = Pattern.compile("\\(osgi\\.wiring\\.package=([^)]+)\\)");
    private static final Pattern SPACES = Pattern.compile("\\s+");

    private ResolveTrial() {}

    /**
     * A bundle of the trial.
     *
     * @param plugin whether it is one of those that are asked about
     */
    record Part(String name, Path jar, boolean plugin) {}

    /**
     * Why a plugin cannot run.
     *
     * @param plugin its {@link Part#name}
     * @param code {@code plan.unresolved}, {@code plan.api-range}, {@code plan.rewires}
     * @param why a sentence, without its full stop
     */
    record Problem(String plugin, String code, String why) {}

    /**
     * Tries all of them together.
     *
     * @param scratch a directory that may be made and removed
     * @return empty if every plugin resolves and no bundle of the distribution comes to depend on one
     */
    static List<Problem> of(List<Part> parts, Path scratch) throws LauncherException {
        Map<String, Object> properties = new LinkedHashMap<>(Container.frameworkProperties(scratch.resolve("cache")));
        properties.put("felix.log.level", "0");
        Framework framework = new FrameworkFactory().newFramework(properties);
        try {
            framework.init();
            return problems(framework, parts);
        } catch (BundleException e) {
            throw new LauncherException(
                    "plan.not-tried",
                    "Nothing was changed.",
                    "Whether the bundles fit could not be tried: " + e.getMessage() + ".",
                    "Make room in the data directory, then try again.",
                    e);
        } finally {
            end(framework);
            remove(scratch);
        }
    }

    private static List<Problem> problems(Framework framework, List<Part> parts) {
        List<Problem> problems = new ArrayList<>();
        Map<Bundle, Part> installed = new LinkedHashMap<>();
        for (Part part : parts) {
            try {
                installed.put(
                        framework
                                .getBundleContext()
                                .installBundle("reference:" + part.jar().toUri()),
                        part);
            } catch (BundleException e) {
                problems.add(new Problem(
                        part.name(), "plan.unresolved", "it is no bundle that can be installed: " + words(e)));
            }
        }
        framework.adapt(FrameworkWiring.class).resolveBundles(installed.keySet());
        List<Capability> offered = offered(framework, installed.keySet());
        installed.forEach((bundle, part) -> {
            if (!part.plugin()) {
                String taken = takenFromPlugin(bundle, installed);
                if (!taken.isEmpty()) {
                    problems.add(new Problem(
                            taken,
                            "plan.rewires",
                            part.name() + " of the distribution would take a package from it at the next start"));
                }
            } else if (bundle.getState() == Bundle.INSTALLED) {
                Problem missing = missing(part, bundle, offered);
                problems.add(missing != null ? missing : new Problem(part.name(), "plan.unresolved", cause(bundle)));
            }
        });
        return problems;
    }

    private static List<Capability> offered(Framework framework, Collection<Bundle> bundles) {
        List<Capability> offered = new ArrayList<>();
        Set<Bundle> all = new LinkedHashSet<>(bundles);
        all.add(framework);
        for (Bundle bundle : all) {
            BundleRevision revision = bundle.adapt(BundleRevision.class);
            if (revision != null) {
                offered.addAll(revision.getCapabilities(null));
            }
        }
        return offered;
    }

    /** A plugin that the bundle got something from; empty if none. */
    private static String takenFromPlugin(Bundle bundle, Map<Bundle, Part> installed) {
        BundleWiring wiring = bundle.adapt(BundleWiring.class);
        if (wiring != null) {
            for (BundleWire wire : wiring.getRequiredWires(null)) {
                Part provider = installed.get(wire.getProvider().getBundle());
                if (provider != null && provider.plugin()) {
                    return provider.name();
                }
            }
        }
        return "";
    }

    /** The first requirement that nothing meets by itself; null if each is met and only not all together. */
    private static @Nullable Problem missing(Part part, Bundle bundle, List<Capability> offered) {
        BundleRevision revision = bundle.adapt(BundleRevision.class);
        if (revision == null) {
            return null;
        }
        for (Requirement requirement : revision.getRequirements(null)) {
            Map<String, String> directives = requirement.getDirectives();
            if (Constants.RESOLUTION_OPTIONAL.equals(directives.get(Constants.RESOLUTION_DIRECTIVE))
                    || !Constants.EFFECTIVE_RESOLVE.equals(
                            directives.getOrDefault(Constants.EFFECTIVE_DIRECTIVE, Constants.EFFECTIVE_RESOLVE))) {
                continue;
            }
            if (offered.stream().noneMatch(capability -> matches(requirement, capability))) {
                return problem(part, requirement, offered);
            }
        }
        return null;
    }

    private static boolean matches(Requirement requirement, Capability capability) {
        return requirement instanceof org.osgi.framework.wiring.BundleRequirement needed
                && capability instanceof org.osgi.framework.wiring.BundleCapability there
                && needed.matches(there);
    }

    private static Problem problem(Part part, Requirement requirement, List<Capability> offered) {
        String filter = String.valueOf(requirement.getDirectives().get(Constants.FILTER_DIRECTIVE));
        if (requirement.getNamespace().equals(ExecutionEnvironmentNamespace.EXECUTION_ENVIRONMENT_NAMESPACE)) {
            return new Problem(part.name(), "plan.unresolved", "it needs another Java than this one: " + filter);
        }
        Matcher named = NAME.matcher(filter);
        if (!requirement.getNamespace().equals(PackageNamespace.PACKAGE_NAMESPACE) || !named.find()) {
            return new Problem(
                    part.name(),
                    "plan.unresolved",
                    "it requires " + requirement.getNamespace() + " " + filter + ", which nothing here provides");
        }
        String name = named.group(1);
        List<String> there = offered.stream()
                .filter(capability -> name.equals(capability.getAttributes().get(PackageNamespace.PACKAGE_NAMESPACE)))
                .map(capability -> capability.getAttributes().get(PackageNamespace.CAPABILITY_VERSION_ATTRIBUTE))
                .map(version -> version instanceof Version found ? found.toString() : "0.0.0")
                .distinct()
                .sorted()
                .toList();
        if (there.isEmpty()) {
            return new Problem(
                    part.name(),
                    "plan.unresolved",
                    "it imports the package " + name + ", which no bundle here exports");
        }
        return new Problem(
                part.name(),
                name.startsWith("im.parley.api.") ? "plan.api-range" : "plan.unresolved",
                "it needs " + name + " " + range(filter) + "; this node has " + String.join(", ", there));
    }

    private static String range(String filter) {
        Matcher least = LEAST.matcher(filter);
        Matcher below = BELOW.matcher(filter);
        String from = least.find() ? "from " + least.group(1) : "";
        String to = below.find() ? "below " + below.group(1) : "";
        return (from + " " + to).strip();
    }

    /** In the resolver's words: it says so to whoever asks an unresolved bundle for a class. */
    private static String cause(Bundle bundle) {
        try {
            bundle.loadClass("im.parley.launcher.Nothing");
        } catch (ClassNotFoundException e) {
            Throwable cause = e.getCause();
            if (cause != null) {
                return words(cause);
            }
        }
        return "it does not resolve together with the others";
    }

    private static String words(Throwable e) {
        String text =
                SPACES.matcher(String.valueOf(e.getMessage())).replaceAll(" ").strip();
        return text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
    }

    private static void end(Framework framework) {
        try {
            framework.stop();
            framework.waitForStop(STOP_MILLIS);
        } catch (BundleException e) {
            LOG.debug("the framework of a trial did not stop cleanly", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Also what a kill left of an earlier one. */
    static void remove(Path scratch) {
        if (!Files.exists(scratch)) {
            return;
        }
        try {
            Files.walkFileTree(scratch, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    Files.delete(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path dir, @Nullable IOException e) throws IOException {
                    Files.delete(dir);
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            LOG.debug("the files of a trial stay: {}", e.toString());
        }
    }
}
