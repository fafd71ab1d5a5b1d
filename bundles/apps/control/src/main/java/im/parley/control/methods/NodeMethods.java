package im.parley.control.methods;

import im.parley.api.lifecycle.Kind;
import im.parley.control.Call;
import im.parley.control.ControlConfiguration;
import im.parley.control.ControlException;
import im.parley.control.MethodGroup;
import im.parley.control.Readiness;
import im.parley.slot.Swaps;
import im.parley.vault.Vault;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;

/** The node as a whole: status, stop. */
@Component(
        name = "im.parley.control.node",
        service = MethodGroup.class,
        configurationPid = "im.parley.control",
        configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class NodeMethods implements MethodGroup {
    private final BundleContext context;
    private final ControlConfiguration config;
    private final InstantSource clock;
    private final Vault vault;
    private final Readiness readiness;
    private final Swaps swaps;
    private final long startedAt;

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    private volatile List<AddressSource> addresses = List.of();

    /** The launcher, which alone knows the generation after changes of the stack; a host of another kind has none. */
    @Reference(
            target = "(parley.stack=node)",
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC)
    private volatile @Nullable Function<Map<String, Object>, Map<String, Object>> stack;

    @Activate
    public NodeMethods(
            BundleContext context,
            ControlConfiguration config,
            @Reference InstantSource clock,
            @Reference Vault vault,
            @Reference Readiness readiness,
            @Reference Swaps swaps) {
        this.context = context;
        this.config = config;
        this.clock = clock;
        this.vault = vault;
        this.readiness = readiness;
        this.swaps = swaps;
        this.startedAt = clock.millis();
    }

    @Override
    public Set<String> names() {
        return Set.of("node.status", "node.stop");
    }

    @Override
    public Map<String, Object> call(Call call) throws ControlException {
        return switch (call.method()) {
            case "node.status" -> status();
            default -> stop();
        };
    }

    private Map<String, Object> status() {
        Map<String, Object> state = readiness.get();
        Object missing = state.getOrDefault("missing", List.of());
        List<Map<String, Object>> urls = new ArrayList<>();
        for (AddressSource source : addresses) {
            source.urls().forEach((name, address) -> {
                Map<String, Object> url = new LinkedHashMap<>();
                url.put("name", name);
                url.put("url", address);
                urls.add(url);
            });
        }
        Map<String, Object> status = new LinkedHashMap<>();
        status.put("ready", missing instanceof List<?> list && list.isEmpty());
        status.put("missing", missing);
        status.put("degraded", state.getOrDefault("degraded", List.of()));
        status.put("version", config.version());
        status.put("generation", generation());
        status.put(
                "features",
                config.features().isEmpty()
                        ? List.of()
                        : List.of(config.features().split(",", -1)));
        status.put("pid", ProcessHandle.current().pid());
        status.put("startedAt", startedAt);
        status.put("now", clock.millis());
        status.put("dataDir", config.dataDir());
        status.put("urls", urls);
        status.put("session", SessionMethods.state(vault));
        return status;
    }

    private long generation() {
        Function<Map<String, Object>, Map<String, Object>> launcher = stack;
        Object current = launcher == null
                ? null
                : launcher.apply(Map.of("op", "current")).get("generation");
        return Math.max(Math.max(config.generation(), swaps.generation()), current instanceof Long number ? number : 0);
    }

    /** The framework stops on a thread of its own, which gives this answer time to leave. */
    private Map<String, Object> stop() throws ControlException {
        try {
            context.getBundle(0).stop();
        } catch (BundleException e) {
            throw ControlException.of(
                    Kind.INTERNAL, "node.stop-failed", "The framework refused: " + e.getMessage() + ".");
        }
        return Map.of("stopping", true);
    }
}
