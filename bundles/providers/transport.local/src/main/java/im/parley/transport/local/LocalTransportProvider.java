package im.parley.transport.local;

import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.api.transport.RelayEndpoint;
import im.parley.api.transport.RelayTransport;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.osgi.annotation.bundle.Header;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/** Fills the slot {@code transport.local}. The relay may come, go and come back while the transport stays open. */
@Component(
        name = LocalTransportProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=transport.local")
@Header(name = "Parley-Services", value = "im.parley.api.transport.RelayEndpoint")
public final class LocalTransportProvider implements Provider<RelayTransport> {
    /** Factory PID; has no properties of its own. */
    public static final String PID = "im.parley.transport.local";

    private final AtomicReference<@Nullable RelayEndpoint> relay = new AtomicReference<>();

    @Activate
    public LocalTransportProvider() {}

    /** A node without a relay of its own has none; opening a channel then says so. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    void bindRelay(RelayEndpoint endpoint) {
        relay.set(endpoint);
    }

    void unbindRelay(RelayEndpoint endpoint) {
        // A replacement may have been bound first.
        relay.compareAndSet(endpoint, null);
    }

    Optional<RelayEndpoint> relay() {
        return Optional.ofNullable(relay.get());
    }

    @Override
    public RelayTransport open(ProviderContext context) {
        return new LocalTransport(this::relay, context.executor());
    }
}
