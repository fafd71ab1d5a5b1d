package im.parley.control;

import im.parley.api.lifecycle.Kind;
import im.parley.api.lifecycle.ProviderException;
import im.parley.http.Listeners;
import im.parley.slot.Lease;
import im.parley.slot.Slot;
import im.parley.vault.Vault;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentConfigurationDTO;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;
import org.osgi.service.component.runtime.dto.UnsatisfiedReferenceDTO;

/**
 * Tells whether everything that the features promise is there, and if not, what is missing and why. The launcher asks it,
 * through types of the JDK only, and so does {@code node.status}. Thread-safe.
 */
@Component(
        name = "im.parley.control.readiness",
        service = {Supplier.class, Readiness.class},
        configurationPid = "im.parley.control",
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        immediate = true,
        property = "parley.readiness=node")
public final class Readiness implements Supplier<Map<String, Object>> {
    private static final String OURS = "im.parley.";

    private final BundleContext context;
    private final List<String> filters;
    private final Set<String> tolerated;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    private volatile @Nullable ControlServer server;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    private volatile @Nullable ServiceComponentRuntime components;

    @Activate
    public Readiness(BundleContext context, ControlConfiguration config) throws InvalidSyntaxException {
        this.context = context;
        this.filters = List.of(config.ready());
        this.tolerated = Set.copyOf(Arrays.asList(config.tolerated()));
        for (String filter : filters) {
            FrameworkUtil.createFilter(filter);
        }
    }

    /**
     * What stands between the node and being ready.
     *
     * @return {@code missing}: a list of sentences, empty if the node is ready; {@code failed}: by code, what will not
     *     heal by itself; {@code degraded}: what it starts without
     */
    @Override
    public Map<String, Object> get() {
        List<String> missing = new ArrayList<>();
        Map<String, String> failed = failedListeners();
        checkVault(missing, failed);
        if (server == null) {
            missing.add("the control socket");
        }
        List<String> degraded = new ArrayList<>();
        for (String filter : filters) {
            check(filter, missing, failed, degraded);
        }
        if (!missing.isEmpty()) {
            missing.addAll(waiting());
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("missing", missing);
        answer.put("failed", failed);
        answer.put("degraded", degraded);
        return answer;
    }

    private void check(String filter, List<String> missing, Map<String, String> failed, List<String> degraded) {
        try {
            ServiceReference<?>[] found = context.getAllServiceReferences(null, filter);
            if (found == null) {
                missing.add(filter);
                return;
            }
            for (ServiceReference<?> reference : found) {
                if (reference.getProperty(Slot.NAME) instanceof String name) {
                    checkSlot(name, reference, missing, failed, degraded);
                }
            }
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException("checked when it was configured", e);
        }
    }

    private void checkVault(List<String> missing, Map<String, String> failed) {
        ServiceReference<Vault> reference = context.getServiceReference(Vault.class);
        Vault vault = reference == null ? null : context.getService(reference);
        if (reference == null || vault == null) {
            return;
        }
        ProviderException problem = problemOf(vault);
        if (problem != null) {
            missing.add("the vault: " + problem.getMessage());
            failed.putIfAbsent(problem.code(), String.valueOf(problem.getMessage()));
        }
        context.ungetService(reference);
    }

    /**
     * Why a vault could not be opened; null if it was. It is opened once, so whatever it is will not heal by itself, and
     * everything that waits for a secret would wait in vain.
     */
    static @Nullable ProviderException problemOf(Vault vault) {
        Vault.State state = vault.state();
        if (!state.locked() || state.pinSet()) {
            return null;
        }
        try {
            // Locked without a PIN is how a vault that is not open looks, and every call on it fails with the reason.
            vault.lock();
            return null;
        } catch (ProviderException e) {
            return e;
        }
    }

    /** Taking a lease opens the configured instance if nobody needed it yet: a slot that cannot open is not ready. */
    private void checkSlot(
            String name,
            ServiceReference<?> reference,
            List<String> missing,
            Map<String, String> failed,
            List<String> degraded) {
        if (!(context.getService(reference) instanceof Slot<?> slot)) {
            return;
        }
        try (Lease<?> lease = slot.acquire()) {
            lease.get();
        } catch (ProviderException e) {
            String sentence = "slot " + name + ": " + e.getMessage();
            if (tolerated.contains(name)) {
                degraded.add(sentence);
                return;
            }
            missing.add(sentence);
            if (lasting(e.kind())) {
                failed.putIfAbsent(e.code(), "Slot " + name + ": " + e.getMessage());
            }
        } finally {
            context.ungetService(reference);
        }
    }

    private static boolean lasting(Kind kind) {
        return switch (kind) {
            case CORRUPT, AUTHENTICATION, REJECTED, UNSUPPORTED -> true;
            case UNAVAILABLE, TIMEOUT, EXHAUSTED, INTERNAL -> false;
        };
    }

    /** Listeners are not known to a node without them, so they are looked up by name and their class touched only then. */
    private Map<String, String> failedListeners() {
        Map<String, String> failed = new LinkedHashMap<>();
        ServiceReference<?> reference = context.getServiceReference("im.parley.http.Listeners");
        if (reference != null) {
            ListenerProblems.collect(context.getService(reference), failed);
            context.ungetService(reference);
        }
        return failed;
    }

    /** Keeps the optional class out of this one. */
    private static final class ListenerProblems {
        private ListenerProblems() {}

        static void collect(@Nullable Object service, Map<String, String> failed) {
            if (service instanceof Listeners listeners) {
                listeners.problems().forEach(problem -> failed.putIfAbsent(problem.code(), problem.text()));
            }
        }
    }

    /** Our components that wait for another one, or failed: the quickest way to the cause. */
    private List<String> waiting() {
        ServiceComponentRuntime runtime = components;
        if (runtime == null) {
            return List.of();
        }
        List<String> sentences = new ArrayList<>();
        Collection<ComponentDescriptionDTO> descriptions = runtime.getComponentDescriptionDTOs();
        for (ComponentDescriptionDTO description : descriptions) {
            if (!description.name.startsWith(OURS)) {
                continue;
            }
            for (ComponentConfigurationDTO configuration : runtime.getComponentConfigurationDTOs(description)) {
                if (configuration.state == ComponentConfigurationDTO.UNSATISFIED_REFERENCE) {
                    for (UnsatisfiedReferenceDTO reference : configuration.unsatisfiedReferences) {
                        sentences.add(description.name + " waits for " + reference.name
                                + (reference.target == null ? "" : " " + reference.target));
                    }
                } else if (configuration.state == ComponentConfigurationDTO.UNSATISFIED_CONFIGURATION) {
                    sentences.add(description.name + " has no configuration");
                } else if (configuration.state == ComponentConfigurationDTO.FAILED_ACTIVATION) {
                    sentences.add(description.name + " failed: " + firstLine(configuration.failure));
                }
            }
        }
        return sentences;
    }

    private static String firstLine(@Nullable String failure) {
        if (failure == null) {
            return "unknown reason";
        }
        int end = failure.indexOf('\n');
        return end < 0 ? failure : failure.substring(0, end);
    }
}
