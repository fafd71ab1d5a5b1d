package im.parley.identity.remote;

import im.parley.api.curve.Secp256k1;
import im.parley.api.identity.IdentityProvider;
import im.parley.api.lifecycle.Provider;
import im.parley.api.lifecycle.ProviderContext;
import im.parley.slot.Slot;
import org.osgi.annotation.bundle.Header;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Reference;

/** Fills the slot {@code identity.remote} with the signers that this instance was connected to. */
@Component(
        name = RemoteIdentityProvider.PID,
        service = Provider.class,
        configurationPolicy = ConfigurationPolicy.REQUIRE,
        property = Provider.SLOT + "=identity.remote")
@Header(name = "Parley-Services", value = "im.parley.slot.Slot")
public final class RemoteIdentityProvider implements Provider<IdentityProvider> {
    /** Factory PID; has no properties of its own. */
    public static final String PID = "im.parley.identity.remote";

    private final Slot<Secp256k1> curve;

    @Activate
    public RemoteIdentityProvider(@Reference(target = "(parley.slot=curve)") Slot<Secp256k1> curve) {
        this.curve = curve;
    }

    @Override
    public IdentityProvider open(ProviderContext context) {
        return new RemoteIdentities(context, curve);
    }
}
